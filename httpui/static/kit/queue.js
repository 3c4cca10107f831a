/**
 * A Queue runs tasks one after the other. A task that fails does not keep the
 * next from running; whoever added it hears of it.
 */
export class Queue {
  /** @type {Promise<unknown>} */ #last = Promise.resolve();
  #length = 0;

  /** How many tasks wait or run. */
  get length() {
    return this.#length;
  }

  /**
   * @template T
   * @param {() => Promise<T> | T} task
   * @returns {Promise<T>} the outcome of task
   */
  add(task) {
    this.#length++;
    const done = this.#last.then(task).finally(() => this.#length--);
    this.#last = done.catch(() => {});
    return done;
  }
}
