// What the node found when it looked at itself: first what must be done, then,
// folded away, what is in order.

import { html, nothing } from './html.js';
import { repeat } from './vendor/lit-html/directives/repeat.js';
import { toMend } from './checkup.js';
import { clock } from './format.js';
import { icon } from './icons.js';
import { banner } from './view-shell.js';
import { sayMessage } from './words.js';

/**
 * @typedef {import('./api.js').Check} Check
 * @typedef {{checkUp: () => void}} DoctorIntents
 */

/** @type {Record<Check['status'], {word: string, sign: import('./icons.js').IconName}>} */
const signs = {
  fail: { word: 'Problem', sign: 'alert' },
  warn: { word: 'Warning', sign: 'alert' },
  pass: { word: 'In order', sign: 'check' },
  skip: { word: 'Not checked', sign: 'info' },
};

/**
 * @param {import('./checkup.js').CheckupSnapshot} checkup
 * @param {DoctorIntents} act
 */
export function doctorView({ busy, report, error }, act) {
  // The button keeps the focus while it waits: disabled it would lose it.
  return html`
    <div class="doctor">
      <p role="status" aria-label="Check" class="doctor-summary">${summary(busy, report)}</p>
      ${error ? banner({ tone: 'bad', text: error }) : nothing}
      ${report && !busy ? results(report.checks) : nothing}
      <div class="doctor-again">
        <button type="button" class="button" aria-disabled=${busy} @click=${act.checkUp}>${icon('retry')}<span>Check now</span></button>
        ${report ? html`<p class="hint">Checked at <time>${clock(report.at)}</time>. Anteroom checks again every few minutes.</p>` : nothing}
      </div>
    </div>`;
}

/** @param {boolean} busy @param {import('./api.js').Report | null} report */
function summary(busy, report) {
  if (busy || !report) return html`<span class="spinner" aria-hidden="true"></span> Checking… this can take half a minute.`;
  const problems = report.checks.filter(({ status }) => status === 'fail').length;
  if (problems) return `Not ready for calls: ${problems === 1 ? '1 problem' : `${problems} problems`}.`;
  return sayMessage(report.summary);
}

/** @param {Check[]} checks */
function results(checks) {
  const open = toMend(checks);
  const rest = checks.filter((check) => !open.includes(check));
  return html`
    ${open.length ? list('What to look at', open) : nothing}
    ${rest.length
      ? html`
        <details class="past">
          <summary>In order, or not checked (${rest.length})</summary>
          ${list('In order, or not checked', rest)}
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
  const { word, sign } = signs[status];
  return html`
    <li class="doctor-check doctor-${status}" data-check=${id} tabindex="-1">
      <p class="doctor-title">${icon(sign)}<span><strong>${word}</strong>: ${sayMessage(title)}</span></p>
      <p dir="auto">${sayMessage(finding)}</p>
      ${todo ? html`<p class="hint" dir="auto">${sayMessage(todo)}</p>` : nothing}
    </li>`;
}
