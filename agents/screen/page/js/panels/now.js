// Now: who is here, and what has come of it, against this session's own usual.

import { attr, h, parts, prop, text } from "../dom.js";
import { bullet, denominator, ENOUGH, setBullet, setDelta, setWithNote, share } from "../figures.js";
import { decimal, money, short, shortMoney, whole } from "../format.js";
import { fill, t } from "../words.js";

/** What each figure is a part of. */
export const PER = {
  gmv_gross: "orders",
  gmv_net: "orders",
  orders: "viewers",
  watch_gpm: "views",
  uv_value: "viewers",
};
/** Figures that mean nothing over a few people. */
export const RATES = new Set(["watch_gpm", "uv_value"]);

/** Tell whether a figure by its `name` is over too few. */
export const isFew = ({ name, value, of }) => RATES.has(name) && (value === null || of < ENOUGH);

/** Return `update(snapshot)` for the panel in `root`. */
export function now(root) {
  const at = parts(root);
  const figures = [...root.querySelectorAll("[data-figure]")].map(figure);
  return (snapshot) => {
    room(at, snapshot);
    for (const update of figures) update(snapshot);
  };
}

function room(
  at,
  { now: { viewers, joining_per_min: joining, leaving_per_min: leaving, events_per_s: events }, session },
) {
  text(at.viewers, short(viewers));
  attr(at.viewers, "title", whole(viewers));
  text(at.joining, `+${short(joining, 100_000)}`);
  text(at.leaving, `−${short(leaving, 100_000)}`);
  const full = Math.max(joining, leaving, 1);
  prop(at.tide_in, "--at", share(joining, full));
  prop(at.tide_out, "--at", share(leaving, full));
  text(at.people, t("now.people", { value: short(session.viewers), peak: short(session.peak) }));
  text(at.events, t("now.events", { value: events < 10 ? decimal(events) : short(events) }));
}

function figure(root) {
  const name = root.dataset.figure;
  const value = h("p", { class: "huge" }, "–");
  const bar = bullet();
  const lately = h("span");
  const delta = h("span", { class: "delta" });
  root.append(
    h("h3", { "data-t": `now.${name}` }),
    value,
    h("div", { class: "compare" }, bar, lately, delta),
  );
  fill(root);
  const show = { value, bar, lately, delta };
  return (snapshot) => draw(name, show, snapshot.money[name], snapshot.session.currency);
}

function draw(name, show, { value, last_5m: last, baseline, of }, currency) {
  const brief = name === "orders" ? short : (minor) => shortMoney(minor, currency);
  const full = name === "orders" ? whole : (minor) => money(minor, currency);
  const few = isFew({ name, value, of });
  const lately = few ? null : last;
  const fewLately = RATES.has(name) && lately === null;
  const words = (write) => (fewLately ? t("too_few") : write(lately));
  show.value.classList.toggle("few", few);
  setWithNote(show.value, few ? t("too_few") : brief(value), note(few, full(value), of, PER[name]));
  setBullet(show.bar, lately, fewLately ? 0 : baseline);
  text(show.lately, `${t("now.last_5m")} ${words(brief)}`);
  attr(show.lately, "title", t("now.compared", { value: words(full), usual: full(baseline) }));
  setDelta(show.delta, lately, baseline);
}

const note = (few, full, of, per) =>
  few ? denominator(of, per, true) : `${full}, ${denominator(of, per, false)}`;
