/**
 * Changes tells watchers what make returns, at most once per microtask,
 * however often something changed before.
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
