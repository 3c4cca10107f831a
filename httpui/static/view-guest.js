// What a guest sees, from the link to the end of the call. One thing to do on
// each screen, in words that need no explanation.

import { html, nothing } from './html.js';
import { browserName } from './browser.js';
import { guestHead, guestSentence } from './errors.js';
import { clock, countdown, when } from './format.js';
import { icon } from './icons.js';
import { callView } from './view-call.js';
import { deviceCheck, preview } from './view-check.js';
import { privacyFacts } from './view-panels.js';
import { banner, busy, field, mark, onSubmit } from './view-shell.js';
import { say } from './words.js';
import { MAX_NAME, isDead, isOver, tidyText } from './wire.js';

/**
 * @typedef {import('./call.js').GuestSnapshot} GuestSnapshot
 * @typedef {import('./media.js').MediaSnapshot} MediaSnapshot
 * @typedef {import('./wire.js').Welcome} Welcome
 * @typedef {{
 *   trouble: string | null, call: GuestSnapshot | null, media: MediaSnapshot, checking: boolean, talked: boolean, online: boolean,
 *   now: number, served: string, name: string, check: import('./view-check.js').CheckUi,
 *   ui: import('./view-call.js').CallUi, canShare: boolean, canFlip: boolean, copied: boolean, link: string,
 *   elsewhere: boolean, returning: boolean, doorOpened: boolean,
 * }} GuestState
 *   trouble: a code that makes a call impossible from the start (bad-link …);
 *   checking: Continue has been pressed; talked: there was a call; served: the host that served the page;
 *   link: to be copied by hand; elsewhere: another tab is in the seat; returning: this
 *   tab was in it; doorOpened: while the page was waiting
 * @typedef {import('./view-call.js').CallIntents & import('./view-check.js').CheckIntents & {
 *   start: () => void,
 *   setName: (name: string) => void,
 *   join: (name: string) => void,
 *   again: () => void,
 *   comeBack: () => void,
 *   useHere: () => void,
 *   copyLink: () => void,
 * }} GuestIntents
 */

/**
 * Which screen a state belongs to: what the page's focus and title follow.
 * @param {GuestState} state
 * @returns {'trouble' | 'elsewhere' | 'opening' | 'early' | 'start' | 'back' | 'check' | 'waiting' | 'call' | 'over'}
 */
export function guestScreen({ trouble, call, checking, elsewhere, returning }) {
  if (trouble) return 'trouble';
  if (elsewhere) return 'elsewhere';
  if (!call) return 'opening';
  if (call.phase === 'waiting') return 'waiting';
  if (call.phase === 'call' || call.phase === 'held') return 'call';
  if (call.phase === 'ended') return call.code === 'early' && call.welcome ? (checking ? 'check' : 'early') : 'over';
  if (!call.welcome) return 'opening';
  if (isOver(call.welcome.state)) return 'over'; // full: whoever presses Join raises the alarm
  if (checking) return 'check';
  return call.welcome.state === 'early' ? 'early' : returning ? 'back' : 'start';
}

/** @param {GuestState} state @param {GuestIntents} act */
export function guestView(state, act) {
  const { call } = state;
  const welcome = call?.welcome ?? null;
  switch (guestScreen(state)) {
    case 'trouble':
      return frame(state, null, message(state.trouble ?? 'internal', state, act, false));
    case 'elsewhere':
      return frame(state, null, message('open-elsewhere', state, act, false));
    case 'opening':
      return frame(state, null, opening(state, act));
    case 'early':
      return frame(state, welcome, early(state, /** @type {Welcome} */ (welcome), act));
    case 'start':
      return frame(state, welcome, start(state, /** @type {Welcome} */ (welcome), act));
    case 'back':
      return frame(state, welcome, back(state, /** @type {Welcome} */ (welcome), act));
    case 'check':
      return frame(state, welcome, check(state, /** @type {Welcome} */ (welcome), act));
    case 'waiting':
      return stage(state, act, frame(state, welcome, waiting(state, /** @type {Welcome} */ (welcome), act), { focusTitle: false }));
    case 'call':
      return stage(state, act, null);
    default:
      return frame(state, welcome, over(state, act));
  }
}

/**
 * The call, made ready behind the waiting room: a browser that has measured and
 * styled it already opens it without holding up the connection.
 * @param {GuestState} state @param {GuestIntents} act
 * @param {unknown} before what is seen instead of the call
 */
const stage = (state, act, before) => html`
  ${before}
  <div class="stand ${before ? 'stand-by' : ''}" ?inert=${before !== null}>
    ${callView(callState(state, /** @type {GuestSnapshot} */ (state.call)), act, null)}
  </div>`;

/**
 * @param {GuestState} state @param {Welcome | null} welcome @param {unknown} content
 * @param {{focusTitle?: boolean}} [options] false: content has its own place for the focus
 */
const frame = ({ online, served, call }, welcome, content, { focusTitle = true } = {}) => html`
  <main id="main" class="page page-guest">
    <header class="masthead">
      ${mark()}
      <h1 tabindex="-1" ?data-focus=${focusTitle}>${welcome ? html`<bdi>${welcome.practice}</bdi>` : 'Your video appointment'}</h1>
    </header>
    <div class="banners">
      ${welcome?.demo ? banner({ tone: 'info', text: 'This is a try-out, not an appointment.' }) : nothing}
      ${!online
        ? banner({ tone: 'warn', icon: 'wifi', title: 'Your device is offline', text: 'Check your Wi-Fi or mobile data. This page goes on by itself.' })
        : welcome && call?.connection === 'reconnecting' && call.phase !== 'ended' && call.phase !== 'joining'
          ? banner({ tone: 'warn', icon: 'wifi', text: 'The connection to the practice was lost. Reconnecting…' })
          : nothing}
    </div>
    ${content}
    <footer class="foot">
      <details class="privacy">
        <summary>${icon('shield')}<span>Is this private?</span></summary>
        ${privacyFacts(welcome?.relay_only ?? false)}
      </details>
      <p class="hint">This page was served by <bdi>${served}</bdi>.</p>
    </footer>
  </main>`;

/** @param {GuestState} state @param {GuestIntents} act */
function opening({ call, online }, act) {
  if (!online || !call?.code) return busy('Finding your practice…');
  const { title, todo } = guestSentence(['going-away', 'not-invited', 'too-many'].includes(call.code) ? call.code : 'not-found', names(null));
  return html`
    ${banner({ tone: 'warn', icon: 'wifi', title, text: todo })}
    ${busy('Still trying…')}
    <button type="button" class="button button-wide" @click=${act.again}>${icon('retry')}<span>Try now</span></button>`;
}

/** @param {Welcome} welcome @param {number} now */
const appointmentLine = (welcome, now) => html`
  <p class="lead">Your appointment with <strong><bdi>${welcome.practitioner}</bdi></strong></p>
  <p class="clock-line">${timeLine(welcome, now)}</p>`;

/** @param {Welcome} welcome @param {number} now @returns {string} what somebody who looks at the clock wants to know */
function timeLine({ starts }, now) {
  const late = now >= starts && clock(now) !== clock(starts);
  return say(late ? 'guest.appointment.late' : 'guest.appointment.at', { now: clock(now), ...when(now, starts) });
}

/** @param {GuestState} state @param {Welcome} welcome @param {GuestIntents} act */
const early = (state, welcome, act) => html`
  <section class="card card-main">
    ${appointmentLine(welcome, state.now)}
    ${banner({ tone: 'info', icon: 'clock', title: 'You are early', text: say('guest.early.text', when(state.now, welcome.opens)) })}
    ${doorTimer(state, welcome)}
    <button type="button" class="button button-wide" @click=${act.start}>Check camera and microphone now</button>
  </section>`;

/**
 * Counts, but is not read out each second.
 * @param {GuestState} state @param {Welcome} welcome
 */
const doorTimer = ({ now }, { opens }) => html`<p class="countdown" role="timer" aria-live="off">${icon('door')}<span>${countdown(opens - now)}</span></p>`;

/** @param {GuestState} state @param {Welcome} welcome @param {GuestIntents} act */
const back = (state, welcome, act) => html`
  <section class="card card-main">
    ${appointmentLine(welcome, state.now)}
    <p>You were here a moment ago: one tap brings you back.</p>
    <button type="button" class="button button-primary button-wide button-large" @click=${act.comeBack}>Come back to your appointment</button>
    <p class="hint">Your browser may ask again for camera and microphone. Choose “Allow”.</p>
  </section>`;

/** @param {GuestState} state @param {Welcome} welcome @param {GuestIntents} act */
const start = (state, welcome, act) => html`
  <section class="card card-main">
    ${appointmentLine(welcome, state.now)}
    <p>Next, your browser asks whether this page may use your camera and microphone. Choose “Allow”. Nobody sees or hears you yet.</p>
    ${inAppHint(state, act)}
    <button type="button" class="button button-primary button-wide button-large" @click=${act.start}>Continue</button>
  </section>`;

/** @param {GuestState} state @param {GuestIntents} act */
function inAppHint(state, act) {
  const { agent } = state.check;
  if (!agent.inApp) return nothing;
  return banner({
    tone: 'warn',
    title: 'You opened this inside another app',
    text: `If camera or microphone do not work here, copy your link, open ${browserName(agent)} and paste the link into its address bar.`,
    action: copyLink(state, act),
  });
}

/**
 * The link's way into another browser: the address bar does not have it any more.
 * @param {GuestState} state @param {GuestIntents} act
 */
const copyLink = ({ copied, link }, act) => html`
  <button type="button" class="button button-wide" @click=${act.copyLink}>${icon(copied ? 'check' : 'copy')}<span>${copied ? 'Link copied' : 'Copy link'}</span></button>
  ${link
    ? html`
      <div class="field">
        <label for="link">This app does not let the page copy. Touch and hold the link, choose all of it, then “Copy”.</label>
        <input id="link" readonly value=${link} autocomplete="off" @focus=${(/** @type {{currentTarget: HTMLInputElement}} */ { currentTarget }) => currentTarget.select()}>
      </div>`
    : nothing}`;

/** @param {GuestState} state @param {Welcome} welcome @param {GuestIntents} act */
function check(state, welcome, act) {
  const joining = state.call?.phase === 'joining';
  const open = welcome.state !== 'early' && state.call?.phase !== 'ended';
  const taken = joining && state.call?.code === 'seat-taken';
  const refusal = joining && state.call?.code ? guestSentence(state.call.code, names(welcome)) : null;
  return html`
    <section class="card card-main">
      <p>With <bdi>${welcome.practitioner}</bdi>. <span class="clock-line">${timeLine(welcome, state.now)}</span></p>
      ${deviceCheck(state.media, state.check, act, copyLink(state, act))}
      ${refusal ? banner({ tone: taken ? 'bad' : 'warn', title: refusal.title, text: taken ? `${refusal.todo} This page tries again by itself.` : refusal.todo }) : nothing}
      <form class="form" @submit=${onSubmit((form) => act.join(field(form, 'name')))}>
        <div class="field">
          <label for="name">Your name</label>
          <input id="name" name="name" required maxlength=${MAX_NAME} autocomplete="name" autocapitalize="words" enterkeyhint="go"
            aria-describedby="name-hint" value=${state.name}
            @input=${(/** @type {{currentTarget: HTMLInputElement}} */ { currentTarget }) => typed(currentTarget, act)}>
          <p class="hint" id="name-hint">So that <bdi>${welcome.practitioner}</bdi> knows who is there.</p>
        </div>
        ${open
          ? html`<button class="button button-primary button-wide button-large" aria-disabled=${joining && !taken}>${taken ? 'Try again now' : joining ? 'Joining…' : 'Join'}</button>`
          : html`<p class="door-line" role="status">${icon('clock')}<span>You can join from ${clock(welcome.opens)}. This page goes on by itself.</span></p>${doorTimer(state, welcome)}`}
        <p class="hint">After this you wait until <bdi>${welcome.practitioner}</bdi> lets you in.</p>
      </form>
    </section>`;
}

/**
 * What is only spaces fills a field, and is no name.
 * @param {HTMLInputElement} input @param {GuestIntents} act
 */
function typed(input, act) {
  input.setCustomValidity(input.value !== '' && tidyText(input.value, MAX_NAME) === '' ? 'Please write your name.' : '');
  act.setName(input.value);
}

/** @param {GuestState} state @param {Welcome} welcome @param {GuestIntents} act */
const waiting = ({ call, media, check: checkUi, now, talked }, { practitioner, starts }, act) => html`
  ${call?.alarm
    ? banner({ tone: 'bad', title: 'This link was opened on another device', text: html`If that was you, close it there. If not, tell <bdi>${practitioner}</bdi> when the call begins. Your place is safe.` })
    : nothing}
  <section class="card card-main waiting-card">
    <div class="pulse" aria-hidden="true">${icon('door')}</div>
    <p class="waiting-title" tabindex="-1" data-focus role="status" aria-label="Waiting for ${practitioner}">Waiting for <bdi>${practitioner}</bdi></p>
    <p class="waiting-text">${talked
      ? html`<bdi>${practitioner}</bdi> has stepped out of the call. Keep this page open: it goes on by itself.`
      : html`You are in the waiting room, and <bdi>${practitioner}</bdi> has been told. Keep this page open: the call begins by itself.`}</p>
    <p class="clock-line">${talked ? nothing : say(now < starts ? 'guest.appointment.at' : 'guest.appointment.was', { now: clock(now), ...when(now, starts) })}</p>
    ${preview(media, checkUi, act)}
    <p class="hint">${media.stream !== null && media.video === 'on' ? 'Only you see this picture. ' : ''}Nobody sees or hears you until you are let in.</p>
    <button type="button" class="button button-wide" @click=${act.leave}>${icon('leave')}<span>Leave</span></button>
  </section>`;

/** @param {GuestState} state @returns {string} */
const overCode = ({ call }) => (call?.phase === 'ended' ? call.code : call?.welcome?.state) ?? 'ended';

/** @param {GuestState} state @param {GuestIntents} act */
function over(state, act) {
  const { call, now, talked } = state;
  const welcome = call?.welcome ?? null;
  const code = overCode(state);
  const knocked = call?.phase === 'ended' && call.self !== null && now < (welcome?.closes ?? 0); // so "ended" is about the call, not the appointment
  if (isDead(code)) return message(code, state, act, false);
  if (!talked && code !== 'left' && !(code === 'ended' && knocked)) return message(code, state, act, code !== 'ended');
  const sentence = guestSentence(code, names(welcome));
  const back = (sentence.again || code === 'ended') && welcome !== null && now < welcome.closes;
  return html`
    <section class="card card-main">
      <p class="over-title" role="status">${icon('check')}<span>${code === 'left' && !talked ? 'You have left. You can close this page.' : 'Call ended. You can close this page.'}</span></p>
      <p>${code === 'ended' ? html`<bdi>${welcome?.practitioner || 'The practitioner'}</bdi> has ended the call.` : talked ? sentence.title : nothing} Your camera and microphone are off.</p>
      ${back
        ? html`
          <p class="hint">You can come back until ${clock(welcome.closes)}.</p>
          ${code === 'left'
            ? html`<button type="button" class="button button-primary button-wide" @click=${act.comeBack}>Come back</button>`
            : html`<button type="button" class="button button-wide ${code === 'ended' ? '' : 'button-primary'}" @click=${act.again}>Join again</button>`}`
        : nothing}
    </section>`;
}

/**
 * One sentence that says what is so, one that says what to do.
 * @param {string} code @param {GuestState} state @param {GuestIntents} act @param {boolean} retry whether there is a link to retry
 */
function message(code, state, act, retry) {
  const { title, todo, again } = guestSentence(code, names(state.call?.welcome ?? null));
  return html`
    <section class="card card-main">
      <p class="over-title" role="alert">${icon('info')}<span>${title}</span></p>
      <p>${todo}</p>
      ${again && retry ? html`<button type="button" class="button button-primary button-wide" @click=${act.again}>${icon('retry')}<span>Try again</span></button>` : nothing}
      ${code === 'open-elsewhere' ? html`<button type="button" class="button button-primary button-wide" @click=${act.useHere}>Use it here</button>` : nothing}
      ${code === 'unsupported' ? copyLink(state, act) : nothing}
    </section>`;
}

/** @param {GuestState} state @returns {string} the title of the page: what is seen of it in a list of tabs */
export function guestTitle(state) {
  const { call, trouble, now, doorOpened } = state;
  const practice = call?.welcome?.practice ?? 'Your video appointment';
  switch (guestScreen(state)) {
    case 'trouble':
      return `${guestHead(trouble ?? '')} – ${practice}`;
    case 'elsewhere':
      return `${guestHead('open-elsewhere')} – ${practice}`;
    case 'early':
      return `${countdown((call?.welcome?.opens ?? 0) - now)} – ${practice}`;
    case 'waiting':
      return `Waiting – ${practice}`;
    case 'call':
      return `${call?.phase === 'held' ? 'On hold' : 'In the call'} – ${practice}`;
    case 'over':
      return `${guestHead(overCode(state))} – ${practice}`;
    default:
      return doorOpened ? `The door is open – ${practice}` : practice;
  }
}

/** @param {Welcome | null} welcome */
const names = (welcome) => ({ practitioner: welcome?.practitioner ?? '', practice: welcome?.practice ?? '' });

/** @param {GuestState} state @param {GuestSnapshot} call @returns {import('./view-call.js').CallState} */
function callState({ media, now, canShare, canFlip, ui, online }, call) {
  const { welcome } = call;
  const practitioner = welcome?.practitioner ?? '';
  return {
    practice: welcome?.practice ?? '',
    subject: practitioner ? `with ${practitioner}` : '',
    peers: call.peers,
    chat: call.chat,
    online: online && call.connection === 'online',
    held: call.phase === 'held',
    now,
    ends: welcome?.ends ?? 0,
    relayOnly: welcome?.relay_only ?? false,
    media,
    canShare,
    canFlip,
    empty: practitioner ? `${practitioner} will be with you in a moment` : 'One moment…',
    alarm: call.alarm ? 'This link was opened on another device. If that was not you, tell the practitioner now.' : '',
    ui,
    host: null,
  };
}
