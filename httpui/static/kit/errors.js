// Codes become sentences here: one that says what is so, and one that says what
// to do. Codes of the wire are those of rendezvous/wire/error.go.

import { isCode, say, sayMessage } from './words.js';

/**
 * @typedef {{title: string, todo: string, again: boolean}} Sentence
 *   again: trying once more can help
 * @typedef {{practitioner: string, practice: string}} Names
 */

/** After which a guest can try once more. */
const guestsAgain = new Set([
  'denied', 'removed', 'left', 'seat-taken', 'room-full', 'room-locked', 'not-invited', 'not-found', 'offline', 'too-many', 'internal', 'no-storage',
  'going-away', 'timeout', 'too-slow', 'bad-message', 'other',
]);

/** After which a practitioner can try once more. */
const practitionersAgain = new Set(['too-slow', 'no-storage', 'going-away', 'timeout', 'too-many', 'bad-message', 'other']);

/**
 * @param {string[]} kinds what the messages of the sentence begin with, the exact kind first
 * @param {string} code @param {Set<string>} again @param {Record<string, string>} [names]
 * @returns {Sentence}
 */
function sentence(kinds, code, again, names) {
  const kind = kinds.find((kind) => isCode(`${kind}.why.${code}`));
  if (!kind) return sentence(kinds, 'other', again, names);
  return { title: textOf(`${kind}.why.${code}`, names), todo: textOf(`${kind}.todo.${code}`, names), again: again.has(code) };
}

/** @param {string} code @param {Record<string, string>} [names] @returns {string} "" if there is no such message */
const textOf = (code, names) => (isCode(code) ? say(code, names) : '');

/**
 * @param {string} code of the wire, of a LinkError, or "offline"
 * @param {Names} names for the sentences that mention somebody; may be empty
 * @returns {Sentence} for a guest
 */
export const guestSentence = (code, { practitioner, practice }) => sentence(['guest', 'call'], code, guestsAgain, { practitioner, practice });

/** @param {string} code of the wire @returns {Sentence} for a practitioner */
export const hostSentence = (code) => sentence(['desk', 'call'], code, practitionersAgain);

/** @param {string} code why there is no call @returns {string} for the title of the page */
export function guestHead(code) {
  const head = `guest.head.${code}`;
  return say(isCode(head) ? head : 'guest.head.other');
}

/** @param {string} code of the wire @returns {Sentence} for a practitioner whose guest was not let in, or not yet */
export function refusalSentence(code) {
  const [why, todo] = [`desk.refused.${code}`, `desk.refused-todo.${code}`];
  return isCode(why) && isCode(todo) ? { title: say(why), todo: say(todo), again: false } : hostSentence(code);
}

/** @param {string | null} reason of stats.js, why a connection to somebody is not as it should be @returns {string} "" if there is none */
export const reasonText = (reason) => textOf(`call.reason.${reason}`);

/** @param {string | null} error of media.js, about a camera, microphone, speaker or screen @returns {string} "" if there is nothing to say */
export const deviceText = (error) => textOf(`call.device.${error}`);

/**
 * What is the matter with all devices, each thing once.
 * @param {{audio: string, video: string, error: string | null}} media of media.js
 * @returns {string} "" if there is nothing to say
 */
export function devicesText({ audio, video, error }) {
  const both = audio === video ? deviceText(`both-${audio}`) : '';
  const sentences = both ? [both] : [`microphone-${audio}`, `camera-${video}`].map(deviceText);
  if (error !== `microphone-${audio}` && error !== `camera-${video}`) sentences.push(deviceText(error));
  return sentences.filter((text) => text !== '').join(' ');
}

/**
 * What to tell a practitioner when the node has refused a request. The node's
 * own sentence is the exact one; here are those that it cannot write.
 * @param {import('./request.js').ApiError} err
 * @returns {string}
 */
export function apiSentence({ code, said }) {
  if (code === 'offline') return say('desk.offline');
  return said && isCode(said.code) ? sayMessage(said) : say('desk.not-done');
}

/**
 * The same while signing in, where too many tries cost time.
 * @param {import('./request.js').ApiError} err
 */
export function signInSentence(err) {
  if (err.code !== 'too-many' || err.retryAfter <= 0) return apiSentence(err);
  if (err.retryAfter < 90) return say('desk.sign-in.wait-seconds', { n: Math.ceil(err.retryAfter) });
  return say('desk.sign-in.wait-minutes', { n: Math.ceil(err.retryAfter / 60) });
}
