// Whoever serves a page can change what it does, so a guest is told who did.
import { words } from './fakes/template.mjs';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import './fakes/words.mjs';

const { guestScreen, guestView } = await import('../../static/guest/view-guest.js');

const media = { audio: 'off', video: 'off', stream: null, devices: { audio: [], video: [], output: [] }, problems: {} };
const welcome = {
  practice: 'Riverside Practice', practitioner: 'Dr Lee', state: 'open', opens: 0, starts: 1000, ends: 2000, relay_only: false, demo: false,
};
const call = { phase: 'new', connection: 'online', code: null, welcome, self: null, peers: [], chat: [], alarm: false };
const state = {
  trouble: null, call, media, checking: false, talked: false, online: true, now: 900, served: 'front.example:8443', name: '',
  check: { agent: { inApp: false, system: 'other' } }, ui: {}, canShare: false, canFlip: false, copied: false,
};

for (const [screen, patch] of Object.entries({
  trouble: { trouble: 'bad-link', call: null },
  opening: { call: null },
  early: { call: { ...call, welcome: { ...welcome, state: 'early', opens: 950 } } },
  start: {},
  over: { call: { ...call, phase: 'ended', code: 'ended' } },
})) {
  test(`the guest page names the serving node: ${screen}`, () => {
    const shown = { ...state, ...patch };
    assert.equal(guestScreen(shown), screen);
    assert.ok(words(guestView(shown, {})).includes('This page was served by front.example:8443.'), words(guestView(shown, {})));
    assert.ok(!words(guestView({ ...shown, served: 'riverside.example' }, {})).includes('front.example'));
  });
}
