// What a practitioner decides counts at once, whatever becomes of the message.
import assert from 'node:assert/strict';
import test from 'node:test';
import { encode } from '../../static/link/wire.js';
import { together, worlds } from './fakes/world.mjs';

const make = worlds();

/** How the way to the node is lost, and how it comes back. */
const outages = {
  'while the connection is down': {
    async begin(w) {
      w.home.up = false;
      w.host.drop();
      await w.settle();
    },
    async end(w) {
      w.home.up = true;
      await w.advance(3_000);
    },
  },
  'on a connection that has died without a word': {
    begin: async (w) => w.host.sockets.at(-1).vanish(),
    end: (w) => w.advance(25_000),
  },
};

for (const [when, outage] of Object.entries(outages)) {
  test(`who is removed ${when} is out at once, and stays out`, async () => {
    const { w, host, guest, other } = await make(2);
    await w.seat(guest);
    await w.seat(other);
    const { member } = guest;
    await outage.begin(w);
    host.call.remove(member);
    assert.equal(host.peer(member), undefined);
    await w.settle();
    assert.equal(host.connections.length, 1);
    assert.deepEqual(host.view.members.map((m) => m.member), [other.member]);
    await outage.end(w);
    assert.deepEqual([guest.view.phase, guest.view.code], ['ended', 'removed']);
    assert.equal(host.peer(member), undefined);
    together(host, other);
    assert.deepEqual(host.view.members.map((m) => m.member), [other.member]);
  });

  test(`who is put on hold ${when} hears nothing until they are taken back`, async () => {
    const { w, host, guest } = await make();
    await w.seat(guest);
    const { member } = guest;
    await outage.begin(w);
    host.call.hold(member, true);
    await w.settle();
    assert.deepEqual([host.sending, host.peer(member).stream, host.view.members[0].state], [[], null, 'held']);
    await outage.end(w);
    assert.equal(guest.view.phase, 'held');
    assert.deepEqual([host.sending, guest.sending], [[], []]);
    host.call.hold(member, false);
    await w.settle();
    together(host, guest);
  });

  test(`who is taken back from hold ${when} is back in the call`, async () => {
    const { w, host, guest } = await make();
    await w.seat(guest);
    host.call.hold(guest.member, true);
    await w.settle();
    await outage.begin(w);
    host.call.hold(guest.member, false);
    await w.settle();
    assert.equal(host.view.members[0].state, 'admitted');
    assert.deepEqual(host.sending.toSorted(), ['audio', 'video']);
    await outage.end(w);
    together(host, guest);
    assert.equal(host.view.members[0].state, 'admitted');
  });

  test(`a door that is locked or unlocked ${when} is so afterwards`, async () => {
    const { w, host } = await make();
    for (const on of [true, false]) {
      await outage.begin(w);
      host.call.lock(on);
      assert.equal(host.view.locked, on);
      await outage.end(w);
      assert.deepEqual([host.view.locked, w.home.locked], [on, on]);
    }
  });

  test(`the last of several decisions ${when} counts`, async () => {
    const { w, host, guest } = await make();
    await w.seat(guest);
    await outage.begin(w);
    for (const on of [true, false, true]) host.call.hold(guest.member, on);
    await w.settle();
    assert.deepEqual(host.sending, []);
    host.call.remove(guest.member);
    host.call.hold(guest.member, false);
    assert.deepEqual(host.view.members, []);
    await outage.end(w);
    assert.deepEqual([guest.view.phase, guest.view.code], ['ended', 'removed']);
  });

  test(`who is denied ${when} is turned away`, async () => {
    const { w, host, guest } = await make();
    await w.join(guest);
    await outage.begin(w);
    host.call.deny(guest.member);
    await w.settle();
    assert.deepEqual([host.view.waiting, host.connections.length], [[], 0]);
    await outage.end(w);
    assert.deepEqual([guest.view.phase, guest.view.code], ['ended', 'denied']);
    assert.deepEqual(host.view.waiting, []);
    // It was about this knock: the next one is heard.
    guest.open();
    await w.join(guest);
    assert.deepEqual(host.view.waiting.map((m) => m.member), [guest.member]);
  });

  test(`who is let in ${when} enters as soon as it is back`, async () => {
    const { w, host, guest } = await make();
    for (const page of [host, guest]) await page.media.start({ audio: true, video: true });
    await w.join(guest);
    await outage.begin(w);
    w.admit(guest.member);
    await w.settle();
    await outage.end(w);
    together(host, guest);
    assert.deepEqual(host.view.members.map((m) => m.member), [guest.member]);
    w.check();
  });

  test(`who is let in ${when} and put on hold is on hold`, async () => {
    const { w, host, guest } = await make();
    for (const page of [host, guest]) await page.media.start({ audio: true, video: true });
    await w.join(guest);
    await outage.begin(w);
    w.admit(guest.member);
    const inside = host.view.members.length > 0;
    host.call.hold(guest.member, true);
    await w.settle();
    await outage.end(w);
    // With the connection known to be down nobody is in the call yet who could be put on hold.
    assert.equal(guest.view.phase, inside ? 'held' : 'call');
  });

  test(`who is let in ${when} and has left before it is back is said to be gone`, async () => {
    const { w, host, guest } = await make();
    await w.join(guest);
    await outage.begin(w);
    w.admit(guest.member);
    if (w.home.up) guest.call.leave();
    else w.home.seats.delete(guest.member);
    await w.settle();
    await outage.end(w);
    assert.deepEqual(host.view.refusal, { code: 'no-such-room' });
    assert.deepEqual([host.view.waiting, host.view.members], [[], []]);
  });

  test(`who is let in ${when} stays outside if the practitioner steps out again`, async () => {
    const { w, host, guest } = await make();
    await w.join(guest);
    await outage.begin(w);
    w.admit(guest.member);
    host.call.leave();
    w.pressed.clear();
    await w.settle();
    await outage.end(w);
    assert.equal(guest.view.phase, 'waiting');
    assert.deepEqual(host.view.waiting.map((m) => m.member), [guest.member]);
  });
}

test('an admission that has to wait is said to wait, and reveals nothing meanwhile', async () => {
  const { w, host, guest } = await make();
  await w.join(guest);
  await outages['while the connection is down'].begin(w);
  host.call.admit(guest.member);
  await w.settle();
  assert.deepEqual(host.view.refusal, { code: 'offline' });
  assert.deepEqual(host.view.waiting.map((m) => m.member), [guest.member]);
  assert.equal(host.connections[0].remoteCandidates, 0, 'checks left before admission');
});

test('who was put on hold while their own page was away is on hold when they are back', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  w.home.up = false;
  for (const page of [host, guest]) page.drop();
  await w.settle();
  host.call.hold(guest.member, true);
  w.home.up = true;
  await w.advance(5_000);
  assert.deepEqual([guest.view.phase, host.sending, guest.sending], ['held', [], []]);
  assert.equal(host.view.members[0].state, 'held');
});

test('who left as they were let in is said to be gone, each time', async () => {
  const { w, host, guest } = await make();
  const refusals = [];
  for (let i = 0; i < 2; i++) {
    await w.join(guest);
    guest.call.leave();
    w.admit(guest.member);
    await w.settle();
    refusals.push(host.view.refusal);
    guest.open();
  }
  assert.deepEqual(refusals, [{ code: 'no-such-room' }, { code: 'no-such-room' }]);
  assert.notEqual(refusals[0], refusals[1]);
  w.admit(guest.member);
  assert.notEqual(host.view.refusal, refusals[1], 'who had left before');
});

test('who is let in and sent away in one breath is away, and no more is said', async () => {
  const { w, host, guest } = await make();
  await w.join(guest);
  w.admit(guest.member);
  host.call.remove(guest.member);
  await w.settle();
  assert.deepEqual([guest.view.code, host.view.refusal, host.view.waiting, host.view.members], ['removed', null, [], []]);
});

test('a late message to somebody who has left is no refusal of an admission', async () => {
  const { w, host, guest, other } = await make(2);
  await w.seat(guest);
  await w.join(other, 'Bo');
  const stale = { peer: 'f'.repeat(16), candidate: '', mid: '0' };
  host.sockets.at(-1).remote.onframe(encode('candidate', stale));
  w.admit(other.member);
  await w.settle();
  assert.deepEqual([host.view.refusal, other.view.phase], [null, 'call']);
  together(host, other);
});

test('a locked door stays locked when the node starts again', async () => {
  const { w, host } = await make();
  host.call.lock(true);
  await w.settle();
  w.home.restart();
  await w.advance(10_000);
  assert.deepEqual([host.view.locked, w.home.locked], [true, true]);
});

test('who steps aside is neither heard nor seen, and goes on where they were', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  const sent = () => host.peer(guest.member)?.stream?.getTracks().length ?? 0;
  host.call.stepAside();
  await w.settle();
  assert.equal(sent(), 0, 'the practitioner does not see the guest');
  assert.equal(guest.view.phase, 'call', 'who is told of nothing');
  host.call.enter();
  await w.settle();
  together(host, guest);
  host.call.stepAside();
  host.call.end();
  await w.settle();
  assert.deepEqual([guest.view.phase, guest.view.code], ['ended', 'ended']);
});

test('who was stepped aside from and is not told before the page goes is told by its end', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  host.call.stepAside();
  host.call.end();
  host.call.close();
  await w.settle();
  assert.equal(guest.view.phase, 'ended');
});
