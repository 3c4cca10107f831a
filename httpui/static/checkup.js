// Asking the node to look at itself: it takes a while, and happens only when
// somebody wants it.

import { ApiError } from './api.js';
import { apiSentence } from './errors.js';

/**
 * @typedef {import('./api.js').Report} Report
 * @typedef {{busy: boolean, report: Report | null, error: string}} CheckupSnapshot
 *   report: what was found last; error: why the last attempt found nothing, in one sentence
 */

/** @type {CheckupSnapshot} */
const nothingYet = { busy: false, report: null, error: '' };

export class Checkup {
  #api;
  #onChange;
  #onExpired;
  #snapshot = nothingYet;
  #turn = 0; // what comes back to an older one is forgotten

  /**
   * @param {{api: Pick<import('./api.js').Api, 'doctor'>, onChange: (now: CheckupSnapshot) => void,
   *   onExpired: () => void}} options
   */
  constructor({ api, onChange, onExpired }) {
    this.#api = api;
    this.#onChange = onChange;
    this.#onExpired = onExpired;
  }

  get snapshot() {
    return this.#snapshot;
  }

  /** Looks; while it does, a second call does nothing. */
  async run() {
    if (this.#snapshot.busy) return;
    const turn = ++this.#turn;
    this.#say({ ...this.#snapshot, busy: true, error: '' });
    /** @type {CheckupSnapshot} */
    let found;
    try {
      found = { busy: false, report: await this.#api.doctor(), error: '' };
    } catch (err) {
      if (turn !== this.#turn) return;
      const refusal = err instanceof ApiError ? err : new ApiError('internal', '', 0);
      if (refusal.status === 401) this.#onExpired();
      found = { busy: false, report: null, error: apiSentence(refusal) };
    }
    if (turn === this.#turn) this.#say(found);
  }

  /** Forgets what was found, as when somebody else signs in. */
  clear() {
    this.#turn += 1;
    this.#say(nothingYet);
  }

  /** @param {CheckupSnapshot} snapshot */
  #say(snapshot) {
    this.#snapshot = snapshot;
    this.#onChange(snapshot);
  }
}
