// How much one connection is given to carry. It begins with half a picture,
// which any ordinary line carries, and gets the whole one once the line has
// shown that it has room. On a weak line the picture is paused before the sound
// suffers; then first the sound gets richer, which shows what the line carries,
// and if that goes well a small picture comes.
//
// Over TCP a line that gets more than it carries loses nothing: it is late, by
// seconds, and the sound with it. So there a picture comes, or grows, only while
// answers come soon.

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
/** Over TCP a picture in vain costs more, so pauses are so many times as long, and much longer if answers did not come evenly for some time. */
const STREAMED_PAUSES = 6;
const UNEVEN_PAUSES = 24;
const EVEN_MS = 12_000;
/** Answers that come in so many seconds, or in so many times what the soonest took, come evenly. */
const EVEN = 0.1;
const EVEN_TIMES = 1.5;
/** Seconds in which answers come on a line over TCP that begins with a picture, and on one that gets more. */
const PROMPT = 0.25;
const SOON = 0.4;
/** So many answers show how a line over TCP takes what it is given: the first may be to what was asked before. */
const TESTED = 2;
/** A picture that goes well for so long may grow even where the browser knows of no room, and the next pause is short again. */
const STEADY_MS = 8_000;

export class Uplink {
  /** @type {Share} */ #share = 'voice';
  #since = NaN; // when it became so; NaN before the first look
  #weakSince = NaN;
  #pause = PAUSE_MS;
  /** @type {Share} */ #before = 'half';
  #silentAt = -Infinity;
  #streamed = false;
  #fresh = false;
  #soonest = Infinity; // that an answer came, in seconds
  #unevenAt = -Infinity; // when one came much later
  #answers = NaN;
  #answersBefore = NaN; // the share became what it is

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
   * @param {boolean} line.relayed it goes through a relay
   * @param {boolean} line.streamed a part of it is over TCP
   * @param {number} line.roundTrip seconds until an answer comes, 0 where unknown
   * @param {number} line.answers how many came, NaN where unknown
   */
  look(at, { weak, half, whole, relayed, streamed, roundTrip, answers }) {
    this.#streamed = streamed;
    this.#answers = answers;
    if (roundTrip > 0) this.#soonest = Math.min(this.#soonest, roundTrip);
    if (roundTrip > Math.max(EVEN, EVEN_TIMES * this.#soonest)) this.#unevenAt = at;
    if (Number.isNaN(this.#since)) this.#become(streamed && roundTrip > PROMPT ? 'voice' : relayed ? 'small' : 'half', at);
    else if (this.#fresh && streamed && !this.paused) this.#become(roundTrip > PROMPT ? 'voice' : 'small', at);
    this.#fresh = false;
    if (!weak || at - this.#silentAt < OUTAGE_MS) this.#weakSince = NaN;
    else if (Number.isNaN(this.#weakSince)) this.#weakSince = at;
    const lasted = at - this.#since;
    const tooWeak = at - this.#weakSince >= WEAK_MS;
    const tested = Number.isNaN(answers) || answers < this.#answersBefore || answers - this.#answersBefore >= TESTED;
    const more = !streamed || (!weak && roundTrip <= SOON && tested);
    switch (this.#share) {
      case 'voice': // how much more the line would carry, so little does not show
        if (!streamed && lasted >= this.#pause) this.#become('sound', at);
        // Better sound, which is sent twice, is as much as a small picture.
        if (streamed && lasted >= this.#pause * (at - this.#unevenAt >= EVEN_MS ? STREAMED_PAUSES : UNEVEN_PAUSES)) this.#become('small', at);
        break;
      case 'sound':
        if (lasted >= TRY_MS) weak ? this.#retreat(at) : this.#become('small', at);
        break;
      case 'small':
        if (tooWeak && (streamed || lasted >= CHANCE_MS)) this.#retreat(at);
        else if (more && lasted >= (half ? CHANCE_MS : STEADY_MS)) this.#become('half', at);
        break;
      case 'half':
      case 'all':
        if (tooWeak) this.#become('voice', at);
        else if (lasted >= STEADY_MS) this.#pause = PAUSE_MS;
        if (this.#share === 'half' && more && whole && lasted >= GROW_MS) this.#become('all', at);
    }
  }

  /** Nothing comes or goes at this time. Over TCP a weak line does that too. @param {number} at */
  silent(at) {
    if (this.#streamed && !this.paused && !Number.isNaN(this.#since)) this.#become('voice', at);
    else if (this.paused && !this.#streamed && at - this.#since < OUTAGE_MS && this.#before !== 'sound') this.#become(this.#before, at);
    this.#silentAt = at;
  }

  /** There is a new connection, maybe another way. */
  connected() {
    this.#fresh = true;
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
    this.#answersBefore = this.#answers;
    this.#weakSince = NaN;
  }
}
