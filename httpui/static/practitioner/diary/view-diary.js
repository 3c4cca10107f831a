// The diary: who waits, what comes today, and the few things to do about it.

import { html, nothing } from '../../kit/html.js';
import { repeat } from '../../vendor/lit-html/directives/repeat.js';
import { readiness } from '../doctor/checkup.js';
import { hostSentence } from '../../kit/errors.js';
import { dateKey, day } from '../../kit/format.js';
import { icon } from '../../kit/icons.js';
import { appointmentCard } from './view-appointment.js';
import { doctorView } from '../doctor/view-doctor.js';
import { foreignLink, newAppointment } from './view-new.js';
import { banner, busy, mark } from '../../kit/view-shell.js';
import { signInsView } from '../account/view-signins.js';
import { waitingRoom } from '../../call/screen/view-waiting.js';
import { say, sayMessage } from '../../kit/words.js';

/**
 * @typedef {import('../api.js').Appointment} Appointment
 * @typedef {import('../desk.js').DeskSnapshot} DeskSnapshot
 * @typedef {import('./view-appointment.js').AppointmentUi & {
 *   draft: import('./view-new.js').Draft | null,
 *   foreign: {error: string} | null,
 *   testing: boolean,
 *   checkup: import('../doctor/checkup.js').CheckupSnapshot,
 *   signIns: import('../account/signins.js').SignInsSnapshot,
 *   problem: string,
 *   knocking: boolean,
 *   soundReady: boolean,
 *   notifications: 'default' | 'granted' | 'denied' | 'none',
 * }} DiaryUi   knocking: knocks are to be heard; problem: why the last request failed
 * @typedef {import('./view-appointment.js').AppointmentIntents & import('./view-new.js').NewIntents &
 *   import('../../call/screen/view-waiting.js').WaitingIntents & import('../doctor/view-doctor.js').DoctorIntents &
 *   import('../account/view-signins.js').SignInsIntents & {
 *   showFix: () => void,
 *   openDraft: () => void,
 *   testCall: () => void,
 *   openForeign: (open: boolean) => void,
 *   goForeign: (link: string) => void,
 *   mute: (on: boolean) => void,
 *   allowNotifications: () => void,
 *   take: () => void,
 *   dismiss: () => void,
 *   signOut: () => void,
 * }} DiaryIntents
 */

/**
 * @param {DeskSnapshot} desk
 * @param {number} now the node's clock, Unix seconds
 * @param {DiaryUi} ui
 * @param {DiaryIntents} act
 */
export function diaryView(desk, now, ui, act) {
  const data = desk.desk;
  return html`
    <main id="main" class="page diary">
      <header class="masthead masthead-wide">
        ${mark()}
        <div class="masthead-words">
          <h1 tabindex="-1" data-focus><bdi>${data?.practice || say('page.desk.title')}</bdi></h1>
          <p class="hint">${day(now)}${data ? html` · <bdi>${data.practitioner}</bdi>` : nothing}</p>
          ${readinessLine(readiness(desk, ui.checkup.report, now), act)}
        </div>
        ${tools(ui, act)}
      </header>
      ${notices(desk, ui, act)}
      <div class="columns">
        ${waitingRoom(desk.waiting, now, act)}
        <div class="column">
          <div class="actions">
            <button type="button" class="button ${ui.draft ? '' : 'button-primary'}" data-opens="draft" aria-expanded=${ui.draft !== null} @click=${act.openDraft}>${icon('plus')}<span>${say('desk.new.title')}</span></button>
            <button type="button" class="button" ?disabled=${ui.testing} @click=${act.testCall}>${icon('speaker')}<span>${say(ui.testing ? 'desk.test.starting' : 'desk.test')}</span></button>
            <button type="button" class="button" data-opens="foreign" aria-expanded=${ui.foreign !== null} @click=${() => act.openForeign(ui.foreign === null)}>${icon('link')}<span>${say('desk.foreign.title')}</span></button>
          </div>
          ${ui.draft ? newAppointment(ui.draft, data?.relay ?? false, act) : nothing}
          ${ui.foreign ? foreignLink(ui.foreign, act.goForeign, () => act.openForeign(false)) : nothing}
          ${data ? appointments(desk, data, now, ui, act) : busy(say('desk.opening'))}
          ${signInsView(ui.signIns, now, act)}
        </div>
        ${data ? reachCard(data, ui, act) : nothing}
      </div>
    </main>`;
}

/** @type {Record<import('../doctor/checkup.js').Readiness['tone'], import('../../kit/icons.js').IconName>} */
const readinessSigns = { calm: 'clock', good: 'check', warn: 'info', bad: 'alert' };

/** @param {import('../doctor/checkup.js').Readiness} readiness @param {DiaryIntents} act */
function readinessLine({ tone, text, jump }, act) {
  return html`
    <div class="readiness readiness-${tone}">
      <p role="status" aria-label=${say('desk.ready')}>${text ? icon(readinessSigns[tone]) : nothing}<span dir="auto">${text}</span></p>
      ${jump ? html`<button type="button" class="jump" @click=${act.showFix}>${jump}</button>` : nothing}
    </div>`;
}

/** @param {DiaryUi} ui @param {DiaryIntents} act */
const tools = (ui, act) => html`
  <div class="masthead-tools">
    ${ui.notifications === 'default'
      ? html`<button type="button" class="button button-quiet" @click=${act.allowNotifications}>${icon('bell')}<span>${say('desk.notify.allow')}</span></button>`
      : nothing}
    <button type="button" class="button button-quiet" @click=${() => act.mute(ui.knocking)}>
      ${icon(ui.knocking ? 'bell' : 'bell-off')}<span>${say(ui.knocking ? 'desk.knocks.mute' : 'desk.knocks.unmute')}</span>
    </button>
    <button type="button" class="button button-quiet" @click=${act.signOut}>${icon('leave')}<span>${say('desk.sign-out')}</span></button>
  </div>`;

/** @param {DeskSnapshot} desk @param {DiaryUi} ui @param {DiaryIntents} act */
function notices(desk, ui, act) {
  const dismiss = html`<button type="button" class="button button-quiet" @click=${act.dismiss}>${icon('close')}<span>${say('desk.close')}</span></button>`;
  const over = desk.over ? hostSentence(desk.over) : null;
  return html`
    <div class="banners">
      ${desk.phase === 'lost'
        ? banner({ tone: 'warn', icon: 'wifi', title: say('desk.lost'), text: say('desk.lost.todo') })
        : nothing}
      ${desk.elsewhere
        ? banner({
            tone: 'warn',
            title: hostSentence('host-elsewhere').title,
            text: hostSentence('host-elsewhere').todo,
            action: html`<button type="button" class="button" @click=${act.take}>${say('desk.take')}</button>`,
          })
        : nothing}
      ${over ? banner({ tone: 'info', title: over.title, text: over.todo, action: dismiss }) : nothing}
      ${ui.problem ? banner({ tone: 'bad', text: ui.problem, action: dismiss }) : nothing}
      ${ui.knocking && !ui.soundReady
        ? banner({ tone: 'info', icon: 'bell', text: say('desk.knocks.unlock') })
        : nothing}
    </div>`;
}

/** @param {import('../api.js').DeskData} data @param {DiaryUi} ui @param {DiaryIntents} act */
const reachCard = ({ reach }, ui, act) => html`
  <section class="card card-plain reach" aria-labelledby="reach-title">
    <h2 id="reach-title" class="card-title">${icon(reach.kind === 'local' ? 'info' : 'shield')}<span>${say('desk.reach.title')}</span></h2>
    <p class=${reach.kind === 'local' ? 'hint-warn' : 'hint'}>${sayMessage(reach.text)}</p>
    ${ui.notifications === 'denied' ? html`<p class="hint">${say('desk.notify.denied')}</p>` : nothing}
    ${doctorView(ui.checkup, act)}
  </section>`;

/**
 * @param {DeskSnapshot} desk @param {import('../api.js').DeskData} data
 * @param {number} now @param {DiaryUi} ui @param {DiaryIntents} act
 */
function appointments(desk, data, now, ui, act) {
  const groups = grouped(data.appointments, now);
  const past = data.appointments.filter(({ state }) => state === 'ended' || state === 'cancelled');
  /** @param {Appointment} a */
  const card = (a) =>
    appointmentCard(a, { now, inside: desk.calls.get(a.id)?.members.length ?? admitted(a), ui, act });
  return html`
    ${groups.length === 0
      ? html`
        <div class="card card-plain empty-day">
          <p class="empty-title">${say('desk.diary.empty')}</p>
          <p class="hint">${say('desk.diary.empty-todo')}</p>
        </div>`
      : nothing}
    ${repeat(groups, ([title]) => title, ([title, list]) => html`
      <section class="day">
        <h2 class="day-title">${title}</h2>
        <ul class="appointments" role="list">${repeat(list, ({ id }) => id, card)}</ul>
      </section>`)}
    ${past.length
      ? html`
        <details class="past">
          <summary>${say('desk.diary.past', { n: past.length })}</summary>
          <ul class="appointments" role="list">${repeat(past.reverse(), ({ id }) => id, card)}</ul>
        </details>`
      : nothing}`;
}

/** @param {Appointment} appointment how many are in its call, as the diary knows it */
const admitted = ({ state, guests }) => (state === 'open' ? guests.filter((guest) => guest.state === 'admitted').length : 0);

/**
 * What is ahead, by when: what nobody can tell of, "Now", "Later today", then one group a day.
 * @param {Appointment[]} list @param {number} now
 * @returns {[string, Appointment[]][]}
 */
function grouped(list, now) {
  /** @type {Map<string, Appointment[]>} */
  const groups = new Map();
  const ahead = list.filter(({ state }) => state === 'open' || state === 'early' || state === 'damaged').sort((a, b) => a.starts - b.starts);
  for (const appointment of ahead) {
    const title =
      appointment.state === 'damaged' ? say('desk.diary.damaged') : appointment.state === 'open' ? say('desk.diary.now') : dateKey(appointment.starts) === dateKey(now) ? say('desk.diary.today') : day(appointment.starts);
    groups.set(title, [...(groups.get(title) ?? []), appointment]);
  }
  return [...groups];
}
