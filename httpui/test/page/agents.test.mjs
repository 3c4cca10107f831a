// Apps that show a page inside themselves, and browsers that do not: what each
// calls itself, and what its person is told.
import assert from 'node:assert/strict';
import test from 'node:test';
import './fakes/words.mjs';
import { agentOf, permissionSteps } from '../../static/kit/browser.js';
import { guestSentence } from '../../static/kit/errors.js';

const iphone = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)';
const ipad = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)';
const android = (view = '') => `Mozilla/5.0 (Linux; Android 14; SM-A155F${view}) AppleWebKit/537.36 (KHTML, like Gecko)`;
const webView = `${android('; wv')} Version/4.0 Chrome/130.0.6723.102 Mobile Safari/537.36`;
const ownView = `${android()} Version/4.0 Chrome/130.0.6723.102 Mobile Safari/537.36`; // one that has dropped the mark

const apps = {
  'Facebook on iOS': `${iphone} Mobile/22B83 [FBAN/FBIOS;FBAV/489.0.0.31.77;FBBV/652;FBDV/iPhone14,7]`,
  'Facebook on Android': `${webView} [FB_IAB/FB4A;FBAV/489.0.0.66.81;]`,
  'Messenger on iOS': `${iphone} Mobile/22B83 [FBAN/MessengerForiOS;FBAV/480.0.0.33.109]`,
  'Messenger on Android': `${webView} [FB_IAB/Orca-Android;FBAV/480.0.0.45.110;]`,
  'Instagram on iOS': `${iphone} Mobile/22B83 Instagram 357.1.2.26.83 (iPhone14,7; iOS 18_1; de_DE)`,
  'Instagram on Android': `${webView} Instagram 357.1.0.52.100 Android`,
  'Threads on iOS': `${iphone} Mobile/22B83 Barcelona 357.0.0.26.109 (iPhone14,7)`,
  'WhatsApp on iOS': `${iphone} Mobile/15E148 WhatsApp/24.22`,
  'WeChat on iOS': `${iphone} Mobile/15E148 MicroMessenger/8.0.53(0x18003531) NetType/WIFI Language/zh_CN`,
  'WeChat on Android': `${ownView} MMWEBID/1234 MicroMessenger/8.0.53.2740(0x28003533) WeChat/arm64`,
  'Line on iOS': `${iphone} Mobile/15E148 Safari Line/14.18.1`,
  'Line on Android': `${webView} Line/14.18.1/IAB`,
  'KakaoTalk on iOS': `${iphone} Mobile/15E148 KAKAOTALK 11.0.1`,
  'KakaoTalk on Android': `${webView};KAKAOTALK 2411010`,
  'Telegram on Android': `${ownView} Telegram-Android/11.4.2 (Samsung SM-A155F; Android 14; SDK 34; AVERAGE)`,
  'Snapchat on iOS': `${iphone} Mobile/15E148 Snapchat/13.15.0.45 (like Safari/8619.2.8.10.9, panda)`,
  'Snapchat on Android': `${webView} Snapchat/13.15.0.45`,
  'X on iOS': `${iphone} Mobile/15E148 Twitter for iPhone/10.67`,
  'X on Android': `${ownView} TwitterAndroid`,
  'Pinterest on iOS': `${iphone} Mobile/15E148 [Pinterest/iOS]`,
  'Pinterest on Android': `${webView} [Pinterest/Android]`,
  'LinkedIn on iOS': `${iphone} Mobile/15E148 [LinkedInApp]/9.30.2115`,
  'LinkedIn on Android': `${webView} [LinkedInApp]/4.1.1005`,
  'TikTok on iOS': `${iphone} Mobile/15E148 musical_ly_37.2.0 JsSdk/2.0 NetType/WIFI Channel/App Store ByteLocale/de BytedanceWebview/d8a21c6`,
  'TikTok on Android': `${ownView} trill_370204 JsSdk/1.0 NetType/WIFI Channel/googleplay AppName/trill app_version/37.2.4 BytedanceWebview/d8a21c6`,
  'Outlook on iOS': `${iphone} Mobile/15E148 Outlook-iOS/723.4027091.prod.iphone (4.2443.0)`,
  'the Google app on iOS': `${iphone} GSA/341.0.692 Mobile/15E148 Safari/604.1`,
  'the Google app on Android': `${webView} GSA/15.44.33.28.arm64`,
  'Gmail on iOS': `${iphone} Mobile/15E148`,
  'any app on iOS': `${iphone} Mobile/15E148`,
  'any app on an iPad that says it is a Mac': `${ipad} Mobile/15E148`,
  'any app on Android': webView,
};

const browsers = {
  'Safari on iOS': `${iphone} Version/18.1 Mobile/15E148 Safari/604.1`,
  'Safari on an iPad': `${ipad} Version/18.1 Safari/605.1.15`,
  'Chrome on iOS': `${iphone} CriOS/130.0.6723.90 Mobile/15E148 Safari/604.1`,
  'Firefox on iOS': `${iphone} FxiOS/132.0 Mobile/15E148 Safari/605.1.15`,
  'Edge on iOS': `${iphone} Version/18.0 EdgiOS/130.0.2849.68 Mobile/15E148 Safari/604.1`,
  'DuckDuckGo on iOS': `${iphone} Version/18.1 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15`,
  'Brave on iOS': `${iphone} Version/18.1 Mobile/15E148 Safari/604.1`,
  'Opera on iOS': `${iphone} Version/18.1 Mobile/15E148 Safari/604.1 OPT/5.1.2`,
  'Chrome on Android': 'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36',
  'Firefox on Android': 'Mozilla/5.0 (Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0',
  'Edge on Android': `${android()} Chrome/130.0.0.0 Mobile Safari/537.36 EdgA/130.0.0.0`,
  'Samsung Internet': `${android()} SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36`,
  'Opera on Android': `${android()} Chrome/129.0.0.0 Mobile Safari/537.36 OPR/86.0.0.0`,
  'Brave on Android': `${android()} Chrome/130.0.0.0 Mobile Safari/537.36`,
  'DuckDuckGo on Android': `${ownView.replace('Safari', 'DuckDuckGo/5 Safari')}`,
  'DuckDuckGo on Android, with the mark of a web view': `${webView.replace('Safari', 'DuckDuckGo/5 Safari')}`,
  'Chrome on Windows': 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36',
  'Edge on Windows': 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0',
  'Firefox on Linux': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  'Safari on a Mac': 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15',
  'Chrome on a Mac': 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36',
};

const touches = (name) => (name.includes('iPad') ? 5 : 0);

for (const [name, ua] of Object.entries(apps)) {
  test(`inside another app: ${name}`, () => {
    const agent = agentOf(ua, touches(name));
    assert.equal(agent.inApp, true);
    const steps = permissionSteps(agent).join(' ');
    assert.match(steps, /Copy link.*Open .*Paste/s);
    assert.doesNotMatch(steps, /Open in|three dots|share/, 'an app opens the address that it has, and that has no link in it');
    assert.match(steps, agent.system === 'ios' ? /Open Safari/ : /Open Chrome or another browser/);
  });
}

for (const [name, ua] of Object.entries(browsers)) {
  test(`a browser: ${name}`, () => {
    const agent = agentOf(ua, touches(name));
    assert.equal(agent.inApp, false);
    assert.doesNotMatch(permissionSteps(agent).join(' '), /inside another app|Paste/);
  });
}

test('who needs another browser altogether is told the same way', () => {
  assert.match(guestSentence('unsupported', { practitioner: '', practice: '' }).todo, /copy your link, open .* paste it/i);
  assert.match(permissionSteps({ ...agentOf(browsers['Chrome on Windows']), inApp: true }).join(' '), /Open your browser\./);
});
