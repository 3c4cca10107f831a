// What every screen is put together from: banners, dialogs, brief messages,
// and the two things that a page does for people who do not see it: speak, and
// put the focus where the reading goes on.

import { html, nothing } from './html.js';
import { icon } from './icons.js';
import { say } from './words.js';

/**
 * @typedef {import('../vendor/lit-html/lit-html.js').TemplateResult} TemplateResult
 * @typedef {import('./icons.js').IconName} IconName
 * @typedef {'info' | 'good' | 'warn' | 'bad'} Tone
 */

/**
 * A message that stays as long as what it says is so. Bad ones interrupt a
 * screen reader, others wait for a pause.
 * @param {{tone: Tone, icon?: IconName, title?: unknown, text?: unknown, action?: unknown}} options
 */
export function banner({ tone, icon: name = tone === 'info' || tone === 'good' ? 'info' : 'alert', title, text, action }) {
  return html`
    <div class="banner banner-${tone}" role=${tone === 'bad' ? 'alert' : 'status'}>
      ${icon(name)}
      <div class="banner-text">
        ${title ? html`<p class="banner-title">${title}</p>` : nothing}
        ${text ? html`<p>${text}</p>` : nothing}
      </div>
      ${action ?? nothing}
    </div>`;
}

/**
 * A question. What changes nothing has the focus, so that a key pressed once too
 * often does no harm.
 * @param {{title: unknown, text?: unknown, confirm: string, refuse: string, danger?: boolean,
 *   onConfirm: () => void, onRefuse: () => void}} options
 */
export function dialog({ title, text, confirm, refuse, danger = false, onConfirm, onRefuse }) {
  return html`
    <dialog class="dialog" data-modal aria-labelledby="dialog-title" aria-describedby="dialog-text"
      @cancel=${(/** @type {Event} */ event) => { event.preventDefault(); onRefuse(); }}>
      <h2 id="dialog-title">${title}</h2>
      <div id="dialog-text" class="dialog-text">${text ?? nothing}</div>
      <div class="dialog-buttons">
        <button type="button" class="button ${danger ? 'button-danger' : 'button-primary'}" @click=${onConfirm}>${confirm}</button>
        <button type="button" class="button" autofocus @click=${onRefuse}>${refuse}</button>
      </div>
    </dialog>`;
}

/** What had the focus before a dialog opened. @type {WeakMap<Element, Element | null>} */
const openers = new WeakMap();

/** @type {HTMLDialogElement | null} */
let shown = null;

/**
 * Makes the dialog in root modal when one has been rendered, and gives the
 * focus back when it is gone. Call it after each render.
 * @param {ParentNode} root
 */
export function syncDialog(root) {
  const wanted = /** @type {HTMLDialogElement | null} */ (root.querySelector('dialog[data-modal]'));
  if (shown && !shown.isConnected) {
    const opener = openers.get(shown);
    shown = null;
    if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
  }
  if (!wanted || wanted.open) return;
  openers.set(wanted, document.activeElement);
  shown = wanted;
  wanted.showModal();
}

/** Names the page. A browser is as long about the name that it has as about another. @param {string} title */
export function showTitle(title) {
  if (document.title !== title) document.title = title;
}

let screen = '';

/**
 * Puts the focus on the element marked data-focus when another screen is on,
 * so that a screen reader reads it and the Tab key goes on from it. Call it
 * after each render; the first screen of a page is left to the browser.
 * @param {ParentNode} root
 * @param {string} key names the screen
 */
export function focusScreen(root, key) {
  if (key === screen) return;
  const first = screen === '';
  screen = key;
  if (first) return;
  const target = root.querySelector('[data-focus]');
  if (target instanceof HTMLElement) target.focus({ preventScroll: true });
  window.scrollTo({ top: 0 });
}

/**
 * Keeps the focus on the screen: when what had it is gone, the next thing around
 * that is there gets it, and not the whole page.
 * @param {HTMLElement} root
 * @returns {() => void} to be called after each render
 */
export function focusKeeper(root) {
  /** @type {Element[]} from what had the focus outwards */
  let path = [];
  root.addEventListener('focusin', (event) => {
    const all = /** @type {Element[]} */ (event.composedPath());
    path = all.slice(0, all.indexOf(root) + 1);
  });
  return () => {
    if (!path[0] || path[0].isConnected || document.activeElement !== document.body) return;
    const near = path.filter((element) => element.isConnected).map((element) => element.querySelector('button:enabled, input, select, textarea, summary, [tabindex]'));
    const target = /** @type {HTMLElement | undefined} */ (near.find((element) => element !== null));
    target?.focus({ preventScroll: true });
  };
}

/**
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {boolean} whether there was such an element to focus
 */
export function focusWithin(root, selector) {
  const target = root.querySelector(selector);
  if (!(target instanceof HTMLElement)) return false;
  target.focus();
  return true;
}

/**
 * Call it before a render, and what it returns after it: when a row of a list
 * beside a call had the focus and is gone, the reading goes on at the list's
 * heading. Not at the next row, where a key pressed once too often would let
 * somebody in.
 * @param {ParentNode} root
 */
export function keepPlace(root) {
  const list = document.activeElement?.closest('.waiting, .panel');
  return () => {
    if (!list || document.activeElement !== document.body) return;
    if (!list.isConnected || !focusWithin(list, 'h2')) focusWithin(root, '[data-focus]');
  };
}

/** How long an announcement stays for a screen reader to reach it, ms: it may hold a name, which is not to stay on the page. */
const announceTime = 10_000;

/** @type {Map<Element, ReturnType<typeof setTimeout>>} when each region is emptied */
const emptied = new Map();

/**
 * Speaks to people who use a screen reader; others see what it is about.
 * @param {string} text
 * @param {{urgent?: boolean}} [options]
 */
export function announce(text, { urgent = false } = {}) {
  const region = document.getElementById(urgent ? 'announce-now' : 'announce');
  if (!region) return;
  // The same text again is a change only with another invisible end.
  region.textContent = region.textContent === text ? `${text}\u00a0` : text;
  clearTimeout(emptied.get(region));
  emptied.set(region, setTimeout(() => { region.textContent = ''; }, announceTime));
}

/** Takes back what was announced: nobody may hear it any more. */
export function silence() {
  for (const id of ['announce', 'announce-now']) document.getElementById(id)?.replaceChildren();
}

/**
 * A brief message at the edge of the screen.
 * @param {string | null} text
 * @param {unknown} [more] what stands above it
 */
export const toast = (text, more = nothing) => html`<div class="toasts" role="status">${more}${text ? html`<p class="toast">${text}</p>` : nothing}</div>`;

/** @param {string} [label] */
export const busy = (label = say('call.moment')) => html`<p class="busy" role="status"><span class="spinner" aria-hidden="true"></span>${label}</p>`;

/** The sign of the program, beside the name of the practice. */
export const mark = () => html`
  <svg class="mark" viewBox="0 0 64 64" aria-hidden="true" focusable="false">
    <rect class="mark-wall" width="64" height="64" rx="15"></rect>
    <path class="mark-door" d="M17 50V18l20-5v42l-20-5Z"></path>
    <path class="mark-frame" d="M41 18h6v32h-6"></path>
  </svg>`;

/**
 * The value of a text field, trimmed; "" if there is none of that name.
 * @param {HTMLFormElement} form
 * @param {string} name
 */
export function field(form, name) {
  const value = new FormData(form).get(name);
  return typeof value === 'string' ? value.trim() : '';
}

/**
 * Wraps a submit handler: the page stays, the handler gets the form.
 * @param {(form: HTMLFormElement) => void} handle
 */
export const onSubmit = (handle) => (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  if (event.currentTarget instanceof HTMLFormElement) handle(event.currentTarget);
};

/**
 * The Escape key closes a form in which nothing has been written yet; what has
 * been written is not thrown away by one key.
 * @param {() => void} close
 */
export const closeOnEscape = (close) => (/** @type {KeyboardEvent} */ event) => {
  if (event.key !== 'Escape' || event.isComposing || !(event.currentTarget instanceof HTMLFormElement)) return;
  const inputs = [...event.currentTarget.querySelectorAll('input')];
  if (inputs.every((input) => input.value === input.defaultValue && input.checked === input.defaultChecked)) close();
};
