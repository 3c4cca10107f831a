// What opens beside a call: chat, connection details, and for the practitioner
// the people in it.

import { html, nothing } from './html.js';
import { repeat } from './vendor/lit-html/directives/repeat.js';
import { clock } from './format.js';
import { icon } from './icons.js';
import { deviceChoice } from './view-check.js';
import { announce, field, onSubmit } from './view-shell.js';
import { connectionFacts } from './view-truth.js';

/**
 * @typedef {import('./call.js').PeerView} PeerView
 * @typedef {import('./call.js').ChatLine} ChatLine
 * @typedef {import('./wire.js').RosterEntry} RosterEntry
 * @typedef {import('./media.js').MediaSnapshot} MediaSnapshot
 * @typedef {{
 *   sendChat: (text: string) => boolean | undefined,
 *   copyChat: (line: ChatLine, key: string) => void,
 *   soundChat: (on: boolean) => void,
 *   closePanel: () => void,
 *   switchDevice: import('./view-check.js').CheckIntents['switchDevice'],
 * }} PanelIntents   sendChat: whether it reached anybody
 * @typedef {{hold: (member: string, on: boolean) => void, remove: (member: RosterEntry) => void,
 *   lock: (on: boolean) => void}} PeopleIntents
 */

const chatMax = 4000; // SECURITY.md 4.4

/** @param {'chat' | 'details' | 'people'} kind @param {string} title @param {unknown} content @param {() => void} close */
const panel = (kind, title, content, close) => html`
  <section class="panel panel-${kind}" id="panel" aria-labelledby="panel-title">
    <div class="panel-head">
      <h2 id="panel-title" tabindex="-1">${title}</h2>
      <button type="button" class="button button-quiet button-square" @click=${close}>${icon('close')}<span class="sr-only">Close ${title.toLowerCase()}</span></button>
    </div>
    ${content}
  </section>`;

/**
 * @param {ChatLine[]} chat
 * @param {{copied: string | null, sound: boolean, reachable: boolean}} state copied: the line whose text was just copied
 * @param {PanelIntents} act
 */
export const chatPanel = (chat, { copied, sound, reachable }, act) =>
  panel(
    'chat',
    'Chat',
    html`
      <div class="chat-log" role="log" aria-label="Messages" tabindex="0">
        ${chat.length ? nothing : html`<p class="empty">Messages go to everyone in this call, encrypted like sound and picture, and are not kept.</p>`}
        ${repeat(chat, chatKey, (line, i) => chatLine(line, chatKey(line, i), copied, act))}
      </div>
      <form class="chat-form" @submit=${onSubmit((form) => send(form, act))}>
        <label class="sr-only" for="chat-text">Message</label>
        <p class="chat-unsent"></p>
        <textarea id="chat-text" name="text" rows="2" maxlength=${chatMax} placeholder="Write a message" autocomplete="off" dir="auto"
          @keydown=${submitOnEnter}></textarea>
        <button class="button button-primary" ?disabled=${!reachable}>Send</button>
        <label class="chat-sound"><input type="checkbox" .checked=${sound}
          @change=${(/** @type {{currentTarget: HTMLInputElement}} */ { currentTarget }) => act.soundChat(currentTarget.checked)}> Sound for new messages</label>
      </form>`,
    act.closePanel,
  );

/** @param {ChatLine} line @param {number} i */
const chatKey = (line, i) => `${line.at}/${line.from}/${i}`;

/** @param {ChatLine} line @param {string} key @param {string | null} copied @param {PanelIntents} act */
const chatLine = (line, key, copied, act) => html`
  <article class="chat-line ${line.from === 'self' ? 'chat-own' : ''}">
    <p class="chat-from"><bdi>${line.from === 'self' ? 'You' : line.name}</bdi> <time class="hint">${clock(line.at / 1000)}</time></p>
    <p class="chat-text" dir="auto">${line.text}</p>
    <button type="button" class="button button-quiet chat-copy" @click=${() => act.copyChat(line, key)}>
      ${icon(copied === key ? 'check' : 'copy')}<span>${copied === key ? 'Copied' : 'Copy'}</span><span class="sr-only"> this message</span>
    </button>
  </article>`;

/**
 * What nobody was there to read stays where it was written.
 * @param {HTMLFormElement} form @param {PanelIntents} act
 */
function send(form, act) {
  const text = field(form, 'text');
  if (text === '') return;
  const trouble = act.sendChat(text) ? '' : 'Your message was not sent: nobody can be reached at the moment. Try again.';
  const note = form.querySelector('.chat-unsent');
  if (note) note.textContent = trouble;
  if (trouble) announce(trouble);
  else form.reset();
}

/** Enter sends, Shift and Enter is a new line; not while an input method composes. @param {KeyboardEvent} event */
function submitOnEnter(event) {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  if (event.currentTarget instanceof HTMLTextAreaElement) event.currentTarget.form?.requestSubmit();
}

/**
 * @param {{peers: PeerView[], media: MediaSnapshot, speaker: string, online: boolean, relayOnly: boolean}} state
 * @param {PanelIntents} act
 */
export const detailsPanel = ({ peers, media, speaker, online, relayOnly }, act) =>
  panel(
    'details',
    'Connection details',
    html`
      <div class="panel-body" tabindex="0" role="group" aria-labelledby="panel-title">
        ${peers.length ? repeat(peers, ({ member }) => member, connectionFacts) : html`<p class="empty">Nobody is connected.</p>`}
        <h3>The practice</h3>
        <p>${online ? 'Connected.' : 'Not connected at the moment; sound and picture go on without it.'}</p>
        <h3>Camera, microphone, speaker</h3>
        ${deviceChoice(media, speaker, act)}
        <h3>What this means</h3>
        ${privacyFacts(relayOnly)}
      </div>`,
    act.closePanel,
  );

/**
 * The sentences of SECURITY.md 2.4, with what must be said beside them.
 * @param {boolean} relayOnly
 */
export const privacyFacts = (relayOnly) => html`
  <ul class="plain-list">
    <li>Sound, picture and chat are encrypted between the browsers in the call. The practice’s node, relays and other practices carry only ciphertext.</li>
    <li>No video company’s server is in the path.</li>
    <li>This page comes from the practice, so you trust the practice.</li>
    <li>The link is a key: keep it to yourself.</li>
    <li>${relayOnly ? 'Addresses are hidden: everything goes through a relay.' : 'The others in the call can see this device’s internet address.'}</li>
    <li>A screen can always be filmed.</li>
  </ul>`;

/**
 * @param {RosterEntry[]} members without the practitioner
 * @param {boolean} locked
 * @param {PeopleIntents & {closePanel: () => void}} act
 */
export const peoplePanel = (members, locked, act) =>
  panel(
    'people',
    'People',
    html`
      <div class="panel-body" tabindex="0" role="group" aria-labelledby="panel-title">
        ${members.length ? nothing : html`<p class="empty">Nobody has been admitted yet.</p>`}
        <ul class="people" role="list" aria-label="In this call">
          ${repeat(members, ({ member }) => member, (member) => person(member, act))}
        </ul>
        <div class="lock">
          <button type="button" class="button" @click=${() => act.lock(!locked)}>${icon(locked ? 'lock' : 'unlock')}<span>${locked ? 'Unlock the door' : 'Lock the door'}</span></button>
          <p class="hint">${locked ? 'Nobody else can knock at this appointment.' : 'Guests with a link can knock.'}</p>
        </div>
      </div>`,
    act.closePanel,
  );

/** @param {RosterEntry} member @param {PeopleIntents} act */
function person(member, act) {
  const name = member.name || member.label || 'Guest';
  const held = member.state === 'held';
  return html`
    <li class="person">
      <p class="person-name"><bdi>${name}</bdi>
        <span class="hint">${member.label && member.label !== name ? html`<bdi>${member.label}</bdi> · ` : nothing}${held ? 'on hold' : member.state === 'disconnected' ? 'lost the connection' : 'in the call'}</span>
      </p>
      ${member.alarm ? html`<p class="alarm">${icon('alert')}<span>Their link was opened on another device too.</span></p>` : nothing}
      <div class="person-buttons">
        <button type="button" class="button" @click=${() => act.hold(member.member, !held)}>${icon('pause')}<span>${held ? 'Resume' : 'Hold'}</span><span class="sr-only"> ${name}</span></button>
        <button type="button" class="button button-danger-quiet" @click=${() => act.remove(member)}>${icon('close')}<span>Remove</span><span class="sr-only"> ${name}</span></button>
      </div>
    </li>`;
}
