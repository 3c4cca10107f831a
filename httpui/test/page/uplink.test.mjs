// What a connection is given to carry: half a picture first, the whole one when
// there is room; on a weak line the picture goes before the sound suffers, and
// comes back step by step.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Uplink } from '../../static/call/uplink.js';

const tick = 400;
const start = 1_000_000;
const direct = { relayed: false, streamed: false, roundTrip: 0.03, answers: NaN };
const relayed = { ...direct, relayed: true };
const streamed = { ...relayed, streamed: true };
const good = { weak: false, half: true, whole: true };
const weak = { weak: true, half: false, whole: false };
const lines = {
  good: { ...good, ...direct },
  narrow: { weak: false, half: false, whole: false, ...direct },
  weak: { ...weak, ...direct },
  unknown: { weak: false, half: false, whole: true, ...direct },
  relayed: { ...good, ...relayed },
  tcp: { ...good, ...streamed },
  'tcp far': { ...good, ...streamed, roundTrip: 0.3 },
  'tcp late': { ...good, ...streamed, roundTrip: 0.5 },
  'tcp weak': { ...weak, ...streamed, roundTrip: 2 },
};

/** What is sent over a line that is so for some seconds, then so, …: "seconds share" whenever it changes. */
function through(steps, uplink = new Uplink()) {
  const changes = [];
  let at = start;
  let end = at;
  for (const [seconds, line] of steps) {
    for (end += seconds * 1000; at < end; at += tick) {
      const before = uplink.share;
      uplink.look(at, lines[line]);
      if (uplink.share !== before) changes.push(`${((at - start) / 1000).toFixed(0)} ${uplink.share}`);
    }
  }
  return changes;
}

test('a line with room gets the whole picture soon, and keeps it', () => {
  assert.deepEqual([new Uplink().share, new Uplink().paused], ['voice', false]);
  assert.deepEqual(through([[600, 'good']]), ['0 half', '1 all']);
  assert.deepEqual(through([[60, 'narrow']]), ['0 half']);
  assert.deepEqual(through([[10, 'narrow'], [10, 'good'], [60, 'narrow']]), ['0 half', '10 all'], 'what is whole stays whole: the browser does the rest');
});

test('through a relay it begins small', () => {
  assert.deepEqual(through([[60, 'relayed']]), ['0 small', '2 half', '3 all']);
});

test('over TCP a picture comes at once if answers do, and else after a pause in which they came evenly', () => {
  assert.deepEqual(through([[60, 'tcp']]), ['0 small', '2 half', '3 all']);
  assert.deepEqual(through([[60, 'tcp far']]), ['30 small', '32 half', '33 all']);
  assert.deepEqual(through([[60, 'tcp late']]), ['30 small'], 'it does not grow');
  const uneven = Array.from({ length: 30 }, (_, i) => [5, i % 2 ? 'tcp' : 'tcp far']);
  assert.deepEqual(through([[1, 'tcp late'], ...uneven]), ['120 small', '122 half', '123 all']);
});

test('over TCP what is too much is given up sooner, and for longer', () => {
  assert.deepEqual(through([[4, 'tcp'], [200, 'tcp weak']]), ['0 small', '2 half', '3 all', '5 voice', '125 small', '126 voice']);
  assert.deepEqual(through([[1, 'tcp'], [30, 'tcp weak'], [60, 'tcp']]), ['0 small', '2 voice', '62 small', '64 half', '65 all']);
});

test('over TCP a picture grows when answers have come since', () => {
  const uplink = new Uplink();
  const look = (seconds, answers) => {
    uplink.look(start + 1000 * seconds, { ...lines.tcp, answers });
    return uplink.share;
  };
  assert.deepEqual([look(0, 7), look(3, 7), look(4, 8), look(20, 8)], ['small', 'small', 'small', 'small']);
  assert.deepEqual([look(21, 9), look(23, 10), look(24, 11)], ['half', 'half', 'all']);
  const another = new Uplink();
  another.look(start, { ...lines.tcp, answers: 50 });
  another.look(start + 2_000, { ...lines.tcp, answers: 2 });
  assert.equal(another.share, 'half', 'of another connection');
});

test('over TCP silence is weakness, and a new connection is taken for what it is', () => {
  const uplink = new Uplink();
  through([[4, 'tcp']], uplink);
  uplink.silent(start + 4_000);
  assert.equal(uplink.share, 'voice');
  uplink.silent(start + 4_400);
  assert.equal(uplink.share, 'voice', 'nothing goes on by itself');
  for (const [line, share] of [['tcp', 'small'], ['tcp far', 'voice'], ['relayed', 'all'], ['good', 'all']]) {
    const moved = new Uplink();
    through([[4, 'good']], moved);
    moved.connected();
    moved.look(start + 4_000, lines[line]);
    assert.equal(moved.share, share, line);
  }
  const unseen = new Uplink();
  unseen.silent(start);
  unseen.look(start, lines.tcp);
  assert.equal(unseen.share, 'small', 'silence before the first look says nothing');
});

test('a browser that does not know its uplink is trusted, but less after a pause', () => {
  assert.deepEqual(through([[60, 'unknown']]), ['0 half', '1 all']);
  assert.deepEqual(through([[4, 'weak'], [60, 'unknown']]), ['0 half', '1 voice', '6 sound', '10 small', '18 half', '19 all']);
});

test('a moment of weakness is none, a second is', () => {
  assert.deepEqual(through([[4, 'good'], [0.8, 'weak'], [10, 'good']]), ['0 half', '1 all']);
  assert.deepEqual(through([[4, 'good'], [2, 'weak']]), ['0 half', '1 all', '5 voice']);
});

test('a line that is good again carries better sound, a small picture, half of it, and then all', () => {
  assert.deepEqual(through([[4, 'weak'], [60, 'good']]), ['0 half', '1 voice', '6 sound', '10 small', '12 half', '13 all']);
  assert.deepEqual(through([[4, 'weak'], [60, 'narrow']]), ['0 half', '1 voice', '6 sound', '10 small', '18 half']);
});

test('the picture is not tried while sound alone is too much, and ever more seldom', () => {
  const changes = through([[300, 'weak']]);
  assert.ok(changes.slice(1).every((c) => /voice|sound/.test(c)), changes);
  const tries = changes.filter((c) => / sound/.test(c)).map(parseFloat);
  const waits = tries.slice(1).map((t, i) => t - tries[i]);
  assert.deepEqual(waits.map(Math.round), [14, 24, 44, 64, 64, 64]); // 4 s of trying, and 10, 20, 40, 60 s
});

test('a picture that came back in vain waits longer, one that stayed does not', () => {
  assert.deepEqual(through([[4, 'weak'], [8, 'good'], [20, 'weak']]), ['0 half', '1 voice', '6 sound', '10 small', '13 voice', '23 sound', '27 voice']);
  assert.deepEqual(through([[4, 'weak'], [8, 'good'], [4, 'weak'], [40, 'good'], [2, 'weak'], [7, 'good']]).slice(4), [
    '13 voice', '23 sound', '27 small', '29 half', '30 all', '57 voice', '62 sound']);
});

test('who turns the camera on is seen at once, if only small', () => {
  const uplink = new Uplink();
  through([[4, 'weak']], uplink);
  assert.equal(uplink.paused, true);
  uplink.retry(start + 4_000);
  assert.deepEqual([uplink.share, uplink.paused], ['small', false]);
  const good = new Uplink();
  good.retry(start);
  assert.equal(good.share, 'voice', 'there was no look yet');
});

test('a line that was gone was not weak', () => {
  const uplink = new Uplink();
  through([[4, 'good'], [1.2, 'weak']], uplink);
  assert.equal(uplink.share, 'voice');
  uplink.silent(start + 5_600);
  assert.equal(uplink.share, 'all', 'what was paused just before goes on');
  for (let at = start + 6_000; at < start + 16_000; at += tick) uplink.silent(at);
  for (let at = start + 16_000; at < start + 18_400; at += tick) uplink.look(at, lines.weak);
  assert.equal(uplink.share, 'all', 'the browser finds out first what the line carries now');
  for (let at = start + 18_400; at < start + 22_000; at += tick) uplink.look(at, lines.weak);
  assert.equal(uplink.share, 'voice', 'and then it counts');
  uplink.silent(start + 30_000);
  assert.equal(uplink.share, 'voice', 'a line that is weak and stutters stays weak');
});
