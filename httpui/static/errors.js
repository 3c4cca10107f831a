// Codes become sentences here and nowhere else: one that says what is so, one
// that says what to do. Codes of the wire are those of rendezvous/wire/error.go.

/**
 * @typedef {{title: string, todo: string, again: boolean}} Sentence
 *   again: trying once more can help
 * @typedef {{practitioner: string, practice: string}} Names
 */

/** @param {string} title @param {string} todo @param {boolean} [again] @returns {Sentence} */
const say = (title, todo, again = false) => ({ title, todo, again });

/** @type {Record<string, (names: Names) => Sentence>} */
const forGuests = {
  'no-link': () =>
    say('Please open your appointment with its link.', 'You find the link in the message from your practice. Tap it there, or copy all of it into the address bar.'),
  'bad-link': () =>
    say('This link is damaged.', 'A part of it is missing or changed. Open it again from your message, or copy all of it. If that does not help, ask the practice for a new link.'),
  'wrong-practice': () =>
    say('This link does not match this practice.', 'Nothing was sent. Please call the practice and ask for a new link.'),
  ended: ({ practice }) =>
    say('This appointment has ended.', `If you still need help, call ${practice} and ask for a new appointment.`),
  cancelled: ({ practice }) =>
    say('This appointment has been cancelled.', `If you still need one, call ${practice}.`),
  revoked: ({ practice }) =>
    say('The practice has taken this link back.', `If you think this is a mistake, call ${practice}.`),
  rotated: ({ practice }) =>
    say('A newer link has taken the place of this one.', `Use the link in the newest message from ${practice}.`),
  denied: ({ practitioner }) =>
    say(`${practitioner} cannot let you in now.`, 'If you think this is a mistake, call the practice, or try again in a minute.', true),
  removed: ({ practitioner }) =>
    say(`${practitioner} has ended your part of the call.`, 'If you think this is a mistake, call the practice, or try again in a minute.', true),
  left: () => say('You have left the call.', 'If you left by mistake, join again.', true),
  'seat-taken': () =>
    say('This link is already in use in another window or on another device.', 'If you closed or reloaded this page just now, it takes up to a minute until your place is free. Otherwise go on where you opened the link first, or leave there. If that was not you, call the practice.', true),
  replaced: () => say('You joined again in another tab or window.', 'Go on there. You can close this page.'),
  'open-elsewhere': () => say('This appointment is open in another tab of this browser.', 'Go on in that tab, or use it here: then that tab lets go of it.'),
  'room-full': () => say('This call is full.', 'Wait a moment and try again, or call the practice.', true),
  'room-locked': ({ practitioner }) =>
    say(`${practitioner} is letting nobody in at the moment.`, 'Wait a few minutes and try again.', true),
  'no-such-room': () =>
    say('This link is no longer valid.', 'The practice may have sent you a newer one: use the latest. Otherwise ask for a new link.'),
  'not-invited': () =>
    say('The practice does not know this link.', 'It may have sent you a newer one: use the newest message. This page keeps trying. If it takes longer than a few minutes, please call the practice.', true),
  'not-found': () =>
    say('The practice cannot be reached right now.', 'This page keeps trying. If it takes longer than a few minutes, please call the practice.', true),
  offline: () => say('Your device is offline.', 'Check your Wi-Fi or mobile data. This page goes on by itself when it is back.', true),
  'too-many': () => say('There were too many tries in a short time.', 'This page tries again by itself. If it takes longer than a few minutes, please call the practice.', true),
  internal: () => say('Something went wrong at the practice.', 'This page tries again by itself. If it takes longer than a few minutes, please call the practice.', true),
  'no-storage': () =>
    say('The practice’s computer has a problem: its disk is full or does not work.', 'Please call the practice and tell them. This page tries again by itself.', true),
  'going-away': () => say('The practice’s computer is restarting.', 'This page comes back by itself in a moment.', true),
  unsupported: () =>
    say('This browser cannot make video calls.', 'Update it. Or copy your link, open a current Safari, Chrome, Firefox or Edge, and paste it into the address bar.'),
};

/** What the title of the page begins with when there is no call to come. @type {Record<string, string>} */
const heads = {
  'no-link': 'Link needed', 'bad-link': 'Damaged link', 'wrong-practice': 'Wrong link', rotated: 'Replaced link', revoked: 'Withdrawn link',
  cancelled: 'Cancelled', 'seat-taken': 'In use elsewhere', 'open-elsewhere': 'Open in another tab',
  'room-full': 'Full', 'room-locked': 'Closed', unsupported: 'Another browser is needed', denied: 'Not let in',
};

/** @param {string} code why there is no call @returns {string} for the title of the page */
export const guestHead = (code) => lookUp(heads, code) ?? 'Ended';

/** @type {Record<string, (names: Names) => Sentence>} */
const forPractitioners = {
  ended: () => say('The call has ended.', 'The next patient is one click away.'),
  cancelled: () => say('This appointment has been cancelled.', 'Make a new one if you still need it.'),
  left: () => say('You have left the call.', 'Your guests are in the waiting room again.'),
  'no-such-room': () => say('This appointment is no longer open.', 'Make a new one if you still need it.'),
  'room-full': () => say('This call is full.', 'Four people can be in one call. Remove somebody before you admit the next.'),
  'not-invited': () => say('This guest is no longer there.', 'They may have left, or their link was revoked.'),
  'host-elsewhere': () => say('Anteroom is open in another tab.', 'Knocks ring there. Use this tab to bring them here.'),
  replaced: () => say('Another tab has taken over.', 'Use this tab to bring calls back here.'),
  'too-slow': () => say('This browser could not keep up.', 'Close other tabs and programs, then go back into the call.', true),
  unauthorized: () => say('You have been signed out.', 'Sign in again to go on.'),
  'no-cookies': () => say('This browser keeps no cookies for this page, so nobody can sign in here.', 'Allow cookies for this address in the settings of the browser, then open the page again.'),
  unsupported: () => say('This browser cannot make video calls.', 'Use a current Chrome, Firefox, Edge or Safari.'),
  'no-storage': () => say('The disk that the records are on is full or does not work.', 'Make room there, then try again. Until then nobody can be let in.', true),
  'going-away': () => say('Anteroom is restarting.', 'This page comes back by itself in a moment.', true),
};

/** Why somebody was not let into a call, or not yet. @type {Record<string, Sentence>} */
const forRefusals = {
  'no-such-room': say('This guest is no longer there.', 'If they come back, you hear a knock.'),
  offline: say('There is no connection to Anteroom at the moment.', 'Your guest is let in when it is back.'),
  ended: say('The time of this appointment is over.', 'To let this guest in, make a new appointment and send them its link.'),
};

/** @type {Record<string, (names: Names) => Sentence>} */
const forAnybody = {
  timeout: () => say('The connection took too long.', 'Check your network. This page tries again by itself.', true),
  'too-slow': () => say('The connection could not keep up.', 'This page tries again by itself.', true),
  'too-many': () => say('There were too many tries in a short time.', 'Wait a minute, then try again.', true),
  'bad-message': () => say('Something went wrong on this page.', 'Load the page again. If it happens again, tell the practice.', true),
};

const unknown = say('Something went wrong.', 'Try again. If it happens again, call the practice.', true);

/**
 * @param {string} code of the wire, of a LinkError, or "offline"
 * @param {Names} names for the sentences that mention somebody
 * @returns {Sentence} for a guest
 */
export function guestSentence(code, names) {
  const known = {
    practitioner: names.practitioner || 'The practitioner',
    practice: names.practice || 'the practice',
  };
  return (lookUp(forGuests, code) ?? lookUp(forAnybody, code))?.(known) ?? unknown;
}

/** @param {string} code of the wire @returns {Sentence} for a practitioner */
export function hostSentence(code) {
  const names = { practitioner: 'You', practice: 'the practice' };
  return (lookUp(forPractitioners, code) ?? lookUp(forAnybody, code))?.(names) ?? say('Something went wrong.', 'Try again.', true);
}

/** @param {string} code of the wire @returns {Sentence} for a practitioner whose guest was not let in */
export const refusalSentence = (code) => lookUp(forRefusals, code) ?? hostSentence(code);

/** Why a connection to somebody is not as it should be: the reasons of stats.js. @type {Record<string, string>} */
const reasons = {
  silent: 'nothing is arriving',
  'loss-in': 'their sound arrives with gaps',
  'loss-out': 'your sound reaches them with gaps',
  delay: 'there is a long delay',
  bandwidth: 'your line is too slow for a good picture',
  cpu: 'your device is too busy',
  frozen: 'their picture is stuck',
  held: 'on hold',
  unverified: 'This connection could not be verified, so it was closed.',
};

/** @param {string | null} reason @returns {string} "" if there is none */
export const reasonText = (reason) => (reason === null ? '' : (lookUp(reasons, reason) ?? ''));

/** What is the matter with camera, microphone, speaker or screen: the errors of media.js. @type {Record<string, string>} */
const devices = {
  'camera-denied': 'This page may not use the camera, so nobody sees you.',
  'camera-missing': 'No camera was found, so nobody sees you.',
  'camera-busy': 'The camera is in use by another program, so nobody sees you. Close that program, then try again.',
  'camera-lost': 'The camera was disconnected, so nobody sees you. Connect it again, then try again.',
  'camera-other': 'The camera that was chosen cannot be used now, so another one is in use.',
  'camera-kept': 'That camera cannot be used now, so the one before goes on.',
  'microphone-denied': 'This page may not use the microphone, so nobody hears you.',
  'microphone-missing': 'No microphone was found, so nobody hears you.',
  'microphone-busy': 'The microphone is in use by another program, so nobody hears you. Close that program, then try again.',
  'microphone-lost': 'The microphone was disconnected, so nobody hears you. Connect it again, then try again.',
  'microphone-other': 'The microphone that was chosen cannot be used now, so another one is in use.',
  'microphone-kept': 'That microphone cannot be used now, so the one before goes on.',
  'both-denied': 'This page may not use camera and microphone, so nobody sees or hears you.',
  'both-missing': 'No camera and no microphone were found, so nobody sees or hears you.',
  'both-busy': 'Camera and microphone are in use by another program, so nobody sees or hears you. Close that program, then try again.',
  'both-lost': 'Camera and microphone were disconnected, so nobody sees or hears you. Connect them again, then try again.',
  'speaker-other': 'The speaker that was chosen cannot be used now, so the usual one is in use.',
  'screen-denied': 'Your screen is not shared. If you wanted to share it, allow this browser to record the screen in the settings of your computer, then try again.',
};

/** @param {string | null} error @returns {string} "" if there is nothing to say */
export const deviceText = (error) => (error === null ? '' : (lookUp(devices, error) ?? ''));

/**
 * What is the matter with all devices, each thing once.
 * @param {Pick<import('./media.js').MediaSnapshot, 'audio' | 'video' | 'error'>} media
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
 * @param {import('./api.js').ApiError} err
 * @returns {string}
 */
export function apiSentence({ code, message }) {
  if (code === 'offline') return 'Anteroom does not answer. Check that it is running on this computer.';
  return message || 'Anteroom could not do this. Try again.';
}

/**
 * The same while signing in, where too many tries cost time.
 * @param {import('./api.js').ApiError} err
 */
export function signInSentence(err) {
  if (err.code !== 'too-many' || err.retryAfter <= 0) return apiSentence(err);
  return `That was wrong too often. To keep strangers out, wait ${waitText(err.retryAfter)}, then try again. Nothing is lost.`;
}

/** @param {number} seconds */
function waitText(seconds) {
  if (seconds < 90) return `${Math.ceil(seconds)} seconds`;
  return `${Math.ceil(seconds / 60)} minutes`;
}

/**
 * @template T
 * @param {Record<string, T>} table
 * @param {string} key may come from outside, so "constructor" is not a key
 * @returns {T | undefined}
 */
function lookUp(table, key) {
  return Object.prototype.hasOwnProperty.call(table, key) ? table[key] : undefined;
}
