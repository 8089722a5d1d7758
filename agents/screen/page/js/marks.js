// What is drawn over and under the lanes: markers, provisional panes, corrections.

/** Shapes in a box of 12, the same for the canvas and for the legend. */
export const SHAPES = {
  pin: "M6 11 1.5 2h9z",
  offer: "M6 .5 11.5 6 6 11.5 .5 6z",
  flash_price: "M7 .5 2 7h3.4L5 11.5 10 5H6.6z",
  stock_out: "M2 3.4 3.4 2 6 4.6 8.6 2 10 3.4 7.4 6 10 8.6 8.6 10 6 7.4 3.4 10 2 8.6 4.6 6z",
  trigger: "M6 3a3 3 0 1 0 .01 0z",
  correction: "M6 1 11 10H1z",
  provisional: "M0 2h12v8H0z",
};

/** The hue of each shape, by its name in the palette. */
export const HUES = {
  pin: "ink",
  offer: "money",
  flash_price: "money",
  stock_out: "bad",
  trigger: "attention",
  correction: "warn",
  provisional: "muted",
};

const LINES = new Set(["pin", "offer", "flash_price", "stock_out"]); // triggers are many: no line for each

/** Lines of the markers, under the data. */
export function drawUnder(u, { markers }, { colours, unit }) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  ctx.globalAlpha = 0.35;
  for (const marker of markers) {
    const x = position(u, marker.at);
    if (x === null || !LINES.has(marker.kind)) continue;
    ctx.strokeStyle = colours[HUES[marker.kind]];
    ctx.beginPath();
    ctx.moveTo(x, bbox.top + 1.1 * unit * devicePixelRatio);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

/** The rail of markers, the veil over provisional panes, the feet of corrected ones. */
export function drawMarks(u, shown, chart) {
  u.ctx.save();
  veil(u, shown, chart);
  corrections(u, shown, chart);
  rail(u, shown, chart);
  u.ctx.restore();
}

function veil(u, { columns: { rows }, paneMs }, { colours, bands }) {
  const { ctx, bbox } = u;
  const top = bbox.top + bands[0].top * devicePixelRatio;
  ctx.fillStyle = colours.card;
  ctx.globalAlpha = 0.55;
  for (const row of rows) {
    if (row.status !== "provisional") continue;
    const from = Math.max(u.valToPos(row.start / 1000, "x", true), bbox.left);
    const to = Math.min(u.valToPos((row.start + paneMs) / 1000, "x", true), bbox.left + bbox.width);
    if (to > from) ctx.fillRect(from, top, to - from, bbox.top + bbox.height - top);
  }
  ctx.globalAlpha = 1;
}

function corrections(u, { columns: { rows }, paneMs }, { colours, unit }) {
  for (const row of rows) {
    if (row.status !== "correction") continue;
    const x = position(u, row.start + paneMs / 2);
    if (x !== null)
      shape(
        u.ctx,
        "correction",
        x,
        u.bbox.top + u.bbox.height - 0.3 * unit * devicePixelRatio,
        0.55 * unit,
        colours,
      );
  }
}

function rail(u, { markers, name }, { colours, unit }) {
  const { ctx, bbox } = u;
  const y = bbox.top + 0.62 * unit * devicePixelRatio;
  const below = y + 1.15 * unit * devicePixelRatio; // triggers: one a minute, in a row of their own
  const seen = markers
    .map((marker) => ({ ...marker, x: position(u, marker.at) }))
    .filter(({ x, kind }) => x !== null && kind in SHAPES);
  ctx.font = `${0.75 * unit * devicePixelRatio}px ${getComputedStyle(u.root).fontFamily}`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  for (const one of seen) {
    if (one.kind === "trigger") shape(ctx, "trigger", one.x, below, dot(one.count) * unit, colours);
  }
  // What matters most is drawn last, on top.
  for (const kind of ["offer", "flash_price", "pin", "stock_out"]) {
    for (const one of seen) if (one.kind === kind) shape(ctx, kind, one.x, y, 0.72 * unit, colours);
  }
  const named = seen.filter(({ kind }) => kind !== "trigger").sort((a, b) => a.x - b.x);
  named.forEach((one, i) => {
    const room = (named[i + 1]?.x ?? bbox.left + bbox.width) - one.x - 1.1 * unit * devicePixelRatio;
    if (one.product && one.kind === "pin")
      label(ctx, name(one.product), one.x + 0.6 * unit * devicePixelRatio, y, room, colours);
  });
}

/** The size of a dot's box in rem: its area tells how many. */
const dot = (count) => Math.min(0.4 + 0.15 * Math.sqrt(count ?? 1), 1.4);

function label(ctx, words, x, y, room, colours) {
  if (room < 34 * devicePixelRatio) return;
  let shown = words;
  while (shown.length > 1 && ctx.measureText(`${shown}…`).width > room) shown = shown.slice(0, -1);
  if (shown !== words) shown = `${shown.trimEnd()}…`;
  ctx.fillStyle = colours.muted;
  ctx.fillText(shown, x, y);
}

function shape(ctx, kind, x, y, size, colours) {
  const scale = (size / 12) * devicePixelRatio;
  ctx.save();
  ctx.translate(x - 6 * scale, y - 6 * scale);
  ctx.scale(scale, scale);
  ctx.fillStyle = colours[HUES[kind]];
  ctx.fill(new Path2D(SHAPES[kind]));
  ctx.restore();
}

/** Where a time stands, in canvas pixels; null outside of the view. */
function position(u, ms) {
  const { min, max } = u.scales.x;
  const s = ms / 1000;
  return s < min || s > max ? null : u.valToPos(s, "x", true);
}
