// The practitioner's page before there is a diary: setting up, signing in.

import { html, nothing } from '../../kit/html.js';
import { live } from '../../vendor/lit-html/directives/live.js';
import { apiSentence, hostSentence, signInSentence } from '../../kit/errors.js';
import { icon } from '../../kit/icons.js';
import { banner, busy, field, mark, onSubmit } from '../../kit/view-shell.js';
import { say } from '../../kit/words.js';

/**
 * @typedef {import('./session.js').SessionSnapshot} SessionSnapshot
 * @typedef {{showPassword: boolean, passwordLength: number}} SetupUi
 * @typedef {{
 *   setUp: (answers: {practice: string, name: string, password: string}) => void,
 *   signIn: (name: string, password: string) => void,
 *   retry: () => void,
 *   setUi: (patch: Partial<SetupUi>) => void,
 * }} SetupIntents
 */

/** The same limits as the node's, which refuses what the form lets through. */
const passwordMin = 12;
const passwordMax = 128;
const nameMax = 64;

/**
 * @param {SessionSnapshot} session
 * @param {SetupUi} ui
 * @param {SetupIntents} act
 */
export function setupView(session, ui, act) {
  switch (session.phase) {
    case 'setup':
      return frame(say('desk.set-up.title'), setUpForm(session, ui, act));
    case 'closed':
      return frame(say('desk.set-up.closed'), closed());
    case 'signed-out':
      return frame(session.practice || say('page.desk.title'), signInForm(session, ui, act), { focusTitle: false });
    case 'no-cookies':
      return frame(say('page.desk.title'), noCookies());
    case 'offline':
      return frame(say('desk.unreachable'), offline(session, act));
    default:
      return frame(say('page.desk.title'), busy(say('desk.opening')));
  }
}

/** @param {string} title @param {unknown} content */
const frame = (title, content, { focusTitle = true } = {}) => html`
  <main id="main" class="page page-narrow">
    <header class="masthead">${mark()}<h1 tabindex="-1" ?data-focus=${focusTitle}>${title}</h1></header>
    ${content}
  </main>`;

function noCookies() {
  const { title, todo } = hostSentence('no-cookies');
  return banner({ tone: 'warn', title, text: todo });
}

/** @param {SessionSnapshot} session @param {SetupUi} ui @param {SetupIntents} act */
const setUpForm = (session, ui, act) => html`
  <p class="lead">${say('desk.set-up.lead')}</p>
  <form class="card form" @submit=${onSubmit((form) =>
    act.setUp({
      practice: field(form, 'practice'),
      name: field(form, 'name'),
      password: /** @type {string} */ (new FormData(form).get('password')),
    }))}>
    ${errorOf(session)}
    <div class="field">
      <label for="practice">${say('desk.set-up.practice')}</label>
      <input id="practice" name="practice" required maxlength=${nameMax} autocomplete="organization" aria-describedby="practice-hint">
      <p class="hint" id="practice-hint">${say('desk.set-up.practice-hint')}</p>
    </div>
    <div class="field">
      <label for="name">${say('desk.your-name')}</label>
      <input id="name" name="name" required maxlength=${nameMax} autocomplete="name" aria-describedby="name-hint">
      <p class="hint" id="name-hint">${say('desk.set-up.name-hint')}</p>
    </div>
    ${passwordField({ ui, act, fresh: true })}
    <button class="button button-primary button-wide" ?disabled=${session.busy}>${say(session.busy ? 'desk.set-up.busy' : 'desk.set-up')}</button>
  </form>`;

/** @param {SessionSnapshot} session @param {SetupUi} ui @param {SetupIntents} act */
const signInForm = (session, ui, act) => html`
  ${noticeOf(session)}
  <form class="card form" @submit=${onSubmit((form) =>
    act.signIn(field(form, 'name'), /** @type {string} */ (new FormData(form).get('password'))))}>
    ${errorOf(session)}
    ${session.names > 1
      ? html`
        <div class="field">
          <label for="name">${say('desk.your-name')}</label>
          <input id="name" name="name" required maxlength=${nameMax} autocomplete="username">
        </div>`
      : session.name
        ? html`<p class="lead"><bdi>${session.name}</bdi></p><input class="sr-only" name="username" autocomplete="username" tabindex="-1" aria-hidden="true" readonly .value=${session.name}>`
        : nothing}
    ${passwordField({ ui, act, fresh: false })}
    <button class="button button-primary button-wide" ?disabled=${session.busy}>${say(session.busy ? 'desk.sign-in.busy' : 'desk.sign-in')}</button>
  </form>
  <p class="hint">${say('desk.sign-in.hint')}</p>`;

/** @param {{ui: SetupUi, act: SetupIntents, fresh: boolean}} options */
function passwordField({ ui, act, fresh }) {
  const enough = ui.passwordLength >= passwordMin;
  return html`
    <div class="field">
      <label for="password">${say('desk.password')}</label>
      <div class="with-button">
        <input id="password" name="password" required .type=${live(ui.showPassword ? 'text' : 'password')}
          minlength=${fresh ? passwordMin : 1} maxlength=${passwordMax} spellcheck="false" autocapitalize="none"
          autocomplete=${fresh ? 'new-password' : 'current-password'} ?data-focus=${!fresh} aria-describedby=${fresh ? 'password-rules' : nothing}
          @input=${(/** @type {{currentTarget: HTMLInputElement}} */ { currentTarget }) => act.setUi({ passwordLength: [...currentTarget.value].length })}>
        <button type="button" class="button button-quiet" aria-label=${say(ui.showPassword ? 'desk.password.hide-it' : 'desk.password.show-it')}
          @click=${() => act.setUi({ showPassword: !ui.showPassword })}>
          ${icon(ui.showPassword ? 'eye-off' : 'eye')}<span>${say(ui.showPassword ? 'desk.password.hide' : 'desk.password.show')}</span>
        </button>
      </div>
      ${fresh
        ? html`
          <ul class="rules" id="password-rules">
            <li class=${enough ? 'met' : ''}>${icon(enough ? 'check' : 'info')}<span>${say(enough ? 'desk.password.enough' : 'desk.password.least', { n: passwordMin })}</span></li>
            <li>${icon('info')}<span>${say('desk.password.advice')}</span></li>
          </ul>`
        : nothing}
    </div>`;
}

const closed = () => html`
  <div class="card">
    <p>${say('desk.set-up.how')}</p>
    <ol class="steps">
      <li>${say('desk.set-up.how-1')}</li>
      <li>${say('desk.set-up.how-2')}</li>
    </ol>
  </div>`;

/** @param {SessionSnapshot} session @param {SetupIntents} act */
const offline = (session, act) => html`
  <div class="card">
    <p>${say('desk.unreachable.todo')}</p>
    ${session.error && session.error.code !== 'offline' ? html`<p>${apiSentence(session.error)}</p>` : nothing}
    <button type="button" class="button button-primary" @click=${act.retry}>${icon('retry')}<span>${say('desk.try-again')}</span></button>
  </div>`;

/** @param {SessionSnapshot} session */
const errorOf = ({ error }) => (error ? banner({ tone: 'bad', text: signInSentence(error) }) : nothing);

/** @param {SessionSnapshot} session */
function noticeOf({ notice }) {
  if (notice === 'expired') return banner({ tone: 'info', text: say('desk.signed-out.expired') });
  if (notice === 'left') return banner({ tone: 'good', icon: 'check', text: say('desk.signed-out.left') });
  if (notice === 'unconfirmed') {
    return banner({
      tone: 'bad',
      title: say('desk.signed-out.unconfirmed'),
      text: say('desk.signed-out.unconfirmed-todo'),
    });
  }
  if (notice === 'launch-used') return banner({ tone: 'info', text: say('desk.signed-out.launch-used') });
  return nothing;
}
