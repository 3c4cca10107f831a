// Camera, microphone and screen against devices that refuse, vanish and dawdle.
import assert from 'node:assert/strict';
import test, { beforeEach } from 'node:test';
import { holdTime, leap, releaseTime, turn } from './fakes/clock.mjs';
import { FakeDevices, FakeTrack } from './fakes/media.mjs';
import { Media } from '../../static/call/media.js';

/** @type {FakeDevices} */ let devices;
/** @type {Media} */ let media;
beforeEach(() => {
  FakeTrack.live.clear();
  devices = new FakeDevices();
  media = new Media(devices);
});

const states = () => [media.snapshot.audio, media.snapshot.video, media.snapshot.error];
const live = () => [...FakeTrack.live].map((t) => t.kind).sort();
const track = (kind) => media.tracks[kind];

test('nothing is asked for before start', () => {
  assert.deepEqual([devices.asked.length, states(), media.snapshot.stream, media.level()], [0, ['off', 'off', null], null, 0]);
});

test('both come with one question, as speech and motion at 720p and 30', async () => {
  await media.start({ audio: true, video: true });
  assert.equal(devices.asked.length, 1);
  const [{ audio, video }] = devices.asked;
  assert.deepEqual([audio.echoCancellation, audio.noiseSuppression, audio.autoGainControl], [true, true, true]);
  assert.deepEqual([video.width.ideal, video.height.ideal, video.frameRate.ideal], [1280, 720, 30]);
  assert.deepEqual([states(), live()], [['on', 'on', null], ['audio', 'video']]);
  assert.deepEqual([track('audio').contentHint, track('video').contentHint], ['speech', 'motion']);
  assert.deepEqual(media.snapshot.inputs, [{ kind: 'audioinput', id: 'audio-1', label: 'Microphone' }]);
  await media.start({ audio: true, video: true });
  assert.equal(devices.asked.length, 1, 'what is on is not asked for again');
});

test('one that is refused or missing does not keep the other from working', async () => {
  for (const [error, why] of [['NotAllowedError', 'denied'], ['NotFoundError', 'missing'], ['NotReadableError', 'busy'], ['AbortError', 'busy'], ['OverconstrainedError', 'missing']]) {
    for (const [bad, name] of [['video', 'camera'], ['audio', 'microphone']]) {
      devices = new FakeDevices();
      media = new Media(devices);
      devices[bad] = error;
      await media.start({ audio: true, video: true });
      assert.deepEqual([media.snapshot[bad], media.snapshot[bad === 'audio' ? 'video' : 'audio'], media.snapshot.error], [why, 'on', `${name}-${why}`]);
      devices[bad] = null;
      await media.start({ audio: true, video: true });
      assert.deepEqual(states(), ['on', 'on', null], 'a later try asks for what is missing');
      media.stop();
    }
  }
  devices.audio = devices.video = 'NotAllowedError';
  media = new Media(devices);
  await media.start({ audio: true, video: true });
  assert.deepEqual([states(), live()], [['denied', 'denied', 'camera-denied'], []]);
});

test('mute is at once, and lasts over a new microphone', async () => {
  await media.start({ audio: true, video: false });
  media.mute(true);
  assert.deepEqual([track('audio').enabled, media.snapshot.audio], [false, 'muted']);
  await media.switchDevice('audioinput', 'audio-2');
  assert.deepEqual([track('audio').enabled, track('audio').deviceId, live()], [false, 'audio-2', ['audio']]);
  media.mute(false);
  assert.equal(track('audio').enabled, true);
});

test('a camera that is off is let go, so that its light goes out', async () => {
  await media.start({ audio: true, video: true });
  media.camera(false);
  assert.deepEqual([live(), media.snapshot.video, media.tracks.video], [['audio'], 'off', null]);
  await media.camera(true);
  assert.deepEqual([live(), media.snapshot.video], [['audio', 'video'], 'on']);
});

test('another device that fails leaves the present one', async () => {
  await media.start({ audio: true, video: true });
  const before = track('audio');
  devices.audio = 'OverconstrainedError';
  await media.switchDevice('audioinput', 'gone');
  assert.equal(track('audio'), before);
  assert.deepEqual(states(), ['on', 'on', 'microphone-kept']);
  devices.video = 'NotReadableError';
  const failing = media.switchDevice('videoinput', 'busy');
  await failing;
  assert.deepEqual([media.snapshot.video, live()], ['busy', ['audio']]);
  devices.video = null;
  await media.camera(true);
  assert.equal(devices.asked.at(-1).video.deviceId, undefined, 'the device that failed is not insisted on');
});

test('a camera that is off stays off when another one is chosen, and is the chosen one when it is turned on', async () => {
  await media.start({ audio: true, video: true });
  media.camera(false);
  await media.switchDevice('videoinput', 'video-2');
  assert.deepEqual([devices.asked.length, live(), media.snapshot.video], [1, ['audio'], 'off']);
  await media.camera(true);
  assert.equal(track('video').deviceId, 'video-2');
});

test('a screen takes the camera’s place and gives it back', async () => {
  await media.start({ audio: true, video: true });
  const camera = track('video');
  await media.shareScreen(true);
  assert.deepEqual([media.tracks.video.deviceId, media.tracks.screen, media.tracks.video.contentHint, media.snapshot.screen], ['screen', true, 'detail', true]);
  media.tracks.video.end(); // the browser's own "Stop sharing"
  assert.deepEqual([media.tracks.video, media.snapshot.screen], [camera, false]);
  devices.screen = 'NotAllowedError';
  await media.shareScreen(true);
  assert.deepEqual([media.snapshot.screen, media.snapshot.error], [false, 'screen-denied']);
});

test('a track that ends is noticed and told', async () => {
  await media.start({ audio: true, video: true });
  const told = [];
  media.subscribe((s) => told.push([s.audio, s.video, s.error]));
  track('video').end();
  await Promise.resolve();
  assert.deepEqual(told.at(-1), ['on', 'lost', 'camera-lost']);
  track('audio').end();
  await Promise.resolve();
  assert.deepEqual(states(), ['lost', 'lost', 'microphone-lost']);
  assert.equal(media.snapshot.stream, null);
});

test('an interruption that does not end is answered with a new track', async (t) => {
  holdTime();
  t.after(releaseTime);
  await media.start({ audio: true, video: false });
  const first = track('audio');
  first.interrupt(true);
  first.interrupt(false);
  leap(3_000);
  await turn();
  assert.equal(track('audio'), first, 'a short one is waited out');
  first.interrupt(true);
  leap(3_000);
  await turn();
  assert.notEqual(track('audio'), first);
  assert.deepEqual([first.readyState, live()], ['ended', ['audio']]);
});

test('what replaces an interrupted track and fails or is silent itself is tried again when the interruption ends', async (t) => {
  holdTime();
  t.after(releaseTime);
  const page = Object.assign(new EventTarget(), { hidden: false });
  media = new Media(devices, page);
  const pass = async () => {
    leap(3_000);
    await turn();
  };
  const show = async () => {
    page.dispatchEvent(new Event('visibilitychange'));
    await pass();
  };
  await media.start({ audio: true, video: false });

  // During a phone call the microphone is refused; the track lives again later, without sound.
  const first = track('audio');
  devices.audio = 'NotReadableError';
  first.interrupt(true);
  await pass();
  assert.deepEqual([track('audio'), states()], [first, ['on', 'off', 'microphone-busy']]);
  devices.audio = null;
  first.interrupt(false);
  await turn();
  const second = track('audio');
  assert.notEqual(second, first);
  assert.deepEqual([first.readyState, live(), states()], ['ended', ['audio'], ['on', 'off', null]]);

  // The next one brings a track that is silent from the start, and says no more.
  devices.muted = true;
  second.interrupt(true);
  await pass();
  const third = track('audio');
  assert.deepEqual([third === second, third.muted], [false, true]);
  const asked = devices.asked.length;
  await pass();
  await pass();
  assert.equal(devices.asked.length, asked, 'it is not asked for over and over');
  devices.muted = false;
  page.hidden = true;
  await show();
  assert.equal(track('audio'), third);
  page.hidden = false;
  await show();
  assert.notEqual(track('audio'), third);
  assert.deepEqual([track('audio').muted, live()], [false, ['audio']]);

  // A short look away is waited out.
  const last = track('audio');
  last.muted = true;
  page.dispatchEvent(new Event('visibilitychange'));
  last.interrupt(false);
  await pass();
  assert.equal(track('audio'), last);
});

test('stop lets go of everything in the same turn, also of what is still to come', async () => {
  await media.start({ audio: true, video: true });
  await media.shareScreen(true);
  media.stop();
  media.stop();
  assert.deepEqual([live(), states(), media.snapshot.stream], [[], ['off', 'off', null], null]);

  let answer = () => {};
  devices.gate = new Promise((resolve) => (answer = resolve));
  const starting = media.start({ audio: true, video: true });
  const sharing = media.shareScreen(true);
  await Promise.resolve();
  media.stop();
  answer();
  await Promise.all([starting, sharing]);
  assert.deepEqual([live(), states(), media.tracks.screen], [[], ['off', 'off', null], false]);

  await media.start({ audio: true, video: false });
  assert.deepEqual(live(), ['audio'], 'and it can begin again');
});

test('a refusal that comes after stop is not told', async () => {
  let answer = () => {};
  devices.gate = new Promise((resolve) => (answer = resolve));
  devices.audio = devices.video = 'NotAllowedError';
  const starting = media.start({ audio: true, video: true });
  await Promise.resolve();
  media.stop();
  answer();
  await starting;
  assert.deepEqual(states(), ['off', 'off', null]);
});
