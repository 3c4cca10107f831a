// What getStats says, made into what a person is told. The fixtures are a call
// between Chromium 156 and Firefox 153.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { Meter, NO_TRUTH, sample } from '../../static/call/stats.js';

const fixtures = JSON.parse(readFileSync(new URL('fixtures/stats.json', import.meta.url), 'utf8'));
const report = (stats) => new Map(stats.map((s) => [s.id, s]));
const changed = (stats, type, fields) => report(stats.map((s) => (s.type === type ? { ...s, ...fields } : s)));

test('the truth of a direct call, as both browsers tell it', () => {
  for (const browser of ['chromium', 'firefox']) {
    assert.deepEqual(sample(report(fixtures[browser])).truth, {
      path: 'direct', dtls: 'DTLS 1.3', cipher: 'SRTP_AES128_CM_HMAC_SHA1_80', dtlsCipher: 'TLS_AES_128_GCM_SHA256', relay: null,
    }, browser);
  }
});

test('a relay on either side is a relay, and ours has a name', () => {
  const local = changed(fixtures.chromium, 'local-candidate', { candidateType: 'relay', url: 'turns:relay.example:443?transport=tcp' });
  assert.deepEqual([sample(local).truth.path, sample(local).truth.relay], ['relay', 'relay.example']);
  const v6 = changed(fixtures.chromium, 'local-candidate', { candidateType: 'relay', url: 'turn:[2001:db8::1]:3478' });
  assert.equal(sample(v6).truth.relay, '[2001:db8::1]');
  const silent = changed(fixtures.firefox, 'local-candidate', { candidateType: 'relay' });
  assert.equal(sample(silent).truth.relay, '', 'Firefox does not say which');
  const remote = changed(fixtures.firefox, 'remote-candidate', { candidateType: 'relay' });
  assert.deepEqual([sample(remote).truth.path, sample(remote).truth.relay], ['relay', null]);
});

test('a way over TCP is known at both ends', () => {
  const local = (fields) => sample(changed(fixtures.chromium, 'local-candidate', fields)).streamed;
  const remote = (fields) => sample(changed(fixtures.firefox, 'remote-candidate', fields)).streamed;
  const priority = (preference) => preference * 2 ** 24 + 7_000_000;
  for (const browser of ['chromium', 'firefox']) assert.equal(sample(report(fixtures[browser])).streamed, false, browser);
  assert.equal(local({ candidateType: 'relay', relayProtocol: 'udp' }), false);
  assert.equal(local({ candidateType: 'relay', relayProtocol: 'tcp' }), true);
  assert.equal(local({ candidateType: 'relay', relayProtocol: 'tls' }), true);
  assert.equal(local({ candidateType: 'host', protocol: 'tcp' }), true, 'without a relay');
  for (const [preference, streamed] of [[0, true], [1, true], [2, false], [5, false]]) { // Chromium: TLS, TCP, UDP; Firefox: TCP, UDP
    assert.equal(remote({ candidateType: 'relay', priority: priority(preference) }), streamed, preference);
  }
  assert.equal(remote({ candidateType: 'srflx', priority: priority(1) }), false);
});

test('nothing is claimed before there is a connection', () => {
  assert.deepEqual(sample(new Map()).truth, NO_TRUTH);
  assert.deepEqual(new Meter().truth, NO_TRUTH);
  const unknown = changed(fixtures.chromium, 'transport', { tlsVersion: 'ABCD', srtpCipher: undefined });
  assert.deepEqual([sample(unknown).truth.dtls, sample(unknown).truth.cipher], ['', '']);
});

test('both browsers count what came', () => {
  for (const browser of ['chromium', 'firefox']) {
    const s = sample(report(fixtures[browser]));
    assert.ok(s.bytes > 40_000 && s.frames > 30 && s.audioPackets > 80 && s.at > 0, browser);
  }
});

/** A meter that was fed a second of an ordinary call, then what change makes of each sample. */
function metered(change, { count = 4, expectsPicture = true } = {}) {
  const meter = new Meter();
  const base = {
    at: 0, bytes: 0, audioPackets: 0, audioLost: 0, frames: 0, videoPackets: 0, roundTrip: 0.05, lossOut: 0, uplink: 900_000, sendsVideo: true, limit: 'none', soundLossOut: 0, streamed: false, answers: NaN,
    truth: NO_TRUTH,
  };
  for (let i = -8; i < 4 + count; i++) {
    const s = { ...base, at: 500 * i, bytes: 10_000 * i, audioPackets: 25 * i, frames: 15 * i, videoPackets: 60 * i };
    meter.verdict(expectsPicture);
    meter.add(i < 4 ? s : { ...s, ...change(s, i - 3) });
  }
  return { meter, ...meter.verdict(expectsPicture) };
}

test('an ordinary call is good', () => {
  const { quality, reason, meter } = metered(() => ({}));
  assert.deepEqual([quality, reason, meter.silent, meter.pictures], ['good', null, false, true]);
});

test('each fault has its reason', () => {
  const faults = {
    'loss-in': (s, i) => ({ audioLost: 3 * i, audioPackets: s.audioPackets - 3 * i }),
    'loss-out': () => ({ lossOut: 0.08 }),
    delay: () => ({ roundTrip: 0.5 }),
    bandwidth: () => ({ uplink: 50_000 }),
    cpu: () => ({ limit: 'cpu' }),
    frozen: () => ({ frames: 45 }),
  };
  for (const [reason, change] of Object.entries(faults)) {
    const verdict = metered(change);
    assert.deepEqual([verdict.quality, verdict.reason], ['poor', reason]);
  }
  assert.equal(metered(faults.frozen, { expectsPicture: false }).quality, 'good', 'a camera that is off is not frozen');
  assert.equal(metered(() => ({ uplink: 50_000, sendsVideo: false })).quality, 'good', 'sound alone needs less');
});

test('a weak uplink is weak until it is clearly better', () => {
  const uplinks = [50_000, 65_000, 65_000, 65_000];
  assert.equal(metered((_, i) => ({ uplink: uplinks[i - 1] })).reason, 'bandwidth');
  assert.equal(metered((_, i) => ({ uplink: i === 1 ? 50_000 : 75_000 })).reason, null);
  assert.equal(metered(() => ({ uplink: 65_000 })).reason, null);
});

test('where a browser does not know its uplink, the sound that gets lost tells', () => {
  const { meter } = metered(() => ({ uplink: 0, soundLossOut: 0.3 }));
  assert.equal(meter.weak, true);
  assert.equal(metered(() => ({ uplink: 0, soundLossOut: 0.1 })).meter.weak, false);
  assert.equal(metered(() => ({ soundLossOut: 0.3 })).meter.weak, false, 'one that knows it goes by that');
});

test('what the browser thinks of its uplink while it sends sound alone says nothing of more', () => {
  const alone = (change) => metered(() => ({ sendsVideo: false, uplink: 50_000, ...change })).meter.weak;
  assert.equal(alone({}), false);
  assert.equal(alone({ soundLossOut: 0.3 }), true);
  assert.equal(alone({ roundTrip: 2 }), true, 'more is under way than the line carries');
});

test('over TCP a line is weak as soon as answers are late, or the sound stops', () => {
  const weak = (change) => metered((s, i) => ({ streamed: true, ...change(s, i) })).meter.weak;
  assert.equal(weak(() => ({})), false);
  assert.equal(weak(() => ({ uplink: 100_000 })), true);
  assert.equal(weak(() => ({ roundTrip: 0.7 })), true);
  assert.equal(metered(() => ({ roundTrip: 2 })).meter.weak, false, 'what gets lost would tell first');
  const answered = (last) => metered((_, i) => ({ streamed: true, answers: Math.min(i, last) }), { count: 12 }).meter;
  assert.deepEqual([answered(12).weak, answered(3).weak, answered(2).weak, answered(3).answers], [false, false, true, 3]);
  const stopped = (s) => ({ audioPackets: 75 });
  assert.equal(weak(stopped), true);
  assert.equal(metered(stopped).meter.weak, false, 'not over TCP');
  assert.equal(metered((s) => ({ streamed: true, ...stopped(s) }), { count: 20 }).meter.weak, false, 'it was turned off');
  assert.deepEqual([metered(() => ({ streamed: true })).meter.streamed, new Meter().streamed, new Meter().roundTrip], [true, false, 0]);
});

test('an uplink that the browser only assumes is none that it knows', () => {
  const room = (uplink) => { const { meter } = metered((_, i) => ({ uplink: Array.isArray(uplink) ? uplink[i - 1] : uplink })); return meter.roomFor(400_000); };
  assert.equal(room(3_000_000), true);
  assert.equal(room(300_000), false);
  assert.equal(room([800_000, 610_000, 610_000, 610_000]), true, 'measured once');
  const fresh = new Meter();
  for (const uplink of [600_000, 605_000]) fresh.add({ ...sample(new Map()), at: uplink, uplink });
  assert.deepEqual([fresh.roomFor(400_000), fresh.roomFor(900_000)], [null, false]);
});

test('a picture that begins again is not stuck', () => {
  const { meter } = metered(() => ({ frames: 45 }), { expectsPicture: false });
  assert.equal(meter.verdict(true).reason, null);
});

test('a second without a byte are silence, and coming back is not', () => {
  const still = (s) => ({ bytes: 30_000 });
  assert.equal(metered(still, { count: 1 }).quality, 'good');
  const { meter, quality, reason } = metered(still, { count: 2 });
  assert.deepEqual([meter.silent, quality, reason], [true, 'lost', 'silent']);
  meter.rearm();
  assert.equal(meter.silent, false);
  assert.equal(meter.flowing, false);
  meter.add({ at: 5_000, videoPackets: 0, bytes: 40_000, audioPackets: 0, audioLost: 0, frames: 0, lossOut: 0, roundTrip: 0, uplink: 0, sendsVideo: false, limit: 'none', truth: NO_TRUTH });
  assert.equal(meter.flowing, true);
});

test('somebody who never sent anything is not silent, nor is a page that was asleep', () => {
  const meter = new Meter();
  const s = { bytes: 0, audioPackets: 0, audioLost: 0, frames: 0, videoPackets: 0, roundTrip: 0, lossOut: 0, uplink: 0, sendsVideo: false, limit: 'none', truth: NO_TRUTH };
  for (let i = 0; i < 20; i++) meter.add({ ...s, at: 500 * i });
  assert.equal(meter.silent, false);
  assert.equal(metered((x, i) => ({ at: 1_500 + 60_000 * i, bytes: 30_000 })).meter.silent, false);
});
