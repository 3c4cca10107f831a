// One appointment of the diary: when, what for, who, and their links.

import { html, nothing } from '../../kit/html.js';
import { repeat } from '../../vendor/lit-html/directives/repeat.js';
import { clock, span } from '../../kit/format.js';
import { icon } from '../../kit/icons.js';
import { dialog } from '../../kit/view-shell.js';
import { say, sayWith } from '../../kit/words.js';

/**
 * @typedef {import('../api.js').Appointment} Appointment
 * @typedef {import('../api.js').GuestInfo} GuestInfo
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

/**
 * @param {Appointment} appointment
 * @param {{now: number, inside: number, ui: AppointmentUi, act: AppointmentIntents}} options
 *   inside: how many guests are in its call while this page shows the diary
 */
export function appointmentCard(appointment, { now, inside, ui, act }) {
  const { id, label, starts, ends, state, test, hidden, damaged, guests } = appointment;
  const lost = state === 'damaged';
  const title = label || say(test ? 'desk.appointment.test' : 'desk.appointment.unnamed');
  const live = state === 'open' || state === 'early';
  const offers = live || lost;
  const managing = ui.managing === id;
  return html`
    <li class="card appointment appointment-${state} ${ui.fresh === id ? 'appointment-fresh' : ''}" data-appointment=${id}>
      <div class="appointment-head">
        <div>
          <h3 class="appointment-title"><bdi>${title}</bdi></h3>
          <p class="appointment-when">${icon('clock')}<span>${lost ? say('desk.appointment.no-time') : span(starts, ends)}</span></p>
          ${hidden ? html`<p class="appointment-when">${icon('eye-off')}<span>${say('desk.appointment.hidden')}</span></p>` : nothing}
        </div>
        ${chip(appointment, now)}
      </div>
      ${damaged && offers
        ? html`<p class="hint-warn">${icon('alert')}<span>${say(lost ? 'desk.appointment.lost' : 'desk.appointment.damaged')}</span></p>`
        : nothing}
      ${inside > 0
        ? html`<button type="button" class="button button-primary" @click=${() => act.enter(id)}>${icon('camera')}<span>${say('desk.appointment.return')}</span></button>`
        : nothing}
      <ul class="guests" role="list" aria-label=${say('desk.appointment.guests', { title })}>
        ${repeat(guests, (guest) => guest.member, (guest, i) => guestRow({ guest, i, appointment, live, ui, act }))}
      </ul>
      ${offers
        ? html`
          <div class="appointment-more">
            <button type="button" class="button button-quiet" aria-expanded=${managing} @click=${() => act.manage(managing ? null : id)}
              aria-label=${say(managing ? 'desk.less.of' : 'desk.more.of', { title, time: lost ? '' : clock(starts) })}>
              ${icon('more')}<span>${say(managing ? 'desk.less' : 'desk.more')}</span>
            </button>
            ${managing ? more(appointment, act) : nothing}
          </div>`
        : nothing}
    </li>`;
}

/** @param {Appointment} appointment @param {number} now */
function chip({ state, opens, starts, ends, closes }, now) {
  if (state === 'early') return html`<p class="chip">${say('desk.chip.early', { time: clock(opens) })}</p>`;
  if (state !== 'open') return html`<p class="chip">${say(`desk.chip.${state}`)}</p>`;
  return html`<p class="chip chip-good">${say(now < starts ? 'desk.chip.open' : now < ends ? 'desk.chip.now' : now < closes ? 'desk.chip.still-open' : 'desk.chip.over-time')}</p>`;
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
        <span><bdi>${name}</bdi> <span class="hint">${say(appointment.state === 'damaged' ? 'desk.guest.lost' : `desk.guest.${guest.state}`)}</span></span>
      </p>
      ${live && guest.tested && guest.state === 'unused' ? html`<p class="light light-${guest.tested}">${icon(guest.tested === 'good' ? 'check' : guest.tested === 'slow' ? 'signal' : 'alert')}<span>${say(`desk.tested.${guest.tested}`)}</span></p>` : nothing}
      ${needsLink ? linkButton('rotate', guest, i, appointment, act) : nothing}
      ${live && !appointment.test && guest.link && !needsLink && guest.state !== 'revoked'
        ? html`
          <button type="button" class="button ${copied ? 'button-done' : ''}" data-copy aria-label=${say(copied ? 'desk.link.copied-for' : 'desk.link.copy-for', { name })}
            @click=${() => act.copyLink({ appointment: appointment.id, member: guest.member })}>
            ${icon(copied ? 'check' : 'copy')}<span>${say(copied ? 'desk.link.copied' : 'desk.link.copy')}</span>
          </button>
          ${guest.local ? html`<p class="hint-warn">${icon('info')}<span>${say('desk.link.local')}</span></p>` : nothing}
          ${shown?.member === guest.member
            ? html`<input class="link-text" readonly aria-label=${say('desk.link.of', { name })} .value=${shown.url}
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
        ${lacksLink(guest, appointment) ? nothing : linkButton('rotate', guest, i, appointment, act)}
        ${linkButton('revoke', guest, i, appointment, act)}`)}
    <button type="button" class="button button-danger-quiet" @click=${() => act.ask({ kind: 'cancel', appointment })}>${icon('calendar')}<span>${say('desk.cancel')}</span></button>
  </div>`;

/**
 * Nothing that this guest was sent lets them in, and a new link would.
 * @param {GuestInfo} guest @param {Appointment} appointment
 */
const lacksLink = (guest, { damaged }) => guest.state === 'damaged' || (damaged === true && !guest.link && guest.state !== 'revoked');

/**
 * Whose link it is about is seen where there are several.
 * @param {'rotate' | 'revoke'} kind @param {GuestInfo} guest @param {number} i @param {Appointment} appointment @param {AppointmentIntents} act
 */
function linkButton(kind, guest, i, appointment, act) {
  const name = guestName(guest, i, appointment);
  const about = kind === 'rotate' ? 'desk.rotate.for' : 'desk.revoke.for';
  const several = appointment.guests.length > 1;
  return html`
    <button type="button" class="button" aria-label=${say(about, { name })} @click=${() => act.ask({ kind, appointment, guest })}>
      ${icon(kind === 'rotate' ? 'link' : 'close')}<span>${several ? sayWith(about, { name: html`<bdi>${name}</bdi>` }) : say(kind === 'rotate' ? 'desk.rotate' : 'desk.revoke')}</span>
    </button>`;
}

/** @param {GuestInfo} guest @param {number} i @param {Appointment} appointment */
function guestName({ label }, i, { guests, test }) {
  if (label) return label;
  if (test) return say('desk.guest.echo');
  return guests.length > 1 ? say('desk.guest.numbered', { n: i + 1 }) : say('desk.guest');
}

/**
 * @param {Question} question
 * @param {{onConfirm: () => void, onRefuse: () => void}} answers
 */
export function questionDialog(question, answers) {
  const { appointment } = question;
  const what = sayWith('desk.ask.what', {
    appointment: html`<bdi>${appointment.label || say('desk.ask.unnamed')}</bdi>`,
    time: appointment.state === 'damaged' ? '' : clock(appointment.starts),
  });
  if (question.kind === 'cancel') {
    return dialog({
      title: say('desk.cancel.title'),
      text: html`<p>${what} ${say('desk.cancel.text')}</p>`,
      confirm: say('desk.cancel'),
      refuse: say('desk.keep'),
      danger: true,
      ...answers,
    });
  }
  if (question.kind === 'rotate') {
    return dialog({
      title: say('desk.rotate.title'),
      text: html`<p>${what} ${say('desk.rotate.text')}</p>`,
      confirm: say('desk.rotate.confirm'),
      refuse: say('desk.rotate.refuse'),
      ...answers,
    });
  }
  return dialog({
    title: say('desk.revoke.title'),
    text: html`<p>${what} ${say('desk.revoke.text')}</p>`,
    confirm: say('desk.revoke'),
    refuse: say('desk.keep'),
    danger: true,
    ...answers,
  });
}
