import { ApiError, asApiError } from '../../kit/request.js';
import { keepsCookies } from '../../kit/storage.js';

/**
 * @typedef {import('../api.js').Api} Api
 * @typedef {'loading' | 'offline' | 'no-cookies' | 'closed' | 'setup' | 'signed-out' | 'signed-in'} SessionPhase
 *   no-cookies: this browser would forget who has signed in; closed: nobody has set this node up, and this page has no permission to
 * @typedef {'expired' | 'left' | 'unconfirmed' | 'launch-used'} SessionNotice
 *   unconfirmed: signed out here, though for the node the session may go on
 * @typedef {{phase: SessionPhase, practice: string, name: string, names: number, busy: boolean,
 *   error: ApiError | null, notice: SessionNotice | null}} SessionSnapshot
 */

/** Who uses this page: nobody yet, somebody setting up, a practitioner. */
export class Session {
  #api;
  #onChange;
  #cookies;
  /** @type {SessionSnapshot} */
  #now = { phase: 'loading', practice: '', name: '', names: 1, busy: false, error: null, notice: null };

  /**
   * @param {{api: Api, onChange: (now: SessionSnapshot) => void, cookies?: () => boolean}} options
   *   cookies: whether the browser keeps any
   */
  constructor({ api, onChange, cookies = keepsCookies }) {
    this.#api = api;
    this.#cookies = cookies;
    this.#onChange = onChange;
  }

  get snapshot() {
    return this.#now;
  }

  /** @param {string} launch the one-time token of the launch address, or "" */
  async begin(launch) {
    if (!this.#cookies()) return this.#set({ phase: 'no-cookies' }); // and the launch address stays good
    this.#set({ phase: 'loading', error: null });
    /** @type {SessionNotice | null} */
    let notice = null;
    let setup = false;
    /** @type {ApiError | null} */
    let refused = null;
    try {
      if (launch) {
        try {
          setup = (await this.#api.launch(launch)).state === 'setup';
        } catch (err) {
          if (!(err instanceof ApiError) || err.status === 0) throw err;
          if (err.status === 401) notice = 'launch-used';
          else refused = err; // and the address stays good
        }
      }
      const { state, practice, name, names } = await this.#api.session();
      if (state === 'signed-in') await this.#api.tab();
      const phase = state === 'setup' && !setup ? 'closed' : state;
      this.#set({ phase, practice, name, names, notice: phase === 'signed-in' ? null : notice, error: phase === 'signed-in' ? null : refused });
    } catch (err) {
      this.#set({ phase: 'offline', error: asApiError(err) });
    }
  }

  /** @param {{practice: string, name: string, password: string}} answers */
  setUp(answers) {
    return this.#enter(() => this.#api.setUp(answers));
  }

  /** @param {string} name @param {string} password */
  signIn(name, password) {
    return this.#enter(() => this.#api.signIn(name, password));
  }

  async signOut() {
    const notice = await this.#api.signOut().then(() => /** @type {const} */ ('left'), () => /** @type {const} */ ('unconfirmed'));
    this.#api.forget(); // in any case
    this.#set({ phase: 'signed-out', notice, error: null });
  }

  /** The node no longer knows this session. */
  expired() {
    if (this.#now.phase !== 'signed-in') return;
    this.#api.forget();
    this.#set({ phase: 'signed-out', notice: 'expired', error: null });
  }

  /** @param {() => Promise<void>} how */
  async #enter(how) {
    if (this.#now.busy) return;
    this.#set({ busy: true, error: null });
    try {
      await how();
      await this.#api.tab();
      const { practice, name, names } = await this.#api.session();
      this.#set({ phase: 'signed-in', practice, name, names, busy: false, notice: null });
    } catch (err) {
      this.#set({ busy: false, error: asApiError(err) });
    }
  }

  /** @param {Partial<SessionSnapshot>} patch */
  #set(patch) {
    this.#now = { ...this.#now, ...patch };
    this.#onChange(this.#now);
  }
}
