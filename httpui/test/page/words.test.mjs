// Every code has a sentence, and no sentence has a hole in it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import './fakes/words.mjs';
import { ApiError } from '../../static/kit/request.js';
import { apiSentence, deviceText, guestSentence, hostSentence, reasonText, refusalSentence, signInSentence } from '../../static/kit/errors.js';
import { agentOf, permissionSteps } from '../../static/kit/browser.js';
import { dateKey, duration, initials, moments, span, timeKey } from '../../static/kit/format.js';
import { CODES } from '../../static/link/wire.js';
import { list } from '../../static/kit/words.js';

const names = { practitioner: 'Dr Lee', practice: 'Harbour Street Practice' };
const nothing = { practitioner: '', practice: '' };
const general = guestSentence('', names);

// What a guest can never be sent has the general sentence.
const notForGuests = new Set(['unauthorized', 'host-elsewhere', 'early']);

for (const code of [...CODES, 'bad-link', 'no-link', 'wrong-practice', 'unsupported', 'left', 'offline', 'open-elsewhere']) {
  test(`${code} is said to guests and practitioners`, () => {
    for (const sentence of [guestSentence(code, names), guestSentence(code, nothing), hostSentence(code), refusalSentence(code)]) {
      for (const text of [sentence.title, sentence.todo]) {
        assert.match(text, /^[A-Z].*\.$/);
        assert.doesNotMatch(text, /undefined|null|\s\s|256-bit|session|peer|ICE\b|signalling/);
      }
    }
    if (!notForGuests.has(code)) assert.notDeepEqual(guestSentence(code, names), general);
  });
}

test('a refusal speaks of what was asked for, not of the call', () => {
  for (const code of ['no-such-room', 'ended', 'offline']) assert.notDeepEqual(refusalSentence(code), hostSentence(code));
  assert.match(refusalSentence('no-such-room').title, /guest is no longer there/);
  assert.deepEqual(refusalSentence('room-full'), hostSentence('room-full'));
});

test('a code from outside cannot name a method', () => {
  for (const code of ['constructor', '__proto__', 'toString']) {
    assert.deepEqual(guestSentence(code, names), general);
    assert.equal(reasonText(code), '');
    assert.equal(deviceText(code), '');
  }
});

test('reasons and devices have words', () => {
  for (const reason of ['silent', 'loss-in', 'loss-out', 'delay', 'bandwidth', 'cpu', 'frozen', 'held', 'unverified']) assert.notEqual(reasonText(reason), '');
  for (const what of ['camera', 'microphone', 'both']) for (const why of ['denied', 'missing', 'busy', 'lost']) assert.notEqual(deviceText(`${what}-${why}`), '');
  for (const what of ['camera-other', 'camera-kept', 'microphone-other', 'microphone-kept', 'speaker-other', 'screen-denied']) assert.notEqual(deviceText(what), '');
  assert.equal(deviceText(null), '');
});

test('the node’s own sentence is shown, with how long to wait when signing in', () => {
  assert.equal(apiSentence(new ApiError('bad-message', { code: 'input.guests.many', args: { n: 3 } }, 400)), 'An appointment can have at most 3 guests.');
  assert.match(apiSentence(new ApiError('offline', null, 0)), /does not answer/);
  const tooMany = (seconds) => new ApiError('too-many', { code: 'refusal.too-many-passwords' }, 429, seconds);
  assert.match(signInSentence(tooMany(30)), /30 seconds/);
  assert.match(signInSentence(tooMany(900)), /15 minutes/);
});

test('what the node says in a code that this page does not know is not shown', () => {
  for (const said of [null, { code: '' }, { code: 'constructor' }, { code: 'The database is locked.' }]) {
    assert.equal(apiSentence(new ApiError('internal', said, 500)), 'Anteroom could not do this. Try again.');
  }
});

test('browsers are told apart as far as permissions differ', () => {
  const iphone = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1';
  const android = 'Mozilla/5.0 (Linux; Android 14; Pixel 7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36';
  const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
  assert.deepEqual(agentOf(iphone), { system: 'ios', browser: 'safari', inApp: false });
  assert.deepEqual(agentOf(android), { system: 'android', browser: 'chrome', inApp: false });
  assert.deepEqual(agentOf(firefox), { system: 'other', browser: 'firefox', inApp: false });
  assert.equal(agentOf(`${android.replace('Pixel 7', 'Pixel 7; wv')}`).inApp, true);
  assert.equal(agentOf(`${iphone} [FBAN/FBIOS;FBAV/400]`).inApp, true);
  assert.equal(agentOf(iphone.replace('iPhone;', 'Macintosh;').replace('iPhone OS', 'Mac OS'), 5).system, 'ios');
  for (const ua of [iphone, android, firefox]) assert.ok(permissionSteps(agentOf(ua)).length >= 2);
});

test('times and names read as people write them', () => {
  const [at] = moments('2025-11-21', '14:45');
  assert.equal(dateKey(at), '2025-11-21');
  assert.equal(timeKey(at), '14:45');
  assert.match(span(at, at + 1800), /–/);
  assert.deepEqual(moments('', '14:45'), []);
  assert.equal(duration(59), 'just now');
  assert.equal(duration(61), '1 minute');
  assert.equal(duration(3900), '1 h 05 min');
  assert.equal(initials('  Anna  Maria Berg '), 'AB');
  assert.equal(initials('مريم'), 'م');
  assert.equal(initials(''), '');
  assert.equal(list(['A', 'B', 'C']), 'A, B and C');
});
