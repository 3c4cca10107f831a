// What is said when camera, microphone or speaker cannot be used, in every
// combination, and what is used in their place.
import assert from 'node:assert/strict';
import test, { beforeEach } from 'node:test';
import './fakes/words.mjs';
import { turn } from './fakes/clock.mjs';
import { FakeTrack, PluggedDevices } from './fakes/media.mjs';
import { Drawn } from './fakes/view.mjs';
import { Media } from '../../static/call/media.js';
import { callView } from '../../static/call/screen/view-call.js';
import { deviceCheck } from '../../static/call/screen/view-check.js';
import { guestView } from '../../static/guest/view-guest.js';

globalThis.matchMedia ??= () => ({ matches: false });
globalThis.HTMLMediaElement ??= class { setSinkId() {} };
const { callIntents, newCallUi } = await import('../../static/call/screen/call-page.js');

const act = new Proxy({}, { get: () => () => {} });
beforeEach(() => FakeTrack.live.clear());

const names = { audio: 'microphone', video: 'camera' };
const inputs = { audio: 'audioinput', video: 'videoinput' };
/** How each comes about. */
const causes = {
  ok: () => {},
  refused: (devices, kind) => { devices[kind] = 'NotAllowedError'; },
  busy: (devices, kind) => { devices[kind] = 'NotReadableError'; },
  aborted: (devices, kind) => { devices[kind] = 'AbortError'; }, // Firefox's word for busy
  missing: (devices, kind) => { devices.ids = devices.ids.filter((id) => !id.startsWith(inputs[kind])); },
  lost: () => {}, // after it was there
};
const said = { refused: /may not use/, busy: /in use by another program/, missing: /found/, lost: /disconnected/ };
const agent = { system: 'other', browser: 'chrome', inApp: false };
const checkUi = { phase: 'ready', speakerAsked: false, heard: null, path: null, speaker: '', agent };
const check = (media) => new Drawn(deviceCheck(media, checkUi, act)).text;
const call = (media) => new Drawn(callView({
  practice: 'P', subject: '', peers: [], chat: [], online: true, held: false, now: 0, ends: 0, relayOnly: false, media, canShare: true, canFlip: false,
  empty: 'Nobody', alarm: '', ui: newCallUi(), host: null,
}, act, null)).text;

/** What text says is the matter, and with what. */
const facts = (text) => text.split('.').flatMap((sentence) => Object.entries(said).filter(([, words]) => words.test(sentence))
  .flatMap(([cause]) => Object.values(names).filter((name) => sentence.toLowerCase().includes(name)).map((name) => `${name} ${cause}`))).sort();

for (const audio of Object.keys(causes)) {
  for (const video of Object.keys(causes)) {
    test(`microphone ${audio}, camera ${video}`, async () => {
      const devices = new PluggedDevices('audioinput-1', 'videoinput-1');
      causes[audio](devices, 'audio');
      causes[video](devices, 'video');
      const media = new Media(devices);
      await media.start({ audio: true, video: true });
      const is = { audio, video };
      for (const kind of ['audio', 'video']) if (is[kind] === 'lost') devices.unplug(`${inputs[kind]}-1`);
      await turn();
      const texts = { check: check(media.snapshot), call: call(media.snapshot) };
      const expected = ['video', 'audio'].filter((kind) => is[kind] !== 'ok').map((kind) => `${names[kind]} ${is[kind] === 'aborted' ? 'busy' : is[kind]}`);
      for (const text of Object.values(texts)) {
        assert.deepEqual(facts(text), expected, text);
        if (audio !== 'ok') assert.doesNotMatch(text, /can talk/);
      }
      assert.equal(/You can talk without/.test(texts.check), audio === 'ok' && video !== 'ok');
      assert.equal(/Without a microphone you can listen and write/.test(texts.check), audio !== 'ok');
      assert.equal(/Try again/.test(texts.check), audio !== 'ok' || video !== 'ok');
    });
  }
}

for (const [kind, input] of Object.entries(inputs)) {
  const name = names[kind];
  const make = async () => {
    const devices = new PluggedDevices(...['audioinput', 'videoinput'].flatMap((each) => [1, 2, 3].map((n) => `${each}-${n}`)));
    const media = new Media(devices);
    await media.start({ audio: true, video: true });
    return { devices, media, used: () => media.tracks[kind]?.deviceId ?? null };
  };

  test(`a chosen ${name} that is unplugged gives way to another by itself, and can be chosen when it is back`, async () => {
    const { devices, media, used } = await make();
    await media.switchDevice(input, `${input}-3`);
    assert.equal(used(), `${input}-3`);
    if (kind === 'audio') media.mute(true);
    devices.unplug(`${input}-3`);
    await turn();
    await turn();
    assert.deepEqual([used(), media.snapshot.error], [`${input}-1`, `${name}-other`]);
    if (kind === 'audio') assert.equal(media.tracks.audio.enabled, false, 'who was muted stays so');
    for (const text of [check(media.snapshot), call(media.snapshot)]) assert.match(text, new RegExp(`The ${name} that was chosen cannot be used now, so another one is in use`));
    devices.plug(`${input}-3`);
    await turn();
    assert.equal(used(), `${input}-1`, 'nothing changes by itself while all is well');
    await media.switchDevice(input, `${input}-3`);
    assert.deepEqual([used(), media.snapshot.error], [`${input}-3`, null]);
    assert.equal([...FakeTrack.live].filter((track) => track.kind === kind).length, 1);
  });

  test(`a chosen ${name} that is gone before it is asked for is not insisted on`, async () => {
    const { devices, media, used } = await make();
    await media.switchDevice(input, `${input}-3`);
    media.stop();
    devices.unplug(`${input}-3`);
    await media.start({ audio: true, video: true });
    assert.deepEqual([used(), media.snapshot[kind], media.snapshot.error], [`${input}-1`, 'on', `${name}-other`]);
    media.stop();
    await media.start({ audio: true, video: true });
    assert.deepEqual([used(), media.snapshot.error], [`${input}-1`, null], 'said once');
  });

  test(`a chosen ${name} that is busy gives way to the next that is free`, async () => {
    const { devices, media, used } = await make();
    await media.switchDevice(input, `${input}-3`);
    media.stop();
    for (const n of [1, 3]) devices.busy.add(`${input}-${n}`);
    await media.start({ audio: true, video: true });
    assert.deepEqual([used(), media.snapshot.error], [`${input}-2`, `${name}-other`]);
  });

  test(`a ${name} that cannot be had leaves the present one`, async () => {
    const { devices, media, used } = await make();
    devices.busy.add(`${input}-2`);
    await media.switchDevice(input, `${input}-2`);
    assert.deepEqual([used(), media.snapshot[kind], media.snapshot.error], [`${input}-1`, 'on', `${name}-kept`]);
  });

  test(`a ${name} that nobody chose is replaced as well, one that ends and is still there is not`, async () => {
    const { devices, media, used } = await make();
    media.tracks[kind].end();
    await turn();
    assert.deepEqual([used(), media.snapshot[kind], media.snapshot.error], [null, 'lost', `${name}-lost`]);
    await media.start({ audio: true, video: true });
    devices.unplug(`${input}-1`);
    await turn();
    await turn();
    assert.deepEqual([used(), media.snapshot.error], [`${input}-2`, `${name}-other`]);
  });

  test(`a ${name} that was turned off stays off when it is unplugged`, async () => {
    const { devices, media } = await make();
    if (kind === 'audio') media.mute(true);
    else media.camera(false);
    const asked = devices.asked.length;
    if (kind === 'video') devices.unplug('videoinput-1');
    await turn();
    assert.equal(devices.asked.length, asked);
  });

  test(`what is stopped while another ${name} is looked for stays stopped`, async () => {
    const { devices, media, used } = await make();
    devices.unplug(`${input}-1`);
    media.stop();
    await turn();
    await turn();
    assert.deepEqual([used(), FakeTrack.live.size, media.snapshot.error], [null, 0, null]);
  });
}

test('a speaker that is unplugged or refuses gives way to the usual one, and that is said', async () => {
  const devices = new PluggedDevices('audioinput-1', 'audiooutput-1', 'audiooutput-2');
  const media = new Media(devices);
  await media.start({ audio: true, video: false });
  const heard = [];
  const ui = { value: newCallUi(), set(patch) { this.value = { ...this.value, ...patch }; } };
  const intents = callIntents({ media, ui, sounds: { useSpeaker: (id) => heard.push(id) }, sendChat() {}, leave() {}, end() {}, play: async () => {} });
  intents.switchDevice('audiooutput', 'audiooutput-2');
  await turn();
  assert.deepEqual([ui.value.speaker, media.snapshot.error], ['audiooutput-2', null]);
  devices.unplug('audiooutput-2');
  await turn();
  assert.deepEqual([ui.value.speaker, heard.at(-1), media.snapshot.error], ['', '', 'speaker-other']);
  assert.match(check(media.snapshot), /The speaker that was chosen cannot be used now, so the usual one is in use\./);
  devices.plug('audiooutput-2');
  await turn();
  intents.switchDevice('audiooutput', 'audiooutput-2');
  assert.equal(ui.value.speaker, 'audiooutput-2', 'it can be chosen again');
  intents.speakerRefused();
  assert.deepEqual([ui.value.speaker, media.snapshot.error], ['', 'speaker-other']);
  assert.equal(media.snapshot.audio, 'on');
});

test('who waits without a picture is not told that somebody sees one', () => {
  const welcome = { state: 'open', now: 1, opens: 0, starts: 0, ends: 2, closes: 3, practice: 'P', practitioner: 'Dr Lee', ice_servers: [], relay_only: false, demo: false };
  const waiting = (media) => new Drawn(guestView({
    trouble: null, call: { phase: 'waiting', connection: 'online', code: null, welcome, self: 'm', alarm: false, peers: [], chat: [] }, media, checking: true,
    talked: false, online: true, now: 1, served: 'x', name: 'Ada', check: checkUi, ui: newCallUi(), canShare: true, canFlip: false, copied: false,
  }, act)).text;
  const media = { audio: 'on', video: 'on', screen: false, stream: { getTracks: () => [] }, inputs: [], error: null };
  assert.match(waiting(media), /Only you see this picture/);
  for (const video of ['off', 'denied', 'missing', 'busy', 'lost']) assert.doesNotMatch(waiting({ ...media, video }), /this picture/);
  assert.doesNotMatch(waiting({ ...media, audio: 'denied', video: 'denied', stream: null }), /this picture|can talk/);
});
