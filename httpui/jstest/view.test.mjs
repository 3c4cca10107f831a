// What the guest's screens say and do.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Drawn } from './fakes/view.mjs';
import { deviceCheck } from '../static/view-check.js';
import { controls } from '../static/view-controls.js';

const media = { audio: 'on', video: 'on', screen: false, stream: null, inputs: [], error: null };
const checkUi = { phase: 'ready', speakerAsked: false, heard: null, path: null, speaker: '', agent: { system: 'other', browser: 'chrome', inApp: false } };

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
  for (const [states, kinds] of [[{ audio: 'denied', video: 'off' }, ['audio']], [{ audio: 'missing', video: 'denied' }, ['audio', 'video']], [{ video: 'missing', error: 'camera-busy' }, ['video']]]) {
    const { calls, act } = noting();
    new Drawn(deviceCheck({ ...media, ...states }, checkUi, act)).press('Try again');
    assert.deepEqual(calls, [['retryMedia', ...kinds]]);
  }
});
