// What a guest can make of the practitioner's browser: how many connections it
// makes for them, and where it knocks.
import assert from 'node:assert/strict';
import test from 'node:test';
import { encode } from '../../static/link/wire.js';
import { together, worlds } from './fakes/world.mjs';

const make = worlds();

/** Counts the connections that the practitioner's browser makes, with a limit as browsers have one. */
function counted(w, limit = Infinity) {
  let made = 0;
  const add = w.network.pcs.add.bind(w.network.pcs);
  w.network.pcs.add = (pc) => {
    if (pc.owner === w.host && ++made > limit) throw Object.assign(new Error('too many'), { name: 'UnknownError' });
    return add(pc);
  };
  return () => made;
}

/** The offer of guest as it would be of another RTCPeerConnection. */
const renewed = (w, guest, id) => ({ peer: guest.member, kind: 'offer', sdp: w.home.seats.get(guest.member).offer.sdp.replace(/^o=- \d+/m, `o=- ${id}`) });
const tell = (w, type, body) => w.home.seats.get('host').link.remote.send(encode(type, body));

test('a guest who waits has one connection prepared, renewed at most once a second', async () => {
  const { w, host, guest, other } = await make(2);
  const made = counted(w);
  await w.join(guest);
  assert.equal(made(), 1);
  for (let i = 0; i < 500; i++) tell(w, 'description', renewed(w, guest, 1_000 + i));
  await w.settle();
  assert.equal(made(), 1);
  assert.equal(host.connections.length, 1);
  for (let second = 1; second <= 60; second++) {
    for (let i = 0; i < 20; i++) tell(w, 'description', renewed(w, guest, 2_000 + 20 * second + i));
    await w.advance(1_000);
    assert.ok(made() <= 1 + second, `${made()} after ${second} s`);
  }
  assert.ok(made() < 10, `${made()} in a minute: less and less often`);
  // Another guest is not held up by any of this.
  await w.seat(other);
  together(host, other);
});

test('a guest who waits has one connection prepared, whatever is new about their offers', async () => {
  const { w, host, guest } = await make();
  const made = counted(w);
  await w.join(guest);
  const { sdp } = w.home.seats.get(guest.member).offer;
  for (let i = 2; i < 50; i++) {
    for (const offer of [sdp.replace(/^(o=- \d+) \d+/m, `$1 ${i}`), sdp.replace(/^a=ice-ufrag:.*$/gm, `a=ice-ufrag:ufrag${i}`)]) {
      tell(w, 'description', { peer: guest.member, kind: 'offer', sdp: offer });
    }
  }
  await w.settle();
  assert.equal(made(), 1);
  assert.equal(host.connections.length, 1);
});

test('who offers anew and is let in at once is answered for the newest', async () => {
  const { w, host, guest } = await make();
  await w.join(guest);
  const { sdp } = w.home.seats.get(guest.member).offer;
  for (const id of [7, 8]) tell(w, 'description', { peer: guest.member, kind: 'offer', sdp: sdp.replace(/^o=- \d+/m, `o=- ${id}`) });
  await w.settle();
  const answered = () => host.connections.map((pc) => pc.remoteSession.id);
  assert.notDeepEqual(answered(), ['8'], 'the renewal waits');
  w.admit(guest.member);
  await w.settle();
  assert.deepEqual(answered(), ['8']);
  const answers = w.home.log.filter((m) => m.to === guest.member && m.type === 'description').map((m) => /x-answers:(\d+)/.exec(m.body.sdp)[1]);
  assert.deepEqual(answers, ['8'], 'no answer to an older one');
});

test('a browser that has no connection for one guest has its signalling for all', async () => {
  const { w, host, guest, other } = await make(2);
  counted(w, 0);
  const [socket] = host.sockets.slice(-1);
  await w.join(guest);
  await w.join(other);
  w.admit(guest.member);
  await w.advance(3_000);
  assert.deepEqual([host.view.connection, host.sockets.at(-1) === socket, host.view.waiting.map((m) => m.member)], ['online', true, [other.member]]);
  w.network.pcs.add = Set.prototype.add.bind(w.network.pcs);
  for (const page of [host, guest]) await page.media.start({ audio: true, video: true });
  await w.advance(20_000);
  together(host, guest);
});

const line = (address, { type = 'host', transport = 'udp', tcptype = '' } = {}) =>
  `candidate:9 1 ${transport} 1 ${address} 4711 typ ${type}${tcptype ? ` tcptype ${tcptype}` : ''}`;

test('an admitted guest names where the practitioner’s browser may knock: nowhere in its own house', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  const [pc] = host.connections;
  const taken = () => pc.taken.map((text) => text.split(' ')[4]).filter((address) => !/^192\.0\.2\./.test(address));
  const say = (text) => tell(w, 'candidate', { peer: guest.member, mid: '0', candidate: text });
  const never = ['0.0.0.0', '169.254.169.254', '224.0.0.251', '255.255.255.255', '::', '::ffff:7f00:1', 'fe80::1', 'ff02::1', '64:ff9b::a00:1'];
  const foreign = ['127.0.0.1', '::1', '10.0.0.1', '172.16.0.1', '192.168.0.1', '100.64.0.1', 'fd00::1'];
  for (const address of [...never, ...foreign]) for (const type of ['host', 'srflx', 'relay']) say(line(address, { type }));
  for (const tcptype of ['passive', 'so', 'active']) say(line('203.0.113.5', { transport: 'tcp', tcptype }));
  await w.settle();
  assert.deepEqual(taken(), []);
  say(line('203.0.113.5'));
  say(line('d9b522da-cf8c-4d7f-9207-0508708d2a95.local'));
  await w.settle();
  assert.deepEqual(taken(), ['203.0.113.5', 'd9b522da-cf8c-4d7f-9207-0508708d2a95.local']);
});

test('two who are in one private network meet there, whichever end finds it out first', async () => {
  for (const [own, theirs, foreign] of [['192.168.7.2', '192.168.9.3', '10.0.0.3'], ['fd00::2', 'fd00:1::3', '192.168.0.3'], ['127.0.0.1', '::1', '100.64.0.1']]) {
    for (const late of [false, true]) {
      const { w, host, guest } = await make();
      await w.seat(guest);
      const [pc] = host.connections;
      const find = () => pc.dispatchEvent(Object.assign(new Event('icecandidate'), { candidate: { candidate: line(own), sdpMid: '0', usernameFragment: pc.ufrag } }));
      const say = () => [theirs, foreign].forEach((address) => tell(w, 'candidate', { peer: guest.member, mid: '0', candidate: line(address) }));
      for (const step of late ? [say, find] : [find, say]) {
        step();
        await w.settle();
      }
      const taken = pc.taken.map((text) => text.split(' ')[4]);
      assert.deepEqual([taken.includes(theirs), taken.includes(foreign)], [true, false], `${own} and ${theirs}, ${late ? 'late' : 'early'}`);
      w.close();
    }
  }
});
