import { html, svg } from './html.js';

// Line drawings on a 24 × 24 grid. They are decoration: hidden from assistive
// technology, and always beside a word or inside a button with a name.

const drawings = {
  alert: svg`<path d="M12 4 2.8 20h18.4L12 4Z"/><path d="M12 10v4.5M12 17.3v.2"/>`,
  back: svg`<path d="m11 5-7 7 7 7M4 12h16"/>`,
  bell: svg`<path d="M6 16V11a6 6 0 0 1 12 0v5l1.5 2h-15L6 16ZM10 20.5h4"/>`,
  'bell-off': svg`<path d="M6 16V11c0-.9.2-1.8.6-2.6M9.3 5.6A6 6 0 0 1 18 11v5M4.5 18H16M10 20.5h4M4 4l16 16"/>`,
  calendar: svg`<rect x="4" y="5.5" width="16" height="14.5" rx="2"/><path d="M4 10h16M8.5 3.5v4M15.5 3.5v4"/>`,
  camera: svg`<rect x="3" y="6.5" width="12" height="11" rx="2"/><path d="m15 11 6-3.5v9L15 13"/>`,
  'camera-off': svg`<path d="M7.5 6.5H13a2 2 0 0 1 2 2V14m0 1.5a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2v-7c0-.8.4-1.4 1-1.8M15 11l6-3.5v9l-3-1.7M4 4l16 16"/>`,
  chat: svg`<path d="M4 5.5h16v11h-9L6.5 20v-3.5H4v-11Z"/><path d="M8 9.5h8M8 12.5h5"/>`,
  check: svg`<path d="m5 12.5 4.5 4.5L19 7.5"/>`,
  clock: svg`<circle cx="12" cy="12" r="8.5"/><path d="M12 7v5.2l3.4 2"/>`,
  close: svg`<path d="m6 6 12 12M18 6 6 18"/>`,
  copy: svg`<rect x="8.5" y="8.5" width="11.5" height="11.5" rx="2"/><path d="M15.5 8.5V6a2 2 0 0 0-2-2H6a2 2 0 0 0-2 2v7.5a2 2 0 0 0 2 2h2.5"/>`,
  door: svg`<path d="M6 21V4.5L15 3v18M15 5h3v16M3.5 21h17M11.8 12v.2"/>`,
  end: svg`<path d="M3.5 14.5c0-1.2.3-2.1 1-2.8 4-3.6 11-3.6 15 0 .7.7 1 1.6 1 2.8 0 1-.8 1.6-1.8 1.4l-2.6-.6c-.8-.2-1.3-.8-1.3-1.6v-1.3a10 10 0 0 0-5.6 0v1.3c0 .8-.5 1.4-1.3 1.6l-2.6.6c-1 .2-1.8-.4-1.8-1.4Z"/>`,
  eye: svg`<path d="M2.5 12S6 5.8 12 5.8 21.5 12 21.5 12 18 18.2 12 18.2 2.5 12 2.5 12Z"/><circle cx="12" cy="12" r="2.8"/>`,
  'eye-off': svg`<path d="M6.5 7.4C3.9 9.1 2.5 12 2.5 12S6 18.2 12 18.2c1.8 0 3.4-.6 4.7-1.3M10 6c.6-.1 1.3-.2 2-.2 6 0 9.5 6.2 9.5 6.2s-.8 1.5-2.3 3M4 4l16 16"/>`,
  flip: svg`<path d="M4 9.5A8.5 8.5 0 0 1 19.4 8M20 14.5A8.5 8.5 0 0 1 4.6 16M20 4v4.5h-4.5M4 20v-4.5h4.5"/>`,
  info: svg`<circle cx="12" cy="12" r="8.5"/><path d="M12 11v5.2M12 7.6v.3"/>`,
  leave: svg`<path d="M13 4H6.5a2 2 0 0 0-2 2v12a2 2 0 0 0 2 2H13M10 12h10.5M16.5 8l4 4-4 4"/>`,
  link: svg`<path d="M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-1.2 1.2M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.7l1.2-1.2"/>`,
  lock: svg`<rect x="5" y="11" width="14" height="9.5" rx="2"/><path d="M8 11V8a4 4 0 0 1 8 0v3"/>`,
  mic: svg`<rect x="9" y="3" width="6" height="11" rx="3"/><path d="M5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3M9 21h6"/>`,
  'mic-off': svg`<path d="M9 9v2a3 3 0 0 0 4.7 2.5M15 11V6a3 3 0 0 0-5.7-1.3M5.5 11.5a6.5 6.5 0 0 0 10.3 5.3M18.5 11.5c0 .9-.2 1.7-.5 2.5M12 18v3M9 21h6M4 4l16 16"/>`,
  more: svg`<path d="M5.5 12h.1M12 12h.1M18.5 12h.1" stroke-width="3"/>`,
  pause: svg`<circle cx="12" cy="12" r="8.5"/><path d="M10 9v6M14 9v6"/>`,
  people: svg`<circle cx="9" cy="8" r="3.5"/><path d="M2.5 20c.3-4 2.9-6.2 6.5-6.2s6.2 2.2 6.5 6.2M15.5 4.9a3.5 3.5 0 0 1 0 6.2M17.5 14.3c2.4.7 3.8 2.7 4 5.7"/>`,
  plus: svg`<path d="M12 5v14M5 12h14"/>`,
  retry: svg`<path d="M19.5 12a7.5 7.5 0 1 1-2.3-5.4L19.5 9M19.5 4v5h-5"/>`,
  screen: svg`<rect x="3" y="4.5" width="18" height="12" rx="2"/><path d="M8.5 20.5h7M12 13.5v-6M9.3 10 12 7.3l2.7 2.7"/>`,
  shield: svg`<path d="M12 3.5 5 6v5.5c0 4.3 2.8 7.5 7 9 4.2-1.5 7-4.7 7-9V6l-7-2.5Z"/><path d="m9 11.8 2.2 2.2 4-4"/>`,
  signal: svg`<path d="M5 19v-3M10 19v-6.5M15 19V9M20 19V5"/>`,
  speaker: svg`<path d="M4 9.5h3.5L12 5.5v13l-4.5-4H4v-5ZM15.5 9a4 4 0 0 1 0 6M18 6.5a7.5 7.5 0 0 1 0 11"/>`,
  unlock: svg`<rect x="5" y="11" width="14" height="9.5" rx="2"/><path d="M8 11V8a4 4 0 0 1 7.6-1.7"/>`,
  user: svg`<circle cx="12" cy="8" r="4"/><path d="M4.5 20.5c.4-4.5 3.4-6.7 7.5-6.7s7.1 2.2 7.5 6.7"/>`,
  wifi: svg`<path d="M3 9.5a13 13 0 0 1 18 0M6 13a8.6 8.6 0 0 1 12 0M9 16.3a4.3 4.3 0 0 1 6 0M12 19.8v.1"/>`,
};

/** @typedef {keyof typeof drawings} IconName */

/** @param {IconName} name */
export const icon = (name) => html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">${drawings[name]}</svg>`;
