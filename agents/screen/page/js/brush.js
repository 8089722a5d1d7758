// The brush below the timeline: all that is kept as a small area, and a window to move over it.

import { attr, h } from "./dom.js";
import { clock } from "./format.js";
import { palette } from "./palette.js";
import { t } from "./words.js";

const LEAST_PANES = 6;

/** Calls `onChange(from, to)`, in ms, when somebody moves the window or one of its ends. */
export class Brush {
  #shown = null;

  constructor(node, { onChange }) {
    this.node = node;
    this.onChange = onChange;
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.window = h("div", { class: "window" });
    this.ends = { from: this.#handle("from"), to: this.#handle("to") };
    node.append(this.canvas, this.window, this.ends.from, this.ends.to);
    this.#drag(this.window, (view, by) => ({ from: view.from + by, to: view.to + by }));
    new ResizeObserver(() => requestAnimationFrame(() => this.repaint())).observe(node);
  }

  /** Show {columns, extent, view, paneMs}. */
  show(shown) {
    const repaint = shown.columns !== this.#shown?.columns;
    this.#shown = shown;
    const [from, to] = [this.#part(shown.view.from), this.#part(shown.view.to)];
    this.window.style.left = `${from * 100}%`;
    this.window.style.width = `${(to - from) * 100}%`;
    for (const [end, part] of [
      ["from", from],
      ["to", to],
    ])
      this.#placeHandle(end, part);
    if (repaint) this.#paint();
  }

  /** Draw the area again, in the colours that hold now. */
  repaint() {
    if (this.#shown) this.#paint();
  }

  #part(ms) {
    const { from, to } = this.#shown.extent;
    return Math.min(Math.max((ms - from) / (to - from || 1), 0), 1);
  }

  #handle(end) {
    const node = h("div", {
      class: "handle",
      role: "slider",
      tabindex: "0",
      "data-t-label": `timeline.brush.${end}`,
      "aria-valuenow": 0,
    });
    this.#drag(node, (view, by) => ({ ...view, [end]: view[end] + by }));
    node.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -6, PageUp: 6 }[
        event.key
      ];
      if (!step) return;
      event.preventDefault();
      const { view, paneMs } = this.#shown;
      this.#change({ ...view, [end]: view[end] + step * paneMs }, end);
    });
    return node;
  }

  #placeHandle(end, part) {
    const { extent, view } = this.#shown;
    const node = this.ends[end];
    node.style.left = `${part * 100}%`;
    attr(node, "aria-label", t(`timeline.brush.${end}`));
    attr(node, "aria-valuemin", Math.round(extent.from / 1000));
    attr(node, "aria-valuemax", Math.round(extent.to / 1000));
    attr(node, "aria-valuenow", Math.round(view[end] / 1000));
    attr(node, "aria-valuetext", clock(view[end]));
  }

  #drag(node, moved) {
    node.addEventListener("pointerdown", (event) => {
      if (!this.#shown) return;
      event.preventDefault();
      node.setPointerCapture(event.pointerId);
      const { view, extent } = this.#shown;
      const perPixel = (extent.to - extent.from) / this.node.clientWidth;
      const end = node === this.ends.from ? "from" : node === this.ends.to ? "to" : null;
      const move = (to) => this.#change(moved(view, (to.clientX - event.clientX) * perPixel), end);
      node.addEventListener("pointermove", move);
      node.addEventListener("lostpointercapture", () => node.removeEventListener("pointermove", move), {
        once: true,
      });
    });
  }

  /** Keep the window inside of what there is, and wide enough to see something. */
  #change({ from, to }, end) {
    const { extent, paneMs, view } = this.#shown;
    const least = LEAST_PANES * paneMs;
    if (end === "from") from = Math.min(Math.max(from, extent.from), view.to - least);
    else if (end === "to") to = Math.max(Math.min(to, extent.to), view.from + least);
    else {
      const shift = Math.max(extent.from - from, 0) + Math.min(extent.to - to, 0);
      [from, to] = [from + shift, to + shift];
    }
    this.onChange(from, to);
  }

  #paint() {
    const {
      columns: { x, lanes },
      extent,
    } = this.#shown;
    const [width, height] = [this.node.clientWidth, this.node.clientHeight].map((size) =>
      Math.round(size * devicePixelRatio),
    );
    Object.assign(this.canvas, { width, height });
    const most = Math.max(...lanes[0], 1);
    const context = this.canvas.getContext("2d");
    context.fillStyle = palette(this.node).attention;
    context.globalAlpha = 0.35;
    context.beginPath();
    x.forEach((s, i) => {
      const left = ((s * 1000 - extent.from) / (extent.to - extent.from)) * width;
      const tall = ((lanes[0][i] ?? 0) / most) * height * 0.9;
      context.rect(Math.floor(left), height - tall, Math.ceil(width / x.length), tall);
    });
    context.fill();
  }
}
