// Camera, microphone and screen of this page: asked for once, shared by all its
// calls, let go of at once. Nothing is asked for before start, which belongs in
// a gesture.

import { Changes } from '../kit/watch.js';
import { Level } from './level.js';
import { Queue } from '../kit/queue.js';

/** @typedef {'audio' | 'video'} Kind */
/** @typedef {'denied' | 'missing' | 'busy' | 'lost'} Trouble   busy: another program has it; lost: it was there */
/** @typedef {'off' | 'on' | 'muted' | Trouble} State */
/** @typedef {{kind: MediaDeviceKind, id: string, label: string}} Input */
/**
 * error: a code, "camera-denied" and the like; it stays until the next try, or as long as it is so.
 * stream: what this page sends, for showing it to its own person.
 * @typedef {object} MediaSnapshot
 * @property {State} audio @property {State} video @property {boolean} screen
 * @property {MediaStream | null} stream @property {Input[]} inputs @property {string | null} error
 */

const KINDS = /** @type {const} */ (['audio', 'video']);
const NAMES = /** @type {const} */ ({ audio: 'microphone', video: 'camera' });
const INPUTS = /** @type {const} */ ({ audio: 'audioinput', video: 'videoinput' });
/** How long a track may be interrupted, as by a phone call, before a new one is asked for. */
const INTERRUPTED_MS = 2_000;

/** @param {string | undefined} deviceId @returns {MediaTrackConstraints} */
const microphone = (deviceId) => ({
  echoCancellation: true, noiseSuppression: true, autoGainControl: true,
  ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
});
/** @param {string | undefined} deviceId @returns {MediaTrackConstraints} */
const camera = (deviceId) => ({
  width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 },
  ...(deviceId ? { deviceId: { exact: deviceId } } : { facingMode: 'user' }),
});
/** A screen is read: few frames, all details. */
const screen = { video: { frameRate: { ideal: 5, max: 15 } }, audio: false };

/** @param {Error} refusal of getUserMedia @returns {Trouble} */
function troubleOf({ name }) {
  if (name === 'NotAllowedError' || name === 'SecurityError') return 'denied';
  return name === 'NotReadableError' || name === 'AbortError' ? 'busy' : 'missing';
}

export class Media {
  #devices;
  #changes = new Changes(() => this.snapshot);
  #queue = new Queue();
  /** @type {Record<Kind, MediaStreamTrack | null>} */ #tracks = { audio: null, video: null };
  /** @type {MediaStreamTrack | null} */ #screen = null;
  /** @type {Record<Kind, State>} what is so while there is no track */ #without = { audio: 'off', video: 'off' };
  /** @type {Record<Kind, string | undefined>} the device that was chosen */ #chosen = { audio: undefined, video: undefined };
  /** @type {Record<Kind, string | undefined>} the device that was lost */ #gone = { audio: undefined, video: undefined };
  #muted = false;
  /** @type {string | null} */ #error = null;
  /** @type {Input[]} */ #inputs = [];
  /** @type {MediaStream | null} */ #stream = null;
  /** @type {Level | null} */ #level = null;
  #life = new AbortController(); // of what is on now; stop ends it

  /** @param {MediaDevices} [devices] @param {Pick<Document, 'hidden' | 'addEventListener'>} [page] what tests replace */
  constructor(devices = navigator.mediaDevices, page = globalThis.document) {
    this.#devices = devices;
    devices?.addEventListener?.('devicechange', () => void this.devices());
    page?.addEventListener?.('visibilitychange', () => page.hidden || this.#returned());
  }

  /** What calls send: the screen takes the camera's place while it is shared. */
  get tracks() {
    return { audio: this.#tracks.audio, video: this.#screen ?? this.#tracks.video, screen: this.#screen !== null };
  }

  /** @returns {MediaSnapshot} */
  get snapshot() {
    return Object.freeze({
      audio: this.#tracks.audio ? (this.#muted ? 'muted' : 'on') : this.#without.audio,
      video: this.#tracks.video ? 'on' : this.#without.video,
      screen: this.#screen !== null,
      stream: this.#stream,
      inputs: this.#inputs,
      error: this.#error,
    });
  }

  /** @param {(snapshot: MediaSnapshot) => void} watch @returns {() => void} stops it */
  subscribe(watch) {
    return this.#changes.subscribe(watch);
  }

  /**
   * Turns on what is wanted and not on yet. One that is missing or refused
   * does not keep the other from working; a later start tries it again.
   * @param {{audio: boolean, video: boolean}} want
   */
  start(want) {
    const life = this.#life;
    return this.#queue.add(async () => {
      this.#error = null;
      const kinds = KINDS.filter((kind) => want[kind] && !this.#tracks[kind]);
      if (kinds.length > 0) await this.#acquire(kinds, life);
      await this.devices();
    });
  }

  /** @param {boolean} on microphone off, at once */
  mute(on) {
    this.#muted = on;
    if (this.#tracks.audio) this.#tracks.audio.enabled = !on;
    this.#changed();
    if (!on && !this.#tracks.audio) return this.start({ audio: true, video: false });
    return Promise.resolve();
  }

  /** @param {boolean} on off lets go of the camera, so that its light goes out */
  camera(on) {
    if (on) return this.start({ audio: false, video: true });
    this.#release('video', 'off');
    return Promise.resolve();
  }

  /** @param {boolean} on */
  shareScreen(on) {
    const life = this.#life;
    if (!on) this.#endScreen();
    return this.#queue.add(async () => {
      if (!on || this.#screen || life.signal.aborted) return;
      this.#error = null;
      try {
        const [track] = (await this.#devices.getDisplayMedia(screen)).getVideoTracks();
        if (!track) return;
        if (life.signal.aborted) return track.stop();
        track.contentHint = 'detail';
        track.addEventListener('ended', () => this.#endScreen(), { signal: life.signal });
        this.#screen = track;
      } catch {
        this.#error = 'screen-denied';
      }
      this.#changed();
    });
  }

  /**
   * Looks which devices there are. Their names are known once one is in use.
   * One that was in use and is not there any more is replaced by another.
   */
  async devices() {
    const list = (await this.#devices?.enumerateDevices?.().catch(() => [])) ?? [];
    this.#inputs = list.filter((d) => d.deviceId !== '').map((d) => ({ kind: d.kind, id: d.deviceId, label: d.label }));
    for (const kind of KINDS) if (this.#without[kind] === 'lost' && this.#replaceable(kind)) void this.#replace(kind);
    this.#changed();
  }

  /** @param {string} code what is to be told beside the picture, as an error is */
  note(code) {
    this.#error = code;
    this.#changed();
  }

  /**
   * Uses another device; if that fails, the present one goes on, or any that
   * works. What is off stays off, and begins with that device.
   * @param {MediaDeviceKind} kind @param {string} id
   */
  switchDevice(kind, id) {
    const life = this.#life;
    const of = kind === 'audioinput' ? 'audio' : kind === 'videoinput' ? 'video' : null;
    return this.#queue.add(async () => {
      if (!of) return;
      const present = this.#tracks[of];
      const before = this.#chosen[of];
      this.#chosen[of] = id;
      if (!present && this.#without[of] === 'off') return;
      this.#error = null;
      if (!present) return void (await this.#acquire([of], life));
      // Many phones have one camera at a time: the present one must go first.
      if (of === 'video') present.stop();
      const refusal = await this.#ask([of], life);
      if (refusal === null) return;
      this.#chosen[of] = before;
      if (life.signal.aborted || (of === 'video' && !(await this.#acquire([of], life)))) return;
      this.note(`${NAMES[of]}-kept`);
    });
  }

  /** @returns {number} how loud the microphone is now, 0 to 1 */
  level() {
    if (!this.#tracks.audio || this.#muted) return 0;
    this.#level ??= new Level(this.#tracks.audio);
    return this.#level.read();
  }

  /** Lets go of everything, also of what is still being asked for. */
  stop() {
    this.#life.abort();
    this.#life = new AbortController();
    this.#endScreen();
    this.#release('audio', 'off');
    this.#release('video', 'off');
    this.#muted = false;
    this.#error = null;
    this.#changed();
  }

  /**
   * @param {readonly Kind[]} kinds @param {AbortController} life
   * @returns {Promise<boolean>} whether all came
   */
  async #acquire(kinds, life) {
    const refusal = await this.#ask(kinds, life);
    if (refusal === null) return true;
    if (life.signal.aborted) return false;
    // Which of the two it was, only asking for each can tell.
    const [kind, ...more] = kinds;
    if (kind && more.length > 0) return [await this.#acquire([kind], life), await this.#acquire(more, life)].every(Boolean);
    if (!kind) return false;
    const why = troubleOf(refusal);
    const chosen = this.#chosen[kind];
    if (chosen !== undefined && why !== 'denied' && (await this.#askAnother(kind, chosen, life))) return true;
    if (!life.signal.aborted) this.#refused(kind, why);
    return false;
  }

  /**
   * @param {readonly Kind[]} kinds @param {AbortController} life
   * @returns {Promise<Error | null>} what was refused, null if all came
   */
  async #ask(kinds, life) {
    try {
      const stream = await this.#devices.getUserMedia({
        ...(kinds.includes('audio') ? { audio: microphone(this.#chosen.audio) } : {}),
        ...(kinds.includes('video') ? { video: camera(this.#chosen.video) } : {}),
      });
      for (const track of stream.getTracks()) this.#use(track, life);
      return null;
    } catch (err) {
      return err instanceof Error ? err : new Error('refused');
    }
  }

  /**
   * A device that is gone or busy is no reason to have none: the browser's own
   * choice comes next, then whatever else there is.
   * @param {Kind} kind @param {string} failed @param {AbortController} life
   * @returns {Promise<boolean>} whether another is in use now
   */
  async #askAnother(kind, failed, life) {
    const chosen = this.#chosen[kind];
    await this.devices();
    const others = this.#inputs.filter((device) => device.kind === INPUTS[kind] && device.id !== failed && device.id !== 'default');
    for (const id of [undefined, ...others.map((device) => device.id)]) {
      if (life.signal.aborted) break;
      this.#chosen[kind] = id;
      if ((await this.#ask([kind], life)) !== null) continue;
      if (this.#tracks[kind]?.getSettings().deviceId !== failed) this.note(`${NAMES[kind]}-other`);
      return true;
    }
    this.#chosen[kind] = chosen;
    return false;
  }

  /** @param {MediaStreamTrack} track @param {AbortController} life */
  #use(track, life) {
    const kind = track.kind === 'audio' ? 'audio' : 'video';
    if (life.signal.aborted) return track.stop(); // it comes too late
    const former = this.#tracks[kind];
    this.#tracks[kind] = track;
    this.#settled(kind);
    former?.stop();
    track.contentHint = kind === 'audio' ? 'speech' : 'motion';
    if (kind === 'audio') {
      track.enabled = !this.#muted;
      this.#endLevel();
    }
    const { signal } = life;
    track.addEventListener('ended', () => this.#tracks[kind] === track && void this.#lost(kind), { signal });
    track.addEventListener('mute', () => this.#interrupted(kind, track, life), { signal });
    this.#changed();
  }

  /** @param {Kind} kind @param {Trouble} why */
  #refused(kind, why) {
    if (this.#tracks[kind]?.readyState === 'ended') this.#tracks[kind] = null;
    if (!this.#tracks[kind]) this.#without[kind] = why;
    this.note(`${NAMES[kind]}-${why}`);
  }

  /**
   * The device was unplugged, or the person took the permission back.
   * @param {Kind} kind
   */
  async #lost(kind) {
    this.#gone[kind] = this.#tracks[kind]?.getSettings().deviceId;
    this.#release(kind, 'lost');
    this.note(`${NAMES[kind]}-lost`);
    const status = await globalThis.navigator?.permissions?.query({ name: /** @type {PermissionName} */ (NAMES[kind]) }).catch(() => null);
    if (this.#tracks[kind] || this.#without[kind] !== 'lost') return;
    if (status?.state === 'denied') this.#refused(kind, 'denied');
    else await this.devices();
  }

  /**
   * Whether the lost device is not there any more, and another is. "default"
   * stays in the list, whichever device that is.
   * @param {Kind} kind
   */
  #replaceable(kind) {
    const ids = this.#inputs.filter((device) => device.kind === INPUTS[kind]).map(({ id }) => id);
    const gone = this.#gone[kind];
    return gone !== undefined && ids.length > 0 && (gone === 'default' || !ids.includes(gone));
  }

  /** @param {Kind} kind */
  #replace(kind) {
    const life = this.#life;
    return this.#queue.add(async () => {
      const gone = this.#gone[kind];
      if (life.signal.aborted || this.#without[kind] !== 'lost' || this.#tracks[kind] || !gone || !this.#replaceable(kind)) return;
      this.#gone[kind] = undefined; // one try: who has none then presses a button
      await this.#askAnother(kind, gone, life);
    });
  }

  /** What was wrong with it is over. @param {Kind} kind */
  #settled(kind) {
    if (this.#error?.startsWith(NAMES[kind])) this.#error = null;
  }

  /**
   * A phone call takes the microphone of an iPhone and never gives it back,
   * though the track says it is live: only a new one has sound. While the call
   * lasts that may be refused, so it is tried again when the track is.
   * @param {Kind} kind @param {MediaStreamTrack} track @param {AbortController} life
   */
  #interrupted(kind, track, life) {
    const renew = () => this.#queue.add(() => {
      if (this.#tracks[kind] !== track) return;
      this.#error = null;
      return this.#acquire([kind], life);
    });
    setTimeout(() => {
      if (this.#tracks[kind] !== track || !track.muted) return;
      track.addEventListener('unmute', renew, { signal: life.signal });
      void renew();
    }, INTERRUPTED_MS);
  }

  /** Somebody looks at the page again: what is silent now may not have to be. */
  #returned() {
    for (const kind of KINDS) {
      const track = this.#tracks[kind];
      if (track?.muted) this.#interrupted(kind, track, this.#life);
    }
  }

  /** @param {Kind} kind @param {State} state what is so from now on */
  #release(kind, state) {
    const track = this.#tracks[kind];
    this.#tracks[kind] = null;
    this.#without[kind] = state;
    this.#settled(kind);
    track?.stop();
    if (kind === 'audio') this.#endLevel();
    this.#changed();
  }

  #endScreen() {
    const track = this.#screen;
    this.#screen = null;
    track?.stop();
    this.#changed();
  }

  #endLevel() {
    this.#level?.close();
    this.#level = null;
  }

  #changed() {
    const { audio, video } = this.tracks;
    const tracks = [audio, video].filter((track) => track !== null);
    const shown = this.#stream?.getTracks() ?? [];
    if (tracks.length !== shown.length || tracks.some((track) => !shown.includes(track))) {
      this.#stream = tracks.length > 0 ? new MediaStream(tracks) : null;
    }
    this.#changes.changed();
  }
}
