// The pictures of a call: one tile a person, and this person's own.

import { html, nothing } from '../../kit/html.js';
import { live } from '../../vendor/lit-html/directives/live.js'; // an object is otherwise set anew at each render, and the picture begins again
import { repeat } from '../../vendor/lit-html/directives/repeat.js';
import { reasonText } from '../../kit/errors.js';
import { initials } from '../../kit/format.js';
import { icon } from '../../kit/icons.js';
import { callName } from './view-truth.js';
import { say } from '../../kit/words.js';

/**
 * @typedef {import('../call.js').PeerView} PeerView
 * @typedef {import('../../link/wire.js').RosterEntry} RosterEntry
 * @typedef {import('../media.js').MediaSnapshot} MediaSnapshot
 * @typedef {{soundBlocked: () => void, showSelf: (on: boolean) => void}} TileIntents
 */

/**
 * @param {PeerView[]} peers
 * @param {RosterEntry[]} absent admitted, but without a connection just now
 * @param {TileIntents} act
 */
export const tiles = (peers, absent, act) => html`
  <div class="tiles tiles-${peers.length + absent.length}">
    ${repeat(peers, ({ member }) => member, (peer) => tile(peer, act))}
    ${repeat(absent, ({ member }) => member, absentTile)}
  </div>`;

/** @param {PeerView} peer @param {TileIntents} act */
function tile(peer, act) {
  const name = callName(peer);
  const picture = peer.stream !== null && peer.video && peer.state !== 'failed';
  return html`
    <figure class="tile tile-${peer.state}">
      ${peer.stream
        ? html`<video class="tile-video ${picture ? '' : 'tile-video-none'}" data-participant=${peer.member} playsinline autoplay
            aria-label=${say('call.tile.picture', { name })} .srcObject=${live(peer.stream)}
            @loadedmetadata=${(/** @type {{currentTarget: HTMLVideoElement}} */ { currentTarget }) => play(currentTarget, act.soundBlocked)}></video>`
        : nothing}
      ${picture ? nothing : html`<div class="tile-blank"><span class="avatar avatar-large" aria-hidden="true">${initials(name)}</span></div>`}
      <figcaption class="tile-words">
        <p class="tile-name">
          <bdi>${name}</bdi>
          ${peer.muted ? html`<span class="tile-mark">${icon('mic-off')}<span class="sr-only">${say('call.tile.muted')}</span></span>` : nothing}
          ${peer.state === 'verified' && peer.quality !== 'good'
            ? html`<span class="tile-mark tile-mark-warn">${icon('signal')}<span>${reasonText(peer.reason) || say(peer.quality === 'poor' ? 'call.tile.weak' : 'call.tile.lost')}</span></span>`
            : nothing}
        </p>
        ${stateLine(peer, name)}
      </figcaption>
    </figure>`;
}

/**
 * Starts sound and picture. A browser may refuse sound until a person has
 * touched the page; then a button asks for that touch.
 * @param {HTMLVideoElement} video
 * @param {() => void} blocked
 */
async function play(video, blocked) {
  try {
    await video.play();
  } catch (err) {
    if (err instanceof DOMException && err.name === 'NotAllowedError') blocked();
  }
}

/** @param {PeerView} peer @param {string} name */
function stateLine({ state, stream, video, paused, reason }, name) {
  if (reason === 'held') return html`<p class="tile-state" role="status">${say('call.reason.held')}</p>`;
  if (state === 'connecting' || (state === 'verified' && !stream)) return html`<p class="tile-state" role="status">${say('call.connecting-to', { who: name })}</p>`;
  if (state === 'reconnecting') return html`<p class="tile-state tile-state-warn" role="status">${say('call.tile.reconnecting', { name })}</p>`;
  if (state === 'failed') return html`<p class="tile-state tile-state-bad" role="alert">${reasonText(reason) || say('call.tile.failed', { name })}</p>`;
  if (paused) return html`<p class="tile-state tile-state-warn">${say('call.tile.paused')}</p>`;
  return video ? nothing : html`<p class="tile-state">${say('call.tile.camera-off')}</p>`;
}

/** @param {RosterEntry} member */
function absentTile(member) {
  const called = callName(member);
  const { state } = member;
  return html`
    <figure class="tile tile-absent">
      <div class="tile-blank"><span class="avatar avatar-large" aria-hidden="true">${initials(called)}</span></div>
      <figcaption class="tile-words">
        <p class="tile-name"><bdi>${called}</bdi></p>
        <p class="tile-state" role="status">${state === 'held' ? say('call.reason.held') : say(state === 'disconnected' ? 'call.tile.absent' : 'call.connecting')}</p>
      </figcaption>
    </figure>`;
}

/** Plays every picture of the page again, in a gesture. */
export async function playAll() {
  const videos = /** @type {NodeListOf<HTMLVideoElement>} */ (document.querySelectorAll('video[data-participant]'));
  await Promise.allSettled([...videos].map((video) => video.play()));
}

/**
 * Sends the sound of all tiles to one loudspeaker, where the browser can.
 * @param {string} id of the output device; "" is the default
 * @param {() => void} refused it is gone, or busy
 */
export function useSpeaker(id, refused) {
  for (const video of document.querySelectorAll('video[data-participant]')) {
    if ('setSinkId' in video && video instanceof HTMLVideoElement && video.sinkId !== id) void video.setSinkId(id).catch(refused);
  }
}

/**
 * @param {MediaSnapshot} media
 * @param {boolean} shown
 * @param {TileIntents} act
 */
export function selfView(media, shown, act) {
  if (!shown) {
    return html`<button type="button" class="self-show" @click=${() => act.showSelf(true)}>${icon('eye')}<span>${say('call.self.show')}</span></button>`;
  }
  const picture = media.stream !== null && (media.video === 'on' || media.screen);
  return html`
    <figure class="self">
      ${picture
        ? html`<video class="self-video ${media.screen ? '' : 'mirrored'}" playsinline autoplay .muted=${true} aria-label=${say('call.self.picture')} .srcObject=${live(media.stream)}></video>`
        : html`<p class="self-blank">${icon('camera-off')}</p>`}
      <figcaption class="self-name">${say(media.screen ? 'call.self.sharing' : picture ? 'call.self' : 'call.self.camera-off')}</figcaption>
      <button type="button" class="self-hide" @click=${() => act.showSelf(false)}>${icon('eye-off')}<span class="sr-only">${say('call.self.hide')}</span></button>
    </figure>`;
}
