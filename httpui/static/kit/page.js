// A page around its screens: what it draws into and where the focus is after
// that, the brief message at its edge, and how a browser comes to it and leaves.

import { render } from './html.js';
import { focusKeeper, focusScreen, focusWithin, syncDialog, toast } from './view-shell.js';

/** How long a brief message stays, ms: two sentences can be read in that time. */
const toastTime = 7_000;

export class Page {
  root = /** @type {HTMLElement} */ (document.getElementById('app'));
  #toasts = /** @type {HTMLElement} */ (document.getElementById('toasts'));
  #keepFocus = focusKeeper(this.root);
  #ui;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;
  /** @type {string | null} */ #next = null;

  /** @param {{value: {toast: string | null}, set: (patch: {toast: string | null}) => void}} ui */
  constructor(ui) {
    this.#ui = ui;
  }

  /**
   * Takes the place of what the page says before its modules are there.
   * @param {{inCall: () => boolean, onFragment: () => void, onHide: () => void, onBack: () => void}} options
   *   inCall: whoever closes the page is asked whether they mean it; onFragment: there
   *   is another one in the address; onBack: a page that was hidden is shown as it was
   */
  start({ inCall, onFragment, onHide, onBack }) {
    this.root.replaceChildren();
    addEventListener('beforeunload', (event) => { if (inCall()) event.preventDefault(); });
    addEventListener('hashchange', onFragment);
    addEventListener('pagehide', onHide);
    addEventListener('pageshow', ({ persisted }) => { if (persisted) onBack(); });
  }

  /** @param {string} text a brief message at the edge of the screen */
  tell(text) {
    clearTimeout(this.#timer);
    this.#ui.set({ toast: text });
    this.#timer = setTimeout(() => this.#ui.set({ toast: null }), toastTime);
  }

  /** @param {string | null} selector of where the work goes on, once it is on the screen */
  goOn(selector) {
    this.#next = selector;
  }

  /**
   * @param {{view: unknown, above?: unknown, screen: string, focus: () => void}} options
   *   above: what stands above the brief message; screen: which it is, see
   *   focusScreen; focus: puts it where else it belongs
   */
  draw({ view, above, screen, focus }) {
    render(view, this.root);
    render(toast(this.#ui.value.toast, above), this.#toasts);
    syncDialog(this.root);
    focusScreen(this.root, screen);
    focus();
    if (this.#next && focusWithin(this.root, this.#next)) this.#next = null;
    this.#keepFocus();
  }
}
