// What makes a call impossible, found without asking anybody.

import { canVerify } from '../call/identity.js';
import { parseLink } from '../link/seal.js';

/** @returns {boolean} whether this browser can make calls at all */
export const canCall = () => Boolean('RTCPeerConnection' in globalThis && globalThis.crypto?.subtle && navigator.mediaDevices && canVerify());

/**
 * What is wrong with a link or this browser.
 * @param {string} fragment with or without "#"
 * @returns {string | null} a code
 */
export function troubleWith(fragment) {
  if (fragment === '' || fragment === '#') return 'no-link';
  try {
    parseLink(fragment);
  } catch {
    return 'bad-link';
  }
  return canCall() ? null : 'unsupported';
}
