// Whoever carries a connection can close it with any code. None of them ends
// anything, at any moment, on either side.
import assert from 'node:assert/strict';
import test from 'node:test';
import './fakes/words.mjs';
import { guestSentence } from '../../static/kit/errors.js';
import { CODES } from '../../static/link/wire.js';
import { World, together, worlds } from './fakes/world.mjs';

/** @type {World} */ let w;
worlds();

const statuses = [1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 1015, 3000, 4000, 4001, 4999];
const closes = [
  ...statuses.flatMap((status) => ['', 'removed', 'ended'].map((reason) => [status, reason])),
  ...[...CODES, 'left', 'wrong-practice', 'bad-link', 'rotated', 'constructor'].map((reason) => [4000, reason]),
];

/** What a page may be shown to be waiting for. */
const hints = new Set(['not-found', 'not-invited', 'going-away', 'too-slow', 'too-many', 'timeout', 'bad-message', 'internal']);

const moments = {
  'before the node has answered': { arrange: async () => {}, phase: 'opening', after: 'ready' },
  'before Join': { arrange: async () => {}, phase: 'ready' },
  'when Join is pressed': {
    arrange: async (guest) => {
      w.home.closing = [1006, ''];
      guest.drop();
      await w.join(guest);
    },
    phase: 'joining', after: 'waiting',
  },
  'in the waiting room': { arrange: (guest) => w.join(guest), phase: 'waiting' },
  'in the call': { arrange: (guest) => w.seat(guest), phase: 'call' },
  'on hold': {
    arrange: async (guest) => {
      await w.seat(guest);
      w.host.call.hold(guest.member, true);
      await w.settle();
    },
    phase: 'held',
  },
};

for (const [moment, { arrange, phase, after = phase }] of Object.entries(moments)) {
  test(`a guest connects again whatever the code of a close: ${moment}`, async () => {
    for (const [i, close] of closes.entries()) {
      if (i === 0 || after !== phase) { // one that comes out of it elsewhere begins again
        w?.close();
        w = new World(1);
        if (phase === 'opening') w.home.closing = close;
        await w.settle();
        await arrange(w.guests[0]);
      }
      const [guest] = w.guests;
      w.home.closing = close;
      guest.sockets.at(-1).remote.close(...close);
      await w.settle();
      await w.advance(500);
      assert.equal(guest.view.phase, phase, `${close}`);
      assert.ok(guest.view.code === null || hints.has(guest.view.code), `${close}: shown as ${guest.view.code}`);
      w.home.closing = null;
      await w.advance(20_000, 1_000);
      assert.deepEqual([guest.view.phase, guest.view.code, guest.view.connection], [after, null, 'online'], `${close}`);
      if (phase === 'call') together(w.host, guest);
    }
  });

  test(`and a practitioner: ${moment}`, async () => {
    w = new World(1);
    await w.settle();
    await arrange(w.guests[0]);
    w.home.closing = null;
    for (const close of closes) {
      const { host } = w;
      w.home.closing = close;
      host.sockets.at(-1).remote.close(...close);
      await w.settle();
      await w.advance(500);
      assert.ok(['connecting', 'attending'].includes(host.view.phase), `${close}: ${host.view.phase}`);
      w.home.closing = null;
      await w.advance(20_000, 1_000);
      assert.deepEqual([host.view.phase, host.view.connection], ['attending', 'online'], `${close}`);
    }
  });
}

test('what the home node says in a message still ends it', async () => {
  for (const code of ['removed', 'denied', 'ended']) {
    w = new World(1);
    await w.settle();
    await w.seat(w.guests[0]);
    w.home.bye(w.guests[0].member, code);
    await w.settle();
    assert.deepEqual([w.guests[0].view.phase, w.guests[0].view.code], ['ended', code]);
    w.close();
  }
});

test('a gateway that spoils the handshake ends nothing of a guest who has been welcomed', async () => {
  w = new World(1);
  await w.settle();
  const [guest] = w.guests;
  await w.seat(guest);
  guest.wrong = true;
  guest.drop();
  await w.advance(3_000);
  assert.deepEqual([guest.view.phase, guest.view.connection], ['call', 'reconnecting']);
  guest.wrong = false;
  await w.advance(5_000);
  together(w.host, guest);
});

test('a node that refuses is not asked every two seconds for ever', async () => {
  w = new World(1);
  w.home.closing = [4000, 'not-invited'];
  const [guest] = w.guests;
  await w.advance(60_000);
  assert.ok(guest.sockets.length < 15, `${guest.sockets.length} tries in a minute`);
  assert.deepEqual([guest.view.phase, guest.view.code], ['opening', 'not-invited']);
  assert.match(guestSentence('not-invited', { practitioner: '', practice: '' }).todo, /keeps trying/);
});
