// Draw at most four times a second, always the newest.

const WINDOW_MS = 1000;
const DRAWS = 4;
const LEAST_MS = 200;

/**
 * Return a function that asks for `draw`. Any number of calls lead to one draw, in a frame of the
 * browser: at least 200 ms after the last, so that the eye can follow, and a second after the
 * fourth last. An equal pause after each draw would beat against the server's own four a second,
 * and what has just come would wait for the next turn. A hidden page draws when it is seen again.
 */
export function paced(draw) {
  const drawnAt = Array(DRAWS).fill(-WINDOW_MS); // the oldest first
  let asked = false;
  const frame = () => {
    asked = false;
    draw();
    drawnAt.shift();
    drawnAt.push(performance.now()); // after: a quick draw must not follow too soon upon a slow one
  };
  return () => {
    if (asked) return;
    asked = true;
    const next = Math.max(drawnAt[0] + WINDOW_MS, drawnAt.at(-1) + LEAST_MS);
    setTimeout(() => requestAnimationFrame(frame), Math.max(0, next - performance.now()));
  };
}
