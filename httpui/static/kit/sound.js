// Sounds, made on the spot: a page that loads no file cannot fail to load one.

/** Seconds from one knock to the next while somebody waits and nobody has reacted. */
const impatience = [4, 4, 8, 20];

/**
 * Sounds plays the page's few sounds. Browsers let a page make sound only
 * after a person touched it: unlock() belongs into every such gesture.
 */
export class Sounds {
  /** @type {AudioContext | null} */ #context = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #next;
  #muted = false;
  #rings = 0;

  /** Whether a sound would be heard now: false until unlock() ran in a gesture. */
  get ready() {
    return this.#context?.state === 'running';
  }

  get muted() {
    return this.#muted;
  }

  /** @returns {Promise<void>} when sound is possible, or is known not to be */
  async unlock() {
    try {
      this.#context ??= new AudioContext();
      if (this.#context.state === 'suspended') await this.#context.resume();
    } catch {
      // No sound device: the title, the list and the notification still tell.
    }
  }

  /** @param {boolean} on */
  mute(on) {
    this.#muted = on;
  }

  /** Knocks now, and again at growing distances, until quiet(). */
  knock() {
    clearTimeout(this.#next);
    this.#rings = 0;
    this.#ring();
  }

  /** Nobody waits any more, or somebody reacted. */
  quiet() {
    clearTimeout(this.#next);
    this.#next = undefined;
  }

  /** Three rising notes, to find out whether the loudspeaker is heard. */
  speakerTest() {
    this.#play([523.25, 659.25, 783.99], 0.22, 0.25);
  }

  /** Two notes: the door opens. */
  welcome() {
    this.#play([587.33, 880], 0.16, 0.2);
  }

  /** One soft note: somebody wrote. */
  message() {
    this.#play([880], 0, 0.08);
  }

  /** Two soft notes: whoever was early can go on. */
  door() {
    if (!this.#muted) this.#play([659.25, 987.77], 0.3, 0.12);
  }

  /** @param {string} id of an output device; "" is the default */
  useSpeaker(id) {
    const context = this.#context;
    if (context && 'setSinkId' in context && typeof context.setSinkId === 'function') {
      void context.setSinkId(id === 'default' ? '' : id).catch(() => {}); // unplugged meanwhile: the default is heard
    }
  }

  close() {
    this.quiet();
    void this.#context?.close();
    this.#context = null;
  }

  #ring() {
    if (!this.#muted) this.#play([659.25, 523.25, 659.25], 0.18, 0.3);
    const wait = impatience[Math.min(this.#rings, impatience.length - 1)] ?? 20;
    this.#rings += 1;
    this.#next = setTimeout(() => this.#ring(), wait * 1000);
  }

  /**
   * @param {number[]} pitches hertz
   * @param {number} step seconds from one note to the next
   * @param {number} loudness 0 to 1
   */
  #play(pitches, step, loudness) {
    const context = this.#context;
    if (!context || context.state !== 'running') return;
    pitches.forEach((pitch, i) => {
      const start = context.currentTime + 0.02 + i * step;
      const tone = context.createOscillator();
      const gain = context.createGain();
      tone.type = 'sine';
      tone.frequency.value = pitch;
      gain.gain.setValueAtTime(0, start);
      gain.gain.linearRampToValueAtTime(loudness, start + 0.02);
      gain.gain.exponentialRampToValueAtTime(0.0005, start + 0.7); // rings out like a small bell
      tone.connect(gain).connect(context.destination);
      tone.start(start);
      tone.stop(start + 0.75);
    });
  }
}
