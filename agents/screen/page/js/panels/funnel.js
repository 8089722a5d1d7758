// The funnel in people, and the factors of the GMV: which of them is furthest below the usual.

import { attr, h, keyed, parts, prop, text } from "../dom.js";
import { denominator, ENOUGH, setRate, setWithNote, share } from "../figures.js";
import { decimal, money, percent, short, shortMoney, whole } from "../format.js";
import { FACTOR_PER } from "../sentences.js";
import { fill, t } from "../words.js";

/** Return `update(snapshot)` for the panel in `root`. */
export function funnel(root) {
  const at = parts(root);
  return ({ funnel: steps, worst_step: worst, gpm, session }) => {
    const most = steps[0]?.people;
    text(at.worst, worst ? t("funnel.worst_is", { step: t(`step.${worst}`) }) : t("funnel.none"));
    keyed(
      at.steps,
      steps,
      (one) => one.step,
      step,
      (node, one) => fillStep(node, one, most, one.step === worst),
    );
    text(
      at.gpm,
      gpm.value === null ? "" : t("gpm.total", { value: shortMoney(gpm.value, session.currency) }),
    );
    keyed(
      at.factors,
      gpm.factors,
      (one) => one.name,
      factor,
      (node, one) => fillFactor(node, one, session.currency, one.name === gpm.furthest_below),
    );
  };
}

function step({ step: name }) {
  const node = h(
    "li",
    {},
    h("span", { class: "name", "data-t": `step.${name}` }),
    h("span", { class: "bar", "aria-hidden": "true" }, h("i")),
    h("span", { class: "people" }),
    h("div", { class: "rate" }, h("span"), h("small")),
  );
  fill(node);
  return node;
}

function fillStep(node, one, most, isWorst) {
  const [, bar, people, rate] = node.children;
  attr(node, "data-worst", isWorst);
  prop(bar.firstChild, "--at", share(one.people, most));
  text(people, short(one.people));
  attr(people, "title", whole(one.people));
  if (one.step === "viewers") return;
  setRate(rate.firstChild, one.from_previous, "previous");
  setWithNote(
    rate.lastChild,
    lately(one),
    isKnown(one.last_5m) ? denominator(one.last_5m.of, "previous") : "",
  );
}

const isKnown = ({ value, of }) => value !== null && of >= ENOUGH;

/** The last five minutes and the usual: that is what the weakest step is named by. */
function lately({ last_5m: last, baseline }) {
  if (!isKnown(last)) return "";
  const value = percent(last.value);
  return isKnown(baseline)
    ? t("funnel.lately", { value, usual: percent(baseline.value) })
    : t("funnel.lately.alone", { value });
}

function factor({ name }) {
  const node = h("li", {}, h("span", { "data-t": `gpm.${name}` }), h("b"), h("small"));
  fill(node);
  return node;
}

function fillFactor(node, { name, value, baseline, of }, currency, isWorst) {
  const show = factorValue(name, currency);
  const few = value === null || of < (name === "order_value" ? 1 : ENOUGH);
  attr(node, "data-worst", isWorst);
  setRate(node.children[1], { value: few ? null : value, of }, FACTOR_PER[name], show);
  const base = baseline === null ? t("now.no_usual") : t("funnel.usual_is", { value: show(baseline) });
  setWithNote(node.children[2], base, isWorst ? t("gpm.worst") : "");
}

/** How a factor is written: clicks a view may be above 1, order value is money, the rest are shares. */
export function factorValue(name, currency) {
  if (name === "order_value") return (minor) => money(minor, currency);
  return name === "click_rate" ? (value) => decimal(value, 2) : percent;
}
