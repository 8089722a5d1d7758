// The timeline: what happened pane by pane, which stretch of it is shown, one moment in words.

import { Brush } from "../brush.js";
import { Chart } from "../chart.js";
import { attr, h, parts, text } from "../dom.js";
import { clock, clockSeconds, shortMoney, short } from "../format.js";
import { legend } from "../legend.js";
import { LANES } from "../panes.js";
import { productName } from "../sentences.js";
import { paneTable } from "../panetable.js";
import { fill, t } from "../words.js";

const SPANS = [
  ["5", 300_000],
  ["15", 900_000],
  ["all", Infinity],
];
const LEAST_MS = 300_000; // the first bars of a session are not as wide as the screen

/** Return {update(snapshot), repaint(), chart} for the panel in `root`, fed from `panes`. */
export function timeline(root, panes, { each = "timeline.each_10s" } = {}) {
  const at = parts(root);
  const view = { span: Infinity, end: null }; // end null: follows the newest pane
  const shown = { snapshot: null, cursor: null };
  const chart = new Chart(at.chart, {
    onCursor: (idx) => {
      shown.cursor = idx;
      readOut();
    },
    onSelect: (from, to) => look(from, to),
  });
  const brush = new Brush(at.brush, { onChange: (from, to) => look(from, to) });
  const table = paneTable(() => shown.snapshot?.session.currency);
  const none = h("p", { class: "none muted", "data-t": "timeline.empty" });
  at.table?.append(table.node);
  at.chart.append(none);
  at.legend.append(...legend());
  const buttons = spanButtons(at.spans, (span) => {
    Object.assign(view, { span, end: null });
    draw();
  });
  fill(root);
  keys(at.chart, chart, () => {
    readOut();
  });
  at.details?.addEventListener("toggle", draw);

  function look(from, to) {
    const { to: newest } = panes.extent();
    Object.assign(view, { span: to - from, end: to >= newest - panes.paneMs / 2 ? null : to });
    draw();
  }

  function draw() {
    const extent = panes.extent();
    attr(none, "hidden", extent !== null);
    for (const node of [at.chart, at.brush]) attr(node, "data-empty", extent === null);
    for (const [button, span] of buttons)
      attr(button, "aria-pressed", String(view.end === null && view.span === span));
    if (!extent || !shown.snapshot) return;
    const wide = { from: Math.min(extent.from, extent.to - LEAST_MS), to: extent.to };
    const to = view.end ?? wide.to;
    const stretch = { from: Math.max(wide.from, to - view.span), to };
    const { snapshot } = shown;
    const common = { columns: panes.columns(), view: stretch, paneMs: panes.paneMs };
    chart.show({
      ...common,
      markers: snapshot.markers,
      currency: snapshot.session.currency,
      name: (id) => productName(snapshot, id),
    });
    brush.show({ ...common, extent: wide });
    if (at.details?.open)
      table.update(
        common.columns.rows
          .filter((row) => !row.empty && row.start >= stretch.from - panes.paneMs && row.start <= to)
          .reverse(),
      );
    text(at.summary, summary(common, snapshot.session.currency));
    readOut();
  }

  function readOut() {
    const words = shown.cursor === null ? t(each) : moment(panes, shown);
    text(at.readout, words);
    attr(at.chart, "aria-valuetext", words);
    attr(at.chart, "aria-valuemax", panes.size - 1);
    attr(at.chart, "aria-valuenow", shown.cursor ?? panes.size - 1);
  }

  return {
    chart,
    table,
    update(snapshot) {
      shown.snapshot = snapshot;
      draw();
    },
    repaint() {
      chart.repaint();
      brush.repaint();
    },
  };
}

function spanButtons(parent, choose) {
  return SPANS.map(([name, span]) => {
    const button = h("button", { type: "button", "data-t": `timeline.span.${name}` });
    button.addEventListener("click", () => choose(span));
    parent.append(button);
    return [button, span];
  });
}

/** The chart is a slider over its panes: arrow keys move a cursor whose moment is read out. */
function keys(node, chart) {
  for (const [name, value] of Object.entries({
    role: "slider",
    tabindex: 0,
    "data-t-label": "timeline.cursor",
    "aria-label": t("timeline.cursor"),
    "aria-valuemin": 0,
    "aria-valuenow": 0,
  }))
    attr(node, name, value);
  node.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageDown: -6, PageUp: 6, Home: -1e6, End: 1e6 }[event.key];
    if (!by || event.target !== node) return;
    event.preventDefault();
    chart.step(by);
  });
}

/** One pane in words: its time, how sure it is, what was marked in it. */
function moment(panes, { snapshot, cursor }) {
  const { rows, lanes } = panes.columns();
  const row = rows[cursor];
  if (!row) return "";
  const said = [clockSeconds(row.start)];
  if (row.status === "provisional") said.push(t("timeline.provisional"));
  if (row.status === "correction") said.push(t("timeline.revision", { n: row.revision }));
  LANES.forEach((lane, i) => {
    const value = lanes[i][cursor];
    if (value)
      said.push(
        `${t(`timeline.${lane.name}`)} ${lane.money ? shortMoney(value, snapshot.session.currency) : short(value)}`,
      );
  });
  const inside = snapshot.markers.filter((one) => one.at >= row.start && one.at < row.start + panes.paneMs);
  return [...inside.map((one) => markerWords(one, snapshot)), ...said].join(" · ");
}

/** A marker in words. */
export function markerWords(marker, snapshot) {
  if (marker.kind === "trigger") return t("marker.trigger.n", { n: marker.count ?? 1 });
  const what = t(`marker.${marker.kind}`);
  return marker.product ? t("marker.of", { what, product: productName(snapshot, marker.product) }) : what;
}

function summary({ columns: { rows, lanes }, view }, currency) {
  const inside = rows.map((row, i) => i).filter((i) => rows[i].start >= view.from && rows[i].start < view.to);
  const of = (name) => inside.map((i) => lanes[LANES.findIndex((lane) => lane.name === name)][i] ?? 0);
  const sum = (name) => of(name).reduce((all, one) => all + one, 0);
  return t("timeline.summary", {
    from: clock(view.from),
    to: clock(view.to),
    viewers: short(of("viewers").at(-1) ?? 0),
    peak: short(Math.max(0, ...of("viewers"))),
    orders: short(sum("orders")),
    gmv: shortMoney(sum("gmv"), currency),
  });
}
