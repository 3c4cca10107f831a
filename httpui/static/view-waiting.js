// Who is at the door. The same list is on the diary and beside a call.

import { html, nothing } from './html.js';
import { repeat } from './vendor/lit-html/directives/repeat.js';
import { clock, duration, initials } from './format.js';
import { icon } from './icons.js';
import { dialog } from './view-shell.js';

/**
 * @typedef {import('./desk.js').Waiting} Waiting
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
      ${icon('door')}<span>Waiting room</span>
      ${waiting.length ? html`<span class="count">${waiting.length}</span>` : nothing}
    </h2>
    <div>
      <ul class="waiting-list" role="list" aria-label="Waiting room">
        ${repeat(waiting, (guest) => `${guest.appointment}/${guest.member}`, (guest) => entry(guest, now, act, inCall))}
      </ul>
      ${waiting.length ? nothing : html`<p class="empty">Nobody is waiting. You will hear a knock.</p>`}
    </div>
  </section>`;

/** @param {Waiting} guest @param {number} now @param {WaitingIntents} act @param {boolean} inCall */
const entry = (guest, now, act, inCall) => html`
  <li class="guest ${guest.alarm ? 'guest-alarm' : ''}">
    <div class="guest-head">
      <span class="avatar" aria-hidden="true">${initials(guest.name)}</span>
      <div class="guest-words">
        <p class="guest-name">Says they are <strong><bdi>${guest.name}</bdi></strong></p>
        <p class="guest-about">${about(guest, inCall)}</p>
        <p class="guest-about">Waiting since ${clock(guest.since)} · ${duration(Math.max(0, now - guest.since))}</p>
      </div>
    </div>
    ${guest.alarm
      ? html`<p class="alarm" role="alert">${icon('alert')}<span>This link was opened on another device too. Be sure who this is before you go on.</span></p>`
      : nothing}
    <div class="guest-buttons">
      <button type="button" class="button button-primary" @click=${() => act.admit(guest)}>${icon('check')}<span>Admit</span><span class="sr-only"> ${guest.name}</span></button>
      <button type="button" class="button" @click=${() => act.deny(guest)}><span>Deny</span><span class="sr-only"> ${guest.name}</span></button>
    </div>
  </li>`;

/** @param {Waiting} guest @param {boolean} inCall */
function about({ name, label, appointmentLabel, starts, here }, inCall) {
  const parts = [];
  if (label && label !== name) parts.push(html`Link for <bdi>${label}</bdi>`);
  if (inCall && here) parts.push('for this call');
  else if (starts) parts.push(html`${appointmentLabel ? html`<bdi>${appointmentLabel}</bdi>, ` : nothing}${clock(starts)}`);
  return parts.map((part, i) => html`${i ? ' · ' : nothing}${part}`);
}

/**
 * Asked before somebody enters who belongs to another appointment than the call
 * on the screen, so that nobody walks in on the wrong patient.
 * @param {{guest: Waiting, others: string, many: boolean, onConfirm: () => void, onRefuse: () => void}} options
 *   others: who is in the call on the screen; many: more than one of them
 */
export const confirmEntry = ({ guest, others, many, onConfirm, onRefuse }) =>
  dialog({
    title: html`Let <bdi>${guest.name}</bdi> in?`,
    text: html`
      <p>This is another appointment${guest.appointmentLabel ? html` (<bdi>${guest.appointmentLabel}</bdi>, ${clock(guest.starts)})` : html` (${clock(guest.starts)})`}.
        ${others ? html`First, <bdi>${others}</bdi> ${many ? 'go' : 'goes'} back to the waiting room` : 'You leave the call on the screen first'}, so they do not meet.</p>`,
    confirm: 'Confirm entry',
    refuse: 'Not yet',
    onConfirm,
    onRefuse,
  });
