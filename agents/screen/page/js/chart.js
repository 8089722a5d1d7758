// The timeline's canvas: one uPlot whose scales are stacked as lanes over a common time.

import { clock, clockSeconds } from "./format.js";
import { LaneWords } from "./lanewords.js";
import { drawMarks, drawUnder } from "./marks.js";
import { palette, rem } from "./palette.js";
import { LANES } from "./panes.js";
import { picture } from "./picture.js";

const RAIL_REM = 2.5; // markers, above the lanes
const WORDS_REM = 1.35; // each lane's own words, above its data
const AXIS_REM = 1.8;

/** Draws what `show` is given; calls back with the pane under the cursor and the stretch selected. */
export class Chart {
  #plot = null;
  #shown = null;

  constructor(node, { onCursor = () => {}, onSelect = () => {} } = {}) {
    this.node = node;
    this.onCursor = onCursor;
    this.onSelect = onSelect;
    this.colours = palette(node);
    this.#layOut();
    this.words = new LaneWords(node);
    this.words.place(this.bands);
    // In a frame of its own: a resize inside of the observer would be observed again.
    new ResizeObserver(() => requestAnimationFrame(() => this.#resize())).observe(node);
  }

  /** Show {columns, view: {from, to} in ms, markers, currency, paneMs, name(product)}. */
  show(shown) {
    const changed = shown.columns !== this.#shown?.columns;
    this.#shown = shown;
    if (!this.#plot) this.#create();
    else if (changed) this.#plot.setData([shown.columns.x, ...shown.columns.lanes], false);
    this.#plot.setScale("x", { min: shown.view.from / 1000, max: shown.view.to / 1000 });
    this.words.say(this.#shown, this.#plot.cursor.idx ?? null);
  }

  /** Draw again, in the colours that hold now. */
  repaint() {
    this.colours = palette(this.node);
    this.#plot?.redraw(false, true);
  }

  /** Move the cursor by so many panes. */
  step(by) {
    if (!this.#plot) return;
    const { x } = this.#shown.columns;
    const from = this.#plot.cursor.idx ?? x.length - (by < 0 ? 0 : 1);
    const idx = Math.min(Math.max(from + by, 0), x.length - 1);
    const left = this.#plot.valToPos(x[idx] + this.#shown.paneMs / 2000, "x");
    this.#plot.setCursor({ left, top: 0 });
  }

  /** Return the chart with its words as one canvas, to take away. */
  picture(title) {
    const { width, height, ctx } = this.#plot;
    return picture({ title, width, height, node: this.node }, (context, colours) => {
      context.drawImage(ctx.canvas, 0, 0, width, height);
      this.words.draw(context, { bands: this.bands, unit: this.unit, width, node: this.node, colours });
    });
  }

  #layOut() {
    const unit = rem();
    let y = RAIL_REM * unit;
    this.bands = LANES.map((lane) => {
      const top = y + WORDS_REM * unit;
      y = top + lane.rem * unit + 0.45 * unit;
      return { words: top - WORDS_REM * unit, top, bottom: top + lane.rem * unit };
    });
    this.height = y;
    this.node.style.setProperty("--chart-height", `${y + AXIS_REM * unit}px`);
  }

  #create() {
    const { columns } = this.#shown;
    this.#plot = new uPlot(this.#options(), [columns.x, ...columns.lanes], this.node);
  }

  #resize() {
    const width = this.node.clientWidth;
    if (!this.#plot || (width === this.#plot.width && this.unit === rem())) return;
    this.#plot.destroy();
    this.colours = palette(this.node);
    this.#layOut();
    this.words.place(this.bands);
    this.#create();
    this.#plot.setScale("x", { min: this.#shown.view.from / 1000, max: this.#shown.view.to / 1000 });
    this.words.say(this.#shown, this.#plot.cursor.idx ?? null);
  }

  #options() {
    this.unit = rem();
    return {
      width: this.node.clientWidth,
      height: this.height + AXIS_REM * this.unit,
      padding: [0, 0, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        points: { show: false },
        drag: { x: true, y: false, setScale: false },
        dataIdx: (u, _, near, at) => this.#paneAt(u, at, near),
      },
      scales: {
        x: { time: true, auto: false },
        ...Object.fromEntries(LANES.map((lane, i) => [lane.name, this.#scale(i)])),
      },
      axes: [this.#axis()],
      series: [{}, ...LANES.map((lane) => this.#series(lane))],
      hooks: {
        setCursor: [(u) => this.#moved(u)],
        setSelect: [(u) => this.#selected(u)],
        drawAxes: [(u) => drawUnder(u, this.#shown, this)],
        draw: [(u) => drawMarks(u, this.#shown, this)],
      },
    };
  }

  /** A lane's scale: 0 at the foot of its band, a round number above its highest at the head. */
  #scale(i) {
    return {
      auto: true,
      range: (_, __, highest) => {
        const foot = 1 - this.bands[i].bottom / this.height;
        const head = 1 - this.bands[i].top / this.height;
        const whole = round(highest) / (head - foot);
        return [-foot * whole, (1 - foot) * whole];
      },
    };
  }

  #series(lane) {
    const { hue, line, name } = lane;
    const paths = line
      ? uPlot.paths.linear()
      : uPlot.paths.bars({ size: [0.78, 40 * devicePixelRatio], align: 1 });
    return {
      scale: name,
      paths,
      points: { show: false },
      spanGaps: false,
      stroke: () => (line ? this.colours[hue] : null),
      fill: () => this.colours[line ? `${hue}Soft` : hue],
      fillTo: 0,
      width: line ? 2 : 0,
    };
  }

  #axis() {
    return {
      size: AXIS_REM * this.unit,
      font: `${0.75 * this.unit}px ${getComputedStyle(this.node).fontFamily}`,
      stroke: () => this.colours.muted,
      space: 5 * this.unit,
      grid: { stroke: () => this.colours.line, width: 1 },
      ticks: { show: false },
      values: (_, splits, __, ___, step) => splits.map((s) => (step < 60 ? clockSeconds : clock)(s * 1000)),
    };
  }

  /** The cursor is on the pane it points into, not on the one whose start is nearest. */
  #paneAt(u, seconds, near) {
    const { x } = this.#shown.columns;
    const i = Math.floor((u.posToVal(u.cursor.left, "x") - x[0]) / (this.#shown.paneMs / 1000));
    return i >= 0 && i < x.length ? i : near;
  }

  #moved(u) {
    const idx = u.cursor.left >= 0 ? this.#paneAt(u, null, null) : null;
    this.words.say(this.#shown, idx);
    this.onCursor(idx);
  }

  #selected(u) {
    if (u.select.width < 4) return;
    const [from, to] = [u.select.left, u.select.left + u.select.width].map(
      (left) => u.posToVal(left, "x") * 1000,
    );
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.onSelect(from, to);
  }
}

/** The next of 1, 2, 5, 10, 20 ... : a scale that seldom changes. */
export function round(value) {
  if (!(value > 1)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 5, 7.5, 10].find((step) => step * power >= value) * power;
}
