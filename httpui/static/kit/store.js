/**
 * A Store is what a page shows that no call knows of: which panel is open, what
 * stands in a form. Watchers hear of changes once per microtask.
 * @template {object} T
 */
export class Store {
  /** @type {T} */ #value;
  /** @type {Set<(value: T) => void>} */ #watchers = new Set();
  #told = true;

  /** @param {T} value */
  constructor(value) {
    this.#value = value;
  }

  /** @returns {T} */
  get value() {
    return this.#value;
  }

  /** @param {Partial<T>} patch */
  set(patch) {
    this.#value = { ...this.#value, ...patch };
    if (!this.#told) return;
    this.#told = false;
    queueMicrotask(() => {
      this.#told = true;
      for (const watch of this.#watchers) watch(this.#value);
    });
  }

  /**
   * @param {(value: T) => void} watch
   * @returns {() => void} stops it
   */
  subscribe(watch) {
    this.#watchers.add(watch);
    return () => this.#watchers.delete(watch);
  }
}
