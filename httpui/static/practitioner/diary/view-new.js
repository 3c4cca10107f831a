// The two forms of the diary: a new appointment, and the way into another
// practice's appointment.

import { html, nothing } from '../../kit/html.js';
import { clock, dateKey, moments, timeKey } from '../../kit/format.js';
import { icon } from '../../kit/icons.js';
import { banner, closeOnEscape, field, onSubmit } from '../../kit/view-shell.js';
import { say } from '../../kit/words.js';

/**
 * @typedef {{starts: number, at: number[], guests: number, busy: boolean, error: string}} Draft
 *   starts: the time the form opens with, Unix seconds; at: the moments that the
 *   day and time in the form may mean; guests: how many rows
 * @typedef {{create: (appointment: import('../api.js').NewAppointment) => void,
 *   setDraft: (patch: Partial<Draft> | null) => void}} NewIntents
 */

const quarter = 15 * 60;
const lengths = [15, 20, 30, 45, 60, 90, 120];
const labelMax = 64;
const guestsMax = 3;

/** @param {number} now Unix seconds @returns {Draft} for the next full quarter of an hour */
export function newDraft(now) {
  const starts = Math.ceil(now / quarter) * quarter;
  return { starts, at: moments(dateKey(starts), timeKey(starts)), guests: 1, busy: false, error: '' };
}

/** @param {Draft} draft @param {boolean} relay addresses can be hidden @param {NewIntents} act */
export const newAppointment = (draft, relay, act) => html`
  <form class="card form new" aria-labelledby="new-title" @submit=${onSubmit((form) => submit(form, draft, act))} @keydown=${closeOnEscape(() => act.setDraft(null))}>
    <h2 id="new-title" class="card-title">${icon('calendar')}<span>${say('desk.new.title')}</span></h2>
    ${draft.error ? banner({ tone: 'bad', text: draft.error }) : nothing}
    <div class="fields" @change=${(/** @type {Event} */ { target }) => { if (target instanceof HTMLInputElement && target.form) act.setDraft({ at: meant(target.form), error: '' }); }}>
      <div class="field">
        <label for="new-date">${say('desk.new.day')}</label>
        <input id="new-date" name="date" type="date" required value=${dateKey(draft.starts)}>
      </div>
      <div class="field">
        <label for="new-time">${say('desk.new.time')}</label>
        <input id="new-time" name="time" type="time" required step="60" value=${timeKey(draft.starts)} data-first>
      </div>
      <div class="field">
        <label for="new-length">${say('desk.new.length')}</label>
        <select id="new-length" name="minutes">
          ${lengths.map((minutes) => html`<option value=${minutes} ?selected=${minutes === 30}>${say('desk.new.minutes', { n: minutes })}</option>`)}
        </select>
      </div>
    </div>
    ${draft.at.length > 1 ? whichMoment(draft) : nothing}
    <div class="field">
      <label for="new-label">${say('desk.new.label')} <span class="hint">${say('desk.new.label-hint')}</span></label>
      <input id="new-label" name="label" maxlength=${labelMax} autocomplete="off">
    </div>
    <fieldset class="fieldset">
      <legend>${say('desk.new.guests')}</legend>
      ${Array.from({ length: draft.guests }, (_, i) => html`
        <div class="field">
          <label for="new-guest-${i}">${draft.guests > 1 ? say('desk.guest.numbered', { n: i + 1 }) : say('desk.guest')} <span class="hint">${say('desk.new.guest-hint')}</span></label>
          <input id="new-guest-${i}" name="guest-${i}" maxlength=${labelMax} autocomplete="off" placeholder=${say(i === 0 ? 'desk.new.patient' : i === 1 ? 'desk.new.carer' : 'desk.new.interpreter')}>
        </div>`)}
      <div class="fieldset-buttons">
        ${draft.guests < guestsMax
          ? html`<button type="button" class="button button-quiet" @click=${() => act.setDraft({ guests: draft.guests + 1 })}>${icon('plus')}<span>${say('desk.new.more-guests')}</span></button>`
          : nothing}
        ${draft.guests > 1
          ? html`<button type="button" class="button button-quiet" @click=${() => act.setDraft({ guests: draft.guests - 1 })}>${icon('close')}<span>${say('desk.new.fewer-guests')}</span></button>`
          : nothing}
      </div>
    </fieldset>
    ${relay
      ? html`
        <label class="choice">
          <input type="checkbox" name="hide">
          <span>${say('desk.new.hide')} <span class="hint">${say('desk.new.hide-hint')}</span></span>
        </label>`
      : nothing}
    <div class="form-buttons">
      <button class="button button-primary" ?disabled=${draft.busy}>${say(draft.busy ? 'desk.new.making' : 'desk.new.make')}</button>
      <button type="button" class="button" @click=${() => act.setDraft(null)}>${say('desk.close')}</button>
    </div>
  </form>`;

/**
 * Asks which of two moments is meant, on the day on which clocks are put back.
 * @param {Draft} draft
 */
const whichMoment = ({ at, starts }) => html`
  <fieldset class="fieldset">
    <legend>${say('desk.new.which')}</legend>
    ${at.map((moment, i) => html`
      <label class="choice">
        <input type="radio" name="moment" value=${moment} required ?checked=${moment === starts}>
        <span>${say(i === 0 ? 'desk.new.before' : 'desk.new.after', { time: clock(moment) })}</span>
      </label>`)}
  </fieldset>`;

/** @param {HTMLFormElement} form the moments that its day and time may mean */
const meant = (form) => moments(field(form, 'date'), field(form, 'time'));

/** @param {HTMLFormElement} form @param {Draft} draft @param {NewIntents} act */
function submit(form, draft, act) {
  if (!field(form, 'date') || !field(form, 'time')) return act.setDraft({ error: say('desk.new.when') });
  const at = meant(form);
  const starts = at.length > 1 ? at.find((moment) => String(moment) === field(form, 'moment')) : at[0];
  if (at.length === 0) return act.setDraft({ at, error: say('desk.new.no-time') });
  if (starts === undefined) return act.setDraft({ at, error: say('desk.new.twice') });
  act.create({
    starts,
    minutes: Number(field(form, 'minutes')),
    label: field(form, 'label'),
    guests: Array.from({ length: draft.guests }, (_, i) => ({ label: field(form, `guest-${i}`) })),
    ...(field(form, 'hide') && { hide_addresses: true }),
  });
}

/**
 * A link that another practice sent to a clinician here: opened in this node,
 * so that each side runs its own program.
 * @param {{error: string}} foreign
 * @param {(link: string) => void} open
 * @param {() => void} close
 */
export const foreignLink = (foreign, open, close) => html`
  <form class="card form" aria-labelledby="foreign-title" @submit=${onSubmit((form) => open(field(form, 'link')))} @keydown=${closeOnEscape(close)}>
    <h2 id="foreign-title" class="card-title">${icon('link')}<span>${say('desk.foreign.title')}</span></h2>
    <p class="hint">${say('desk.foreign.hint')}</p>
    ${foreign.error ? banner({ tone: 'bad', text: foreign.error }) : nothing}
    <div class="field">
      <label for="foreign-link">${say('desk.foreign.link')}</label>
      <input id="foreign-link" name="link" required autocomplete="off" spellcheck="false" autocapitalize="none" inputmode="url" data-first>
    </div>
    <div class="form-buttons">
      <button class="button button-primary">${say('desk.foreign.open')}</button>
      <button type="button" class="button" @click=${close}>${say('desk.close')}</button>
    </div>
  </form>`;
