// Session descriptions, read to a typed structure and written anew from an
// allow-list, so that neither a peer nor a node in between decides what
// RTCPeerConnection is told: one bundled DTLS-SRTP transport, one certificate,
// at most one section each of audio, video and data. What could weaken that
// is refused; what is merely unknown is left out. PROTOCOL.md, "Descriptions".

import { MAX_CANDIDATES, MAX_SDP } from '../link/wire.js';
import { formatCandidate, parseCandidate, reachable } from './candidate.js';
import { ASSUMED_UPLINK } from './encoding.js';

/** @typedef {import('../link/wire.js').Bytes} Bytes */
/** @typedef {import('./candidate.js').IceCandidate} IceCandidate */
/** @typedef {'sendrecv' | 'sendonly' | 'recvonly' | 'inactive'} Direction */
/** @typedef {{pt: number, name: string, clock: number, channels: number, fmtp: string, feedback: string[]}} Codec */
/**
 * @typedef {object} Section
 * @property {'audio' | 'video' | 'application'} kind
 * @property {string} mid
 * @property {boolean} rejected port 0 without bundle-only: nothing else counts
 * @property {Direction} direction
 * @property {Codec[]} codecs
 * @property {number} [ptime] milliseconds of sound that a packet is to have (RFC 8866, section 6.4); never read, only written
 * @property {{id: number, direction: string, uri: string}[]} extensions
 * @property {boolean} mixedExtensions
 * @property {boolean} reducedSize
 * @property {string} msid "stream track", or empty
 * @property {{id: number, cname: string}[]} sources
 * @property {string[]} groups "FID 1 2"
 * @property {number} sctpPort
 * @property {number} maxMessageSize
 */
/**
 * @typedef {object} Session
 * @property {string} id of the RTCPeerConnection that wrote it
 * @property {string} version
 * @property {Bytes} fingerprint SHA-256 of the certificate
 * @property {'actpass' | 'active' | 'passive'} setup
 * @property {string} ufrag
 * @property {string} pwd
 * @property {Section[]} sections
 * @property {IceCandidate[]} candidates of the one transport
 * @property {string} answers "id version" of the offer that this answers, or empty: where it is not said
 */

/** A description that must not reach an RTCPeerConnection. */
export class SdpError extends Error {}

/** @param {string} why never quotes input @returns {never} */
const refuse = (why) => {
  throw new SdpError(why);
};

const TRANSPORTS = { audio: 'UDP/TLS/RTP/SAVPF', video: 'UDP/TLS/RTP/SAVPF', application: 'UDP/DTLS/SCTP' };
const CODECS = {
  audio: new Set(['opus/48000', 'red/48000']),
  video: new Set(['vp8/90000', 'vp9/90000', 'h264/90000', 'av1/90000', 'rtx/90000', 'red/90000', 'ulpfec/90000', 'flexfec-03/90000']),
};
// In-band error correction; no DTX, since gaps tell who speaks.
const OPUS = 'minptime=10;useinbandfec=1;usedtx=0;maxaveragebitrate=40000';
// Where Chromium's bandwidth estimate begins, kbit/s.
const VIDEO_START = `x-google-start-bitrate=${ASSUMED_UPLINK / 1000}`;
const FEEDBACK = new Set(['nack', 'nack pli', 'ccm fir', 'goog-remb', 'transport-cc', 'rrtr']);
// Those that a call of one picture a person needs. Without the audio level: it
// travels in clear and tells who speaks.
const EXTENSIONS = new Set([
  'urn:ietf:params:rtp-hdrext:sdes:mid',
  'urn:3gpp:video-orientation',
  'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
  'http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time',
]);
const FORBIDDEN = /^a=(crypto|identity|key-mgmt|zrtp-hash)\b/i;
const MAX_LINES = 600;
const MAX_DATA_MESSAGE = 256 * 1024; // bytes; chat is far smaller

/** @typedef {{head: string, lines: string[]}} Block a section's m= line and what follows, or the session's lines */

/** @param {string} sdp @returns {{session: Block, sections: Block[]}} */
function split(sdp) {
  if (sdp.length > MAX_SDP) refuse('description too long');
  const lines = sdp.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  if (lines.length > MAX_LINES) refuse('too many lines');
  /** @type {Block} */
  const session = { head: '', lines: [] };
  /** @type {Block[]} */
  const sections = [];
  let block = session;
  for (const line of lines) {
    if (!/^[a-z]=[\x20-\x7e]*$/.test(line)) refuse('malformed line');
    if (FORBIDDEN.test(line)) refuse('forbidden key exchange');
    if (line.startsWith('m=')) sections.push((block = { head: line.slice(2), lines: [] }));
    else block.lines.push(line);
  }
  if (lines[0] !== 'v=0') refuse('unknown version');
  return { session, sections };
}

/** @param {Block} b @param {string} name @returns {string[]} the values of every a=name:… */
const values = (b, name) => b.lines.filter((l) => l.startsWith(`a=${name}:`)).map((l) => l.slice(name.length + 3));

/** @param {Block} b @param {string} name */
const flag = (b, name) => b.lines.includes(`a=${name}`);

/**
 * Returns the one value that the blocks agree on.
 * @param {Block[]} blocks @param {string} name @param {RegExp} shape
 */
function agreed(blocks, name, shape) {
  const [value, ...more] = new Set(blocks.flatMap((b) => values(b, name)));
  if (more.length > 0) refuse(`more than one ${name}`);
  if (value === undefined || !shape.test(value)) refuse(`no valid ${name}`);
  return value ?? '';
}

/**
 * Every section that is in use must have the attribute, itself or through the session.
 * @param {Block} session @param {Block[]} used @param {string} name
 */
function covered(session, used, name) {
  if (values(session, name).length === 0 && used.some((b) => values(b, name).length === 0)) refuse(`section without ${name}`);
}

/** @param {string} line "sha-256 AB:CD:…" @returns {Bytes} */
function fingerprint(line) {
  const m = /^sha-256 ((?:[0-9a-f]{2}:){31}[0-9a-f]{2})$/i.exec(line) ?? refuse('certificate hash is not SHA-256');
  return Uint8Array.from((m[1] ?? '').split(':'), (hex) => parseInt(hex, 16));
}

/**
 * Returns the typed content of a description.
 * @param {string} sdp
 * @returns {Session}
 * @throws {SdpError} if it is malformed, or is anything but the one kind of session that calls use
 */
export function parse(sdp) {
  const { session, sections: blocks } = split(sdp);
  const origin = /^o=\S+ (\d{1,20}) (\d{1,20}) IN IP[46] \S+$/.exec(session.lines.find((l) => l.startsWith('o=')) ?? '') ?? refuse('no origin');
  if (blocks.length < 1 || blocks.length > 3) refuse('unexpected number of sections');
  const sections = blocks.map(section);
  const used = blocks.filter((_, i) => !sections[i]?.rejected);
  if (used.length === 0) refuse('every section is rejected');
  for (const key of /** @type {const} */ (['kind', 'mid'])) {
    if (new Set(sections.map((s) => s[key])).size !== sections.length) refuse(`two sections of one ${key}`);
  }
  const bundle = values(session, 'group').filter((g) => g.startsWith('BUNDLE ')).flatMap((g) => g.split(' ').slice(1));
  if (sections.some((s) => !s.rejected && !bundle.includes(s.mid))) refuse('sections are not bundled');
  for (const name of ['fingerprint', 'setup', 'ice-ufrag', 'ice-pwd']) covered(session, used, name);

  const all = [session, ...blocks];
  const prints = new Set(all.flatMap((b) => values(b, 'fingerprint')).map((f) => f.toLowerCase()));
  if (prints.size > 1) refuse('more than one certificate');
  return {
    id: origin[1] ?? '',
    version: origin[2] ?? '',
    fingerprint: fingerprint([...prints][0] ?? ''),
    setup: /** @type {Session['setup']} */ (agreed([session, ...used], 'setup', /^(actpass|active|passive)$/)),
    ufrag: agreed([session, ...used], 'ice-ufrag', /^[A-Za-z0-9+/]{4,256}$/),
    pwd: agreed([session, ...used], 'ice-pwd', /^[A-Za-z0-9+/]{22,256}$/),
    sections,
    candidates: [...new Set(all.flatMap((b) => values(b, 'candidate')))].slice(0, 4 * MAX_CANDIDATES)
      .map((c) => parseCandidate(`candidate:${c}`)).filter((c) => c !== null).slice(0, MAX_CANDIDATES),
    answers: values(session, 'x-answers').find((a) => /^\d{1,20} \d{1,20}$/.test(a)) ?? '',
  };
}

/** @param {Block} b @returns {Section} */
function section(b) {
  const m = /^(audio|video|application) (\d{1,5}) (\S+)((?: \S+)+)$/.exec(b.head) ?? refuse('unknown section');
  const kind = /** @type {Section['kind']} */ (m[1]);
  const formats = (m[4] ?? '').trim().split(' ');
  if (m[3] !== TRANSPORTS[kind]) refuse('unknown transport');
  if (kind === 'application' && formats.join() !== 'webrtc-datachannel') refuse('unknown data protocol');
  const rejected = m[2] === '0' && !flag(b, 'bundle-only');
  const codecs = kind === 'application' ? [] : codecsOf(b, kind, formats);
  if (!rejected && kind !== 'application') {
    if (!flag(b, 'rtcp-mux')) refuse('RTCP is not multiplexed');
    if (codecs.length === 0) refuse('no known codec');
  }
  const msid = /^([\w{}+/.-]{1,64}) ([\w{}+/.-]{1,64})$/.exec(values(b, 'msid')[0] ?? '');
  return {
    kind,
    mid: agreed([b], 'mid', /^[\w-]{1,16}$/),
    rejected,
    direction: /** @type {const} */ (['sendrecv', 'sendonly', 'recvonly', 'inactive']).find((d) => flag(b, d)) ?? 'sendrecv',
    codecs,
    extensions: extensions(b),
    mixedExtensions: kind !== 'application' && flag(b, 'extmap-allow-mixed'),
    reducedSize: flag(b, 'rtcp-rsize'),
    msid: msid?.[0] ?? '',
    sources: sources(b),
    groups: values(b, 'ssrc-group').filter((g) => /^(FID|FEC-FR) \d{1,10} \d{1,10}$/.test(g)).slice(0, 8),
    sctpPort: number(values(b, 'sctp-port')[0], 65535, 5000),
    maxMessageSize: Math.min(number(values(b, 'max-message-size')[0], 2 ** 40, 65536) || MAX_DATA_MESSAGE, MAX_DATA_MESSAGE),
  };
}

/** @param {string | undefined} text @param {number} max @param {number} otherwise */
function number(text, max, otherwise) {
  if (text === undefined) return otherwise;
  return /^\d{1,13}$/.test(text) && Number(text) <= max ? Number(text) : refuse('number out of range');
}

/**
 * Returns the known codecs in the order of formats; one that repairs another
 * only if that is known as well.
 * @param {Block} b @param {'audio' | 'video'} kind @param {string[]} formats
 * @returns {Codec[]}
 */
function codecsOf(b, kind, formats) {
  /** @type {Map<string, Codec>} */
  const known = new Map();
  for (const map of values(b, 'rtpmap')) {
    const m = /^(\d{1,3}) ([\w-]{1,32})\/(\d{1,6})(?:\/(\d))?$/.exec(map);
    if (!m || !formats.includes(m[1] ?? '') || known.has(m[1] ?? '')) continue;
    const [, pt = '', name = '', clock = '', channels = '1'] = m;
    if (Number(pt) > 127 || !CODECS[kind].has(`${name.toLowerCase()}/${clock}`)) continue;
    const fmtp = values(b, 'fmtp').find((f) => f.startsWith(`${pt} `))?.slice(pt.length + 1) ?? '';
    if (!/^[\w=;,./+ -]{0,256}$/.test(fmtp)) refuse('malformed codec parameters');
    const feedback = [...new Set(values(b, 'rtcp-fb').filter((f) => f.startsWith(`${pt} `)).map((f) => f.slice(pt.length + 1)))];
    known.set(pt, {
      pt: Number(pt), name, clock: Number(clock), channels: Number(channels),
      fmtp: parameters(name.toLowerCase(), fmtp),
      feedback: feedback.filter((f) => FEEDBACK.has(f)),
    });
  }
  const repairs = (/** @type {Codec} */ c) => /^apt=(\d+)/.exec(c.fmtp)?.slice(1) ?? (/^\d+(\/\d+)*$/.test(c.fmtp) ? c.fmtp.split('/') : []);
  for (const [pt, c] of known) if (!repairs(c).every((other) => known.has(other))) known.delete(pt);
  return [...new Set(formats)].map((pt) => known.get(pt)).filter((c) => c !== undefined);
}

/** @param {string} codec @param {string} fmtp @returns {string} what this page's encoder is told */
function parameters(codec, fmtp) {
  if (codec === 'opus') return OPUS;
  if (!/^(vp8|vp9|h264|av1)$/.test(codec)) return fmtp;
  return [...fmtp.split(';').filter((p) => p !== '' && !p.startsWith('x-google-')), VIDEO_START].join(';');
}

/** @param {Block} b @returns {Section['extensions']} */
function extensions(b) {
  /** @type {Map<number, Section['extensions'][number]>} */
  const found = new Map();
  for (const line of values(b, 'extmap')) {
    const m = /^(\d{1,3})(\/(?:sendonly|recvonly|sendrecv|inactive))? (\S+)$/.exec(line);
    const [, id = '', direction = '', uri = ''] = m ?? [];
    if (!EXTENSIONS.has(uri) || Number(id) < 1 || Number(id) > 255) continue;
    if (found.has(Number(id))) refuse('two header extensions of one number');
    found.set(Number(id), { id: Number(id), direction, uri });
  }
  return [...found.values()];
}

/** @param {Block} b @returns {Section['sources']} */
function sources(b) {
  return values(b, 'ssrc').slice(0, 32).flatMap((line) => {
    const m = /^(\d{1,10}) cname:([\w{}+/.-]{1,64})$/.exec(line);
    return m && Number(m[1]) < 2 ** 32 ? [{ id: Number(m[1]), cname: m[2] ?? '' }] : [];
  });
}

/**
 * Returns the description that says what s says, and nothing else.
 * @param {Session} s
 * @returns {string}
 */
export function format(s) {
  const lines = ['v=0', `o=- ${s.id} ${s.version} IN IP4 127.0.0.1`, 's=-', 't=0 0',
    `a=group:BUNDLE ${s.sections.filter((m) => !m.rejected).map((m) => m.mid).join(' ')}`, 'a=msid-semantic: WMS *'];
  if (s.answers !== '') lines.push(`a=x-answers:${s.answers}`);
  let first = true;
  for (const m of s.sections) {
    lines.push(...sectionLines(m));
    if (m.rejected) continue;
    lines.push(`a=ice-ufrag:${s.ufrag}`, `a=ice-pwd:${s.pwd}`, 'a=ice-options:trickle', `a=fingerprint:sha-256 ${hex(s.fingerprint)}`, `a=setup:${s.setup}`);
    if (first) lines.push(...s.candidates.map((c) => `a=${formatCandidate(c)}`));
    first = false;
  }
  return lines.join('\r\n') + '\r\n';
}

/** How long a packet of sound is where packets cost much, milliseconds; 20 else. */
const LONG_PTIME = 60;

/**
 * Returns what an end is taken to have said so that sound is sent to it in few
 * packets: long ones, and nothing twice.
 * @param {Session} s
 * @returns {Session}
 */
export const sparing = (s) => ({
  ...s,
  sections: s.sections.map((m) => (m.kind === 'audio' ? { ...m, ptime: LONG_PTIME, codecs: m.codecs.filter((c) => c.name.toLowerCase() === 'opus') } : m)),
});

/** @param {Section} m */
function sectionLines(m) {
  const formats = m.kind === 'application' ? ['webrtc-datachannel'] : m.codecs.map((c) => String(c.pt));
  if (formats.length === 0) formats.push('0'); // a rejected section of codecs that we do not know
  const lines = [`m=${m.kind} ${m.rejected ? 0 : 9} ${TRANSPORTS[m.kind]} ${formats.join(' ')}`, 'c=IN IP4 0.0.0.0', `a=mid:${m.mid}`];
  if (m.kind === 'application') return m.rejected ? lines : [...lines, `a=sctp-port:${m.sctpPort}`, `a=max-message-size:${m.maxMessageSize}`];
  lines.push(`a=${m.rejected ? 'inactive' : m.direction}`, 'a=rtcp-mux');
  if (m.rejected) return lines;
  if (m.reducedSize) lines.push('a=rtcp-rsize');
  if (m.mixedExtensions) lines.push('a=extmap-allow-mixed');
  if (m.msid !== '') lines.push(`a=msid:${m.msid}`);
  for (const e of m.extensions) lines.push(`a=extmap:${e.id}${e.direction} ${e.uri}`);
  for (const c of m.codecs) {
    lines.push(`a=rtpmap:${c.pt} ${c.name}/${c.clock}${c.channels > 1 ? `/${c.channels}` : ''}`);
    if (c.fmtp !== '') lines.push(`a=fmtp:${c.pt} ${c.fmtp}`);
    for (const f of c.feedback) lines.push(`a=rtcp-fb:${c.pt} ${f}`);
  }
  if (m.ptime) lines.push(`a=ptime:${m.ptime}`);
  for (const g of m.groups) lines.push(`a=ssrc-group:${g}`);
  for (const source of m.sources) lines.push(`a=ssrc:${source.id} cname:${source.cname}`);
  return lines;
}

/** @param {Bytes} bytes @returns {string} "AB:CD:…" */
const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, '0').toUpperCase()).join(':');

/**
 * Returns a description of this page as it may leave: of its candidates only
 * such as a browser could use, and with a note of the offer that it answers,
 * so that an answer that comes late is known to be late.
 * @param {string} sdp from RTCPeerConnection.localDescription
 * @param {string} answers "id version" of that offer, or ""
 */
export function outgoing(sdp, answers) {
  const session = parse(sdp);
  return format({ ...session, candidates: session.candidates.filter(reachable), answers });
}
