// One event stream a page, read with fetch: unlike EventSource it sees the heartbeats, the
// status of a refusal, and can say after any disconnect which event it had last.

const SILENCE_MS = 30_000; // the server's heartbeat comes every 15 s
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
const AFTER = { 401: "signed-out", 403: "signed-out", 404: "unknown" };

/**
 * Follow `url` until `close` is called. `onEvent(name, data)` gets every event, `onState` one
 * of "connecting", "live", "reconnecting", "unknown" (404, tried again), "signed-out" (ends).
 */
export function follow(url, { onEvent, onState }) {
  const stop = new AbortController();
  const link = { lastId: null, waitMs: FIRST_WAIT_MS, onEvent, onState };
  run(url, link, stop.signal);
  return { close: () => stop.abort() };
}

async function run(url, link, stopped) {
  link.onState("connecting");
  while (!stopped.aborted) {
    const end = await connect(url, link, stopped);
    if (stopped.aborted) return;
    link.onState(end);
    if (end === "signed-out") return;
    await sleep(link.waitMs * (0.75 + Math.random() / 2), stopped);
    link.waitMs = Math.min(link.waitMs * 2, LONGEST_WAIT_MS);
  }
}

/** Read until the stream ends, and return the state that follows. */
async function connect(url, link, stopped) {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silence.abort(), SILENCE_MS);
  };
  try {
    const headers = { Accept: "text/event-stream" };
    if (link.lastId !== null) headers["Last-Event-ID"] = link.lastId;
    const signal = AbortSignal.any([stopped, silence.signal]);
    const response = await fetch(url, { headers, signal, cache: "no-store" });
    if (!response.ok) return AFTER[response.status] ?? "reconnecting";
    link.onState("live");
    await read(response.body, link, alive);
  } catch {
    // Aborted, refused or cut: the loop tries again.
  } finally {
    clearTimeout(timer);
  }
  return "reconnecting";
}

async function read(body, link, alive) {
  const feed = parser((name, data, id) => {
    if (id !== null) link.lastId = id;
    link.waitMs = FIRST_WAIT_MS;
    link.onEvent(name, data);
  });
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    alive();
    feed(value);
  }
}

/** Return a function that takes text in any pieces and calls back for every whole event. */
export function parser(onEvent) {
  let rest = "";
  return (piece) => {
    const blocks = (rest + piece).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const event = parse(block);
      if (event.data.length) onEvent(event.name, JSON.parse(event.data.join("\n")), event.id);
    }
  };
}

function parse(block) {
  const event = { name: "message", id: null, data: [] };
  for (const line of block.split("\n")) {
    const at = line.indexOf(":");
    if (at < 1) continue; // a comment, or nothing
    const value = line.slice(at + 1).replace(/^ /, "");
    if (line.startsWith("event:")) event.name = value;
    else if (line.startsWith("id:")) event.id = value;
    else if (line.startsWith("data:")) event.data.push(value);
  }
  return event;
}

function sleep(ms, signal) {
  return new Promise((done) => {
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      done();
    };
    const timer = setTimeout(wake, ms);
    signal.addEventListener("abort", wake);
  });
}
