// The truth line: what getStats says now about how a call travels, in words.
// It never says more than the numbers do (SECURITY.md, "What we promise").

import { html, nothing } from '../../kit/html.js';
import { reasonText } from '../../kit/errors.js';
import { list, say } from '../../kit/words.js';

/** @typedef {import('../call.js').PeerView} PeerView */

/** @param {{name?: string, label?: string, role: 'host' | 'guest'}} peer @returns {string} what somebody in a call is called */
export const callName = ({ name, label, role }) => name || label || say(role === 'host' ? 'call.practitioner' : 'call.guest');

/**
 * @param {PeerView[]} peers
 * @returns {string} one line for the whole call; the weakest part decides
 */
export function truthLine(peers) {
  if (peers.length === 0) return say('call.truth.nobody');
  const unverified = peers.filter(({ truth }) => !truth.verified || !truth.dtls);
  const failed = peers.filter(({ state }) => state === 'failed');
  if (failed.length === peers.length) return say('call.truth.failed');
  if (unverified.length) {
    const settled = peers.length > unverified.length;
    return settled ? say('call.connecting-to', { who: list(unverified.map(callName)) }) : say('call.connecting');
  }
  const relayed = peers.filter(({ truth }) => truth.path === 'relay');
  if (relayed.length === 0) {
    return say(peers.every(({ truth }) => truth.path === 'direct') ? 'call.truth.direct' : 'call.truth.verified');
  }
  const relays = [...new Set(relayed.map(({ truth }) => truth.relay ?? ''))];
  return say('call.truth.relayed', {
    relay: (relays.length === 1 && relays[0]) || '',
    who: relayed.length < peers.length ? list(relayed.map(callName)) : '',
  });
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
  return say('call.paused', { who: without.length < peers.length ? list(without.map(callName)) : '' });
}

/** @param {PeerView} peer */
export const connectionFacts = (peer) => html`
  <h3><bdi>${callName(peer)}</bdi></h3>
  <dl class="facts">
    ${fact(say('call.path'), path(peer))}
    ${fact(say('call.verified'), say(peer.truth.verified ? 'call.verified.yes' : peer.state === 'failed' ? 'call.verified.no' : 'call.verified.not-yet'))}
    ${peer.truth.dtls ? fact(say('call.encryption'), peer.truth.dtlsCipher ? `${peer.truth.dtls}, ${peer.truth.dtlsCipher}` : peer.truth.dtls) : nothing}
    ${peer.truth.cipher ? fact(say('call.sound-and-picture'), peer.truth.cipher) : nothing}
    ${fact(say('call.line'), line(peer))}
  </dl>`;

/** @param {string} name @param {unknown} value */
const fact = (name, value) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;

/** @param {PeerView} peer */
function path({ truth }) {
  if (truth.path === 'relay') return say('call.path.relay', { relay: truth.relay ?? '' });
  return say(truth.path === 'direct' ? 'call.path.direct' : 'call.path.unknown');
}

/** @param {PeerView} peer */
function line({ quality, reason }) {
  const why = reasonText(reason);
  return html`${say(`call.line.${quality}`)}${why ? html`<br>${why}` : nothing}`;
}
