// A call, as both pages show it. What only a practitioner sees comes in as
// `host` and is absent on the guest's page.

import { html, nothing } from '../../kit/html.js';
import { devicesText } from '../../kit/errors.js';
import { clock, excerpt } from '../../kit/format.js';
import { icon } from '../../kit/icons.js';
import { isTrouble } from './view-check.js';
import { controls } from './view-controls.js';
import { chatPanel, detailsPanel, peoplePanel } from './view-panels.js';
import { banner } from '../../kit/view-shell.js';
import { selfView, tiles } from './view-tiles.js';
import { pausedText, trusted, truthLine } from './view-truth.js';
import { waitingRoom } from './view-waiting.js';
import { say } from '../../kit/words.js';

/**
 * @typedef {import('../call.js').PeerView} PeerView
 * @typedef {import('../call.js').ChatLine} ChatLine
 * @typedef {import('../../link/wire.js').RosterEntry} RosterEntry
 * @typedef {import('../media.js').MediaSnapshot} MediaSnapshot
 * @typedef {{
 *   panel: import('./view-controls.js').Panel,
 *   selfView: boolean,
 *   soundBlocked: boolean,
 *   seen: number,
 *   copiedChat: string | null,
 *   arrived: ChatLine | null,
 *   chatSound: boolean,
 *   speaker: string,
 *   timeNoted: boolean,
 *   deviceNoted: string | null,
 * }} CallUi
 *   seen: how many lines of chat have been on the screen; arrived: one that has
 *   just come and is shown over the picture; speaker: an output
 *   device or ""; timeNoted, deviceNoted: notices that were put away
 * @typedef {{
 *   practice: string, subject: string, peers: PeerView[], chat: ChatLine[], online: boolean, held: boolean,
 *   now: number, ends: number, relayOnly: boolean, media: MediaSnapshot, canShare: boolean, canFlip: boolean,
 *   empty: string, alarm: string, ui: CallUi,
 *   host: null | {waiting: import('./view-waiting.js').Waiting[], members: RosterEntry[], locked: boolean},
 * }} CallState
 *   subject: with whom or what for; ends: when the appointment is over by plan;
 *   empty: what to say while nobody else is there; alarm: a warning that stays
 * @typedef {import('./view-controls.js').ControlIntents & import('./view-panels.js').PanelIntents &
 *   import('./view-tiles.js').TileIntents & {tapForSound: () => void, noteTime: () => void,
 *   noteDevice: (text: string) => void, speakerRefused: () => void}} CallIntents
 * @typedef {import('./view-panels.js').PeopleIntents & import('./view-waiting.js').WaitingIntents} HostIntents
 */

/** How long before the end the time is mentioned, seconds. */
const timeNotice = 5 * 60;

/**
 * @param {CallState} call
 * @param {CallIntents} act
 * @param {HostIntents | null} hostAct
 */
export function callView(call, act, hostAct) {
  const { ui, host, peers } = call;
  const absent = host ? host.members.filter(({ member }) => !peers.some((peer) => peer.member === member)) : [];
  const beside = ui.panel !== null || (host !== null && host.waiting.length > 0);
  const unread = ui.panel === 'chat' ? 0 : Math.max(0, call.chat.length - ui.seen);
  return html`
    <main class="call ${ui.panel ? 'call-panel' : ''}"
      @keydown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === 'Escape' && ui.panel) act.panel(null); }}>
      <header class="call-head">
        <div class="call-titles">
          <h1 class="call-title" tabindex="-1" data-focus><bdi>${call.practice}</bdi></h1>
          <p class="call-subject"><bdi>${call.subject}</bdi></p>
        </div>
        <div class="truth ${trusted(peers) ? 'truth-good' : ''}">
          ${icon(trusted(peers) ? 'shield' : 'info')}
          <p class="truth-line" translate="no" role="status" aria-label=${say('call.truth')}>${truthLine(peers)}</p>
          <button type="button" class="button button-quiet truth-more" aria-label=${say('call.details')} aria-expanded=${ui.panel === 'details'}
            @click=${() => act.panel(ui.panel === 'details' ? null : 'details')}>${icon('info')}<span class="truth-word" aria-hidden="true">${say('call.details.word')}</span></button>
        </div>
      </header>
      ${notices(call, act)}
      <div class="call-body ${beside ? 'call-body-side' : ''}">
        <div class="stage">
          ${call.held
            ? html`<div class="stage-message" role="status"><p class="stage-title">${say('call.held.title')}</p><p>${say('call.held.text')}</p></div>`
            : peers.length + absent.length === 0
              ? html`<div class="stage-message" role="status"><p class="stage-title">${call.empty}</p></div>`
              : tiles(peers, absent, act)}
          ${selfView(call.media, ui.selfView, act)}
          ${ui.arrived && ui.panel !== 'chat' ? arrived(ui.arrived, act) : nothing}
        </div>
        ${beside
          ? html`
            <div class="side">
              ${host?.waiting.length && hostAct ? waitingRoom(host.waiting, call.now, hostAct, { inCall: true }) : nothing}
              ${sidePanel(call, act, hostAct)}
            </div>`
          : nothing}
      </div>
      ${controls({ media: call.media, panel: ui.panel, unread, host: host !== null, canShare: call.canShare, canFlip: call.canFlip }, act)}
    </main>`;
}

/**
 * The first words of a message, over the picture until they have been read. It
 * is spoken elsewhere, once.
 * @param {ChatLine} line @param {CallIntents} act
 */
const arrived = ({ name, text }, act) => html`
  <button type="button" class="arrived" @click=${() => act.panel('chat')}>
    ${icon('chat')}
    <span class="arrived-words">
      <span class="arrived-from"><bdi>${name || say('call.guest')}</bdi></span>
      <span class="arrived-text" dir="auto">${excerpt(text)}</span>
      <span class="sr-only">${say('call.chat.open')}</span>
    </span>
  </button>`;

/** @param {CallState} call @param {CallIntents} act @param {HostIntents | null} hostAct */
function sidePanel({ ui, chat, peers, media, online, relayOnly, host }, act, hostAct) {
  switch (ui.panel) {
    case 'chat':
      return chatPanel(chat, { copied: ui.copiedChat, sound: ui.chatSound, reachable: peers.some(({ state }) => state === 'verified') }, act);
    case 'details':
      return detailsPanel({ peers, media, speaker: ui.speaker, online, relayOnly }, act);
    case 'people':
      return host && hostAct ? peoplePanel(host.members, host.locked, { ...hostAct, closePanel: act.closePanel }) : nothing;
    default:
      return nothing;
  }
}

/** @param {MediaSnapshot} media @returns {import('../../kit/icons.js').IconName} */
function deviceIcon({ audio, video, error }) {
  if (isTrouble(audio)) return 'mic-off';
  if (isTrouble(video)) return 'camera-off';
  return error?.startsWith('speaker') ? 'speaker' : error?.startsWith('screen') ? 'screen' : 'info';
}

/** @param {CallState} call @param {CallIntents} act */
function notices({ online, now, ends, ui, alarm, media, peers }, act) {
  const paused = pausedText(peers);
  const device = devicesText(media);
  const left = ends - now;
  const late = ends > 0 && left < timeNotice && !ui.timeNoted;
  return html`
    <div class="banners call-banners">
      ${ui.soundBlocked
        ? banner({
            tone: 'bad',
            icon: 'speaker',
            text: say('call.sound.off'),
            action: html`<button type="button" class="button button-primary" @click=${act.tapForSound}>${say('call.sound.tap')}</button>`,
          })
        : nothing}
      ${alarm ? banner({ tone: 'bad', text: alarm }) : nothing}
      ${online
        ? nothing
        : banner({ tone: 'warn', icon: 'wifi', title: say('call.reconnecting.title'), text: say('call.reconnecting.text') })}
      ${paused ? banner({ tone: 'warn', icon: 'signal', text: paused }) : nothing}
      ${device && device !== ui.deviceNoted
        ? banner({
            tone: 'warn',
            icon: deviceIcon(media),
            text: device,
            action: html`<button type="button" class="button button-quiet" @click=${() => act.noteDevice(device)}>${say('call.all-right')}</button>`,
          })
        : nothing}
      ${late
        ? banner({
            tone: 'info',
            icon: 'clock',
            text: say(left > 0 ? 'call.time.nearly' : 'call.time.over', { time: clock(ends) }),
            action: html`<button type="button" class="button button-quiet" @click=${act.noteTime}>${say('call.all-right')}</button>`,
          })
        : nothing}
    </div>`;
}

/** @type {import('./view-controls.js').Panel} */ let open = null;
/** @type {Element | null} */ let opener = null;
let lines = 0;

/**
 * Puts the focus into a panel that has just opened and back where it came from
 * when it closes, and keeps the latest message in sight. Call it after each
 * render.
 * @param {ParentNode} root
 * @param {import('./view-controls.js').Panel} panel
 */
export function syncPanel(root, panel) {
  if (panel !== open) {
    if (open === null) opener = document.activeElement?.closest('button') ?? root.querySelector('.tool[aria-controls]'); // what opened it may be gone
    open = panel;
    lines = 0;
    // On a touch screen the keyboard would cover the messages.
    const inside = panel === 'chat' && !matchMedia('(pointer: coarse)').matches ? '#chat-text' : '#panel-title';
    const target = panel === null ? opener : root.querySelector(inside);
    if (target instanceof HTMLElement && target.isConnected) target.focus();
  }
  const log = root.querySelector('.chat-log');
  if (!log || log.childElementCount === lines) return;
  lines = log.childElementCount;
  log.scrollTop = log.scrollHeight;
}
