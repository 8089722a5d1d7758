// The words of the lanes: name, value at the cursor, highest in view; HTML over the canvas.

import { h, text } from "./dom.js";
import { NONE, short, shortMoney } from "./format.js";
import { LANES } from "./panes.js";
import { font, write } from "./picture.js";
import { t } from "./words.js";

export class LaneWords {
  #nodes;

  constructor(parent) {
    this.#nodes = LANES.map(({ name }) =>
      h(
        "p",
        { class: "lane" },
        h("span", { "data-t": `timeline.${name}` }, t(`timeline.${name}`)),
        h("b"),
        h("span", { class: "muted" }),
      ),
    );
    parent.append(...this.#nodes);
  }

  /** Put each lane's words at the head of its band. */
  place(bands) {
    this.#nodes.forEach((node, i) => {
      node.style.top = `${bands[i].words}px`;
    });
  }

  /** Say the values of the pane `idx`, of the newest when it is null, and the highest in view. */
  say({ columns: { x, lanes }, view, currency }, idx) {
    const seen = x.map((s) => s * 1000 >= view.from && s * 1000 <= view.to);
    LANES.forEach((lane, i) => {
      const show = lane.money ? (minor) => shortMoney(minor, currency) : short;
      const most = lanes[i].reduce((high, value, at) => (seen[at] && value > high ? value : high), 0);
      const value = lanes[i][idx ?? x.length - 1] ?? null;
      text(this.#nodes[i].children[1], value === null ? NONE : show(value));
      text(this.#nodes[i].children[2], t("timeline.max", { value: show(most) }));
    });
  }

  /** Write names and highest values onto a picture of the chart. */
  draw(context, { bands, unit, width, node, colours }) {
    const look = { font: font(node, 550, 0.8 * unit), colour: colours.muted, width: width / 2 };
    this.#nodes.forEach(({ children: [name, , most] }, i) => {
      const y = bands[i].words + 0.7 * unit;
      context.textAlign = "left";
      write(context, name.textContent, 0, y, look);
      context.textAlign = "right";
      write(context, most.textContent, width, y, look);
    });
  }
}
