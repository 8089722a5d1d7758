// What livepulse did: what was sent and what came of it, what is left to give, what was held back.

import { attr, h, keyed, parts, prop, text } from "../dom.js";
import { bullet, share } from "../figures.js";
import { clock, clockSeconds, iso, money, short, shortMoney, whole } from "../format.js";
import { held, offered, offerValue, why } from "../sentences.js";
import { fill, t } from "../words.js";

const COUNTS = ["sent", "shown", "accepted", "declined"];
const HELD = 6;
const TONES = { accepted: "good", shown: "look", declined: "warn", failed: "bad" };

/** Return `update(snapshot, now)` for the panel in `root`; `now` by the server's clock. */
export function did(root) {
  const at = parts(root);
  const tallies = ["coupons", "recommendations"].map((kind) => tally(at.tallies, kind));
  return (snapshot, now) => {
    const { triggers, offers, session } = snapshot;
    for (const update of tallies) update(triggers, session.currency);
    attr(at.no_offers, "hidden", offers.length > 0);
    keyed(
      at.budgets,
      offers,
      (one) => one.id,
      budget,
      (node, one) => fillBudget(node, one, now),
    );
    attr(at.none, "hidden", triggers.latest.length > 0);
    attr(at.latest.parentNode, "hidden", triggers.latest.length === 0);
    keyed(
      at.latest,
      triggers.latest,
      (one) => one.id,
      line,
      (node, one) => fillLine(node, one, snapshot),
    );
    attr(at.none_held, "hidden", triggers.suppressed.length > 0);
    drawHeld(at.suppressed, triggers.suppressed);
  };
}

function tally(parent, kind) {
  const counts = COUNTS.map((name) => h("dd", {}, "–"));
  const revenue = h("b");
  const node = h(
    "div",
    { class: "tally" },
    h("h3", { "data-t": `did.${kind}` }),
    h("dl", {}, ...COUNTS.map((name, i) => h("div", {}, h("dt", { "data-t": `did.${name}` }), counts[i]))),
    h("p", {}, revenue, " ", h("span", { "data-t": "did.revenue" })),
  );
  fill(node);
  parent.append(node);
  return (triggers, currency) => {
    COUNTS.forEach((name, i) => text(counts[i], short(triggers[kind][name], 100_000)));
    text(revenue, shortMoney(triggers[kind].revenue, currency));
    attr(revenue, "title", money(triggers[kind].revenue, currency));
  };
}

const budget = () => h("li", {}, h("span"), h("span", { class: "muted" }), bullet());

function fillBudget(node, offer, now) {
  const [name, left, bar] = node.children;
  const { currency } = offer;
  const until = offer.valid_until <= now ? t("did.over") : t("did.until", { time: clock(offer.valid_until) });
  text(name, `${offerValue(offer)} · ${until}`);
  const values = { left: shortMoney(offer.left, currency), budget: shortMoney(offer.budget, currency) };
  text(left, t(offer.left === null ? "did.left_unknown" : "did.left", values));
  prop(bar, "--at", share(offer.left, offer.budget));
  attr(bar.lastChild, "hidden", true);
}

const line = () =>
  h(
    "li",
    {},
    h("time"),
    h("span", { class: "what" }),
    h("span", { class: "tag" }),
    h("span", { class: "why" }),
  );

function fillLine(node, trigger, snapshot) {
  const [at, what, state, reasons] = node.children;
  attr(at, "datetime", iso(trigger.at));
  text(at, clockSeconds(trigger.at));
  text(what, offered(trigger, snapshot));
  text(state, t(`trigger.${trigger.state}`));
  attr(state, "data-tone", TONES[trigger.state] ?? null);
  text(reasons, why(trigger));
}

function drawHeld(node, suppressed) {
  const shown = [...suppressed].sort((a, b) => b.count - a.count).slice(0, HELD);
  const most = shown[0]?.count;
  keyed(
    node,
    shown,
    (one) => one.reason,
    () => h("li", {}, h("span"), h("b")),
    (item, one) => {
      prop(item, "--at", share(one.count, most));
      text(item.firstChild, held(one.reason));
      text(item.lastChild, whole(one.count));
    },
  );
}
