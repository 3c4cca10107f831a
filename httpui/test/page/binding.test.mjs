// Whoever is at the other end must prove to be the browser that was introduced.
// Each test breaks one part of that proof; nothing may be shown or heard.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import test from 'node:test';
import { encode } from '../../static/link/wire.js';
import { leap } from './fakes/clock.mjs';
import { World, worlds } from './fakes/world.mjs';

/** @type {World} */ let w;
worlds();

const other = (bytes) => new Uint8Array(randomBytes(bytes.length));

/** Lets a guest in while something is wrong, and waits out the time to prove oneself. */
async function admitted({ tamper = (m) => m, before = () => {}, wait = 3_500 } = {}) {
  w = new World(1);
  w.home.tamper = tamper;
  const [guest] = w.guests;
  await guest.media.start({ audio: true, video: true });
  await w.host.media.start({ audio: true, video: true });
  await w.join(guest);
  before(w.host, guest);
  w.admit(guest.member);
  await w.settle();
  await w.advance(wait);
  return { host: w.host, guest };
}

/** @param {any} page was never shown member: no snapshot that it told had a picture */
function neverShown(page, member) {
  for (const view of [...page.views, page.view]) {
    const peer = view.peers.find((p) => p.member === member);
    assert.equal(peer?.stream ?? null, null, `${page.member} shows ${member}`);
    assert.notEqual(peer?.state, 'verified');
    assert.equal(peer?.truth.verified ?? false, false);
  }
}

/** The page says that the member did not prove themselves. */
function refusedBy(page, member, name) {
  neverShown(page, member);
  assert.deepEqual([page.peer(member).state, page.peer(member).reason], ['failed', 'unverified'], name);
}

/** The page has no proof yet, shows nothing, and does not speak of a false one. */
function unproved(page, member, name) {
  neverShown(page, member);
  for (const view of [...page.views, page.view]) assert.notEqual(view.peers.find((p) => p.member === member)?.reason, 'unverified', name);
  assert.equal(page.peer(member).state, 'connecting', name);
}

/** And it does not try again. */
function gaveUp(page, member, name) {
  refusedBy(page, member, name);
  assert.equal(page.connections.length, 0, name);
}

const introductions = (change, to) => (m, receiver) =>
  m.type === 'introduce' && (!to || (to === 'host') === (receiver === 'host')) ? { ...m, body: { ...m.body, ...change(m.body) } } : m;

test('without interference both are shown', async () => {
  const { host, guest } = await admitted();
  assert.ok(host.peer(guest.member).stream && guest.peer('host').stream);
  assert.throws(() => neverShown(host, guest.member));
});

test('the practitioner must be the one of this guest’s own handshake', async () => {
  for (const change of [(b) => ({ key: other(b.key) }), (b) => ({ h: other(b.h) })]) {
    const { host, guest } = await admitted({ tamper: introductions(change, 'guest') });
    gaveUp(guest, 'host');
    neverShown(host, guest.member);
    w.close();
  }
});

test('a home node that introduces both with keys of its own is refused by the guest', async () => {
  const key = new Uint8Array(randomBytes(32));
  const { host, guest } = await admitted({ tamper: introductions(() => ({ key })) });
  gaveUp(guest, 'host');
  neverShown(host, guest.member);
});

test('a proof with another key, hash or role is none', async () => {
  const changes = {
    key: (b) => ({ key: other(b.key) }),
    hash: (b) => ({ h: other(b.h) }),
    role: (b) => ({ role: b.role === 'H' ? 'P' : 'H' }),
  };
  for (const [name, change] of Object.entries(changes)) {
    const { host, guest } = await admitted({ tamper: introductions(change, 'host') });
    gaveUp(host, guest.member, name);
    neverShown(guest, 'host');
    w.close();
  }
});

test('a description of another certificate than was introduced is not used', async () => {
  const { host, guest } = await admitted({
    tamper: introductions((b) => ({ fp: other(b.fp) }), 'host'),
    before: (h) => assert.equal(h.connections.length, 0, 'the guest’s offer'),
  });
  neverShown(host, guest.member);
  neverShown(guest, 'host');
  assert.ok(w.home.log.every((m) => m.type !== 'description' || m.body.kind !== 'answer'));
});

test('the certificate in use must be the one introduced, and the browser must tell it', async () => {
  const wrong = { transport: { getRemoteCertificates: () => [randomBytes(48).buffer] } };
  for (const sctp of [wrong, null, {}]) {
    const { host, guest } = await admitted({
      before: (h) => h.connections.forEach((pc) => Object.defineProperty(pc, 'sctp', { value: sctp && { transport: {}, ...sctp } })),
    });
    gaveUp(host, guest.member);
    w.close();
  }
});

/** An attacker's browser in the guest's place: it sends what attack makes of each of the host's messages. */
const insteadOfProof = (attack) => (_, guest) => {
  w.network.intercept = (channel, data) => {
    if (channel.pc.owner === guest) return false;
    attack((mine) => channel.pc.partner?.channel.raw(mine), data);
    return true;
  };
};

test('silence, noise and one’s own proof sent back are no proof', async () => {
  const attacks = {
    silence: () => {},
    noise: (say) => say(new Uint8Array(randomBytes(32))),
    reflection: (say, mac) => say(mac),
    flood: (say) => Array.from({ length: 500 }, () => say(new Uint8Array(randomBytes(32)))),
  };
  for (const [name, attack] of Object.entries(attacks)) {
    const { host, guest } = await admitted({ before: insteadOfProof(attack) });
    if (name === 'silence') await w.advance(60_000);
    (name === 'silence' ? unproved : gaveUp)(host, guest.member, name);
    w.close();
  }
});

test('a proof that the line has swallowed is asked for with another connection', async () => {
  const { host, guest } = await admitted({ before: insteadOfProof(() => {}), wait: 9_000 });
  const [pc] = host.connections;
  unproved(host, guest.member);
  await w.advance(2_000);
  assert.ok(!host.connections.includes(pc));
  unproved(host, guest.member);
  w.network.intercept = () => true;
  await w.advance(30_000);
  assert.equal(host.peer(guest.member).state, 'verified');
  assert.equal(host.peer(guest.member).quality, 'good');
});

test('nothing is said to somebody before their proof', async () => {
  const { host, guest } = await admitted({ before: insteadOfProof(() => {}), wait: 1_000 });
  assert.equal(guest.connections.length, 1, 'connected');
  assert.equal(host.call.sendChat('for my patient only'), false);
  await w.advance(1_500);
  assert.deepEqual([host.view.chat, guest.view.chat], [[], []]);
});

test('what somebody says before their proof is not heard', async () => {
  const { host, guest } = await admitted({ before: insteadOfProof((say) => say('{"t":"chat","text":"trust me"}')) });
  await w.advance(15_000);
  unproved(host, guest.member);
  assert.deepEqual(host.view.chat, []);
});

test('a slow device is no forger: its proof counts whenever it comes', async () => {
  // Proofs lie about for longer than a wrong one would be put up with, at both ends.
  for (const seconds of [4, 9]) {
    const held = [];
    const { host, guest } = await admitted({ wait: seconds * 1_000, before: () => { w.network.intercept = (channel, data) => !held.push([channel, data]); } });
    for (const [page, member] of [[host, guest.member], [guest, 'host']]) unproved(page, member);
    w.network.intercept = () => true;
    for (const [channel, data] of held) channel.raw(data);
    await w.settle();
    for (const [page, member] of [[host, guest.member], [guest, 'host']]) assert.equal(page.peer(member).state, 'verified', `after ${seconds} s`);
    w.close();
  }
});

test('time in which the page could not run is no time to prove oneself in', async () => {
  const { host, guest } = await admitted({ wait: 0, before: () => { w.network.intercept = (channel, data) => { queueMicrotask(() => channel.raw(data)); return false; }; } });
  // The proof has come and waits to be looked at, while the clock runs on.
  leap(30_000);
  await w.settle();
  for (const [page, member] of [[host, guest.member], [guest, 'host']]) {
    assert.equal(page.peer(member).state, 'verified');
    assert.ok(page.views.every((view) => view.peers.every((p) => p.reason !== 'unverified')));
  }
});

test('a failed proof is tried again with a new introduction', async () => {
  let lying = true;
  const lie = introductions((b) => ({ key: other(b.key) }), 'host');
  const { host, guest } = await admitted({ tamper: (m, to) => (lying ? lie(m, to) : m) });
  gaveUp(host, guest.member);
  lying = false;
  guest.drop();
  await w.advance(8_000);
  assert.equal(host.peer(guest.member).state, 'verified');
  assert.equal(guest.peer('host').state, 'verified');
});

test('a proof that overtakes its introduction is kept until that comes', async () => {
  // The guest's page came back a moment ago: what the practitioner's page was
  // told is no longer what the guest proves itself with.
  let late = null;
  const { host, guest } = await admitted({
    wait: 1_000,
    tamper: (m, to) => {
      if (to !== 'host' || m.type !== 'introduce') return m;
      late = m;
      return { ...m, body: { ...m.body, key: other(m.body.key) } };
    },
  });
  neverShown(host, guest.member);
  host.sockets.at(-1).remote.send(encode(late.type, late.body));
  await w.settle();
  assert.equal(host.peer(guest.member).state, 'verified');
  assert.equal(guest.peer('host').state, 'verified');
});

test('two guests prove themselves with the key of their introduction', async () => {
  w = new World(2);
  w.home.tamper = (m, to) => (m.type === 'introduce' && m.body.member !== 'host' && to === w.guests[0].member ? { ...m, body: { ...m.body, key: other(m.body.key) } } : m);
  const [a, b] = w.guests;
  await w.seat(a);
  await w.seat(b);
  await w.advance(4_000);
  neverShown(a, b.member);
  neverShown(b, a.member);
  assert.equal(a.peer(b.member).state, 'failed');
  assert.equal(a.peer('host').state, 'verified');
  assert.equal(b.peer('host').state, 'verified');
});
