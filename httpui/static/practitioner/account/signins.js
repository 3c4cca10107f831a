// Where the practitioner is signed in, asked for when somebody wants to know.

import { ApiError } from '../../kit/request.js';
import { apiSentence } from '../../kit/errors.js';

/**
 * @typedef {import('../api.js').SignIn} SignIn
 * @typedef {{list: SignIn[] | null, error: string}} SignInsSnapshot
 *   list: null before it is known; error: why the last request failed
 */

/** @type {SignInsSnapshot} */
const nothingYet = { list: null, error: '' };

export class SignIns {
  #api;
  #onChange;
  #onExpired;
  #turn = 0; // what comes back to an older one is forgotten

  /**
   * @param {{api: Pick<import('../api.js').Api, 'signIns' | 'endSignIn' | 'endOtherSignIns'>,
   *   onChange: (now: SignInsSnapshot) => void, onExpired: () => void}} options
   */
  constructor({ api, onChange, onExpired }) {
    this.#api = api;
    this.#onChange = onChange;
    this.#onExpired = onExpired;
  }

  load() {
    return this.#ask(() => this.#api.signIns());
  }

  /** @param {string} id of another session */
  end(id) {
    return this.#ask(() => this.#api.endSignIn(id));
  }

  endOthers() {
    return this.#ask(() => this.#api.endOtherSignIns());
  }

  /** Forgets what is known, as when nobody looks any more. */
  clear() {
    this.#turn += 1;
    this.#onChange(nothingYet);
  }

  /** @param {() => Promise<{sessions: SignIn[]}>} request every one answers with the list as it is then */
  async #ask(request) {
    const turn = ++this.#turn;
    try {
      const { sessions } = await request();
      if (turn === this.#turn) this.#onChange({ list: sessions, error: '' });
    } catch (err) {
      if (turn !== this.#turn) return;
      const refusal = err instanceof ApiError ? err : new ApiError('internal', null, 0);
      if (refusal.status === 401) return this.#onExpired();
      this.#onChange({ list: null, error: apiSentence(refusal) });
    }
  }
}
