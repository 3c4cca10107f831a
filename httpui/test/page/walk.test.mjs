// Random walks through everything that people, networks and nodes can do. After
// each step no track flows and no picture is shown where it must not be; at the
// end of each walk, once networks and nodes are well, everybody who is in the
// call sees everybody else.
//
//	WALKS=1000 SEED=7 node --test httpui/test/page/walk.test.mjs
import assert from 'node:assert/strict';
import test from 'node:test';
import { holdTime, releaseTime } from './fakes/clock.mjs';
import { World } from './fakes/world.mjs';

const WALKS = Number(process.env.WALKS ?? 25);
const SEED = Number(process.env.SEED ?? 1);
const STEPS = 30;

/** @returns {() => number} 0 to 1, the same for the same seed (mulberry32) */
function generator(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pick = (random, list) => list[Math.floor(random() * list.length)];

/** What the walks have met, so that they cannot become walks around an empty room. */
const met = { sending: 0, shown: 0, together: 0, apart: 0 };

/** Each is one thing that can happen; it does nothing where it makes no sense. */
const steps = {
  join: (w, r) => pick(r, w.guests).call.join('Ada'),
  admit: (w, r) => withOne(r, w.host.view.waiting, (m) => w.admit(m)),
  deny: (w, r) => withOne(r, w.host.view.waiting, (m) => w.host.call.deny(m)),
  remove: (w, r) => withOne(r, w.host.view.members, (m) => w.host.call.remove(m)),
  hold: (w, r) => withOne(r, w.host.view.members, (m) => w.host.call.hold(m, true)),
  resume: (w, r) => withOne(r, w.host.view.members, (m) => w.host.call.hold(m, false)),
  leave: (w, r) => pick(r, w.guests).call.leave(),
  comeBack: (w, r) => {
    const page = pick(r, w.pages);
    if (page.view.phase === 'ended') page.open();
  },
  hostLeaves: (w) => {
    w.pressed.clear();
    w.host.call.leave();
  },
  hostEnds: (w) => w.host.call.end(),
  hostStepsAside: (w) => w.host.call.stepAside(),
  enter: (w) => {
    for (const m of w.host.view.members) w.pressed.add(m.member);
    w.host.call.enter();
  },
  reload: (w, r) => pick(r, w.pages).reload(),
  drop: (w, r) => pick(r, w.pages).drop(),
  vanish: (w, r) => pick(r, w.pages).sockets.at(-1)?.vanish(),
  restart: (w) => w.home.restart(),
  cut: (w) => w.network.cut(),
  restore: (w) => w.network.restore(),
  fail: (w, r) => {
    if (!w.network.up && w.network.pcs.size > 0) pick(r, [...w.network.pcs]).setConnectionState('failed');
  },
  camera: (w, r) => pick(r, w.pages).media.start({ audio: r() < 0.8, video: r() < 0.8 }),
  mediaStops: (w, r) => pick(r, w.pages).media.stop(),
  screen: (w, r) => pick(r, w.pages).media.shareScreen(r() < 0.5),
  unplug: (w, r) => pick(r, w.pages).media.snapshot.stream?.getTracks()[0]?.end(),
  networkChanges: (w) => globalThis.dispatchEvent(new Event('online')),
  chat: (w, r) => pick(r, w.pages).call.sendChat('hello'),
  wait: (w, r) => w.advance(250 * Math.floor(1 + r() * 12)),
  waitLong: (w, r) => w.advance(1_000 * Math.floor(1 + r() * 20), 500),
};

function withOne(random, entries, act) {
  if (entries.length > 0) act(pick(random, entries).member);
}

/** Knocking and letting in are what everything else happens to, so they happen more often. */
const names = [...Object.keys(steps), ...Array(5).fill('join'), ...Array(5).fill('admit'), ...Array(4).fill('camera'), ...Array(3).fill('comeBack')];

// Node has no window to hear "online" from.
const window = new EventTarget();
for (const name of ['addEventListener', 'removeEventListener', 'dispatchEvent']) globalThis[name] ??= window[name].bind(window);

for (let walk = 0; walk < WALKS; walk++) {
  const seed = SEED * 100_000 + walk;
  test(`walk ${seed}`, async () => {
    holdTime();
    const random = generator(seed);
    const w = new World(1 + Math.floor(random() * 3));
    const path = [];
    try {
      await w.settle();
      for (const guest of w.guests) if (random() < 0.6) await w.seat(guest);
      for (let i = 0; i < STEPS; i++) {
        const name = pick(random, names);
        path.push(name);
        const done = steps[name](w, random);
        // Sometimes the next thing happens before this one has had any effect.
        if (name.startsWith('wait') || random() < 0.7) {
          await done;
          await w.settle();
          w.check();
          for (const page of w.pages) {
            met.sending += page.sending.length;
            met.shown += page.view.peers.filter((p) => p.stream).length;
            met.apart += page.view.peers.filter((p) => p.state === 'reconnecting').length;
          }
        }
      }
      await healed(w);
    } catch (err) {
      err.message += `\nafter ${path.join(' ')}`;
      throw err;
    } finally {
      w.close();
      releaseTime();
    }
  });
}

/** With everything well again, those who are in the call are together, and those who wait are seen to wait. */
async function healed(w) {
  w.network.restore();
  await w.advance(75_000, 500);
  if (w.host.view.phase === 'attending') {
    for (const m of w.host.view.members) w.pressed.add(m.member);
    w.host.call.enter();
    await w.settle();
    const waiting = w.guests.filter((g) => g.view.phase === 'waiting').map((g) => g.member);
    assert.deepEqual(w.host.view.waiting.map((m) => m.member).toSorted(), waiting.toSorted());
  }
  const inside = w.guests.filter((g) => g.view.phase === 'call');
  if (w.host.view.phase === 'attending') inside.push(w.host);
  for (const a of inside) {
    for (const b of inside) {
      if (a === b) continue;
      const peer = a.peer(b.member);
      assert.equal(peer?.state, 'verified', `${a.member} and ${b.member} are not together`);
      assert.ok(peer.stream);
      met.together++;
    }
  }
}

test('the walks went through calls', () => {
  for (const [what, times] of Object.entries(met)) assert.ok(times > WALKS / 8, `${what}: ${times}`);
});
