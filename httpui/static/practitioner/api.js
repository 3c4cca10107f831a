// The practitioner's own data, over HTTP from the node that served the page.

import { patience, request } from '../kit/request.js';

/**
 * @typedef {{state: 'setup' | 'signed-out' | 'signed-in', practice: string, name: string, names: number}} SessionInfo
 * @typedef {'unused' | 'waiting' | 'admitted' | 'used' | 'revoked' | 'damaged'} GuestState
 * @typedef {{member: string, label: string, state: GuestState, url?: string, link?: boolean, local?: boolean,
 *   tested?: import('../link/wire.js').PathResult, damaged?: boolean}} GuestInfo
 *   url: only of an appointment that was just made; link: there is one that works; local: it works on this computer only; tested: how a call would go from where the guest last tried
 * @typedef {'early' | 'open' | 'ended' | 'cancelled' | 'damaged'} AppointmentState   open: also later, while a guest is here
 * @typedef {{id: string, label: string, starts: number, ends: number, opens: number, closes: number,
 *   state: AppointmentState, test: boolean, hidden: boolean, damaged?: boolean, guests: GuestInfo[]}} Appointment   times in Unix seconds; damaged: something of it cannot be read, and if that is its state, its times are 0
 * @typedef {{kind: 'local' | 'public', text: Message}} Reach
 * @typedef {{now: number, practice: string, practitioner: string, appointments: Appointment[], reach: Reach, relay: boolean,
 *   report: Report | null}} DeskData   report: the newest; null while the node looks at itself for the first time
 * @typedef {{starts: number, minutes: number, label: string, guests: {label: string}[], hide_addresses?: boolean}} NewAppointment
 * @typedef {{member: string, label: string, url: string}} LinkInfo
 * @typedef {{id: string, since: number, seen: number, this: boolean}} SignIn   times in Unix seconds; this: of this browser
 * @typedef {import('../kit/words.js').Message} Message
 * @typedef {{id: string, title: Message, status: 'pass' | 'warn' | 'fail' | 'skip', finding: Message, todo?: Message}} Check
 *   finding: what is so; todo: what to do, if there is something
 * @typedef {{line: Message, summary: Message, at: number, ready: boolean, confirmed: boolean, checks: Check[]}} Report
 *   line: "Ready for calls", or why not; at: Unix seconds by the node's clock; confirmed: somebody got
 *   to the page from outside, or nobody is meant to
 */

const tokenKey = 'anteroom-tab-token';

/** The practice's calls to its node. */
export class Api {
  #storage;
  #token;

  /**
   * @param {Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>} storage of this
   *   tab only: keeps its token over a reload. Without the cookie, which no
   *   script can read, the token opens nothing.
   */
  constructor(storage) {
    this.#storage = storage;
    this.#token = storage.getItem(tokenKey) ?? '';
  }

  /** The token that this tab adds to each request, besides the cookie; "" before tab(). */
  get token() {
    return this.#token;
  }

  /** @returns {Promise<SessionInfo>} */
  session() {
    return this.#ask('GET', '/api/session');
  }

  /** @param {string} token from the launch address @returns {Promise<{state: 'setup' | 'signed-in'}>} */
  launch(token) {
    return this.#ask('POST', '/api/launch', { token });
  }

  /** @param {{practice: string, name: string, password: string}} setup @returns {Promise<void>} */
  setUp(setup) {
    return this.#ask('POST', '/api/setup', setup);
  }

  /** @param {string} name "" when there is one practitioner @param {string} password @returns {Promise<void>} */
  signIn(name, password) {
    return this.#ask('POST', '/api/signin', { name, password });
  }

  /** @param {string} password of whoever is signed in, once more @returns {Promise<void>} */
  confirm(password) {
    return this.#ask('POST', '/api/confirm', { password });
  }

  /** Takes a token for this tab, or keeps its own; the session must be new, or know the tab. */
  async tab() {
    /** @type {{token: string}} */
    const { token } = await this.#ask('POST', '/api/tab');
    this.#token = token;
    this.#storage.setItem(tokenKey, token);
  }

  /** Forgets the tab's token. */
  forget() {
    this.#token = '';
    this.#storage.removeItem(tokenKey);
  }

  /** @returns {Promise<void>} */
  signOut() {
    return this.#ask('POST', '/api/signout');
  }

  /** @returns {Promise<{sessions: SignIn[]}>} the oldest first */
  signIns() {
    return this.#ask('GET', '/api/sessions');
  }

  /** @param {string} id of another session @returns {Promise<{sessions: SignIn[]}>} those that are left */
  endSignIn(id) {
    return this.#ask('POST', `/api/sessions/${encodeURIComponent(id)}/end`);
  }

  /** @returns {Promise<{sessions: SignIn[]}>} this one */
  endOtherSignIns() {
    return this.#ask('POST', '/api/sessions/end-others');
  }

  /** @param {NewAppointment} appointment @returns {Promise<Appointment>} */
  create(appointment) {
    return this.#ask('POST', '/api/appointments', appointment);
  }

  /** @param {string} id @returns {Promise<void>} */
  cancel(id) {
    return this.#ask('POST', `/api/appointments/${encodeURIComponent(id)}/cancel`);
  }

  /** @param {string} id @returns {Promise<{links: LinkInfo[]}>} only soon after a password; else 403, unauthorized */
  links(id) {
    return this.#ask('POST', `/api/appointments/${encodeURIComponent(id)}/links`);
  }

  /** @param {string} member @returns {Promise<void>} */
  revoke(member) {
    return this.#ask('POST', `/api/invites/${encodeURIComponent(member)}/revoke`);
  }

  /** @param {string} member @returns {Promise<LinkInfo>} */
  rotate(member) {
    return this.#ask('POST', `/api/invites/${encodeURIComponent(member)}/rotate`);
  }

  /** @returns {Promise<Appointment>} an echo guest has knocked at it, for which the node waits up to 20 s */
  testCall() {
    return this.#ask('POST', '/api/test-call', {}, 2 * patience);
  }

  /** @returns {Promise<Report>} what stands between patients and the node; it looks for up to 25 s */
  doctor() {
    return this.#ask('POST', '/api/doctor', {}, 2 * patience);
  }

  /**
   * @param {'GET' | 'POST'} method
   * @param {string} path
   * @param {object} [body]
   * @param {number} [wait] ms
   * @returns {Promise<any>}
   */
  #ask(method, path, body, wait = patience) {
    return request(method, path, { body, wait, headers: this.#token ? { 'X-Anteroom-Tab': this.#token } : {} });
  }
}
