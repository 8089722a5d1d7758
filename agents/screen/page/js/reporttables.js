// The tables of the report, by the id of their section: how each is made, and its rows.

import { attr, text } from "./dom.js";
import { ENOUGH, setRate } from "./figures.js";
import { clockSeconds, iso, money, moment, percent, scale, whole } from "./format.js";
import { FACTOR_PER, held, offered, offerValue, productName, why } from "./sentences.js";
import { factorValue } from "./panels/funnel.js";
import { isFew, PER, RATES } from "./panels/now.js";
import { productTable } from "./panels/products.js";
import { markerWords } from "./panels/timeline.js";
import { Table } from "./table.js";
import { t } from "./words.js";

const COUNTS = ["sent", "shown", "accepted", "declined"];

/** A column of text in words. */
const words = (key, head, value) => ({ key, head, words: true, value });

/** A column of whole numbers. */
const count = (key, head, value = (one) => one[key]) => ({
  key,
  head,
  value,
  draw: (cell, one) => text(cell, whole(value(one))),
});

/** A column of money: shown with its currency, taken away in major units; `unit` if all rows have one. */
const cash = (key, head, currency, unit) => ({
  key,
  head,
  value: (one) => one[key],
  draw: (cell, one) => text(cell, money(one[key], currency(one))),
  unit,
  take: (one) => (one[key] === null ? null : one[key] / scale(currency(one))),
});

/** A column of rates: too few to tell stays so, and is empty when taken away. */
const rates = (key, head, per = () => "previous", show = () => percent) => ({
  key,
  head,
  value: (one) => one[key].value,
  draw: (cell, one) =>
    one[key].of || one[key].value !== null ? setRate(cell, one[key], per(one), show(one)) : text(cell, ""),
});

const plain = (label, key, columns) => new Table({ label, key, sort: null, columns });

/** A figure is money, unless it counts orders; the whole session's names its denominator. */
function figureColumn(key, head, currency) {
  const isMoney = (one) => one.name !== "orders";
  const value = (one) => (isFew(one) ? null : one[key]);
  const show = (one, amount) => (isMoney(one) ? money(amount, currency()) : whole(amount));
  const draw = (cell, one) => {
    const isRate = RATES.has(one.name);
    if (isRate && key === "value") setRate(cell, one, PER[one.name], (amount) => show(one, amount));
    else if (isRate && key === "last_5m" && value(one) === null) text(cell, t("too_few"));
    else text(cell, show(one, value(one)));
  };
  const take = (one) => (value(one) !== null && isMoney(one) ? value(one) / scale(currency()) : value(one));
  return { key, head, value, draw, take };
}

const currencyOf = (snapshot) => () => snapshot().session.currency;
const ownCurrency = (one) => one.currency;

export const TABLES = {
  summary: {
    make: (snapshot) =>
      plain("report.summary", (one) => one.name, [
        words("name", "report.figure", (one) => t(`now.${one.name}`)),
        figureColumn("value", "report.so_far", currencyOf(snapshot)),
        figureColumn("last_5m", "funnel.last_5m", currencyOf(snapshot)),
        figureColumn("baseline", "report.average_5m", currencyOf(snapshot)),
      ]),
    rows: (snapshot) => Object.entries(snapshot.money).map(([name, figure]) => ({ name, ...figure })),
  },
  funnel: {
    make: () =>
      plain("funnel", (one) => one.step, [
        words("step", "funnel.step", (one) => t(`step.${one.step}`)),
        count("people", "funnel.people"),
        rates("from_previous", "funnel.rate"),
        rates("baseline", "funnel.usual"),
        rates("last_5m", "funnel.last_5m"),
      ]),
    rows: (snapshot) => snapshot.funnel,
  },
  gpm: {
    make: (snapshot) => {
      const show = (one) => factorValue(one.name, currencyOf(snapshot)());
      const per = (one) => FACTOR_PER[one.name];
      return plain("gpm", (one) => one.name, [
        words("name", "gpm.factor", (one) => t(`gpm.${one.name}`)),
        rates("last", "funnel.last_5m", per, show),
        {
          key: "baseline",
          head: "funnel.usual",
          value: (one) => one.baseline,
          draw: (cell, one) => text(cell, show(one)(one.baseline)),
        },
      ]);
    },
    rows: (snapshot) =>
      snapshot.gpm.factors.map((one) => ({
        ...one,
        last: { value: one.of < ENOUGH ? null : one.value, of: one.of },
      })),
  },
  products: { make: productTable, rows: (snapshot) => snapshot.products },
  triggers: {
    make: (snapshot) =>
      plain("report.triggers", (one) => one.kind, [
        words("kind", "did.kind", (one) => t(`did.${one.kind}`)),
        ...COUNTS.map((key) => count(key, `did.${key}`)),
        cash("revenue", "did.revenue", currencyOf(snapshot), currencyOf(snapshot)),
      ]),
    rows: ({ triggers }) => ["coupons", "recommendations"].map((kind) => ({ kind, ...triggers[kind] })),
  },
  budgets: {
    make: () =>
      plain("did.budgets", (one) => one.id, [
        words("offer", "report.offer", offerValue),
        words("currency", "report.currency", ownCurrency),
        cash("budget", "report.budget", ownCurrency),
        cash("left", "report.left", ownCurrency),
        {
          key: "until",
          head: "report.until",
          words: true,
          value: (one) => iso(one.valid_until),
          draw: (cell, one) => text(cell, moment(one.valid_until)),
        },
      ]),
    rows: (snapshot) => snapshot.offers,
  },
  held: {
    make: () =>
      plain("did.suppressed", (one) => one.reason, [
        words("reason", "did.reason", (one) => held(one.reason)),
        count("count", "did.times"),
      ]),
    rows: (snapshot) => snapshot.triggers.suppressed,
  },
  latest: {
    make: (snapshot) =>
      plain("report.triggers.latest", (one) => one.id, [
        timeColumn,
        words("what", "did.what", (one) => offered(one, snapshot())),
        words("why", "did.why", why),
        words("state", "did.state", (one) => t(`trigger.${one.state}`)),
      ]),
    rows: (snapshot) => snapshot.triggers.latest,
  },
  markers: {
    make: (snapshot) =>
      plain("markers", (one) => `${one.at} ${one.kind} ${one.product}`, [
        timeColumn,
        words("what", "did.what", (one) => markerWords(one, snapshot())),
      ]),
    rows: (snapshot) => snapshot.markers.filter((one) => one.kind !== "trigger").sort((a, b) => a.at - b.at),
  },
};

const timeColumn = {
  key: "at",
  head: "did.time",
  words: true,
  value: (one) => iso(one.at),
  draw: (cell, one) => {
    text(cell, clockSeconds(one.at));
    attr(cell, "title", moment(one.at));
  },
};
