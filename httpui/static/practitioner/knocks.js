// How a practitioner is called when somebody is at the door: by a sound, by what a
// screen reader says, and by a notification.

import { ofBrowser } from '../kit/storage.js';
import { announce } from '../kit/view-shell.js';
import { say } from '../kit/words.js';
import { askForNotifications, notificationState, notifyKnock } from './view-attention.js';

/** @typedef {Pick<import('./diary/view-diary.js').DiaryUi, 'knocking' | 'soundReady' | 'notifications'>} KnocksUi */

const mutedKey = 'anteroom-knocks-muted';

/** @returns {KnocksUi} as this browser had it last */
export const newKnocksUi = () => ({ knocking: ofBrowser.getItem(mutedKey) === null, soundReady: false, notifications: notificationState() });

export class Knocks {
  #sounds;
  #ui;

  /** @param {{sounds: import('../kit/sound.js').Sounds, ui: {value: KnocksUi, set: (patch: Partial<KnocksUi>) => void}}} parts */
  constructor({ sounds, ui }) {
    this.#sounds = sounds;
    this.#ui = ui;
    sounds.mute(!ui.value.knocking);
  }

  /** Somebody has knocked. @param {string} name @param {() => void} onClick the notification was clicked */
  knock(name, onClick) {
    this.#sounds.knock();
    announce(say('desk.knock', { name }), { urgent: true });
    notifyKnock({ onClick });
  }

  /** Nobody is at the door any more. */
  quiet() {
    this.#sounds.quiet();
  }

  /** Call it in a gesture: browsers let a page sound after one. */
  async unlock() {
    await this.#sounds.unlock();
    if (this.#ui.value.soundReady !== this.#sounds.ready) this.#ui.set({ soundReady: this.#sounds.ready });
  }

  /** What can be done. */
  intents() {
    return {
      mute: (/** @type {boolean} */ on) => {
        if (on) ofBrowser.setItem(mutedKey, '1');
        else ofBrowser.removeItem(mutedKey);
        this.#sounds.mute(on);
        this.#ui.set({ knocking: !on });
      },
      allowNotifications: () => void askForNotifications().then(() => this.#ui.set({ notifications: notificationState() })),
    };
  }
}
