// The practitioner's own data, over HTTP from the node that served the page.

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
 * @typedef {import('./words.js').Message} Message
 * @typedef {{id: string, title: Message, status: 'pass' | 'warn' | 'fail' | 'skip', finding: Message, todo?: Message}} Check
 *   finding: what is so; todo: what to do, if there is something
 * @typedef {{line: Message, summary: Message, at: number, ready: boolean, confirmed: boolean, checks: Check[]}} Report
 *   line: "Ready for calls", or why not; at: Unix seconds by the node's clock; confirmed: somebody got
 *   to the page from outside, or nobody is meant to
 */

/** A refusal by the node, or the news that it cannot be reached (code "offline"). */
export class ApiError extends Error {
  /**
   * @param {string} code
   * @param {Message | null} said what it says to people
   * @param {number} status HTTP, 0 when there was no answer
   * @param {number} [retryAfter] seconds
   */
  constructor(code, said, status, retryAfter = 0) {
    super(code);
    this.said = said;
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

const tokenKey = 'anteroom-tab-token';

/** How long a request may take before the node counts as unreachable. */
const patience = 15_000;

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
  async #ask(method, path, body, wait = patience) {
    /** @type {Record<string, string>} */
    const headers = {};
    if (method === 'POST') headers['Content-Type'] = 'application/json';
    if (this.#token) headers['X-Anteroom-Tab'] = this.#token;
    let response;
    try {
      response = await fetch(path, {
        method,
        headers,
        ...(method === 'POST' && { body: JSON.stringify(body ?? {}) }),
        signal: AbortSignal.timeout(wait),
      });
    } catch {
      throw new ApiError('offline', null, 0);
    }
    const answer = await response.json().catch(() => null);
    if (response.ok) return answer;
    const { code = 'internal', message = null } = answer ?? {};
    throw new ApiError(code, message, response.status, Number(response.headers.get('Retry-After')) || 0);
  }
}

/** Seconds before another try at the feed, after the first, second, … failure. */
const waits = [0.5, 1, 2, 5];

/**
 * The diary as the node pushes it, over a WebSocket that comes back by itself.
 * The first message on each socket holds all of it, those after it only the
 * appointments that have changed, and the ids of those that are gone.
 */
export class DeskFeed {
  #api;
  #origin;
  #onDesk;
  #onState;
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;
  #failures = 0;
  /** @type {Map<string, Appointment>} by id, as the latest socket told them */ #appointments = new Map();
  #delivered = false; // the latest socket brought a desk, so its token was good
  #closed = false;

  /**
   * @param {{api: Api, origin: string, onDesk: (desk: DeskData) => void,
   *   onState: (state: 'online' | 'offline' | 'signed-out') => void}} options
   */
  constructor({ api, origin, onDesk, onState }) {
    this.#api = api;
    this.#origin = origin;
    this.#onDesk = onDesk;
    this.#onState = onState;
  }

  open() {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    const socket = new WebSocket(this.#origin.replace(/^http/u, 'ws') + '/ws/desk', 'ar1');
    this.#socket = socket;
    this.#delivered = false;
    this.#appointments.clear();
    socket.onopen = () => socket.send(JSON.stringify({ token: this.#api.token }));
    socket.onmessage = ({ data }) => {
      this.#failures = 0;
      this.#delivered = true;
      this.#onState('online');
      this.#onDesk(this.#merged(JSON.parse(data)));
    };
    socket.onclose = () => {
      if (socket === this.#socket) void this.#lost();
    };
  }

  /** @param {DeskData & {gone: string[]}} change @returns {DeskData} the whole diary after it */
  #merged({ gone, appointments, ...rest }) {
    for (const id of gone) this.#appointments.delete(id);
    for (const appointment of appointments) this.#appointments.set(appointment.id, appointment);
    const all = [...this.#appointments.values()].sort((a, b) => a.starts - b.starts || (a.id < b.id ? -1 : 1));
    return { ...rest, appointments: all };
  }

  /** Tries at once instead of waiting, as when the network is back. */
  hurry() {
    if (this.#socket === null) this.open();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#socket = null;
  }

  /** The socket is gone: because the session is, or because the node is. */
  async #lost() {
    this.#socket = null;
    if (this.#closed) return;
    const wait = waits[Math.min(this.#failures, waits.length - 1)] ?? 5;
    this.#failures += 1;
    try {
      const { state } = await this.#api.session();
      if (state !== 'signed-in') return this.#onState('signed-out');
      if (!this.#delivered) await this.#api.tab(); // the node may have forgotten this tab
    } catch (err) {
      if (err instanceof ApiError && err.status === 401) return this.#onState('signed-out');
    }
    if (this.#closed || this.#socket) return;
    if (this.#failures > 1) this.#onState('offline');
    this.#timer = setTimeout(() => this.open(), wait * 1000);
  }
}
