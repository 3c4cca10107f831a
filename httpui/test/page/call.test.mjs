// Calls against a home node, a network and devices that are all fake: what each
// side sees, and what must never be sent or shown.
import assert from 'node:assert/strict';
import test from 'node:test';
import { encode } from '../../static/link/wire.js';
import { FakeTrack } from './fakes/media.mjs';
import { World, together, worlds } from './fakes/world.mjs';

const make = worlds();

test('opening a link has no effect', async () => {
  const { host, guest } = await make();
  assert.equal(guest.view.phase, 'ready');
  assert.equal(guest.view.welcome.practitioner, 'Dr Lee');
  assert.deepEqual(host.view.waiting, []);
  assert.equal(guest.devices.asked.length, 0);
  assert.equal(guest.connections.length, 0);
  assert.equal(guest.tab.kept.size, 0);
});

test('a damaged link is told without any traffic', async () => {
  const w = new World(0);
  const { GuestCall } = await import('../../static/call/call.js');
  for (const fragment of ['', '#x', `#${'A'.repeat(68)}`, `#${'A'.repeat(69)}`]) {
    const sockets = [];
    const call = new GuestCall({
      fragment, origin: 'https://x', media: w.host.media, storage: w.host.tab,
      platform: { WebSocket: class { constructor() { sockets.push(this); } }, rtc: w.network.connections(null), events: null },
    });
    call.open();
    await w.settle();
    assert.deepEqual([call.snapshot.phase, call.snapshot.code, sockets.length], ['ended', 'bad-link', 0]);
  }
});

test('a guest who waits sends no track, and learns no address', async () => {
  const { w, host, guest } = await make();
  await guest.media.start({ audio: true, video: true });
  await host.media.start({ audio: true, video: true });
  await w.join(guest, ' Ada\u202e ');
  assert.equal(guest.view.phase, 'waiting');
  assert.deepEqual(host.view.waiting.map((e) => e.name), ['Ada']);
  await w.advance(20_000);
  assert.deepEqual([guest.sending, host.sending, guest.view.peers, host.view.peers], [[], [], [], []]);
  assert.ok(w.home.log.filter((m) => m.to === guest.member).every((m) => ['seat', 'pong'].includes(m.type)));
  assert.equal(host.connections[0].remoteCandidates, 0, 'checks left before admission');
  assert.equal(host.connections[0].signalingState, 'stable', 'the answer is ready');
});

test('admission is one message, and then both see each other', async () => {
  const { w, host, guest } = await make();
  await guest.media.start({ audio: true, video: true });
  await host.media.start({ audio: true, video: true });
  await w.join(guest);
  const before = w.home.log.length;
  w.admit(guest.member);
  assert.deepEqual(host.sending, [], 'not before this turn of the loop has ended');
  await w.settle();
  together(host, guest);
  const told = w.home.log.slice(before).filter((m) => m.to === guest.member).map((m) => m.type);
  assert.deepEqual(told.slice(0, 4), ['seat', 'introduce', 'description', 'roster']);
  assert.equal(w.home.log.slice(before).filter((m) => m.type === 'description').length, 1);
  assert.equal(guest.view.phase, 'call');
  assert.deepEqual(host.view.members.map((m) => m.member), [guest.member]);
  assert.deepEqual(guest.sending.toSorted(), ['audio', 'video']);
  w.check();
});

test('a guest admitted before their offer came gets the answer behind it', async () => {
  const { w, host, guest } = await make();
  w.home.tamper = (m, to) => (to === 'host' && (m.type === 'description' || m.type === 'candidate') ? null : m);
  await w.join(guest);
  w.home.tamper = (m) => m;
  w.admit(guest.member);
  await w.settle();
  assert.equal(guest.view.phase, 'call');
  await w.advance(6_000);
  together(host, guest);
});

test('deny, remove, end and leave end everything at once', async () => {
  for (const [act, code] of [['deny', 'denied'], ['remove', 'removed'], ['end', 'ended'], ['leave', 'left']]) {
    const { w, host, guest } = await make();
    if (act === 'deny') {
      await guest.media.start({ audio: true, video: true });
      await w.join(guest);
      host.call.deny(guest.member);
    } else {
      await w.seat(guest);
      together(host, guest);
      if (act === 'remove') host.call.remove(guest.member);
      if (act === 'end') host.call.end();
      if (act === 'leave') guest.call.leave();
    }
    await w.settle();
    assert.deepEqual([guest.view.phase, guest.view.code], ['ended', code], act);
    assert.equal(guest.connections.length, 0);
    assert.equal(guest.media.snapshot.stream, null);
    assert.equal(guest.tab.kept.size, act === 'leave' ? 1 : 0, 'who was sent away has no token to come back with');
    host.media.stop();
    assert.equal(FakeTrack.live.size, 0, act);
    assert.deepEqual(host.view.peers, []);
    w.close();
  }
});

test('a practitioner who leaves puts guests back into the waiting room', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  host.call.leave();
  w.pressed.clear();
  await w.settle();
  assert.equal(guest.view.phase, 'waiting');
  assert.deepEqual([guest.sending, guest.view.peers], [[], []]);
  w.check();
  assert.equal(host.view.phase, 'attending');
  assert.deepEqual(host.view.waiting.map((e) => e.member), [guest.member]);
  const before = w.home.log.length;
  w.admit(guest.member);
  await w.settle();
  together(host, guest);
  assert.equal(w.home.log.slice(before).filter((m) => m.type === 'description').length, 1);
});

test('an operation that never ends, of a connection that is closed, holds up no other', async () => {
  const { w, host, guest } = await make();
  let calm = () => {};
  w.network.busyBrowser = new Promise((resolve) => { calm = resolve; });
  await w.seat(guest); // answered, and its candidates are being added
  host.call.leave();
  await w.settle();
  w.network.busyBrowser = null;
  calm();
  w.pressed.clear();
  await w.settle();
  w.admit(guest.member);
  await w.advance(1_000);
  together(host, guest);
});

for (const [act, phase] of [['leave', 'waiting'], ['end', 'ended']]) {
  test(`${act} without a connection is heard when there is one again`, async () => {
    const { w, host, guest } = await make();
    await w.seat(guest);
    w.home.up = false;
    host.drop();
    await w.settle();
    host.call[act]();
    await w.settle();
    assert.deepEqual([host.sending, host.view.waiting, host.view.members], [[], [], []]);
    w.pressed.clear();
    w.home.up = true;
    await w.advance(3_000);
    assert.equal(guest.view.phase, phase);
    assert.equal(guest.connections.flatMap((pc) => pc.sending).length, 0);
    w.check();
  });
}

test('an answer that comes late is not taken for the one to a newer offer', async () => {
  const { w, host, guest } = await make();
  await w.join(guest);
  const late = [];
  w.home.tamper = (m, to) => {
    if (to === 'host' || m.type !== 'description') return m;
    late.push(m);
    return null;
  };
  w.admit(guest.member);
  await w.advance(11_500); // the guest offers the same again, and then a new connection
  assert.ok(late.length > 1);
  w.home.tamper = (m) => m;
  const link = w.home.seats.get(guest.member).link.remote;
  for (const m of [late[0], late.at(-1)]) link.send(new TextEncoder().encode(encode(m.type, m.body)));
  await w.settle();
  assert.equal(guest.connections[0].signalingState, 'stable');
  together(host, guest);
});

test('hold is quiet for both, and the call is still there', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  const [pc] = guest.connections;
  host.call.hold(guest.member, true);
  await w.settle();
  assert.equal(guest.view.phase, 'held');
  assert.deepEqual([guest.sending, host.sending], [[], []]);
  assert.deepEqual([guest.peer('host').stream, host.peer(guest.member).stream, host.peer(guest.member).reason], [null, null, 'held']);
  await w.advance(10_000);
  host.call.hold(guest.member, false);
  await w.settle();
  together(host, guest);
  assert.equal(guest.connections[0], pc);
});

test('a lost signalling connection does not touch the media', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  const pcs = [...w.network.pcs];
  for (const page of [guest, host, guest]) {
    page.drop();
    await w.settle();
    assert.equal(page.view.connection, 'reconnecting');
    together(host, guest);
    await w.advance(2_000);
    assert.equal(page.view.connection, 'online');
    together(host, guest);
  }
  assert.deepEqual([...w.network.pcs], pcs);
});

test('a home node that restarts in mid-call finds the room as it was', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  const pcs = [...w.network.pcs];
  w.home.up = false;
  w.home.restart();
  await w.advance(20_000);
  together(host, guest);
  w.home.up = true;
  await w.advance(6_000);
  together(host, guest);
  assert.equal(guest.view.phase, 'call');
  assert.deepEqual([...w.network.pcs], pcs);
});

test('a socket that dies without a word is noticed', async () => {
  const { w, guest } = await make();
  await w.seat(guest);
  guest.sockets.at(-1).vanish();
  await w.advance(25_000);
  assert.equal(guest.view.connection, 'online');
  assert.ok(guest.sockets.length > 1);
});

test('Join on a connection that died while nobody used it takes two seconds', async () => {
  const { w, guest } = await make();
  guest.sockets.at(-1).vanish();
  await w.advance(60_000);
  await w.join(guest);
  assert.equal(guest.view.phase, 'joining');
  await w.advance(2_000);
  assert.equal(guest.view.phase, 'waiting');
});

test('why joining fails again and again is told until it does not', async () => {
  const { w, guest } = await make();
  for (const code of ['internal', 'too-many']) {
    w.home.refusing = code;
    await w.join(guest);
    await w.advance(3_000);
    const seen = guest.views.length;
    await w.advance(10_000);
    assert.deepEqual([guest.view.phase, guest.view.code], ['joining', code]);
    assert.ok(guest.views.slice(seen).every((view) => view.code === code), 'also while it is tried again');
  }
  w.home.refusing = null;
  await w.advance(3_000);
  assert.deepEqual([guest.view.phase, guest.view.code], ['waiting', null]);
});

test('a guest who has not pressed Join says how the way is, and nothing else', async () => {
  const { w, guest } = await make();
  guest.call.tell('good');
  await w.advance(60_000);
  assert.deepEqual([guest.sockets.length, guest.view.connection], [1, 'online']);
  await w.join(guest);
  assert.equal(guest.view.phase, 'waiting');
});

test('a connection that is built anew on one side is answered with a new one at once', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  const [old] = host.connections;
  old.channel.closed = () => {}; // the other side has not noticed anything
  old.setConnectionState = () => {};
  guest.connections[0].setConnectionState('failed');
  await w.advance(500);
  together(host, guest);
  assert.notEqual(host.connections[0], old);
});

test('three guests and the practitioner all meet', async () => {
  const { w, host } = await make(3);
  for (const guest of w.guests) await w.seat(guest);
  await w.advance(1_000);
  const all = [host, ...w.guests];
  for (const a of all) for (const b of all) if (a !== b) together(a, b);
  assert.equal(w.network.pcs.size, 12);
  w.guests[0].call.leave();
  await w.settle();
  assert.equal(w.network.pcs.size, 6);
  together(w.guests[1], w.guests[2]);
});

test('on a weak line the picture is paused before the sound suffers, both are told, and it comes back', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  await w.advance(4_000);
  const [pc] = guest.connections;
  const encodings = () => Object.fromEntries(pc.transceivers.map(({ sender }) => [sender.kind, sender.encoding]));
  const plain = encodings();
  assert.equal(plain.video.active, true);
  assert.equal(plain.video.codec, undefined, 'what was negotiated');

  pc.uplink = 50_000;
  await w.advance(2_000);
  assert.equal(encodings().video.active, false);
  assert.equal(encodings().video.codec.mimeType, 'video/H264', 'another codec, so that nothing of the picture is repeated');
  assert.ok(encodings().audio.maxBitrate < plain.audio.maxBitrate);
  assert.deepEqual([guest.peer('host').saving, host.peer(guest.member).saving], [true, false]);
  assert.deepEqual([host.peer(guest.member).video, host.peer(guest.member).paused, host.peer(guest.member).muted], [false, true, false]);
  assert.deepEqual(guest.sending.sort(), ['audio', 'video'], 'nothing is negotiated anew');

  // A camera that is off is off, whatever the line is like.
  await guest.media.camera(false);
  await w.advance(1_000);
  assert.deepEqual([guest.peer('host').saving, host.peer(guest.member).paused], [false, false]);
  await guest.media.camera(true);
  await w.advance(1_000);
  assert.equal(encodings().video.active, true, 'who turns it on gets a chance');
  assert.ok(encodings().video.maxBitrate < plain.video.maxBitrate);
  await w.advance(3_000);
  assert.equal(encodings().video.active, false);

  pc.uplink = 75_000;
  await w.advance(60_000);
  assert.equal(encodings().video.scaleResolutionDownBy, 2, 'it carries half a picture');
  pc.uplink = 1_000_000;
  await w.advance(2_000);
  assert.deepEqual(encodings(), plain);
  assert.deepEqual([guest.peer('host').saving, host.peer(guest.member).video, host.peer(guest.member).paused], [false, true, false]);
});

test('over TCP sound goes in few packets, which nobody else has to agree to', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  await w.advance(2_000);
  const [[pc], [theirs]] = [guest.connections, host.connections];
  const few = /\r\na=ptime:60\r\n/;
  for (const [one, person] of [[pc, guest], [theirs, host]]) { // the one that offered and the one that answered
    assert.doesNotMatch(one.remoteText, few);
    const [said, versions] = [w.home.log.length, [pc.version, theirs.version]];
    one.relayProtocol = 'tls';
    await w.advance(2_000);
    assert.match(one.remoteText, few);
    assert.equal(one.version + (one === pc ? theirs : pc).version, versions[0] + versions[1] + 1, 'once');
    assert.ok(w.home.log.slice(said).every((m) => m.type !== 'description'), 'nobody was asked');
    assert.deepEqual(person.connections, [one]);
  }
  together(host, guest);
  const before = pc.remoteText;
  w.network.cut();
  await w.advance(6_000);
  w.network.restore();
  await w.advance(12_000);
  together(host, guest);
  assert.deepEqual(guest.connections, [pc]);
  assert.notEqual(pc.remoteText, before);
  assert.match(pc.remoteText, few, 'also after what was negotiated since');
});

test('a weak line to one is not one to the others', async () => {
  const { w, host, guest, other } = await make(2);
  await w.seat(guest);
  await w.seat(other);
  await w.advance(4_000);
  const toGuest = host.connections.find((pc) => pc.partner.owner === guest);
  toGuest.uplink = 50_000;
  await w.advance(2_000);
  assert.deepEqual([host.peer(guest.member).saving, host.peer(other.member).saving], [true, false]);
  assert.deepEqual([guest.peer('host').video, other.peer('host').video], [false, true]);
});

test('tracks follow the devices, without another negotiation', async () => {
  const { w, host, guest } = await make();
  await w.join(guest);
  w.admit(guest.member); // one click: the camera is still starting
  await host.media.start({ audio: true, video: true });
  await w.settle();
  together(host, guest);
  const descriptions = () => w.home.log.filter((m) => m.type === 'description').length;
  const before = descriptions();
  assert.deepEqual(host.sending.toSorted(), ['audio', 'video']);
  assert.deepEqual(guest.sending, []);
  await guest.media.start({ audio: true, video: false });
  await w.settle();
  assert.deepEqual(guest.sending, ['audio']);
  await host.media.shareScreen(true);
  await w.settle();
  assert.equal(host.connections[0].sending.find((t) => t.kind === 'video').deviceId, 'screen');
  host.media.mute(true);
  await host.media.camera(false);
  await host.media.shareScreen(false);
  await w.advance(2_500);
  assert.deepEqual(host.sending, ['audio']);
  assert.deepEqual([guest.peer('host').muted, guest.peer('host').video], [true, false]);
  assert.equal(descriptions(), before);
});

test('chat goes to verified people only, and is cleaned', async () => {
  const { w, host, guest } = await make();
  assert.equal(guest.call.sendChat('hello'), false);
  await w.join(guest);
  assert.equal(host.call.sendChat('hello'), false, 'nobody is in the call');
  await w.seat(guest);
  assert.equal(host.call.sendChat(' one\r\n\u202etwo\u0000 '), true);
  await w.settle();
  assert.deepEqual(guest.view.chat.map((l) => [l.from, l.name, l.text]), [['host', 'Dr Lee', 'one\ntwo']]);
  assert.deepEqual(host.view.chat.map((l) => [l.from, l.text]), [['self', 'one\ntwo']]);
  guest.call.sendChat('x'.repeat(5_000));
  await w.settle();
  assert.equal(host.view.chat.at(-1).text.length, 4_000);
  host.call.hold(guest.member, true);
  await w.settle();
  assert.equal(guest.call.sendChat('anybody?'), false);
  assert.equal(host.call.sendChat('  '), false);
});

test('somebody who floods the chat is heard within bounds', async () => {
  const { w, host, guest } = await make();
  await w.seat(guest);
  const [pc] = guest.connections;
  for (let i = 0; i < 50; i++) pc.channel.send('{"t":"chat","text":"spam"}');
  for (const junk of ['', '{', 'null', '[]', '{"t":"chat"}', '{"t":"chat","text":1}', '{"t":"media","audio":1,"video":0}', '{"t":"later"}']) pc.channel.send(junk);
  await w.settle();
  assert.equal(host.view.chat.length, 30);
  together(host, guest);
});

test('snapshots are told at most once for each turn, and do not change', async () => {
  const { w, guest } = await make();
  await w.seat(guest);
  const before = guest.views.length;
  guest.call.sendChat('one');
  guest.call.sendChat('two');
  await w.settle();
  assert.equal(guest.views.length, before + 1);
  assert.ok(Object.isFrozen(guest.view) && Object.isFrozen(guest.view.peers[0]) && Object.isFrozen(guest.view.chat[0]));
});

test('a roster that was on its way does not undo an admission', async () => {
  const { w, host, guest } = await make(2);
  await w.join(guest);
  w.admit(guest.member);
  // The other knocks at this moment: the home node's roster still says that the first one waits.
  await w.join(w.guests[1], 'Bo');
  await w.settle();
  assert.deepEqual(host.view.members.map((m) => m.member), [guest.member]);
  together(host, guest);
});

test('a full room refuses, and whoever was refused waits as before', async () => {
  const { w, host } = await make(4);
  for (const guest of w.guests.slice(0, 3)) await w.seat(guest);
  const last = w.guests[3];
  await w.join(last, 'Late');
  host.call.admit(last.member);
  w.pressed.add(last.member);
  await w.settle();
  w.pressed.delete(last.member);
  assert.deepEqual(host.view.refusal, { code: 'room-full' });
  assert.deepEqual(host.view.waiting.map((m) => m.member), [last.member]);
  assert.equal(last.view.phase, 'waiting');
  w.check();
  w.guests[0].call.leave();
  await w.settle();
  w.admit(last.member);
  await w.settle();
  together(host, last);
});

test('a call that is closed can be closed again, at any moment', async () => {
  const { w, host, guest } = await make();
  await w.join(guest);
  w.admit(guest.member);
  for (const page of [guest, host]) for (let i = 0; i < 3; i++) page.call.close();
  guest.call.leave();
  host.call.end();
  await w.advance(30_000);
  assert.equal(w.network.pcs.size, 0);
  assert.ok(w.home.seats.size <= 2);
});
