// The two handshakes of a Signal: a guest's, sealed from this browser to the
// home node, and a practitioner's, whose node is this computer or behind HTTPS.

import { SignalError } from './socket.js';
import { decode } from './wire.js';
import { handshake } from './seal.js';

/**
 * @typedef {import('./socket.js').Socket} Socket
 * @typedef {import('./signal.js').Leg} Leg
 * @typedef {import('./wire.js').Welcome} Welcome
 * @typedef {import('./seal.js').Keys} Keys
 */

/**
 * Returns the handshake of whoever holds a link. What the node in between sees
 * of it is the rendezvous key.
 * @param {Keys} keys
 * @param {typeof handshake} shake what tests replace
 * @returns {(socket: Socket) => Promise<Leg>}
 */
export function guestHandshake(keys, shake = handshake) {
  return async (socket) => {
    socket.send(keyFrame(keys.rendezvous));
    const { channel, welcome, h } = await shake({ send: (frame) => socket.send(frame), recv: () => binary(socket) }, keys);
    const encoder = new TextEncoder();
    return {
      welcome: welcomeOf(welcome),
      h,
      seal: (text) => channel.seal(encoder.encode(text)),
      open: (frame) => (typeof frame === 'string' ? refuse() : channel.open(frame)),
    };
  };
}

/**
 * Returns the handshake of a practitioner. attend is asked for the first
 * message of each connection.
 * @param {() => string} attend
 * @returns {(socket: Socket) => Promise<Leg>}
 */
export function hostHandshake(attend) {
  return async (socket) => {
    socket.send(attend());
    const first = await socket.recv();
    const message = decode(first);
    if (message.type === 'bye') throw new SignalError(message.body.code, { said: true });
    return { welcome: welcomeOf(first), h: null, seal: (text) => text, open: (frame) => frame };
  };
}

/** @param {Uint8Array<ArrayBuffer>} rendezvous @returns {Uint8Array<ArrayBuffer>} */
function keyFrame(rendezvous) {
  const frame = new Uint8Array(1 + rendezvous.length);
  frame[0] = 1;
  frame.set(rendezvous, 1);
  return frame;
}

/** @param {Socket} socket */
async function binary(socket) {
  const frame = await socket.recv();
  return typeof frame === 'string' ? refuse() : frame;
}

/** @param {string | Uint8Array} frame @returns {Welcome} */
function welcomeOf(frame) {
  const message = decode(frame);
  return message.type === 'welcome' ? message.body : refuse();
}

/** @returns {never} */
function refuse() {
  throw new SignalError('bad-message');
}
