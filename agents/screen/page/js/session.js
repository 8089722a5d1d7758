// The host screen: one stream in, seven panels out.

import { sessionId, sessionUrl } from "./api.js";
import { age, clock, duration } from "./format.js";
import { Freshness } from "./freshness.js";
import { paced } from "./pace.js";
import { Panes } from "./panes.js";
import { did } from "./panels/did.js";
import { funnel } from "./panels/funnel.js";
import { next } from "./panels/next.js";
import { now } from "./panels/now.js";
import { products } from "./panels/products.js";
import { risk } from "./panels/risk.js";
import { timeline } from "./panels/timeline.js";
import { dim, link, notice, reportFailures, shell } from "./shell.js";
import { follow } from "./stream.js";
import { start, t } from "./words.js";

reportFailures();
await start();

const id = sessionId();
const header = shell({ links: [link(sessionUrl(id, "/report"), "nav.report")] });
const freshness = new Freshness();
const panes = new Panes();
const line = timeline(document.getElementById("timeline"), panes);
const panels = Object.entries({ now, next, risk, funnel, did, products }).map(([name, panel]) =>
  panel(document.getElementById(name)),
);
let snapshot = null;

const draw = paced(() => {
  if (snapshot) {
    for (const update of panels) update(snapshot, freshness.now());
    line.update(snapshot);
  }
  drawState();
});

/** The chip, the clock and the notice: these move even when no data comes. */
function drawState() {
  const state = freshness.state();
  const words = { age: age(freshness.ageMs()), id };
  const ended = state === "ended";
  header({
    title: snapshot?.session.title || id,
    page: t("title.session", { title: snapshot?.session.title || id }),
    under: snapshot ? underTitle(snapshot.session) : "",
    state,
    words: ended ? t("state.ended.at", { time: clock(snapshot.session.ended) }) : t(stateKey(state), words),
  });
  const [key, tone] = noticeOf(state);
  notice(key && t(key, words), tone, { signedOut: state === "signed-out" });
  if (dim(freshness.stale())) line.repaint();
}

const stateKey = (state) =>
  state === "reconnecting" && snapshot ? "state.reconnecting.age" : `state.${state}`;

function underTitle({ host_id: host, started, ended, announced }) {
  const running = duration((ended ?? freshness.now()) - started);
  return [running, host, announced ? null : t("state.unannounced")].filter(Boolean).join(" · ");
}

const TONES = { old: "warn", "no-source": "warn", reconnecting: "warn", unknown: "bad", "signed-out": "bad" };

/** What is wrong, if anything is, and how bad that is. */
function noticeOf(state) {
  if (!(state in TONES)) return [null, ""];
  const key = state === "reconnecting" && !snapshot ? "notice.error" : `notice.${state}`;
  return [key, TONES[state]];
}

const events = {
  snapshot(data) {
    snapshot = data;
    freshness.take(data);
  },
  panes: ({ rows }) => panes.add(rows),
  status: ({ state }) => {
    freshness.source = state;
  },
};

follow(sessionUrl(id, "/events", "/v1/sessions"), {
  onEvent(name, data) {
    events[name]?.(data);
    draw();
  },
  onState(state) {
    freshness.connection = state;
    draw();
  },
});

document.addEventListener("language", draw);
document.addEventListener("theme", () => line.repaint());
setInterval(drawState, 1000);
