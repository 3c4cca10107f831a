// The password again, for what is not given to a page that was only left open.

import { html, nothing } from '../../kit/html.js';
import { banner, onSubmit } from '../../kit/view-shell.js';
import { say } from '../../kit/words.js';

/**
 * @param {import('../diary/links.js').LinksSnapshot} links
 * @param {string} name of who is signed in
 * @param {{confirm: (password: string) => void, dismiss: () => void}} act
 */
export const passwordDialog = ({ busy, error }, name, act) => html`
  <dialog class="dialog" data-modal aria-labelledby="dialog-title" aria-describedby="dialog-text"
    @cancel=${(/** @type {Event} */ event) => { event.preventDefault(); act.dismiss(); }}>
    <form class="form" @submit=${onSubmit((form) => act.confirm(/** @type {string} */ (new FormData(form).get('password'))))}>
      <h2 id="dialog-title">${say('desk.confirm')}</h2>
      <p id="dialog-text">${say('desk.confirm.why')}</p>
      ${error ? banner({ tone: 'bad', text: error }) : nothing}
      <input class="sr-only" name="username" autocomplete="username" tabindex="-1" aria-hidden="true" readonly .value=${name}>
      <div class="field">
        <label for="confirm-password">${say('desk.password')}</label>
        <input id="confirm-password" name="password" type="password" required maxlength="128" spellcheck="false"
          autocapitalize="none" autocomplete="current-password" autofocus>
      </div>
      <div class="dialog-buttons">
        <button class="button button-primary" aria-disabled=${busy}>${say(busy ? 'desk.confirm.busy' : 'desk.confirm.go')}</button>
        <button type="button" class="button" @click=${act.dismiss}>${say('desk.back')}</button>
      </div>
    </form>
  </dialog>`;
