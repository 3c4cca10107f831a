// What travels on c0 between two verified peers. Text from outside is data: it
// is cleaned before anything else sees it, and never more than shown.

import { codePoints, disturbs } from '../link/wire.js';

/**
 * @typedef {{from: string, name: string, text: string, at: number}} ChatLine from: a member id, or "self"; at: milliseconds
 * @typedef {{t: 'chat', text: string} | {t: 'media', audio: boolean, video: boolean, paused: boolean}} Said
 *   media: what the other end sends now; paused: its picture waits for a better line. Repeated, so that it also shows that
 *   the line is alive
 */

/** Code points of one line of chat. */
export const MAX_CHAT = 4_000;

/**
 * Returns text without what could disturb the page around it: control
 * characters other than line ends, bidirectional overrides, lone surrogates.
 * @param {string} text
 * @returns {string} at most MAX_CHAT code points
 */
export function cleanChat(text) {
  const lines = text.replace(/\r\n?/g, '\n').replaceAll('\t', ' ').split('\n');
  const clean = lines.map((line) => [...line].filter((c) => !disturbs(c) && !/[\ud800-\udfff]/u.test(c)).join('')).join('\n').trim();
  return codePoints(clean) <= MAX_CHAT ? clean : [...clean].slice(0, MAX_CHAT).join('');
}

/**
 * Returns what a peer said, or null for what this version does not know.
 * @param {string} text as it came
 * @returns {Said | null}
 */
export function hear(text) {
  /** @type {unknown} */
  let said;
  try {
    said = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof said !== 'object' || said === null) return null;
  const { t, text: line, audio, video, paused } = /** @type {Record<string, unknown>} */ (said);
  if (t === 'chat' && typeof line === 'string') return { t, text: cleanChat(line) };
  if (t === 'media' && typeof audio === 'boolean' && typeof video === 'boolean') return { t, audio, video, paused: paused === true };
  return null;
}

/** @param {Said} said */
export const say = (said) => JSON.stringify(said);
