// The diary as the page puts it together from what the node says of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeskFeed } from '../../static/practitioner/feed.js';
import { turn } from './fakes/clock.mjs';

class FakeSocket {
  static all = [];
  constructor() { FakeSocket.all.push(this); }
  send() {}
  close() {}
  says(message) { this.onmessage({ data: JSON.stringify({ now: 1, gone: [], ...message }) }); }
}

function feed() {
  globalThis.WebSocket = FakeSocket;
  FakeSocket.all = [];
  const seen = [];
  const api = { token: 't', session: async () => ({ state: 'signed-in' }), tab: async () => {} };
  const it = new DeskFeed({ api, origin: 'http://localhost', onDesk: (desk) => seen.push(desk), onState: () => {} });
  it.open();
  return { it, seen, list: () => seen.at(-1).appointments.map(({ id, label }) => `${id} ${label}`) };
}

const at = (id, starts, label = 'one') => ({ id, starts, label });

test('changes are put into the diary, in the order of time', () => {
  const { list, seen } = feed();
  const [socket] = FakeSocket.all;
  socket.says({ appointments: [at('c', 30), at('a', 10), at('b', 10)] });
  assert.deepEqual(list(), ['a one', 'b one', 'c one']);
  socket.says({ appointments: [at('c', 5, 'moved')], now: 2 });
  assert.deepEqual(list(), ['c moved', 'a one', 'b one']);
  assert.equal(seen.at(-1).now, 2);
  socket.says({ appointments: [at('d', 40)], gone: ['a', 'unknown'] });
  assert.deepEqual(list(), ['c moved', 'b one', 'd one']);
});

test('another socket begins with a whole diary', async () => {
  const { it, list } = feed();
  FakeSocket.all[0].says({ appointments: [at('a', 1), at('b', 2)] });
  FakeSocket.all[0].onclose();
  await turn();
  it.hurry();
  FakeSocket.all[1].says({ appointments: [at('b', 2, 'later')] });
  assert.deepEqual(list(), ['b later']);
  it.close();
});
