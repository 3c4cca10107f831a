// The way to the home node: a WebSocket that comes back by itself, a handshake,
// and then messages both ways. PROTOCOL.md, "Connections".
//
// Nothing is kept for the next connection: whoever sends hears of each welcome
// and says again what still holds.

import { HANDSHAKE_MS, WireError, decode, encode } from './wire.js';
import { Queue } from '../kit/queue.js';
import { SignalError, Socket } from './socket.js';

/**
 * @typedef {import('./wire.js').Message} Message
 * @typedef {import('./wire.js').Type} Type
 * @typedef {import('./wire.js').Welcome} Welcome
 * @typedef {import('./wire.js').Bytes} Bytes
 * @typedef {import('./socket.js').Frame} Frame
 */
/**
 * A Leg is what a handshake leaves: how text becomes frames and back. h is the
 * handshake's hash, null where there was no sealed one.
 * @typedef {object} Leg
 * @property {Welcome} welcome
 * @property {Bytes | null} h
 * @property {(text: string) => Promise<Frame> | Frame} seal
 * @property {(frame: Frame) => Promise<Frame> | Frame} open
 */
/**
 * @typedef {object} Handlers
 * @property {(welcome: Welcome, h: Bytes | null) => void} onWelcome a new connection is ready
 * @property {(message: Message) => void} onMessage
 * @property {(state: 'online' | 'reconnecting' | 'resting', code: string | null) => void} onState
 * @property {(code: string) => void} onEnd it will not come back
 */
/**
 * @typedef {object} Platform what tests replace
 * @property {typeof WebSocket} [WebSocket]
 * @property {EventTarget | null} [events] hears "online"
 * @property {() => number} [random]
 */

// PROTOCOL.md, "Connections".
const BACKOFF_MS = 250; // before the first new try, doubling
const BACKOFF_MAX_MS = 2_000;
const REFUSED_MAX_MS = 15_000; // when there is somebody who does not want to hear more of this
/**
 * How long a try may take to connect, by turns: one that began without a network
 * asks at longer and longer intervals and is late to notice that it is back.
 */
const OPEN_MS = [2_000, 3_000, 5_000, HANDSHAKE_MS];
const SETTLED_MS = 5_000; // a connection that lived this long was a good one
const PING_MS = 10_000;
const PROBE_MS = 1_500;
/** Messages that wait to be sealed. */
const MAX_OUT = 64;

/** Codes after which nothing comes back, if they come in a message. What a close frame says is only a hint. */
const FINAL = new Set([
  'ended', 'denied', 'removed', 'left', 'seat-taken', 'replaced', 'host-elsewhere', 'early', 'room-full', 'room-locked',
  'no-such-room', 'not-invited', 'unauthorized', 'bad-link', 'wrong-practice',
]);
/** Hints of one who will say the same for a while. */
const REFUSED = new Set(['not-invited', 'too-many', 'no-storage']);

export class Signal {
  #url;
  #shake;
  #handlers;
  #WebSocket;
  #events;
  #random;
  /** @type {Socket | null} */ #socket = null;
  /** @type {Leg | null} */ #leg = null;
  #out = new Queue();
  #running = false;
  #closed = false;
  #lifetime = new AbortController();
  #hurry = () => {};
  #since = Infinity; // when the present connection was made
  #welcomed = false; // so the link is good, and a handshake that fails is the fault of whoever carries it
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #keepAlive;

  /**
   * A connection that nothing depends on: nobody asks whether it lives, and when
   * the node lets go of it for lack of use, it is made again by start and not before.
   */
  idle = false;

  /**
   * @param {string} url ws: or wss:
   * @param {(socket: Socket) => Promise<Leg>} shake makes a connection usable
   * @param {Handlers} handlers
   * @param {Platform} platform
   */
  constructor(url, shake, handlers, platform = {}) {
    this.#url = url;
    this.#shake = shake;
    this.#handlers = handlers;
    this.#WebSocket = platform.WebSocket ?? WebSocket;
    this.#events = platform.events === undefined ? globalThis : platform.events;
    this.#random = platform.random ?? Math.random;
  }

  /** Connects, if it is not connected, and does not wait for a pause to end. */
  start() {
    if (this.#closed) return;
    this.#hurry();
    if (!this.#running) void this.#run();
  }

  get online() {
    return this.#leg !== null;
  }

  /**
   * Sends a message on the present connection.
   * @template {Type} T
   * @param {T} type @param {import('./wire.js').Bodies[T]} body
   * @returns {boolean} false if there is no connection, so nothing was sent
   */
  send(type, body) {
    const socket = this.#socket;
    const leg = this.#leg;
    if (!socket || !leg) return false;
    if (this.#out.length >= MAX_OUT) {
      socket.close('too-slow');
      return false;
    }
    const text = encode(type, body);
    this.#out.add(async () => socket.send(await leg.seal(text))).catch(() => socket.close('internal'));
    if (!this.idle && !this.#keepAlive) this.#listen(socket);
    return true;
  }

  /** Finds out soon whether the connection is still one: the network may have changed. */
  probe() {
    this.#hurry();
    const socket = this.#socket;
    if (!socket || !this.#keepAlive) return;
    this.send('ping', {});
    clearTimeout(this.#keepAlive);
    this.#keepAlive = setTimeout(() => socket.close('timeout'), PROBE_MS);
  }

  /** Ends the connection for good, after what was sent has left. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.#lifetime.abort();
    const socket = this.#socket;
    void this.#out.add(() => socket?.close('left'));
    this.#leg = null;
    this.#hurry();
  }

  async #run() {
    this.#running = true;
    this.#events?.addEventListener?.('online', () => this.probe(), { signal: this.#lifetime.signal });
    let tries = 0;
    while (!this.#closed) {
      this.#since = Infinity;
      const { code, said } = await this.#connection(OPEN_MS[tries % OPEN_MS.length] ?? HANDSHAKE_MS);
      if (Date.now() - this.#since >= SETTLED_MS) tries = 0;
      if (this.#closed) break;
      if (said && FINAL.has(code)) {
        this.close();
        this.#handlers.onEnd(code);
        break;
      }
      if (this.idle && code === 'timeout' && this.#since < Infinity) { // it was good, and nobody used it
        this.#handlers.onState('resting', null);
        await this.#pause(null);
      } else {
        this.#handlers.onState('reconnecting', code);
        const most = REFUSED.has(code) ? REFUSED_MAX_MS : BACKOFF_MAX_MS;
        await this.#pause(Math.min(most, BACKOFF_MS * 2 ** tries++) * (1 + this.#random() / 4));
      }
    }
    this.#running = false;
  }

  /**
   * @param {number} ms it may take until it is open
   * @returns {Promise<{code: string, said: boolean}>} why the connection ended, and whether that is certain
   */
  async #connection(ms) {
    const socket = (this.#socket = new Socket(this.#url, this.#WebSocket));
    let deadline = setTimeout(() => socket.close('timeout'), ms);
    try {
      await socket.opened();
      clearTimeout(deadline);
      deadline = setTimeout(() => socket.close('timeout'), HANDSHAKE_MS);
      const leg = await this.#shake(socket);
      clearTimeout(deadline);
      if (this.#closed) return { code: 'left', said: true };
      this.#welcomed = true;
      this.#leg = leg;
      this.#since = Date.now();
      if (!this.idle) this.#listen(socket);
      this.#handlers.onState('online', null);
      this.#handlers.onWelcome(leg.welcome, leg.h);
      for (;;) {
        const frame = await leg.open(await socket.recv());
        if (this.#keepAlive) this.#listen(socket);
        if (this.#closed) return { code: 'left', said: true };
        const code = this.#receive(frame);
        if (code) return { code, said: true };
      }
    } catch (err) {
      return { code: codeOf(err), said: err instanceof SignalError ? err.said : !this.#welcomed };
    } finally {
      clearTimeout(deadline);
      clearTimeout(this.#keepAlive);
      this.#keepAlive = undefined;
      if (!this.#closed) socket.close('going-away');
      if (this.#socket === socket) this.#leg = this.#socket = null;
    }
  }

  /**
   * @param {Frame} frame
   * @returns {string | null} a code if this was the last message
   */
  #receive(frame) {
    let message;
    try {
      message = decode(frame);
    } catch (err) {
      // A later version's message, or a fault of the node: the connection lives.
      if (err instanceof WireError) return null;
      throw err;
    }
    if (message.type === 'bye') return message.body.code;
    if (message.type !== 'pong') this.#handlers.onMessage(message);
    return null;
  }

  /**
   * Asks the node for a sign of life when it has given none for a while, and
   * gives the socket up when none comes.
   * @param {Socket} socket
   */
  #listen(socket) {
    clearTimeout(this.#keepAlive);
    this.#keepAlive = setTimeout(() => {
      this.send('ping', {});
      this.#keepAlive = setTimeout(() => socket.close('timeout'), PING_MS);
    }, PING_MS);
  }

  /** @param {number | null} ms null: until start */
  async #pause(ms) {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    await new Promise((resolve) => {
      this.#hurry = () => resolve(undefined);
      if (ms !== null) timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
    this.#hurry = () => {};
  }
}

/** @param {unknown} err */
function codeOf(err) {
  if (err instanceof SignalError) return err.code;
  const code = err instanceof Error && 'code' in err ? err.code : null;
  return typeof code === 'string' && FINAL.has(code) ? code : 'internal';
}
