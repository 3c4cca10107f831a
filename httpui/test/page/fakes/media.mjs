// Tracks, streams and devices without a camera. Each track knows whether it was
// let go.

export class FakeTrack extends EventTarget {
  static live = new Set();
  enabled = true;
  muted = false;
  readyState = 'live';
  contentHint = '';

  constructor(kind, deviceId = `${kind}-1`) {
    super();
    this.kind = kind;
    this.id = `${kind} ${Math.random().toString(36).slice(2)}`;
    this.deviceId = deviceId;
    FakeTrack.live.add(this);
  }

  stop() {
    this.readyState = 'ended'; // without an event, as in browsers
    FakeTrack.live.delete(this);
  }

  /** The device is gone, or the permission. */
  end() {
    this.stop();
    this.dispatchEvent(new Event('ended'));
  }

  interrupt(on) {
    this.muted = on;
    this.dispatchEvent(new Event(on ? 'mute' : 'unmute'));
  }

  getSettings() {
    return { deviceId: this.deviceId };
  }
}

export class FakeStream {
  #tracks;
  constructor(tracks) {
    for (const track of tracks) if (!track.kind) throw new TypeError('not a track');
    this.#tracks = [...tracks];
  }
  getTracks() {
    return [...this.#tracks];
  }
  getVideoTracks() {
    return this.#tracks.filter((t) => t.kind === 'video');
  }
}

const refusal = (name) => Object.assign(new Error(name), { name });

/** navigator.mediaDevices, with what each kind answers: null for a track, or the name of an error. */
export class FakeDevices extends EventTarget {
  audio = null;
  video = null;
  screen = null;
  muted = false; // whether tracks are silent from the start
  asked = []; // every call of getUserMedia
  gate = Promise.resolve(); // what a prompt waits for

  async getUserMedia(constraints) {
    this.asked.push(constraints);
    await this.gate;
    const kinds = ['audio', 'video'].filter((kind) => constraints[kind]);
    if (kinds.length === 0) throw new TypeError('nothing asked for');
    for (const kind of kinds) if (this[kind]) throw refusal(this[kind]);
    return new FakeStream(kinds.map((kind) => Object.assign(new FakeTrack(kind, constraints[kind].deviceId?.exact), { muted: this.muted })));
  }

  async getDisplayMedia(constraints) {
    if (constraints.audio) throw new TypeError('sound of the computer is not shared');
    await this.gate;
    if (this.screen) throw refusal(this.screen);
    return new FakeStream([new FakeTrack('video', 'screen')]);
  }

  async enumerateDevices() {
    return [{ kind: 'audioinput', deviceId: 'audio-1', label: 'Microphone' }, { kind: 'videoinput', deviceId: '', label: '' }];
  }
}

globalThis.MediaStream = FakeStream;

const KINDS = { audioinput: 'audio', videoinput: 'video' };

/** Devices that can be plugged in and out, and taken by another program. */
export class PluggedDevices extends FakeDevices {
  busy = new Set();
  ids;
  tracks = [];

  /** @param {...string} ids "audioinput-1" and so on; the first of a kind is the browser's own choice */
  constructor(...ids) {
    super();
    this.ids = ids;
  }

  async getUserMedia(constraints) {
    this.asked.push(constraints);
    await null;
    const made = Object.entries(KINDS).filter(([, kind]) => constraints[kind]).map(([input, kind]) => {
      if (this[kind]) throw refusal(this[kind]);
      const ids = this.ids.filter((id) => id.startsWith(input));
      if (ids.length === 0) throw refusal('NotFoundError');
      const id = constraints[kind].deviceId?.exact ?? ids[0];
      if (!ids.includes(id)) throw refusal('OverconstrainedError');
      if (this.busy.has(id)) throw refusal('NotReadableError');
      return [kind, id];
    });
    const tracks = made.map(([kind, id]) => new FakeTrack(kind, id));
    this.tracks.push(...tracks);
    return new FakeStream(tracks);
  }

  async enumerateDevices() {
    return this.ids.map((deviceId) => ({ kind: deviceId.split('-')[0], deviceId, label: deviceId }));
  }

  unplug(id) {
    this.ids = this.ids.filter((other) => other !== id);
    for (const track of this.tracks) if (track.deviceId === id && track.readyState === 'live') track.end();
    this.dispatchEvent(new Event('devicechange'));
  }

  plug(id) {
    this.ids.push(id);
    this.dispatchEvent(new Event('devicechange'));
  }
}
