// A practitioner's call: the waiting room of one appointment, and who was
// admitted from it.

import { encode } from '../link/wire.js';
import { Changes } from '../kit/watch.js';
import { Intents } from './intents.js';
import { Mesh } from './mesh.js';
import { Signal } from '../link/signal.js';
import { createIdentity } from './identity.js';
import { heldNow } from './roster.js';
import { hostHandshake } from '../link/handshake.js';

/**
 * @typedef {import('../link/wire.js').Bytes} Bytes
 * @typedef {import('../link/wire.js').MemberID} MemberID
 * @typedef {import('../link/wire.js').Message} Message
 * @typedef {import('../link/wire.js').Welcome} Welcome
 * @typedef {import('../link/wire.js').RosterEntry} RosterEntry
 * @typedef {import('../link/wire.js').Type} Type
 * @typedef {import('./call.js').HostSnapshot} HostSnapshot
 * @typedef {import('./peer.js').Mode} Mode
 * @typedef {import('./guest-call.js').Platform} Platform
 * @typedef {import('./intents.js').Order} Order
 * @typedef {import('./intents.js').Told} Told
 */
/**
 * Where the practitioner is: near the call, and heard by nobody; in it; or aside,
 * which is as near, while the others are not told yet that it is over.
 * @typedef {'near' | 'in' | 'aside'} Presence
 */

export class HostCall {
  #appointment;
  #token;
  #tab;
  #origin;
  #media;
  #platform;
  #changes = new Changes(() => this.snapshot);
  /** @type {HostSnapshot['phase']} */ #phase = 'connecting';
  /** @type {'online' | 'reconnecting'} */ #connection = 'reconnecting';
  /** @type {string | null} */ #code = null;
  /** @type {HostSnapshot['refusal']} */ #refusal = null;
  /** @type {Welcome | null} */ #welcome = null;
  /** @type {RosterEntry[]} */ #roster = [];
  /** @type {Set<MemberID>} */ #held = new Set();
  #locked = false;
  #intents = new Intents();
  /** @type {Set<MemberID>} */ #alarm = new Set();
  /** @type {Presence} */ #presence = 'near';
  #take = false;
  /** @type {Mesh | null} */ #mesh = null;
  /** @type {Signal | null} */ #signal = null;
  #lives = 0; // a start that was overtaken by another, or by the end, stops

  /**
   * @param {{appointment: string, token: string, tab: Bytes, origin: string, media: import('./media.js').Media, platform?: Platform}} options
   *   token: the tab's header token; tab: 16 bytes, random per tab; origin: of the page, "https://…"
   */
  constructor({ appointment, token, tab, origin, media, platform = {} }) {
    this.#appointment = appointment;
    this.#token = token;
    this.#tab = tab;
    this.#origin = origin;
    this.#media = media;
    this.#platform = platform;
  }

  /** @returns {HostSnapshot} */
  get snapshot() {
    const guests = this.#guests;
    return Object.freeze({
      appointment: this.#appointment,
      phase: this.#phase,
      connection: this.#connection,
      code: this.#code,
      refusal: this.#refusal,
      welcome: this.#welcome,
      waiting: guests.filter((m) => this.#modeOf(m) === 'prepared' && !this.#intents.hasLeft(m.member)),
      members: guests.filter((m) => this.#modeOf(m) !== 'prepared').map((m) => this.#intents.ordered(m)),
      locked: this.#intents.lock ?? this.#locked,
      peers: this.#mesh?.views(guests.map(({ member, role, name = '', label = '' }) => ({ member, role, name, label }))) ?? [],
      chat: this.#mesh?.chat ?? [],
      alarm: [...this.#alarm],
    });
  }

  /** The node has confirmed whatever was decided here. */
  get settled() {
    return this.#intents.settled;
  }

  /** @param {(snapshot: HostSnapshot) => void} watch @returns {() => void} stops it */
  subscribe(watch) {
    return this.#changes.subscribe(watch);
  }

  /**
   * Attends the appointment: hears who knocks. No camera is needed for that.
   * @param {{take?: boolean}} [options] take: even if another tab attends it
   */
  start({ take = false } = {}) {
    if (this.#phase === 'ended' || (this.#signal && this.#phase !== 'elsewhere')) return;
    this.#take = take;
    this.#phase = 'connecting';
    this.#code = null;
    this.#begin(++this.#lives).catch(() => this.#end('unsupported'));
    this.#changes.changed();
  }

  /**
   * The practitioner is in this call now: whoever is admitted sees and hears
   * them, and they see and hear whoever is admitted. Admitting implies it.
   */
  enter() {
    if (this.#presence === 'in') return;
    this.#presence = 'in';
    this.#arrange();
  }

  /**
   * Lets a guest in, as soon as there is a connection and if they still wait.
   * @param {MemberID} member
   */
  admit(member) {
    const state = this.#entry(member)?.state;
    if (state === undefined) return this.#refuse('no-such-room');
    if (state !== 'waiting') return;
    this.#presence = 'in';
    this.#letIn(member);
    if (!this.#intents.admits(member)) this.#refuse('offline');
    this.#arrange();
  }

  /** @param {MemberID} member who waits */
  deny(member) {
    this.#sendAway(member, 'deny');
  }

  /** @param {MemberID} member who was admitted; nothing reaches them from this moment */
  remove(member) {
    this.#sendAway(member, 'remove');
  }

  /**
   * Puts an admitted guest where nobody hears or sees them, or back.
   * @param {MemberID} member @param {boolean} on
   */
  hold(member, on) {
    if (this.#modeOf(this.#entry(member)) === 'prepared') return;
    if (!on) this.#held.delete(member); // of a member whose page is away the roster does not say so
    this.#order(member, on ? 'hold' : 'resume');
  }

  /** @param {boolean} on keeps further guests from knocking */
  lock(on) {
    this.#tell(this.#intents.setLock(on));
    this.#changes.changed();
  }

  /** Nobody hears or sees the practitioner any more; the others are told of nothing until enter, leave or end. */
  stepAside() {
    if (this.#presence !== 'in') return;
    this.#presence = 'aside';
    this.#arrange();
  }

  /** Ends the call for everyone in it. The room stays attended: somebody may still come. */
  end() {
    this.#stepOut('end');
  }

  /** Steps out: the home node puts admitted guests back into the waiting room. */
  leave() {
    this.#stepOut('leave');
  }

  close() {
    this.#end('left');
  }

  /** @param {string} text @returns {boolean} whether anybody was there to read it */
  sendChat(text) {
    return this.#mesh?.sendChat(text) ?? false;
  }

  /** @param {number} life */
  async #begin(life) {
    const identity = await createIdentity(this.#platform.rtc);
    if (life !== this.#lives) return;
    this.#mesh = new Mesh(identity, {
      media: this.#media,
      send: (type, body) => this.#signal?.send(type, body) ?? false,
      online: () => this.#signal?.online ?? false,
      onChange: () => this.#changes.changed(),
      onTrouble: () => this.#signal?.probe(),
      nameOf: (member) => this.#nameOf(member),
      rtc: this.#platform.rtc,
    });
    const attend = () => encode('attend', { appointment: this.#appointment, tab: this.#tab, token: this.#token, fp: identity.fingerprint, take: this.#take });
    this.#signal = new Signal(`${this.#origin.replace(/^http/, 'ws')}/ws/host`, hostHandshake(attend), {
      onWelcome: (welcome) => this.#onWelcome(welcome),
      onMessage: (message) => this.#onMessage(message),
      onState: (state, code) => this.#onState(state === 'online' ? 'online' : 'reconnecting', code),
      onEnd: (code) => this.#onEnd(code),
    }, this.#platform);
    this.#signal.start();
  }

  /** @param {Welcome} welcome */
  #onWelcome(welcome) {
    this.#take = false; // taken over once; from now on this tab has it
    for (const told of this.#intents.resume(this.#locked)) this.#tell(told);
    this.#welcome = welcome;
    this.#phase = 'attending';
    this.#mesh?.configure(welcome);
    this.#changes.changed();
  }

  /** @param {'online' | 'reconnecting'} state @param {string | null} code */
  #onState(state, code) {
    this.#connection = state;
    this.#code = code;
    this.#changes.changed();
  }

  /** @param {string} code */
  #onEnd(code) {
    if (code !== 'host-elsewhere' && code !== 'replaced') return this.#end(code);
    this.#stop();
    this.#code = code;
    this.#phase = 'elsewhere';
    this.#changes.changed();
  }

  /** @param {Message} message */
  #onMessage({ type, body }) {
    switch (type) {
      case 'roster':
        return this.#onRoster(body);
      case 'introduce':
        return this.#mesh?.place(body.member, this.#modeOf(this.#entry(body.member))).introduce(body);
      case 'description':
        return this.#mesh?.peer(body.peer)?.description(body.kind, body.sdp);
      case 'candidate':
        return this.#mesh?.peer(body.peer)?.candidate(body.candidate, body.mid);
      case 'relays':
        if (!this.#welcome) return;
        this.#welcome = { ...this.#welcome, ...body };
        this.#mesh?.configure(this.#welcome);
        return this.#changes.changed();
      case 'alarm':
        this.#alarm.add(body.member);
        return this.#changes.changed();
      case 'error':
        // Who left before they were let in is not in the roster either. Otherwise this answers something stale, as a candidate for them.
        if (body.code !== 'no-such-room') this.#refuseAll(body.code);
        return;
      default: // a guest's, or of a later version
    }
  }

  /** @param {{members: RosterEntry[], locked: boolean}} roster */
  #onRoster({ members, locked }) {
    this.#roster = members;
    this.#held = heldNow(this.#held, members);
    this.#locked = locked;
    const { waiting, gone } = this.#intents.confirm(members, locked);
    for (const member of waiting) this.#letIn(member);
    for (const _ of gone) this.#refuse('no-such-room');
    this.#arrange();
  }

  /** @param {MemberID} member @param {'deny' | 'remove'} order */
  #sendAway(member, order) {
    if (this.#entry(member)) this.#order(member, order);
  }

  /** @param {MemberID} member @param {Order} order */
  #order(member, order) {
    this.#tell(this.#intents.order(member, order));
    this.#arrange();
  }

  /**
   * Tells the node, with one message if the guest's offer has come.
   * @param {MemberID} member
   */
  #letIn(member) {
    this.#intents.admit(member, false);
    if (!this.#signal?.online) return;
    const sdp = this.#mesh?.peer(member)?.takeAnswer() ?? '';
    this.#intents.admit(member, this.#send('admit', { member, ...(sdp === '' ? {} : { sdp }) }));
    const order = this.#intents.orderOf(member);
    if (order) this.#tell(order);
  }

  /** @param {string} code why the node did not let in whom it was told to */
  #refuseAll(code) {
    if (!this.#intents.refused()) return;
    this.#refuse(code);
    this.#arrange();
  }

  /** @param {string} code why somebody was not let in, or not yet */
  #refuse(code) {
    this.#refusal = Object.freeze({ code });
    this.#changes.changed();
  }

  /** Puts everyone where the roster and the orders say. */
  #arrange() {
    const guests = this.#guests;
    this.#mesh?.keepOnly(new Set(guests.map((m) => m.member)));
    for (const entry of guests) if (this.#mesh?.has(entry.member)) this.#mesh.place(entry.member, this.#modeOf(entry));
    for (const member of this.#alarm) if (!guests.some((m) => m.member === member)) this.#alarm.delete(member);
    this.#changes.changed();
  }

  /**
   * Who waits is prepared, so that letting them in takes one message; whoever
   * was admitted is connected, and in the call if the practitioner is.
   * @param {RosterEntry | undefined} entry
   * @returns {Mode}
   */
  #modeOf(entry) {
    if (!entry || this.#intents.hasLeft(entry.member) || (entry.state === 'waiting' && !this.#intents.admits(entry.member))) return 'prepared';
    return this.#presence !== 'in' || this.#intents.holds(entry.member, this.#held.has(entry.member)) ? 'held' : 'open';
  }

  /** Who is here, without those who were sent away. */
  get #guests() {
    return this.#intents.guests(this.#roster);
  }

  /** @param {MemberID} member */
  #entry(member) {
    return this.#guests.find((m) => m.member === member);
  }

  /** @param {MemberID} member */
  #nameOf(member) {
    const entry = this.#entry(member);
    return entry?.name || entry?.label || '';
  }

  /**
   * @template {Type} T
   * @param {T} type @param {import('../link/wire.js').Bodies[T]} body
   */
  #send(type, body) {
    return this.#signal?.send(type, body) ?? false;
  }

  /** @param {Told} told */
  #tell({ type, body }) {
    this.#send(type, body);
  }

  /**
   * No sound or picture flows from this moment, whether or not the node hears of it now.
   * @param {'leave' | 'end'} how
   */
  #stepOut(how) {
    if (this.#presence === 'near') return;
    this.#presence = 'near';
    const told = this.#intents.stepOut(how, this.#roster);
    this.#mesh?.forgetChat();
    this.#tell(told);
    this.#arrange();
  }

  /** @param {string} code */
  #end(code) {
    if (this.#phase === 'ended') return;
    this.#stop();
    this.#code = code;
    this.#phase = 'ended';
    this.#changes.changed();
  }

  #stop() {
    this.#lives++;
    this.#mesh?.close();
    this.#signal?.close();
    this.#mesh = null;
    this.#signal = null;
    this.#roster = [];
    this.#locked = false;
    this.#intents = new Intents();
    this.#presence = 'near';
    this.#connection = 'online';
  }
}
