// Who is slipping away: how many, with what in the cart, and why. Pseudonyms only.

import { attr, h, keyed, parts, prop, text } from "../dom.js";
import { share } from "../figures.js";
import { money, percent, short, shortMoney } from "../format.js";
import { reason } from "../sentences.js";
import { t } from "../words.js";

const SHOWN = 5;

/** Return `update(snapshot)` for the panel in `root`. */
export function risk(root) {
  const at = parts(root);
  attr(at.bins, "aria-label", t("risk.distribution"));
  at.bins.append(...Array.from({ length: 10 }, () => h("i")));
  return ({
    risk: { bins, at_risk: count, carts_at_risk: carts, carts_at_risk_value: value, reasons, top },
    session,
  }) => {
    text(at.at_risk, short(count));
    text(at.at_risk_words, t("risk.at_risk", { n: count }));
    text(at.carts_value, shortMoney(value, session.currency));
    attr(at.carts_value, "title", money(value, session.currency));
    text(at.carts, t("risk.carts", { n: carts }));
    histogram(at.bins, bins);
    attr(at.reasons_box, "hidden", reasons.length === 0);
    attr(at.top_box, "hidden", top.length === 0);
    attr(at.nobody, "hidden", top.length > 0 || count > 0);
    drawReasons(at.reasons, reasons.slice(0, SHOWN));
    keyed(
      at.top,
      top.slice(0, SHOWN),
      (one) => one.viewer,
      person,
      (node, one) => fillPerson(node, one, session.currency),
    );
  };
}

function histogram(node, bins) {
  const most = Math.max(...bins, 1);
  const words = bins.map((n, i) => t("risk.bin", { from: percentOf(i), to: percentOf(i + 1), n }));
  bins.forEach((n, i) => {
    // One viewer among thousands is still to be seen.
    prop(node.children[i], "--at", n ? Math.max(share(n, most), 0.02) : 0);
    attr(node.children[i], "title", words[i]);
  });
  attr(node, "aria-label", `${t("risk.distribution")}: ${words.filter((_, i) => bins[i]).join(", ")}`);
}

const percentOf = (i) => `${i * 10}%`;

function drawReasons(node, reasons) {
  const most = Math.max(...reasons.map((one) => one.viewers), 1);
  keyed(
    node,
    reasons,
    (one) => one.code,
    () => h("li", {}, h("span"), h("b")),
    (item, one) => {
      prop(item, "--at", share(one.viewers, most));
      text(item.firstChild, reason({ code: one.code }));
      text(item.lastChild, short(one.viewers));
    },
  );
}

const person = () => h("li", {}, h("b"), h("span", { class: "who" }), h("span"), h("span", { class: "why" }));

function fillPerson(node, one, currency) {
  const [chance, who, cart, why] = node.children;
  text(chance, percent(one.risk));
  text(who, one.viewer);
  text(cart, one.cart_value ? money(one.cart_value, currency) : "");
  text(why, one.reasons.map((code) => reason({ code })).join(t("list.and")));
}
