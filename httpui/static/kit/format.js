// Times and names as people read them. Times are Unix seconds; the words are
// the catalogue's, the clock (12 or 24 hours) is the reader's own.

import { locale, say } from './words.js';

/** @type {Record<'clock' | 'zonedClock' | 'day', Intl.DateTimeFormat> | undefined} */
let made;

/** The ways to write times: the reader's own where the catalogue speaks the same language. */
function formats() {
  if (made) return made;
  const own = globalThis.navigator?.language ?? '';
  const as = own.split('-')[0] === locale().split('-')[0] ? own : locale();
  const { hourCycle } = new Intl.DateTimeFormat(undefined, { hour: 'numeric' }).resolvedOptions();
  const time = /** @type {const} */ ({ hour: 'numeric', minute: '2-digit', ...(hourCycle && { hourCycle }) });
  made = {
    clock: new Intl.DateTimeFormat(as, time),
    zonedClock: new Intl.DateTimeFormat(as, { ...time, timeZoneName: 'short' }),
    day: new Intl.DateTimeFormat(as, { weekday: 'long', day: 'numeric', month: 'long' }),
  };
  return made;
}

/**
 * @param {number} unix
 * @returns {string} "14:45"; of a time that comes twice on its day, "02:30 CEST", or "02:30 GMT+2" where a zone has no short name
 */
export const clock = (unix) => formats()[comesTwice(unix) ? 'zonedClock' : 'clock'].format(unix * 1000);

/** @param {number} unix @returns {string} "Friday 21 November" */
export const day = (unix) => formats().day.format(unix * 1000);

/**
 * @param {number} from @param {number} to
 * @returns {string} "14:45 – 15:15"
 */
export const span = (from, to) => say('desk.span', { from: clock(from), to: clock(to) });

/** @param {number} unix @returns {string} "2025-11-21", the reader's date: sorts and compares */
export function dateKey(unix) {
  const d = new Date(unix * 1000);
  return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}`;
}

/** @param {number} unix @returns {string} "14:45", as <input type="time"> wants it */
export function timeKey(unix) {
  const d = new Date(unix * 1000);
  return `${pad(d.getHours())}:${pad(d.getMinutes())}`;
}

/** Since 1973 clocks have been moved by at most so much at once, and by a multiple of the step, in seconds (IANA time zone database). */
const mostMoved = 3 * 3600;
const step = 10 * 60;

/**
 * The moments at which clocks here show a time. Where clocks are put forward
 * some times do not exist, and where they are put back some come twice.
 * @param {string} date as dateKey writes it
 * @param {string} time as timeKey writes it
 * @returns {number[]} Unix seconds: none, one, or two of which the earlier is first
 */
export function moments(date, time) {
  const near = Math.floor(new Date(`${date}T${time}`).getTime() / 1000);
  if (!Number.isFinite(near)) return [];
  const found = [];
  for (let at = near - mostMoved; at <= near + mostMoved; at += step) {
    if (dateKey(at) === date && timeKey(at) === time) found.push(at);
  }
  return found;
}

/** @param {number} unix @returns {boolean} clocks show this time once more on the same day, or did before */
function comesTwice(unix) {
  const offset = (/** @type {number} */ at) => new Date(at * 1000).getTimezoneOffset();
  return offset(unix - mostMoved) !== offset(unix + mostMoved) && moments(dateKey(unix), timeKey(unix)).length > 1;
}

/**
 * A moment, for a sentence that somebody reads who looks at the clock at now.
 * @param {number} now @param {number} at
 * @returns {{time: string, day: string}} "14:45" and "Friday 21 November"; "" for today
 */
export const when = (now, at) => ({ time: clock(at), day: dateKey(now) === dateKey(at) ? '' : day(at) });

/**
 * How long something took, for a sentence.
 * @param {number} seconds
 * @returns {{h: number, min: number, mm: string}} whole hours, the minutes beside them, and these with two digits
 */
export function elapsed(seconds) {
  const [h, min] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return { h, min, mm: pad(min) };
}

/**
 * @param {number} seconds
 * @returns {string} "just now", "1 minute", "12 minutes", "1 h 05 min"
 */
export const duration = (seconds) => say('desk.duration', elapsed(seconds));

/** Code points of a message's beginning: about two lines over a phone's picture. */
const MAX_EXCERPT = 100;

/** @param {string} text @returns {string} its first words, on one line */
export function excerpt(text) {
  const line = text.replace(/\s+/gu, ' ').trim();
  const points = [...line];
  return points.length <= MAX_EXCERPT ? line : `${points.slice(0, MAX_EXCERPT - 1).join('').trimEnd()}…`;
}

/**
 * @param {number} seconds until the door opens
 * @returns {string} "Opens in 1 h 05 min", "Opens in 4 min 05 s", "Opens in a moment"; for more than a day, in days
 */
export function countdown(seconds) {
  const left = Math.ceil(seconds);
  const [min, h] = [Math.floor(left / 60), Math.floor(left / 3600)];
  if (left <= 0) return say('guest.opens.soon');
  if (left < 60) return say('guest.opens.seconds', { s: left });
  if (left < 3600) return say('guest.opens.minutes', { min, ss: pad(left % 60) });
  if (left < 2 * 86_400) return say('guest.opens.hours', { h, mm: pad(min % 60) });
  return say('guest.opens.days', { n: Math.floor(left / 86_400) });
}

/** @param {string} name @returns {string} one or two letters for a picture that is not there */
export function initials(name) {
  const words = name.trim().split(/\s+/u).filter((word) => /\p{L}|\p{N}/u.test(word));
  const first = words[0];
  const last = words.length > 1 ? words[words.length - 1] : undefined;
  return [first, last].map((word) => (word ? [...word][0] : '')).join('').toUpperCase();
}

/** @param {number} n */
function pad(n) {
  return String(n).padStart(2, '0');
}
