// Numbers, money and times as people of the chosen language write them.

import { locale, t } from "./words.js";

const made = new Map();

function formatter(options, Kind = Intl.NumberFormat) {
  const key = `${locale()} ${Kind.name} ${JSON.stringify(options)}`;
  if (!made.has(key)) made.set(key, new Kind(locale(), options));
  return made.get(key);
}

/** What stands where there is no number. */
export const NONE = "–";

const known = (value) => typeof value === "number" && Number.isFinite(value);

/** A whole number, all digits. */
export const whole = (value) => (known(value) ? formatter({ maximumFractionDigits: 0 }).format(value) : NONE);

/** A whole number that stays short: from `limit` on as "1.23M" or "123万". */
export function short(value, limit = 1_000_000) {
  if (!known(value) || Math.abs(value) < limit) return whole(value);
  return formatter({ notation: "compact", maximumSignificantDigits: 4 }).format(value);
}

/** A number with at most `digits` decimals. */
export const decimal = (value, digits = 1) =>
  known(value) ? formatter({ maximumFractionDigits: digits }).format(value) : NONE;

/** A share of 0 to 1 as per cent; small ones keep a second decimal. */
export function percent(value) {
  if (!known(value)) return NONE;
  const digits = value !== 0 && Math.abs(value) < 0.01 ? 2 : 1;
  const options = { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: digits };
  return formatter(options).format(value);
}

/** A size of change, in whole per cent: "18%". */
export const change = (value) =>
  known(value) ? formatter({ style: "percent", maximumFractionDigits: 0 }).format(value) : NONE;

/** Minor units in full: 12345 CNY -> ¥123.45. Without a currency a plain number. */
export const money = (minor, currency) => amount(minor, currency, {});

/** Minor units, short: no minor part from 1,000 on, "¥12.3M" from ten million on. */
export function shortMoney(minor, currency) {
  if (!known(minor)) return NONE;
  const major = Math.abs(minor) / scale(currency);
  if (major < 1_000) return amount(minor, currency, {});
  if (major < 10_000_000) return amount(minor, currency, { maximumFractionDigits: 0 });
  return amount(minor, currency, { notation: "compact", maximumSignificantDigits: 4 });
}

function amount(minor, currency, options) {
  if (!known(minor)) return NONE;
  const style = currency
    ? { style: "currency", currency, currencyDisplay: "narrowSymbol" }
    : { minimumFractionDigits: options.maximumFractionDigits ?? 2, maximumFractionDigits: 2 };
  const merged = { ...style, ...options };
  if (options.notation) delete merged.minimumFractionDigits;
  return formatter(merged).format(minor / scale(currency));
}

/** Minor units of one major unit: 100 for CNY, 1 for JPY. */
export function scale(currency) {
  if (!currency) return 100;
  return 10 ** formatter({ style: "currency", currency }).resolvedOptions().maximumFractionDigits;
}

const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

const CLOCK_STYLE = { timeStyle: "short", hourCycle: "h23" };
const LATEST_MS = 8.64e15; // the contract allows later ones, "never"; a Date ends here, and throws

const dated = (ms) => known(ms) && Math.abs(ms) <= LATEST_MS;

const time = (ms, options) => (dated(ms) ? formatter(options, Intl.DateTimeFormat).format(ms) : NONE);

/** A time of day, hours and minutes. */
export const clock = (ms) => time(ms, CLOCK);

/** A time of day with seconds. */
export const clockSeconds = (ms) => time(ms, { ...CLOCK, second: "2-digit" });

/** A date and a time of day. */
export const moment = (ms) => time(ms, { dateStyle: "medium", ...CLOCK_STYLE });

/** A time as machines read it, in UTC; null where there is none. */
export const iso = (ms) => (dated(ms) ? new Date(ms).toISOString() : null);

/** How long, as h:mm:ss. */
export function duration(ms) {
  if (!known(ms)) return NONE;
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (value) => String(value).padStart(2, "0");
  return `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

/** An age in the unit that suits: seconds to two minutes, then minutes, then hours. */
export function age(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 120) return t("unit.s", { n: s });
  if (s < 7200) return t("unit.min", { n: Math.round(s / 60) });
  return t("unit.h", { n: Math.round(s / 3600) });
}
