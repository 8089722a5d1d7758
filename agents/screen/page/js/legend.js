// The timeline's legend: the shapes of the canvas, as SVG, with their names.

import { h } from "./dom.js";
import { HUES, SHAPES } from "./marks.js";
import { svg } from "./shell.js";

const NAMES = {
  pin: "marker.pin",
  offer: "marker.offer",
  flash_price: "marker.flash_price",
  stock_out: "marker.stock_out",
  trigger: "marker.trigger",
  provisional: "timeline.provisional",
  correction: "timeline.correction",
};

/** Return one list item per shape. */
export function legend() {
  return Object.entries(NAMES).map(([kind, key]) => {
    const path = svg("path", {
      d: SHAPES[kind],
      fill: `var(--${HUES[kind]})`,
      opacity: kind === "provisional" ? 0.35 : 1,
    });
    return h(
      "li",
      {},
      svg("svg", { viewBox: "0 0 12 12", width: "0.8em", height: "0.8em" }, path),
      h("span", { "data-t": key }),
    );
  });
}
