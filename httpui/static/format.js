// Times and names as people read them. Times are Unix seconds; the words are
// English, the clock (12 or 24 hours) is the reader's own.

const language = globalThis.navigator?.language ?? 'en-GB';
const locale = language.startsWith('en') ? language : 'en-GB';
const { hourCycle } = new Intl.DateTimeFormat(undefined, { hour: 'numeric' }).resolvedOptions();

/** @param {Intl.DateTimeFormatOptions} options */
const format = (options) => new Intl.DateTimeFormat(locale, options);

const clockFormat = format({ hour: 'numeric', minute: '2-digit', ...(hourCycle && { hourCycle }) });
const dayFormat = format({ weekday: 'long', day: 'numeric', month: 'long' });

const zoneFormat = format({ timeZoneName: 'short' });

/**
 * @param {number} unix
 * @returns {string} "14:45"; of a time that comes twice on its day, "02:30 CEST"
 */
export const clock = (unix) => (comesTwice(unix) ? `${clockFormat.format(unix * 1000)} ${zone(unix)}` : clockFormat.format(unix * 1000));

/** @param {number} unix @returns {string} "CEST", or "GMT+2" where a zone has no short name */
const zone = (unix) => zoneFormat.formatToParts(unix * 1000).find(({ type }) => type === 'timeZoneName')?.value ?? '';

/** @param {number} unix @returns {string} "Friday 21 November" */
export const day = (unix) => dayFormat.format(unix * 1000);

/**
 * @param {number} from @param {number} to
 * @returns {string} "14:45 – 15:15"
 */
export const span = (from, to) => `${clock(from)} – ${clock(to)}`;

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
 * When the appointment is, for somebody who looks at the clock at now.
 * @param {number} now @param {number} at
 * @returns {string} "at 14:45", or "at 14:45 on Friday 21 November"
 */
export const when = (now, at) =>
  dateKey(now) === dateKey(at) ? `at ${clock(at)}` : `at ${clock(at)} on ${day(at)}`;

/**
 * @param {number} seconds
 * @returns {string} "just now", "1 minute", "12 minutes", "1 h 05 min"
 */
export function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return 'just now';
  if (minutes === 1) return '1 minute';
  if (minutes < 60) return `${minutes} minutes`;
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`;
}

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
  if (left <= 0) return 'Opens in a moment';
  if (left >= 2 * 86_400) return `Opens in ${Math.floor(left / 86_400)} days`;
  if (left >= 3600) return `Opens in ${Math.floor(left / 3600)} h ${pad(Math.floor(left / 60) % 60)} min`;
  return left >= 60 ? `Opens in ${Math.floor(left / 60)} min ${pad(left % 60)} s` : `Opens in ${left} s`;
}

/** @param {string} name @returns {string} one or two letters for a picture that is not there */
export function initials(name) {
  const words = name.trim().split(/\s+/u).filter((word) => /\p{L}|\p{N}/u.test(word));
  const first = words[0];
  const last = words.length > 1 ? words[words.length - 1] : undefined;
  return [first, last].map((word) => (word ? [...word][0] : '')).join('').toUpperCase();
}

/** @param {string[]} names @returns {string} "Anna", "Anna and Ben", "Anna, Ben and Cleo" */
export function list(names) {
  if (names.length < 2) return names[0] ?? '';
  return `${names.slice(0, -1).join(', ')} and ${names[names.length - 1]}`;
}

/** @param {number} n */
function pad(n) {
  return String(n).padStart(2, '0');
}
