// The vocabulary that browsers and nodes share: messages, limits, codes. Twin of
// rendezvous/wire, with the same verdict on every frame: a message is canonical
// JSON, and decode re-encodes what it understood and compares, so a duplicate,
// unknown or wrongly cased field, another order, a float or a second spelling
// of the same text cannot survive. PROTOCOL.md, "Encoding".

/** @typedef {Uint8Array<ArrayBuffer>} Bytes in JSON, base64url without padding */
/** @typedef {string} MemberID 16 hex digits, or HOST */
/** @typedef {'host' | 'guest'} Role */
/** @typedef {'waiting' | 'admitted' | 'held' | 'disconnected'} SeatState */
/** @typedef {'open' | 'early' | 'ended' | 'full' | 'cancelled' | 'revoked' | 'rotated'} WindowState */
/** @typedef {{urls: string[], username: string, credential: string}} ICEServer */
/**
 * The home node's first word. Times are Unix seconds of its clock.
 * @typedef {{state: WindowState, now: number, opens: number, starts: number, ends: number, closes: number,
 *   practice: string, practitioner: string, sid: Bytes, k_confirm: Bytes, resume: Bytes, ice_servers: ICEServer[], relay_only: boolean,
 *   demo: boolean}} Welcome
 */
/**
 * One member, as far as the receiver may know of them.
 * @typedef {{member: MemberID, role: Role, state: SeatState, name?: string, label?: string, since: number,
 *   alarm: boolean}} RosterEntry
 */
/** @typedef {{members: RosterEntry[], locked: boolean}} Roster */
/**
 * What two members need to recognise each other: role and polite are the
 * receiver's, fp is the other's.
 * @typedef {{member: MemberID, role: 'H' | 'P', polite: boolean, fp: Bytes, key: Bytes, h: Bytes}} Introduce
 */
/** @typedef {{peer: MemberID, kind: 'offer' | 'answer', sdp: string}} Description */
/** @typedef {{peer: MemberID, candidate: string, mid: string}} Candidate */
/** @typedef {'good' | 'slow' | 'blocked'} PathResult */
/** @typedef {Record<never, never>} Nothing */
/**
 * The body of each type.
 * @typedef {object} Bodies
 * @property {Welcome} welcome
 * @property {{name: string, fp: Bytes, resume?: Bytes}} join
 * @property {{appointment: string, tab: Bytes, token: string, fp: Bytes, take: boolean}} attend
 * @property {{member: MemberID, state: SeatState}} seat
 * @property {Roster} roster
 * @property {Introduce} introduce
 * @property {Description} description
 * @property {Candidate} candidate
 * @property {{member: MemberID, sdp?: string}} admit
 * @property {{member: MemberID}} deny
 * @property {{member: MemberID}} remove
 * @property {{member: MemberID, on: boolean}} hold
 * @property {{on: boolean}} lock
 * @property {{member: MemberID}} alarm
 * @property {{path: PathResult}} tested
 * @property {{ice_servers: ICEServer[]}} relays in place of those of the welcome
 * @property {Nothing} leave
 * @property {Nothing} end
 * @property {Nothing} ping
 * @property {Nothing} pong
 * @property {{code: string}} error
 * @property {{code: string}} bye
 */
/** @typedef {keyof Bodies} Type */
/** @typedef {{[T in Type]: {type: T, body: Bodies[T]}}[Type]} Message */

/** The practitioner's member id in every room. */
export const HOST = 'host';

// PROTOCOL.md, "Limits". Text is counted in Unicode code points.
export const MAX_MESSAGE = 16 * 1024 - 2; // bytes; what the largest sealed frame holds
export const MAX_NAME = 64;
export const MAX_LABEL = 64;
export const MAX_SDP = 14_000;
export const MAX_CANDIDATE = 512;
export const MAX_CANDIDATES = 32; // held for one waiting guest
export const MAX_MEMBERS = 4; // in a mesh, the practitioner included
export const MAX_ICE_SERVERS = 8;
export const MAX_ROSTER = 64;
export const HANDSHAKE_MS = 10_000;

/** Every error code, in the order of PROTOCOL.md. */
export const CODES = Object.freeze([
  'bad-message', 'early', 'ended', 'cancelled', 'revoked', 'rotated', 'denied', 'removed', 'seat-taken',
  'room-full', 'room-locked', 'no-such-room', 'not-invited', 'not-found',
  'unauthorized', 'host-elsewhere', 'replaced', 'too-slow', 'too-many',
  'timeout', 'going-away', 'no-storage', 'internal',
]);

/**
 * What became of a link, or of its appointment: the same words as states of a
 * welcome and as codes.
 * @param {string} state @returns {boolean} whether the link opens nothing any more
 */
export const isOver = (state) => state === 'ended' || isDead(state);

/** @param {string} state @returns {boolean} whether that is so whatever the time */
export const isDead = (state) => state === 'cancelled' || state === 'revoked' || state === 'rotated';

/** A frame that is not a message, or a body that may not be sent. */
export class WireError extends Error {
  code = 'bad-message';

  /**
   * @param {string} message for developers; never quotes input
   * @param {boolean} unknownType a frame of a type that a later version may have
   */
  constructor(message, unknownType = false) {
    super(message);
    this.unknownType = unknownType;
  }
}

/**
 * Control characters, bidirectional overrides and isolates, and other code
 * points that change how their neighbours are shown.
 */
const DISTURBS = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;
const LONE_SURROGATE = /[\ud800-\udfff]/u; // with the u flag a pair is one code point

/** @param {string} s */
export const codePoints = (s) => [...s].length;

/** @param {string} s at most one code point */
export const disturbs = (s) => DISTURBS.test(s);

/** @param {string} s @param {number} limit */
const isText = (s, limit) => s.length <= 2 * limit && !LONE_SURROGATE.test(s) && !DISTURBS.test(s) && codePoints(s) <= limit;

/**
 * Makes what a person typed fit for a text field: no code point that disturbs,
 * no white space around it, at most limit code points.
 * @param {string} s @param {number} limit
 */
export function tidyText(s, limit) {
  const kept = [...s].filter((c) => !DISTURBS.test(c) && !LONE_SURROGATE.test(c)).join('').trim();
  return [...kept].slice(0, limit).join('').trim();
}

/** @param {Bytes} bytes */
export function toBase64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/**
 * Returns the bytes that text stands for. What is not canonical either throws
 * here or does not come out of toBase64url as it went in.
 * @param {string} text @returns {Bytes}
 */
export function fromBase64url(text) {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
}

/**
 * A Kind is one kind of value: read makes it of parsed JSON, write makes JSON
 * of it, and both throw what is outside its limits.
 * @typedef {{read: (json: unknown) => unknown, write: (value: unknown) => unknown}} Kind
 */
/** @typedef {{name: string, kind: Kind, optional?: boolean}} Field an optional field is left out when empty */

const refuse = () => {
  throw new WireError('field outside its limits');
};

/** @param {(v: unknown) => boolean} ok @returns {Kind} */
function plain(ok) {
  /** @param {unknown} v */
  const check = (v) => (ok(v) ? v : refuse());
  return { read: check, write: check };
}

/** @param {(s: string) => boolean} ok */
const string = (ok) => plain((v) => typeof v === 'string' && ok(v));
/** @param {readonly string[]} values */
const oneOf = (...values) => string((s) => values.includes(s));
/** @param {number} limit */
const text = (limit) => string((s) => isText(s, limit));
/** @param {number} limit @param {boolean} filled */
const lines = (limit, filled) =>
  string((s) => (s !== '' || !filled) && codePoints(s) <= limit && isText(s.replace(/[\r\n]/g, ' '), limit));
/** @param {number} limit */
const ascii = (limit) => string((s) => s.length <= limit && /^[0-9a-zA-Z_-]+$/.test(s));

const flag = plain((v) => typeof v === 'boolean');
const integer = plain((v) => Number.isSafeInteger(v) && Number(v) >= 0);
const member = string((s) => s === HOST || /^[0-9a-f]{16}$/.test(s));
const name = text(MAX_NAME);
const seatState = oneOf('waiting', 'admitted', 'held', 'disconnected');

/** @param {number} length @returns {Kind} */
function bytes(length) {
  return {
    read(json) {
      if (typeof json !== 'string') return refuse();
      const value = fromBase64url(json);
      return value.length === length ? value : refuse();
    },
    write: (value) => (value instanceof Uint8Array && value.length === length ? toBase64url(/** @type {Bytes} */ (value)) : refuse()),
  };
}

/** @param {Kind} kind @param {number} limit @returns {Kind} */
function list(kind, limit) {
  /** @param {(v: unknown) => unknown} convert */
  const each = (convert) => (/** @type {unknown} */ v) =>
    Array.isArray(v) && v.length <= limit ? v.map((item) => convert(item)) : refuse();
  return { read: each(kind.read), write: each(kind.write) };
}

/** @param {Field[]} fields in their canonical order @returns {Kind} */
function object(...fields) {
  /** @param {(f: Field, v: unknown) => unknown} convert */
  const each = (convert) => (/** @type {unknown} */ v) => {
    if (typeof v !== 'object' || v === null || Array.isArray(v)) return refuse();
    const from = /** @type {Record<string, unknown>} */ (v);
    /** @type {Record<string, unknown>} */
    const made = {};
    for (const f of fields) {
      const value = Object.hasOwn(from, f.name) ? from[f.name] : undefined;
      if (f.optional && isEmpty(value)) continue;
      made[f.name] = convert(f, value);
    }
    return made;
  };
  return { read: each((f, v) => f.kind.read(v)), write: each((f, v) => f.kind.write(v)) };
}

/** @param {unknown} v */
const isEmpty = (v) => v === undefined || v === '' || (v instanceof Uint8Array && v.length === 0);

/** @param {string} fieldName @param {Kind} kind @returns {Field} */
const field = (fieldName, kind) => ({ name: fieldName, kind });
/** @param {string} fieldName @param {Kind} kind @returns {Field} */
const optional = (fieldName, kind) => ({ name: fieldName, kind, optional: true });

const iceServer = object(field('urls', list(text(256), MAX_ICE_SERVERS)), field('username', text(256)), field('credential', text(256)));
const rosterEntry = object(field('member', member), field('role', oneOf('host', 'guest')), field('state', seatState),
  optional('name', name), optional('label', text(MAX_LABEL)), field('since', integer), field('alarm', flag));
const onlyMember = object(field('member', member));
const onlyCode = object(field('code', oneOf(...CODES)));
const nothing = object();

/** @type {ReadonlyMap<string, Kind>} */
const bodies = new Map(Object.entries(/** @satisfies {Record<Type, Kind>} */ ({
  welcome: object(field('state', oneOf('open', 'early', 'ended', 'full', 'cancelled', 'revoked', 'rotated')), field('now', integer), field('opens', integer),
    field('starts', integer), field('ends', integer), field('closes', integer), field('practice', text(MAX_LABEL)), field('practitioner', text(MAX_LABEL)),
    field('sid', bytes(32)), field('k_confirm', bytes(32)), field('resume', bytes(32)),
    field('ice_servers', list(iceServer, MAX_ICE_SERVERS)), field('relay_only', flag), field('demo', flag)),
  join: object(field('name', string((s) => s !== '' && isText(s, MAX_NAME))), field('fp', bytes(32)), optional('resume', bytes(32))),
  attend: object(field('appointment', ascii(32)), field('tab', bytes(16)), field('token', ascii(64)), field('fp', bytes(32)), field('take', flag)),
  seat: object(field('member', member), field('state', seatState)),
  roster: object(field('members', list(rosterEntry, MAX_ROSTER)), field('locked', flag)),
  introduce: object(field('member', member), field('role', oneOf('H', 'P')), field('polite', flag), field('fp', bytes(32)),
    field('key', bytes(32)), field('h', bytes(32))),
  description: object(field('peer', member), field('kind', oneOf('offer', 'answer')), field('sdp', lines(MAX_SDP, true))),
  candidate: object(field('peer', member), field('candidate', text(MAX_CANDIDATE)), field('mid', text(16))),
  admit: object(field('member', member), optional('sdp', lines(MAX_SDP, false))),
  deny: onlyMember,
  remove: onlyMember,
  hold: object(field('member', member), field('on', flag)),
  lock: object(field('on', flag)),
  alarm: onlyMember,
  tested: object(field('path', oneOf('good', 'slow', 'blocked'))),
  relays: object(field('ice_servers', list(iceServer, MAX_ICE_SERVERS))),
  leave: nothing,
  end: nothing,
  ping: nothing,
  pong: nothing,
  error: onlyCode,
  bye: onlyCode,
})));

/**
 * Returns the canonical form of a message.
 * @template {Type} T
 * @param {T} type @param {Bodies[T]} body
 * @returns {string}
 * @throws {WireError} if a field or the whole is outside its limits, so nothing that decode would refuse is sent
 */
export function encode(type, body) {
  const kind = bodies.get(type);
  if (!kind) throw new WireError('unknown type', true);
  // Go's encoder escapes these two where JSON.stringify does not.
  const text = JSON.stringify({ type, body: kind.write(body) }).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
  if (new TextEncoder().encode(text).length > MAX_MESSAGE) throw new WireError('message too long');
  return text;
}

const ENVELOPE = /^\{"type":"([a-z-]{1,32})","body":(.*)\}$/s;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Returns the message in frame. Of a type that is not known nothing but its
 * name is looked at.
 * @param {string | Uint8Array} frame
 * @returns {Message}
 * @throws {WireError}
 */
export function decode(frame) {
  try {
    const text = typeof frame === 'string' ? frame : utf8.decode(frame);
    const [, type = '', content = ''] = ENVELOPE.exec(text) ?? refuse();
    const kind = bodies.get(type);
    if (!kind) throw new WireError('unknown type', true);
    const body = kind.read(JSON.parse(content));
    const message = /** @type {Message} */ ({ type, body });
    if (encode(message.type, message.body) !== text) throw new WireError('not canonical');
    return message;
  } catch (err) {
    throw err instanceof WireError ? err : new WireError('not a message');
  }
}
