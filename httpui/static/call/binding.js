// The proof that the browser at the other end of a DTLS connection is the one
// that was introduced: a MAC over both certificates, made with a key that only
// the two and the home node know. PROTOCOL.md, "Media binding".

import { bindingMAC, constantTimeEqual } from '../link/seal.js';
import { remoteFingerprint } from './identity.js';

/**
 * @typedef {import('../link/wire.js').Bytes} Bytes
 * @typedef {import('../link/wire.js').Introduce} Introduce
 */

/** Introductions of one member that may still be in use at the other end. */
const MAX_INTRODUCTIONS = 3;

export const MAC_LENGTH = 32;

export class Binding {
  #own;
  /** @type {Introduce[]} the newest first, all of one fingerprint */ #introductions = [];
  /** @type {Bytes | null} what the other end sent last */ #claim = null;
  #verified = false;
  #refuted = false;

  /** @param {Bytes} own fingerprint of this page's certificate */
  constructor(own) {
    this.#own = own;
  }

  get verified() {
    return this.#verified;
  }

  /** Whether what the other end sent as its proof is none, as far as it has been introduced. */
  get refuted() {
    return this.#refuted;
  }

  /**
   * A home node introduces the same two again whenever one of them came back.
   * Their messages take different ways, so the other's MAC may be made with an
   * introduction that is not here yet, or no longer the newest.
   * @param {Introduce} introduction
   */
  introduce(introduction) {
    this.#introductions = [introduction, ...this.#introductions].slice(0, MAX_INTRODUCTIONS);
  }

  /** @returns {Promise<Bytes> | null} what proves this page to the other; null before the first introduction */
  proof() {
    const [intro] = this.#introductions;
    return intro ? bindingMAC(intro.key, intro.role, intro.h, this.#own, intro.fp) : null;
  }

  /** @param {Bytes} mac as it came from the other end */
  claim(mac) {
    this.#claim = mac;
  }

  /**
   * Holds what came against what was introduced, and both against the
   * certificate in use.
   * @param {RTCPeerConnection} pc
   * @returns {Promise<boolean>}
   */
  async verify(pc) {
    const claim = this.#claim;
    if (this.#verified || !claim) return this.#verified;
    const used = await remoteFingerprint(pc);
    for (const { key, role, h, fp } of this.#introductions) {
      const expected = await bindingMAC(key, role === 'H' ? 'P' : 'H', h, fp, this.#own);
      if (used && constantTimeEqual(used, fp) && constantTimeEqual(claim, expected)) this.#verified = true;
    }
    this.#refuted = !this.#verified && this.#introductions.length > 0;
    return this.#verified;
  }
}
