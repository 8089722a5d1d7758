// The header that all pages share: mark, title, state, language and theme.

import { h, text, attr } from "./dom.js";
import { choose, fill, lang, t } from "./words.js";

const MARK = "M4 17h6l3-8 5 15 4-11 2 4h4";
const HALF = "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18";

let failed = null; // what has failed on this page: only loading it anew mends that

/** Build the header into #top. Returns `set({title, under, state, words})`. */
export function shell({ back = "/", links = [] } = {}) {
  const title = h("h1", { "data-at": "title" });
  const under = h("p", { class: "under" });
  const state = h("span", { class: "chip", "data-state": "connecting" });
  const nav = h("nav", {}, ...links, languageButton(), themeButton());
  document.getElementById("top").append(brand(back), h("div", { class: "name" }, title, under), state, nav);
  fill();
  return (shown) => {
    text(title, shown.title ?? "");
    attr(title, "title", shown.title ?? null);
    text(under, shown.under ?? "");
    tell(state, shown);
    if (document.title !== shown.page) document.title = shown.page;
  };
}

function tell(chip, { state, words }) {
  const [shown, said] = failed === null ? [state, words] : ["broken", t("state.broken")];
  attr(chip, "hidden", !shown);
  attr(chip, "data-state", shown ?? null);
  text(chip, said ?? "");
}

/** A link for the header that looks like a quiet button. */
export const link = (href, key) => h("a", { class: "quiet", href, "data-t": key });

function brand(href) {
  return h(
    "a",
    { class: "brand", href, "data-t-label": "nav.sessions", "data-t-title": "nav.sessions" },
    mark(),
  );
}

function mark() {
  const plate = svg("rect", { width: 32, height: 32, rx: 8, fill: "var(--attention)" });
  const line = svg("path", {
    d: MARK,
    fill: "none",
    stroke: "var(--card)",
    "stroke-width": 2.6,
    "stroke-linecap": "round",
    "stroke-linejoin": "round",
  });
  return svg("svg", { viewBox: "0 0 32 32", "aria-hidden": "true" }, plate, line);
}

function languageButton() {
  const button = h("button", {
    type: "button",
    class: "quiet",
    "data-t": "language.other",
    "data-t-title": "language.switch",
  });
  button.lang = lang() === "en" ? "zh-CN" : "en";
  button.addEventListener("click", async () => {
    try {
      await choose(lang() === "en" ? "zh" : "en");
    } catch {
      notice(t("notice.error"), "warn"); // the words did not come; nothing here is broken
    }
    button.lang = lang() === "en" ? "zh-CN" : "en";
  });
  return button;
}

function themeButton() {
  const button = h(
    "button",
    { type: "button", class: "quiet", "data-t-label": "theme.switch", "data-t-title": "theme.switch" },
    svg(
      "svg",
      {
        viewBox: "0 0 24 24",
        "aria-hidden": "true",
        fill: "none",
        stroke: "currentColor",
        "stroke-width": 2,
      },
      svg("path", { d: HALF }),
      svg("path", { d: "M12 3a9 9 0 0 0 0 18z", fill: "currentColor" }),
    ),
  );
  button.addEventListener("click", () => setTheme(isDark() ? "light" : "dark"));
  return button;
}

/** Tell whether the page is dark now. */
export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("livepulse.theme", theme);
  } catch {
    // Not remembered, then.
  }
  document.dispatchEvent(new Event("theme"));
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
  document.dispatchEvent(new Event("theme")),
);

/** Make an SVG element with children. */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Show a notice over the page, or none; `tone` is "warn" or "bad". Who is signed out gets a way in. */
export function notice(words, tone = "", { signedOut = false } = {}) {
  if (failed !== null) [words, tone] = [t("notice.broken", { detail: failed }), "bad"];
  const node = document.getElementById("notice");
  if (!node.childElementCount) {
    node.append(h("span"), " ", h("a", { href: location.pathname, "data-t": "sign_in" }));
    fill(node);
  }
  attr(node, "hidden", !words);
  attr(node, "data-tone", tone);
  text(node.firstChild, words ?? "");
  attr(node.lastChild, "hidden", !signedOut);
}

/** Grey the numbers of the page while they are old. Returns whether that has changed. */
export function dim(isOld) {
  const main = document.querySelector("main");
  const was = main.hasAttribute("data-stale");
  attr(main, "data-stale", isOld || failed !== null);
  return was !== main.hasAttribute("data-stale");
}

/** A failure of the page itself must not leave numbers standing as if all were well, ever again. */
export function reportFailures() {
  const show = (detail) => {
    failed = String(detail);
    notice();
    dim(true);
    const chip = document.querySelector(".chip");
    if (chip) tell(chip, {});
  };
  addEventListener("error", (event) => show(event.message));
  addEventListener("unhandledrejection", (event) => show(event.reason?.message ?? event.reason));
}
