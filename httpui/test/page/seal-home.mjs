// A home node for tests of seal.js: the responder's half of the handshake,
// which no page needs. Not a test itself.
import { createHash, createHmac, createPrivateKey } from 'node:crypto';
import { Channel, P256, SealError, admitMAC, beginNKpsk0, constantTimeEqual, linkKeys, parseLink, prologue } from '../../static/link/seal.js';

const { subtle } = globalThis.crypto;

/** @param {string} text @returns {Uint8Array} */
export const hex = (text) => Uint8Array.from(text.match(/../g) ?? [], (b) => parseInt(b, 16));
/** @param {Uint8Array} bytes */
export const toHex = (bytes) => Buffer.from(bytes).toString('hex');
/** @param {...Uint8Array} parts */
export const join = (...parts) => new Uint8Array(Buffer.concat(parts));
/** @param {Uint8Array} bytes */
const base64url = (bytes) => Buffer.from(bytes).toString('base64url');

/** @returns {Promise<CryptoKey>} a P-256 private key from its scalar and its point */
export function p256Key(scalar, point) {
  const jwk = { kty: 'EC', crv: 'P-256', d: base64url(scalar), x: base64url(point.slice(1, 33)), y: base64url(point.slice(33)) };
  return subtle.importKey('jwk', jwk, { name: 'ECDH', namedCurve: 'P-256' }, false, ['deriveBits']);
}

/** dh, but every key it generates is the one given: for vectors. */
export const fixed = (dh, privateKey, publicKey) => ({ ...dh, generate: async () => ({ privateKey, publicKey }) });

/** X25519, for the public vectors. */
export const X25519 = {
  name: '25519',
  length: 32,
  generate: () => Promise.reject(new Error('vectors bring their keys')),
  async shared(privateKey, publicKey) {
    const peer = await subtle.importKey('raw', publicKey, 'X25519', false, []);
    return new Uint8Array(await subtle.deriveBits({ name: 'X25519', public: peer }, privateKey, 256));
  },
};

/** @param {Uint8Array} scalar @returns {Promise<{privateKey: CryptoKey, publicKey: Uint8Array}>} */
export async function x25519Key(scalar) {
  const pkcs8 = join(hex('302e020100300506032b656e04220420'), scalar);
  const { x } = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' }).export({ format: 'jwk' });
  const privateKey = await subtle.importKey('pkcs8', pkcs8, 'X25519', false, ['deriveBits']);
  return { privateKey, publicKey: new Uint8Array(Buffer.from(x, 'base64url')) };
}

/** The responder of Noise_NKpsk0_*_AESGCM_SHA256: read, then write. */
export class Responder {
  constructor(dh, privateKey, state) {
    Object.assign(this, { dh, privateKey, state });
  }

  static async begin(dh, { privateKey, publicKey }, psk, before) {
    return new Responder(dh, privateKey, await beginNKpsk0(dh, publicKey, psk, before));
  }

  async read(m1) {
    this.peer = m1.slice(0, this.dh.length);
    await this.state.mixHash(this.peer);
    await this.state.mixKey(this.peer);
    await this.state.mixKey(await this.dh.shared(this.privateKey, this.peer));
    return this.state.decryptAndHash(m1.slice(this.dh.length));
  }

  async write(payload) {
    const { publicKey, privateKey } = await this.dh.generate();
    await this.state.mixHash(publicKey);
    await this.state.mixKey(publicKey);
    await this.state.mixKey(await this.dh.shared(privateKey, this.peer));
    const m2 = join(publicKey, await this.state.encryptAndHash(payload));
    const [toResponder, toInitiator] = await this.state.split();
    return { m2, h: this.state.h, toResponder, toInitiator };
  }
}

/** @returns {Uint8Array} K_hello of a link, which seal.js can only open with */
export function helloKey(link) {
  const salt = createHash('sha256').update('ar1 salt').digest();
  const extract = createHmac('sha256', salt).update(Buffer.from(link, 'base64url').subarray(1, 33)).digest();
  return new Uint8Array(createHmac('sha256', extract).update('ar1 hello-aead\x01').digest());
}

/** @returns {Promise<Uint8Array>} a hello frame */
export async function helloFrame(link, rid, nonce, publicKey, iv = crypto.getRandomValues(new Uint8Array(12))) {
  const key = await subtle.importKey('raw', helloKey(link), 'AES-GCM', false, ['encrypt']);
  const additionalData = join(Buffer.from('ar1 hello'), rid, nonce);
  return join(hex('010101'), nonce, iv, new Uint8Array(await subtle.encrypt({ name: 'AES-GCM', iv, additionalData }, key, publicKey)));
}

/**
 * Answers one guest on conn as the home node of link.
 * @param {{send: Function, recv: Function}} conn
 * @param {string} link its payload
 * @param {{privateKey: CryptoKey, publicKey: Uint8Array}} host
 * @param {Uint8Array} welcome
 */
export async function accept(conn, link, host, welcome) {
  const keys = await linkKeys(parseLink(link));
  const open = await conn.recv();
  if (toHex(open) !== `01${toHex(keys.rid)}`) throw new SealError('bad-message');
  const nonce = crypto.getRandomValues(new Uint8Array(32));
  await conn.send(await helloFrame(link, keys.rid, nonce, host.publicKey));
  const knock = await conn.recv();
  const m1 = knock.slice(16);
  if (knock.length !== 97 || !constantTimeEqual(knock.slice(0, 16), await admitMAC(keys.admit, nonce, keys.rid, m1))) {
    throw new SealError('bad-message');
  }
  const noise = await Responder.begin(P256, host, await keys.psk(), prologue(keys.rid, keys.commitment, nonce));
  await noise.read(m1);
  const { m2, h, toResponder, toInitiator } = await noise.write(welcome);
  await conn.send(m2);
  return { channel: await Channel.open(toInitiator, toResponder), h };
}

/** @returns {Promise<{link: string, host: {privateKey: CryptoKey, publicKey: Uint8Array}}>} a fresh invite */
export async function newInvite() {
  const host = await P256.generate();
  const hc = createHash('sha256').update('ar1 host-commit').update(host.publicKey).digest().subarray(0, 16);
  const head = Buffer.concat([Buffer.of(1), crypto.getRandomValues(new Uint8Array(32)), hc]);
  const ck = createHash('sha256').update('ar1 link').update(head).digest().subarray(0, 2);
  return { link: Buffer.concat([head, ck]).toString('base64url'), host };
}

/** Two connected ends; change sees each frame on its way: (from, number, frame) → frame. */
export function pipe(change = (_from, _i, frame) => frame) {
  const end = (name, into, from) => {
    let sent = 0;
    return {
      send: (frame) => into.push(change(name, sent++, new Uint8Array(frame))),
      recv: () => from.shift(),
    };
  };
  const [toHome, toGuest] = [new Mailbox(), new Mailbox()];
  return { guest: end('guest', toHome, toGuest), home: end('home', toGuest, toHome), hangUp: () => [toHome, toGuest].forEach((m) => m.end()) };
}

/** Frames in order; the reader waits for the next. */
export class Mailbox {
  #frames = [];
  #waiting = [];
  #ended = false;

  push(frame) {
    const next = this.#waiting.shift();
    if (next) next.resolve(frame);
    else this.#frames.push(frame);
  }

  shift() {
    if (this.#frames.length > 0) return Promise.resolve(this.#frames.shift());
    if (this.#ended) return Promise.reject(new Error('hung up'));
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  end() {
    this.#ended = true;
    for (const { reject } of this.#waiting.splice(0)) reject(new Error('hung up'));
  }
}
