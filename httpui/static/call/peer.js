// The connection to one member, for as long as both are in the room: who
// offers, when tracks flow, and what is done when it breaks. PROTOCOL.md,
// "Connections".
//
// A Peer is in one of three modes. Prepared: the guest waits; no track is
// attached on either side, and nothing of the practitioner's leaves, not even
// an address. Held: the connection is up, but nobody hears or sees the other.
// Open: both are in the call.

import { Connection, SILENCE, SILENT_LOOKS } from './connection.js';
import { Meter, relayHost, sample } from './stats.js';
import { Recovery } from './recovery.js';
import { constantTimeEqual } from '../link/seal.js';
import { roomFor } from './encoding.js';
import { parse } from './sdp.js';
import { Uplink } from './uplink.js';

/**
 * @typedef {import('../link/wire.js').MemberID} MemberID
 * @typedef {import('../link/wire.js').Introduce} Introduce
 * @typedef {import('../link/wire.js').Bytes} Bytes
 * @typedef {import('./identity.js').Identity} Identity
 * @typedef {import('./connection.js').Tracks} Tracks
 * @typedef {import('./sdp.js').Session} Session
 * @typedef {import('./stats.js').Truth} Truth
 * @typedef {'prepared' | 'held' | 'open'} Mode
 * @typedef {'connecting' | 'verified' | 'reconnecting' | 'failed'} PeerState
 */
/**
 * What a Peer needs of its call.
 * @typedef {object} Wiring
 * @property {Identity} identity
 * @property {() => RTCConfiguration} config with the newest credentials
 * @property {(type: 'description' | 'candidate', body: any) => boolean} send
 * @property {() => boolean} online whether what is sent leaves
 * @property {() => void} onChange
 * @property {() => void} onPaused the picture for this peer is paused, or goes on
 * @property {() => void} onVerified the browser at the other end has proved itself
 * @property {() => void} onTrouble bytes stopped coming: the network may have changed
 * @property {(text: string) => void} onText from a verified peer, in mode open
 * @property {typeof RTCPeerConnection} rtc
 */

/** Attempts that restart ICE, or offer again; the later ones build a new connection. */
const GENTLE = 2;
/**
 * How long a connection that the other end asked for stands before the next that
 * it asks for, and how often this doubles: browsers count the closed ones too,
 * and have a limit for all.
 */
const REST_MS = 1_000;
const REST_DOUBLINGS = 5;
/** An offer that the other end had no answer for in this time did not get there. */
const LOST_MS = 1_000;

/** @param {RTCConfiguration} config @returns {string | null} the host of its relay, null if there are several */
function onlyRelay({ iceServers = [] }) {
  const hosts = new Set(iceServers.flatMap(({ urls }) => urls).map(relayHost).filter((host) => host !== ''));
  return hosts.size === 1 ? ([...hosts][0] ?? null) : null;
}

export class Peer {
  #wiring;
  /** @type {Mode} */ #mode = 'prepared';
  /** @type {Introduce | null} */ #introduction = null;
  /** @type {Connection | null} */ #connection = null;
  /** @type {{kind: 'offer' | 'answer', sdp: string} | null} came before its introduction */ #early = null;
  /** @type {Session | null} what a waiting guest left */ #offer = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} since a connection was made because the other end asked for it */ #rest;
  /** @type {Session | null} the newest offer of another connection since then */ #asked = null;
  #renewals = 0; // that the other end asked for in this mode
  /** @type {Connection | null} has an answer that nobody was sent */ #ready = null;
  /** @type {string | null} session id of a connection given up, whose messages may still arrive */ #retired = null;
  /** @type {Tracks} */ #tracks = SILENCE;
  #receivers = 1;
  #meter = new Meter();
  #uplink = new Uplink();
  #unset = false; // the browser is to be told, perhaps again, how much to send
  #wasVerified = false;
  /** @type {Connection | null} verified, and told so */ #greeted = null;
  #silent = false; // bytes stopped, and have not come back
  /** @type {string | null} why this peer is given up until the next introduction */ #distrust = null;
  #unproved = 0; // connections that were closed because no proof came, since one came last
  #recovery;
  #closed = false;
  #offered = 0; // when an offer was sent last

  /** @param {MemberID} member @param {Wiring} wiring */
  constructor(member, wiring) {
    this.member = member;
    this.#wiring = wiring;
    this.#recovery = new Recovery({
      attempt: (number) => this.#attempt(number),
      able: () => wiring.online(),
      polite: () => this.#introduction?.polite ?? false,
    });
  }

  get mode() {
    return this.#mode;
  }

  /** @returns {PeerState} */
  get state() {
    if (this.#distrust) return 'failed';
    if (this.#healthy && !this.#silent) return 'verified';
    return this.#wasVerified ? 'reconnecting' : 'connecting';
  }

  get verified() {
    return this.#connection?.verified ?? false;
  }

  /** What may be shown: only in an open call, only of a browser that has proved itself. */
  get stream() {
    return this.#mode === 'open' ? (this.#connection?.stream ?? null) : null;
  }

  /** @returns {Truth} */
  get truth() {
    const truth = this.#meter.truth;
    return truth.relay === '' ? { ...truth, relay: onlyRelay(this.#wiring.config()) } : truth;
  }

  get pictures() {
    return this.#meter.pictures;
  }

  /** Whether a picture that could be sent is held back, so that the sound gets through. */
  get paused() {
    return this.#mode === 'open' && this.#tracks.video !== null && this.#uplink.paused;
  }

  /** @param {boolean} expectsPicture */
  verdict(expectsPicture) {
    if (this.#distrust) return { quality: /** @type {const} */ ('lost'), reason: this.#distrust };
    if (this.state === 'reconnecting') return { quality: /** @type {const} */ ('lost'), reason: 'silent' };
    return this.#meter.verdict(expectsPicture);
  }

  /**
   * Takes what the home node says of the member. The first time, the polite of
   * the two offers; later, a new certificate is a new browser, and the same one
   * goes on as it is.
   * @param {Introduce} introduction
   */
  introduce(introduction) {
    const former = this.#introduction;
    const same = former !== null && constantTimeEqual(former.fp, introduction.fp);
    this.#introduction = introduction;
    this.#distrust = null;
    if (former && !same) {
      this.#drop();
      this.#offer = this.#asked = null;
    }
    this.#connection?.introduce(introduction);
    const early = this.#early;
    this.#early = null;
    if (early) this.description(early.kind, early.sdp);
    if (this.#mode !== 'prepared') {
      const connection = this.#connection;
      if (!connection && introduction.polite) this.offer();
      else if (!former || (this.#healthy && !this.#silent)) this.#check();
      // What was offered before is lost, and of what it named some may be gone. With
      // two new connections the two ends would be in each other's way.
      else if (connection?.offering && !introduction.polite) this.#restart(connection);
      else this.#retry();
    }
    this.#wiring.onChange();
  }

  /** @param {Mode} mode */
  setMode(mode) {
    if (this.#mode === mode || this.#closed) return;
    const before = this.#mode;
    this.#mode = mode;
    this.#attach();
    this.#renewals = 0;
    if (mode === 'prepared') this.#beginAgain();
    if (before === 'prepared') {
      void this.#connection?.release();
      this.#takeAsked();
      if (!this.#connection && this.#offer) this.#answer(this.#connect(), this.#offer);
      if (!this.#connection && this.#introduction?.polite) this.offer();
      this.#check();
    }
    this.#wiring.onChange();
  }

  /** @param {Tracks} tracks to send while open @param {number} receivers how many get them */
  setTracks(tracks, receivers) {
    // Who turns the camera on wants it to be seen.
    if (tracks.video && tracks.video !== this.#tracks.video) this.#uplink.retry(performance.now());
    this.#tracks = tracks;
    this.#receivers = receivers;
    this.#attach();
  }

  /**
   * Offers a connection, or offers again the one that was offered before and
   * has no answer yet.
   */
  offer() {
    if (this.#connection?.offering) return this.#sendOffer(this.#connection);
    this.#drop();
    const connection = this.#connect();
    if (!connection) return;
    this.#negotiate(connection, async () => {
      await connection.offer();
      this.#sendOffer(connection);
      this.#attach();
    });
  }

  /**
   * The answer for a waiting guest, for the message that admits them; "" if it
   * is not ready, and then it follows as a description.
   * @returns {string}
   */
  takeAnswer() {
    const ready = this.#ready;
    this.#ready = null;
    return ready !== null && ready === this.#connection && !this.#asked ? ready.local() : '';
  }

  /** @param {'offer' | 'answer'} kind @param {string} sdp as it came */
  description(kind, sdp) {
    const introduction = this.#introduction;
    if (this.#closed || this.#distrust) return;
    if (!introduction) {
      this.#early = { kind, sdp };
      return;
    }
    let session;
    try {
      session = parse(sdp);
    } catch {
      return; // refused; whoever sent it tries again or gives up
    }
    // Of another certificate than was introduced: a page that is gone, or a forger.
    if (!constantTimeEqual(session.fingerprint, introduction.fp)) return;
    if (kind === 'offer') this.#hearOffer(session, introduction.polite);
    else this.#onAnswer(session);
  }

  /** @param {string} text @param {string} mid */
  candidate(text, mid) {
    const connection = this.#connection;
    if (connection) this.#negotiate(connection, () => connection.addCandidate(text, mid));
  }

  /** The network changed under this page. */
  networkChanged() {
    if (this.#mode !== 'prepared') this.#retry();
    else if (this.#offer) this.#prepare(this.#offer);
    else if (this.#connection) {
      this.#drop();
      this.offer();
    }
  }

  /** There is a relay, and was none before: what cannot go on without gets another chance. */
  relayFound() {
    if (this.#mode !== 'prepared') {
      if (!this.#healthy || this.#silent) this.#retry();
    } else if (this.#offer) this.#prepare(this.#offer);
    else this.#drop(); // it is offered anew
  }

  /** Called every half second: looks at what came in. */
  async tick() {
    const connection = this.#connection;
    if (!connection || this.#mode === 'prepared') return;
    const report = await connection.getStats().catch(() => null);
    if (!report || connection !== this.#connection || this.#closed) return;
    this.#meter.add(sample(report));
    this.#suit();
    if (!this.#silent && this.#meter.silent) {
      this.#silent = true;
      this.#meter.rearm();
      this.#wiring.onTrouble();
      // A weak line stutters, over TCP it does so soon, and to connect anew would be one more burden.
      if (this.#uplink.paused || this.#meter.streamed) this.#check();
      else this.#retry();
    } else if (this.#silent && this.#meter.flowing) {
      this.#silent = false;
      this.#check();
    }
    this.#wiring.onChange();
  }

  /** @param {string} text @returns {boolean} whether it left: only for a verified peer in an open call */
  say(text) {
    return this.#mode === 'open' && (this.#connection?.say(text) ?? false);
  }

  /**
   * Gives the member up until they are introduced again.
   * @param {string} why
   */
  refuse(why) {
    this.#distrust = why;
    this.#recovery.stop();
    this.#drop();
    this.#wiring.onChange();
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#rest);
    this.#recovery.stop();
    this.#connection?.close();
    this.#connection = null;
  }

  get #healthy() {
    return (this.#connection?.verified && this.#connection.connected) ?? false;
  }

  /**
   * Makes a new one, in place of any other.
   * @returns {Connection | null} null if the browser has none for this member
   */
  #connect() {
    try {
      return this.#made();
    } catch {
      this.#check(); // in time there may be one
      return null;
    }
  }

  #made() {
    const { identity, config, rtc, onText, onChange, send } = this.#wiring;
    /** @type {Connection} */
    const connection = new Connection(identity, config(), {
      onState: () => connection === this.#connection && this.#stateChanged(),
      onCandidate: (candidate, mid) => {
        // What a waiting guest's answer would hold stays here until they are admitted.
        const secret = this.#mode === 'prepared' && this.#offer !== null;
        if (connection === this.#connection && !secret) send('candidate', { peer: this.member, candidate, mid });
      },
      onText: (text) => connection === this.#connection && this.#mode === 'open' && onText(text),
      onUnverified: (refuted) => connection === this.#connection && this.#unverified(refuted),
    }, rtc, SILENT_LOOKS * 2 ** Math.min(this.#unproved, 2));
    this.#connection = connection;
    this.#meter = new Meter();
    this.#silent = false;
    if (this.#introduction) connection.introduce(this.#introduction);
    if (this.#mode !== 'prepared') void connection.release();
    onChange();
    return connection;
  }

  /**
   * A wrong proof is a wrong browser. None at all can be a bad line or a slow
   * device: that gets another try, with another connection and more patience.
   * @param {boolean} refuted
   */
  #unverified(refuted) {
    if (refuted) return this.refuse('unverified');
    this.#unproved++;
    this.#drop();
    this.#check();
    this.#wiring.onChange();
  }

  /** Back in the waiting room: nothing of the call is left. */
  #beginAgain() {
    this.#recovery.stop();
    this.#wasVerified = false;
    if (this.#introduction?.polite) this.#introduction = null; // comes again with the admission
    this.#drop();
    if (this.#offer) this.#prepare(this.#offer);
  }

  #drop() {
    const connection = this.#connection;
    if (!connection) return;
    this.#retired = connection.remoteId ?? this.#retired;
    this.#connection = null;
    connection.close();
  }

  /** @param {Connection} connection */
  #sendOffer(connection) {
    this.#offered = performance.now();
    const sdp = connection.local();
    if (sdp !== '') this.#wiring.send('description', { peer: this.member, kind: 'offer', sdp });
  }

  /**
   * Takes an offer. One that needs another connection waits while the last that
   * was made so is new; of those that come meanwhile the newest counts.
   * @param {Session} offer @param {boolean} polite
   */
  #hearOffer(offer, polite) {
    const known = this.#mode === 'prepared' ? this.#isPrepared(offer) : (this.#connection && (this.#connection.remoteId ?? offer.id)) === offer.id;
    if (known && !this.#asked) return this.#onOffer(offer, polite);
    this.#asked = offer;
    if (this.#rest === undefined) this.#takeAsked();
  }

  #takeAsked() {
    clearTimeout(this.#rest);
    this.#rest = undefined;
    const offer = this.#asked;
    this.#asked = null;
    if (!offer || !this.#introduction || this.#distrust || this.#closed) return;
    this.#rest = setTimeout(() => this.#takeAsked(), REST_MS * 2 ** Math.min(this.#renewals++, REST_DOUBLINGS));
    this.#onOffer(offer, this.#introduction.polite);
  }

  /**
   * Perfect negotiation, with one more case: an offer of another session id is
   * of a new RTCPeerConnection, so this end makes a new one too.
   * @param {Session} offer @param {boolean} polite
   */
  #onOffer(offer, polite) {
    if (this.#mode === 'prepared') return this.#prepare(offer);
    const connection = this.#connection;
    const renewed = connection !== null && connection.remoteId !== null && connection.remoteId !== offer.id;
    if (connection && !renewed && !polite) return this.#answerUnlessOffering(connection, offer);
    if (connection?.offering && !renewed) {
      if (offer.id === this.#retired) return;
      // Only what was negotiated before can be rolled back and go on.
      if (connection.remoteId === null) this.#drop();
    } else if (renewed) {
      this.#drop();
    }
    this.#answer(this.#connection ?? this.#connect(), offer);
  }

  /**
   * If both ends offer, the other gives way, once this one's offer gets there.
   * Whether this one does is known when its steps so far are done: it may be
   * about to, or the answer to its own may have come right before.
   * @param {Connection} connection @param {Session} offer
   */
  #answerUnlessOffering(connection, offer) {
    this.#negotiate(connection, async () => {
      if (!connection.offering) await this.#answerNow(connection, offer);
      else if (performance.now() - this.#offered >= LOST_MS) this.#sendOffer(connection);
    });
  }

  /**
   * The connection may have been making its first offer when this one came. What
   * it made for that cannot be rolled back, and would be seen in place of what comes.
   * @param {Connection | null} connection @param {Session} offer
   */
  #answer(connection, offer) {
    if (!connection) return;
    this.#negotiate(connection, async () => {
      if (!connection.offering || connection.remoteId !== null) return this.#answerNow(connection, offer);
      this.#drop();
      this.#answer(this.#connect(), offer);
    });
  }

  /** A step of negotiation. @param {Connection} connection @param {Session} offer */
  async #answerNow(connection, offer) {
    this.#recovery.defer();
    await connection.answer(offer);
    if (this.#mode === 'prepared') this.#ready = connection;
    else this.#wiring.send('description', { peer: this.member, kind: 'answer', sdp: connection.local() });
    this.#attach();
  }

  /**
   * Gets everything ready for a guest who waits. The offer that is there
   * already came once more because a connection was made again.
   * @param {Session} offer
   */
  #prepare(offer) {
    if (this.#isPrepared(offer) && offer !== this.#offer && this.#connection) return;
    this.#drop();
    this.#offer = offer;
    this.#answer(this.#connect(), offer);
  }

  /** @param {Session} offer whether everything is ready for this very one */
  #isPrepared({ id, version, ufrag }) {
    return this.#offer?.id === id && this.#offer.version === version && this.#offer.ufrag === ufrag;
  }

  /** @param {Session} answer */
  #onAnswer(answer) {
    const connection = this.#connection;
    if (!connection) return;
    this.#negotiate(connection, async () => {
      if (connection.offering && connection.answers(answer)) await connection.accept(answer);
      this.#attach();
    });
  }

  /**
   * One step after the other, each only if its connection is still the one.
   * @param {Connection} connection @param {() => Promise<void>} step
   */
  #negotiate(connection, step) {
    connection.negotiation.add(() => (connection === this.#connection ? step() : undefined)).catch(() => {
      // The browser refused it. What is missing is asked for again in time.
    });
  }

  /** Puts the tracks that may flow now onto the connection, or takes them off. */
  #attach() {
    const connection = this.#connection;
    connection?.attaching.add(async () => {
      if (connection !== this.#connection) return;
      // A picture would take the place of the proof on a weak line, and is for nobody else anyway.
      const share = connection.verified ? this.#uplink.share : 'voice';
      this.#unset = false; // and what changes meanwhile is done after this
      if (!(await connection.attach(this.#mode === 'open' && !this.#closed ? this.#tracks : SILENCE, { receivers: this.#receivers, share }))) this.#unset = true;
    }).catch(() => {});
  }

  /** Sends as much as suits the way, as far as it is known. */
  #suit() {
    this.#lookAtUplink();
    if (this.#unset) this.#attach();
  }

  #lookAtUplink() {
    if (this.#mode !== 'open' || !this.#wasVerified) return;
    const { share } = this.#uplink;
    if (!this.#healthy || this.#silent || this.#meter.silent) this.#uplink.silent(performance.now());
    else this.#lookAtLine();
    if (this.#uplink.share === share) return;
    this.#attach();
    this.#wiring.onPaused();
  }

  #lookAtLine() {
    const connection = this.#connection;
    if (connection && !connection.spared && this.#meter.streamed) this.#negotiate(connection, () => connection.spare());
    const { half, whole } = roomFor(this.#receivers);
    this.#uplink.look(performance.now(), {
      weak: this.#meter.weak,
      half: this.#meter.roomFor(half) === true,
      whole: this.#meter.roomFor(whole) !== false,
      relayed: this.#meter.truth.path === 'relay',
      streamed: this.#meter.streamed,
      roundTrip: this.#meter.roundTrip,
      answers: this.#meter.answers,
    });
  }

  #stateChanged() {
    const proving = this.#greeted !== this.#connection;
    if (this.#healthy && proving) {
      this.#wasVerified = true;
      this.#unproved = 0;
      this.#greeted = this.#connection;
      this.#uplink.connected();
      // It gets as much as suits the way that there is. How late answers come over TCP is looked at now.
      this.#unset = true;
      if (this.#meter.truth.path === null || this.#meter.streamed) void this.tick();
      else this.#suit();
      this.#wiring.onVerified();
    } else if (proving) {
      void this.tick(); // what it takes to look at the way is not waited for later
    }
    // A first "failed" can be that of candidates which came one by one: what is needed may come next.
    this.#check(this.#wasVerified && !this.#connection?.connected);
    if (this.#healthy) this.#recovery.defer(); // it was silent: what flows is seen soon
    this.#wiring.onChange();
  }

  /**
   * Sees to it that something is done while the connection is not up.
   * @param {boolean} [broke] it was up, so there is no reason to be patient
   */
  #check(broke = false) {
    // Up, and about to prove itself: the connection ends by itself if that fails.
    const proving = this.#connection?.connected && !this.#connection.verified;
    if ((this.#healthy || proving) && !this.#silent) this.#recovery.stop();
    else if (broke && !this.#recovery.begun) this.#retry();
    else if (this.#wanted) this.#recovery.watch();
  }

  #retry() {
    if (this.#wanted) this.#recovery.urge();
  }

  get #wanted() {
    return this.#mode !== 'prepared' && !this.#distrust && !this.#closed;
  }

  /** @param {number} number */
  #attempt(number) {
    const connection = this.#connection;
    if (connection?.offering && number < GENTLE) this.#sendOffer(connection);
    else if (connection && connection.remoteId !== null && !connection.failed && number < GENTLE) this.#restart(connection);
    else if (this.#introduction) {
      this.#drop();
      this.offer();
    }
  }

  /** @param {Connection} connection */
  #restart(connection) {
    this.#negotiate(connection, async () => {
      try {
        connection.configure(this.#wiring.config());
      } catch {
        // Older credentials may still be good.
      }
      await connection.offer({ iceRestart: true });
      this.#sendOffer(connection);
    });
  }
}
