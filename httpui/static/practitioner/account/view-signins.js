// Where the practitioner is signed in: since when, and how to end that. Nothing
// is known of other browsers but that.

import { html, nothing } from '../../kit/html.js';
import { repeat } from '../../vendor/lit-html/directives/repeat.js';
import { clock, day, elapsed } from '../../kit/format.js';
import { icon } from '../../kit/icons.js';
import { banner, busy } from '../../kit/view-shell.js';
import { say } from '../../kit/words.js';

/**
 * @typedef {import('../api.js').SignIn} SignIn
 * @typedef {{showSignIns: (open: boolean) => void, endSignIn: (id: string) => void, endOtherSignIns: () => void}} SignInsIntents
 */

/** @param {import('./signins.js').SignInsSnapshot} signIns @param {number} now @param {SignInsIntents} act */
export const signInsView = ({ list, error }, now, act) => html`
  <details class="past" @toggle=${(/** @type {{currentTarget: HTMLDetailsElement}} */ { currentTarget }) => act.showSignIns(currentTarget.open)}>
    <summary>${say('desk.sign-ins')}</summary>
    ${error ? banner({ tone: 'bad', text: error }) : nothing}
    ${list
      ? html`
        <ul class="signins" role="list" aria-label=${say('desk.sign-ins')}>${repeat(list, ({ id }) => id, (one) => row(one, now, act))}</ul>
        ${list.length > 1
          ? html`<button type="button" class="button" @click=${act.endOtherSignIns}>${icon('leave')}<span>${say('desk.sign-ins.end-others')}</span></button>`
          : nothing}`
      : error ? nothing : busy()}
  </details>`;

/** @param {SignIn} one @param {number} now @param {SignInsIntents} act */
function row({ id, since, seen, this: here }, now, act) {
  const began = { day: day(since), time: clock(since) };
  return html`
    <li class="guest-row">
      <p>${say('desk.sign-ins.since', began)} <span class="hint">${here ? say('desk.sign-ins.here') : say('desk.sign-ins.seen', elapsed(Math.max(0, now - seen)))}</span></p>
      ${here
        ? html`<p class="chip chip-good">${say('desk.sign-ins.this')}</p>`
        : html`<button type="button" class="button" aria-label=${say('desk.sign-ins.end', began)} @click=${() => act.endSignIn(id)}>${say('desk.sign-out')}</button>`}
    </li>`;
}
