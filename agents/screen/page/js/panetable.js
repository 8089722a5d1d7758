// The panes as a table: what the timeline draws, for who reads better than looks, and to export.

import { attr, text } from "./dom.js";
import { clockSeconds, iso, money, NONE, scale, whole } from "./format.js";
import { LANES } from "./panes.js";
import { Table } from "./table.js";
import { t } from "./words.js";

/** Return a table of panes, newest first as given; `currency()` is the session's. */
export function paneTable(currency) {
  return new Table({
    label: "timeline",
    key: (row) => row.start,
    sort: null,
    columns: [
      {
        key: "time",
        head: "timeline.time",
        words: true,
        value: (row) => iso(row.start),
        draw: (cell, row) => text(cell, clockSeconds(row.start)),
      },
      ...LANES.map((lane) => laneColumn(lane, currency)),
      { key: "status", head: "timeline.status", value: (row) => row.status, draw: drawStatus },
    ],
  });
}

const laneColumn = (lane, currency) => ({
  key: lane.name,
  head: `timeline.${lane.name}`,
  value: lane.of,
  unit: lane.money && currency,
  take: lane.money ? (row) => lane.of(row) / scale(currency()) : lane.of,
  draw: (cell, row) => {
    const value = lane.of(row);
    if (value === null || value === undefined) text(cell, NONE);
    else text(cell, lane.money ? money(value, currency()) : whole(value));
  },
});

function drawStatus(cell, row) {
  text(cell, t(`timeline.${row.status}`));
  attr(cell, "title", row.status === "correction" ? t("timeline.revision", { n: row.revision }) : null);
}
