// What the guest's screens say and do.
import assert from 'node:assert/strict';
import test from 'node:test';
import './fakes/words.mjs';
import { canVerify } from '../../static/call/identity.js';
import { Drawn } from './fakes/view.mjs';
import { guestSentence } from '../../static/kit/errors.js';
import { deviceCheck } from '../../static/call/screen/view-check.js';
import { controls } from '../../static/call/screen/view-controls.js';
import { guestTitle, guestView } from '../../static/guest/view-guest.js';
import { countdown } from '../../static/kit/format.js';
import { focusKeeper } from '../../static/kit/view-shell.js';

const welcome = {
  state: 'open', now: 1_800_000_000, opens: 1_799_999_000, starts: 1_800_000_000, ends: 1_800_003_600, practice: 'Harbour Street Practice',
  practitioner: 'Dr Lee', ice_servers: [], relay_only: false, demo: false,
};
const media = { audio: 'on', video: 'on', screen: false, stream: null, inputs: [], error: null };
const checkUi = { phase: 'ready', speakerAsked: false, heard: null, path: null, speaker: '', agent: { system: 'other', browser: 'chrome', inApp: false } };

/** The guest's page with this call, past Continue. */
const page = (call, act = noting().act, state = {}) =>
  new Drawn(guestView({
    trouble: null, call: call && { phase: 'ready', connection: 'online', code: null, welcome, self: null, alarm: false, peers: [], chat: [], ...call },
    media, checking: true, talked: false, online: true, now: welcome.now, served: 'practice.example', name: 'Ada', check: checkUi,
    ui: {}, canShare: true, canFlip: false, copied: false, link: '', elsewhere: false, returning: false, doorOpened: false, ...state,
  }, act));

/** Intents that note how they were called. */
const noting = () => {
  const calls = [];
  return { calls, act: new Proxy({}, { get: (_, name) => (...args) => void calls.push([name, ...args]) }) };
};

test('what is tried again is what its button names, and never what was turned off', () => {
  const cases = [
    ['No microphone: try again', { audio: 'missing', video: 'off' }, ['audio']],
    ['No microphone: try again', { audio: 'off' }, ['audio']],
    ['No camera: try again', { audio: 'missing', video: 'denied' }, ['video']],
  ];
  for (const [name, states, kinds] of cases) {
    const { calls, act } = noting();
    new Drawn(controls({ media: { ...media, ...states }, panel: null, unread: 0, host: false, canShare: true, canFlip: false }, act)).press(name);
    assert.deepEqual(calls, [['retryMedia', ...kinds]]);
  }
  for (const [states, kinds] of [[{ audio: 'denied', video: 'off' }, ['audio']], [{ audio: 'missing', video: 'denied' }, ['audio', 'video']], [{ video: 'busy', error: 'camera-busy' }, ['video']]]) {
    const { calls, act } = noting();
    new Drawn(deviceCheck({ ...media, ...states }, checkUi, act)).press('Try again');
    assert.deepEqual(calls, [['retryMedia', ...kinds]]);
  }
});

test('why joining fails is said in one sentence, with what to do', () => {
  for (const code of ['internal', 'too-many', 'not-found']) {
    for (const connection of ['online', 'reconnecting']) {
      const { text } = page({ phase: 'joining', code, connection });
      const { title, todo } = guestSentence(code, welcome);
      assert.ok(text.includes(`${title} ${todo}`), text);
      assert.match(todo, /tries again by itself|keeps trying/);
      assert.doesNotMatch(text, /was lost/);
    }
  }
  assert.match(page({ connection: 'reconnecting' }).text, /was lost/);
});

test('who is at an occupied seat is told that it may be their own, and can try again', () => {
  const { calls, act } = noting();
  const { text, html } = page({ phase: 'joining', code: 'seat-taken', welcome: { ...welcome, state: 'full' } }, act);
  assert.match(text, /another device.*a minute.*This page tries again by itself/);
  assert.match(html, /<button(?![^>]*type="button")[^>]*>Try again now<\/button>/, 'the form’s own button');
  assert.match(page({ phase: 'ended', code: 'seat-taken' }).text, /another device.*a minute(?!.*by itself)/);
});

test('a dead link says what became of it and what to do, whatever the time, in a call too', () => {
  const said = { rotated: /newer link.*newest message/, revoked: /taken this link back.*call Harbour/, cancelled: /cancelled.*call Harbour/ };
  for (const [state, words] of Object.entries(said)) {
    for (const call of [{ phase: 'ended', code: state, welcome: { ...welcome, state } }, { phase: 'ended', code: state, self: '0123456789abcdef' }, { welcome: { ...welcome, state } }]) {
      const { text } = page(call);
      assert.match(text, words);
      assert.doesNotMatch(text, /has ended|Join again|Try again/);
    }
  }
  assert.match(page({ phase: 'ended', code: 'ended', welcome: { ...welcome, state: 'ended' } }).text, /This appointment has ended/);
});

test('who has left comes back by one tap for as long as the link lets them in', () => {
  const left = (until, act) => page({ phase: 'ended', code: 'left', self: '0123456789abcdef', welcome: { ...welcome, closes: until } }, act, { talked: true });
  const { calls, act } = noting();
  const drawn = left(welcome.now + 1, act);
  assert.match(drawn.text, /Your camera and microphone are off\. You can come back until/);
  drawn.press('Come back');
  assert.deepEqual(calls, [['comeBack']]);
  assert.doesNotMatch(left(welcome.now, act).text, /come back/i);
});

test('a browser that cannot tell whose certificate it met is told before anything else', () => {
  const transport = (methods) => ({ RTCDtlsTransport: class { static { Object.assign(this.prototype, methods); } } });
  assert.equal(canVerify(transport({ getRemoteCertificates() {} })), true);
  assert.equal(canVerify({}), true, 'one without the interface has statistics of certificates');
  assert.equal(canVerify(transport({})), false);
  assert.match(guestSentence('unsupported', welcome).todo, /Update/);
});

test('a name that is only spaces is asked for in words', () => {
  const { calls, act } = noting();
  const drawn = page({}, act);
  assert.match(drawn.type('name', ' \u3000\u200e'), /^Please write your name/);
  assert.equal(drawn.type('name', ' Ada '), '');
  assert.equal(drawn.type('name', ''), '', 'the browser asks by itself');
  assert.deepEqual(calls.at(-2), ['setName', ' Ada ']);
});

test('a microphone that is off can be turned on before the call', () => {
  const { calls, act } = noting();
  const drawn = new Drawn(deviceCheck({ ...media, audio: 'off', video: 'off' }, checkUi, act));
  assert.match(drawn.text, /Your microphone is off/);
  drawn.press('Unmute microphone');
  assert.deepEqual(calls, [['mute', false]]);
});

test('when the button that was pressed is gone, the focus is near where it was', () => {
  const element = (parentElement, target = null) => ({ isConnected: true, parentElement, querySelector: () => target });
  const focused = [];
  const next = { focus: () => focused.push('next') };
  const root = Object.assign(new EventTarget(), element(null, { focus: () => focused.push('first') }));
  const row = element(root, next);
  const button = element(row);
  const keep = focusKeeper(root);
  const press = (target) => root.dispatchEvent(Object.assign(new Event('focusin'), { composedPath: () => [target, row, root] }));
  document.body = {};

  document.activeElement = button;
  press(button);
  keep();
  document.activeElement = document.body; // as when somebody clicks beside it
  keep();
  assert.deepEqual(focused, []);
  button.isConnected = false;
  document.activeElement = {}; // the screen has put it somewhere
  keep();
  assert.deepEqual(focused, []);
  document.activeElement = document.body;
  keep();
  row.isConnected = false;
  keep();
  assert.deepEqual(focused, ['next', 'first']);
});

test('Join keeps the focus while it works', () => {
  const { html } = page({ phase: 'joining' });
  const [, tag] = /<button(?![^>]*type="button")([^>]*)>Joining…/.exec(html);
  assert.match(tag, /aria-disabled=true/);
  assert.doesNotMatch(tag, /\?disabled=/);
});

test('who is late is told so, and that it is not too late', () => {
  const at = (seconds, checking) => page({}, undefined, { now: welcome.starts + seconds, checking }).text;
  for (const checking of [false, true]) {
    assert.match(at(-60, checking), /your appointment is at /);
    assert.match(at(0, checking), /your appointment is at (?!.*still join)/);
    assert.match(at(360, checking), /your appointment was at .*You can still join\./);
  }
});

test('who is early sees how long it is until the door opens, in the title too', () => {
  const early = { ...welcome, state: 'early', opens: 1_800_000_000, starts: 1_800_000_900 };
  const state = { now: early.opens - 245, checking: false };
  assert.match(page({ welcome: early }, undefined, state).text, /You are early.*Opens in 4 min 05 s/);
  assert.match(page({ welcome: early }, undefined, { ...state, checking: true }).text, /You can join from.*Opens in 4 min 05 s/);
  assert.match(page({ welcome: early }, undefined, state).html, /role="timer" aria-live="off"/, 'it is not read out each second');
  const said = { 0: 'in a moment', '-5': 'in a moment', 0.4: 'in 1 s', 59: 'in 59 s', 60: 'in 1 min 00 s', 3600: 'in 1 h 00 min', 90_000: 'in 25 h 00 min', 200_000: 'in 2 days' };
  for (const [seconds, words] of Object.entries(said)) assert.equal(countdown(Number(seconds)), `Opens ${words}`);
});

test('a tab that was in the seat comes back by one tap, and the name is there', () => {
  const { calls, act } = noting();
  const drawn = page({}, act, { checking: false, returning: true });
  assert.match(drawn.text, /one tap brings you back/);
  assert.doesNotMatch(drawn.html, /<input/);
  drawn.press('Come back to your appointment');
  assert.deepEqual(calls, [['comeBack']]);
  assert.match(page({ welcome: { ...welcome, state: 'early' } }, act, { checking: false, returning: true }).text, /You are early/);
});

test('a second tab says where the appointment is, and takes it when told to', () => {
  const { calls, act } = noting();
  const drawn = page(null, act, { elsewhere: true });
  assert.match(drawn.text, /open in another tab of this browser/);
  drawn.press('Use it here');
  assert.deepEqual(calls, [['useHere']]);
});

test('wherever the page sends somebody to another browser, the link can be copied', () => {
  const agent = { system: 'ios', browser: 'other', inApp: true };
  const check = { ...checkUi, agent };
  const screens = [
    [{}, { checking: false, check }],
    [{}, { check }],
    [{}, { check: { ...check, phase: 'asking' } }],
    [{}, { check, media: { ...media, audio: 'denied', video: 'denied' } }],
    [null, { trouble: 'unsupported' }],
  ];
  for (const [call, state] of screens) {
    const { calls, act } = noting();
    const drawn = page(call, act, state);
    drawn.press('Copy link');
    assert.deepEqual(calls, [['copyLink']]);
    assert.doesNotMatch(drawn.text, /Open in (browser|Safari)/);
    assert.match(page(call, act, { ...state, copied: true }).text, /Link copied/);
    assert.match(page(call, act, { ...state, link: 'https://practice.example/j#AX8' }).html, /<input id="link" readonly value=https:\/\/practice.example\/j#AX8/);
  }
  assert.doesNotMatch(page({}).text, /Copy link/);
});

test('the title says what is so', () => {
  const title = (call, state = {}) => guestTitle({ trouble: null, call: call && { phase: 'ready', code: null, welcome, ...call }, checking: false, talked: false, now: welcome.now, ...state });
  const practice = 'Harbour Street Practice';
  const cases = [
    [title({}), practice],
    [title({}, { doorOpened: true }), `The door is open – ${practice}`],
    [title({ welcome: { ...welcome, state: 'early', opens: welcome.now + 90 } }), `Opens in 1 min 30 s – ${practice}`],
    [title({ phase: 'waiting' }), `Waiting – ${practice}`],
    [title({ phase: 'call' }), `In the call – ${practice}`],
    [title({ phase: 'held' }), `On hold – ${practice}`],
    [title({ phase: 'ended', code: 'left' }), `Ended – ${practice}`],
    [title({ phase: 'ended', code: 'rotated' }), `Replaced link – ${practice}`],
    [title({ phase: 'ended', code: 'bad-link', welcome: null }), 'Damaged link – Your video appointment'],
    [title(null, { trouble: 'bad-link' }), 'Damaged link – Your video appointment'],
    [title(null, { trouble: 'no-link' }), 'Link needed – Your video appointment'],
    [title(null, { elsewhere: true }), 'Open in another tab – Your video appointment'],
    [title(null), 'Your video appointment'],
  ];
  for (const [got, want] of cases) assert.equal(got, want);
});
