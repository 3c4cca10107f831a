// What was just done and can still be taken back.

import { html, nothing } from '../kit/html.js';
import { say, sayWith } from '../kit/words.js';

/**
 * @typedef {import('./desk.js').Pending} Pending
 * @typedef {{takeBack: () => void, finish: () => void, consider: (by: import('./undo.js').Held, on: boolean) => void}} UndoIntents
 *   consider: the pointer or the focus is on it, so it stays
 */

const onMac = /Mac|iP(hone|ad)/u.test(globalThis.navigator?.userAgent ?? '');

/** @param {Pending | null} pending @param {UndoIntents} act */
export const undoBar = (pending, act) => pending === null ? nothing : html`
  <div class="toast toast-undo" @pointerenter=${() => act.consider('pointer', true)} @pointerleave=${() => act.consider('pointer', false)}
    @focusin=${() => act.consider('focus', true)} @focusout=${() => act.consider('focus', false)}>
    <p>${sentence(pending)}<span class="sr-only"> ${say(onMac ? 'desk.undo.keys-mac' : 'desk.undo.keys')}</span></p>
    <div class="toast-buttons">
      <button type="button" class="button" @click=${act.takeBack}>${say('desk.undo')}</button>
      ${pending.kind === 'end' ? html`<button type="button" class="button" @click=${act.finish}>${say('desk.undo.end-now')}</button>` : nothing}
    </div>
  </div>`;

/** @param {Pending} pending */
function sentence(pending) {
  if (pending.kind === 'end') return say('desk.undo.end');
  return pending.name ? sayWith('desk.undo.deny', { name: html`<bdi>${pending.name}</bdi>` }) : say('desk.undo.deny-unnamed');
}

/**
 * Whether a key takes back the last act: not in a field, where it takes back what was typed.
 * @param {KeyboardEvent} event
 */
export const takesBack = (event) =>
  (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === 'z' &&
  !(event.target instanceof Element && event.target.closest('input,textarea,select,[contenteditable]'));
