// What a browser keeps for a page, if it does. With cookies and site data
// blocked even asking for a storage throws; some browsers have none, and some
// throw when it is used.

/** @typedef {Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>} Keeper */

/** A storage that never throws: what the browser does not keep, the page keeps until it is closed. */
export class SafeStorage {
  #find;
  /** @type {Map<string, string>} what the browser would not keep */ #here = new Map();

  /** @param {() => Keeper | null | undefined} find the browser's */
  constructor(find) {
    this.#find = find;
  }

  /** @param {string} key @returns {string | null} */
  getItem(key) {
    return this.#here.get(key) ?? this.#try((keeper) => keeper.getItem(key)) ?? null;
  }

  /** @param {string} key @param {string} value */
  setItem(key, value) {
    this.#here.delete(key);
    const kept = this.#try((keeper) => {
      keeper.setItem(key, value);
      return true;
    });
    if (kept) return;
    this.removeItem(key); // an older value is a wrong one
    this.#here.set(key, value);
  }

  /** @param {string} key */
  removeItem(key) {
    this.#here.delete(key);
    this.#try((keeper) => keeper.removeItem(key));
  }

  /**
   * @template T
   * @param {(keeper: Keeper) => T} use
   * @returns {T | null}
   */
  #try(use) {
    try {
      const keeper = this.#find();
      return keeper ? use(keeper) : null;
    } catch {
      return null;
    }
  }
}

/** Of this tab: a reload keeps it, closing the tab ends it. */
export const ofTab = new SafeStorage(() => globalThis.sessionStorage);

/** Of this browser, until its person clears it. */
export const ofBrowser = new SafeStorage(() => globalThis.localStorage);

/**
 * Whether the browser keeps cookies of this page. Only trying tells: one that
 * blocks them for some sites says that it has them.
 * @param {{cookie: string}} [page] what tests replace
 */
export function keepsCookies(page = globalThis.document) {
  const probe = `anteroom-probe=${Math.random().toString(36).slice(2)}`;
  try {
    page.cookie = `${probe}; Path=/; SameSite=Strict; Max-Age=60`;
    const kept = page.cookie.includes(probe);
    page.cookie = 'anteroom-probe=; Path=/; SameSite=Strict; Max-Age=0';
    return kept;
  } catch {
    return false;
  }
}
