// Rates that name their denominator, comparisons with the usual, bars.

import { attr, h, prop, text } from "./dom.js";
import { change, percent } from "./format.js";
import { t } from "./words.js";

/** A rate of fewer than this many is no rate. */
export const ENOUGH = 30;

/** Smaller differences from the usual are the usual. */
const NOTABLE = 0.1;

/** Show a rate in `node`: its value, or "too few"; the denominator on hover and to be read out. */
export function setRate(node, rate, per, show = percent) {
  const few = rate.value === null || rate.of < ENOUGH;
  setWithNote(node, few ? t("too_few") : show(rate.value), denominator(rate.of, per, few));
  node.classList.toggle("few", few);
}

/** Show a value with a note: its title, and hidden text for who cannot hover. */
export function setWithNote(node, value, note) {
  if (node.childElementCount !== 2) node.replaceChildren(h("span"), h("span", { class: "vh" }));
  text(node.children[0], value);
  text(node.children[1], note ? ` (${note})` : "");
  attr(node, "title", note || null);
}

/** "of 1,204 viewers", or why that is too few. */
export function denominator(of, per, few = of < ENOUGH) {
  return t(few ? "too_few.of" : "of", { n: of, per: t(`per.${per}`) });
}

/** Return by how much `value` differs from `usual`, null when that says nothing. */
export const difference = (value, usual) =>
  typeof value === "number" && typeof usual === "number" && usual > 0 ? value / usual - 1 : null;

/** Show a difference in words and tone: what is near the usual is "as usual", no value says nothing. */
export function setDelta(node, value, usual) {
  const delta = difference(value, usual);
  const notable = delta !== null && Math.abs(delta) >= NOTABLE;
  attr(node, "data-tone", notable ? (delta > 0 ? "good" : "bad") : null);
  if (delta === null) text(node, value === null ? "" : t("now.no_usual"));
  else text(node, notable ? `${delta > 0 ? "↑" : "↓"} ${change(Math.abs(delta))}` : t("now.as_usual"));
}

/** A bar with a tick where the usual is. */
export const bullet = () => h("span", { class: "bullet", "aria-hidden": "true" }, h("i"), h("u"));

/** Set the bar to `value` and its tick to `usual`; the track ends at twice the usual. */
export function setBullet(node, value, usual) {
  const full = Math.max((usual ?? 0) * 2, value ?? 0) || 1;
  prop(node, "--at", share(value, full));
  prop(node, "--usual", share(usual, full));
  attr(node.lastChild, "hidden", !usual);
}

/** A part of a whole for the length of a bar: 0 to 1, rounded so that noise moves nothing. */
export function share(part, full) {
  if (!part || !full) return 0;
  return Math.round(Math.min(Math.max(part / full, 0), 1) * 1000) / 1000;
}
