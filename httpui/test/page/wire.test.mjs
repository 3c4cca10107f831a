// What a frame may be. That the Go twin gives the same verdicts is shown by a
// differential test (verdicts.mjs); this table says what both must do.
import assert from 'node:assert/strict';
import test from 'node:test';
import { CODES, HOST, MAX_MESSAGE, WireError, decode, encode, fromBase64url, tidyText, toBase64url } from '../../static/link/wire.js';

const b32 = new Uint8Array(32).fill(7);
const b16 = new Uint8Array(16).fill(9);
const guest = '0123456789abcdef';
const welcome = {
  state: 'open', now: 1, opens: 2, starts: 3, ends: 4, closes: 2 ** 53 - 1, practice: 'Praxis Müller', practitioner: 'Dr Lee',
  sid: b32, k_confirm: b32, resume: b32, ice_servers: [{ urls: ['turn:relay.example:443'], username: 'u', credential: 'c' }],
  relay_only: false, demo: true,
};
const entry = { member: guest, role: 'guest', state: 'waiting', name: 'Ada', label: 'Patient', since: 5, alarm: false };

/** One valid message of every type. */
const valid = {
  welcome,
  join: { name: 'Ada', fp: b32, resume: b32 },
  attend: { appointment: 'a'.repeat(32), tab: b16, token: 'T_-9', fp: b32, take: true },
  seat: { member: guest, state: 'admitted' },
  roster: { members: [{ member: HOST, role: 'host', state: 'admitted', since: 1, alarm: false }, entry], locked: false },
  introduce: { member: HOST, role: 'P', polite: true, fp: b32, key: b32, h: b32 },
  description: { peer: HOST, kind: 'offer', sdp: 'v=0\r\no=-\r\n' },
  candidate: { peer: guest, candidate: '', mid: '0' },
  admit: { member: guest, sdp: 'v=0\r\n' },
  deny: { member: guest },
  remove: { member: guest },
  hold: { member: guest, on: true },
  lock: { on: false },
  alarm: { member: guest },
  tested: { path: 'slow' },
  relays: { ice_servers: welcome.ice_servers },
  leave: {}, end: {}, ping: {}, pong: {},
  error: { code: 'too-many' },
  bye: { code: 'removed' },
};

test('every type survives a round trip', () => {
  for (const [type, body] of Object.entries(valid)) {
    const text = encode(type, body);
    assert.deepEqual(decode(text), { type, body }, type);
    assert.deepEqual(decode(new TextEncoder().encode(text)), { type, body }, type);
  }
});

test('the canonical form is the one that Go writes', () => {
  assert.equal(encode('join', { name: 'Ó"\\<>&/', fp: b32 }), `{"type":"join","body":{"name":"Ó\\"\\\\<>&/","fp":"${toBase64url(b32)}"}}`);
  assert.equal(encode('description', { peer: HOST, kind: 'answer', sdp: 'a\r\nb' }), '{"type":"description","body":{"peer":"host","kind":"answer","sdp":"a\\r\\nb"}}');
  assert.equal(encode('ping', {}), '{"type":"ping","body":{}}');
});

test('optional fields are left out when empty, and may not be written empty', () => {
  assert.equal(encode('admit', { member: guest, sdp: '' }), `{"type":"admit","body":{"member":"${guest}"}}`);
  assert.equal(encode('join', { name: 'A', fp: b32, resume: new Uint8Array(0) }).includes('resume'), false);
  refused(`{"type":"admit","body":{"member":"${guest}","sdp":""}}`);
  refused(`{"type":"admit","body":{"member":"${guest}","sdp":null}}`);
});

test('what is not canonical is refused', () => {
  const hold = encode('hold', valid.hold);
  for (const frame of [
    hold.replace('{"type"', ' {"type"'), `${hold} `, `${hold}\n`, `\ufeff${hold}`, hold.replace(',"body"', ', "body"'),
    hold.replace('"type"', '"Type"'), hold.replace('"on":true', '"On":true'), hold.replace('"on":true', '"on":true,"on":true'),
    hold.replace('"on":true', '"on":true,"more":1'), hold.replace('"on":true', '"on":1'), hold.replace('"on":true', '"on":null'),
    `{"type":"hold","body":{"on":true,"member":"${guest}"}}`, hold.replace('true}', 'true,}'), hold.replace(guest, guest.toUpperCase()),
    hold.replace(guest, '\\u0030123456789abcdef'), hold.slice(0, -1), `${hold}}`, '{"type":"hold","body":null}', '{"type":"hold","body":[]}',
    '{"type":"hold"}', '{"body":{},"type":"ping"}', '{"type":"ping","body":{"__proto__":{}}}', '[]', '', 'null', '"ping"',
    '{"type":"ping","body":{}}{"type":"ping","body":{}}', '{"type":"constructor","body":{}}'.replace('constructor', '__proto__'),
  ]) refused(frame);
});

test('numbers are integers that both languages can hold', () => {
  const text = encode('welcome', welcome);
  for (const n of ['1.0', '1e0', '-1', '-0', '01', '9007199254740992', '"1"', 'null', 'true']) refused(text.replace('"now":1', `"now":${n}`));
});

test('bytes are canonical base64url of the exact length', () => {
  const text = encode('attend', valid.attend);
  const tab = toBase64url(b16);
  for (const bad of [`${tab}=`, `${tab}==`, tab.slice(1), `${tab}A`, ` ${tab}`, `${tab.slice(0, -1)}\\n`, `${tab.slice(0, -1)}x`, tab.replace('C', '+'), '']) {
    refused(text.replace(`"tab":"${tab}"`, `"tab":"${bad}"`));
  }
});

test('text is well formed, undisturbing and counted in code points', () => {
  const join = (name) => ({ name, fp: b32 });
  assert.equal(decode(encode('join', join('😀'.repeat(64)))).body.name.length, 128);
  for (const name of ['', '😀'.repeat(65), 'a'.repeat(65), '\ud83d', '\ude00', 'a\u0000', 'a\nb', 'a\tb', '\u007f', '\u0085', '\u200e', '\u061c',
    '\u2028', '\u202e', '\u2066', '\ufeff']) {
    assert.throws(() => encode('join', join(name)), WireError, JSON.stringify(name));
    refused(`{"type":"join","body":{"name":${JSON.stringify(name)},"fp":"${toBase64url(b32)}"}}`);
  }
  // A pair of surrogates does not form across a line end.
  assert.throws(() => encode('description', { peer: HOST, kind: 'offer', sdp: '\ud83d\n\ude00' }), WireError);
  assert.throws(() => encode('description', { peer: HOST, kind: 'offer', sdp: '' }), WireError);
});

test('lists and enumerations have bounds', () => {
  const roster = (n) => ({ members: Array.from({ length: n }, () => entry), locked: false });
  assert.throws(() => encode('roster', roster(65)), WireError);
  for (const bad of [{ ...entry, role: 'admin' }, { ...entry, state: 'gone' }, { ...entry, member: 'x' }, { ...entry, since: -1 }, null, 1, []]) {
    assert.throws(() => encode('roster', { members: [bad], locked: false }), WireError);
  }
  refused('{"type":"roster","body":{"members":null,"locked":false}}');
  refused('{"type":"bye","body":{"code":"because"}}');
  for (const code of CODES) assert.equal(decode(encode('bye', { code })).body.code, code);
});

test('no message is longer than a sealed frame holds', () => {
  assert.throws(() => encode('description', { peer: HOST, kind: 'offer', sdp: '"'.repeat(14_000) }), WireError);
  assert.throws(() => decode(`{"type":"x","body":${' '.repeat(MAX_MESSAGE)}}`.slice(0, MAX_MESSAGE) + '}'), WireError);
});

test('a type of a later version is told from a broken frame', () => {
  assert.throws(() => decode('{"type":"wave","body":{"hand":"left"}}'), (err) => err instanceof WireError && err.unknownType);
  assert.throws(() => decode('{"type":"Wave","body":{}}'), (err) => err instanceof WireError && !err.unknownType);
  assert.throws(() => encode('wave', {}), (err) => err.unknownType);
});

test('bytes that are not UTF-8 are refused', () => {
  const frame = new TextEncoder().encode(encode('join', valid.join));
  frame[frame.indexOf('A'.charCodeAt(0))] = 0xff;
  assert.throws(() => decode(frame), WireError);
});

test('names are tidied to what may be sent', () => {
  assert.equal(tidyText('  Ada\u202e \u0000Lovelace\n ', 64), 'Ada Lovelace');
  assert.equal(tidyText('😀'.repeat(80), 64), '😀'.repeat(64));
  assert.equal(tidyText('\u200e \ud800', 64), '');
  for (const raw of ['x'.repeat(63) + ' y', '\ufeffA', 'a\u2028b']) encode('join', { name: tidyText(raw, 64), fp: b32 });
});

test('base64url is its own inverse', () => {
  for (let n = 0; n < 100; n++) {
    const bytes = crypto.getRandomValues(new Uint8Array(n));
    assert.deepEqual(fromBase64url(toBase64url(bytes)), bytes);
  }
});

function refused(frame) {
  assert.throws(() => decode(frame), WireError, frame);
}
