// What to do next: at most three sentences; a new one is read out, a dismissed one stays away.

import { attr, h, keyed, parts, text } from "../dom.js";
import { ENOUGH } from "../figures.js";
import { suggestion } from "../sentences.js";
import { t } from "../words.js";

const AT_MOST = 3;
const AWAY_MS = 10 * 60_000;

/** Return `update(snapshot)` for the panel in `root`. */
export function next(root) {
  const at = parts(root);
  const away = new Map(); // key -> until when it stays away, by performance.now()
  let known = new Set();
  let newest = null;

  const dismiss = (key) => {
    away.set(key, performance.now() + AWAY_MS);
    draw();
    (at.list.querySelector("button") ?? root.querySelector("h2")).focus();
  };

  function draw() {
    forget(away);
    const shown = lines(newest)
      .filter((one) => !away.has(one.key))
      .slice(0, AT_MOST);
    keyed(
      at.list,
      shown,
      (one) => one.key,
      (one) => card(() => dismiss(one.key)),
      fillCard,
    );
    attr(at.none, "hidden", shown.length > 0);
    text(at.none, quiet(newest.session));
    const fresh = shown.filter((one) => !known.has(one.key));
    if (fresh.length) text(at.live, fresh.map((one) => t("next.new", { what: one.words })).join(" "));
    known = new Set(shown.map((one) => one.key));
  }

  root.querySelector("h2").tabIndex = -1;
  return (snapshot) => {
    newest = snapshot;
    draw();
  };
}

/** The suggestions in words, each under the key by which it is the same one later. */
function lines(snapshot) {
  return snapshot.suggestions
    .map((one) => ({
      key: [one.code, one.params.product ?? one.params.offer ?? one.params.factor ?? ""].join(" "),
      words: suggestion(one, snapshot),
    }))
    .filter((one) => one.words !== null);
}

/** What is said when there is nothing to do. */
function quiet({ ended, viewers }) {
  if (ended) return t("notice.ended");
  if (viewers === 0) return t("notice.empty");
  return t(viewers < ENOUGH ? "notice.starting" : "next.none");
}

function card(onDismiss) {
  const button = h("button", { type: "button", class: "quiet" }, "✕");
  button.addEventListener("click", onDismiss);
  return h("li", {}, h("span"), button);
}

function fillCard(node, { words }) {
  text(node.firstChild, words);
  attr(node.lastChild, "aria-label", t("next.dismiss.this", { what: words }));
  attr(node.lastChild, "title", t("next.dismiss"));
}

function forget(away) {
  for (const [key, until] of away) if (until < performance.now()) away.delete(key);
}
