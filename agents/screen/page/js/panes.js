// The panes of a session by their start: the newest revision of each, a bounded stretch of them.

/** What is shown of a pane: its lane's name, height, hue, and how it is read from a row. */
export const LANES = [
  { name: "viewers", rem: 6.5, hue: "attention", line: true, of: (row) => row.viewers },
  { name: "gmv", rem: 3.2, hue: "money", money: true, of: (row) => row.gmv_gross },
  { name: "orders", rem: 2.2, hue: "money", of: (row) => row.orders },
  { name: "carts", rem: 2.2, hue: "money", of: (row) => row.carts },
  { name: "comments", rem: 2.2, hue: "attention", of: (row) => row.comments },
  { name: "likes", rem: 2.2, hue: "attention", of: (row) => row.likes },
];

/** How long a pane of the server is. */
export const PANE_MS = 10_000;

export class Panes {
  #rows = new Map(); // start in ms -> row
  #columns = null;

  /** Kept are the panes of the last `keepMs` before the newest. */
  constructor({ paneMs = PANE_MS, keepMs = 3_600_000 } = {}) {
    this.paneMs = paneMs;
    this.keepMs = keepMs;
  }

  /** Take panes; those that are older than what is known are passed over. */
  add(rows) {
    for (const row of rows) {
      if ((this.#rows.get(row.start)?.revision ?? -1) > row.revision) continue;
      this.#rows.set(row.start, row);
      this.#columns = null;
    }
    if (!this.#columns) this.#forget();
  }

  get size() {
    return this.#rows.size;
  }

  /**
   * Return {x, lanes, rows}: starts in seconds, one array of values per lane, and the rows;
   * panes in which nothing happened are there as null. The same object until something changes.
   */
  columns() {
    this.#columns ??= this.#build();
    return this.#columns;
  }

  /** Return the first start and the last end in ms, or null. */
  extent() {
    const { x } = this.columns();
    return x.length ? { from: x[0] * 1000, to: x.at(-1) * 1000 + this.paneMs } : null;
  }

  #build() {
    const rows = [];
    if (this.#rows.size) {
      const starts = [...this.#rows.keys()];
      const last = Math.max(...starts);
      for (let start = Math.min(...starts); start <= last; start += this.paneMs) {
        rows.push(this.#rows.get(start) ?? { start, empty: true });
      }
    }
    const lanes = LANES.map(({ of }) => rows.map((row) => (row.empty ? null : of(row))));
    return { x: rows.map((row) => row.start / 1000), lanes, rows };
  }

  #forget() {
    const oldest = Math.max(...this.#rows.keys()) - this.keepMs;
    for (const start of this.#rows.keys()) if (start <= oldest) this.#rows.delete(start);
  }
}

const SURENESS = ["final", "correction", "provisional"]; // the least sure one names the group

/** Return the rows put together into panes of `paneMs`: sums, and the viewers at the end of each. */
export function grouped(rows, paneMs) {
  const groups = new Map();
  for (const row of [...rows].sort((a, b) => a.start - b.start)) {
    const start = Math.floor(row.start / paneMs) * paneMs;
    const sum = groups.get(start) ?? {
      start,
      status: "final",
      revision: 0,
      likes: 0,
      comments: 0,
      carts: 0,
      orders: 0,
      gmv_gross: 0,
    };
    for (const key of ["likes", "comments", "carts", "orders", "gmv_gross"]) sum[key] += row[key];
    sum.viewers = row.viewers;
    sum.revision = Math.max(sum.revision, row.revision);
    if (SURENESS.indexOf(row.status) > SURENESS.indexOf(sum.status)) sum.status = row.status;
    groups.set(start, sum);
  }
  return [...groups.values()];
}
