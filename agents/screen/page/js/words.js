// The words of the page in the reader's language, one dictionary per language.

const LANGUAGES = { en: "en", zh: "zh-CN" };

let words = {};
let language = "en";
let plurals = new Intl.PluralRules("en");
let integers = new Intl.NumberFormat("en");
let compact = integers;

/** "en" or "zh". */
export const lang = () => language;

/** The locale for numbers and dates. */
export const locale = () => LANGUAGES[language];

/** Tell whether there are words for this key. */
export const has = (key) => key in words;

/**
 * Return the words for `key` with {names} filled in. A number `n` also chooses between
 * "one" and "other". A key without words comes back as it is: better a code than nothing.
 */
export function t(key, params = {}) {
  const entry = words[key] ?? key;
  const form = typeof entry === "string" ? entry : (entry[plurals.select(params.n)] ?? entry.other);
  return form.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = params[name];
    if (value === undefined || value === null) return whole;
    if (typeof value !== "number") return value;
    return (Math.abs(value) < 1_000_000 ? integers : compact).format(value);
  });
}

/** Fill in every data-t (text), data-t-label (aria-label) and data-t-title below `root`. */
export function fill(root = document) {
  for (const node of root.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of root.querySelectorAll("[data-t-label]"))
    node.setAttribute("aria-label", t(node.dataset.tLabel));
  for (const node of root.querySelectorAll("[data-t-title]")) node.title = t(node.dataset.tTitle);
}

/** Take the language of the last visit, or else the browser's. */
export async function start() {
  const kept = stored();
  await use(kept ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en"));
}

/** Change the language: load its words, fill the page, tell whoever listens for "language". */
export async function use(name) {
  const response = await fetch(`/static/words/${name}.json`);
  if (!response.ok) throw new Error(`no words for ${name}: ${response.status}`);
  words = await response.json();
  language = name;
  plurals = new Intl.PluralRules(locale());
  integers = new Intl.NumberFormat(locale());
  compact = new Intl.NumberFormat(locale(), { notation: "compact", maximumSignificantDigits: 4 });
  document.documentElement.lang = locale();
  fill();
  document.documentElement.dataset.ready = "";
  document.dispatchEvent(new Event("language"));
}

/** Change the language and remember it. */
export async function choose(name) {
  await use(name);
  try {
    localStorage.setItem("livepulse.lang", name);
  } catch {
    // Not remembered, then.
  }
}

function stored() {
  try {
    const name = localStorage.getItem("livepulse.lang");
    return name in LANGUAGES ? name : null;
  } catch {
    return null;
  }
}
