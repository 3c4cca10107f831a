// What kind of browser this is, as far as it changes what we tell a person.
// Nothing else may depend on it: what works is found out by trying.

/**
 * @typedef {'ios' | 'android' | 'mac' | 'other'} System
 * @typedef {'safari' | 'chrome' | 'firefox' | 'edge' | 'samsung' | 'other'} Browser
 * @typedef {{system: System, browser: Browser, inApp: boolean}} Agent
 *   inApp: a web view inside another app (mail, messenger), where camera and
 *   microphone often cannot be allowed at all
 */

/**
 * What the web views of apps call themselves. "; wv)" is what Android's say unless
 * the app has changed it; on iOS a web view has no "Safari/", which every browser
 * there has.
 */
const apps = new RegExp([
  '\\bFBA[NV]/|FB_IAB|MessengerForiOS|MessengerLite', // Facebook, Messenger
  'Instagram|Threads|Barcelona', // Threads is Barcelona on iOS
  'WhatsApp|\\bLine/|KAKAOTALK|MicroMessenger|WeChat|\\bQQ/|DingTalk|Viber|Zalo|Telegram', // messengers
  'Snapchat|TwitterAndroid|Twitter for|Pinterest/|LinkedInApp|musical_ly|Bytedance|TikTok|trill_', // networks
  '\\bGSA/|Outlook-|OutlookMobile|com\\.microsoft\\.office\\.outlook|YahooMobile|\\bTeams/|Slack', // search, mail, work
  '; ?wv\\)',
].join('|'), 'u');

/** Browsers that are built on a web view. */
const browsers = /DuckDuckGo|Ddg\//u;
/** What browsers on iOS have in their names, and web views of other apps have not. */
const iosBrowsers = /Safari\/|CriOS|FxiOS|EdgiOS|OPiOS|OPT\/|OPX\/|Brave|YaBrowser|Focus\//u;

/**
 * @param {string} ua navigator.userAgent
 * @param {number} touchPoints navigator.maxTouchPoints: an iPad says it is a Mac
 * @returns {Agent}
 */
export function agentOf(ua, touchPoints = 0) {
  const ios = /iPhone|iPad|iPod/u.test(ua) || (ua.includes('Macintosh') && touchPoints > 1);
  /** @type {System} */
  const system = ios ? 'ios' : ua.includes('Android') ? 'android' : ua.includes('Macintosh') ? 'mac' : 'other';
  const inApp = !browsers.test(ua) && (apps.test(ua) || (ios && ua.includes('AppleWebKit') && !iosBrowsers.test(ua)));
  return { system, browser: browserOf(ua), inApp };
}

/** @param {Agent} agent @returns {string} what people call their browser, outside of apps */
export const browserName = ({ system }) => (system === 'ios' ? 'Safari' : system === 'android' ? 'Chrome or another browser' : 'your browser');

/** @param {string} ua @returns {Browser} */
function browserOf(ua) {
  if (ua.includes('SamsungBrowser')) return 'samsung';
  if (/Edg|EdgiOS/u.test(ua)) return 'edge';
  if (/Firefox|FxiOS/u.test(ua)) return 'firefox';
  if (/Chrome|CriOS/u.test(ua)) return 'chrome';
  if (ua.includes('Safari')) return 'safari';
  return 'other';
}

/**
 * How a person allows camera and microphone again after refusing once: the
 * browser does not ask a second time by itself.
 * @param {Agent} agent
 * @returns {string[]} steps, in order
 */
export function permissionSteps(agent) {
  const { system, browser, inApp } = agent;
  if (inApp) {
    return [
      'You are looking at this page inside another app, which may not be allowed to use camera and microphone.',
      'Press “Copy link” on this page.',
      `Open ${browserName(agent)}.`,
      'Press and hold its address bar and choose “Paste”. Then go there.',
    ];
  }
  if (system === 'ios' && browser === 'safari') {
    return [
      'Tap the sign at the left of the address bar, then the three dots if you see them.',
      'Choose “Website Settings” and set Camera and Microphone to “Allow”.',
      'Come back to this page and press “Try again”.',
    ];
  }
  if (system === 'ios') {
    return [
      'Open the Settings app of your phone and choose this browser in the list.',
      'Switch Camera and Microphone on.',
      'Come back to this page and press “Try again”.',
    ];
  }
  if (browser === 'firefox') {
    return [
      'Press the camera sign at the start of the address bar.',
      'Remove the mark “Blocked” beside camera and microphone.',
      'Press “Try again” and choose “Allow”.',
    ];
  }
  if (browser === 'safari') {
    return [
      'Open the Safari menu and choose “Settings for This Website”.',
      'Set Camera and Microphone to “Allow”.',
      'Press “Try again”.',
    ];
  }
  return [
    system === 'android' ? 'Tap the sign at the left of the address at the top.' : 'Click the sign at the left of the address at the top.',
    'Choose “Permissions” if you see it, then allow Camera and Microphone.',
    'Press “Try again”.',
  ];
}

/**
 * Runs what may wait until the page has nothing more urgent to do; at once in
 * a browser that cannot tell, Safari, which also wants it in the gesture.
 * @param {() => void} task
 */
export function whenIdle(task) {
  if ('requestIdleCallback' in globalThis) requestIdleCallback(task, { timeout: 2000 });
  else task();
}
