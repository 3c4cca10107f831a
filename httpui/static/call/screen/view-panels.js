// What opens beside a call: chat, connection details, and for the practitioner
// the people in it.

import { MAX_CHAT } from '../chat.js';
import { html, nothing } from '../../kit/html.js';
import { repeat } from '../../vendor/lit-html/directives/repeat.js';
import { clock } from '../../kit/format.js';
import { icon } from '../../kit/icons.js';
import { deviceChoice } from './view-check.js';
import { announce, field, onSubmit } from '../../kit/view-shell.js';
import { callName, connectionFacts } from './view-truth.js';
import { say } from '../../kit/words.js';

/**
 * @typedef {import('../call.js').PeerView} PeerView
 * @typedef {import('../call.js').ChatLine} ChatLine
 * @typedef {import('../../link/wire.js').RosterEntry} RosterEntry
 * @typedef {import('../media.js').MediaSnapshot} MediaSnapshot
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

/** @param {'chat' | 'details' | 'people'} kind @param {{title: string, close: string}} names @param {unknown} content @param {() => void} close */
const panel = (kind, names, content, close) => html`
  <section class="panel panel-${kind}" id="panel" aria-labelledby="panel-title">
    <div class="panel-head">
      <h2 id="panel-title" tabindex="-1">${names.title}</h2>
      <button type="button" class="button button-quiet button-square" @click=${close}>${icon('close')}<span class="sr-only">${names.close}</span></button>
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
    { title: say('call.chat'), close: say('call.chat.close') },
    html`
      <div class="chat-log" role="log" aria-label=${say('call.chat.log')} tabindex="0">
        ${chat.length ? nothing : html`<p class="empty">${say('call.chat.empty')}</p>`}
        ${repeat(chat, chatKey, (line, i) => chatLine(line, chatKey(line, i), copied, act))}
      </div>
      <form class="chat-form" @submit=${onSubmit((form) => send(form, act))}>
        <label class="sr-only" for="chat-text">${say('call.chat.message')}</label>
        <p class="chat-unsent"></p>
        <textarea id="chat-text" name="text" rows="2" maxlength=${MAX_CHAT} placeholder=${say('call.chat.write')} autocomplete="off" dir="auto"
          @keydown=${submitOnEnter}></textarea>
        <button class="button button-primary" ?disabled=${!reachable}>${say('call.chat.send')}</button>
        <label class="chat-sound"><input type="checkbox" .checked=${sound}
          @change=${(/** @type {{currentTarget: HTMLInputElement}} */ { currentTarget }) => act.soundChat(currentTarget.checked)}> ${say('call.chat.sound')}</label>
      </form>`,
    act.closePanel,
  );

/** @param {ChatLine} line @param {number} i */
const chatKey = (line, i) => `${line.at}/${line.from}/${i}`;

/** @param {ChatLine} line @param {string} key @param {string | null} copied @param {PanelIntents} act */
const chatLine = (line, key, copied, act) => html`
  <article class="chat-line ${line.from === 'self' ? 'chat-own' : ''}">
    <p class="chat-from"><bdi>${line.from === 'self' ? say('call.self') : line.name}</bdi> <time class="hint">${clock(line.at / 1000)}</time></p>
    <p class="chat-text" dir="auto">${line.text}</p>
    <button type="button" class="button button-quiet chat-copy" aria-label=${say(copied === key ? 'call.chat.copied' : 'call.chat.copy')} @click=${() => act.copyChat(line, key)}>
      ${icon(copied === key ? 'check' : 'copy')}<span>${say(copied === key ? 'call.copied' : 'call.copy')}</span>
    </button>
  </article>`;

/**
 * What nobody was there to read stays where it was written.
 * @param {HTMLFormElement} form @param {PanelIntents} act
 */
function send(form, act) {
  const text = field(form, 'text');
  if (text === '') return;
  const trouble = act.sendChat(text) ? '' : say('call.chat.unsent');
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
    { title: say('call.details'), close: say('call.details.close') },
    html`
      <div class="panel-body" tabindex="0" role="group" aria-labelledby="panel-title">
        ${peers.length ? repeat(peers, ({ member }) => member, connectionFacts) : html`<p class="empty">${say('call.details.nobody')}</p>`}
        <h3>${say('call.details.practice')}</h3>
        <p>${say(online ? 'call.details.online' : 'call.details.offline')}</p>
        <h3>${say('call.details.devices')}</h3>
        ${deviceChoice(media, speaker, act)}
        <h3>${say('call.details.means')}</h3>
        ${privacyFacts(relayOnly)}
      </div>`,
    act.closePanel,
  );

/**
 * What is promised (SECURITY.md, "What we promise"), with what must be said beside it.
 * @param {boolean} relayOnly
 */
export const privacyFacts = (relayOnly) => html`
  <ul class="plain-list">
    <li>${say('call.private.encrypted')}</li>
    <li>${say('call.private.no-company')}</li>
    <li>${say('call.private.practice')}</li>
    <li>${say('call.private.link')}</li>
    <li>${say(relayOnly ? 'call.private.hidden' : 'call.private.seen')}</li>
    <li>${say('call.private.filmed')}</li>
  </ul>`;

/**
 * @param {RosterEntry[]} members without the practitioner
 * @param {boolean} locked
 * @param {PeopleIntents & {closePanel: () => void}} act
 */
export const peoplePanel = (members, locked, act) =>
  panel(
    'people',
    { title: say('desk.people'), close: say('desk.people.close') },
    html`
      <div class="panel-body" tabindex="0" role="group" aria-labelledby="panel-title">
        ${members.length ? nothing : html`<p class="empty">${say('desk.people.empty')}</p>`}
        <ul class="people" role="list" aria-label=${say('desk.people.list')}>
          ${repeat(members, ({ member }) => member, (member) => person(member, act))}
        </ul>
        <div class="lock">
          <button type="button" class="button" @click=${() => act.lock(!locked)}>${icon(locked ? 'lock' : 'unlock')}<span>${say(locked ? 'desk.unlock' : 'desk.lock')}</span></button>
          <p class="hint">${say(locked ? 'desk.locked' : 'desk.unlocked')}</p>
        </div>
      </div>`,
    act.closePanel,
  );

/** @param {RosterEntry} member @param {PeopleIntents} act */
function person(member, act) {
  const name = callName(member);
  const held = member.state === 'held';
  return html`
    <li class="person">
      <p class="person-name"><bdi>${name}</bdi>
        <span class="hint">${member.label && member.label !== name ? html`<bdi>${member.label}</bdi> · ` : nothing}${say(held ? 'desk.person.held' : member.state === 'disconnected' ? 'desk.person.lost' : 'desk.person.in-call')}</span>
      </p>
      ${member.alarm ? html`<p class="alarm">${icon('alert')}<span>${say('desk.person.alarm')}</span></p>` : nothing}
      <div class="person-buttons">
        <button type="button" class="button" aria-label=${say(held ? 'desk.resume.name' : 'desk.hold.name', { name })} @click=${() => act.hold(member.member, !held)}>${icon('pause')}<span>${say(held ? 'desk.resume' : 'desk.hold')}</span></button>
        <button type="button" class="button button-danger-quiet" aria-label=${say('desk.remove.name', { name })} @click=${() => act.remove(member)}>${icon('close')}<span>${say('desk.remove')}</span></button>
      </div>
    </li>`;
}
