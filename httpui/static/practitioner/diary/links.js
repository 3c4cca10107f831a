// Guests' links on their way to the clipboard. The diary does not hold them: a
// link is asked for when somebody wants it, and after a while the node asks back
// for the password.

import { ApiError, Turn } from '../../kit/request.js';
import { signInSentence } from '../../kit/errors.js';
import { stopwatch } from '../../kit/lapse.js';

/**
 * @typedef {{member: string, url: string}} Link
 * @typedef {{appointment: string, member: string}} Wanted
 * @typedef {{copied: string | null, shown: Link | null, asking: Wanted | null, busy: boolean, error: string}} LinksSnapshot
 *   copied: the member whose link was copied last; shown: the link that the
 *   browser would not copy; asking: for which link the password is needed;
 *   error: why the last password would not do
 */

/** How long a link that was made on this page can be copied without asking, ms: as long as the node takes a password for. */
const fresh = 15 * 60_000;

/** @type {LinksSnapshot} */
export const noLinks = { copied: null, shown: null, asking: null, busy: false, error: '' };

export class Links {
  #api;
  #write;
  #onChange;
  #onCopied;
  #onError;
  /** @type {Map<string, {url: string, age: () => number}>} made on this page just now, by member */ #made = new Map();
  #now = noLinks;
  #turn = new Turn();

  /**
   * @param {{api: Pick<import('../api.js').Api, 'links' | 'confirm'>, onChange: (now: LinksSnapshot) => void,
   *   onCopied: (copied: boolean) => void, onError: (err: ApiError) => void,
   *   write?: (text: Promise<string>) => Promise<boolean>}} options
   *   onCopied: a link is in the clipboard, or else shown; onError: other than that the password is needed
   */
  constructor({ api, onChange, onCopied, onError, write = copySoon }) {
    this.#api = api;
    this.#write = write;
    this.#onChange = onChange;
    this.#onCopied = onCopied;
    this.#onError = onError;
  }

  /** @param {{member: string, url?: string}[]} made on this page, just now */
  remember(made) {
    for (const { member, url } of made) if (url) this.#made.set(member, { url, age: stopwatch() });
  }

  /**
   * Call it in a gesture, as confirm: browsers copy nothing otherwise.
   * @param {Wanted} wanted
   */
  copy(wanted) {
    return this.#copy(wanted, this.#find(wanted));
  }

  /** @param {string} password for the link that is being asked about */
  async confirm(password) {
    const { asking, busy } = this.#now;
    if (!asking || busy) return;
    this.#say({ busy: true, error: '' });
    await this.#copy(asking, this.#api.confirm(password).then(() => this.#find(asking)));
  }

  /** No password: the link stays where it is. */
  dismiss() {
    this.#turn.drop();
    this.#say({ asking: null, busy: false, error: '' });
  }

  /** Forgets every link. */
  clear() {
    this.#turn.drop();
    this.#made.clear();
    this.#say(noLinks);
  }

  /** @param {Wanted} wanted @returns {Promise<string>} */
  async #find({ appointment, member }) {
    const made = this.#made.get(member);
    if (made && made.age() < fresh) return made.url;
    if (this.#now.shown?.member === member) return this.#now.shown.url;
    const { links } = await this.#api.links(appointment);
    const link = links.find((one) => one.member === member);
    if (!link) throw new ApiError('not-found', { code: 'desk.link.gone' }, 404);
    return link.url;
  }

  /** @param {Wanted} wanted @param {Promise<string>} link */
  #copy(wanted, link) {
    const { member } = wanted;
    return this.#turn.take(Promise.all([this.#write(link), link]), {
      done: ([copied, url]) => {
        this.#say({ ...noLinks, ...(copied ? { copied: member } : { shown: { member, url } }) });
        this.#onCopied(copied);
      },
      refused: (err) => this.#failed(wanted, err),
    });
  }

  /** @param {Wanted} wanted @param {ApiError} err */
  #failed(wanted, err) {
    if (err.status === 403 && err.code === 'unauthorized') return this.#say({ asking: wanted, busy: false, error: '' });
    if (this.#now.asking && err.status !== 401) return this.#say({ busy: false, error: signInSentence(err) });
    this.#say({ asking: null, busy: false });
    this.#onError(err);
  }

  /** @param {Partial<LinksSnapshot>} patch */
  #say(patch) {
    this.#now = { ...this.#now, ...patch };
    this.#onChange(this.#now);
  }
}

/**
 * Copies a text that is still on its way: a browser asks for the gesture now,
 * and for the text when it is there.
 * @param {Promise<string>} text
 * @returns {Promise<boolean>} whether it is in the clipboard
 */
async function copySoon(text) {
  const blob = text.then((it) => new Blob([it], { type: 'text/plain' }));
  blob.catch(() => {}); // the caller hears of it from text
  try {
    await navigator.clipboard.write([new ClipboardItem({ 'text/plain': blob })]);
    return true;
  } catch {
    // Not every browser waits for a text; this may still be soon enough.
  }
  try {
    await navigator.clipboard.writeText(await text);
    return true;
  } catch {
    return false;
  }
}
