// One WebSocket as a sequence of frames, in order, with bounds.

import { MAX_MESSAGE } from './wire.js';

/** Frames that wait to be read. A node sends far fewer at once; more is a page that hangs. */
const MAX_QUEUED = 128;
/** Bytes that wait to be sent. More is a network that is gone and has not said so. */
const MAX_BUFFERED = 32 * MAX_MESSAGE;

/**
 * What a close frame may say. It is not sealed, so whoever carries the connection
 * can have written it: every one of these means "connect again", and any other
 * code is none. PROTOCOL.md, "Connections".
 */
const HINTS = new Set(['not-found', 'not-invited', 'going-away', 'too-slow', 'too-many', 'timeout', 'bad-message', 'internal']);

/** Why a connection ended, or could not be made. */
export class SignalError extends Error {
  /**
   * @param {string} code of the wire, or "offline"
   * @param {{said?: boolean}} [options] said: the other end said so in a message
   */
  constructor(code, { said = false } = {}) {
    super(code);
    this.code = code;
    this.said = said;
  }
}

/** @typedef {string | Uint8Array<ArrayBuffer>} Frame */

export class Socket {
  #ws;
  /** @type {Frame[]} */ #frames = [];
  /** @type {SignalError | null} */ #reason = null;
  #listeners = new AbortController();
  #wake = () => {};

  /**
   * @param {string} url
   * @param {typeof WebSocket} Constructor
   */
  constructor(url, Constructor) {
    const { signal } = this.#listeners;
    const ws = (this.#ws = new Constructor(url, 'ar1'));
    ws.binaryType = 'arraybuffer';
    ws.addEventListener('open', () => this.#wake(), { signal });
    ws.addEventListener('message', ({ data }) => this.#push(typeof data === 'string' ? data : new Uint8Array(data)), { signal });
    ws.addEventListener('close', ({ code, reason }) => this.#end(codeOf(code, reason)), { signal });
  }

  /** Resolves when frames can be sent. */
  async opened() {
    while (!this.#reason && this.#ws.readyState === 0) await this.#changed();
    if (this.#reason) throw this.#reason;
  }

  /**
   * Sends a frame, unless the other end is closing the socket: then recv is about to hear why.
   * @param {Frame} frame @throws {SignalError} if the socket is closed or does not drain
   */
  send(frame) {
    if (this.#reason) throw this.#reason;
    if (this.#ws.readyState > 1) return;
    if (this.#ws.bufferedAmount > MAX_BUFFERED) this.close('too-slow');
    else this.#ws.send(frame);
  }

  /**
   * Returns the next frame. What came before the end is still read, then it throws.
   * Only one reader at a time.
   * @returns {Promise<Frame>}
   */
  async recv() {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined) return frame;
      if (this.#reason) throw this.#reason;
      await this.#changed();
    }
  }

  /** @param {string} code tells the reader why; frames that were sent still leave */
  close(code) {
    this.#end(code);
    if (this.#ws.readyState < 2) this.#ws.close(1000);
  }

  /** @param {Frame} frame */
  #push(frame) {
    if (this.#frames.length >= MAX_QUEUED) return this.close('too-slow');
    this.#frames.push(frame);
    this.#wake();
  }

  /** @param {string} code */
  #end(code) {
    this.#reason ??= new SignalError(code);
    this.#listeners.abort();
    this.#wake();
  }

  #changed() {
    return new Promise((resolve) => {
      this.#wake = () => resolve(undefined);
    });
  }
}

/** @param {number} status @param {string} reason @returns {string} what a close frame says */
function codeOf(status, reason) {
  if (HINTS.has(reason)) return reason;
  return status === 1001 || status === 1012 ? 'going-away' : 'not-found';
}
