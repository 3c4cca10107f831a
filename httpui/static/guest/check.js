// Camera, microphone, speaker and the way to the practice, tried before a call.

import { runMeter } from '../call/screen/view-check.js';
import { testPath } from './path-test.js';

/**
 * @typedef {{checking: boolean, phase: 'asking' | 'ready', speakerAsked: boolean, heard: boolean | null,
 *   path: import('../call/screen/view-check.js').PathState}} CheckUi
 */

/** @returns {CheckUi} */
export const newCheckUi = () => ({ checking: false, phase: 'asking', speakerAsked: false, heard: null, path: null });

export class Check {
  #media;
  #sounds;
  #ui;
  #servers;
  #onPath;
  /** @type {(() => void) | null} */ #stopMeter = null;
  /** @type {AbortController | null} */ #pathTest = null;

  /**
   * @param {{media: import('../call/media.js').Media, sounds: import('../kit/sound.js').Sounds,
   *   ui: {set: (patch: Partial<CheckUi>) => void}, servers: () => import('../link/wire.js').ICEServer[] | null,
   *   onPath: (path: import('../link/wire.js').PathResult) => void}} parts
   *   servers: what helps to find a way, null while it is no time to try; onPath: how the way was found to be
   */
  constructor({ media, sounds, ui, servers, onPath }) {
    this.#media = media;
    this.#sounds = sounds;
    this.#ui = ui;
    this.#servers = servers;
    this.#onPath = onPath;
  }

  /** What can be done. */
  intents() {
    return {
      start: () => void this.run(),
      retryPath: () => void this.#testPath(),
      trySpeaker: () => void this.#sounds.unlock().then(() => {
        this.#sounds.speakerTest();
        this.#ui.set({ speakerAsked: true, heard: null });
      }),
      heard: (/** @type {boolean} */ yes) => this.#ui.set({ heard: yes }),
    };
  }

  /** Asks for camera and microphone; always in a gesture. */
  async ask() {
    void this.#sounds.unlock();
    this.#ui.set({ checking: true, phase: 'asking' });
    await this.#media.start({ audio: true, video: true }).catch(() => {});
    this.#ui.set({ phase: 'ready' });
  }

  async run() {
    await this.ask();
    void this.#testPath(); // not before: a page that may use the camera may use more of the network, too
  }

  /** Tries the way that the call would take. */
  async #testPath() {
    const servers = this.#servers();
    if (!servers) return;
    this.#pathTest?.abort();
    const { signal } = (this.#pathTest = new AbortController());
    this.#ui.set({ path: 'testing' });
    const path = await testPath(servers, { signal });
    if (signal.aborted) return;
    this.#ui.set({ path });
    if (path) this.#onPath(path);
  }

  /** The way is no longer tried: the call has begun, or there will be none. */
  stop() {
    this.#pathTest?.abort();
    this.#pathTest = null;
  }

  /** @param {boolean} shown the meter moves while it is on the screen */
  meter(shown) {
    if (shown) this.#stopMeter ??= runMeter(() => this.#media.level());
    else {
      this.#stopMeter?.();
      this.#stopMeter = null;
    }
  }
}
