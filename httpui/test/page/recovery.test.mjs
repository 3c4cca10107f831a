// Connections that are lost, and how they come back: who offers when, what is
// kept, and what is built anew.
import assert from 'node:assert/strict';
import test from 'node:test';
import { encode } from '../../static/link/wire.js';
import { together, worlds } from './fakes/world.mjs';

const make = worlds();

test('a network that changes is recovered by ICE, and verification stays', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  await w.advance(3_000);
  const pcs = [...w.network.pcs];
  w.network.cut();
  await w.advance(500);
  assert.equal(guest.peer('host').state, 'reconnecting');
  w.network.restore();
  await w.advance(6_000);
  together(host, guest);
  assert.deepEqual([...w.network.pcs], pcs);
});

test('an offer that meets one in the making loses no time', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  await w.advance(3_000);
  const [pc] = host.connections;
  let go;
  const waits = new Promise((resolve) => { go = resolve; });
  pc.setLocalDescription = (d) => waits.then(() => Object.getPrototypeOf(pc).setLocalDescription.call(pc, d));
  w.network.cut();
  await w.advance(500); // both offer, and the guest's comes first
  assert.deepEqual([pc.signalingState, guest.connections[0].signalingState], ['stable', 'have-local-offer']);
  w.network.restore();
  go();
  await w.settle();
  together(host, guest);
  assert.equal(host.connections[0], pc);
});

test('an offer right behind an answer is answered', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  await w.advance(3_000);
  const pcs = [...w.network.pcs];
  w.home.up = false;
  guest.drop();
  w.network.cut();
  await w.advance(1_000); // what the host offers meanwhile is lost
  w.network.restore();
  const held = [];
  w.home.tamper = (m, to) => (to === 'host' && (m.type === 'description' || m.type === 'candidate') ? void held.push(m) : m);
  w.home.up = true;
  for (let i = 0; i < 10 && !held.some((m) => m.body.kind === 'answer'); i++) await w.advance(250); // to the offer that is made again
  guest.connections[0].setConnectionState('connecting'); // it broke: the guest offers too
  await w.advance(250);
  assert.deepEqual(held.flatMap((m) => m.body.kind ?? []), ['answer', 'offer']);
  w.home.tamper = (m) => m;
  const link = w.home.seats.get('host').link.remote;
  let go;
  w.network.busyBrowser = new Promise((resolve) => { go = resolve; });
  for (const m of held) link.send(encode(m.type, m.body));
  await w.settle();
  w.network.busyBrowser = null;
  go();
  await w.advance(500); // until it is seen that bytes flow
  together(host, guest);
  assert.deepEqual([...w.network.pcs], pcs);
});

test('a relay that there was none of before is for those who wait, too', async () => {
  const { w, host, guest } = await make();
  await w.join(guest);
  const relays = () => [host, guest].map((page) => page.connections[0].config.iceServers.length);
  assert.deepEqual(relays(), [0, 0]);
  w.home.iceServers = [{ urls: ['turn:relay.example:3478'], username: 'u', credential: 'c' }];
  for (const page of [host, guest]) page.drop();
  await w.advance(2_000);
  assert.deepEqual(relays(), [1, 1]);
  w.admit(guest.member);
  await w.settle();
  together(host, guest);
  const pcs = [...w.network.pcs];
  for (const page of [host, guest]) page.drop();
  await w.advance(2_000);
  assert.deepEqual([...w.network.pcs], pcs, 'what goes well is left alone');
  w.check();
});

test('a relay that is lent later is for those who wait, and for calls that fail, on the same connection', async () => {
  const { w, host, guest } = await make();
  await w.join(guest);
  const relays = () => [host, guest].map((page) => page.connections.at(-1).config.iceServers.length);
  assert.deepEqual(relays(), [0, 0]);
  const relay = { urls: ['turn:relay.example:3478'], username: 'u', credential: 'c' };
  w.home.lend([relay]);
  await w.advance(1_000);
  assert.deepEqual(relays(), [1, 1]);
  assert.deepEqual([host, guest].map((page) => page.view.welcome.ice_servers), [[relay], [relay]]);
  w.admit(guest.member);
  await w.settle();
  together(host, guest);
  const pcs = [...w.network.pcs];
  w.home.lend([relay, relay]);
  await w.advance(1_000);
  assert.deepEqual([...w.network.pcs], pcs, 'what goes well is left alone');
  assert.deepEqual([host, guest].map((page) => page.sockets.length), [1, 1]);
  w.check();
});

test('a call that fails for lack of a relay is whole once one is lent', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  w.network.cut();
  for (const pc of w.network.pcs) pc.setConnectionState('failed');
  await w.advance(20_000);
  w.home.lend([{ urls: ['turn:relay.example:3478'], username: 'u', credential: 'c' }]);
  await w.advance(2_000); // the next attempt is not waited for
  assert.deepEqual([host, guest].map((page) => page.connections.at(-1).config.iceServers.length), [1, 1]);
  w.network.restore();
  await w.advance(2_000);
  together(host, guest);
  w.check();
});

test('a connection that comes back by itself is kept, whenever that is', async () => {
  for (let ms = 5_000; ms <= 12_000; ms += 250) {
    const { w, host, guest } = await make();
    await w.seat(guest);
    await w.advance(3_000);
    const pcs = [...w.network.pcs];
    w.home.up = false;
    guest.drop(); // what the host offers is not heard
    w.network.cut();
    await w.advance(ms);
    const kept = () => pcs.every((pc) => w.network.pcs.has(pc));
    if (!kept()) break; // the host has begun anew by now
    for (const pc of pcs) {
      pc.partner = pc.lost;
      pc.setConnectionState('connected');
    }
    await w.advance(2_000);
    assert.ok(kept(), `given up when it was back after ${ms} ms`);
  }
});

test('what ICE cannot recover is built anew, and proves itself anew', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  const pcs = [...w.network.pcs];
  w.network.cut();
  await w.advance(1_000);
  for (const pc of w.network.pcs) pc.setConnectionState('failed');
  await w.advance(20_000);
  assert.equal(guest.peer('host').stream, null);
  w.network.restore();
  await w.advance(40_000);
  together(host, guest);
  assert.ok([...w.network.pcs].every((pc) => !pcs.includes(pc)));
});
