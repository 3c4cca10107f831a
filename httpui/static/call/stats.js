// What getStats says, made into what a person is told: which way the call
// takes, how it is sealed, and how good it is, with the reason.

import { ASSUMED_UPLINK } from './encoding.js';

/**
 * @typedef {object} Truth only what the browser reports now
 * @property {'direct' | 'relay' | null} path
 * @property {string} dtls "DTLS 1.3", or "" before there is a connection
 * @property {string} cipher of sound and picture, as the browser names it
 * @property {string} dtlsCipher
 * @property {string | null} relay host of the relay on this side; "" if the browser does not tell it
 */
/** @typedef {'good' | 'poor' | 'lost'} Quality */
/** @typedef {'silent' | 'loss-in' | 'loss-out' | 'delay' | 'bandwidth' | 'cpu' | 'frozen'} Reason */
/**
 * Totals since the connection began, and what holds at this moment.
 * @typedef {object} Sample
 * @property {number} at milliseconds of the browser's clock
 * @property {number} bytes received, of any kind
 * @property {number} audioPackets received @property {number} audioLost
 * @property {number} frames decoded @property {number} videoPackets received
 * @property {number} answers that came to checks of the way, NaN where unknown
 * @property {number} roundTrip seconds @property {number} lossOut 0 to 1, as the other end last reported; soundLossOut: of sound alone
 * @property {number} soundLossOut
 * @property {boolean} streamed over TCP, somewhere on the way
 * @property {number} uplink bits per second that the browser thinks it can send, 0 where unknown
 * @property {boolean} sendsVideo @property {string} limit what the encoder is limited by
 * @property {Truth} truth
 */

// Thresholds. Speech with error correction stays clear to about 5 % loss; a
// conversation stumbles above 400 ms; below 60 kbit/s there is no picture.
const LOSS_POOR = 0.05;
const ROUND_TRIP_POOR = 0.4; // seconds
const UPLINK_POOR = 60_000; // bits per second
const UPLINK_GOOD = 70_000; // above which it is good again
const STREAMED_POOR = 120_000; // likewise over TCP, which gets late as soon as it is given too much
const STREAMED_GOOD = 150_000;
const CORRECTION = 0.15; // by which an assumed uplink changes once it is measured
const SOUND_POOR = 0.2; // of what is said gets lost: where the uplink is not known, that tells
const ROUND_TRIP_LATE = 1.5; // seconds, of which no line is so long: more is under way than it carries
const STREAMED_LATE = 0.6; // seconds, over TCP, where nothing gets lost, so that this shows it
/** A way that is checked every 2.5 seconds, and has not answered for this long, is clogged. */
const UNANSWERED_MS = 4_500;
const SOUND_STEADY = 12; // packets per second, of the 17 or 50 that everybody sends
const SOUND_STARVED = 6;
const FRAMES_POOR = 5; // per second, of a picture that is being sent
const FIRST_FRAME_MS = 3_000; // that a picture may take to begin, or to begin again
/** Without one byte for this long a connection is lost until the contrary is shown. */
export const SILENT_MS = 800;
/** Who sends no sound any more for this long has turned it off. */
const STARVED_MS = 6_000;
/** A page that has not looked for this long was asleep, and knows nothing of the time between. */
const ASLEEP_MS = 2_500;
/** Fewer packets than this say nothing about loss. */
const MIN_PACKETS = 20;

/** @type {Readonly<Truth>} */
export const NO_TRUTH = Object.freeze({ path: null, dtls: '', cipher: '', dtlsCipher: '', relay: null });

/** @type {Readonly<Record<string, string>>} */
const VERSIONS = { FEFF: 'DTLS 1.0', FEFD: 'DTLS 1.2', FEFC: 'DTLS 1.3' };

/** @typedef {Map<string, any> | RTCStatsReport} Report */

/**
 * @param {Report} report
 * @returns {Sample}
 */
export function sample(report) {
  const stats = [...report.values()];
  /** @param {string} type */
  const all = (type) => stats.filter((s) => s.type === type);
  /** @param {any[]} list @param {string} key */
  const sum = (list, key) => list.reduce((total, s) => total + (s[key] ?? 0), 0);

  const transport = all('transport')[0];
  const pairs = all('candidate-pair');
  const pair = report.get(transport?.selectedCandidatePairId) ?? pairs.find((p) => p.selected) ?? null;
  const local = report.get(pair?.localCandidateId);
  const audioIn = all('inbound-rtp').filter((s) => s.kind === 'audio');
  const videoIn = all('inbound-rtp').filter((s) => s.kind === 'video');
  const videoOut = all('outbound-rtp').filter((s) => s.kind === 'video');
  return {
    at: transport?.timestamp ?? pair?.timestamp ?? 0,
    bytes: sum(pairs, 'bytesReceived'),
    audioPackets: sum(audioIn, 'packetsReceived'),
    audioLost: sum(audioIn, 'packetsLost'),
    frames: sum(videoIn, 'framesDecoded'),
    videoPackets: sum(videoIn, 'packetsReceived'),
    answers: pair?.responsesReceived ?? NaN,
    roundTrip: pair?.currentRoundTripTime ?? 0,
    lossOut: lossOf(all('remote-inbound-rtp')),
    soundLossOut: lossOf(all('remote-inbound-rtp').filter((s) => s.kind === 'audio')),
    streamed: isStreamed(local) || isStreamed(report.get(pair?.remoteCandidateId)),
    uplink: pair?.availableOutgoingBitrate ?? 0,
    sendsVideo: videoOut.some((s) => s.active !== false && s.framesSent > 0),
    limit: videoOut.find((s) => s.qualityLimitationReason)?.qualityLimitationReason ?? 'none',
    truth: {
      path: pathOf(pair, report),
      dtls: VERSIONS[String(transport?.tlsVersion ?? '').toUpperCase()] ?? '',
      cipher: transport?.srtpCipher ?? '',
      dtlsCipher: transport?.dtlsCipher ?? '',
      relay: relayOf(local),
    },
  };
}

/**
 * Whether an end sends and receives over TCP. Of the other end's way to its relay
 * only a priority is known: browsers prefer UDP there, too (RFC 8445, section
 * 5.1.2.1; Chromium gives relays over UDP the preference 2, Firefox 5, and those
 * over TCP and TLS 1 and 0).
 * @param {any} candidate
 */
const isStreamed = (candidate) => /^t/.test(candidate?.relayProtocol ?? candidate?.protocol ?? '') // tcp, tls
  || (candidate?.type === 'remote-candidate' && candidate.candidateType === 'relay' && candidate.priority < 2 * 2 ** 24);

/** @param {any[]} reports @returns {number} the worst of them */
const lossOf = (reports) => Math.max(0, ...reports.map((s) => s.fractionLost ?? 0));

/** @param {any} pair @param {Report} report @returns {'direct' | 'relay' | null} */
function pathOf(pair, report) {
  const ends = [report.get(pair?.localCandidateId), report.get(pair?.remoteCandidateId)];
  if (ends.some((c) => !c)) return null;
  return ends.some((c) => c.candidateType === 'relay') ? 'relay' : 'direct';
}

/** @param {string} url of an ICE server @returns {string} its host, "" if it is no relay */
export const relayHost = (url) => /^turns?:(\[[^\]]+\]|[^:?]+)/.exec(url)?.[1] ?? '';

/** @param {any} local @returns {string | null} */
function relayOf(local) {
  if (local?.candidateType !== 'relay') return null;
  return relayHost(local.url ?? '');
}

/**
 * A Meter watches one connection from sample to sample.
 */
export class Meter {
  /** @type {Sample[]} the last four, the newest last */ #samples = [];
  #flowing = 0; // samples in a row with bytes
  #silentSince = 0;
  #weak = false;
  #expectedSince = NaN;
  #answeredAt = NaN;
  #steadyAt = -Infinity; // when sound came as it should
  #measured = false; // the uplink is no longer the one that was assumed

  /** @returns {Truth} */
  get truth() {
    return this.#samples.at(-1)?.truth ?? NO_TRUTH;
  }

  /** Whether bytes that used to come have stopped coming. */
  get silent() {
    const now = this.#samples.at(-1);
    return this.#silentSince > 0 && now !== undefined && now.at - this.#silentSince >= SILENT_MS;
  }

  /** Whether bytes came with the newest sample, and since rearm. */
  get flowing() {
    return this.#flowing > 0 && this.#silentSince === 0;
  }

  /** Whether this end can send too little for sound and picture, until it clearly can again. */
  get weak() {
    return this.#weak;
  }

  /** Whether a part of the way is over TCP. */
  get streamed() {
    return this.#samples.at(-1)?.streamed ?? false;
  }

  /** How many answers came so far, NaN where that is unknown. */
  get answers() {
    return this.#samples.at(-1)?.answers ?? NaN;
  }

  /** Seconds until an answer comes; 0 before there was one. */
  get roundTrip() {
    return this.#samples.at(-1)?.roundTrip ?? 0;
  }

  /**
   * @param {number} bits per second
   * @returns {boolean | null} whether this end can send so much; null as long as the browser only assumes it, and
   *   where it does not know
   */
  roomFor(bits) {
    const uplink = this.#samples.at(-1)?.uplink ?? 0;
    if (uplink > 0 && uplink < bits) return false;
    return this.#measured ? true : null;
  }

  /** Whether pictures came in lately. */
  get pictures() {
    const [from, to] = [this.#samples[0], this.#samples.at(-1)];
    return from !== undefined && to !== undefined && to.frames > from.frames;
  }

  /** @param {Sample} now taken every half second or so */
  add(now) {
    const before = this.#samples.at(-1);
    this.#samples = [...this.#samples, now].slice(-4);
    if (!before) return;
    if (now.bytes > before.bytes) {
      this.#flowing++;
      this.#silentSince = 0;
    } else if (this.#flowing >= 3 && this.#silentSince === 0) {
      this.#silentSince = before.at;
    }
    // A page that was asleep has not listened, so what it missed says nothing.
    if (now.at - before.at > ASLEEP_MS) this.#silentSince = 0;
    if (now.uplink > 0 && Math.abs(now.uplink / ASSUMED_UPLINK - 1) > CORRECTION) this.#measured = true;
    // While sound alone is sent, the estimate follows that, however much more the line would carry.
    const known = now.uplink > 0 && now.sendsVideo;
    const late = now.roundTrip > (now.streamed ? STREAMED_LATE : ROUND_TRIP_LATE);
    const [poor, good] = now.streamed ? [STREAMED_POOR, STREAMED_GOOD] : [UPLINK_POOR, UPLINK_GOOD];
    const tooMuch = now.uplink < (this.#weak ? good : poor) || (now.streamed && late);
    if (!Number.isNaN(now.answers) && now.answers !== before.answers) this.#answeredAt = now.at;
    const clogged = now.at - this.#answeredAt > UNANSWERED_MS;
    const starved = this.#starved();
    this.#weak = (known ? tooMuch : now.soundLossOut > SOUND_POOR || late) || (now.streamed && (clogged || starved));
  }

  /**
   * Whether the sound that used to come has all but stopped: over TCP that shows
   * soonest that a line carries less than it did, and holds what it is given.
   */
  #starved() {
    const [from, to] = [this.#samples.at(-3), this.#samples.at(-1)];
    if (!from || !to) return false;
    const rate = (to.audioPackets - from.audioPackets) / ((to.at - from.at) / 1000);
    if (rate >= SOUND_STEADY) this.#steadyAt = to.at;
    return rate < SOUND_STARVED && to.at - this.#steadyAt < STARVED_MS;
  }

  /** Silence has been acted upon: only a new flow can fall silent again. */
  rearm() {
    this.#flowing = 0;
    this.#silentSince = 0;
  }

  /**
   * @param {boolean} expectsPicture whether the other end says that it sends one
   * @returns {{quality: Quality, reason: Reason | null}}
   */
  verdict(expectsPicture) {
    const [from, to] = [this.#samples[0], this.#samples.at(-1)];
    if (!from || !to || from === to) return { quality: 'good', reason: null };
    if (this.silent) return { quality: 'lost', reason: 'silent' };
    /** @param {boolean} so @param {Reason} reason */
    const poor = (so, reason) => (so ? [reason] : []);
    const lost = to.audioLost - from.audioLost;
    const packets = to.audioPackets - from.audioPackets + lost;
    const seconds = (to.at - from.at) / 1000;
    if (!expectsPicture) this.#expectedSince = NaN;
    else if (Number.isNaN(this.#expectedSince)) this.#expectedSince = to.at;
    const begun = to.at - this.#expectedSince > FIRST_FRAME_MS;
    const [reason] = [
      ...poor(packets >= MIN_PACKETS && lost / packets > LOSS_POOR, 'loss-in'),
      ...poor(to.lossOut > LOSS_POOR, 'loss-out'),
      ...poor(to.roundTrip > ROUND_TRIP_POOR, 'delay'),
      ...poor(this.#weak && to.sendsVideo, 'bandwidth'),
      ...poor(to.limit === 'cpu', 'cpu'),
      ...poor(begun && from.frames > 0 && (to.frames - from.frames) / seconds < FRAMES_POOR, 'frozen'),
    ];
    return reason ? { quality: 'poor', reason } : { quality: 'good', reason: null };
  }
}
