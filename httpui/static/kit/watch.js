// State that others watch. They hear of it at most once per microtask, however
// often something changed before.

/**
 * Changes tells watchers what make returns.
 * @template T
 */
export class Changes {
  #make;
  /** @type {Set<(value: T) => void>} */ #watchers = new Set();
  #told = true;

  /** @param {() => T} make */
  constructor(make) {
    this.#make = make;
  }

  changed() {
    if (!this.#told) return;
    this.#told = false;
    queueMicrotask(() => {
      this.#told = true;
      const value = this.#make();
      for (const watch of [...this.#watchers]) watch(value);
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

/**
 * A Store is what a page shows that no call knows of: which panel is open, what
 * stands in a form.
 * @template {object} T
 */
export class Store {
  /** @type {T} */ #value;
  #changes = new Changes(() => this.#value);

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
    this.#changes.changed();
  }

  /**
   * @param {(value: T) => void} watch
   * @returns {() => void} stops it
   */
  subscribe(watch) {
    return this.#changes.subscribe(watch);
  }
}
