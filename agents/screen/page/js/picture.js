// Pictures to take away: a table drawn onto a canvas, and the frame that all pictures share.

import { palette } from "./palette.js";

const SCALE = 2; // sharp on paper and on slides
const PAD = 24;
const ROW = 30;
const TITLE = 44;
const GAP = 22;
const LONGEST = 420; // a cell's text, in px

/** Return a canvas of this size (CSS px) with a background and a title; `draw(context, colours)` fills it. */
export function picture({ title, width, height, node }, draw) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: (width + 2 * PAD) * SCALE, height: (height + 2 * PAD + TITLE) * SCALE });
  const context = canvas.getContext("2d");
  const colours = palette(node);
  context.scale(SCALE, SCALE);
  context.fillStyle = colours.card;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.textBaseline = "middle";
  write(context, title, PAD, PAD + TITLE / 2 - 8, { font: font(node, 650, 18), colour: colours.ink, width });
  context.translate(PAD, PAD + TITLE);
  draw(context, colours);
  return canvas;
}

/** Return a picture of a table as it is shown now. */
export function tablePicture(title, node) {
  const rows = [...node.querySelectorAll("tr")].map((row) => [...row.cells].map(cellOf));
  const ruler = document.createElement("canvas").getContext("2d");
  ruler.font = font(node, 600, 13);
  const widths = rows[0].map((_, i) =>
    Math.min(LONGEST, 2 + Math.max(...rows.map((row) => ruler.measureText(row[i].words).width))),
  );
  const width = widths.reduce((sum, one) => sum + one + GAP, -GAP);
  return picture({ title, width, height: rows.length * ROW, node }, (context, colours) => {
    rows.forEach((row, at) => drawRow(context, { row, at, widths, width, node, colours }));
  });
}

function drawRow(context, { row, at, widths, width, node, colours }) {
  const y = at * ROW + ROW / 2;
  let left = 0;
  row.forEach(({ words, leftward }, i) => {
    const look = {
      font: font(node, at && i ? 400 : 600, 13),
      colour: at ? colours.ink : colours.muted,
      width: widths[i],
    };
    context.textAlign = leftward ? "left" : "right";
    write(context, words, leftward ? left : left + widths[i], y, look);
    left += widths[i] + GAP;
  });
  context.fillStyle = colours.line;
  context.fillRect(0, (at + 1) * ROW - 1, width, 1);
}

/** A cell's visible words, and on which side they stand. */
function cellOf(cell) {
  const copy = cell.cloneNode(true);
  for (const node of copy.querySelectorAll(".vh, [hidden]")) node.remove();
  return {
    words: [...copy.childNodes]
      .map((one) => one.textContent)
      .filter(Boolean)
      .join(" "),
    leftward: getComputedStyle(cell).textAlign !== "right",
  };
}

/** Write words, cut to the width that there is. */
export function write(context, words, x, y, { font: face, colour, width }) {
  context.font = face;
  context.fillStyle = colour;
  let shown = words;
  while (shown.length > 1 && context.measureText(shown).width > width)
    shown = `${shown.slice(0, -2).trimEnd()}…`;
  context.fillText(shown, x, y);
}

/** A font of the page for the canvas. */
export const font = (node, weight, px) => `${weight} ${px}px ${getComputedStyle(node).fontFamily}`;
