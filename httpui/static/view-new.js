// The two forms of the diary: a new appointment, and the way into another
// practice's appointment.

import { html, nothing } from './html.js';
import { clock, dateKey, moments, timeKey } from './format.js';
import { icon } from './icons.js';
import { banner, closeOnEscape, field, onSubmit } from './view-shell.js';

/**
 * @typedef {{starts: number, at: number[], guests: number, busy: boolean, error: string}} Draft
 *   starts: the time the form opens with, Unix seconds; at: the moments that the
 *   day and time in the form may mean; guests: how many rows
 * @typedef {{create: (appointment: import('./api.js').NewAppointment) => void,
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
    <h2 id="new-title" class="card-title">${icon('calendar')}<span>New appointment</span></h2>
    ${draft.error ? banner({ tone: 'bad', text: draft.error }) : nothing}
    <div class="fields" @change=${(/** @type {Event} */ { target }) => { if (target instanceof HTMLInputElement && target.form) act.setDraft({ at: meant(target.form), error: '' }); }}>
      <div class="field">
        <label for="new-date">Day</label>
        <input id="new-date" name="date" type="date" required value=${dateKey(draft.starts)}>
      </div>
      <div class="field">
        <label for="new-time">Time</label>
        <input id="new-time" name="time" type="time" required step="60" value=${timeKey(draft.starts)} data-first>
      </div>
      <div class="field">
        <label for="new-length">Length</label>
        <select id="new-length" name="minutes">
          ${lengths.map((minutes) => html`<option value=${minutes} ?selected=${minutes === 30}>${minutes} minutes</option>`)}
        </select>
      </div>
    </div>
    ${draft.at.length > 1 ? whichMoment(draft) : nothing}
    <div class="field">
      <label for="new-label">What for <span class="hint">(optional, only you see it)</span></label>
      <input id="new-label" name="label" maxlength=${labelMax} autocomplete="off">
    </div>
    <fieldset class="fieldset">
      <legend>Who gets a link</legend>
      ${Array.from({ length: draft.guests }, (_, i) => html`
        <div class="field">
          <label for="new-guest-${i}">${draft.guests > 1 ? `Guest ${i + 1}` : 'Guest'} <span class="hint">(optional, others in the call see it)</span></label>
          <input id="new-guest-${i}" name="guest-${i}" maxlength=${labelMax} autocomplete="off" placeholder=${i === 0 ? 'Patient' : i === 1 ? 'Carer' : 'Interpreter'}>
        </div>`)}
      <div class="fieldset-buttons">
        ${draft.guests < guestsMax
          ? html`<button type="button" class="button button-quiet" @click=${() => act.setDraft({ guests: draft.guests + 1 })}>${icon('plus')}<span>Add a guest</span></button>`
          : nothing}
        ${draft.guests > 1
          ? html`<button type="button" class="button button-quiet" @click=${() => act.setDraft({ guests: draft.guests - 1 })}>${icon('close')}<span>Remove the last guest</span></button>`
          : nothing}
      </div>
    </fieldset>
    ${relay
      ? html`
        <label class="choice">
          <input type="checkbox" name="hide">
          <span>Hide addresses <span class="hint">Nobody in the call can find out from where the others connect. Picture and sound take the way through the relay, which cannot see or hear them.</span></span>
        </label>`
      : nothing}
    <div class="form-buttons">
      <button class="button button-primary" ?disabled=${draft.busy}>${draft.busy ? 'Making…' : 'Make appointment'}</button>
      <button type="button" class="button" @click=${() => act.setDraft(null)}>Close</button>
    </div>
  </form>`;

/**
 * Asks which of two moments is meant, on the day on which clocks are put back.
 * @param {Draft} draft
 */
const whichMoment = ({ at, starts }) => html`
  <fieldset class="fieldset">
    <legend>Clocks are put back on that day, so this time comes twice</legend>
    ${at.map((moment, i) => html`
      <label class="choice">
        <input type="radio" name="moment" value=${moment} required ?checked=${moment === starts}>
        <span>${i === 0 ? `${clock(moment)}, before clocks are put back` : `${clock(moment)}, after clocks are put back`}</span>
      </label>`)}
  </fieldset>`;

/** @param {HTMLFormElement} form the moments that its day and time may mean */
const meant = (form) => moments(field(form, 'date'), field(form, 'time'));

/** @param {HTMLFormElement} form @param {Draft} draft @param {NewIntents} act */
function submit(form, draft, act) {
  if (!field(form, 'date') || !field(form, 'time')) return act.setDraft({ error: 'Enter a day and a time.' });
  const at = meant(form);
  const starts = at.length > 1 ? at.find((moment) => String(moment) === field(form, 'moment')) : at[0];
  if (at.length === 0) return act.setDraft({ at, error: 'There is no such time on that day: clocks are put forward. Choose an earlier or a later time.' });
  if (starts === undefined) return act.setDraft({ at, error: 'This time comes twice on that day: clocks are put back. Choose which one you mean.' });
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
    <h2 id="foreign-title" class="card-title">${icon('link')}<span>Join another practice’s appointment</span></h2>
    <p class="hint">Paste the link that you were sent. It opens here, through your own Anteroom; the other practice serves you nothing.</p>
    ${foreign.error ? banner({ tone: 'bad', text: foreign.error }) : nothing}
    <div class="field">
      <label for="foreign-link">Link from the other practice</label>
      <input id="foreign-link" name="link" required autocomplete="off" spellcheck="false" autocapitalize="none" inputmode="url" data-first>
    </div>
    <div class="form-buttons">
      <button class="button button-primary">Open</button>
      <button type="button" class="button" @click=${close}>Close</button>
    </div>
  </form>`;
