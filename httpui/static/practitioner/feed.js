// The diary as the node pushes it.

import { ApiError } from '../kit/request.js';

/**
 * @typedef {import('./api.js').Api} Api
 * @typedef {import('./api.js').Appointment} Appointment
 * @typedef {import('./api.js').DeskData} DeskData
 */

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
