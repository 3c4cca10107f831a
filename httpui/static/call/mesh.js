// The peers of one call: who is connected to whom is the home node's word,
// what is shown of them is what each connection has proved.

import { Peer } from './peer.js';
import { cleanChat, hear, say } from './chat.js';

/**
 * @typedef {import('../link/wire.js').MemberID} MemberID
 * @typedef {import('../link/wire.js').Role} Role
 * @typedef {import('../link/wire.js').Introduce} Introduce
 * @typedef {import('../link/wire.js').Welcome} Welcome
 * @typedef {import('./identity.js').Identity} Identity
 * @typedef {import('./peer.js').Mode} Mode
 * @typedef {import('./peer.js').PeerState} PeerState
 * @typedef {import('./stats.js').Truth} Truth
 * @typedef {import('./stats.js').Quality} Quality
 * @typedef {import('./media.js').Media} Media
 * @typedef {import('./chat.js').ChatLine} ChatLine
 */
/**
 * One other member of the call as it may be shown. stream is null until the
 * browser behind it is verified; video, paused and muted are what the other end
 * says; saving: their end gets no picture of this one, so that the sound gets through.
 * reason: of stats.js, or "held", "unverified".
 * @typedef {object} PeerView
 * @property {MemberID} member @property {Role} role @property {string} name @property {string} label
 * @property {PeerState} state @property {MediaStream | null} stream @property {boolean} video @property {boolean} paused @property {boolean} muted
 * @property {boolean} saving
 * @property {Truth & {verified: boolean}} truth
 * @property {Quality} quality @property {string | null} reason
 */
/** @typedef {{member: MemberID, role: Role, name: string, label: string}} Named */
/**
 * @typedef {object} Surroundings
 * @property {Media} media
 * @property {(type: 'description' | 'candidate', body: any) => boolean} send
 * @property {() => boolean} online whether what is sent leaves
 * @property {() => void} onChange
 * @property {() => void} onTrouble a connection fell silent
 * @property {(member: MemberID) => string} nameOf
 * @property {typeof RTCPeerConnection} [rtc]
 */

/** How often every connection is looked at: two looks see within the SILENT_MS of stats.js that bytes stopped. */
const TICK_MS = 400;
/** Ticks between two reports of what this end sends, while its sound keeps the line alive: 1.6 s. */
const QUIET_TICKS = 4;
/** Ticks for which lines of chat are counted: ten seconds. */
const CHAT_TICKS = 10_000 / TICK_MS;
/** Lines of chat that are kept. */
const MAX_LINES = 500;
/** Lines that one peer may say in CHAT_TICKS: three in a second, faster than anybody types. */
const MAX_RATE = 30;

export class Mesh {
  #around;
  #rtc;
  #identity;
  /** @type {RTCConfiguration} */ #config = {};
  /** @type {Map<MemberID, Peer>} */ #peers = new Map();
  /** @type {Map<MemberID, {audio: boolean, video: boolean, paused: boolean}>} what each says they send */ #told = new Map();
  /** @type {Map<MemberID, number>} lines heard lately */ #heard = new Map();
  /** @type {ChatLine[]} */ #chat = [];
  #ticks = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */ #timer;
  #unsubscribe;
  #lifetime = new AbortController();

  /** @param {Identity} identity @param {Surroundings} around */
  constructor(identity, around) {
    this.#identity = identity;
    this.#around = around;
    this.#rtc = around.rtc ?? RTCPeerConnection;
    this.#unsubscribe = around.media.subscribe(() => this.#tracksChanged());
    this.#watchNetwork();
  }

  get chat() {
    return this.#chat;
  }

  /**
   * @param {Welcome} welcome names the relays
   * @returns {boolean} whether there are some, and were none before
   */
  configure({ ice_servers, relay_only }) {
    const found = ice_servers.length > 0 && this.#config.iceServers?.length === 0;
    this.#config = { iceServers: ice_servers.map((s) => ({ ...s })), iceTransportPolicy: relay_only ? 'relay' : 'all' };
    if (found) for (const peer of this.#peers.values()) peer.relayFound();
    return found;
  }

  /** @param {MemberID} member */
  has(member) {
    return this.#peers.has(member);
  }

  /**
   * Puts a member where the home node says they stand.
   * @param {MemberID} member @param {Mode} mode
   * @returns {Peer}
   */
  place(member, mode) {
    const peer = this.#peers.get(member) ?? this.#add(member);
    if (peer.mode !== mode) {
      peer.setMode(mode);
      this.#tracksChanged();
    }
    return peer;
  }

  /** @param {MemberID} member */
  remove(member) {
    const peer = this.#peers.get(member);
    if (!peer) return;
    peer.close();
    for (const map of [this.#peers, this.#told, this.#heard]) map.delete(member);
    this.#tracksChanged();
    this.#around.onChange();
  }

  /** Closes every connection whose member is not among those. @param {Set<MemberID>} members */
  keepOnly(members) {
    for (const member of [...this.#peers.keys()]) if (!members.has(member)) this.remove(member);
  }

  /** @param {MemberID} member */
  peer(member) {
    return this.#peers.get(member) ?? null;
  }

  /**
   * @param {Named[]} members
   * @returns {PeerView[]} of those who are connected or about to be
   */
  views(members) {
    return members.flatMap((named) => {
      const peer = this.#peers.get(named.member);
      if (!peer || peer.mode === 'prepared') return [];
      const told = this.#told.get(named.member);
      const video = peer.stream !== null && (told?.video ?? peer.pictures);
      const verdict = peer.verdict(video);
      return [Object.freeze({
        ...named,
        state: peer.state,
        stream: peer.stream,
        video,
        paused: told?.paused ?? false,
        muted: told ? !told.audio : false,
        saving: peer.paused,
        truth: Object.freeze({ ...peer.truth, verified: peer.verified }),
        ...(peer.mode === 'held' && verdict.reason === null ? { ...verdict, reason: 'held' } : verdict),
      })];
    });
  }

  /**
   * Says text to everyone in the call who is verified, and to nobody else.
   * @param {string} text
   * @returns {boolean} whether anybody was there to read it
   */
  sendChat(text) {
    const line = cleanChat(text);
    if (line === '') return false;
    const reached = [...this.#peers.values()].map((peer) => peer.say(say({ t: 'chat', text: line })));
    if (!reached.includes(true)) return false;
    this.#keepLine({ from: 'self', name: '', text: line, at: Date.now() });
    return true;
  }

  /** A call is over, and the next one begins with an empty page. */
  forgetChat() {
    this.#chat = [];
  }

  close() {
    this.#unsubscribe();
    this.#lifetime.abort();
    clearInterval(this.#timer);
    for (const peer of this.#peers.values()) peer.close();
    this.#peers.clear();
  }

  /** @param {MemberID} member */
  #add(member) {
    const { send, online, onChange, onTrouble } = this.#around;
    const peer = new Peer(member, {
      identity: this.#identity,
      config: () => this.#config,
      send,
      online,
      onChange,
      onTrouble,
      onPaused: () => this.#sayMedia(),
      onVerified: () => this.#sayMedia(),
      onText: (text) => this.#hear(member, text),
      rtc: this.#rtc,
    });
    this.#peers.set(member, peer);
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    return peer;
  }

  #tick() {
    this.#ticks++;
    if (this.#ticks % CHAT_TICKS === 0) this.#heard.clear();
    if (this.#around.media.tracks.audio === null || this.#ticks % QUIET_TICKS === 0) this.#sayMedia();
    for (const peer of this.#peers.values()) void peer.tick();
  }

  #sayMedia() {
    const { audio, video } = this.#around.media.tracks;
    for (const peer of this.#peers.values()) {
      peer.say(say({ t: 'media', audio: audio?.enabled === true, video: video !== null && !peer.paused, paused: peer.paused }));
    }
  }

  /** @param {MemberID} member @param {string} text */
  #hear(member, text) {
    const said = hear(text);
    if (said?.t === 'media') {
      this.#told.set(member, said);
    } else if (said?.t === 'chat' && said.text !== '') {
      const heard = (this.#heard.get(member) ?? 0) + 1;
      this.#heard.set(member, heard);
      if (heard > MAX_RATE) return;
      this.#keepLine({ from: member, name: this.#around.nameOf(member), text: said.text, at: Date.now() });
    }
    this.#around.onChange();
  }

  /** @param {ChatLine} line */
  #keepLine(line) {
    this.#chat = [...this.#chat, Object.freeze(line)].slice(-MAX_LINES);
    this.#around.onChange();
  }

  #tracksChanged() {
    const tracks = this.#around.media.tracks;
    const receivers = [...this.#peers.values()].filter((p) => p.mode === 'open').length;
    for (const peer of this.#peers.values()) peer.setTracks(tracks, receivers);
    this.#sayMedia();
  }

  /** A device that changes networks does not tell its connections. */
  #watchNetwork() {
    const { signal } = this.#lifetime;
    const changed = () => {
      for (const peer of this.#peers.values()) peer.networkChanged();
    };
    globalThis.addEventListener?.('online', changed, { signal });
    /** @type {(EventTarget & {type?: string}) | undefined} */
    const network = globalThis.navigator && Reflect.get(navigator, 'connection');
    let type = network?.type;
    network?.addEventListener('change', () => {
      if (network.type === type) return; // a new estimate of speed, which changes nothing
      type = network.type;
      changed();
    }, { signal });
  }
}
