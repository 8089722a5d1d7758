// Taking tables and charts away: as CSV with plain values, as PNG the way they are shown.

import { attr, h } from "./dom.js";
import { tablePicture } from "./picture.js";
import { fill, t } from "./words.js";

/** Buttons for one table; `picture` makes a canvas where the table itself is not what is shown. */
export function exportButtons({ heading, table, name, picture }) {
  const draw = picture ?? (() => tablePicture(heading.textContent, table.node));
  const buttons = [
    button("report.csv", "report.csv.of", heading, () => save(csvBlob(table.values()), `${name()}.csv`)),
    button("report.png", "report.png.of", heading, () =>
      draw().toBlob((blob) => save(blob, `${name()}.png`), "image/png"),
    ),
  ];
  return h("span", { class: "exports no-print" }, ...buttons);
}

function button(key, label, heading, click) {
  const node = h("button", { type: "button", class: "quiet", "data-t": key });
  const say = () => attr(node, "aria-label", t(label, { what: heading.textContent }));
  node.addEventListener("click", click);
  document.addEventListener("language", say);
  fill(h("span", {}, node));
  say();
  return node;
}

/** The text of a CSV file. A text that a spreadsheet would take for a formula is defused. */
export function csv({ heads, rows }) {
  return [heads, ...rows].map((row) => row.map(field).join(",")).join("\r\n");
}

function field(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** With a byte order mark: spreadsheets take Chinese for something else without one. */
const csvBlob = (values) => new Blob(["\ufeff", csv(values)], { type: "text/csv;charset=utf-8" });

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  // The browser has taken hold of it by then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
