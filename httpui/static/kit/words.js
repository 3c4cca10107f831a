// What the page says. The node writes the catalogue of the page's language into
// the page (httpui/words); here codes and arguments become sentences, in the
// part of MessageFormat 2 that httpui/words/README.md describes.

import { MessageFormat } from '../vendor/messageformat/messageformat.js';

/**
 * @typedef {keyof typeof import('../../words/en.json').messages} Code
 * @typedef {{language: string, locale: string, dir: string, messages: Record<string, string>}} Catalogue
 * @typedef {{code: string, args?: Record<string, unknown>}} Message
 *   as the node says it (node/message)
 */

/** @type {Catalogue | null} */
let catalogue = null;

/** @type {Map<string, MessageFormat>} */
const formats = new Map();

/** @param {Catalogue} other what is said from now on */
export function use(other) {
  catalogue = other;
  formats.clear();
}

function current() {
  if (!catalogue) use(JSON.parse(document.getElementById('words')?.textContent ?? ''));
  return /** @type {Catalogue} */ (catalogue);
}

/** @returns {string} whose way to write numbers and dates is followed, as BCP 47 has it */
export const locale = () => current().locale;

/**
 * @param {Code} code @param {Record<string, unknown>} [args] strings, numbers, lists of strings, and messages of the node
 * @returns {string}
 */
export function say(code, args = {}) {
  const format = formatOf(code);
  return format ? format.format(plain(args), complain) : code;
}

/**
 * The same for sentences in which something other than text stands.
 * @param {Code} code @param {Record<string, unknown>} args also templates
 * @returns {unknown[]} what a template takes as a child
 */
export function sayWith(code, args) {
  const format = formatOf(code);
  if (!format) return [code];
  return format.formatToParts(plain(args), complain).map((part) => {
    if (part.parts) return part.parts.map(({ value }) => value).join('');
    return part.type === 'fallback' ? `{${part.source}}` : part.value;
  });
}

/** @param {Message} message of the node, whose codes may be newer than this page @returns {string} */
export const sayMessage = ({ code, args }) => (code === '' ? '' : say(/** @type {Code} */ (code), args));

/** @param {string} code may come from outside, so "constructor" is not a code @returns {code is Code} */
export const isCode = (code) => Object.hasOwn(current().messages, code);

/** @param {string[]} items @returns {string} "", "Anna", "Anna and Ben", "Anna, Ben and Cleo" */
export const list = ([first = '', ...others]) =>
  others.reduce((before, after, i) => say(i === others.length - 1 ? 'list.last' : 'list.middle', { before, after }), first);

/** @param {string} code @returns {MessageFormat | undefined} */
function formatOf(code) {
  let format = formats.get(code);
  if (!format && isCode(code)) {
    // Names stand in elements of their own, which isolate them (<bdi>).
    format = new MessageFormat(current().locale, /** @type {string} */ (current().messages[code]), { bidiIsolation: 'none', functions: { list: listFunction } });
    formats.set(code, format);
  }
  return format;
}

/** @param {Record<string, unknown>} args with the node's messages in words */
function plain(args) {
  const isMessage = (/** @type {unknown} */ value) => typeof value === 'object' && value !== null && typeof (/** @type {Message} */ (value).code) === 'string';
  const said = (/** @type {unknown} */ value) => (isMessage(value) ? sayMessage(/** @type {Message} */ (value)) : value);
  return Object.fromEntries(Object.entries(args).map(([name, value]) => [name, Array.isArray(value) ? value.map(said) : said(value)]));
}

/** @type {import('../vendor/messageformat/messageformat.js').MessageFunction} */
function listFunction(_context, _options, items) {
  const text = Array.isArray(items) ? list(items.map(String)) : '';
  return { type: 'string', toParts: () => [{ type: 'string', value: text }], toString: () => text };
}

/** @param {Error} err a message and its arguments do not fit: it can be read all the same */
function complain(err) {
  console.warn(err.message);
}
