// Draw at most four times a second, always the newest.

const LEAST_MS = 250;

/**
 * Return a function that asks for `draw`. Any number of calls lead to one draw, in a frame of
 * the browser, at least 250 ms after the last; a hidden page draws when it is seen again.
 */
export function paced(draw) {
  let asked = false;
  let drawnAt = -LEAST_MS;
  const frame = () => {
    asked = false;
    draw();
    drawnAt = performance.now(); // after: a quick draw must not follow too soon upon a slow one
  };
  return () => {
    if (asked) return;
    asked = true;
    const wait = Math.max(0, drawnAt + LEAST_MS - performance.now());
    setTimeout(() => requestAnimationFrame(frame), wait);
  };
}
