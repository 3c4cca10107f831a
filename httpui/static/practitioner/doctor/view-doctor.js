// What the node found when it looked at itself: first what must be done, then,
// folded away, what is in order.

import { html, nothing } from '../../kit/html.js';
import { repeat } from '../../vendor/lit-html/directives/repeat.js';
import { toMend } from './checkup.js';
import { clock } from '../../kit/format.js';
import { icon } from '../../kit/icons.js';
import { banner } from '../../kit/view-shell.js';
import { say, sayMessage, sayWith } from '../../kit/words.js';

/**
 * @typedef {import('../api.js').Check} Check
 * @typedef {{checkUp: () => void}} DoctorIntents
 */

/** @type {Record<Check['status'], import('../../kit/icons.js').IconName>} */
const signs = { fail: 'alert', warn: 'alert', pass: 'check', skip: 'info' };

/**
 * @param {import('./checkup.js').CheckupSnapshot} checkup
 * @param {DoctorIntents} act
 */
export function doctorView({ busy, report, error }, act) {
  // The button keeps the focus while it waits: disabled it would lose it.
  return html`
    <div class="doctor">
      <p role="status" aria-label=${say('desk.check')} class="doctor-summary">${summary(busy, report)}</p>
      ${error ? banner({ tone: 'bad', text: error }) : nothing}
      ${report && !busy ? results(report.checks) : nothing}
      <div class="doctor-again">
        <button type="button" class="button" aria-disabled=${busy} @click=${act.checkUp}>${icon('retry')}<span>${say('desk.check.now')}</span></button>
        ${report ? html`<p class="hint">${sayWith('desk.check.at', { time: html`<time>${clock(report.at)}</time>` })}</p>` : nothing}
      </div>
    </div>`;
}

/** @param {boolean} busy @param {import('../api.js').Report | null} report */
function summary(busy, report) {
  if (busy || !report) return html`<span class="spinner" aria-hidden="true"></span> ${say('desk.check.busy')}`;
  const problems = report.checks.filter(({ status }) => status === 'fail').length;
  if (problems) return say('desk.check.problems', { n: problems });
  return sayMessage(report.summary);
}

/** @param {Check[]} checks */
function results(checks) {
  const open = toMend(checks);
  const rest = checks.filter((check) => !open.includes(check));
  return html`
    ${open.length ? list(say('desk.check.open'), open) : nothing}
    ${rest.length
      ? html`
        <details class="past">
          <summary>${say('desk.check.rest-count', { n: rest.length })}</summary>
          ${list(say('desk.check.rest'), rest)}
        </details>`
      : nothing}`;
}

/** @param {string} label @param {Check[]} checks */
const list = (label, checks) => html`
  <ul class="doctor-list" role="list" aria-label=${label}>
    ${repeat(checks, ({ id }) => id, row)}
  </ul>`;

/** @param {Check} check */
function row({ id, title, status, finding, todo }) {
  return html`
    <li class="doctor-check doctor-${status}" data-check=${id} tabindex="-1">
      <p class="doctor-title">${icon(signs[status])}<span>${sayWith('desk.check.title', { status: html`<strong>${say(`desk.check.${status}`)}</strong>`, title: sayMessage(title) })}</span></p>
      <p dir="auto">${sayMessage(finding)}</p>
      ${todo ? html`<p class="hint" dir="auto">${sayMessage(todo)}</p>` : nothing}
    </li>`;
}
