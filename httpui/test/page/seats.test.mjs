// Whose a seat is when pages are loaded again, links are opened twice, and tabs
// take over.
import assert from 'node:assert/strict';
import test from 'node:test';
import { World, together, worlds } from './fakes/world.mjs';

const make = worlds();

test('a page that is loaded again takes its seat and a new connection', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  guest.reload();
  await w.settle();
  assert.equal(guest.view.phase, 'ready');
  await guest.media.start({ audio: true, video: true });
  await w.join(guest);
  assert.equal(guest.view.phase, 'call', 'without another admission');
  await w.advance(1_000);
  together(host, guest);
  // The practitioner's page: attends again, and is in the call when they say so.
  host.reload();
  await host.media.start({ audio: true, video: true });
  await w.advance(8_000);
  assert.deepEqual(host.sending, []);
  assert.equal(host.peer(guest.member).stream, null);
  host.call.enter();
  await w.settle();
  together(host, guest);
});

for (const [how, cut] of [
  ['without a connection', (w, guest) => { w.home.up = false; guest.drop(); }],
  ['on a connection that is dead and does not know it', (_, guest) => guest.sockets.at(-1).vanish({ heard: false })],
  ['that arrived', () => {}],
]) {
  test(`after a leave ${how} the same tab can join again, and nobody is alarmed`, async () => {
    const { w, host, guest } = await make();
    await w.seat(guest);
    cut(w, guest);
    await w.settle();
    guest.call.leave();
    await w.settle();
    w.home.up = true;
    w.pressed.clear();
    guest.reload();
    await w.join(guest);
    assert.ok(['waiting', 'call'].includes(guest.view.phase), guest.view.code);
    assert.deepEqual(host.view.alarm, []);
  });
}

for (const state of ['ended', 'cancelled', 'revoked', 'rotated']) {
  test(`a link that is ${state} says so when it is opened, and nobody knocks`, async () => {
    const w = new World(1);
    w.home.welcomeState = state;
    await w.settle();
    const [guest] = w.guests;
    assert.deepEqual([guest.view.phase, guest.view.code], ['ended', state]);
    assert.equal(w.home.seats.size, 1, 'the practitioner’s alone');
  });
}

test('the picture of a page that is gone goes with its introduction', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  guest.reload();
  await w.settle();
  w.home.tamper = (m, to) => (to === 'host' && m.type === 'description' ? null : m);
  await w.join(guest);
  assert.deepEqual([host.peer(guest.member).stream, host.connections.length], [null, 0]);
  w.home.tamper = (m) => m;
  await w.advance(15_000);
  together(host, guest);
});

test('a second device with the same link is turned away, and both are told', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  const [member] = [guest.member];
  const thief = new guest.constructor(w, guest.link);
  w.pages.push(thief);
  await w.join(thief, 'Ada');
  assert.deepEqual([thief.view.phase, thief.view.code], ['joining', 'seat-taken']);
  assert.equal(guest.view.alarm, true);
  assert.deepEqual(host.view.alarm, [member]);
  together(host, guest);
  await w.advance(70_000);
  assert.deepEqual([thief.view.phase, thief.view.code], ['ended', 'seat-taken']);
  assert.equal(w.home.log.filter((m) => m.to === 'host' && m.type === 'alarm').length, 1, 'one knock is one alarm');
  together(host, guest);
});

test('who opens their link in a new tab has their seat as soon as it is free, with one alarm', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  const [member] = [guest.member];
  guest.call.close();
  const again = new guest.constructor(w, guest.link);
  w.pages.push(again);
  await again.media.start({ audio: true, video: true });
  await w.join(again);
  await w.advance(25_000);
  const looks = again.sockets.length;
  again.call.join('Ada'); // "Try again now"
  again.call.join('Ada');
  await w.settle();
  assert.equal(again.sockets.length, looks + 1);
  assert.deepEqual([again.view.phase, again.view.code, again.view.connection], ['joining', 'seat-taken', 'online']);
  assert.equal(again.media.snapshot.audio, 'on', 'they will be heard');
  await w.advance(20_000);
  w.home.expire(member);
  w.pressed.clear();
  await w.advance(10_000);
  assert.deepEqual([again.view.phase, again.view.code], ['waiting', null]);
  assert.equal(w.home.log.filter((m) => m.to === 'host' && m.type === 'alarm').length, 1);
  const sockets = again.sockets.length;
  await w.advance(30_000);
  assert.equal(again.sockets.length, sockets, 'nobody looks any more');
  w.admit(again.member);
  await w.settle();
  together(host, again);
});

test('a guest whose seat went to another device during an outage is out at once', async () => {
  const { w, guest } = await make();
  await w.seat(guest);
  w.home.up = false;
  guest.drop();
  await w.settle();
  w.home.seats.get(guest.member).token = new Uint8Array(32);
  w.home.up = true;
  await w.advance(3_000);
  assert.deepEqual([guest.view.phase, guest.view.code, guest.sending], ['ended', 'seat-taken', []]);
});

test('a page that is closed while it waits for its seat looks no more', async () => {
  const { w, guest } = await make();
  await w.seat(guest);
  const again = new guest.constructor(w, guest.link);
  w.pages.push(again);
  await w.join(again);
  again.call.close();
  const sockets = again.sockets.length;
  again.call.join('Ada');
  await w.advance(30_000);
  assert.equal(again.sockets.length, sockets);
});

test('a guest’s other tab takes the seat in the call, and nobody is alarmed', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  const second = new guest.constructor(w, guest.link);
  w.pages.push(second);
  await second.media.start({ audio: true, video: true });
  await w.settle();
  const handed = guest.call.handOver();
  await w.settle();
  assert.deepEqual([guest.view.phase, guest.view.code, guest.media.snapshot.audio, guest.tab.kept.size], ['ended', 'moved', 'off', 0]);
  second.call.join(handed.name, handed);
  await w.settle();
  await w.advance(2_000);
  assert.deepEqual([second.view.phase, second.view.alarm, host.view.alarm], ['call', false, []]);
  assert.equal(w.home.log.some((m) => m.type === 'alarm'), false);
  together(host, second);
  second.reload();
  await second.media.start({ audio: true, video: true });
  await w.join(second);
  assert.equal(second.view.phase, 'call', 'and keeps what takes it again');
});

test('a seat that its tab has not handed over is waited for without a knock', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  const { member } = guest;
  const second = new guest.constructor(w, guest.link);
  w.pages.push(second);
  await w.settle();
  second.call.join('Ada', { patient: true });
  await w.advance(20_000);
  assert.deepEqual([second.view.phase, second.view.code, host.view.alarm, guest.view.alarm], ['joining', 'seat-taken', [], false]);
  guest.call.close();
  await w.settle();
  w.home.expire(member);
  await w.advance(11_000);
  assert.deepEqual([second.view.phase, second.view.code, host.view.alarm], ['waiting', null, []]);
});

test('another tab of the practitioner takes the room only when told to', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  const second = new host.constructor(w, null);
  w.pages.push(second);
  await w.settle();
  assert.deepEqual([second.view.phase, second.view.code], ['elsewhere', 'host-elsewhere']);
  together(host, guest);
  second.call.start({ take: true });
  await w.settle();
  assert.deepEqual([host.view.phase, host.view.code], ['elsewhere', 'replaced']);
  assert.equal(host.connections.length, 0);
  await second.media.start({ audio: true, video: true });
  second.call.enter();
  await w.advance(2_000);
  together(second, guest);
});
