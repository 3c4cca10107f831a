// What a guest sees, from the link to the end of the call. One thing to do on
// each screen, in words that need no explanation.

import { html, nothing } from '../kit/html.js';
import { guestHead, guestSentence } from '../kit/errors.js';
import { clock, countdown, when } from '../kit/format.js';
import { icon } from '../kit/icons.js';
import { callView } from '../call/screen/view-call.js';
import { deviceCheck, preview } from '../call/screen/view-check.js';
import { privacyFacts } from '../call/screen/view-panels.js';
import { banner, busy, field, mark, onSubmit } from '../kit/view-shell.js';
import { MAX_NAME, isDead, isOver, tidyText } from '../link/wire.js';
import { say, sayWith } from '../kit/words.js';

/**
 * @typedef {import('../call/call.js').GuestSnapshot} GuestSnapshot
 * @typedef {import('../call/media.js').MediaSnapshot} MediaSnapshot
 * @typedef {import('../link/wire.js').Welcome} Welcome
 * @typedef {{
 *   trouble: string | null, call: GuestSnapshot | null, media: MediaSnapshot, checking: boolean, talked: boolean, online: boolean,
 *   now: number, served: string, name: string, check: import('../call/screen/view-check.js').CheckUi,
 *   ui: import('../call/screen/view-call.js').CallUi, canShare: boolean, canFlip: boolean, copied: boolean, link: string,
 *   elsewhere: boolean, returning: boolean, doorOpened: boolean,
 * }} GuestState
 *   trouble: a code that makes a call impossible from the start (bad-link …);
 *   checking: Continue has been pressed; talked: there was a call; served: the host that served the page;
 *   link: to be copied by hand; elsewhere: another tab is in the seat; returning: this
 *   tab was in it; doorOpened: while the page was waiting
 * @typedef {import('../call/screen/view-call.js').CallIntents & import('../call/screen/view-check.js').CheckIntents & {
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
      <h1 tabindex="-1" ?data-focus=${focusTitle}>${welcome ? html`<bdi>${welcome.practice}</bdi>` : say('page.guest.title')}</h1>
    </header>
    <div class="banners">
      ${welcome?.demo ? banner({ tone: 'info', text: say('guest.demo') }) : nothing}
      ${!online
        ? banner({ tone: 'warn', icon: 'wifi', title: say('guest.offline.title'), text: say('guest.offline.text') })
        : welcome && call?.connection === 'reconnecting' && call.phase !== 'ended' && call.phase !== 'joining'
          ? banner({ tone: 'warn', icon: 'wifi', text: say('guest.reconnecting') })
          : nothing}
    </div>
    ${content}
    <footer class="foot">
      <details class="privacy">
        <summary>${icon('shield')}<span>${say('guest.private')}</span></summary>
        ${privacyFacts(welcome?.relay_only ?? false)}
      </details>
      <p class="hint">${sayWith('guest.served', { host: html`<bdi>${served}</bdi>` })}</p>
    </footer>
  </main>`;

/** @param {GuestState} state @param {GuestIntents} act */
function opening({ call, online }, act) {
  if (!online || !call?.code) return busy(say('guest.opening'));
  const { title, todo } = guestSentence(['going-away', 'not-invited', 'too-many'].includes(call.code) ? call.code : 'not-found', names(null));
  return html`
    ${banner({ tone: 'warn', icon: 'wifi', title, text: todo })}
    ${busy(say('guest.opening.again'))}
    <button type="button" class="button button-wide" @click=${act.again}>${icon('retry')}<span>${say('guest.opening.now')}</span></button>`;
}

/** @param {Welcome} welcome @param {number} now */
const appointmentLine = (welcome, now) => html`
  <p class="lead">${sayWith('guest.appointment.with', { practitioner: html`<strong><bdi>${welcome.practitioner}</bdi></strong>` })}</p>
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
    ${banner({ tone: 'info', icon: 'clock', title: say('guest.early.title'), text: say('guest.early.text', when(state.now, welcome.opens)) })}
    ${doorTimer(state, welcome)}
    <button type="button" class="button button-wide" @click=${act.start}>${say('guest.early.check')}</button>
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
    <p>${say('guest.back.text')}</p>
    <button type="button" class="button button-primary button-wide button-large" @click=${act.comeBack}>${say('guest.back.now')}</button>
    <p class="hint">${say('guest.back.hint')}</p>
  </section>`;

/** @param {GuestState} state @param {Welcome} welcome @param {GuestIntents} act */
const start = (state, welcome, act) => html`
  <section class="card card-main">
    ${appointmentLine(welcome, state.now)}
    <p>${say('guest.start.text')}</p>
    ${inAppHint(state, act)}
    <button type="button" class="button button-primary button-wide button-large" @click=${act.start}>${say('guest.start.continue')}</button>
  </section>`;

/** @param {GuestState} state @param {GuestIntents} act */
function inAppHint(state, act) {
  const { agent } = state.check;
  if (!agent.inApp) return nothing;
  return banner({
    tone: 'warn',
    title: say('guest.in-app.title'),
    text: say('guest.in-app.text', { system: agent.system }),
    action: copyLink(state, act),
  });
}

/**
 * The link's way into another browser: the address bar does not have it any more.
 * @param {GuestState} state @param {GuestIntents} act
 */
const copyLink = ({ copied, link }, act) => html`
  <button type="button" class="button button-wide" @click=${act.copyLink}>${icon(copied ? 'check' : 'copy')}<span>${say(copied ? 'guest.link.copied' : 'guest.link.copy')}</span></button>
  ${link
    ? html`
      <div class="field">
        <label for="link">${say('guest.link.by-hand')}</label>
        <input id="link" readonly value=${link} autocomplete="off" @focus=${(/** @type {{currentTarget: HTMLInputElement}} */ { currentTarget }) => currentTarget.select()}>
      </div>`
    : nothing}`;

/** @param {GuestState} state @param {Welcome} welcome @param {GuestIntents} act */
function check(state, welcome, act) {
  const joining = state.call?.phase === 'joining';
  const open = welcome.state !== 'early' && state.call?.phase !== 'ended';
  const taken = joining && state.call?.code === 'seat-taken';
  const practitioner = html`<bdi>${welcome.practitioner}</bdi>`;
  const refusal = joining && state.call?.code ? guestSentence(state.call.code, names(welcome)) : null;
  return html`
    <section class="card card-main">
      <p>${sayWith('guest.check.with', { practitioner })} <span class="clock-line">${timeLine(welcome, state.now)}</span></p>
      ${deviceCheck(state.media, state.check, act, copyLink(state, act))}
      ${refusal ? banner({ tone: taken ? 'bad' : 'warn', title: refusal.title, text: taken ? `${refusal.todo} ${say('guest.join.by-itself')}` : refusal.todo }) : nothing}
      <form class="form" @submit=${onSubmit((form) => act.join(field(form, 'name')))}>
        <div class="field">
          <label for="name">${say('guest.name')}</label>
          <input id="name" name="name" required maxlength=${MAX_NAME} autocomplete="name" autocapitalize="words" enterkeyhint="go"
            aria-describedby="name-hint" value=${state.name}
            @input=${(/** @type {{currentTarget: HTMLInputElement}} */ { currentTarget }) => typed(currentTarget, act)}>
          <p class="hint" id="name-hint">${sayWith('guest.name.hint', { practitioner })}</p>
        </div>
        ${open
          ? html`<button class="button button-primary button-wide button-large" aria-disabled=${joining && !taken}>${say(taken ? 'guest.join.again' : joining ? 'guest.join.joining' : 'guest.join')}</button>`
          : html`<p class="door-line" role="status">${icon('clock')}<span>${say('guest.join.from', { time: clock(welcome.opens) })}</span></p>${doorTimer(state, welcome)}`}
        <p class="hint">${sayWith('guest.join.hint', { practitioner })}</p>
      </form>
    </section>`;
}

/**
 * What is only spaces fills a field, and is no name.
 * @param {HTMLInputElement} input @param {GuestIntents} act
 */
function typed(input, act) {
  input.setCustomValidity(input.value !== '' && tidyText(input.value, MAX_NAME) === '' ? say('guest.name.missing') : '');
  act.setName(input.value);
}

/** @param {GuestState} state @param {Welcome} welcome @param {GuestIntents} act */
const waiting = ({ call, media, check: checkUi, now, talked }, { practitioner, starts }, act) => html`
  ${call?.alarm
    ? banner({ tone: 'bad', title: say('guest.alarm.title'), text: sayWith('guest.alarm.text', { practitioner: html`<bdi>${practitioner}</bdi>` }) })
    : nothing}
  <section class="card card-main waiting-card">
    <div class="pulse" aria-hidden="true">${icon('door')}</div>
    <p class="waiting-title" tabindex="-1" data-focus role="status" aria-label=${say('guest.waiting.for', { practitioner })}>${sayWith('guest.waiting.for', { practitioner: html`<bdi>${practitioner}</bdi>` })}</p>
    <p class="waiting-text">${sayWith(talked ? 'guest.waiting.again' : 'guest.waiting.text', { practitioner: html`<bdi>${practitioner}</bdi>` })}</p>
    <p class="clock-line">${talked ? nothing : say(now < starts ? 'guest.appointment.at' : 'guest.appointment.was', { now: clock(now), ...when(now, starts) })}</p>
    ${preview(media, checkUi, act)}
    <p class="hint">${say(media.stream !== null && media.video === 'on' ? 'guest.waiting.picture' : 'guest.waiting.hint')}</p>
    <button type="button" class="button button-wide" @click=${act.leave}>${icon('leave')}<span>${say('call.leave')}</span></button>
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
      <p class="over-title" role="status">${icon('check')}<span>${say(code === 'left' && !talked ? 'guest.over.left' : 'guest.over.ended')}</span></p>
      <p>${code === 'ended' ? endedBy(welcome) : talked ? sentence.title : nothing} ${say('guest.over.devices')}</p>
      ${back
        ? html`
          <p class="hint">${say('guest.over.until', { time: clock(welcome.closes) })}</p>
          ${code === 'left'
            ? html`<button type="button" class="button button-primary button-wide" @click=${act.comeBack}>${say('guest.over.back')}</button>`
            : html`<button type="button" class="button button-wide ${code === 'ended' ? '' : 'button-primary'}" @click=${act.again}>${say('guest.over.again')}</button>`}`
        : nothing}
    </section>`;
}

/** @param {Welcome | null} welcome */
const endedBy = (welcome) =>
  welcome?.practitioner ? sayWith('guest.over.by', { practitioner: html`<bdi>${welcome.practitioner}</bdi>` }) : say('guest.over.by-practitioner');

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
      ${again && retry ? html`<button type="button" class="button button-primary button-wide" @click=${act.again}>${icon('retry')}<span>${say('call.again')}</span></button>` : nothing}
      ${code === 'open-elsewhere' ? html`<button type="button" class="button button-primary button-wide" @click=${act.useHere}>${say('guest.use-here')}</button>` : nothing}
      ${code === 'unsupported' ? copyLink(state, act) : nothing}
    </section>`;
}

/** @param {GuestState} state @returns {string} the title of the page: what is seen of it in a list of tabs */
export function guestTitle(state) {
  const { call, trouble, now, doorOpened } = state;
  const practice = call?.welcome?.practice ?? say('page.guest.title');
  const title = (/** @type {string} */ state) => say('guest.title', { state, practice });
  switch (guestScreen(state)) {
    case 'trouble':
      return title(guestHead(trouble ?? ''));
    case 'elsewhere':
      return title(guestHead('open-elsewhere'));
    case 'early':
      return title(countdown((call?.welcome?.opens ?? 0) - now));
    case 'waiting':
      return title(say('guest.title.waiting'));
    case 'call':
      return title(say(call?.phase === 'held' ? 'guest.title.held' : 'guest.title.call'));
    case 'over':
      return title(guestHead(overCode(state)));
    default:
      return doorOpened ? title(say('guest.title.open')) : practice;
  }
}

/** @param {Welcome | null} welcome */
const names = (welcome) => ({ practitioner: welcome?.practitioner ?? '', practice: welcome?.practice ?? '' });

/** @param {GuestState} state @param {GuestSnapshot} call @returns {import('../call/screen/view-call.js').CallState} */
function callState({ media, now, canShare, canFlip, ui, online }, call) {
  const { welcome } = call;
  const practitioner = welcome?.practitioner ?? '';
  return {
    practice: welcome?.practice ?? '',
    subject: practitioner ? say('guest.call.with', { practitioner }) : '',
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
    empty: practitioner ? say('guest.call.empty', { practitioner }) : say('call.moment'),
    alarm: call.alarm ? say('guest.call.alarm') : '',
    ui,
    host: null,
  };
}
