// A home node in a page: the rules of node/room, without networks or storage.
// Guests' handshakes are in clear; seal.js has tests of its own.
import { decode, encode, toBase64url } from '../../../static/link/wire.js';

const random = (n) => crypto.getRandomValues(new Uint8Array(n));
const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
const same = (a, b) => toBase64url(a) === toBase64url(b);

/** What a guest's page does in place of the Noise handshake. */
export async function clearHandshake(conn, keys) {
  const open = new Uint8Array(33);
  open[0] = 1;
  open.set(keys.rid, 1);
  conn.send(open);
  const m2 = await conn.recv();
  const pass = async (frame) => frame;
  return { channel: { seal: pass, open: pass }, h: m2.slice(0, 32), welcome: m2.slice(32) };
}

export class Home {
  /** @type {Map<string, any>} by member */ seats = new Map();
  locked = false;
  admissions = 0;
  violations = []; // what no page of ours may ever send
  welcomeState = 'open';
  iceServers = [];
  relayOnly = false;
  log = []; // {to, type, body} of everything sent
  tamper = (message, _to) => message; // a node that lies
  up = true;
  /** @type {[status: number, reason: string] | null} how every connection ends before a word */ closing = null;
  /** @type {string | null} why nobody can join now */ refusing = null;

  /** @param {{url: string}} socket @param {any} remote the node's end of it */
  accept(remote, socket) {
    if (!this.up) return remote.close(1006, '');
    if (this.closing) return remote.close(...this.closing);
    const link = { remote, socket, member: null, closed: false };
    remote.onclose = () => this.#disconnect(link);
    remote.onframe = (frame) => {
      if (link.closed) return;
      if (typeof frame === 'string') this.#hostFrame(link, frame);
      else this.#guestFrame(link, frame);
    };
    socket.opened();
  }

  /** Every connection is lost, and everything that was in memory; seats are on disk. */
  restart() {
    for (const seat of this.seats.values()) {
      seat.link?.remote.close(1001, 'going-away');
      seat.link = null;
    }
    this.seats.delete('host');
    this.locked = false;
  }

  /** A relay is lent, and everybody hears of it. */
  lend(iceServers) {
    this.iceServers = iceServers;
    for (const seat of this.seats.values()) this.#tell(seat, 'relays', { ice_servers: iceServers });
  }

  bye(member, code) {
    const seat = this.seats.get(member);
    this.#tell(seat, 'bye', { code });
    if (seat?.link) {
      seat.link.closed = true;
      seat.link.remote.close(1000, '');
    }
  }

  #welcome(state = this.welcomeState) {
    const now = 1_800_000_000;
    return {
      state, now, opens: now - 60, starts: now, ends: now + 1800, closes: now + 3600, practice: 'Practice', practitioner: 'Dr Lee',
      sid: random(32), k_confirm: random(32), resume: random(32), ice_servers: this.iceServers, relay_only: this.relayOnly, demo: true,
    };
  }

  #guestFrame(link, frame) {
    if (!link.key) {
      link.key = true;
    } else if (!link.welcome) {
      link.id = hex(frame.slice(1, 9));
      link.welcome = this.#welcome(this.seats.has(link.id) ? 'full' : this.welcomeState);
      link.h = random(32);
      const text = new TextEncoder().encode(encode('welcome', link.welcome));
      const m2 = new Uint8Array(32 + text.length);
      m2.set(link.h);
      m2.set(text, 32);
      link.remote.send(m2);
    } else {
      this.#receive(link, frame);
    }
  }

  #hostFrame(link, frame) {
    this.#receive(link, frame);
  }

  #receive(link, frame) {
    const { type, body } = decode(frame);
    if (link.member === null) return type === 'join' ? this.#join(link, body) : type === 'attend' ? this.#attend(link, body) : type === 'tested' || this.violations.push(`${type} first`);
    const seat = this.seats.get(link.member);
    if (seat?.link !== link) return;
    const error = this.#act(seat, type, body);
    if (error) this.#tell(seat, 'error', { code: error });
  }

  #join(link, { name, fp, resume }) {
    if (this.refusing) return this.#turnAway(link, this.refusing);
    const token = resume ?? link.welcome.resume;
    const seat = this.seats.get(link.id);
    if (seat && !same(seat.token, token)) {
      seat.alarm = true;
      for (const s of [seat, this.seats.get('host')]) this.#tell(s, 'alarm', { member: link.id });
      this.#roster();
      return this.#turnAway(link, 'seat-taken');
    }
    if (seat?.link) this.#replace(seat);
    const s = seat ?? { member: link.id, role: 'guest', state: 'waiting', since: 1, alarm: false, token, order: 0 };
    Object.assign(s, { name, label: `Label ${link.id.slice(0, 2)}`, fp, link, key: link.welcome.k_confirm, h: link.h, offer: null, candidates: [] });
    link.member = s.member;
    this.seats.set(s.member, s);
    this.#greet(s);
  }

  #turnAway(link, code) {
    link.remote.send(new TextEncoder().encode(encode('bye', { code })));
    link.closed = true;
    link.remote.close(1000, '');
  }

  #attend(link, { fp, tab, take }) {
    const seat = this.seats.get('host');
    if (seat?.link && !take && !same(seat.tab, tab)) {
      link.remote.send(encode('bye', { code: 'host-elsewhere' }));
      link.closed = true;
      return link.remote.close(1000, '');
    }
    if (seat?.link) this.#replace(seat);
    link.member = 'host';
    const s = { member: 'host', role: 'host', state: 'admitted', since: 1, alarm: false, name: 'Dr Lee', fp, tab, link, candidates: [] };
    this.seats.set('host', s);
    this.#tell(s, 'welcome', this.#welcome());
    this.#greet(s);
  }

  #replace(seat) {
    this.#tell(seat, 'bye', { code: 'replaced' });
    seat.link.closed = true;
    seat.link.remote.close(1000, '');
    seat.link = null;
  }

  #greet(s) {
    if (s.role === 'guest') this.#tell(s, 'seat', { member: s.member, state: s.state });
    for (const other of this.seats.values()) if (other !== s) this.#introduce(s, other);
    this.#roster();
  }

  #act(seat, type, body) {
    const host = seat.role === 'host';
    const target = this.seats.get(body.member);
    switch (type) {
      case 'ping': return void this.#tell(seat, 'pong', {});
      case 'description':
      case 'candidate': return this.#relay(seat, type, body);
      case 'leave': return host ? this.#stepOut(seat) : this.#clear(seat, null);
    }
    if (!host) return void this.violations.push(`guest sent ${type}`);
    switch (type) {
      case 'admit': return this.#admit(seat, target, body.sdp ?? '');
      case 'deny': return target ? this.#clear(target, 'denied') : 'no-such-room';
      case 'remove': return target ? this.#clear(target, 'removed') : 'no-such-room';
      case 'hold':
        if (!target || target.state === 'waiting') return 'no-such-room';
        target.state = body.on ? 'held' : 'admitted';
        this.#tell(target, 'seat', { member: target.member, state: target.state });
        return void this.#roster();
      case 'lock':
        this.locked = body.on;
        return void this.#roster();
      case 'end':
        for (const s of [...this.seats.values()]) if (s.role === 'guest' && s.state !== 'waiting') this.#clear(s, 'ended');
        return undefined;
      default: return void this.violations.push(`host sent ${type}`);
    }
  }

  #relay(from, type, body) {
    const to = this.seats.get(body.peer);
    const message = { ...body, peer: from.member };
    if (from.state === 'waiting') {
      if (body.peer !== 'host' || (type === 'description' && body.kind !== 'offer')) {
        // Sent before the page heard that it is back in the waiting room, that is no fault.
        if (!from.stepped) this.violations.push(`waiting guest sent ${type} to ${body.peer}`);
        return 'bad-message';
      }
      if (type === 'description') Object.assign(from, { offer: message, candidates: [] });
      else if (from.candidates.length < 32) from.candidates.push(message);
      return void this.#tell(to, type, message);
    }
    if (to?.state === 'waiting' && from.role === 'host' && !to.stepped) this.violations.push(`host sent ${type} to a waiting guest`);
    if (!to || to.state === 'waiting') return 'no-such-room';
    return void this.#tell(to, type, message);
  }

  #admit(host, s, answer) {
    if (!s || s.state !== 'waiting' || !s.link) return 'no-such-room';
    if ([...this.seats.values()].filter((x) => x.state !== 'waiting').length >= 4) return 'room-full';
    Object.assign(s, { state: 'admitted', order: ++this.admissions, offer: null, candidates: [] });
    this.#tell(s, 'seat', { member: s.member, state: 'admitted' });
    this.#tell(s, 'introduce', this.#introduction(host, s, s.key, s.h));
    if (answer) this.#tell(s, 'description', { peer: 'host', kind: 'answer', sdp: answer });
    for (const other of this.seats.values()) if (other !== s && other !== host) this.#introduce(s, other);
    this.#roster();
  }

  #stepOut(host) {
    for (const s of this.seats.values()) {
      if (s.role === 'guest' && s.state !== 'waiting') {
        s.state = 'waiting';
        s.stepped = true;
        this.#tell(s, 'seat', { member: s.member, state: 'waiting' });
      }
    }
    for (const s of this.seats.values()) if (s.role === 'guest') this.#introduce(s, host);
    this.#roster();
  }

  #clear(s, code) {
    if (code) this.#tell(s, 'bye', { code });
    if (s.link) {
      s.link.closed = true;
      s.link.remote.close(1000, '');
    }
    this.seats.delete(s.member);
    this.#roster();
  }

  #disconnect(link) {
    if (link.closed) return;
    link.closed = true;
    const seat = this.seats.get(link.member);
    if (seat?.link !== link) return;
    seat.link = null;
    this.#roster();
  }

  /** The time for which a seat is kept has passed. */
  expire(member) {
    const seat = this.seats.get(member);
    if (seat && !seat.link) this.#clear(seat, null);
  }

  #introduce(a, b) {
    if (!a.link || !b.link) return;
    if (a.role === 'host') [a, b] = [b, a];
    if (b.role === 'host') {
      this.#tell(b, 'introduce', this.#introduction(a, b, a.key, a.h));
      if (a.state !== 'waiting') return this.#tell(a, 'introduce', this.#introduction(b, a, a.key, a.h));
      if (a.offer) this.#tell(b, 'description', a.offer);
      for (const c of a.candidates) this.#tell(b, 'candidate', c);
      return;
    }
    if (a.state === 'waiting' || b.state === 'waiting') return;
    const [key, h] = [random(32), random(32)];
    this.#tell(a, 'introduce', this.#introduction(b, a, key, h));
    this.#tell(b, 'introduce', this.#introduction(a, b, key, h));
  }

  #introduction(of, to, key, h) {
    const role = to.role === 'host' || (of.role === 'guest' && to.order < of.order) ? 'H' : 'P';
    return { member: of.member, role, polite: role === 'P', fp: of.fp, key, h };
  }

  #roster() {
    const all = [...this.seats.values()].filter((s) => s.state !== 'waiting' || s.link);
    const entry = (s, names) => ({
      member: s.member, role: s.role, state: s.link ? s.state : 'disconnected',
      ...(names && s.name ? { name: s.name } : {}), ...(s.label ? { label: s.label } : {}), since: s.since, alarm: names && s.alarm,
    });
    for (const s of this.seats.values()) {
      if (s.role === 'host') this.#tell(s, 'roster', { members: all.map((x) => entry(x, true)), locked: this.locked });
      else if (s.state !== 'waiting') this.#tell(s, 'roster', { members: all.filter((x) => x.state !== 'waiting').map((x) => entry(x, x.role === 'host')), locked: this.locked });
    }
  }

  #tell(s, type, body) {
    if (!s?.link) return;
    const message = this.tamper({ type, body }, s.member);
    if (!message) return;
    this.log.push({ to: s.member, ...message });
    const text = encode(message.type, message.body);
    s.link.remote.send(s.role === 'host' ? text : new TextEncoder().encode(text));
  }
}
