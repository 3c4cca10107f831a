// What kind of browser this is, as far as it changes what we tell a person.
// Nothing else may depend on it: what works is found out by trying.

import { say } from './words.js';

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
export function permissionSteps({ system, browser, inApp }) {
  if (inApp) return [say('call.allow.in-app.so'), say('call.allow.in-app.copy'), say('call.allow.in-app.open', { system }), say('call.allow.in-app.paste')];
  if (system === 'ios' && browser === 'safari') return [say('call.allow.ios.sign'), say('call.allow.ios.set'), say('call.allow.ios.again')];
  if (system === 'ios') return [say('call.allow.ios.settings'), say('call.allow.ios.switch'), say('call.allow.ios.again')];
  if (browser === 'firefox') return [say('call.allow.firefox.sign'), say('call.allow.firefox.blocked'), say('call.allow.firefox.again')];
  if (browser === 'safari') return [say('call.allow.safari.menu'), say('call.allow.safari.set'), say('call.allow.again')];
  return [say(system === 'android' ? 'call.allow.sign-tap' : 'call.allow.sign-click'), say('call.allow.permissions'), say('call.allow.again')];
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
