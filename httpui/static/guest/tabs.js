// One seat, one tab. Two tabs of one browser are one person, and no other
// device: whichever is in the seat holds a lock that the browser frees when the
// tab is gone, and gives the seat to another tab that asks.

import { toBase64url } from '../link/wire.js';

/** @typedef {{resume: Uint8Array<ArrayBuffer> | null, name: string}} Handed what takes the seat again, and who sits there */

/** A tab that is being loaded again frees its lock a moment later than it is back. */
const RELOAD_MS = 1_000;
/** How long the other tab has to hand the seat over: it may be busy, or put to sleep. */
const HANDOVER_MS = 2_000;

export class Tabs {
  #name;
  #locks;
  /** @type {BroadcastChannel | null} */ #channel = null;
  /** @type {(() => void) | null} */ #release = null;
  #onAsked;
  #onTaken;
  /** @type {(handed: Handed) => void} */ #given = () => {};

  /**
   * @param {string} name of the seat, from nameOf
   * @param {{onAsked: () => Handed, onTaken: () => void, locks?: LockManager | null, Channel?: typeof BroadcastChannel | null}} options
   *   onAsked: another tab wants the seat that this one holds: let go of it;
   *   onTaken: another tab has sat down; locks, Channel: what tests replace
   */
  constructor(name, { onAsked, onTaken, locks = globalThis.navigator?.locks ?? null, Channel = globalThis.BroadcastChannel ?? null }) {
    this.#name = name;
    this.#onAsked = onAsked;
    this.#onTaken = onTaken;
    this.#locks = Channel ? locks : null; // one without the other is no help
    if (!this.#locks || !Channel) return;
    try {
      this.#channel = new Channel(name);
      this.#channel.onmessage = ({ data }) => this.#hear(data);
    } catch {
      this.#locks = null; // blocked with the site's data
    }
  }

  /**
   * Names a seat towards this browser's tabs, without telling whose it is.
   * @param {string} fragment
   */
  static async nameOf(fragment) {
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`ar1 tab ${fragment}`));
    return `anteroom ${toBase64url(new Uint8Array(digest).slice(0, 16))}`;
  }

  /** @returns {Promise<boolean>} whether another tab is in the seat */
  async taken() {
    const mine = this.#release !== null;
    if (!(await this.#lock(RELOAD_MS))) return true;
    if (!mine) this.leave();
    return false;
  }

  /** Sits down. @returns {Promise<boolean>} false: another tab is in the seat */
  async sit() {
    if (!(await this.#lock(RELOAD_MS))) return false;
    this.#channel?.postMessage({ say: 'taken' });
    return true;
  }

  /**
   * Asks the other tab for the seat, and sits down.
   * @returns {Promise<Handed | null>} null: it did not answer
   */
  async take() {
    const handed = await new Promise((done) => {
      const timer = setTimeout(done, HANDOVER_MS, null);
      this.#given = (it) => {
        clearTimeout(timer);
        done(it);
      };
      if (this.#channel) this.#channel.postMessage({ say: 'want' });
      else this.#given(/** @type {any} */ (null));
    });
    this.#given = () => {};
    await this.#lock(RELOAD_MS);
    return handed;
  }

  /** Gets up: another tab may sit down now. */
  leave() {
    this.#release?.();
    this.#release = null;
  }

  /** Ends it for good. */
  close() {
    this.leave();
    this.#channel?.close();
    this.#channel = null;
  }

  /** @param {{say?: unknown, handed?: Handed}} data */
  #hear({ say, handed }) {
    if (say === 'taken' && !this.#release) this.#onTaken();
    if (say === 'given' && handed) this.#given(handed);
    if (say !== 'want' || !this.#release) return;
    this.#channel?.postMessage({ say: 'given', handed: this.#onAsked() });
    this.leave();
  }

  /**
   * @param {number} ms how long to wait for it
   * @returns {Promise<boolean>} also true where the browser cannot tell
   */
  #lock(ms) {
    const locks = this.#locks;
    if (!locks || this.#release) return Promise.resolve(true);
    return new Promise((done) => {
      const patience = new AbortController();
      const timer = setTimeout(() => patience.abort(), ms);
      const held = () => {
        clearTimeout(timer);
        done(true);
        return new Promise((/** @type {(value?: unknown) => void} */ release) => { this.#release = release; });
      };
      locks.request(this.#name, { signal: patience.signal }, held).catch(() => done(!patience.signal.aborted));
    });
  }
}
