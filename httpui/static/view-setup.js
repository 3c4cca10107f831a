// The practitioner's page before there is a diary: setting up, signing in.

import { html, nothing } from './html.js';
import { live } from './vendor/lit-html/directives/live.js';
import { apiSentence, hostSentence, signInSentence } from './errors.js';
import { icon } from './icons.js';
import { banner, busy, field, mark, onSubmit } from './view-shell.js';

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

/** The same limits as the node's (SECURITY.md 4.5, wire.MaxLabel). */
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
      return frame('Welcome to Anteroom', setUpForm(session, ui, act));
    case 'closed':
      return frame('Anteroom is not set up yet', closed());
    case 'signed-out':
      return frame(session.practice || 'Anteroom', signInForm(session, ui, act), { focusTitle: false });
    case 'no-cookies':
      return frame('Anteroom', noCookies());
    case 'offline':
      return frame('Anteroom does not answer', offline(session, act));
    default:
      return frame('Anteroom', busy('Opening your diary…'));
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
  <p class="lead">Three answers, then you can make your first call. Everything stays on this computer.</p>
  <form class="card form" @submit=${onSubmit((form) =>
    act.setUp({
      practice: field(form, 'practice'),
      name: field(form, 'name'),
      password: /** @type {string} */ (new FormData(form).get('password')),
    }))}>
    ${errorOf(session)}
    <div class="field">
      <label for="practice">Name of the practice</label>
      <input id="practice" name="practice" required maxlength=${nameMax} autocomplete="organization" aria-describedby="practice-hint">
      <p class="hint" id="practice-hint">Patients see it on top of their page.</p>
    </div>
    <div class="field">
      <label for="name">Your name</label>
      <input id="name" name="name" required maxlength=${nameMax} autocomplete="name" aria-describedby="name-hint">
      <p class="hint" id="name-hint">As patients know you, for example “Dr Lee”.</p>
    </div>
    ${passwordField({ ui, act, fresh: true })}
    <button class="button button-primary button-wide" ?disabled=${session.busy}>${session.busy ? 'Setting up…' : 'Set up'}</button>
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
          <label for="name">Your name</label>
          <input id="name" name="name" required maxlength=${nameMax} autocomplete="username">
        </div>`
      : session.name
        ? html`<p class="lead"><bdi>${session.name}</bdi></p><input class="sr-only" name="username" autocomplete="username" tabindex="-1" aria-hidden="true" readonly .value=${session.name}>`
        : nothing}
    ${passwordField({ ui, act, fresh: false })}
    <button class="button button-primary button-wide" ?disabled=${session.busy}>${session.busy ? 'Signing in…' : 'Sign in'}</button>
  </form>
  <p class="hint">Patients do not sign in: they open the link that you send them.</p>`;

/** @param {{ui: SetupUi, act: SetupIntents, fresh: boolean}} options */
function passwordField({ ui, act, fresh }) {
  const enough = ui.passwordLength >= passwordMin;
  return html`
    <div class="field">
      <label for="password">Password</label>
      <div class="with-button">
        <input id="password" name="password" required .type=${live(ui.showPassword ? 'text' : 'password')}
          minlength=${fresh ? passwordMin : 1} maxlength=${passwordMax} spellcheck="false" autocapitalize="none"
          autocomplete=${fresh ? 'new-password' : 'current-password'} ?data-focus=${!fresh} aria-describedby=${fresh ? 'password-rules' : nothing}
          @input=${(/** @type {{currentTarget: HTMLInputElement}} */ { currentTarget }) => act.setUi({ passwordLength: [...currentTarget.value].length })}>
        <button type="button" class="button button-quiet" @click=${() => act.setUi({ showPassword: !ui.showPassword })}>
          ${icon(ui.showPassword ? 'eye-off' : 'eye')}<span>${ui.showPassword ? 'Hide' : 'Show'}</span><span class="sr-only"> password</span>
        </button>
      </div>
      ${fresh
        ? html`
          <ul class="rules" id="password-rules">
            <li class=${enough ? 'met' : ''}>${icon(enough ? 'check' : 'info')}<span>At least ${passwordMin} characters${enough ? ': done' : ''}</span></li>
            <li>${icon('info')}<span>Not a well-known one. Four or five unrelated words are good, and spaces are welcome.</span></li>
          </ul>`
        : nothing}
    </div>`;
}

const closed = () => html`
  <div class="card">
    <p>For safety, the first set-up is only possible through the address that Anteroom prints when it starts on this computer.</p>
    <ol class="steps">
      <li>Go to the window in which Anteroom was started.</li>
      <li>Open the address that it shows there. It works once.</li>
    </ol>
  </div>`;

/** @param {SessionSnapshot} session @param {SetupIntents} act */
const offline = (session, act) => html`
  <div class="card">
    <p>This page cannot reach the program. Check that Anteroom is running, then try again.</p>
    ${session.error && session.error.code !== 'offline' ? html`<p>${apiSentence(session.error)}</p>` : nothing}
    <button type="button" class="button button-primary" @click=${act.retry}>${icon('retry')}<span>Try again</span></button>
  </div>`;

/** @param {SessionSnapshot} session */
const errorOf = ({ error }) => (error ? banner({ tone: 'bad', text: signInSentence(error) }) : nothing);

/** @param {SessionSnapshot} session */
function noticeOf({ notice }) {
  if (notice === 'expired') return banner({ tone: 'info', text: 'You were signed out: after a quiet time, or from another browser. Your diary is as you left it.' });
  if (notice === 'left') return banner({ tone: 'good', icon: 'check', text: 'You are signed out.' });
  if (notice === 'unconfirmed') {
    return banner({
      tone: 'bad',
      title: 'Anteroom did not confirm that you are signed out.',
      text: 'Other tabs of this browser may still be signed in. When it answers again, sign in here and sign out once more.',
    });
  }
  if (notice === 'launch-used') return banner({ tone: 'info', text: 'This start address has been used before. Sign in with your password.' });
  return nothing;
}
