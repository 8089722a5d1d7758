// Codes into plain sentences: reasons, rules, triggers, suggestions.

import { age, decimal, money, shortMoney, whole } from "./format.js";
import { has, t } from "./words.js";

const LONGEST = 42;

/** What each factor of the GMV is a part of. */
export const FACTOR_PER = {
  enter_rate: "impressions",
  click_rate: "views",
  click_to_order: "clicks",
  order_value: "orders",
};

/** Join parts as a list in the chosen language. */
const list = (parts) => parts.join(t("list.and"));

/** A reason in words; an unknown code stays a code. */
export function reason({ code, weight }) {
  const key = `reason.${code}`;
  return has(key) ? t(key, { weight: decimal(weight ?? 0, 0) }) : code;
}

/** What spoke for a trigger; reasons of a weight below zero spoke against it. */
export function why(trigger) {
  const speaking = trigger.reasons.filter((one) => one.weight > 0);
  if (speaking.length) return list(speaking.map(reason));
  return has(`rule.${trigger.rule}`) ? t(`rule.${trigger.rule}`) : trigger.rule;
}

/** Why something was held back. */
export const held = (code) => (has(`held.${code}`) ? t(`held.${code}`) : code);

/** A name that fits into a sentence. */
const brief = (name) => (name.length > LONGEST ? `${name.slice(0, LONGEST - 1).trimEnd()}…` : name);

/** A product's title, made to fit, or its id while nothing is known of it. */
export function productName(snapshot, id) {
  return brief(snapshot.products.find((one) => one.id === id)?.title || id);
}

function productNames(snapshot, ids, most = 2) {
  const names = ids.slice(0, most).map((id) => productName(snapshot, id));
  const products = list(names);
  return ids.length > most ? t("did.and_more", { products, n: ids.length - most }) : products;
}

/** What a trigger offered to whom. */
export function offered(trigger, snapshot) {
  const viewer = brief(trigger.viewer);
  const products = productNames(snapshot, trigger.products);
  if (trigger.kind === "recommendation") return t("did.recommendation", { products, viewer });
  const amount = money(trigger.amount, snapshot.session.currency);
  return t(products ? "did.coupon.products" : "did.coupon", { amount, products, viewer });
}

/** An offer's value: "10% off", "¥5.00 off". */
export function offerValue(offer) {
  const value = offer.kind === "percent_off" ? `${whole(offer.value)}%` : money(offer.value, offer.currency);
  return t(`did.offer.${offer.kind}`, { value });
}

/** A suggestion as a sentence, null for a code that this page has no words for. */
export function suggestion({ code, params }, snapshot) {
  const key = `next.${code}`;
  if (!(code in SUGGESTIONS)) return null;
  const offer = snapshot.offers.find((one) => one.id === params.offer);
  const cash = (minor) => shortMoney(minor, (offer ?? snapshot.session).currency);
  const product = params.product === undefined ? undefined : productName(snapshot, params.product);
  return t(key, { product, ...SUGGESTIONS[code](params, cash) });
}

const SUGGESTIONS = {
  pinned_sold_out: () => ({}),
  stock_low: (p) => ({ stock: p.stock, age: age(p.minutes * 60_000) }),
  carts_waiting: (p, cash) => ({ n: p.carts, age: age(p.older_than_s * 1000), value: cash(p.value) }),
  carts_at_risk: (p, cash) => ({ n: p.carts, value: cash(p.value), at_risk: p.at_risk }),
  worst_factor: (p) => ({
    factor: t(`gpm.${p.factor}`),
    below: percentWhole(p.percent_below),
    of: p.of,
    per: t(`per.${FACTOR_PER[p.factor]}`),
  }),
  viewers_leaving: (p) => ({ n: p.leaving_per_min, joining: p.joining_per_min }),
  pin_best: (p) => ({ n: p.clicked, ordered: p.ordered }),
  budget_low: (p, cash) => ({ left: cash(p.left), share: percentWhole(p.percent_left) }),
};

const percentWhole = (value) => `${whole(value)}%`;
