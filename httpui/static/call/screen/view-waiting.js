// Who is at the door. The same list is on the diary and beside a call.

import { html, nothing } from '../../kit/html.js';
import { repeat } from '../../vendor/lit-html/directives/repeat.js';
import { clock, duration, initials } from '../../kit/format.js';
import { icon } from '../../kit/icons.js';
import { dialog } from '../../kit/view-shell.js';
import { list, say, sayWith } from '../../kit/words.js';

/**
 * @typedef {{appointment: string, appointmentLabel: string, test: boolean, starts: number, here: boolean,
 *   member: string, name: string, label: string, since: number, alarm: boolean}} Waiting
 *   somebody at the door; test: of a test call; here: of the call on the screen
 * @typedef {{admit: (guest: Waiting) => void, deny: (guest: Waiting) => void}} WaitingIntents
 */

/**
 * @param {Waiting[]} waiting
 * @param {number} now the node's clock, Unix seconds
 * @param {WaitingIntents} act
 * @param {{inCall?: boolean}} [options]
 */
export const waitingRoom = (waiting, now, act, { inCall = false } = {}) => html`
  <section class="card waiting ${waiting.length ? 'waiting-busy' : ''}" aria-labelledby="waiting-title">
    <h2 id="waiting-title" class="card-title" tabindex="-1">
      ${icon('door')}<span>${say('desk.waiting')}</span>
      ${waiting.length ? html`<span class="count">${waiting.length}</span>` : nothing}
    </h2>
    <div>
      <ul class="waiting-list" role="list" aria-label=${say('desk.waiting')}>
        ${repeat(waiting, (guest) => `${guest.appointment}/${guest.member}`, (guest) => entry(guest, now, act, inCall))}
      </ul>
      ${waiting.length ? nothing : html`<p class="empty">${say('desk.waiting.empty')}</p>`}
    </div>
  </section>`;

/** @param {Waiting} guest @param {number} now @param {WaitingIntents} act @param {boolean} inCall */
const entry = (guest, now, act, inCall) => html`
  <li class="guest ${guest.alarm ? 'guest-alarm' : ''}">
    <div class="guest-head">
      <span class="avatar" aria-hidden="true">${initials(guest.name)}</span>
      <div class="guest-words">
        <p class="guest-name">${sayWith('desk.waiting.name', { name: html`<strong><bdi>${guest.name}</bdi></strong>` })}</p>
        <p class="guest-about">${about(guest, inCall)}</p>
        <p class="guest-about">${say('desk.waiting.since', { time: clock(guest.since), duration: duration(Math.max(0, now - guest.since)) })}</p>
      </div>
    </div>
    ${guest.alarm
      ? html`<p class="alarm" role="alert">${icon('alert')}<span>${say('desk.waiting.alarm')}</span></p>`
      : nothing}
    <div class="guest-buttons">
      <button type="button" class="button button-primary" aria-label=${say('desk.admit.who', { name: guest.name })} @click=${() => act.admit(guest)}>${icon('check')}<span>${say('desk.admit')}</span></button>
      <button type="button" class="button" aria-label=${say('desk.deny.who', { name: guest.name })} @click=${() => act.deny(guest)}>${say('desk.deny')}</button>
    </div>
  </li>`;

/** What a guest's appointment is called, if anything. @param {Waiting} guest */
const called = ({ appointmentLabel, test }) => appointmentLabel || (test ? say('desk.appointment.test') : '');

/** @param {Waiting} guest @param {boolean} inCall */
function about(guest, inCall) {
  const { name, label, starts, here } = guest;
  const title = called(guest);
  const parts = [];
  if (label && label !== name) parts.push(sayWith('desk.link.of', { name: html`<bdi>${label}</bdi>` }));
  if (inCall && here) parts.push(say('desk.waiting.this-call'));
  else if (starts) parts.push(title ? sayWith('desk.waiting.other-call', { label: html`<bdi>${title}</bdi>`, time: clock(starts) }) : clock(starts));
  return parts.map((part, i) => html`${i ? ' · ' : nothing}${part}`);
}

/**
 * Asked before somebody enters who belongs to another appointment than the call
 * on the screen, so that nobody walks in on the wrong patient.
 * @param {{guest: Waiting, others: string[], onConfirm: () => void, onRefuse: () => void}} options
 *   others: who is in the call on the screen
 */
export const confirmEntry = ({ guest, others, onConfirm, onRefuse }) =>
  dialog({
    title: sayWith('desk.entry.title', { name: html`<bdi>${guest.name}</bdi>` }),
    text: html`
      <p>${called(guest)
        ? sayWith('desk.entry.other', { label: html`<bdi>${called(guest)}</bdi>`, time: clock(guest.starts) })
        : say('desk.entry.other-unnamed', { time: clock(guest.starts) })}
        ${others.length > 0 ? sayWith('desk.entry.back', { n: others.length, names: html`<bdi>${list(others)}</bdi>` }) : say('desk.entry.leave')}</p>`,
    confirm: say('desk.entry.confirm'),
    refuse: say('desk.entry.refuse'),
    onConfirm,
    onRefuse,
  });
