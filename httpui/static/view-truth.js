// The truth line: what getStats says now about how a call travels, in words.
// It never says more than the numbers do (SECURITY.md 2.4).

import { html, nothing } from './html.js';
import { reasonText } from './errors.js';
import { list } from './words.js';

/** @typedef {import('./call.js').PeerView} PeerView */

/** @param {PeerView} peer */
export const callName = (peer) => peer.name || peer.label || (peer.role === 'host' ? 'the practitioner' : 'Guest');

/**
 * @param {PeerView[]} peers
 * @returns {string} one line for the whole call; the weakest part decides
 */
export function truthLine(peers) {
  if (peers.length === 0) return 'Nobody is connected';
  const unverified = peers.filter(({ truth }) => !truth.verified || !truth.dtls);
  const failed = peers.filter(({ state }) => state === 'failed');
  if (failed.length === peers.length) return 'Not connected';
  if (unverified.length) {
    const settled = peers.length > unverified.length;
    return settled ? `Connecting to ${list(unverified.map(callName))}…` : 'Connecting…';
  }
  const relayed = peers.filter(({ truth }) => truth.path === 'relay');
  if (relayed.length === 0) {
    return peers.every(({ truth }) => truth.path === 'direct') ? 'Direct · encrypted · verified' : 'Encrypted · verified';
  }
  const relays = [...new Set(relayed.map(({ truth }) => truth.relay ?? ''))];
  const by = relays.length === 1 && relays[0] ? `Relayed by ${relays[0]}, which cannot see or hear you` : 'Relayed';
  const part = relayed.length < peers.length ? ` (${list(relayed.map(callName))})` : '';
  return `${by}${part} · encrypted · verified`;
}

/** @param {PeerView[]} peers whether the line above may be shown as good */
export const trusted = (peers) => peers.length > 0 && peers.every(({ truth }) => truth.verified && truth.dtls !== '');

/**
 * @param {PeerView[]} peers
 * @returns {string} why somebody gets no picture of this person, "" if everybody does
 */
export function pausedText(peers) {
  const without = peers.filter(({ saving }) => saving);
  if (without.length === 0) return '';
  const which = without.length < peers.length ? ` to ${list(without.map(callName))}` : '';
  return `The line${which} is weak, so only your sound is sent for now. Your picture comes back by itself.`;
}

/** @param {PeerView} peer */
export const connectionFacts = (peer) => html`
  <h3><bdi>${callName(peer)}</bdi></h3>
  <dl class="facts">
    ${fact('Path', path(peer))}
    ${fact('Verified', peer.truth.verified
      ? 'Yes: the keys in use are those that came sealed with the link'
      : peer.state === 'failed' ? 'No: the connection was closed' : 'Not yet: no picture or sound is shown before')}
    ${peer.truth.dtls ? fact('Encryption', peer.truth.dtlsCipher ? `${peer.truth.dtls}, ${peer.truth.dtlsCipher}` : peer.truth.dtls) : nothing}
    ${peer.truth.cipher ? fact('Sound and picture', peer.truth.cipher) : nothing}
    ${fact('Line', line(peer))}
  </dl>`;

/** @param {string} name @param {unknown} value */
const fact = (name, value) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;

/** @param {PeerView} peer */
function path({ truth }) {
  if (truth.path === 'direct') return 'Direct, from device to device';
  if (truth.path === 'relay') return `Relayed${truth.relay ? ` by ${truth.relay}` : ''}, which carries only what it cannot open`;
  return 'Being found';
}

/** @param {PeerView} peer */
function line({ quality, reason }) {
  const word = quality === 'good' ? 'Good' : quality === 'poor' ? 'Weak' : 'Lost';
  const why = reasonText(reason);
  return why ? `${word}: ${why}` : word;
}
