// One RTCPeerConnection: its transceivers, its data channel c0, and whether the
// browser at the other end has proved itself. It is made once and closed once;
// peer.js decides when there must be another.

import { Queue } from '../kit/queue.js';
import { Binding, MAC_LENGTH } from './binding.js';
import { prefer, tune } from './encoding.js';
import { formatCandidate, networkOf, parseCandidate, reachable } from './candidate.js';
import { format, outgoing, parse, sparing } from './sdp.js';

/**
 * @typedef {import('./identity.js').Identity} Identity
 * @typedef {import('../link/wire.js').Introduce} Introduce
 * @typedef {import('./sdp.js').Session} Session
 * @typedef {import('./candidate.js').IceCandidate} IceCandidate
 * @typedef {{audio: MediaStreamTrack | null, video: MediaStreamTrack | null, screen: boolean}} Tracks
 *   screen: video shows a screen
 * @typedef {import('./uplink.js').Share} Share
 */
/**
 * @typedef {object} Events
 * @property {() => void} onState the connection came up, went down, or was verified
 * @property {(candidate: string, mid: string) => void} onCandidate
 * @property {(text: string) => void} onText from a verified peer
 * @property {(refuted: boolean) => void} onUnverified the other end did not prove itself in time; refuted: it sent a wrong proof
 */

/**
 * How often a page looks whether a connected peer has proved itself, in
 * milliseconds. Looks are counted and not time: a page that cannot run does not
 * look, and a slow device is no forger. PROTOCOL.md, "Media binding".
 */
const LOOK_MS = 250;
/** Looks at a wrong proof until it counts: the introduction that makes it right may be on its way. */
const REFUTED_LOOKS = 12;
/** Looks at silence until it is worth another connection. */
export const SILENT_LOOKS = 40;
/** Bytes of one message on c0: 4,000 code points of chat, escaped, and some. */
const MAX_TEXT = 32 * 1024;
/** Messages on c0 that wait to be looked at. */
const MAX_INBOX = 64;
/** Bytes on c0 that wait to be sent. */
const MAX_BUFFERED = 256 * 1024;

/** @type {Readonly<Tracks>} */
export const SILENCE = Object.freeze({ audio: null, video: null, screen: false });

export class Connection {
  /**
   * Steps of negotiation, and of attaching tracks, one after the other. They
   * belong to the connection: what is under way when it closes never ends, and
   * must not keep the next connection waiting.
   */
  negotiation = new Queue();
  attaching = new Queue();

  #pc;
  #c0;
  #binding;
  #events;
  #listeners = new AbortController();
  #inbox = new Queue();
  /** @type {Map<RTCRtpSender, string>} what each sender is set for */ #tuned = new Map();
  #patience;
  /** @type {ReturnType<typeof setInterval> | undefined} */ #looking;
  #looks = 0;
  /** @type {MediaStream | null} */ #stream = null;
  #closed = false;
  #channelClosed = false;
  #sparing = false; // what the other end says is changed so that sound goes in few packets
  #spared = false; // that was tried
  #alone = false; // it makes an offer that it answers itself
  /** @type {Session | null} */ #remote = null;
  /** @type {IceCandidate[]} */ #early = [];
  /** @type {IceCandidate[] | null} kept aside until release */ #aside = [];
  /** @type {IceCandidate[]} of private networks that this end is not in, as far as it has found out */ #foreign = [];
  #networks = new Set(['']); // those that this end is in; "": the public one

  /**
   * @param {Identity} identity
   * @param {RTCConfiguration} config without certificates
   * @param {Events} events
   * @param {typeof RTCPeerConnection} rtc
   * @param {number} [patience] looks at silence
   */
  constructor(identity, config, events, rtc, patience = SILENT_LOOKS) {
    this.#events = events;
    this.#patience = patience;
    this.#binding = new Binding(identity.fingerprint);
    const pc = (this.#pc = new rtc({ ...config, bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require', certificates: [identity.certificate] }));
    const c0 = (this.#c0 = pc.createDataChannel('c0', { negotiated: true, id: 0 }));
    c0.binaryType = 'arraybuffer';
    const { signal } = this.#listeners;
    pc.addEventListener('icecandidate', ({ candidate }) => this.#gathered(candidate), { signal });
    pc.addEventListener('connectionstatechange', () => this.#stateChanged(), { signal });
    c0.addEventListener('open', () => this.#prove(), { signal });
    c0.addEventListener('close', () => this.#channelLost(), { signal });
    c0.addEventListener('message', ({ data }) => this.#received(data), { signal });
  }

  /** The session id of the RTCPeerConnection at the other end, null before its first description. */
  get remoteId() {
    return this.#remote?.id ?? null;
  }

  /** Whether spare has done what it can. */
  get spared() {
    return this.#spared;
  }

  get closed() {
    return this.#closed;
  }

  get connected() {
    return this.#pc.connectionState === 'connected' && !this.#channelClosed;
  }

  /** Whether it will not come up again by itself. */
  get failed() {
    return this.#pc.connectionState === 'failed' || this.#channelClosed;
  }

  get verified() {
    return this.#binding.verified;
  }

  get offering() {
    return this.#pc.signalingState === 'have-local-offer' && !this.#alone;
  }

  /** What the other end sends; null until it has proved itself. */
  get stream() {
    return this.#stream;
  }

  getStats() {
    return this.#pc.getStats();
  }

  /** @param {Introduce} introduction of the member at the other end */
  introduce(introduction) {
    this.#binding.introduce(introduction);
    if (!this.verified) this.#prove();
  }

  /**
   * Makes an offer. The first one makes the transceivers, without tracks.
   * @param {{iceRestart?: boolean}} [options]
   */
  async offer({ iceRestart = false } = {}) {
    const pc = this.#pc;
    if (pc.getTransceivers().length === 0) {
      for (const kind of ['audio', 'video']) prefer(pc.addTransceiver(kind, { direction: 'sendrecv' }));
    }
    await pc.setLocalDescription(await pc.createOffer({ iceRestart }));
  }

  /**
   * Takes an offer and makes the answer to it. An offer of this end that
   * waits for an answer is withdrawn.
   * @param {Session} offer
   */
  async answer(offer) {
    const pc = this.#pc;
    await this.#setRemote('offer', offer);
    for (const t of pc.getTransceivers()) {
      if (t.direction === 'sendrecv' || t.direction === 'stopped') continue;
      t.direction = 'sendrecv';
      prefer(t);
    }
    await pc.setLocalDescription();
  }

  /** @param {Session} answer */
  accept(answer) {
    return this.#setRemote('answer', answer);
  }

  /** @returns {string} this end's description with the candidates gathered so far, or "" before there is one */
  local() {
    const description = this.#pc.localDescription;
    if (!description) return '';
    return outgoing(description.sdp, description.type === 'answer' && this.#remote ? `${this.#remote.id} ${this.#remote.version}` : '');
  }

  /** Whether answer answers the offer that this end made last. @param {Session} answer */
  answers(answer) {
    const { id, version } = parse(this.#pc.localDescription?.sdp ?? '');
    return answer.answers === '' || answer.answers === `${id} ${version}`;
  }

  /** @param {string} text "" at the end @param {string} mid */
  async addCandidate(text, mid) {
    const candidate = parseCandidate(text);
    if (candidate && (mid === '' || !this.#remote || mid === this.#firstMid())) await this.#add([candidate]);
  }

  /** Lets the other end's candidates in: from here on both learn each other's addresses. */
  async release() {
    const aside = this.#aside ?? [];
    this.#aside = null;
    await this.#add(aside);
  }

  /**
   * Sends these tracks from now on. No negotiation: the transceivers are there.
   * @param {Tracks} tracks
   * @param {{receivers: number, share: Share}} use receivers: how many the uplink is divided among
   * @returns {Promise<boolean>} false if the browser did not take that, or nothing is negotiated yet
   */
  async attach(tracks, { receivers, share }) {
    // At once: on a slow device a picture would otherwise wait for the sound to be set.
    const set = await Promise.all(this.#pc.getTransceivers().map(async ({ sender, receiver }) => {
      const track = receiver.track.kind === 'audio' ? tracks.audio : tracks.video;
      const tuned = !track || (await this.#tune(sender, track, `${track.id} ${tracks.screen} ${receivers} ${share}`, { screen: tracks.screen, receivers, share }));
      if (sender.track !== track) await sender.replaceTrack(track);
      return tuned;
    }));
    return set.every(Boolean);
  }

  /**
   * Setting parameters starts an encoder anew, so it is done once for each use.
   * @param {RTCRtpSender} sender @param {MediaStreamTrack} track that it is to send @param {string} use @param {{screen: boolean, receivers: number, share: Share}} how
   */
  async #tune(sender, track, use, how) {
    if (this.#tuned.get(sender) === use) return true;
    const taken = await tune(sender, track, { ...how, sent: this.#tuned.has(sender) });
    if (taken) this.#tuned.set(sender, use);
    return taken;
  }

  /** @param {RTCConfiguration} config newer credentials for the relay */
  configure(config) {
    this.#pc.setConfiguration({ ...this.#pc.getConfiguration(), ...config });
  }

  /**
   * @param {string} text
   * @returns {boolean} false if the other end is not verified, or does not read
   */
  say(text) {
    if (!this.verified || this.#c0.readyState !== 'open' || this.#c0.bufferedAmount > MAX_BUFFERED) return false;
    this.#c0.send(text);
    return true;
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#looking);
    this.#listeners.abort();
    this.#stream = null;
    this.#pc.close();
  }

  #firstMid() {
    return this.#remote?.sections.find((s) => !s.rejected)?.mid ?? '';
  }

  /**
   * Sends sound in fewer packets from now on, for a way on which each costs much.
   * How its own encoder packs sound is nothing that the other end need agree to,
   * so this negotiates with what that said before.
   */
  async spare() {
    const pc = this.#pc;
    if (this.#spared || !this.#remote || pc.signalingState !== 'stable') return;
    this.#spared = this.#sparing = this.#alone = true;
    const { setup } = parse(pc.localDescription?.sdp ?? '');
    /** @type {Session} */
    const said = setup === 'actpass' ? this.#remote : { ...this.#remote, setup: setup === 'active' ? 'passive' : 'active' };
    try {
      await pc.setLocalDescription(await pc.createOffer());
      await this.#tell('answer', said);
    } catch { // a browser that refuses sends sound as before
      this.#sparing = false;
      if (this.#pc.signalingState === 'have-local-offer') await pc.setLocalDescription({ type: 'rollback' });
    } finally {
      this.#alone = false;
    }
  }

  /** @param {'offer' | 'answer'} type @param {Session} session */
  #tell(type, session) {
    return this.#pc.setRemoteDescription({ type, sdp: format({ ...(this.#sparing ? sparing(session) : session), candidates: [], answers: '' }) });
  }

  /** @param {'offer' | 'answer'} type @param {Session} session */
  async #setRemote(type, session) {
    await this.#tell(type, session);
    this.#remote = session;
    const early = this.#early;
    this.#early = [];
    await this.#add([...session.candidates, ...early]);
  }

  /**
   * Adds candidates of the present session; others belong to one that is over,
   * or to one whose description is still to come.
   * @param {IceCandidate[]} candidates
   */
  async #add(candidates) {
    const remote = this.#remote;
    for (const c of candidates) {
      if (this.#closed) return;
      if (!remote) this.#early = keep(this.#early, c);
      else if (c.ufrag !== '' && c.ufrag !== remote.ufrag) continue;
      else if (this.#aside) this.#aside = keep(this.#aside, c);
      else if (!reachable(c)) continue;
      else if (!this.#networks.has(networkOf(c.address) ?? '')) this.#foreign = keep(this.#foreign, c);
      else {
        // One that the browser cannot use is no reason to give up the others.
        await this.#pc.addIceCandidate({ candidate: formatCandidate(c), sdpMid: this.#firstMid(), usernameFragment: remote.ufrag }).catch(() => {});
      }
    }
  }

  /** @param {RTCIceCandidate | null} candidate */
  #gathered(candidate) {
    const parsed = candidate && parseCandidate(candidate.candidate);
    if (parsed) this.#isIn(networkOf(parsed.address) ?? '');
    // Where addresses are to be hidden, the browser finds no others; this is for one that does.
    const hidden = this.#pc.getConfiguration().iceTransportPolicy === 'relay' && parsed?.type !== 'relay';
    if (!parsed || !reachable(parsed) || hidden) return;
    this.#events.onCandidate(formatCandidate({ ...parsed, ufrag: candidate.usernameFragment ?? parsed.ufrag }), candidate.sdpMid ?? '');
  }

  /** @param {string} network of this end: what the other end has there can be reached */
  #isIn(network) {
    if (this.#networks.has(network)) return;
    this.#networks.add(network);
    const foreign = this.#foreign;
    this.#foreign = [];
    void this.negotiation.add(() => this.#add(foreign)).catch(() => {});
  }

  #stateChanged() {
    if (this.connected && !this.verified) this.#looking ??= setInterval(() => this.#look(), LOOK_MS);
    this.#events.onState();
  }

  #look() {
    if (!this.connected || ++this.#looks < (this.#binding.refuted ? REFUTED_LOOKS : this.#patience)) return;
    clearInterval(this.#looking);
    // What came and has not been looked at yet comes first.
    void this.#inbox.add(async () => {
      await this.#verify();
      if (!this.verified && !this.#closed) this.#events.onUnverified(this.#binding.refuted);
    });
  }

  #channelLost() {
    this.#channelClosed = true;
    this.#events.onState();
  }

  /** Sends this end's proof, and looks at the other's. */
  #prove() {
    const proof = this.#c0.readyState === 'open' ? this.#binding.proof() : null;
    proof?.then((mac) => {
      if (this.#c0.readyState === 'open') this.#c0.send(mac);
    }, () => {});
    void this.#inbox.add(() => this.#verify());
  }

  async #verify() {
    const verified = await this.#binding.verify(this.#pc).catch(() => false);
    if (!verified || this.#closed || this.#stream) return;
    clearInterval(this.#looking);
    this.#stream = new MediaStream(this.#pc.getTransceivers().map((t) => t.receiver.track));
    this.#events.onState();
  }

  /**
   * One thing after the other, since what a peer says right behind its proof
   * counts only when that has been looked at.
   * @param {unknown} data
   */
  #received(data) {
    if (this.#inbox.length >= MAX_INBOX) return;
    void this.#inbox.add(async () => {
      if (data instanceof ArrayBuffer && data.byteLength === MAC_LENGTH) {
        this.#binding.claim(new Uint8Array(data));
        await this.#verify();
      } else if (typeof data === 'string' && data.length <= MAX_TEXT && this.verified && !this.#closed) {
        this.#events.onText(data);
      }
    });
  }
}

/** @param {IceCandidate[]} list @param {IceCandidate} c @returns {IceCandidate[]} with c, and no longer than is useful */
const keep = (list, c) => [...list, c].slice(-64);
