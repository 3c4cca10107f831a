// What a tab needs to come back into its seat when it is loaded again: the
// link's secret part, and the name that was typed. It is kept in two halves that
// are worth nothing alone: sealed in the tab's storage, which ends with the tab,
// under a key in the browser's database that no script can read. PROTOCOL.md,
// "Coming back".

import { Queue } from '../kit/queue.js';
import { ofTab } from '../kit/storage.js';
import { fromBase64url, toBase64url } from '../link/wire.js';

/**
 * @typedef {object} Visit
 * @property {string} fragment the link's, without "#"
 * @property {string} name as it was typed, or "" before Join
 * @property {Record<string, string>} devices that were chosen, by kind
 * @property {number} until when this is good for nothing, ms since 1970
 */
/** @typedef {{key: CryptoKey, until: number}} Kept */
/**
 * @typedef {object} Cupboard where keys are
 * @property {(id: string) => Promise<Kept | undefined>} get
 * @property {(id: string, kept: Kept) => Promise<unknown>} put
 * @property {(id: string) => Promise<unknown>} remove
 * @property {(now: number) => Promise<unknown>} sweep removes what is past its time
 */

const PLACE = 'anteroom return';
const IV = 12;
/** A browser whose database does not answer is one without. */
const PATIENCE_MS = 2_000;

export class Ticket {
  #tab;
  #cupboard;
  #queue = new Queue();
  #turn = 0; // what was begun in an older one is not kept

  /** @param {{tab?: import('../kit/storage.js').Keeper, cupboard?: Cupboard}} [options] what tests replace */
  constructor({ tab = ofTab, cupboard = database } = {}) {
    this.#tab = tab;
    this.#cupboard = cupboard;
  }

  /**
   * Clears away what other visits left, and returns this tab's.
   * @returns {Promise<Visit | null>}
   */
  read() {
    return this.#soon(null, async () => {
      await this.#cupboard.sweep(Date.now());
      try {
        const { id, iv, box } = this.#sealed();
        const kept = await this.#cupboard.get(id);
        const visit = kept ? await open(kept.key, id, iv, box) : null;
        if (visit && visit.until > Date.now()) return visit;
      } catch {
        // Nothing, nothing of ours, or changed by somebody.
      }
      this.drop();
      return null;
    });
  }

  /**
   * Keeps visit in place of what was kept before. Where the browser keeps
   * nothing, nothing is kept, and that is all.
   * @param {Visit} visit
   * @returns {Promise<void>}
   */
  keep(visit) {
    const turn = this.#turn;
    return this.#soon(undefined, async () => {
      let id = '';
      try {
        id = this.#sealed().id;
      } catch {
        id = toBase64url(crypto.getRandomValues(new Uint8Array(16)));
      }
      const key = (await this.#cupboard.get(id))?.key ?? await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
      await this.#cupboard.put(id, { key, until: visit.until });
      const iv = crypto.getRandomValues(new Uint8Array(IV));
      const box = await crypto.subtle.encrypt(algorithm(id, iv), key, new TextEncoder().encode(JSON.stringify(visit)));
      if (turn === this.#turn) this.#tab.setItem(PLACE, [id, toBase64url(iv), toBase64url(new Uint8Array(box))].join('.'));
      else await this.#cupboard.remove(id);
    });
  }

  /** The visit is over: neither half is needed any more. @returns {Promise<void>} */
  forget() {
    const { id } = this.drop();
    return this.#soon(undefined, async () => {
      if (id) await this.#cupboard.remove(id);
    });
  }

  /** Only this tab is done: another one, which is its copy, may go on. @returns {{id: string}} */
  drop() {
    this.#turn += 1;
    let id = '';
    try {
      id = this.#sealed().id;
    } catch {
      // There was nothing, or nothing of ours.
    }
    this.#tab.removeItem(PLACE);
    return { id };
  }

  /** @throws {Error} if there is nothing, or nothing of ours */
  #sealed() {
    const [id, iv, box] = (this.#tab.getItem(PLACE) ?? '').split('.');
    if (!id || !iv || !box) throw new Error('nothing is kept');
    return { id, iv: fromBase64url(iv), box: fromBase64url(box) };
  }

  /**
   * @template T
   * @param {T} otherwise if it fails, or takes too long
   * @param {() => Promise<T>} act
   * @returns {Promise<T>}
   */
  #soon(otherwise, act) {
    /** @type {ReturnType<typeof setTimeout> | undefined} */ let timer;
    const late = new Promise((done) => { timer = setTimeout(done, PATIENCE_MS, otherwise); });
    return this.#queue.add(() => Promise.race([act(), late]).catch(() => otherwise).finally(() => clearTimeout(timer)));
  }
}

/** @param {string} id @param {Uint8Array<ArrayBuffer>} iv */
const algorithm = (id, iv) => ({ name: 'AES-GCM', iv, additionalData: new TextEncoder().encode(`ar1 return ${id}`) });

/**
 * @param {CryptoKey} key @param {string} id @param {Uint8Array<ArrayBuffer>} iv @param {Uint8Array<ArrayBuffer>} box
 * @returns {Promise<Visit>}
 */
const open = async (key, id, iv, box) => JSON.parse(new TextDecoder().decode(await crypto.subtle.decrypt(algorithm(id, iv), key, box)));

const STORE = 'keys';

/**
 * The browser's database. Each use opens it anew: a page that holds it open can
 * keep others from it.
 * @type {Cupboard}
 */
const database = {
  get: (id) => use('readonly', (keys) => keys.get(id)),
  put: (id, kept) => use('readwrite', (keys) => keys.put(kept, id)),
  remove: (id) => use('readwrite', (keys) => keys.delete(id)),
  sweep: (now) =>
    use('readwrite', (keys) => {
      const each = keys.openCursor();
      each.onsuccess = () => {
        const cursor = each.result;
        if (!cursor) return;
        if (!(cursor.value.until > now)) cursor.delete();
        cursor.continue();
      };
      return each;
    }),
};

/**
 * @param {IDBTransactionMode} mode
 * @param {(keys: IDBObjectStore) => IDBRequest} act
 * @returns {Promise<any>} what came of it, once it is certain
 */
function use(mode, act) {
  return new Promise((done, fail) => {
    const opening = indexedDB.open('anteroom', 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    opening.onerror = () => fail(opening.error);
    opening.onsuccess = () => {
      const db = opening.result;
      db.onversionchange = () => db.close();
      try {
        const transaction = db.transaction(STORE, mode);
        const request = act(transaction.objectStore(STORE));
        transaction.oncomplete = () => done(request.result);
        transaction.onabort = () => fail(transaction.error);
        transaction.onerror = () => fail(transaction.error);
      } catch (err) {
        fail(err);
      } finally {
        db.close(); // when what was begun is done
      }
    };
  });
}
