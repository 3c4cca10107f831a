// An act that can be taken back for some seconds before it is done.

/** How long an act can be taken back, ms: as long as mail programs hold a message back that was sent. */
export const undoTime = 5_000;

/**
 * @template T what the page says of an act
 */
export class Undo {
  #onChange;
  /** @type {{what: T, run: () => void, back: () => void} | null} */ #act = null;
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
    this.wait(false);
    this.#onChange();
  }

  /** Does what is pending at once. */
  finish() {
    this.#take()?.run();
  }

  takeBack() {
    this.#take()?.back();
  }

  /** @param {boolean} on the person is about to decide: the time stands still */
  wait(on) {
    clearTimeout(this.#timer);
    if (this.#act && !on) this.#timer = setTimeout(() => this.finish(), undoTime);
  }

  #take() {
    const act = this.#act;
    this.#act = null;
    clearTimeout(this.#timer);
    if (act) this.#onChange();
    return act;
  }
}
