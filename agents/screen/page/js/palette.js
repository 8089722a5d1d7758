// The colours of the style sheet for the canvas, as they are where the chart stands.

const NAMES = [
  "ink",
  "muted",
  "line",
  "card",
  "track",
  "attention",
  "attention-soft",
  "money",
  "money-soft",
  "bad",
  "warn",
];

/** Return the colours that hold inside `node` now: dark, light, or grey while stale. */
export function palette(node) {
  const probe = document.createElement("i");
  node.append(probe);
  const found = {};
  for (const name of NAMES) {
    probe.style.color = `var(--${name})`;
    found[name.replace("-soft", "Soft")] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}

/** The size of 1rem in CSS pixels. */
export const rem = () => Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
