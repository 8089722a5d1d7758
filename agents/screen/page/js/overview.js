// All sessions that the visitor may see: those live now, and those that are over.

import { AnswerError, getJson, sessionUrl } from "./api.js";
import { attr, h, text } from "./dom.js";
import { age, clock, decimal, duration, money, moment, short, shortMoney } from "./format.js";
import { dim, notice, reportFailures, shell } from "./shell.js";
import { Table } from "./table.js";
import { start, t } from "./words.js";

const EVERY_MS = 2_000;
const PATIENCE_MS = 5_000; // a server that hangs is as good as none

reportFailures();
await start();

const header = shell();
const live = overviewTable("overview", [
  number("viewers_now", "overview.viewers"),
  ...common(),
  number("at_risk", "overview.risk"),
  number("peak", "overview.peak"),
  {
    key: "events",
    head: "overview.events",
    value: (one) => one.events_per_s,
    draw: (cell, one) => text(cell, decimal(one.events_per_s, one.events_per_s < 10 ? 1 : 0)),
  },
  {
    key: "running",
    head: "overview.running",
    value: (one) => now() - one.started,
    draw: (cell, one) => text(cell, duration(now() - one.started)),
  },
]);
const over = overviewTable("overview.over", [
  number("viewers", "report.viewers"),
  number("peak", "overview.peak"),
  ...common(),
  {
    key: "ended",
    head: "report.ended",
    value: (one) => one.ended,
    draw: (cell, one) => text(cell, moment(one.ended)),
  },
]);
document.getElementById("live").append(live.node);
document.getElementById("over").append(over.node);

let newest = null;
let cameAt = 0; // when that came: what has not changed is not sent again
let answeredAt = 0; // when the server last said that it still holds
let failure = null;

/** Now, by the server's clock. */
const now = () => newest.at + performance.now() - cameAt;

/** For how long nobody has written of a session. */
const silence = (one) => now() - (one.written_at ?? one.started);

const unended = () => newest?.sessions.filter((one) => !one.ended) ?? [];

function draw() {
  const running = unended();
  const ended = newest?.sessions.filter((one) => one.ended) ?? [];
  text(document.getElementById("live-title"), title(running.length));
  attr(live.node, "hidden", running.length === 0);
  attr(document.getElementById("over-box"), "hidden", ended.length === 0);
  live.update(running);
  over.update(ended);
  drawState();
}

function title(n) {
  if (!newest) return t("notice.connecting");
  return n ? t("overview.live", { n }) : t("overview.none_live");
}

function stateNow() {
  if (failure !== null) return failure === 401 ? "signed-out" : "reconnecting";
  if (!newest) return "connecting";
  const running = unended();
  return running.length && running.every((one) => one.stale) ? "old" : "live";
}

function drawState() {
  const state = stateNow();
  const silent = state === "old" ? Math.min(...unended().map(silence)) : performance.now() - answeredAt;
  const words = { age: age(silent) };
  const key = state === "reconnecting" && newest ? "state.reconnecting.age" : `state.${state}`;
  header({
    title: t("overview"),
    page: t("title.overview"),
    state,
    words: state === "live" ? clock(now()) : t(key, words),
  });
  dim(failure !== null);
  const tone = { "signed-out": "bad", reconnecting: "warn", old: "warn" }[state] ?? "";
  notice(noticeOf(state), tone, { signedOut: state === "signed-out" });
}

function noticeOf(state) {
  if (state === "reconnecting") return t(newest ? "notice.reconnecting" : "notice.error");
  if (state === "signed-out" || state === "old") return t(`notice.${state}`);
  return newest && newest.sessions.length === 0 ? t("overview.none") : null;
}

async function ask() {
  try {
    const answer = await getJson("/v1/sessions", { signal: AbortSignal.timeout(PATIENCE_MS) });
    answeredAt = performance.now();
    if (answer !== newest) [newest, cameAt] = [answer, answeredAt];
    failure = null;
  } catch (error) {
    failure = error instanceof AnswerError ? error.status : 0;
  }
  draw();
  if (failure !== 401) setTimeout(ask, EVERY_MS);
}

function overviewTable(label, columns) {
  const table = new Table({
    label,
    key: (one) => one.id,
    sort: { key: "gmv_gross", descending: true },
    columns: [
      {
        key: "title",
        head: "overview.session",
        words: true,
        value: (one) => one.title || one.id,
        draw: drawTitle,
      },
      ...columns,
    ],
  });
  table.node.classList.add("sessions");
  return table;
}

function drawTitle(cell, one) {
  if (!cell.childElementCount) cell.append(h("a", { class: "name" }), h("small"));
  const [name, host] = cell.children;
  attr(name, "href", sessionUrl(one.id, one.ended ? "/report" : ""));
  text(name, one.title || one.id);
  attr(cell.parentNode, "data-stale", one.stale);
  const old = one.stale ? t("state.old", { age: age(silence(one)) }) : null;
  text(host, [one.host_id, old].filter(Boolean).join(" · "));
}

function common() {
  return [
    { key: "gmv_gross", head: "overview.gmv", value: (one) => one.gmv_gross, draw: drawMoney },
    number("orders", "overview.orders"),
  ];
}

function number(key, head) {
  return { key, head, value: (one) => one[key], draw: (cell, one) => text(cell, short(one[key])) };
}

function drawMoney(cell, one) {
  text(cell, shortMoney(one.gmv_gross, one.currency));
  attr(cell, "title", money(one.gmv_gross, one.currency));
}

document.addEventListener("language", draw);
draw();
await ask();
