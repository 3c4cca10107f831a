// A guest's call: from a link to a conversation.

import { HOST, MAX_NAME, fromBase64url, isOver, tidyText, toBase64url } from '../link/wire.js';
import { Changes } from '../kit/watch.js';
import { Mesh } from './mesh.js';
import { Signal } from '../link/signal.js';
import { constantTimeEqual, linkKeys, parseLink } from '../link/seal.js';
import { createIdentity } from './identity.js';
import { guestHandshake } from '../link/handshake.js';
import { heldNow } from './roster.js';

/**
 * @typedef {import('../link/wire.js').Bytes} Bytes
 * @typedef {import('../link/wire.js').Message} Message
 * @typedef {import('../link/wire.js').SeatState} SeatState
 * @typedef {import('../link/wire.js').Welcome} Welcome
 * @typedef {import('../link/wire.js').ICEServer} ICEServer
 * @typedef {import('../link/wire.js').RosterEntry} RosterEntry
 * @typedef {import('../link/wire.js').Introduce} Introduce
 * @typedef {import('./call.js').GuestSnapshot} GuestSnapshot
 * @typedef {import('./call.js').GuestPhase} GuestPhase
 * @typedef {import('./identity.js').Identity} Identity
 */
/** @typedef {import('../link/signal.js').Platform & {rtc?: typeof RTCPeerConnection, handshake?: typeof import('../link/seal.js').handshake}} Platform what tests replace */
/** @typedef {Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>} TabStorage of this tab only; holds the resume token, never the link or a name */

/** How often a guest looks whether an occupied seat is free, and for how long: it is kept for 45 s after its device has gone. */
const LOOK_MS = 10_000;
const PATIENCE_MS = 60_000;

export class GuestCall {
  #origin;
  #media;
  #storage;
  #platform;
  #open; // () => Keys; holds the link's secret until it was used
  #changes = new Changes(() => this.snapshot);
  /** @type {GuestPhase} */ #phase = 'opening';
  /** @type {'online' | 'reconnecting'} */ #connection = 'reconnecting';
  /** @type {string | null} */ #code = null;
  /** @type {Welcome | null} */ #welcome = null;
  /** @type {Bytes | null} hash of the present handshake */ #h = null;
  /** @type {string | null} */ #self = null;
  /** @type {string | null} what the person says they are called, once they pressed Join */ #name = null;
  #alarm = false;
  /** @type {RosterEntry[]} */ #roster = [];
  /** @type {Set<string>} */ #held = new Set();
  /** @type {Identity | null} */ #identity = null;
  /** @type {Mesh | null} */ #mesh = null;
  /** @type {Signal | null} */ #signal = null;
  /** @type {ReturnType<typeof guestHandshake> | null} */ #shake = null;
  #storageKey = '';
  /** @type {Bytes | null} what takes the seat again */ #resume = null;
  #opened = false;
  #patience = 0; // until when an occupied seat is waited for; 0: nobody said that it is occupied
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #look;
  /** @type {import('../link/wire.js').PathResult | null} found out, and not told yet */ #tested = null;

  /**
   * @param {{fragment: string, origin: string, media: import('./media.js').Media, storage: TabStorage, platform?: Platform}} options
   *   fragment: the link's, or the whole link; origin: of the page, "https://…"
   */
  constructor({ fragment, origin, media, storage, platform = {} }) {
    this.#open = () => linkKeys(parseLink(fragment));
    this.#origin = origin;
    this.#media = media;
    this.#storage = storage;
    this.#platform = platform;
  }

  /** @returns {GuestSnapshot} */
  get snapshot() {
    return Object.freeze({
      phase: this.#phase,
      connection: this.#connection,
      code: this.#code,
      welcome: this.#welcome,
      self: this.#self,
      alarm: this.#alarm,
      peers: this.#mesh?.views(this.#others()) ?? [],
      chat: this.#mesh?.chat ?? [],
    });
  }

  /** @param {(snapshot: GuestSnapshot) => void} watch @returns {() => void} stops it */
  subscribe(watch) {
    return this.#changes.subscribe(watch);
  }

  /** Finds the practice. Nobody hears of it, and no seat is taken. */
  open() {
    if (this.#opened) return;
    this.#opened = true;
    this.#begin().catch((err) => this.#end(err?.code ?? 'unsupported'));
  }

  /**
   * Knocks. At an occupied seat it is a look whether it is free now.
   * @param {string} name what the practitioner is told
   * @param {{resume?: Bytes | null, patient?: boolean}} [options] resume: what takes
   *   again a seat that another tab of this browser had; patient: that tab may be in
   *   it still, so it is waited for, and nobody is alarmed
   */
  join(name, { resume = null, patient = false } = {}) {
    const tidy = tidyText(name, MAX_NAME);
    if (this.#look) return this.#connect();
    if (tidy === '' || this.#phase !== 'ready') return;
    this.#name = tidy;
    this.#code = null;
    this.#resume = resume ?? this.#resume;
    if (patient) this.#patience = Date.now() + PATIENCE_MS;
    this.#setPhase('joining');
    if (!this.#signal) return;
    if (patient) {
      this.#signal.close();
      return this.#connect(); // a new welcome says whether it is free
    }
    this.#signal.idle = false;
    if (!this.#signal.online) return this.#signal.start();
    this.#sendJoin();
    this.#signal.probe(); // it may have died while nobody used it
  }

  /**
   * Tells the practitioner how a call would go from here; nobody hears a knock.
   * @param {import('../link/wire.js').PathResult} path
   */
  tell(path) {
    if (this.#name !== null || this.#phase === 'ended') return;
    this.#tested = path;
    if (this.#signal?.online) this.#sendTested();
    else this.#signal?.start();
  }

  /**
   * Gives the seat back. Whether the home node hears of it cannot be known, so
   * this tab keeps what takes the seat again.
   */
  leave() {
    if (this.#name !== null) this.#signal?.send('leave', {});
    this.#end('left');
  }

  /**
   * Lets another tab of this browser have the seat, without a word to anybody.
   * @returns {{resume: Bytes | null, name: string}} what that tab joins with
   */
  handOver() {
    const handed = { resume: this.#resume, name: this.#name ?? '' };
    this.#end('moved');
    return handed;
  }

  /** Goes without a word: the seat is kept for a while, and this tab may take it again. */
  close() {
    if (this.#phase === 'ended') return;
    this.#stop();
    this.#code = 'left';
    this.#setPhase('ended');
  }

  /** @param {string} text @returns {boolean} whether anybody was there to read it */
  sendChat(text) {
    return this.#mesh?.sendChat(text) ?? false;
  }

  async #begin() {
    const [keys, identity] = await Promise.all([this.#open(), createIdentity(this.#platform.rtc)]);
    if (this.#phase === 'ended') return;
    this.#identity = identity;
    this.#storageKey = `anteroom seat ${toBase64url(keys.rid)}`;
    this.#mesh = new Mesh(identity, {
      media: this.#media,
      send: (type, body) => this.#signal?.send(type, body) ?? false,
      online: () => this.#signal?.online ?? false,
      onChange: () => this.#changes.changed(),
      onTrouble: () => this.#signal?.probe(),
      nameOf: (member) => this.#others().find((m) => m.member === member)?.label ?? '',
      rtc: this.#platform.rtc,
    });
    this.#shake = guestHandshake(keys, this.#platform.handshake);
    this.#connect();
  }

  #connect() {
    if (!this.#shake) return;
    clearTimeout(this.#look);
    this.#look = undefined;
    this.#signal = new Signal(`${this.#origin.replace(/^http/, 'ws')}/ws/guest`, this.#shake, {
      onWelcome: (welcome, h) => this.#onWelcome(welcome, h),
      onMessage: (message) => this.#onMessage(message),
      onState: (state, code) => this.#onState(state, code),
      onEnd: (code) => (code === 'seat-taken' && this.#phase === 'joining' ? this.#wait() : this.#end(code)),
    }, this.#platform);
    this.#signal.idle = this.#name === null;
    this.#signal.start();
  }

  /**
   * The seat is another device's, or this person's own of a moment ago: a page
   * that was opened from the message again does not know its token. A look is a
   * handshake without a knock, so it alarms nobody.
   */
  #wait() {
    this.#signal?.close();
    this.#forget();
    this.#patience ||= Date.now() + PATIENCE_MS;
    if (Date.now() >= this.#patience) return this.#end('seat-taken');
    this.#code = 'seat-taken';
    this.#look = setTimeout(() => this.#connect(), LOOK_MS);
    this.#changes.changed();
  }

  /** @param {Welcome} welcome @param {Bytes | null} h */
  #onWelcome(welcome, h) {
    this.#welcome = welcome;
    this.#h = h;
    this.#mesh?.configure(welcome);
    this.#sendTested();
    if (this.#name !== null) {
      if (this.#patience && !this.#resume && welcome.state === 'full') this.#wait();
      else this.#sendJoin();
    } else if (isOver(welcome.state)) this.#end(welcome.state);
    else this.#setPhase('ready');
    this.#changes.changed();
  }

  /** @param {'online' | 'reconnecting' | 'resting'} state @param {string | null} code */
  #onState(state, code) {
    this.#connection = state === 'reconnecting' ? 'reconnecting' : 'online';
    if (code !== null || this.#phase !== 'joining') this.#code = code; // why joining fails holds until it does not
    this.#changes.changed();
  }

  #sendTested() {
    if (this.#tested && this.#name === null && this.#signal?.send('tested', { path: this.#tested })) this.#tested = null;
  }

  /**
   * Takes the seat, or takes it again: the token of the first time is kept
   * before it is used, so that a connection lost at this moment is no loss.
   */
  #sendJoin() {
    if (!this.#identity || !this.#welcome || this.#name === null) return;
    const kept = this.#resume ?? this.#stored();
    this.#resume = kept ?? this.#welcome.resume;
    try {
      this.#storage.setItem(this.#storageKey, toBase64url(this.#resume));
    } catch {
      // A tab without storage cannot come back after a reload, and that is all.
    }
    this.#signal?.send('join', { name: this.#name, fp: this.#identity.fingerprint, ...(kept ? { resume: kept } : {}) });
  }

  #forget() {
    this.#resume = null;
    if (this.#storageKey !== '') this.#storage.removeItem(this.#storageKey);
  }

  /** @returns {Bytes | null} the token that this tab kept, if it is one */
  #stored() {
    try {
      const token = fromBase64url(this.#storage.getItem(this.#storageKey) ?? '');
      return token.length === 32 ? token : null;
    } catch {
      return null;
    }
  }

  /** @param {Message} message */
  #onMessage({ type, body }) {
    switch (type) {
      case 'seat':
        this.#self = body.member;
        return this.#onSeat(body.state);
      case 'roster':
        this.#roster = body.members;
        this.#held = heldNow(this.#held, body.members);
        return this.#arrange();
      case 'introduce':
        return this.#onIntroduce(body);
      case 'description':
        return this.#mesh?.peer(body.peer)?.description(body.kind, body.sdp);
      case 'candidate':
        return this.#mesh?.peer(body.peer)?.candidate(body.candidate, body.mid);
      case 'relays':
        return this.#onRelays(body.ice_servers);
      case 'alarm':
        this.#alarm = true;
        return this.#changes.changed();
      default: // a practitioner's, an answer to something stale, or of a later version
    }
  }

  /** @param {ICEServer[]} ice_servers */
  #onRelays(ice_servers) {
    if (!this.#welcome) return;
    this.#welcome = { ...this.#welcome, ice_servers };
    const found = this.#mesh?.configure(this.#welcome);
    if (found && this.#phase === 'waiting') this.#mesh?.peer(HOST)?.offer();
    this.#changes.changed();
  }

  /** @param {SeatState} state */
  #onSeat(state) {
    this.#code = null;
    this.#patience = 0;
    switch (state) {
      case 'waiting':
        this.#setPhase('waiting');
        this.#roster = [];
        this.#mesh?.place(HOST, 'prepared').offer();
        break;
      case 'admitted':
        this.#setPhase('call');
        break;
      case 'held':
        this.#setPhase('held');
        break;
      default: // somebody else's
    }
    this.#arrange();
  }

  /** @param {Introduce} introduction */
  #onIntroduce(introduction) {
    if (this.#phase !== 'call' && this.#phase !== 'held') return; // nobody is told of anybody before
    const peer = this.#mesh?.place(introduction.member, this.#modeOf(introduction.member));
    // What the home node says of the practitioner must be what this page's own
    // handshake says.
    if (introduction.member === HOST && !this.#isMine(introduction)) return peer?.refuse('unverified');
    peer?.introduce(introduction);
  }

  /** @param {Introduce} introduction */
  #isMine({ key, h }) {
    return this.#h !== null && this.#welcome !== null && constantTimeEqual(key, this.#welcome.k_confirm) && constantTimeEqual(h, this.#h);
  }

  /** Puts everyone where the roster and this guest's own seat say. */
  #arrange() {
    const inside = this.#phase === 'call' || this.#phase === 'held';
    // The practitioner is not gone when their page is: the media goes on.
    const members = new Set([HOST, ...(inside ? this.#roster.map((m) => m.member) : [])]);
    this.#mesh?.keepOnly(members);
    for (const member of inside ? members : []) if (this.#mesh?.has(member)) this.#mesh.place(member, this.#modeOf(member));
    this.#changes.changed();
  }

  /** @param {string} member @returns {'open' | 'held'} */
  #modeOf(member) {
    return this.#phase === 'held' || this.#held.has(member) ? 'held' : 'open';
  }

  #others() {
    const host = { member: HOST, role: /** @type {const} */ ('host'), name: this.#welcome?.practitioner ?? '', label: this.#welcome?.practitioner ?? '' };
    const guests = this.#roster.filter((m) => m.member !== this.#self && m.role === 'guest');
    return [host, ...guests.map(({ member, role, name = '', label = '' }) => ({ member, role, name: name || label, label }))];
  }

  /** @param {GuestPhase} phase */
  #setPhase(phase) {
    if (this.#phase !== 'ended') this.#phase = phase;
    this.#changes.changed();
  }

  /** @param {string} code */
  #end(code) {
    if (this.#phase === 'ended') return;
    if (code !== 'left') this.#forget();
    this.#stop();
    this.#media.stop();
    this.#code = code;
    this.#setPhase('ended');
  }

  #stop() {
    clearTimeout(this.#look);
    this.#look = undefined;
    this.#mesh?.close();
    this.#signal?.close();
    this.#connection = 'online';
  }
}
