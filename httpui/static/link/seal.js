// The twin of rendezvous/invite and rendezvous/seal in the browser: a link, the
// keys that follow from it, the handshake with the home node, and the sealed
// channel it leaves. PROTOCOL.md, "The link" to "The handshake".
//
// All cryptography is the browser's own (WebCrypto); this file only says in
// which order. It knows no DOM and no socket.

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */

/** Says that a link was cut, changed or never was one. Nothing has been sent. */
export class LinkError extends Error {
  code = 'bad-link';
  constructor() {
    super('bad link');
  }
}

/**
 * Says that the other end is not who it must be, or that something was changed
 * on the way. code is "wrong-practice": whoever answers does not hold the key
 * that the link commits to, and was sent nothing but the invite's rid; or
 * "bad-message": the channel is at its end.
 */
export class SealError extends Error {
  /** @param {'wrong-practice' | 'bad-message'} code */
  constructor(code) {
    super(code);
    this.code = code;
  }
}

const VERSION = 1;
const SUITE = 1; // Noise_NKpsk0_P256_AESGCM_SHA256, the only one
const POINT = 65;
const TAG = 16;
const ADMIT = 16;
const HELLO = 3 + 32 + 12 + POINT + TAG; // version, number of suites, suite | nonce_h | iv | sealed point

const { subtle } = globalThis.crypto;
const encoder = new TextEncoder();

/** @param {...(Bytes | string)} parts strings are ASCII @returns {Bytes} */
function concat(...parts) {
  const list = parts.map((p) => (typeof p === 'string' ? encoder.encode(p) : p));
  const all = new Uint8Array(list.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of list) {
    all.set(p, at);
    at += p.length;
  }
  return all;
}

/** @param {...(Bytes | string)} parts @returns {Promise<Bytes>} SHA-256 */
const hash = async (...parts) => new Uint8Array(await subtle.digest('SHA-256', concat(...parts)));

/** @param {Bytes} raw @returns {Promise<CryptoKey>} */
const hmacKey = (raw) => subtle.importKey('raw', raw, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);

/** @param {CryptoKey} key @param {...(Bytes | string)} parts @returns {Promise<Bytes>} HMAC-SHA-256 */
const mac = async (key, ...parts) => new Uint8Array(await subtle.sign('HMAC', key, concat(...parts)));

/**
 * HKDF-Expand, without the Extract that WebCrypto's HKDF always does.
 * @param {Bytes} key 32 bytes
 * @param {Bytes | string} info
 * @param {number} n at most 32
 * @returns {Promise<Bytes>}
 */
export async function hkdfExpand(key, info, n) {
  return (await mac(await hmacKey(key), info, Uint8Array.of(1))).slice(0, n);
}

/**
 * Compares without telling by its time where the first difference is.
 * @param {Uint8Array} a @param {Uint8Array} b @returns {boolean}
 */
export function constantTimeEqual(a, b) {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= /** @type {number} */ (a[i]) ^ /** @type {number} */ (b[i]);
  return difference === 0;
}

/**
 * A Link is what a guest holds. Its secret stays in the closure of keys.
 * @typedef {{readonly keys: () => Promise<Keys>}} Link
 */

/**
 * Keys is what follows from a link. What need not leave WebCrypto does not.
 * @typedef {object} Keys
 * @property {Bytes} rendezvous K_rdv, for the gateway
 * @property {Bytes} rid by which the home node knows the invite
 * @property {Bytes} commitment HC, by which the host's key is recognised
 * @property {() => Promise<Bytes>} psk K_psk, derived anew for each handshake
 * @property {CryptoKey} admit K_admit, HMAC
 * @property {CryptoKey} hello K_hello, AES-GCM
 */

/**
 * Decodes a link's payload, "#" and payload, or a URL whose fragment is one. It
 * accepts no second spelling. The checksum needs WebCrypto, which answers
 * later: linkKeys looks at it.
 * @param {string} link
 * @returns {Link}
 * @throws {LinkError}
 */
export function parseLink(link) {
  const payload = link.slice(link.indexOf('#') + 1);
  // 68 characters are 51 bytes to the bit, so no two of them mean the same.
  if (!/^[A-Za-z0-9_-]{68}$/.test(payload)) throw new LinkError();
  const binary = atob(payload.replaceAll('-', '+').replaceAll('_', '/'));
  const bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0));
  if (bytes[0] !== VERSION) throw new LinkError();
  return Object.freeze({ keys: () => deriveKeys(bytes) });
}

/**
 * @param {Link} link
 * @returns {Promise<Keys>} rejects with LinkError if the checksum is wrong
 */
export const linkKeys = (link) => link.keys();

/** @param {Bytes} payload @returns {Promise<Keys>} */
async function deriveKeys(payload) {
  const secret = payload.slice(1, 33);
  const commitment = payload.slice(33, 49);
  const checksum = (await hash('ar1 link', payload.slice(0, 49))).slice(0, 2);
  if (!constantTimeEqual(checksum, payload.slice(49))) throw new LinkError();

  const root = await subtle.importKey('raw', secret, 'HKDF', false, ['deriveBits', 'deriveKey']);
  secret.fill(0);
  const salt = await hash('ar1 salt');
  /** @param {string} info */
  const from = (info) => ({ name: 'HKDF', hash: 'SHA-256', salt, info: encoder.encode(info) });
  /** @param {string} info */
  const bytes = async (info) => new Uint8Array(await subtle.deriveBits(from(info), root, 256));

  const rendezvous = await bytes('ar1 rendezvous');
  return Object.freeze({
    rendezvous,
    rid: await hkdfExpand(rendezvous, 'ar1 rid', 32),
    commitment,
    psk: () => bytes('ar1 psk'),
    admit: await subtle.deriveKey(from('ar1 admit'), root, { name: 'HMAC', hash: 'SHA-256', length: 256 }, false, ['sign']),
    hello: await subtle.deriveKey(from('ar1 hello-aead'), root, { name: 'AES-GCM', length: 256 }, false, ['decrypt']),
  });
}

/** @param {Bytes} publicKey the host's, 65 bytes @returns {Promise<Bytes>} HC, 16 bytes */
export const commitmentOf = async (publicKey) => (await hash('ar1 host-commit', publicKey)).slice(0, 16);

/**
 * What both ends must agree on before the first Noise message.
 * @param {Bytes} rid @param {Bytes} commitment @param {Bytes} nonce nonce_h
 */
export const prologue = (rid, commitment, nonce) => concat('ar1\0', Uint8Array.of(VERSION, SUITE), rid, commitment, nonce);

/**
 * Shows the home node, before it does anything costly, that the sender of a
 * message 1 holds the link.
 * @param {CryptoKey} key K_admit @param {Bytes} nonce nonce_h @param {Bytes} rid @param {Bytes} m1
 * @returns {Promise<Bytes>} 16 bytes
 */
export const admitMAC = async (key, nonce, rid, m1) => (await mac(key, 'ar1 admit', nonce, rid, m1.slice(0, POINT))).slice(0, ADMIT);

/**
 * Makes a sealed channel as the guest who holds the link of keys. conn leads to
 * the home node: a gateway has been sent the key frame already. Closing conn is
 * the caller's.
 * @param {{send: (frame: Bytes) => unknown, recv: () => Promise<Bytes>}} conn
 * @param {Keys} keys
 * @returns {Promise<{channel: Channel, welcome: Bytes, h: Bytes}>} welcome: the
 *   home node's first words; h: the hash of the handshake, which both ends share
 * @throws {SealError} and what conn throws
 */
export async function handshake(conn, keys) {
  await conn.send(concat(Uint8Array.of(VERSION), keys.rid));
  const { nonce, publicKey } = await openHello(await conn.recv(), keys);

  const psk = await keys.psk();
  const noise = await Initiator.begin(P256, publicKey, psk, prologue(keys.rid, keys.commitment, nonce));
  psk.fill(0);
  const m1 = await noise.write(new Uint8Array());
  await conn.send(concat(await admitMAC(keys.admit, nonce, keys.rid, m1), m1));
  const { payload, h, toResponder, toInitiator } = await noise.read(await conn.recv());
  const channel = await Channel.open(toResponder, toInitiator);
  return { channel, welcome: payload, h };
}

/**
 * @param {Bytes} frame
 * @param {Keys} keys
 * @returns {Promise<{nonce: Bytes, publicKey: Bytes}>} the home node's, which are those the link commits to
 */
async function openHello(frame, { rid, commitment, hello }) {
  if (frame.length !== HELLO || frame[0] !== VERSION || frame[1] !== 1 || frame[2] !== SUITE) throw new SealError('wrong-practice');
  const nonce = frame.slice(3, 35);
  const additionalData = concat('ar1 hello', rid, nonce);
  const publicKey = await subtle
    .decrypt({ name: 'AES-GCM', iv: frame.slice(35, 47), additionalData }, hello, frame.slice(47))
    .then((point) => new Uint8Array(point), () => null);
  if (!publicKey || !constantTimeEqual(await commitmentOf(publicKey), commitment)) throw new SealError('wrong-practice');
  return { nonce, publicKey };
}

/**
 * A Diffie-Hellman function as Noise sees it.
 * @typedef {object} DH
 * @property {string} name in the protocol's name
 * @property {number} length of a public key, bytes
 * @property {() => Promise<{publicKey: Bytes, privateKey: CryptoKey}>} generate
 * @property {(privateKey: CryptoKey, publicKey: Bytes) => Promise<Bytes>} shared rejects what is no public key
 */

/** @type {DH} */
export const P256 = Object.freeze({
  name: 'P256',
  length: POINT,
  async generate() {
    const pair = await subtle.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, false, ['deriveBits']);
    return { publicKey: new Uint8Array(await subtle.exportKey('raw', pair.publicKey)), privateKey: pair.privateKey };
  },
  async shared(privateKey, publicKey) {
    if (publicKey.length !== POINT || publicKey[0] !== 4) throw new SealError('bad-message');
    const peer = await subtle.importKey('raw', publicKey, { name: 'ECDH', namedCurve: 'P-256' }, false, []);
    return new Uint8Array(await subtle.deriveBits({ name: 'ECDH', public: peer }, privateKey, 256));
  },
});

/** AES-256-GCM with a Noise nonce: four zero bytes and the counter. @param {number} n */
function gcm(n, additionalData = new Uint8Array()) {
  const iv = new Uint8Array(12);
  new DataView(iv.buffer).setBigUint64(4, BigInt(n));
  return { name: 'AES-GCM', iv, additionalData };
}

/**
 * The SymmetricState of the Noise specification, section 5.2. Its keys encrypt
 * once each: between any two messages a handshake mixes in another secret.
 */
export class SymmetricState {
  #chain;
  /** the hash of all that was said */ h;
  /** @type {Bytes | null} */ #key = null;

  /** @param {Bytes} name 32 bytes */
  constructor(name) {
    this.#chain = name;
    this.h = name;
  }

  /** @param {Bytes | string} data */
  async mixHash(data) {
    this.h = await hash(this.h, data);
  }

  /** @param {Bytes} secret */
  async mixKey(secret) {
    [this.#chain, this.#key] = await this.#hkdf(secret);
  }

  /** @param {Bytes} secret */
  async mixKeyAndHash(secret) {
    const [chain, data, key] = await this.#hkdf(secret);
    this.#chain = chain;
    await this.mixHash(data);
    this.#key = key;
  }

  /** @param {Bytes} plain */
  async encryptAndHash(plain) {
    const box = new Uint8Array(await subtle.encrypt(gcm(0, this.h), await this.#cipher('encrypt'), plain));
    await this.mixHash(box);
    return box;
  }

  /** @param {Bytes} box */
  async decryptAndHash(box) {
    const plain = new Uint8Array(await subtle.decrypt(gcm(0, this.h), await this.#cipher('decrypt'), box));
    await this.mixHash(box);
    return plain;
  }

  /** @returns {Promise<[Bytes, Bytes]>} the keys to the responder and to the initiator */
  async split() {
    const [toResponder, toInitiator] = await this.#hkdf(new Uint8Array());
    return [toResponder, toInitiator];
  }

  /** @param {'encrypt' | 'decrypt'} use */
  #cipher(use) {
    const key = this.#key;
    this.#key = null;
    if (!key) throw new SealError('bad-message');
    return subtle.importKey('raw', key, 'AES-GCM', false, [use]);
  }

  /** @param {Bytes} secret @returns {Promise<[Bytes, Bytes, Bytes]>} */
  async #hkdf(secret) {
    const key = await hmacKey(await mac(await hmacKey(this.#chain), secret));
    const one = await mac(key, Uint8Array.of(1));
    const two = await mac(key, one, Uint8Array.of(2));
    return [one, two, await mac(key, two, Uint8Array.of(3))];
  }
}

/**
 * Begins NKpsk0 on either side.
 * @param {DH} dh
 * @param {Bytes} publicKey the responder's static one
 * @param {Bytes} psk
 * @param {Bytes} before the prologue
 */
export async function beginNKpsk0(dh, publicKey, psk, before) {
  const name = new Uint8Array(32); // the name is not longer, so it stands for itself
  name.set(encoder.encode(`Noise_NKpsk0_${dh.name}_AESGCM_SHA256`));
  const state = new SymmetricState(name);
  await state.mixHash(before);
  await state.mixHash(publicKey);
  await state.mixKeyAndHash(psk);
  return state;
}

/** The initiator of Noise_NKpsk0_*_AESGCM_SHA256: write, then read, once each. */
export class Initiator {
  #dh;
  #peer;
  #state;
  /** @type {CryptoKey | null} */ #ephemeral = null;

  /** @param {DH} dh @param {Bytes} peer @param {SymmetricState} state */
  constructor(dh, peer, state) {
    this.#dh = dh;
    this.#peer = peer;
    this.#state = state;
  }

  /** @param {DH} dh @param {Bytes} peer @param {Bytes} psk @param {Bytes} before the prologue */
  static async begin(dh, peer, psk, before) {
    return new Initiator(dh, peer, await beginNKpsk0(dh, peer, psk, before));
  }

  /** @param {Bytes} payload @returns {Promise<Bytes>} message 1: psk, e, es */
  async write(payload) {
    const { publicKey, privateKey } = await this.#dh.generate();
    this.#ephemeral = privateKey;
    await this.#state.mixHash(publicKey);
    await this.#state.mixKey(publicKey);
    await this.#state.mixKey(await this.#dh.shared(privateKey, this.#peer));
    return concat(publicKey, await this.#state.encryptAndHash(payload));
  }

  /**
   * @param {Bytes} m2 message 2: e, ee
   * @returns {Promise<{payload: Bytes, h: Bytes, toResponder: Bytes, toInitiator: Bytes}>}
   */
  async read(m2) {
    const ephemeral = this.#ephemeral;
    this.#ephemeral = null;
    if (!ephemeral || m2.length < this.#dh.length + TAG) throw new SealError('bad-message');
    try {
      const publicKey = m2.slice(0, this.#dh.length);
      await this.#state.mixHash(publicKey);
      await this.#state.mixKey(publicKey);
      await this.#state.mixKey(await this.#dh.shared(ephemeral, publicKey));
      const payload = await this.#state.decryptAndHash(m2.slice(this.#dh.length));
      const [toResponder, toInitiator] = await this.#state.split();
      return { payload, h: this.#state.h, toResponder, toInitiator };
    } catch {
      throw new SealError('bad-message'); // what WebCrypto says differs by browser
    }
  }
}

/** The lengths to which a frame's plaintext, u16 length | data | zeros, is padded. */
const SIZES = [256, 1024, 4096, 16384];
/** Bytes in the largest frame's data. */
export const MAX_DATA = 16384 - 2;

/** @param {Bytes} data @returns {Bytes} */
function pad(data) {
  const plain = new Uint8Array(SIZES.find((size) => size >= data.length + 2) ?? 0);
  new DataView(plain.buffer).setUint16(0, data.length);
  plain.set(data, 2);
  return plain;
}

/** @param {Bytes} plain one of SIZES @returns {Bytes} @throws {SealError} on what pad does not make */
function unpad(plain) {
  const end = 2 + new DataView(plain.buffer).getUint16(0);
  if (SIZES.find((size) => size >= end) !== plain.length || plain.subarray(end).some((b) => b !== 0)) throw new SealError('bad-message');
  return plain.slice(2, end);
}

/**
 * A Channel seals and opens frames. Each way they are numbered in the order of
 * the calls; a frame that is missing, repeated, changed or out of place is the
 * end of the channel in both directions.
 */
export class Channel {
  #out;
  #in;
  #sent = 0;
  #received = 0;
  #broken = false;
  /** @type {Promise<unknown>} */ #sealing = Promise.resolve();
  /** @type {Promise<unknown>} */ #opening = Promise.resolve();

  /** @param {CryptoKey} send @param {CryptoKey} receive */
  constructor(send, receive) {
    this.#out = send;
    this.#in = receive;
  }

  /** @param {Bytes} send @param {Bytes} receive raw keys, which are wiped */
  static async open(send, receive) {
    const channel = new Channel(
      await subtle.importKey('raw', send, 'AES-GCM', false, ['encrypt']),
      await subtle.importKey('raw', receive, 'AES-GCM', false, ['decrypt']),
    );
    send.fill(0);
    receive.fill(0);
    return channel;
  }

  /**
   * @param {Uint8Array} data at most MAX_DATA bytes; may be changed afterwards
   * @returns {Promise<Bytes>} the frame
   */
  seal(data) {
    if (data.length > MAX_DATA) return Promise.reject(new SealError('bad-message'));
    const plain = pad(new Uint8Array(data));
    const sealed = this.#sealing.then(async () => {
      if (this.#broken) throw new SealError('bad-message');
      return new Uint8Array(await subtle.encrypt(gcm(this.#sent++), this.#out, plain));
    });
    this.#sealing = sealed.catch(() => {});
    return sealed;
  }

  /** @param {Uint8Array} frame @returns {Promise<Bytes>} the data */
  open(frame) {
    const box = new Uint8Array(frame);
    const opened = this.#opening.then(async () => {
      if (this.#broken) throw new SealError('bad-message');
      try {
        if (!SIZES.includes(box.length - TAG)) throw new SealError('bad-message');
        return unpad(new Uint8Array(await subtle.decrypt(gcm(this.#received++), this.#in, box)));
      } catch {
        this.#broken = true;
        throw new SealError('bad-message');
      }
    });
    this.#opening = opened.catch(() => {});
    return opened;
  }
}

/**
 * Ties a media connection to the channel that introduced it. Each side sends
 * its own, and checks the other's: made with the other role, fingerprints
 * changed round. PROTOCOL.md, "Media binding".
 * @param {Bytes} key @param {string} role "H" or "P" @param {Bytes} h
 * @param {Bytes} self @param {Bytes} peer SHA-256 fingerprints of both certificates
 * @returns {Promise<Bytes>} 32 bytes
 */
export const bindingMAC = async (key, role, h, self, peer) => mac(await hmacKey(key), 'ar1 dc', role, h, self, peer);

/** @param {Bytes} h @param {Bytes} nH @returns {Promise<Bytes>} the host's commitment to nH */
export const sasCommit = (h, nH) => hash('ar1 sas-commit', h, nH);

/**
 * The code that two people read to each other. PROTOCOL.md, "Compare code".
 * @param {Bytes} h @param {Bytes} nH @param {Bytes} nP @param {Bytes} fpH @param {Bytes} fpP @param {Bytes} sid
 * @returns {Promise<{bytes: Bytes, symbols: number[], digits: string}>} five symbols of 64, nine digits
 */
export async function sas(h, nH, nP, fpH, fpP, sid) {
  const ikm = await subtle.importKey('raw', concat(nH, nP), 'HKDF', false, ['deriveBits']);
  const info = concat('ar1 sas', fpH, fpP, sid);
  const bytes = new Uint8Array(await subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt: h, info }, ikm, 128));
  const view = new DataView(bytes.buffer);
  const first = view.getUint32(0);
  return {
    bytes,
    symbols: [26, 20, 14, 8, 2].map((shift) => (first >>> shift) & 63),
    digits: String(view.getBigUint64(8) % 1_000_000_000n).padStart(9, '0'),
  };
}
