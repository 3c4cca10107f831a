// Where the practitioner is signed in, asked for when somebody wants to know.

import { Turn } from '../../kit/request.js';
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
  #turn;

  /**
   * @param {{api: Pick<import('../api.js').Api, 'signIns' | 'endSignIn' | 'endOtherSignIns'>,
   *   onChange: (now: SignInsSnapshot) => void, onExpired: () => void}} options
   */
  constructor({ api, onChange, onExpired }) {
    this.#api = api;
    this.#onChange = onChange;
    this.#turn = new Turn(onExpired);
  }

  load() {
    return this.#learn(this.#api.signIns());
  }

  /** @param {string} id of another session */
  end(id) {
    return this.#learn(this.#api.endSignIn(id));
  }

  endOthers() {
    return this.#learn(this.#api.endOtherSignIns());
  }

  /** Forgets what is known, as when nobody looks any more. */
  clear() {
    this.#turn.drop();
    this.#onChange(nothingYet);
  }

  /** @param {Promise<{sessions: SignIn[]}>} answer every one has the list as it is then */
  #learn(answer) {
    return this.#turn.take(answer, {
      done: ({ sessions }) => this.#onChange({ list: sessions, error: '' }),
      refused: (err) => this.#onChange({ list: null, error: apiSentence(err) }),
    });
  }
}
