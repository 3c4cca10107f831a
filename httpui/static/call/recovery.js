// When something is done about a connection that is not up: patiently the first
// time, at once when it broke, and less and less often.

/** How long each attempt may take before the next, in milliseconds. */
const PATIENCE = [4_000, 3_000, 4_000, 6_000, 8_000, 12_000, 16_000];
/** Attempts that something urgent asks for are at least this far apart. */
const URGENT_MS = 1_000;
/** The two ends wait differently, so that they do not offer at the same time again and again. */
const IMPOLITE = 1.3;

export class Recovery {
  #attempt;
  #able;
  #polite;
  #attempts = 0;
  #last = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;

  /**
   * @param {object} on
   * @param {(number: number) => void} on.attempt does something, the more drastic the higher the number, from 0
   * @param {() => boolean} on.able whether it could be agreed with the other end now
   * @param {() => boolean} on.polite
   */
  constructor({ attempt, able, polite }) {
    this.#attempt = attempt;
    this.#able = able;
    this.#polite = polite;
  }

  /** Whether anything was attempted since it was last well. */
  get begun() {
    return this.#attempts > 0;
  }

  /** The connection is up, or nobody wants it any more. */
  stop() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#attempts = 0;
  }

  /** It is not up: unless it comes up by itself, something will be done. */
  watch() {
    if (this.#timer === undefined) this.#wait(this.#patience());
  }

  /** It broke, or there is news: at once, or as soon as the last attempt was long enough ago. */
  urge() {
    this.#wait(Math.max(0, this.#last + URGENT_MS - performance.now()));
  }

  /** The other end does something, or it may come back by itself: that gets its time. */
  defer() {
    if (this.#timer !== undefined) this.#wait(this.#patience());
  }

  #patience() {
    const ms = PATIENCE[Math.min(this.#attempts, PATIENCE.length - 1)] ?? 0;
    return this.#polite() ? ms : ms * IMPOLITE;
  }

  /** @param {number} ms */
  #wait(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#act(), ms);
  }

  #act() {
    // Without signalling nothing can be agreed; what there is may come back by itself.
    if (!this.#able()) return this.#wait(URGENT_MS);
    this.#last = performance.now();
    this.#attempt(this.#attempts++);
    this.#wait(this.#patience());
  }
}
