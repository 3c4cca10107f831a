// Who this page is to the other browsers of one call: a certificate made for
// it, and the SHA-256 of that certificate, which travels sealed.

import { parse } from './sdp.js';

/** @typedef {import('../link/wire.js').Bytes} Bytes */
/** @typedef {{certificate: RTCCertificate, fingerprint: Bytes}} Identity */

/**
 * @param {typeof RTCPeerConnection} [rtc]
 * @returns {Promise<Identity>}
 */
export async function createIdentity(rtc = RTCPeerConnection) {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const certificate = await rtc.generateCertificate(algorithm);
  return { certificate, fingerprint: await fingerprintOf(certificate, rtc) };
}

/**
 * Firefox does not tell a certificate's fingerprint, so it is read from a
 * description that goes nowhere.
 * @param {RTCCertificate} certificate @param {typeof RTCPeerConnection} rtc
 */
async function fingerprintOf(certificate, rtc) {
  const told = certificate.getFingerprints?.().find(({ algorithm }) => algorithm?.toLowerCase() === 'sha-256')?.value;
  if (told) return Uint8Array.from(told.split(':'), (hex) => parseInt(hex, 16));
  const pc = new rtc({ certificates: [certificate] });
  try {
    pc.createDataChannel('');
    return parse((await pc.createOffer()).sdp ?? '').fingerprint;
  } finally {
    pc.close();
  }
}

/**
 * Whether remoteFingerprint can answer in this browser. Firefox before 153 has
 * the transport without its certificates, and no statistics of them either.
 * @param {{RTCDtlsTransport?: {prototype: object}}} [scope] what tests replace
 */
export const canVerify = ({ RTCDtlsTransport } = globalThis) => !RTCDtlsTransport || 'getRemoteCertificates' in RTCDtlsTransport.prototype;

/**
 * Returns the SHA-256 of the certificate that the other end of pc's DTLS
 * connection uses, or null if the browser does not say.
 * @param {RTCPeerConnection} pc
 * @returns {Promise<Bytes | null>}
 */
export async function remoteFingerprint(pc) {
  const [der] = pc.sctp?.transport.getRemoteCertificates?.() ?? [];
  if (der) return new Uint8Array(await crypto.subtle.digest('SHA-256', der));
  const report = await pc.getStats();
  for (const stat of report.values()) {
    const certificate = stat.type === 'transport' ? report.get(stat.remoteCertificateId) : null;
    if (certificate?.fingerprintAlgorithm === 'sha-256') {
      return Uint8Array.from(certificate.fingerprint.split(':'), (/** @type {string} */ hex) => parseInt(hex, 16));
    }
  }
  return null;
}
