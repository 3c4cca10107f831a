// The practitioner's desk: the diary, one attended room for each appointment
// whose door is open, and the one call that is on the screen.

import { Changes } from '../kit/watch.js';
import { Undo } from './undo.js';

/**
 * @typedef {import('./api.js').DeskData} DeskData
 * @typedef {import('../call/call.js').HostCall} HostCall
 * @typedef {import('../call/call.js').HostSnapshot} HostSnapshot
 * @typedef {import('../call/media.js').Media} Media
 * @typedef {import('../call/screen/view-waiting.js').Waiting} Waiting
 * @typedef {{phase: 'attending' | 'lost', desk: DeskData | null, offset: number,
 *   waiting: Waiting[], current: string | null, call: HostSnapshot | null,
 *   calls: ReadonlyMap<string, HostSnapshot>, elsewhere: boolean, over: string | null, undo: Pending | null}} DeskSnapshot
 *   offset: the node's clock minus this one's, seconds; call: of current;
 *   elsewhere: another tab holds the rooms; over: the code with which the last
 *   call ended without this person having asked for it; undo: what can still be taken back
 * @typedef {{kind: 'deny', appointment: string, member: string, name: string}
 *         | {kind: 'end', appointment: string}} Pending
 */

/** How long after an unexpected end a room is attended again. */
const pause = 5_000;

/** How long the guests of a call that was left may take to be at the door again. */
const returnTime = 3_000;

/** How long a decision may take to be confirmed by the node, ms: after that it is taken to be away. */
const settleTime = 1_000;

/**
 * A Room is one attended appointment.
 * @typedef {{call: HostCall, view: HostSnapshot | null, stop: () => void}} Room
 */

/** @param {string} appointment @param {string} member */
const keyOf = (appointment, member) => `${appointment}/${member}`;

export class Desk {
  #media;
  #makeCall;
  #onExpired;
  #onRefusal;
  #onKnock;
  /** @type {DeskData | null} */ #data = null;
  /** @type {'attending' | 'lost'} */ #phase = 'attending';
  #offset = 0;
  /** @type {Map<string, Room>} by appointment */ #rooms = new Map();
  /** @type {Set<string>} not attended for a moment */ #paused = new Set();
  /** @type {Set<ReturnType<typeof setTimeout>>} */ #timers = new Set();
  /** @type {string | null} */ #current = null;
  /** @type {string | null} */ #over = null;
  /** @type {Set<string>} keys of who was at the door when last looked at */ #atDoor = new Set();
  /** @type {Set<string>} keys of who was in a call left just now: that they are back is no knock */ #returning = new Set();
  /** @type {Undo<Pending>} */ #undo = new Undo(() => this.#changes.changed());
  #cameraAllowed = false; // asking for the camera will not show a prompt
  #changes = new Changes(() => this.#snapshot());
  #onHeard = () => {}; // a room has heard from the node
  #closed = false;

  /**
   * @param {{media: Media, makeCall: (appointment: string) => HostCall,
   *   onChange: (now: DeskSnapshot) => void, onExpired: () => void, onRefusal: (code: string) => void,
   *   onKnock: (newcomer: Waiting) => void}} options
   *   onExpired: the session is over; onRefusal: why a guest was not let in
   */
  constructor({ media, makeCall, onChange, onExpired, onRefusal, onKnock }) {
    this.#media = media;
    this.#makeCall = makeCall;
    this.#onExpired = onExpired;
    this.#onRefusal = onRefusal;
    this.#onKnock = onKnock;
    this.#changes.subscribe((now) => {
      if (this.#closed) return;
      onChange(now);
      this.#listenAtDoor(this.#waiting(now.calls));
    });
    void this.#watchPermission();
  }

  /** @param {DeskData} data as the node pushed it, at this moment */
  update(data) {
    this.#data = data;
    this.#phase = 'attending';
    this.#offset = data.now - Date.now() / 1000;
    this.#attend();
    this.#changes.changed();
  }

  /** The diary is no longer being pushed; what is known stays on the screen. */
  lost() {
    this.#phase = 'lost';
    this.#changes.changed();
  }

  /**
   * Lets a guest in and shows their call; out of a call of another appointment
   * one steps first. Call it in a gesture: it starts camera and microphone.
   * @param {string} appointment
   * @param {string} member
   */
  async admit(appointment, member) {
    if (!this.#rooms.has(appointment)) return; // they were shown a moment ago; the room is gone
    this.#show(appointment);
    const started = this.#startMedia();
    // With a prompt open the practitioner is not ready, so nobody is let in
    // yet. Without one, camera and connection start side by side.
    if (!this.#cameraAllowed) await started;
    if (this.#current === appointment) this.#rooms.get(appointment)?.call.admit(member);
  }

  /**
   * Sends away somebody at the door. They wait until it can no longer be taken back.
   * @param {string} appointment @param {string} member
   */
  deny(appointment, member) {
    const room = this.#rooms.get(appointment);
    const { name = '' } = room?.view?.waiting.find((guest) => guest.member === member) ?? {};
    this.#undo.put({ kind: 'deny', appointment, member, name }, { run: () => room?.call.deny(member), back: () => {} });
  }

  /**
   * Goes back into a call whose guests were admitted before this page was loaded.
   * @param {string} appointment
   */
  enter(appointment) {
    const { pending } = this.#undo;
    if (pending?.kind === 'end' && pending.appointment === appointment) return this.#undo.takeBack();
    this.#reenter(appointment);
  }

  /** @param {string} appointment */
  #reenter(appointment) {
    this.#show(appointment);
    this.#rooms.get(appointment)?.call.enter();
    void this.#startMedia();
  }

  /** Steps out of the call on the screen: its guests are back in the waiting room. */
  leave() {
    this.#stepOut();
    this.#hide();
  }

  /**
   * Ends the call on the screen for everyone. From this moment nobody hears or
   * sees the practitioner; the others are told when it can no longer be taken back.
   */
  end() {
    const { call } = this;
    const appointment = this.#current;
    if (!call || appointment === null) return;
    call.stepAside();
    this.#hide();
    this.#undo.put({ kind: 'end', appointment }, { run: () => call.end(), back: () => this.#reenter(appointment) });
  }

  takeBack() {
    this.#undo.takeBack();
  }

  /** Does at once what could still have been taken back. */
  finish() {
    this.#undo.finish();
  }

  /** Does so, and returns when the node has confirmed all that was decided here, or does not answer. */
  async settle() {
    this.finish();
    const settled = () => [...this.#rooms.values()].every(({ call }) => call.settled);
    if (settled()) return;
    await new Promise((done) => {
      this.#after(settleTime, () => done(undefined));
      this.#onHeard = () => { if (settled()) done(undefined); };
    });
    this.#onHeard = () => {};
  }

  /** The person is about to decide whether to take it back. @param {import('./undo.js').Held} by @param {boolean} on */
  consider(by, on) {
    this.#undo.wait(by, on);
  }

  /** Takes the rooms over from another tab. */
  take() {
    for (const { call, view } of this.#rooms.values()) {
      if (view?.phase === 'elsewhere') call.start({ take: true });
    }
  }

  /** The call on the screen, for what concerns it alone: hold, remove, lock, chat. */
  get call() {
    return this.#current ? (this.#rooms.get(this.#current)?.call ?? null) : null;
  }

  /** The page has told why the last call ended. */
  acknowledge() {
    this.#over = null;
    this.#changes.changed();
  }

  close() {
    this.#undo.finish();
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const id of [...this.#rooms.keys()]) this.#drop(id);
    this.#media.stop();
  }

  /** @param {string} appointment */
  #show(appointment) {
    if (this.#undo.pending?.kind === 'end') this.#undo.finish(); // the next call begins
    if (this.#current !== null && this.#current !== appointment) {
      this.#stepOut();
      void this.#media.shareScreen(false); // it was for those who were here
    }
    this.#current = appointment;
    this.#over = null;
    this.#changes.changed();
  }

  #stepOut() {
    const room = this.#rooms.get(this.#current ?? '');
    const back = (room?.view?.members ?? []).map(({ member }) => keyOf(this.#current ?? '', member));
    for (const key of back) this.#returning.add(key);
    this.#after(returnTime, () => { for (const key of back) this.#returning.delete(key); });
    room?.call.leave();
  }

  /** No call is on the screen any more: camera and microphone go off. */
  #hide() {
    this.#current = null;
    this.#media.stop();
    this.#changes.changed();
  }

  /** Starts what has never been on in this call: a camera that was turned off stays off. */
  async #startMedia() {
    const { audio, video } = this.#media.snapshot;
    const running = audio === 'on' || audio === 'muted' || video === 'on';
    if (!running) await this.#media.start({ audio: true, video: true }).catch(() => {});
  }

  /** Attends what is open, lets go of what is over. */
  #attend() {
    if (this.#closed) return;
    for (const { id, state } of this.#data?.appointments ?? []) {
      const room = this.#rooms.get(id);
      if (state === 'open' && !room && !this.#paused.has(id)) this.#open(id);
      // The end of the window never cuts a running call, nor off who knocked in time.
      const empty = !room?.view?.members.length && !room?.view?.waiting.length;
      if (state !== 'open' && room && id !== this.#current && empty) this.#drop(id);
    }
  }

  /** @param {string} id */
  #open(id) {
    const call = this.#makeCall(id);
    /** @type {Room} */
    const room = { call, view: null, stop: () => {} };
    this.#rooms.set(id, room);
    room.stop = call.subscribe((view) => this.#hear(id, room, view));
    call.start();
    if (id === this.#current) call.enter();
  }

  /** @param {string} id @param {Room} room @param {HostSnapshot} view */
  #hear(id, room, view) {
    if (this.#rooms.get(id) !== room) return;
    const before = room.view;
    room.view = view;
    if (view.refusal && view.refusal !== before?.refusal) this.#onRefusal(view.refusal.code);
    if (view.phase === 'elsewhere' && id === this.#current) this.#hide();
    if (view.phase === 'ended') this.#endedByNode(id, view.code ?? 'internal');
    this.#onHeard();
    this.#changes.changed();
  }

  /** @param {string} id @param {string} code */
  #endedByNode(id, code) {
    if (id === this.#current) this.#over = code;
    if (code === 'unauthorized') this.#onExpired();
    this.#drop(id);
    if (this.#closed) return;
    this.#paused.add(id);
    this.#after(pause, () => {
      this.#paused.delete(id);
      this.#attend();
    });
  }

  /** @param {number} ms @param {() => void} act not after close */
  #after(ms, act) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }

  /** @param {string} id of a room that this page lets go of */
  #drop(id) {
    const room = this.#rooms.get(id);
    this.#rooms.delete(id);
    room?.stop();
    room?.call.close();
    if (id === this.#current) this.#hide();
  }

  async #watchPermission() {
    try {
      const status = await Promise.all(
        ['camera', 'microphone'].map((name) => navigator.permissions.query({ name: /** @type {PermissionName} */ (name) })),
      );
      const note = () => {
        this.#cameraAllowed = status.every(({ state }) => state === 'granted');
      };
      note();
      for (const one of status) one.onchange = note;
    } catch {
      // A browser that cannot say: the prompt is waited for.
    }
  }

  /** @param {Waiting[]} waiting */
  #listenAtDoor(waiting) {
    const before = this.#atDoor;
    this.#atDoor = new Set(waiting.map(({ appointment, member }) => keyOf(appointment, member)));
    const newcomer = waiting.find(({ appointment, member }) => {
      const key = keyOf(appointment, member);
      return !before.has(key) && !this.#returning.has(key);
    });
    if (newcomer) this.#onKnock(newcomer);
  }

  /** @returns {DeskSnapshot} */
  #snapshot() {
    /** @type {Map<string, HostSnapshot>} */
    const calls = new Map();
    for (const [id, { view }] of this.#rooms) if (view) calls.set(id, view);
    return {
      phase: this.#phase,
      desk: this.#data,
      offset: this.#offset,
      waiting: this.#waiting(calls).filter(({ appointment, member }) => !this.#denied(appointment, member)),
      current: this.#current,
      call: this.#current ? (calls.get(this.#current) ?? null) : null,
      calls,
      elsewhere: [...calls.values()].some(({ phase }) => phase === 'elsewhere'),
      over: this.#over,
      undo: this.#undo.pending,
    };
  }

  /** @param {string} appointment @param {string} member */
  #denied(appointment, member) {
    const { pending } = this.#undo;
    return pending?.kind === 'deny' && pending.appointment === appointment && pending.member === member;
  }

  /** @param {ReadonlyMap<string, HostSnapshot>} calls @returns {Waiting[]} who came first, first */
  #waiting(calls) {
    const appointments = new Map((this.#data?.appointments ?? []).map((a) => [a.id, a]));
    /** @type {Waiting[]} */
    const waiting = [];
    for (const [id, view] of calls) {
      for (const { member, name = '', label = '', since, alarm } of view.waiting) {
        waiting.push({
          appointment: id,
          appointmentLabel: appointments.get(id)?.label ?? '',
          test: appointments.get(id)?.test ?? false,
          starts: appointments.get(id)?.starts ?? 0,
          here: id === this.#current,
          member,
          name,
          label,
          since,
          alarm: alarm || view.alarm.includes(member),
        });
      }
    }
    return waiting.sort((a, b) => a.since - b.since);
  }
}
