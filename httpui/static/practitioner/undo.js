// An act that can be taken back for some seconds before it is done.

/** How long an act can be taken back, ms: as long as mail programs hold a message back that was sent. */
export const undoTime = 5_000;

/** @typedef {'pointer' | 'focus'} Held what of the person is on it */

/**
 * @template T what the page says of an act
 */
export class Undo {
  #onChange;
  /** @type {{what: T, run: () => void, back: () => void} | null} */ #act = null;
  /** @type {Set<Held>} */ #held = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;

  /** @param {() => void} onChange there is another act that can be taken back, or none */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /** What can be taken back now. @returns {T | null} */
  get pending() {
    return this.#act?.what ?? null;
  }

  /**
   * Runs run after a while, unless it is taken back. The act before is done at
   * once: only the latest can be taken back.
   * @param {T} what @param {{run: () => void, back: () => void}} ways
   */
  put(what, { run, back }) {
    this.finish();
    this.#act = { what, run, back };
    this.#run();
    this.#onChange();
  }

  /** Does what is pending at once. */
  finish() {
    this.#take()?.run();
  }

  takeBack() {
    this.#take()?.back();
  }

  /**
   * The person is about to decide: the time stands still until nothing holds it.
   * @param {Held} by @param {boolean} on
   */
  wait(by, on) {
    if (on) this.#held.add(by);
    else this.#held.delete(by);
    this.#run();
  }

  #run() {
    clearTimeout(this.#timer);
    if (this.#act && this.#held.size === 0) this.#timer = setTimeout(() => this.finish(), undoTime);
  }

  #take() {
    const act = this.#act;
    this.#act = null;
    this.#held.clear(); // what was held is off the page
    clearTimeout(this.#timer);
    if (act) this.#onChange();
    return act;
  }
}
