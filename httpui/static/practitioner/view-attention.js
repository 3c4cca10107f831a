// What calls a practitioner back to this tab: the number in its title, its
// icon, and a system notification. None of them says who waits: others may be
// looking at the screen.

import { showTitle } from '../kit/view-shell.js';
import { say } from '../kit/words.js';

/**
 * @param {string} title
 * @param {number} waiting how many are at the door
 */
export function showAttention(title, waiting) {
  showTitle(waiting ? `(${waiting}) ${title}` : title);
  const link = /** @type {HTMLLinkElement | null} */ (document.querySelector('link[rel="icon"]'));
  if (!link) return;
  const { calm, knock } = link.dataset;
  const wanted = waiting ? knock : calm;
  if (wanted && link.getAttribute('href') !== wanted) link.setAttribute('href', wanted);
}

/** @returns {'default' | 'granted' | 'denied' | 'none'} none: this browser has no notifications */
export const notificationState = () => ('Notification' in globalThis ? Notification.permission : 'none');

/** Asks the person; in a gesture. @returns {Promise<void>} */
export async function askForNotifications() {
  if ('Notification' in globalThis) await Notification.requestPermission();
}

/**
 * Tells that somebody is at the door, if nobody is looking at this page.
 * @param {{onClick: () => void}} options
 */
export function notifyKnock({ onClick }) {
  if (notificationState() !== 'granted' || document.visibilityState === 'visible') return;
  try {
    const notification = new Notification(say('desk.notify.knock'), { tag: 'anteroom-knock' });
    notification.onclick = () => {
      window.focus();
      notification.close();
      onClick();
    };
  } catch {
    // Browsers on phones allow them only to service workers; there is none here.
  }
}
