// A sortable table that changes only what changed, and whose rows do not jump under the hand.

import { attr, h, keyed, text } from "./dom.js";
import { fill, t } from "./words.js";

const REORDER_MS = 5_000;

/**
 * A column: `key`, `head` (key of its words), `value(row)` to sort by (number or text),
 * `draw(cell, row)` to show it (default: the value as text), `take(row)` to take it away
 * (default: the value) in `unit()`, `words`: left-aligned. The first column heads its row.
 */
export class Table {
  #order = [];
  #orderedAt = -REORDER_MS;
  #rows = [];
  #keyOf;

  constructor({ columns, key, sort, label, draggable = true }) {
    this.columns = columns;
    this.#keyOf = key;
    this.sort = sort; // {key, descending}, or null: in the order given
    this.body = h("tbody");
    const head = h("thead", {}, h("tr", {}, ...columns.map((column) => this.#heading(column))));
    const table = h("table", {}, h("caption", { class: "vh", "data-t": label }), head, this.body);
    this.node = h("div", { class: "scroll", tabindex: "0", role: "group", "data-t-label": label }, table);
    fill(this.node);
    this.#showSort();
  }

  /** Show these rows. `at_most` of them, in the order of the sort. */
  update(rows, atMost = Infinity) {
    this.#rows = rows;
    const shown = this.#ordered(rows).slice(0, atMost);
    keyed(
      this.body,
      shown,
      this.#keyOf,
      () => this.#row(),
      (node, row) => this.#draw(node, row),
    );
  }

  /** Return heads and all rows as plain values, in the order shown: to take away. */
  values() {
    const heads = this.columns.map(({ head, unit }) => (unit?.() ? `${t(head)} (${unit()})` : t(head)));
    const rows = this.#ordered(this.#rows).map((row) =>
      this.columns.map(({ value, take = value }) => take(row)),
    );
    return { heads, rows };
  }

  #heading(column) {
    const cell = h("th", { scope: "col", class: column.words ? "words" : null });
    if (!this.sort) return (attr(cell, "data-t", column.head), cell);
    const button = h("button", { type: "button", "data-t": column.head });
    button.addEventListener("click", () => this.#sortBy(column));
    cell.append(button);
    return cell;
  }

  #sortBy({ key, words }) {
    const again = this.sort.key === key;
    this.sort = { key, descending: again ? !this.sort.descending : !words };
    this.#orderedAt = -REORDER_MS;
    this.#showSort();
    this.update(this.#rows, this.body.childElementCount);
    this.node.dispatchEvent(new Event("sorted"));
  }

  #showSort() {
    const heads = this.node.querySelectorAll("thead th");
    this.columns.forEach(({ key }, i) => {
      const mine = this.sort?.key === key;
      attr(heads[i], "aria-sort", mine ? (this.sort.descending ? "descending" : "ascending") : null);
    });
  }

  /** Rows keep their places for some seconds, and while somebody points at or works in them. */
  #ordered(rows) {
    if (!this.sort) return rows;
    const held = this.body.matches(":hover, :focus-within");
    const rested = performance.now() - this.#orderedAt >= REORDER_MS;
    const place = new Map(this.#order.map((id, i) => [id, i]));
    if ((rested && !held) || this.#orderedAt < 0) {
      this.#order = [...rows].sort(this.#compare()).map(this.#keyOf);
      this.#orderedAt = performance.now();
      return this.#ordered(rows);
    }
    const last = this.#order.length;
    return [...rows].sort(
      (a, b) => (place.get(this.#keyOf(a)) ?? last) - (place.get(this.#keyOf(b)) ?? last),
    );
  }

  #compare() {
    const { value } = this.columns.find((column) => column.key === this.sort.key);
    const sign = this.sort.descending ? -1 : 1;
    return (a, b) => {
      const [x, y] = [value(a), value(b)];
      // What has no value comes last, whichever way the sort goes.
      if (x === null || y === null) return (x === null) - (y === null);
      return sign * (typeof x === "string" ? x.localeCompare(y) : x - y);
    };
  }

  #row() {
    const cells = this.columns.map(({ words }, i) =>
      h(i ? "td" : "th", { class: words ? "words" : null, scope: i ? null : "row" }),
    );
    return h("tr", {}, ...cells);
  }

  #draw(node, row) {
    this.columns.forEach((column, i) => {
      const cell = node.children[i];
      if (column.draw) column.draw(cell, row);
      else text(cell, String(column.value(row) ?? ""));
    });
  }
}
