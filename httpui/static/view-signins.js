// Where the practitioner is signed in: since when, and how to end that. Nothing
// is known of other browsers but that.

import { html, nothing } from './html.js';
import { repeat } from './vendor/lit-html/directives/repeat.js';
import { clock, day, duration } from './format.js';
import { icon } from './icons.js';
import { banner, busy } from './view-shell.js';

/**
 * @typedef {import('./api.js').SignIn} SignIn
 * @typedef {{showSignIns: (open: boolean) => void, endSignIn: (id: string) => void, endOtherSignIns: () => void}} SignInsIntents
 */

/** @param {import('./signins.js').SignInsSnapshot} signIns @param {number} now @param {SignInsIntents} act */
export const signInsView = ({ list, error }, now, act) => html`
  <details class="past" @toggle=${(/** @type {{currentTarget: HTMLDetailsElement}} */ { currentTarget }) => act.showSignIns(currentTarget.open)}>
    <summary>Where you are signed in</summary>
    ${error ? banner({ tone: 'bad', text: error }) : nothing}
    ${list
      ? html`
        <ul class="signins" role="list" aria-label="Where you are signed in">${repeat(list, ({ id }) => id, (one) => row(one, now, act))}</ul>
        ${list.length > 1
          ? html`<button type="button" class="button" @click=${act.endOtherSignIns}>${icon('leave')}<span>Sign out everywhere else</span></button>`
          : nothing}`
      : error ? nothing : busy()}
  </details>`;

/** @param {SignIn} one @param {number} now @param {SignInsIntents} act */
function row({ id, since, seen, this: here }, now, act) {
  const began = `${day(since)}, ${clock(since)}`;
  const quiet = duration(Math.max(0, now - seen));
  return html`
    <li class="guest-row">
      <p>Signed in on ${began} <span class="hint">${here ? 'here' : `last active ${quiet === 'just now' ? quiet : `${quiet} ago`}`}</span></p>
      ${here
        ? html`<p class="chip chip-good">This browser</p>`
        : html`<button type="button" class="button" @click=${() => act.endSignIn(id)}><span>Sign out</span><span class="sr-only"> where you signed in on ${began}</span></button>`}
    </li>`;
}
