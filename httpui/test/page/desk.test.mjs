// The practitioner's desk against calls and a camera that do nothing by themselves.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import './fakes/words.mjs';
import { Desk } from '../../static/practitioner/desk.js';
import { undoTime } from '../../static/practitioner/undo.js';
import { holdTime, leap, releaseTime, turn } from './fakes/clock.mjs';

const now = 1_763_000_000;

/** @param {string} id */
const appointment = (id, state = 'open') => ({
  id, label: id, starts: now, ends: now + 1800, opens: now - 900, closes: now + 3600, state, test: false, guests: [],
});

const waitingEntry = (member, since = now) => ({ member, role: 'guest', state: 'waiting', name: member, label: '', since, alarm: false });

class FakeCall {
  log = [];
  view = { phase: 'attending', connection: 'online', code: null, refusal: null, welcome: null, waiting: [], members: [], locked: false, peers: [], chat: [], alarm: [] };
  settled = true;
  constructor(id) { this.view = { ...this.view, appointment: id }; }
  subscribe(watch) { this.watch = watch; return () => { this.watch = () => {}; }; }
  say(patch) { this.view = { ...this.view, ...patch }; this.watch(this.view); }
  start(options) { this.log.push(options?.take ? 'take' : 'start'); }
  enter() { this.log.push('enter'); }
  admit(member) { this.log.push(`admit ${member}`); }
  deny(member) { this.log.push(`deny ${member}`); }
  leave() { this.log.push('leave'); }
  stepAside() { this.log.push('step aside'); }
  end() { this.log.push('end'); }
  close() { this.log.push('close'); }
}

class FakeMedia {
  log = [];
  snapshot = { audio: 'off', video: 'off', screen: false, stream: null, inputs: [], error: null };
  starting = Promise.withResolvers?.() ?? deferred();
  async start() {
    this.log.push('start');
    await this.starting.promise;
    this.snapshot = { ...this.snapshot, audio: 'on', video: 'on' };
  }
  async shareScreen(on) {
    this.log.push(on ? 'share' : 'unshare');
    this.snapshot = { ...this.snapshot, screen: on };
  }
  stop() {
    this.log.push('stop');
    this.snapshot = { ...this.snapshot, audio: 'off', video: 'off' };
  }
}

function deferred() {
  let resolve;
  const promise = new Promise((done) => { resolve = done; });
  return { promise, resolve };
}


function desk(ids = ['a', 'b']) {
  const media = new FakeMedia();
  const calls = new Map();
  const seen = { now: null, expired: 0, refusals: [], knocks: [] };
  const d = new Desk({
    media,
    makeCall: (id) => { const call = new FakeCall(id); calls.set(id, call); return call; },
    onChange: (snapshot) => { seen.now = snapshot; },
    onExpired: () => { seen.expired += 1; },
    onRefusal: (code) => seen.refusals.push(code),
    onKnock: ({ member }) => seen.knocks.push(member),
  });
  const update = (appointments) => d.update({ now, practice: 'P', practitioner: 'D', appointments, reach: { kind: 'local', text: { code: '' } } });
  update(ids.map((id) => appointment(id)));
  return { d, media, calls, seen, update };
}

test('attends each appointment whose door is open, and no other', async () => {
  const { calls, update } = desk(['a']);
  update([appointment('a'), appointment('b', 'early'), appointment('c', 'ended'), appointment('d', 'cancelled')]);
  assert.deepEqual([...calls.keys()], ['a']);
  update([appointment('a'), appointment('b')]);
  assert.deepEqual([...calls.keys()], ['a', 'b']);
  assert.deepEqual(calls.get('a').log, ['start']);
});

test('lists who waits in any of them, the first to come first', async () => {
  const { calls, seen } = desk();
  calls.get('a').say({ waiting: [waitingEntry('late', now)] });
  calls.get('b').say({ waiting: [waitingEntry('early', now - 60)], alarm: ['early'] });
  await turn();
  assert.deepEqual(seen.now.waiting.map((w) => [w.member, w.appointment, w.alarm]), [['early', 'b', true], ['late', 'a', false]]);
});

test('admits nobody before the question about the camera is answered', async () => {
  const { d, media, calls, seen } = desk();
  calls.get('a').say({ waiting: [waitingEntry('x')] });
  const admitted = d.admit('a', 'x');
  await turn();
  assert.equal(seen.now.current, 'a');
  assert.ok(!calls.get('a').log.includes('admit x'));
  media.starting.resolve();
  await admitted;
  assert.ok(calls.get('a').log.includes('admit x'));
});

test('admits nobody when the call was left while the question stood', async () => {
  const { d, media, calls } = desk();
  const admitted = d.admit('a', 'x');
  d.leave();
  media.starting.resolve();
  await admitted;
  assert.ok(!calls.get('a').log.includes('admit x'));
});

test('steps out of one call before another guest enters, and keeps the camera', async () => {
  const { d, media, calls } = desk();
  media.starting.resolve();
  await d.admit('a', 'x');
  await d.admit('b', 'y');
  assert.deepEqual(calls.get('a').log, ['start', 'admit x', 'leave']);
  assert.deepEqual(calls.get('b').log, ['start', 'admit y']);
  assert.ok(!media.log.includes('stop'));
});

for (const way of ['admit', 'enter']) {
  test(`a shared screen stays in its call: ${way}`, async () => {
    const { d, media, calls } = desk();
    media.starting.resolve();
    await d.admit('a', 'x');
    await media.shareScreen(true);
    await d.admit('a', 'z');
    assert.equal(media.snapshot.screen, true, 'one more guest of the same call sees it');
    const seen = [];
    calls.get('b')[way] = () => seen.push(media.snapshot.screen);
    await d[way]('b', 'y');
    assert.deepEqual(seen, [false]);
    assert.equal(media.snapshot.audio, 'on');
  });
}

test('does not turn on a camera that was turned off', async () => {
  const { d, media, calls } = desk();
  media.starting.resolve();
  await d.admit('a', 'x');
  media.snapshot = { ...media.snapshot, video: 'off' };
  await d.admit('a', 'y');
  assert.deepEqual(media.log, ['start']);
  assert.ok(calls.get('a').log.includes('admit y'));
});

for (const way of ['leave', 'end']) {
  test(`camera and microphone are off after ${way}, and the room is still attended`, async () => {
    const { d, media, calls, seen } = desk();
    media.starting.resolve();
    await d.admit('a', 'x');
    d[way]();
    await turn();
    assert.equal(media.log.at(-1), 'stop');
    assert.equal(seen.now.current, null);
    assert.equal(calls.get('a').log.at(-1), way === 'end' ? 'step aside' : way);
  });
}

/** A practitioner in a call with x, and y at the door of another; the clock is the test's. */
async function inCall(t) {
  const it = desk();
  it.media.starting.resolve();
  await it.d.admit('a', 'x');
  it.calls.get('b').say({ waiting: [waitingEntry('y')] });
  await turn();
  holdTime();
  t.after(releaseTime);
  return { ...it, names: () => it.seen.now.waiting.map(({ member }) => member) };
}

test('the end for everyone can be taken back until it is told', async (t) => {
  const { d, calls, seen, media } = await inCall(t);
  d.end();
  await turn();
  assert.deepEqual([seen.now.undo, seen.now.current], [{ kind: 'end', appointment: 'a' }, null]);
  leap(undoTime - 1);
  d.takeBack();
  await turn();
  assert.deepEqual([seen.now.undo, seen.now.current], [null, 'a']);
  assert.deepEqual(calls.get('a').log.slice(-2), ['step aside', 'enter']);
  assert.equal(media.log.at(-1), 'start', 'the camera is on again');
  leap(2 * undoTime);
  assert.ok(!calls.get('a').log.includes('end'));
});

test('going back into the call takes its end back', async (t) => {
  const { d, calls } = await inCall(t);
  d.end();
  d.enter('a');
  leap(2 * undoTime);
  assert.deepEqual(calls.get('a').log.slice(-2), ['step aside', 'enter']);
});

for (const [way, act] of Object.entries({
  'after a while': () => leap(undoTime),
  'when asked to': ({ d }) => d.finish(),
  'when the next call begins': ({ d }) => d.admit('b', 'y'),
  'when the next guest of the same appointment is let in': ({ d }) => d.admit('a', 'z'),
  'when somebody is denied': ({ d }) => d.deny('b', 'y'),
  'when the page goes away': ({ d }) => d.close(),
})) {
  test(`the end for everyone is told ${way}, once`, async (t) => {
    const it = await inCall(t);
    it.d.end();
    await act(it);
    leap(2 * undoTime);
    const { log } = it.calls.get('a');
    assert.equal(log.filter((entry) => entry === 'end').length, 1);
    assert.ok(log.indexOf('end') === log.indexOf('step aside') + 1, log.join());
  });
}

test('who is denied is off the list at once, and told when it can no longer be taken back', async (t) => {
  const { d, calls, seen, names } = await inCall(t);
  seen.knocks.length = 0;
  d.deny('b', 'y');
  await turn();
  assert.deepEqual([names(), seen.now.undo.name], [[], 'y']);
  d.takeBack();
  await turn();
  assert.deepEqual([names(), seen.now.undo, seen.knocks], [['y'], null, []], 'they are back without a knock');
  leap(2 * undoTime);
  assert.ok(!calls.get('b').log.includes('deny y'));
  d.deny('b', 'y');
  d.consider('pointer', true);
  leap(2 * undoTime);
  assert.ok(!calls.get('b').log.includes('deny y'), 'the time stands still while somebody decides');
  d.consider('focus', true);
  d.consider('pointer', false);
  leap(2 * undoTime);
  assert.ok(!calls.get('b').log.includes('deny y'), 'also by the keyboard, when the pointer has left');
  d.consider('focus', false);
  leap(undoTime);
  assert.ok(calls.get('b').log.includes('deny y'));
});

test('only the latest act can be taken back; one before it is done', async (t) => {
  const { d, calls, names } = await inCall(t);
  calls.get('b').say({ waiting: [waitingEntry('y'), waitingEntry('z')] });
  d.deny('b', 'y');
  d.deny('b', 'z');
  assert.deepEqual(calls.get('b').log, ['start', 'deny y']);
  d.takeBack();
  calls.get('b').say({ waiting: [waitingEntry('z')] });
  await turn();
  assert.deepEqual(names(), ['z']);
});

test('the end of the window does not cut a running call', async () => {
  const { d, media, calls, update } = desk();
  media.starting.resolve();
  await d.admit('a', 'x');
  update([appointment('a', 'ended'), appointment('b', 'ended')]);
  assert.ok(!calls.get('a').log.includes('close'));
  assert.ok(calls.get('b').log.includes('close'));
});

test('nor does it let go of somebody who knocked in time', async () => {
  const { calls, update, seen } = desk(['a']);
  calls.get('a').say({ waiting: [waitingEntry('x')] });
  update([appointment('a', 'ended')]);
  await turn();
  assert.deepEqual(seen.now.waiting.map((w) => w.member), ['x']);
  calls.get('a').say({ waiting: [] });
  update([appointment('a', 'ended')]);
  assert.equal(calls.get('a').log.at(-1), 'close');
});

test('a call that the node ends says why, and its camera goes off', async () => {
  const { d, media, calls, seen } = desk();
  media.starting.resolve();
  await d.admit('a', 'x');
  calls.get('a').say({ phase: 'ended', code: 'too-slow' });
  await turn();
  assert.equal(seen.now.over, 'too-slow');
  assert.equal(seen.now.current, null);
  assert.equal(media.log.at(-1), 'stop');
});

test('a room that ended unexpectedly is attended again after a pause', (t) => {
  holdTime();
  t.after(releaseTime);
  const { calls, update } = desk(['a']);
  const first = calls.get('a');
  first.say({ phase: 'ended', code: 'internal' });
  update([appointment('a')]);
  assert.equal(calls.get('a'), first);
  leap(5_000);
  assert.notEqual(calls.get('a'), first);
});

test('another tab takes over, and gives back', async () => {
  const { d, media, calls, seen } = desk(['a']);
  media.starting.resolve();
  await d.admit('a', 'x');
  calls.get('a').say({ phase: 'elsewhere', code: 'replaced' });
  await turn();
  assert.equal(seen.now.elsewhere, true);
  assert.equal(seen.now.current, null);
  assert.equal(media.log.at(-1), 'stop');
  d.take();
  assert.equal(calls.get('a').log.at(-1), 'take');
});

test('a session that is over is told once, a refusal by its code', () => {
  const { calls, seen } = desk();
  const refusal = { code: 'room-full' };
  for (let i = 0; i < 2; i++) calls.get('a').say({ refusal });
  assert.deepEqual(seen.refusals, ['room-full']);
  calls.get('a').say({ refusal: { ...refusal } });
  assert.deepEqual(seen.refusals, ['room-full', 'room-full'], 'and a second refusal again');
  calls.get('a').say({ phase: 'ended', code: 'unauthorized' });
  assert.equal(seen.expired, 1);
});

test('each newcomer knocks once', async () => {
  const { calls, seen } = desk();
  for (const waiting of [['x'], ['x'], ['x', 'y'], ['y'], ['x', 'y']]) {
    calls.get('a').say({ waiting: waiting.map((m) => waitingEntry(m)) });
    await turn();
  }
  calls.get('b').say({ waiting: [waitingEntry('z')] });
  await turn();
  assert.deepEqual(seen.knocks, ['x', 'y', 'x', 'z']);
});

for (const way of ['leave', 'admit somebody else']) {
  test(`who is back at the door because of ${way} does not knock, somebody new does`, async (t) => {
    const { d, media, calls, seen } = desk();
    media.starting.resolve();
    await d.admit('a', 'x');
    calls.get('a').say({ members: [{ ...waitingEntry('x'), state: 'admitted' }] });
    await turn();
    holdTime();
    t.after(releaseTime);
    if (way === 'leave') d.leave();
    else await d.admit('b', 'y');
    calls.get('a').say({ members: [], waiting: [waitingEntry('x')] });
    await turn();
    calls.get('a').say({ waiting: [waitingEntry('x'), waitingEntry('new')] });
    await turn();
    assert.deepEqual(seen.knocks, ['new']);
    calls.get('a').say({ waiting: [] });
    await turn();
    leap(3_000);
    calls.get('a').say({ waiting: [waitingEntry('x')] });
    await turn();
    assert.deepEqual(seen.knocks, ['new', 'x']);
  });
}

test('close lets go of everything', async () => {
  const { d, media, calls } = desk();
  media.starting.resolve();
  await d.admit('a', 'x');
  d.close();
  for (const call of calls.values()) assert.equal(call.log.at(-1), 'close');
  assert.equal(media.log.at(-1), 'stop');
});

test('settles when the node has confirmed what was decided, or does not answer', async (t) => {
  const { d, calls } = await inCall(t);
  const call = calls.get('b');
  for (const answer of [() => { call.settled = true; call.say({}); }, () => leap(1_000)]) {
    call.settled = false;
    let settled = false;
    d.deny('b', 'y');
    const settling = d.settle().then(() => { settled = true; });
    assert.equal(call.log.at(-1), 'deny y');
    call.say({});
    await turn();
    assert.equal(settled, false);
    answer();
    await settling;
  }
});
