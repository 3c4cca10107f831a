/**
 * Keeps the screen awake while somebody waits or talks. The browser drops the
 * lock whenever the page is hidden, so it is asked for again when it is shown.
 */
export class WakeKeeper {
  #wanted = false;
  /** @type {WakeLockSentinel | null} */ #lock = null;
  #closed = new AbortController();

  constructor() {
    document.addEventListener('visibilitychange', () => this.#ask(), { signal: this.#closed.signal });
  }

  /** @param {boolean} wanted */
  keep(wanted) {
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    if (wanted) void this.#ask();
    else this.#drop();
  }

  close() {
    this.#closed.abort();
    this.#wanted = false;
    this.#drop();
  }

  async #ask() {
    if (!this.#wanted || document.visibilityState !== 'visible' || !('wakeLock' in navigator)) return;
    if (this.#lock && !this.#lock.released) return;
    try {
      const lock = await navigator.wakeLock.request('screen');
      if (this.#wanted) this.#lock = lock;
      else void lock.release();
    } catch {
      // Low battery or a policy: the call goes on, the screen may go dark.
    }
  }

  #drop() {
    void this.#lock?.release();
    this.#lock = null;
  }
}
