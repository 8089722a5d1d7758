// The report of a session: all that is known of it, to read, to print, to take away.

import { getJson, sessionId, sessionUrl } from "./api.js";
import { attr, h, parts, text } from "./dom.js";
import { exportButtons } from "./export.js";
import { clock, duration, moment, short } from "./format.js";
import { grouped, PANE_MS, Panes } from "./panes.js";
import { timeline } from "./panels/timeline.js";
import { TABLES } from "./reporttables.js";
import { link, notice, reportFailures, shell } from "./shell.js";
import { start, t } from "./words.js";

const BARS = { 10_000: "timeline.each_10s", 60_000: "timeline.each_1m", 300_000: "timeline.each_5m" };
const MOST_BARS = 400;
const AGAIN_MS = 5_000;

reportFailures();
await start();

const id = sessionId();
const header = shell({ links: [link(sessionUrl(id), "nav.back"), printButton()] });
let snapshot = null;
let line = null;
let failure = null;

const tables = Object.entries(TABLES).map(([name, { make, rows }]) => {
  const section = document.getElementById(name);
  const table = make(() => snapshot);
  section.append(table.node);
  addExports(section, table);
  return { section, table, rows };
});

function addExports(section, table, picture) {
  const heading = section.querySelector("h2");
  const name = () => `livepulse-${id}-${section.id}`;
  section.querySelector(".head").append(exportButtons({ heading, table, name, picture }));
}

function printButton() {
  const button = h("button", { type: "button", class: "quiet", "data-t": "report.print" });
  button.addEventListener("click", () => print());
  return button;
}

async function load() {
  try {
    const [data, { rows }] = await Promise.all(
      ["", "/panes"].map((rest) => getJson(sessionUrl(id, rest, "/v1/sessions"))),
    );
    snapshot = data;
    failure = null;
    line ??= addTimeline(rows);
  } catch (error) {
    failure = error.status ?? 0;
    if (failure !== 401) setTimeout(load, AGAIN_MS);
  }
  draw();
}

function addTimeline(rows) {
  const span = rows.length ? rows.at(-1).start - rows[0].start : 0;
  const paneMs =
    Object.keys(BARS)
      .map(Number)
      .find((ms) => span / ms <= MOST_BARS) ?? 300_000;
  const panes = new Panes({ paneMs, keepMs: Infinity });
  panes.add(paneMs === PANE_MS ? rows : grouped(rows, paneMs));
  const section = document.getElementById("timeline");
  const made = timeline(section, panes, { each: BARS[paneMs] });
  made.table.update(panes.columns().rows.filter((row) => !row.empty));
  addExports(section, made.table, () => made.chart.picture(snapshot.session.title || id));
  return made;
}

function draw() {
  drawState();
  if (!snapshot) return;
  drawCover(parts(document.getElementById("cover")));
  for (const { section, table, rows } of tables) {
    const shown = rows(snapshot);
    attr(section, "hidden", shown.length === 0);
    table.update(shown);
  }
  line?.update(snapshot);
}

function drawState() {
  const title = snapshot?.session.title || id;
  const states = { 401: "signed-out", 404: "unknown" };
  const state =
    failure === null
      ? snapshot
        ? snapshot.session.ended
          ? "ended"
          : "running"
        : "connecting"
      : (states[failure] ?? "reconnecting");
  header({ title: t("report"), page: t("title.report", { title }), state, words: t(`state.${state}`) });
  const lost = state === "reconnecting";
  const words = failure === null ? null : t(lost ? "notice.error" : `notice.${state}`, { id });
  notice(words, lost ? "warn" : "bad", { signedOut: state === "signed-out" });
}

function drawCover(at) {
  const { session, written_at: written } = snapshot;
  text(at.title, session.title || id);
  const facts = [
    ["report.host", session.host_id || "–"],
    ["report.started", moment(session.started)],
    ["report.ended", session.ended ? moment(session.ended) : t("state.running")],
    ["report.lasted", duration((session.ended ?? snapshot.at) - session.started)],
    ["report.viewers", short(session.viewers)],
    ["report.peak", short(session.peak)],
  ];
  at.facts.replaceChildren(
    ...facts.map(([key, value]) => h("div", {}, h("dt", {}, t(key)), h("dd", {}, value))),
  );
  text(
    at.as_of,
    t(session.ended ? "report.final" : "report.still_running", { time: clock(written ?? snapshot.at) }),
  );
}

/** Paper is white: while the page is printed it is light, the chart's canvas included. */
function whilePrinting() {
  const root = document.documentElement;
  let theme;
  addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
    line?.repaint();
  });
  addEventListener("afterprint", () => {
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    line?.repaint();
  });
}

document.addEventListener("language", draw);
document.addEventListener("theme", () => line?.repaint());
whilePrinting();
await load();
