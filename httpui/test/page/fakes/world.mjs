// One practitioner, some guests, a home node and a network, all in this
// process, with time that only moves when told to.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { afterEach, beforeEach } from 'node:test';
import { GuestCall, HostCall } from '../../../static/call/call.js';
import { Media } from '../../../static/call/media.js';
import { holdTime, pass, releaseTime, turn } from './clock.mjs';
import { Home, clearHandshake } from './home.mjs';
import { FakeDevices, FakeTrack } from './media.mjs';
import { Network } from './rtc.mjs';
import { fakeWebSocket } from './websocket.mjs';

let working = 0; // WebCrypto answers on another thread: nothing is settled before it has
for (const name of ['digest', 'sign', 'importKey', 'deriveBits', 'deriveKey', 'encrypt', 'decrypt', 'generateKey', 'exportKey']) {
  const original = crypto.subtle[name].bind(crypto.subtle);
  crypto.subtle[name] = (...args) => {
    working++;
    return original(...args).finally(() => working--);
  };
}

/** @returns {string} a link that nobody has */
export function newLink() {
  const body = Buffer.concat([Buffer.from([1]), randomBytes(32), randomBytes(16)]);
  const check = createHash('sha256').update('ar1 link').update(body).digest().subarray(0, 2);
  return Buffer.concat([body, check]).toString('base64url');
}

class Tab {
  kept = new Map();
  getItem = (key) => this.kept.get(key) ?? null;
  setItem = (key, value) => void this.kept.set(key, value);
  removeItem = (key) => void this.kept.delete(key);
}

/** A guest's or a practitioner's browser tab; reload makes a new call in it. */
class Page {
  tab = new Tab();
  devices = new FakeDevices();
  media = new Media(this.devices);
  sockets = [];
  call = null;
  views = [];
  wrong = false; // whoever carries its connections answers in the node's place

  constructor(world, link) {
    this.world = world;
    this.link = link;
    this.bytes = randomBytes(16);
    this.open();
  }

  get isHost() {
    return this.link === null;
  }

  get member() {
    return this.isHost ? 'host' : this.call.snapshot.self;
  }

  open() {
    const { home, network } = this.world;
    const platform = {
      WebSocket: fakeWebSocket((remote, socket) => {
        this.sockets.push(socket);
        home.accept(remote, socket);
      }, this.world.deliver),
      handshake: async (conn, keys) => {
        if (this.wrong) throw Object.assign(new Error('a box that does not open'), { code: 'wrong-practice' });
        return clearHandshake(conn, keys);
      },
      rtc: network.connections(this),
      events: null,
      random: () => 0,
    };
    const common = { origin: 'https://practice.example', media: this.media, platform };
    this.call = this.isHost
      ? new HostCall({ ...common, appointment: 'a1', token: 'token', tab: new Uint8Array(this.bytes) })
      : new GuestCall({ ...common, fragment: `#${this.link}`, storage: this.tab });
    this.call.subscribe((view) => this.views.push(view));
    if (this.isHost) this.call.start();
    else this.call.open();
  }

  /** As a reload does it: nothing is said, nothing is left but the tab's storage. */
  reload() {
    this.call.close();
    this.media.stop();
    this.open();
  }

  get view() {
    return this.call.snapshot;
  }

  peer(member) {
    return this.view.peers.find((p) => p.member === member);
  }

  get connections() {
    return [...this.world.network.pcs].filter((pc) => pc.owner === this);
  }

  /** Kinds of tracks that leave this page now. */
  get sending() {
    return this.connections.flatMap((pc) => pc.sending.map((t) => t.kind));
  }

  /** The signalling connection is lost, and the page hears of it. */
  drop() {
    const socket = this.sockets.at(-1);
    socket?.remote.close(1006, '');
  }
}

/** Both have verified the other, and get sound and picture. @param {any} a @param {any} b pages */
export const together = (a, b) => {
  for (const [x, y] of [[a, b], [b, a]]) {
    const peer = x.peer(y.member);
    assert.equal(peer?.state, 'verified', `${x.member} has verified ${y.member}`);
    assert.deepEqual(peer.stream.getTracks().map((t) => t.kind), ['audio', 'video']);
  }
};

/** @type {World[]} in the present test */
const made = [];

export class World {
  home = new Home();
  network = new Network();
  pages = [];
  pressed = new Set(); // members that the practitioner let in since they last knocked
  /** @type {(step: () => void, socket: any) => void} */ deliver = (step) => this.network.later(step);

  constructor(guests = 1) {
    made.push(this);
    FakeTrack.live.clear();
    this.host = new Page(this, null);
    this.guests = Array.from({ length: guests }, () => new Page(this, newLink()));
    this.pages = [this.host, ...this.guests];
    this.network.onReveal = (pc) => this.#revealed(pc);
  }

  /** Until nothing happens any more without time passing. */
  async settle() {
    for (let quiet = 0; quiet < 3; ) {
      await turn();
      quiet = working === 0 && !this.network.busy ? quiet + 1 : 0;
    }
  }

  async advance(ms, step = 250) {
    await pass(ms, {
      step,
      settle: async () => {
        await this.settle();
        this.check();
      },
    });
  }

  async join(guest, name = 'Ada') {
    await this.settle();
    guest.call.join(name);
    await this.settle();
  }

  admit(member) {
    this.pressed.add(member);
    this.host.call.admit(member);
  }

  /** Lets guest in, with everything running. */
  async seat(guest) {
    await guest.media.start({ audio: true, video: true });
    await this.host.media.start({ audio: true, video: true });
    await this.join(guest);
    this.admit(guest.member);
    await this.settle();
    this.check();
  }

  close() {
    for (const page of this.pages) {
      page.call.close();
      page.media.stop();
    }
  }

  /** What must hold whenever nothing is under way. */
  check() {
    assert.deepEqual(this.home.violations, []);
    for (const page of this.pages) {
      const { phase, peers } = page.view;
      if (phase === 'ended' || phase === 'elsewhere') {
        assert.equal(page.connections.length, 0, 'a connection outlives the call');
        assert.deepEqual(peers, []);
      }
      for (const pc of page.connections) this.#checkSending(page, pc);
      for (const peer of peers) this.#checkShown(page, peer);
    }
  }

  /** No track without admission, on either side. */
  #checkSending(page, pc) {
    if (pc.sending.length === 0) return;
    if (!page.isHost) assert.equal(page.view.phase, 'call', 'a guest sends outside the call');
    const other = pc.remoteSession && this.#ownerOf(pc.remoteSession.fingerprint);
    if (!other || other === page) return;
    const picture = pc.transceivers.find(({ sender }) => sender.track?.kind === 'video')?.sender.encoding.active;
    if (pc.connectionState === 'connected' && picture) assert.equal(page.peer(other.member)?.truth.verified, true, 'a picture for somebody who has not proved themselves');
    const guest = page.isHost ? other : page;
    const seat = this.home.seats.get(guest.member);
    if (page.isHost) assert.ok(this.pressed.has(guest.member) || seat?.state === 'admitted', 'a track for somebody who was not let in');
    if (seat && this.#online(page)) assert.equal(seat.state, 'admitted', `${page.member} sends to ${other.member}`);
  }

  /** Nobody is shown who is not the one they are shown as, verified and in the call. */
  #checkShown(page, peer) {
    if (peer.stream === null) return;
    if (!page.isHost) assert.equal(page.view.phase, 'call', 'a picture outside the call');
    assert.ok(peer.truth.verified, 'a picture of somebody unverified');
    const pc = page.connections.find((c) => peer.stream.getTracks().every((t) => c.transceivers.some((x) => x.receiver.track === t)));
    assert.ok(pc, 'a picture of no connection');
    const met = this.#ownerOf(pc.remoteSession.fingerprint);
    if (met?.member) assert.equal(met.member, peer.member, 'a picture under another name');
  }

  #online(page) {
    return page.view.connection === 'online' && this.home.seats.get(page.member)?.link;
  }

  #ownerOf(fingerprint) {
    const hex = Buffer.from(fingerprint).toString('hex');
    for (const pc of this.network.pcs) {
      if (createHash('sha256').update(pc.certificate.der).digest('hex') === hex) return pc.owner;
    }
    return null;
  }

  /** A page tells another network where it is. */
  #revealed(pc) {
    const other = this.#ownerOf(pc.remoteSession.fingerprint);
    if (pc.owner.isHost && other?.member) {
      const seat = this.home.seats.get(other.member);
      assert.ok(this.pressed.has(other.member) || seat?.state !== 'waiting', 'an address is shown to somebody who waits');
    }
    if (!pc.owner.isHost) assert.ok(['call', 'held'].includes(pc.owner.view.phase), 'a waiting guest learns an address');
  }
}

/**
 * Holds the time for each test of a file, and closes the worlds that it made.
 * @returns what makes a world that is settled
 */
export function worlds() {
  beforeEach(() => holdTime());
  afterEach(() => {
    for (const w of made.splice(0)) w.close();
    releaseTime();
  });
  return async (guests = 1) => {
    const w = new World(guests);
    await w.settle();
    return { w, host: w.host, guest: w.guests[0], other: w.guests[1] };
  };
}
