// The signalling connection against a WebSocket that is stricter than a
// browser's, with time that only moves when told to.
import assert from 'node:assert/strict';
import test, { afterEach, beforeEach } from 'node:test';
import { Queue } from '../../static/kit/queue.js';
import { Signal } from '../../static/link/signal.js';
import { SignalError } from '../../static/link/socket.js';
import { guestHandshake, hostHandshake } from '../../static/link/handshake.js';
import { MAX_MESSAGE, decode, encode } from '../../static/link/wire.js';
import { holdTime, pass as passing, releaseTime, turn } from './fakes/clock.mjs';
import { fakeWebSocket } from './fakes/websocket.mjs';

const b32 = new Uint8Array(32);
const welcome = {
  state: 'open', now: 1, opens: 1, starts: 1, ends: 1, closes: 1, practice: 'P', practitioner: 'L', sid: b32, k_confirm: b32, resume: b32,
  ice_servers: [], relay_only: false, demo: false,
};
const attend = () => encode('attend', { appointment: 'a', tab: new Uint8Array(16), token: 't', fp: b32, take: false });

beforeEach(() => holdTime());
afterEach(releaseTime);

const settle = async () => {
  for (let i = 0; i < 20; i++) await turn();
};
const pass = async (ms) => {
  await passing(ms);
  await settle();
};

/** A practitioner's Signal and what it told, with a node that greets as told. */
function make({ greet = true, open = true } = {}) {
  const events = new EventTarget();
  const m = { sockets: [], frames: [], told: [], events, greet, open };
  const WebSocket = fakeWebSocket((remote, socket) => {
    m.sockets.push({ remote, socket });
    remote.onframe = (frame) => {
      m.frames.push(decode(frame));
      if (m.greet && m.frames.at(-1).type === 'attend') remote.send(encode('welcome', welcome));
    };
    if (m.open) socket.opened();
  });
  m.signal = new Signal('wss://node.example/ws/host', hostHandshake(attend), {
    onWelcome: (w) => m.told.push(['welcome', w.practice]),
    onMessage: ({ type }) => m.told.push([type]),
    onState: (state, code) => m.told.push([state, code]),
    onEnd: (code) => m.told.push(['end', code]),
  }, { WebSocket, events, random: () => 0 });
  m.last = () => m.sockets.at(-1);
  m.say = (type, body) => m.last().remote.send(encode(type, body));
  return m;
}

test('attends first, is welcomed, and then there are messages both ways', async () => {
  const m = make();
  assert.equal(m.signal.send('ping', {}), false, 'there is no connection yet');
  m.signal.start();
  m.signal.start();
  await settle();
  assert.equal(m.sockets.length, 1);
  assert.deepEqual(m.told, [['online', null], ['welcome', 'P']]);
  assert.equal(m.signal.send('lock', { on: true }), true);
  m.say('alarm', { member: '0123456789abcdef' });
  await settle();
  assert.deepEqual(m.frames.map((f) => f.type), ['attend', 'lock']);
  assert.deepEqual(m.told.at(-1), ['alarm']);
  m.signal.close();
});

test('comes back after 0.25 s, doubling to 2 s, and attends anew', async () => {
  const m = make();
  m.signal.start();
  await settle();
  m.open = false;
  m.last().remote.close(1006, '');
  await settle();
  assert.deepEqual(m.told.at(-1), ['reconnecting', 'not-found']);
  for (const wait of [250, 500, 1000, 2000, 2000, 2000]) {
    const before = m.sockets.length;
    await pass(wait - 50);
    assert.equal(m.sockets.length, before, `before ${wait}`);
    await pass(50);
    assert.equal(m.sockets.length, before + 1, `after ${wait}`);
    m.last().remote.close(1006, '');
    await settle();
  }
  m.open = true;
  await pass(5_000);
  assert.deepEqual(m.told.at(-1), ['welcome', 'P']);
  assert.equal(m.signal.online, true);
  await pass(6_000); // it lives: the next loss begins at 0.25 s again
  m.last().remote.close(1006, '');
  await settle();
  const before = m.sockets.length;
  await pass(250);
  assert.equal(m.sockets.length, before + 1);
  m.signal.close();
});

test('a try that does not connect makes room for another, after 2, 3, 5 and 10 s', async () => {
  const m = make({ open: false });
  m.signal.start();
  for (const [i, ms] of [2000, 3000, 5000, 10_000, 2000].entries()) {
    assert.equal(m.sockets.length, i + 1);
    await pass(ms - 100);
    assert.equal(m.last().socket.readyState, 0, `before ${ms}`);
    await pass(100);
    assert.notEqual(m.last().socket.readyState, 0, `after ${ms}`);
    await pass(Math.min(2000, 250 * 2 ** i));
  }
  m.signal.close();
});

test('does not wait when the device is online again', async () => {
  const m = make({ open: false });
  m.signal.start();
  for (let i = 0; i < 5; i++) {
    m.last().remote.close(1006, '');
    await pass(5_000);
  }
  m.last().remote.close(1006, '');
  await settle();
  const before = m.sockets.length;
  m.events.dispatchEvent(new Event('online'));
  await settle();
  assert.equal(m.sockets.length, before + 1);
  m.signal.close();
});

test('codes of a bye: some are final, the others are for coming back', async () => {
  for (const code of ['ended', 'denied', 'removed', 'seat-taken', 'replaced', 'host-elsewhere', 'early', 'room-full', 'room-locked', 'unauthorized', 'no-such-room', 'not-invited']) {
    const m = make();
    m.signal.start();
    await settle();
    m.say('bye', { code });
    await pass(10_000);
    assert.deepEqual([m.told.at(-1), m.sockets.length], [['end', code], 1], code);
    assert.equal(m.signal.send('ping', {}), false);
  }
  for (const code of ['going-away', 'too-slow', 'internal', 'timeout', 'not-found', 'too-many']) {
    const m = make();
    m.signal.start();
    await settle();
    m.say('bye', { code });
    await settle();
    assert.deepEqual(m.told.at(-1), ['reconnecting', code]);
    await pass(300);
    assert.equal(m.signal.online, true, code);
    m.signal.close();
  }
});

test('why the node closes counts, whatever the page still tries to send', async () => {
  const m = make();
  m.signal.start();
  await settle();
  m.last().socket.readyState = 2; // from here on a browser counts what it is given, and sends none of it
  m.last().socket.bufferedAmount = 40 * MAX_MESSAGE;
  m.signal.send('lock', { on: true });
  await settle();
  m.last().remote.close(4000, 'not-invited');
  await settle();
  assert.deepEqual(m.told.at(-1), ['reconnecting', 'not-invited']);
  m.signal.close();
});

test('a bye in place of the welcome counts, and a code in the close frame does not', async () => {
  const m = make({ greet: false });
  m.signal.start();
  await settle();
  m.say('bye', { code: 'host-elsewhere' });
  await settle();
  assert.deepEqual(m.told, [['end', 'host-elsewhere']]);
  const n = make({ greet: false });
  n.signal.start();
  await settle();
  n.last().remote.close(1008, 'unauthorized');
  await settle();
  assert.deepEqual(n.told, [['reconnecting', 'not-found']]);
  n.greet = true;
  await pass(300);
  assert.equal(n.signal.online, true);
  n.signal.close();
});

test('a node that is silent is asked, and given up 10 s later', async () => {
  const m = make();
  m.signal.start();
  await settle();
  await pass(10_000);
  assert.deepEqual(m.frames.map((f) => f.type), ['attend', 'ping']);
  m.say('pong', {});
  await settle();
  await pass(10_000);
  assert.deepEqual(m.frames.map((f) => f.type), ['attend', 'ping', 'ping']);
  assert.equal(m.told.some(([t]) => t === 'pong'), false);
  await pass(9_900);
  assert.equal(m.signal.online, true);
  await pass(200);
  assert.deepEqual(m.told.at(-1), ['reconnecting', 'timeout']);
  m.signal.close();
});

test('a probe finds a dead connection within 1.5 s', async () => {
  const m = make();
  m.signal.start();
  await settle();
  m.signal.probe();
  m.say('pong', {});
  await pass(3_000);
  assert.equal(m.signal.online, true);
  m.signal.probe();
  await pass(1_600);
  assert.deepEqual(m.told.at(-1), ['reconnecting', 'timeout']);
  m.signal.close();
});

test('a handshake that does not end is given up after 10 s', async () => {
  const m = make({ greet: false });
  m.signal.start();
  await pass(9_900);
  assert.deepEqual(m.told, []);
  await pass(200);
  assert.deepEqual(m.told.at(-1), ['reconnecting', 'timeout']);
  m.signal.close();
});

test('an idle connection that the node lets go of rests until it is needed', async () => {
  const m = make();
  m.signal.idle = true;
  m.signal.start();
  await settle();
  await pass(60_000);
  assert.deepEqual(m.frames.map((f) => f.type), ['attend'], 'nothing is sent to keep it');
  m.say('bye', { code: 'timeout' });
  await pass(60_000);
  assert.deepEqual([m.told.at(-1), m.sockets.length], [['resting', null], 1]);
  m.signal.idle = false;
  m.signal.start();
  await settle();
  assert.equal(m.signal.online, true);
  m.signal.close();
});

test('what is not a message is passed over, and the connection lives', async () => {
  const m = make();
  m.signal.start();
  await settle();
  const before = m.told.length;
  for (const text of ['', '{}', 'null', '{"type":"wave","body":{}}', '{"type":"bye","body":{"code":"because"}}', new Uint8Array([0xff])]) m.last().remote.send(text);
  await settle();
  assert.equal(m.told.length, before);
  assert.equal(m.signal.online, true);
  m.signal.close();
});

test('queues are bounded both ways', async () => {
  const m = make();
  m.signal.start();
  await settle();
  // A page that hangs: frames come while none is read.
  for (let i = 0; i < 200; i++) m.last().socket.dispatchEvent(Object.assign(new Event('message'), { data: encode('pong', {}) }));
  await settle();
  assert.deepEqual(m.told.at(-1), ['reconnecting', 'too-slow']);
  await pass(300);
  m.last().socket.bufferedAmount = 40 * MAX_MESSAGE;
  m.signal.send('lock', { on: true });
  await settle();
  assert.deepEqual(m.told.at(-1), ['reconnecting', 'too-slow']);
  await pass(600);
  let accepted = 0;
  while (accepted < 1_000 && m.signal.send('lock', { on: true })) accepted++;
  assert.equal(accepted, 64);
  m.signal.close();
});

test('a message that may not be sent throws where it is made', async () => {
  const m = make();
  m.signal.start();
  await settle();
  assert.throws(() => m.signal.send('hold', { member: 'x', on: true }), { code: 'bad-message' });
  assert.equal(m.signal.online, true);
  m.signal.close();
});

test('closing lets what was sent leave, and can be done twice, at any moment', async () => {
  const m = make();
  m.signal.close();
  m.signal.start();
  await settle();
  assert.equal(m.sockets.length, 0);
  for (const wait of [0, 1, 2, 3, 5, 20]) {
    const n = make();
    n.signal.start();
    for (let i = 0; i < wait; i++) await turn();
    const sent = n.signal.send('leave', {});
    n.signal.close();
    n.signal.close();
    await settle();
    await pass(20_000);
    assert.equal(n.sockets.length, 1);
    assert.equal(n.frames.some((f) => f.type === 'leave'), sent);
    assert.ok(!n.told.some(([t]) => t === 'end' || t === 'reconnecting'));
    assert.ok(n.last().socket.readyState >= 2);
  }
});

test('a guest sends the key frame first, and messages through the channel', async () => {
  const sent = [];
  const keys = { rendezvous: b32.slice().fill(5), rid: b32 };
  const flip = async (bytes) => bytes.map((b) => b ^ 0xff);
  const handshake = async (conn) => {
    conn.send(new Uint8Array([1, 2]));
    await conn.recv();
    return { channel: { seal: flip, open: flip }, welcome: new TextEncoder().encode(encode('welcome', welcome)), h: b32.slice().fill(3) };
  };
  let remote;
  const WebSocket = fakeWebSocket((end, socket) => {
    remote = end;
    end.onframe = (frame) => sent.push(frame);
    socket.opened();
  });
  const told = [];
  const signal = new Signal('wss://node.example/ws/guest', guestHandshake(keys, handshake), {
    onWelcome: (_, h) => told.push(h[0]), onMessage: ({ type }) => told.push(type), onState: () => {}, onEnd: () => {},
  }, { WebSocket, events: null, random: () => 0 });
  signal.start();
  await settle();
  assert.deepEqual([...sent[0]], [1, ...keys.rendezvous], 'key frame');
  assert.deepEqual([...sent[1]], [1, 2], 'right behind it');
  remote.send(new Uint8Array([1]));
  await settle();
  signal.send('ping', {});
  remote.send(await flip(new TextEncoder().encode(encode('seat', { member: 'host', state: 'waiting' }))));
  await settle();
  assert.deepEqual(told, [3, 'seat']);
  assert.equal(decode(await flip(sent[2])).type, 'ping');
  // Text is not a frame of a sealed channel: that connection is over.
  remote.send('{"type":"pong","body":{}}');
  await settle();
  assert.equal(signal.online, false);
  signal.close();
});

test('a link that does not match ends at once', async () => {
  const told = [];
  const handshake = async () => {
    throw Object.assign(new Error('x'), { code: 'wrong-practice' });
  };
  const signal = new Signal('wss://node.example/ws/guest', guestHandshake({ rendezvous: b32 }, handshake), {
    onWelcome: () => {}, onMessage: () => {}, onState: (s) => told.push(s), onEnd: (code) => told.push(code),
  }, { WebSocket: fakeWebSocket((_, socket) => socket.opened()), events: null });
  signal.start();
  await pass(10_000);
  assert.deepEqual(told, ['wrong-practice']);
});

test('a queue survives a rejection', async () => {
  const q = new Queue();
  const order = [];
  const failed = q.add(async () => {
    order.push(1);
    throw new SignalError('internal');
  });
  const next = q.add(() => order.push(2));
  assert.equal(q.length, 2);
  await assert.rejects(failed, SignalError);
  await next;
  assert.deepEqual([order, q.length], [[1, 2], 0]);
});
