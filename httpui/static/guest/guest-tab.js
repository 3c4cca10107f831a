// The guest's tab between two loads of its page, and beside this browser's
// other tabs: what it comes back with, and which of them is in the seat.

import { Tabs } from './tabs.js';
import { Ticket } from './ticket.js';
import { isOver } from '../link/wire.js';

/**
 * @typedef {import('./ticket.js').Visit} Visit
 * @typedef {import('./tabs.js').Handed} Handed
 * @typedef {import('../link/wire.js').Welcome} Welcome
 */

/** A call may run on after its window: as long as a relay's place for it does. */
const AFTER_MS = 4 * 60 * 60_000;

export class GuestTab {
  #ticket;
  #others;
  #platform;
  /** @type {Tabs | null} */ #tabs = null;
  /** @type {Visit | null} */ #visit = null;

  /**
   * @param {{onAsked: () => Handed, onTaken: () => void}} others as of Tabs
   * @param {{ticket?: Ticket, locks?: LockManager | null, Channel?: typeof BroadcastChannel | null}} [platform] what tests replace
   */
  constructor(others, { ticket = new Ticket(), ...platform } = {}) {
    this.#others = others;
    this.#ticket = ticket;
    this.#platform = platform;
  }

  /**
   * Begins a visit with the link that the tab was opened with, or goes on with
   * the one that it had.
   * @param {string} fragment without "#"; "" if there was none
   * @returns {Promise<(Visit & {taken: boolean}) | null>} null: there is no link;
   *   taken: another tab of this browser is in the seat
   */
  async begin(fragment) {
    const kept = await this.#ticket.read();
    const visit = fragment === '' || kept?.fragment === fragment ? kept : null;
    this.#tabs?.close();
    this.#tabs = null;
    this.#visit = visit ?? (fragment === '' ? null : { fragment, name: '', devices: {}, until: 0 });
    if (!this.#visit) return null;
    const { fragment: link } = this.#visit;
    this.#tabs = new Tabs(await Tabs.nameOf(link), { ...this.#others, ...this.#platform });
    return { ...this.#visit, taken: await this.#tabs.taken() };
  }

  /** @param {Welcome} welcome the link is good, and until when */
  welcomed({ state, now, closes }) {
    if (!isOver(state)) this.#keep({ until: Date.now() + Math.max(0, closes - now) * 1000 + AFTER_MS });
  }

  /** @param {string} name @returns {Promise<boolean>} whether the seat is this tab's to take */
  async sit(name) {
    if (!(await (this.#tabs?.sit() ?? true))) return false;
    this.#keep({ name });
    return true;
  }

  /** @param {MediaDeviceKind} kind @param {string} id of the device that was chosen */
  choose(kind, id) {
    this.#keep({ devices: { ...this.#visit?.devices, [kind]: id } });
  }

  /** @returns {Promise<Handed | null>} what the tab that was in the seat has given, if it answered */
  async take() {
    return (await this.#tabs?.take()) ?? null;
  }

  /** @param {string} code why the call has ended */
  ended(code) {
    this.#tabs?.leave();
    if (code === 'moved' || code === 'replaced') this.#ticket.drop();
    else if (code === 'left' || isOver(code)) void this.#ticket.forget();
  }

  /** The page goes: the tab may come back, or another may sit down. */
  hide() {
    this.#tabs?.leave();
  }

  /** @param {Partial<Visit>} patch */
  #keep(patch) {
    if (!this.#visit) return;
    this.#visit = { ...this.#visit, ...patch };
    if (this.#visit.until > 0) void this.#ticket.keep(this.#visit);
  }
}
