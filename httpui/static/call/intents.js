// What the practitioner decided and the home node has not confirmed. It holds at
// once, whatever becomes of the message, until a roster says the same. PROTOCOL.md,
// "Joining".

/**
 * @typedef {import('../link/wire.js').MemberID} MemberID
 * @typedef {import('../link/wire.js').RosterEntry} RosterEntry
 * @typedef {'deny' | 'remove' | 'hold' | 'resume'} Order   about one guest
 * @typedef {'leave' | 'end'} Exit   how the practitioner stepped out of the call
 * @typedef {{type: 'deny' | 'remove', body: {member: MemberID}} | {type: 'hold', body: {member: MemberID, on: boolean}}
 *         | {type: 'lock', body: {on: boolean}} | {type: Exit, body: {}}} Told   what the home node is told
 */

/** What a roster says of a member once the order is carried out. @type {Record<Order, RosterEntry['state'] | undefined>} */
const OUTCOME = { deny: undefined, remove: undefined, hold: 'held', resume: 'admitted' };

export class Intents {
  /** @type {Map<MemberID, Order>} the last about each */ #orders = new Map();
  /** @type {Map<MemberID, boolean>} who is to be let in; whether the node was told on this connection */ #admissions = new Map();
  /** @type {Set<MemberID>} who was in the call when the practitioner stepped out */ #left = new Set();
  /** @type {Exit} how that was */ #exit = 'leave';
  /** @type {boolean | null} whether further guests are to be kept from knocking */ #lock = null;

  /** Whether the node has confirmed whatever was decided. */
  get settled() {
    return this.#orders.size + this.#admissions.size + this.#left.size === 0 && this.#lock === null;
  }

  /** @returns {boolean | null} null if nothing was decided that is not confirmed */
  get lock() {
    return this.#lock;
  }

  /** @param {boolean} on @returns {Told} */
  setLock(on) {
    this.#lock = on;
    return { type: 'lock', body: { on } };
  }

  /** @param {MemberID} member @param {Order} order @returns {Told} */
  order(member, order) {
    this.#orders.set(member, order);
    if (order === 'deny' || order === 'remove') this.#admissions.delete(member);
    return told(member, order);
  }

  /** @param {MemberID} member @returns {Told | null} the order about somebody that stands */
  orderOf(member) {
    const order = this.#orders.get(member);
    return order ? told(member, order) : null;
  }

  /** @param {MemberID} member who is to be let in @param {boolean} heard whether the node was told so now */
  admit(member, heard) {
    this.#admissions.set(member, heard);
  }

  /** @param {MemberID} member @returns {boolean} whether they are on their way in, and the node was told */
  admits(member) {
    return this.#admissions.get(member) ?? false;
  }

  /** The node refused to let in whom it was told to. @returns {boolean} whether there was anybody */
  refused() {
    const refused = [...this.#admissions].filter(([, heard]) => heard);
    for (const [member] of refused) this.#admissions.delete(member);
    return refused.length > 0;
  }

  /** The practitioner steps out: nobody is on their way in any more. @param {Exit} exit @param {RosterEntry[]} roster @returns {Told} */
  stepOut(exit, roster) {
    this.#exit = exit;
    for (const { member, role, state } of roster) if (role === 'guest' && state !== 'waiting') this.#left.add(member);
    for (const [member, heard] of this.#admissions) if (heard) this.#left.add(member);
    this.#admissions.clear();
    return { type: exit, body: {} };
  }

  /** @param {MemberID} member @returns {boolean} whether the practitioner stepped out of a call with them */
  hasLeft(member) {
    return this.#left.has(member);
  }

  /** @param {RosterEntry[]} roster @returns {RosterEntry[]} the guests in it, without those who were sent away */
  guests(roster) {
    return roster.filter(({ member, role }) => {
      const order = this.#orders.get(member);
      return role === 'guest' && order !== 'deny' && order !== 'remove';
    });
  }

  /** @param {MemberID} member @param {boolean} held as the roster says @returns {boolean} whether they are to be on hold */
  holds(member, held) {
    const order = this.#orders.get(member);
    return order === 'hold' || (held && order !== 'resume');
  }

  /** @param {RosterEntry} entry @returns {RosterEntry} as it will be */
  ordered(entry) {
    const order = this.#orders.get(entry.member);
    if (order === 'hold') return { ...entry, state: 'held' };
    return order === 'resume' && entry.state === 'held' ? { ...entry, state: 'admitted' } : entry;
  }

  /**
   * There is a new connection, and the last one may have been lost before
   * anything was heard on it. Who is to be let in shows in the roster that follows.
   * @param {boolean} locked as the node last said: one that has started again has forgotten it
   * @returns {Told[]}
   */
  resume(locked) {
    if (locked) this.#lock ??= true;
    for (const member of this.#admissions.keys()) this.#admissions.set(member, false);
    return [
      ...[...this.#orders].map(([member, order]) => told(member, order)),
      ...(this.#lock === null ? [] : [this.setLock(this.#lock)]),
      ...(this.#left.size === 0 ? [] : [/** @type {Told} */ ({ type: this.#exit, body: {} })]),
    ];
  }

  /**
   * Forgets what a roster confirms, and what was about members who have gone.
   * @param {RosterEntry[]} roster @param {boolean} locked
   * @returns {{waiting: MemberID[], gone: MemberID[]}} of those to be let in: for whom the node must be asked, and who is not there any more
   */
  confirm(roster, locked) {
    if (this.#lock === locked) this.#lock = null;
    const here = new Map(this.guests(roster).map(({ member, state }) => [member, state]));
    /** @type {MemberID[]} */ const waiting = [];
    /** @type {MemberID[]} */ const gone = [];
    for (const [member, heard] of this.#admissions) {
      const state = here.get(member);
      if (state !== 'waiting') this.#admissions.delete(member);
      else if (!heard) waiting.push(member);
      if (state === undefined) gone.push(member);
    }
    for (const [member, order] of this.#orders) {
      const state = roster.find((m) => m.member === member)?.state;
      // Who waits is in no call, so they cannot be put on hold or taken back, unless they are on their way in.
      const outside = OUTCOME[order] !== undefined && state === 'waiting' && !this.#admissions.has(member);
      if (state === undefined || state === OUTCOME[order] || outside) this.#orders.delete(member);
    }
    const stays = new Map(this.guests(roster).map(({ member, state }) => [member, state]));
    for (const member of this.#left) if ((stays.get(member) ?? 'waiting') === 'waiting') this.#left.delete(member);
    return { waiting, gone };
  }
}

/** @param {MemberID} member @param {Order} order @returns {Told} */
function told(member, order) {
  return order === 'deny' || order === 'remove' ? { type: order, body: { member } } : { type: 'hold', body: { member, on: order === 'hold' } };
}
