// Camera, microphone and loudspeaker before a call: see yourself, see that you
// are heard, hear something, and choose another device if need be.

import { html, nothing } from '../../kit/html.js';
import { live } from '../../vendor/lit-html/directives/live.js';
import { permissionSteps } from '../../kit/browser.js';
import { deviceText, devicesText } from '../../kit/errors.js';
import { icon } from '../../kit/icons.js';
import { banner } from '../../kit/view-shell.js';
import { say } from '../../kit/words.js';

/**
 * @typedef {import('../media.js').MediaSnapshot} MediaSnapshot
 * @typedef {import('../../kit/browser.js').Agent} Agent
 * @typedef {import('../../kit/words.js').Code} Code
 * @typedef {'asking' | 'ready'} CheckPhase   asking: the browser is showing its question
 * @typedef {'testing' | import('../../link/wire.js').PathResult | null} PathState   null: there is nothing to test
 * @typedef {{phase: CheckPhase, speakerAsked: boolean, heard: boolean | null, path: PathState, speaker: string, agent: Agent}} CheckUi
 * @typedef {{
 *   retryMedia: (...kinds: import('../media.js').Kind[]) => void,
 *   retryPath: () => void,
 *   trySpeaker: () => void,
 *   heard: (yes: boolean) => void,
 *   switchDevice: (kind: 'audioinput' | 'videoinput' | 'audiooutput', id: string) => void,
 *   mute: (on: boolean) => void,
 *   camera: (on: boolean) => void,
 * }} CheckIntents
 */

/**
 * @param {MediaSnapshot} media
 * @param {CheckUi} ui
 * @param {CheckIntents} act
 * @param {unknown} [copier] how the link gets into another browser
 */
export const deviceCheck = (media, ui, act, copier = nothing) => html`
  <section class="check" aria-label=${say('call.check')}>
    ${preview(media, ui, act)}
    ${refused(media, ui, act)}
    ${ui.agent.inApp ? copier : nothing}
    <div class="check-rows">
      ${microphone(media, ui)}
      ${speaker(ui, act)}
      ${path(ui, act)}
    </div>
    ${ui.phase === 'ready'
      ? html`
        <details class="devices">
          <summary>${say('call.check.choose')}</summary>
          ${deviceChoice(media, ui.speaker, act)}
        </details>`
      : nothing}
  </section>`;

/** @param {MediaSnapshot} media @param {CheckUi} ui @param {CheckIntents} act */
export function preview(media, ui, act) {
  const picture = media.stream !== null && media.video === 'on';
  return html`
    <div class="preview">
      ${picture
        ? html`<video class="preview-video mirrored" playsinline autoplay .muted=${true} aria-label=${say('call.self.picture')} .srcObject=${live(media.stream)}></video>`
        : html`<p class="preview-blank">${icon(ui.phase === 'asking' ? 'camera' : 'camera-off')}<span>${blank(media, ui)}</span></p>`}
      ${ui.phase === 'ready'
        ? html`
          <div class="preview-tools">
            ${!isTrouble(media.audio)
              ? html`<button type="button" class="tool ${media.audio === 'on' ? '' : 'tool-off'}" aria-label=${say(media.audio === 'on' ? 'call.mute' : 'call.unmute')} @click=${() => act.mute(media.audio === 'on')}>${icon(media.audio === 'on' ? 'mic' : 'mic-off')}</button>`
              : nothing}
            ${!isTrouble(media.video)
              ? html`<button type="button" class="tool ${media.video === 'on' ? '' : 'tool-off'}" aria-label=${say(media.video === 'on' ? 'call.camera-off' : 'call.camera-on')} @click=${() => act.camera(media.video !== 'on')}>${icon(media.video === 'on' ? 'camera' : 'camera-off')}</button>`
              : nothing}
          </div>`
        : nothing}
    </div>`;
}

/** @param {MediaSnapshot} media @param {CheckUi} ui */
function blank({ audio, video }, { phase }) {
  if (phase === 'asking') return say('call.check.asking');
  if (!isTrouble(video)) return say('call.check.camera-off');
  return say(isTrouble(audio) ? 'call.check.no-picture' : 'call.check.talk');
}

/** @param {import('../media.js').State} state whether a device is wanted, and not to be had */
export const isTrouble = (state) => state !== 'on' && state !== 'muted' && state !== 'off';

/**
 * Words for what cannot be used, one sentence for each thing, and what to do.
 * A camera that is missing or refused is no reason to stop: a voice is enough.
 * @param {MediaSnapshot} media @param {CheckUi} ui @param {CheckIntents} act
 */
function refused(media, { phase, agent }, act) {
  if (phase === 'asking') return nothing;
  const gone = /** @type {const} */ (['audio', 'video']).filter((kind) => isTrouble(media[kind]));
  const again = gone.length > 0 ? html`<button type="button" class="button" @click=${() => act.retryMedia(...gone)}>${icon('retry')}<span>${say('call.again')}</span></button>` : nothing;
  const denied = gone.filter((kind) => media[kind] === 'denied');
  if (denied.length === 0) {
    const text = devicesText(media);
    return text ? banner({ tone: 'warn', ...(media.audio !== 'on' && { icon: 'mic-off' }), text, action: again }) : nothing;
  }
  const title = say(denied.length > 1 ? 'call.check.both-denied' : denied[0] === 'audio' ? 'call.check.microphone-denied' : 'call.check.camera-denied');
  const other = denied.length > 1 ? '' : denied[0] === 'audio' ? deviceText(`camera-${media.video}`) : deviceText(`microphone-${media.audio}`);
  return html`
    <div class="banner banner-warn" role="alert">
      ${icon('alert')}
      <div class="banner-text">
        <p class="banner-title">${title}</p>
        <ol class="steps">${permissionSteps(agent).map((step) => html`<li>${step}</li>`)}</ol>
        ${other ? html`<p>${other}</p>` : nothing}
        ${again}
      </div>
    </div>`;
}

/** What stands beside the meter. @param {MediaSnapshot} media @param {CheckUi} ui */
function microphoneText({ audio }, { phase }) {
  if (phase === 'asking') return say('call.microphone');
  if (isTrouble(audio)) return say('call.check.listen');
  return say(audio === 'on' ? 'call.check.speak' : 'call.check.microphone-off');
}

/** @param {MediaSnapshot} media @param {CheckUi} ui */
function microphone(media, ui) {
  const on = ui.phase === 'ready' && media.audio === 'on';
  return html`
    <div class="check-row">
      ${icon(on ? 'mic' : 'mic-off')}
      <div class="check-words">
        <p>${microphoneText(media, ui)}</p>
        ${on
          ? html`
            <div class="meter" role="meter" aria-label=${say('call.check.level')} aria-valuemin="0" aria-valuemax="100" aria-valuenow="0" data-meter>
              <div class="meter-bar"></div>
            </div>`
          : nothing}
      </div>
    </div>`;
}

/** @param {CheckUi} ui @param {CheckIntents} act */
const speaker = ({ speakerAsked, heard }, act) => html`
  <div class="check-row">
    ${icon('speaker')}
    <div class="check-words">
      ${speakerAsked && heard === null
        ? html`
          <p role="status">${say('call.check.heard')}</p>
          <div class="check-buttons">
            <button type="button" class="button" @click=${() => act.heard(true)}>${say('call.check.yes')}</button>
            <button type="button" class="button" @click=${() => act.heard(false)}>${say('call.check.no')}</button>
            <button type="button" class="button button-quiet" @click=${act.trySpeaker}>${say('call.check.play-again')}</button>
          </div>`
        : html`
          ${heard === true ? html`<p role="status">${say('call.check.works')}</p>` : nothing}
          ${heard === false ? html`<p role="status">${say('call.check.not-heard')}</p>` : nothing}
          <div class="check-buttons"><button type="button" class="button" @click=${act.trySpeaker}>${say('call.check.speaker')}</button></div>`}
    </div>
  </div>`;

/**
 * The way to the others, tried out. That it is slow or blocked is no reason not
 * to join: the test can be wrong, and the practitioner is told.
 * @param {CheckUi} ui @param {CheckIntents} act
 */
function path({ path: state }, act) {
  if (state === null) return nothing;
  return html`
    <div class="check-row">
      ${icon(state === 'blocked' ? 'alert' : state === 'testing' ? 'wifi' : 'check')}
      <div class="check-words">
        <p role="status">${say(`call.check.path.${state}`)}</p>
        ${state === 'blocked' ? html`<div class="check-buttons"><button type="button" class="button" @click=${act.retryPath}>${icon('retry')}<span>${say('call.again')}</span></button></div>` : nothing}
      </div>
    </div>`;
}

/** @type {{kind: 'videoinput' | 'audioinput' | 'audiooutput', label: Code, unnamed: Code}[]} */
const kinds = [
  { kind: 'videoinput', label: 'call.camera', unnamed: 'call.camera.n' },
  { kind: 'audioinput', label: 'call.microphone', unnamed: 'call.microphone.n' },
  { kind: 'audiooutput', label: 'call.speaker', unnamed: 'call.speaker.n' },
];

/**
 * @param {MediaSnapshot} media
 * @param {string} speaker the chosen output device, or ""
 * @param {Pick<CheckIntents, 'switchDevice'>} act
 */
export function deviceChoice(media, speaker, act) {
  const choices = kinds
    .map((kind) => ({ ...kind, devices: media.inputs.filter((device) => device.kind === kind.kind && device.id !== '') }))
    .filter(({ kind, devices }) => devices.length > 0 && (kind !== 'audiooutput' || 'setSinkId' in HTMLMediaElement.prototype));
  if (choices.length === 0) return html`<p class="hint">${say('call.check.no-choice')}</p>`;
  const inUse = new Set((media.stream?.getTracks() ?? []).map((track) => track.getSettings().deviceId));
  return html`
    <div class="choices">
      ${choices.map(({ kind, label, unnamed, devices }) => html`
        <div class="field">
          <label for="choice-${kind}">${say(label)}</label>
          <select id="choice-${kind}" @change=${(/** @type {{currentTarget: HTMLSelectElement}} */ { currentTarget }) => act.switchDevice(kind, currentTarget.value)}>
            ${devices.map(({ id, label: name }, i) => html`<option value=${id} .selected=${kind === 'audiooutput' ? id === (speaker || 'default') : inUse.has(id)}>${name || say(unnamed, { n: i + 1 })}</option>`)}
          </select>
        </div>`)}
    </div>`;
}

/**
 * Moves the meter on the screen, as often as the screen is drawn, until stopped.
 * @param {() => number} level 0 to 1
 * @returns {() => void} stops it
 */
export function runMeter(level) {
  let shown = 0;
  let frame = 0;
  const draw = () => {
    frame = requestAnimationFrame(draw);
    const meter = document.querySelector('[data-meter]');
    if (!meter) return;
    shown = Math.max(Math.min(1, level()), shown * 0.85); // falls slowly, so that a word can be seen
    const percent = Math.round(shown * 100);
    const bar = meter.firstElementChild;
    if (bar instanceof HTMLElement) bar.style.setProperty('--level', String(percent / 100));
    if (Math.abs(percent - Number(meter.getAttribute('aria-valuenow'))) >= 10) meter.setAttribute('aria-valuenow', String(percent));
  };
  draw();
  return () => cancelAnimationFrame(frame);
}
