// One appointment of the diary: when, what for, who, and their links.

import { html, nothing } from './html.js';
import { repeat } from './vendor/lit-html/directives/repeat.js';
import { clock, span } from './format.js';
import { icon } from './icons.js';
import { dialog } from './view-shell.js';

/**
 * @typedef {import('./api.js').Appointment} Appointment
 * @typedef {import('./api.js').GuestInfo} GuestInfo
 * @typedef {{managing: string | null, links: import('./links.js').LinksSnapshot, fresh: string | null}} AppointmentUi
 *   managing: the appointment whose further buttons are open; fresh: the
 *   appointment that was just made
 * @typedef {{
 *   copyLink: (wanted: import('./links.js').Wanted) => void,
 *   manage: (appointment: string | null) => void,
 *   ask: (question: Question) => void,
 *   enter: (appointment: string) => void,
 * }} AppointmentIntents
 * @typedef {{kind: 'cancel', appointment: Appointment}
 *         | {kind: 'revoke' | 'rotate', appointment: Appointment, guest: GuestInfo}} Question
 */

/** @type {Record<import('./api.js').GuestState, string>} */
const guestStates = {
  unused: 'not here yet',
  waiting: 'waiting',
  admitted: 'in the call',
  used: 'was in the call',
  revoked: 'link withdrawn',
  damaged: 'cannot come in: the record is damaged',
};

/**
 * @param {Appointment} appointment
 * @param {{now: number, inside: number, ui: AppointmentUi, act: AppointmentIntents}} options
 *   inside: how many guests are in its call while this page shows the diary
 */
export function appointmentCard(appointment, { now, inside, ui, act }) {
  const { id, label, starts, ends, state, test, hidden, damaged, guests } = appointment;
  const lost = state === 'damaged';
  const title = label || (test ? 'Test call' : 'Appointment');
  const live = state === 'open' || state === 'early';
  const offers = live || lost;
  const managing = ui.managing === id;
  return html`
    <li class="card appointment appointment-${state} ${ui.fresh === id ? 'appointment-fresh' : ''}" data-appointment=${id}>
      <div class="appointment-head">
        <div>
          <h3 class="appointment-title"><bdi>${title}</bdi></h3>
          <p class="appointment-when">${icon('clock')}<span>${lost ? 'Its time cannot be read' : span(starts, ends)}</span></p>
          ${hidden ? html`<p class="appointment-when">${icon('eye-off')}<span>Addresses hidden</span></p>` : nothing}
        </div>
        ${chip(appointment, now)}
      </div>
      ${damaged && offers
        ? html`<p class="hint-warn">${icon('alert')}<span>${lost
          ? 'The record of this appointment is damaged, so its guests cannot come in. Cancel it, and make a new one.'
          : 'A part of this record is damaged. If a guest cannot come in, make them a new link. If that does not help, cancel the appointment and make a new one.'}</span></p>`
        : nothing}
      ${inside > 0
        ? html`<button type="button" class="button button-primary" @click=${() => act.enter(id)}>${icon('camera')}<span>Return to call</span></button>`
        : nothing}
      <ul class="guests" role="list" aria-label="Guests of ${title}">
        ${repeat(guests, (guest) => guest.member, (guest, i) => guestRow({ guest, i, appointment, live, ui, act }))}
      </ul>
      ${offers
        ? html`
          <div class="appointment-more">
            <button type="button" class="button button-quiet" aria-expanded=${managing} @click=${() => act.manage(managing ? null : id)}>
              ${icon('more')}<span>${managing ? 'Less' : 'More'}</span><span class="sr-only"> for ${title}${lost ? nothing : html`, ${clock(starts)}`}</span>
            </button>
            ${managing ? more(appointment, act) : nothing}
          </div>`
        : nothing}
    </li>`;
}

/** What a guest's own test says, as far as a practitioner can do something about it. */
const lights = {
  good: 'Connection tested: works',
  slow: 'Connection tested: works through the relay; their network blocks UDP',
  blocked: 'Connection tested: their network lets no call through. Another network may help, or a telephone call.',
};

/** @param {Appointment} appointment @param {number} now */
function chip({ state, opens, starts, ends, closes }, now) {
  if (state === 'damaged') return html`<p class="chip">Damaged</p>`;
  if (state === 'cancelled') return html`<p class="chip">Cancelled</p>`;
  if (state === 'ended') return html`<p class="chip">Over</p>`;
  if (state === 'early') return html`<p class="chip">Opens ${clock(opens)}</p>`;
  if (now < starts) return html`<p class="chip chip-good">Door open</p>`;
  return html`<p class="chip chip-good">${now < ends ? 'Now' : now < closes ? 'Door still open' : 'Running over'}</p>`;
}

/** @param {{guest: GuestInfo, i: number, appointment: Appointment, live: boolean, ui: AppointmentUi, act: AppointmentIntents}} options */
export function guestRow({ guest, i, appointment, live, ui, act }) {
  const name = guestName(guest, i, appointment);
  const { shown } = ui.links;
  const copied = ui.links.copied === guest.member;
  const needsLink = live && !appointment.test && lacksLink(guest, appointment);
  return html`
    <li class="guest-row">
      <p class="guest-row-name">
        <span class="dot dot-${guest.state}" aria-hidden="true"></span>
        <span><bdi>${name}</bdi> <span class="hint">${appointment.state === 'damaged' ? 'cannot come in' : guestStates[guest.state]}</span></span>
      </p>
      ${live && guest.tested && guest.state === 'unused' ? html`<p class="light light-${guest.tested}">${icon(guest.tested === 'good' ? 'check' : guest.tested === 'slow' ? 'signal' : 'alert')}<span>${lights[guest.tested]}</span></p>` : nothing}
      ${needsLink ? newLinkButton(guest, i, appointment, act) : nothing}
      ${live && !appointment.test && guest.link && !needsLink && guest.state !== 'revoked'
        ? html`
          <button type="button" class="button ${copied ? 'button-done' : ''}" data-copy @click=${() => act.copyLink({ appointment: appointment.id, member: guest.member })}>
            ${icon(copied ? 'check' : 'copy')}<span>${copied ? 'Link copied' : 'Copy link'}</span><span class="sr-only"> for ${name}</span>
          </button>
          ${guest.local ? html`<p class="hint-warn">${icon('info')}<span>This link works on this computer only</span></p>` : nothing}
          ${shown?.member === guest.member
            ? html`<input class="link-text" readonly aria-label="Link for ${name}" .value=${shown.url}
                @focus=${(/** @type {{currentTarget: HTMLInputElement}} */ { currentTarget }) => currentTarget.select()}>`
            : nothing}`
        : nothing}
    </li>`;
}

/** @param {Appointment} appointment @param {AppointmentIntents} act */
const more = (appointment, act) => html`
  <div class="more">
    ${appointment.guests.map((guest, i) => guest.state === 'revoked' || appointment.test || appointment.state === 'damaged'
      ? nothing
      : html`
        ${lacksLink(guest, appointment) ? nothing : newLinkButton(guest, i, appointment, act)}
        <button type="button" class="button" @click=${() => act.ask({ kind: 'revoke', appointment, guest })}>${icon('close')}<span>Withdraw link${forWhom(guest, i, appointment)}</span></button>`)}
    <button type="button" class="button button-danger-quiet" @click=${() => act.ask({ kind: 'cancel', appointment })}>${icon('calendar')}<span>Cancel appointment</span></button>
  </div>`;

/**
 * Nothing that this guest was sent lets them in, and a new link would.
 * @param {GuestInfo} guest @param {Appointment} appointment
 */
const lacksLink = (guest, { damaged }) => guest.state === 'damaged' || (damaged === true && !guest.link && guest.state !== 'revoked');

/** @param {GuestInfo} guest @param {number} i @param {Appointment} appointment @param {AppointmentIntents} act */
const newLinkButton = (guest, i, appointment, act) => html`
  <button type="button" class="button" @click=${() => act.ask({ kind: 'rotate', appointment, guest })}>${icon('link')}<span>New link${forWhom(guest, i, appointment)}</span></button>`;

/** @param {GuestInfo} guest @param {number} i @param {Appointment} appointment */
const forWhom = (guest, i, appointment) =>
  html`<span class=${appointment.guests.length > 1 ? '' : 'sr-only'}> for <bdi>${guestName(guest, i, appointment)}</bdi></span>`;

/** @param {GuestInfo} guest @param {number} i @param {Appointment} appointment */
function guestName({ label }, i, { guests, test }) {
  if (label) return label;
  if (test) return 'Echo';
  return guests.length > 1 ? `Guest ${i + 1}` : 'Guest';
}

/**
 * @param {Question} question
 * @param {{onConfirm: () => void, onRefuse: () => void}} answers
 */
export function questionDialog(question, answers) {
  const { appointment } = question;
  const title = html`<bdi>${appointment.label || 'The appointment'}</bdi>${appointment.state === 'damaged' ? nothing : html`, ${clock(appointment.starts)}`}`;
  if (question.kind === 'cancel') {
    return dialog({
      title: 'Cancel this appointment?',
      text: html`<p>${title}. Its links stop working at once, and they cannot be brought back. Nobody is told by Anteroom.</p>`,
      confirm: 'Cancel appointment',
      refuse: 'Keep it',
      danger: true,
      ...answers,
    });
  }
  if (question.kind === 'rotate') {
    return dialog({
      title: 'Make a new link?',
      text: html`<p>${title}. The old link stops working at once. Send the new one instead.</p>`,
      confirm: 'Make new link',
      refuse: 'Keep the old one',
      ...answers,
    });
  }
  return dialog({
    title: 'Withdraw this link?',
    text: html`<p>${title}. Whoever has the link can no longer enter. You can make a new one later only with a new appointment.</p>`,
    confirm: 'Withdraw link',
    refuse: 'Keep it',
    danger: true,
    ...answers,
  });
}
