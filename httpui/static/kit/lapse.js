/**
 * How long it has been, whatever becomes of the two clocks that a page has: the
 * one may be put right, or wrong, and the other stands still while the computer
 * sleeps.
 * @returns {() => number} ms since now
 */
export function stopwatch() {
  const [date, count] = [Date.now(), performance.now()];
  return () => Math.max(Date.now() - date, performance.now() - count);
}
