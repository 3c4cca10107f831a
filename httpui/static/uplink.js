// How much one connection is given to carry. It begins with half a picture,
// which any ordinary line carries, and gets the whole one once the line has
// shown that it has room. On a weak line the picture is paused before the sound
// suffers; then first the sound gets richer, which shows what the line carries,
// and if that goes well a small picture comes. (DESIGN.md, section 8)

/** @typedef {'voice' | 'sound' | 'small' | 'half' | 'all'} Share   what is sent: plain sound, good sound, and that with a picture */

/** A line must be weak for this long before the picture is paused, milliseconds. */
const WEAK_MS = 600;
/** How long only plain sound is sent; twice as long each time that more was tried in vain, up to a limit. */
const PAUSE_MS = 5_000;
const MAX_PAUSE_MS = 60_000;
/** How long good sound is tried before a picture is. */
const TRY_MS = 4_000;
/** A picture has this long to show that the line carries it. */
const CHANCE_MS = 2_000;
/** A line that fell silent was not weak but gone: what was paused so shortly before goes on, and for so long after it nothing is. */
const OUTAGE_MS = 3_000;
/** Half a picture may become a whole one after this long, where there is room. */
const GROW_MS = 1_000;
/** A picture that goes well for so long may grow even where the browser knows of no room, and the next pause is short again. */
const STEADY_MS = 8_000;

export class Uplink {
  /** @type {Share} */ #share = 'voice';
  #since = NaN; // when it became so; NaN before the first look
  #weakSince = NaN;
  #pause = PAUSE_MS;
  /** @type {Share} */ #before = 'half';
  #silentAt = -Infinity;

  get share() {
    return this.#share;
  }

  /** Whether there is no picture, because the line is weak. */
  get paused() {
    return !Number.isNaN(this.#since) && (this.#share === 'voice' || this.#share === 'sound');
  }

  /**
   * @param {number} at milliseconds of any clock
   * @param {object} line
   * @param {boolean} line.weak too weak for sound and any picture
   * @param {boolean} line.half it has room for half a picture @param {boolean} line.whole and for a whole one
   * @param {boolean} line.relayed it may go over TCP, where what is late holds up all that comes behind it: so the beginning is small
   */
  look(at, { weak, half, whole, relayed }) {
    if (Number.isNaN(this.#since)) this.#become(relayed ? 'small' : 'half', at);
    if (!weak || at - this.#silentAt < OUTAGE_MS) this.#weakSince = NaN;
    else if (Number.isNaN(this.#weakSince)) this.#weakSince = at;
    const lasted = at - this.#since;
    const tooWeak = at - this.#weakSince >= WEAK_MS;
    switch (this.#share) {
      case 'voice': // how much more the line would carry, so little does not show
        if (lasted >= this.#pause) this.#become('sound', at);
        break;
      case 'sound':
        if (lasted >= TRY_MS) weak ? this.#retreat(at) : this.#become('small', at);
        break;
      case 'small':
        if (tooWeak && lasted >= CHANCE_MS) this.#retreat(at);
        else if (lasted >= (half ? CHANCE_MS : STEADY_MS)) this.#become('half', at);
        break;
      case 'half':
      case 'all':
        if (tooWeak) this.#become('voice', at);
        else if (lasted >= STEADY_MS) this.#pause = PAUSE_MS;
        if (this.#share === 'half' && whole && lasted >= GROW_MS) this.#become('all', at);
    }
  }

  /** Nothing comes or goes at this time. @param {number} at */
  silent(at) {
    if (this.paused && at - this.#since < OUTAGE_MS && this.#before !== 'sound') this.#become(this.#before, at);
    this.#silentAt = at;
  }

  /** Somebody wants the picture now: it gets its chance at once. @param {number} at */
  retry(at) {
    if (this.paused) this.#become('small', at);
  }

  /** @param {number} at */
  #retreat(at) {
    this.#pause = Math.min(2 * this.#pause, MAX_PAUSE_MS);
    this.#become('voice', at);
  }

  /** @param {Share} share @param {number} at */
  #become(share, at) {
    this.#before = this.#share;
    this.#share = share;
    this.#since = at;
    this.#weakSince = NaN;
  }
}
