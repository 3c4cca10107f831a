import { takeFragment } from './fragment.js'; // first: see there
import { agentOf } from './browser.js';
import { GuestCall } from './call.js';
import { Arrivals, callIntents, canFlipCamera, canShareScreen, copy, newCallUi, news, trustChange } from './call-page.js';
import { Chime } from './chime.js';
import { canVerify } from './identity.js';
import { Media } from './media.js';
import { parseLink } from './seal.js';
import { testPath } from './path-test.js';
import { ofTab } from './storage.js';
import { Store } from './store.js';
import { render } from './html.js';
import { syncPanel } from './view-call.js';
import { runMeter } from './view-check.js';
import { guestScreen, guestView } from './view-guest.js';
import { announce, focusKeeper, focusScreen, toast } from './view-shell.js';
import { playAll, useSpeaker } from './view-tiles.js';
import { WakeKeeper } from './wake.js';

/**
 * @typedef {import('./call.js').GuestSnapshot} GuestSnapshot
 * @typedef {import('./view-guest.js').GuestState} GuestState
 * @typedef {import('./view-guest.js').GuestIntents} GuestIntents
 * @typedef {import('./view-call.js').CallUi & {checking: boolean, phase: 'asking' | 'ready', speakerAsked: boolean,
 *   heard: boolean | null, path: import('./view-check.js').PathState, name: string, copied: boolean, toast: string | null}} Ui
 */

/** How long an admission waits for its picture before it is drawn without. */
const ENTER_MS = 400;

/** @returns {Ui} */
const newUi = () => ({
  ...newCallUi(), checking: false, phase: 'asking', speakerAsked: false, heard: null, path: null, name: '', copied: false, toast: null,
});

/** The guest's page: builds the parts, connects them, and draws what they say. */
class GuestPage {
  #root = /** @type {HTMLElement} */ (document.getElementById('app'));
  #keepFocus = focusKeeper(this.#root);
  #toasts = /** @type {HTMLElement} */ (document.getElementById('toasts'));
  #agent = agentOf(navigator.userAgent, navigator.maxTouchPoints);
  #media = new Media();
  #chime = new Chime();
  #wake = new WakeKeeper();
  /** @type {ReturnType<typeof setTimeout> | null} just admitted: the connection goes before the screen */ #entering = null;
  #ui = new Store(newUi());
  #arrivals = new Arrivals({ chime: this.#chime, ui: this.#ui });
  #act = this.#intents();

  #fragment = ''; // the link's secret part: here and in the call's closure, nowhere else
  /** @type {string | null} */ #trouble = null;
  /** @type {GuestCall | null} */ #call = null;
  /** @type {GuestSnapshot | null} */ #now = null;
  #unsubscribe = () => {};
  #offset = 0; // the practice's clock minus this one's, seconds
  #talked = false;
  /** @type {import('./call-page.js').Heard | null} */ #heard = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #toastTimer;
  /** @type {(() => void) | null} */ #stopMeter = null;
  /** @type {AbortController | null} */ #pathTest = null;
  #quietly = false; // a new call is being made behind the screen of the last one

  start() {
    this.#root.replaceChildren();
    this.#media.subscribe(() => this.#draw());
    this.#ui.subscribe(() => this.#draw());
    setInterval(() => this.#tick(), 1000);
    for (const event of ['online', 'offline']) addEventListener(event, () => this.#draw());
    addEventListener('hashchange', () => this.#anotherLink());
    addEventListener('pagehide', () => this.#close());
    addEventListener('pageshow', ({ persisted }) => { if (persisted) this.#act.again(); });
    addEventListener('beforeunload', (event) => { if (this.#inside()) event.preventDefault(); });
    this.#take(takeFragment());
  }

  /** @param {string} fragment */
  #take(fragment) {
    this.#fragment = fragment;
    this.#trouble = troubleWith(fragment);
    this.#ui.set({ checking: false });
    this.#open();
  }

  /**
   * Makes the call of this link, from the beginning.
   * @param {{quietly?: boolean}} [options] quietly: the screen stays until there is news
   */
  #open({ quietly = false } = {}) {
    const last = this.#now;
    this.#closeCall();
    this.#quietly = quietly;
    if (quietly) this.#now = last;
    this.#talked = false;
    if (this.#trouble) return this.#draw();
    this.#call = new GuestCall({ fragment: this.#fragment, origin: location.origin, media: this.#media, storage: ofTab });
    this.#unsubscribe = this.#call.subscribe((now) => this.#hear(now));
    this.#call.open();
    this.#draw();
  }

  /** @param {GuestSnapshot} now */
  #hear(now) {
    if (this.#quietly && now.welcome === null && now.code === null) return;
    this.#quietly = false;
    const before = this.#now;
    this.#now = now;
    if (now.welcome && now.welcome !== before?.welcome) this.#offset = now.welcome.now - Date.now() / 1000;
    if (now.phase === 'call' && before?.phase === 'waiting') {
      this.#talked = true;
      this.#entering = setTimeout(() => this.#enter(), ENTER_MS);
    } else if (this.#entering && (now.phase !== 'call' || now.peers.some(({ stream }) => stream))) {
      this.#enter();
    }
    if (now.phase === 'ended' && before?.phase !== 'ended' && now.code !== 'early') {
      this.#media.stop();
      this.#ui.set({ ...newCallUi(), speaker: this.#ui.value.speaker });
    }
    this.#wake.keep(this.#inside());
    const change = trustChange(before?.peers ?? [], now.peers);
    if (change) this.#tell(change);
    this.#draw();
  }

  /** Shows the call: until its first picture is there, drawing would only hold that up. */
  #enter() {
    clearTimeout(this.#entering ?? undefined);
    this.#entering = null;
    this.#chime.welcome();
    announce(`You are in the call with ${this.#now?.welcome?.practitioner ?? 'the practitioner'}.`, { urgent: true });
    this.#draw();
  }

  /** Once a second: the clock on the screen, and the door that opens by itself. */
  #tick() {
    const welcome = this.#now?.welcome;
    const shut = welcome?.state === 'early' || this.#now?.code === 'early';
    if (welcome && shut && !this.#quietly && this.#clock() >= welcome.opens + 1) this.#open({ quietly: true });
    else this.#draw();
  }

  /** A person pasted another link into this tab. */
  #anotherLink() {
    const fragment = takeFragment();
    if (fragment !== '' && !this.#inside()) this.#take(fragment);
  }

  #inside() {
    return this.#now !== null && ['joining', 'waiting', 'call', 'held'].includes(this.#now.phase);
  }

  #clock() {
    return Date.now() / 1000 + this.#offset;
  }

  #closeCall() {
    this.#pathTest?.abort();
    this.#pathTest = null;
    this.#unsubscribe();
    this.#call?.close();
    this.#call = null;
    this.#now = null;
    this.#heard = null;
  }

  #close() {
    this.#closeCall();
    if (!this.#media.snapshot.stream) this.#ui.set({ checking: false }); // who comes back finds on what was on
    this.#media.stop();
    this.#wake.keep(false);
  }

  /** @param {string} text a brief message at the edge of the screen */
  #tell(text) {
    clearTimeout(this.#toastTimer);
    this.#ui.set({ toast: text });
    this.#toastTimer = setTimeout(() => this.#ui.set({ toast: null }), 7000);
  }

  /** @returns {GuestIntents} */
  #intents() {
    const ui = this.#ui;
    return {
      ...callIntents({
        media: this.#media,
        chime: this.#chime,
        ui,
        sendChat: (text) => this.#call?.sendChat(text),
        leave: () => this.#call?.leave(),
        end: () => {}, // a practitioner's
        play: playAll,
      }),
      start: () => void this.#check(),
      retryPath: () => void this.#testPath(),
      trySpeaker: () => void this.#chime.unlock().then(() => {
        this.#chime.speakerTest();
        ui.set({ speakerAsked: true, heard: null });
      }),
      heard: (yes) => ui.set({ heard: yes }),
      setName: (name) => ui.set({ name }),
      join: (name) => {
        this.#pathTest?.abort();
        void this.#chime.unlock(); // this tap also lets the others' sound play
        this.#call?.join(name);
      },
      again: () => {
        this.#open();
        if (this.#ui.value.checking) void this.#check();
      },
      copyLink: async () => {
        if (await copy(`${location.origin}/j${this.#fragment}`)) ui.set({ copied: true });
      },
    };
  }

  /** Asks for camera and microphone; always in a gesture. */
  async #check() {
    void this.#chime.unlock();
    this.#ui.set({ checking: true, phase: 'asking' });
    await this.#media.start({ audio: true, video: true }).catch(() => {});
    this.#ui.set({ phase: 'ready' });
    void this.#testPath(); // not before: a page that may use the camera may use more of the network, too
  }

  /** Tries the way that the call would take, and lets the practitioner know. */
  async #testPath() {
    if (this.#inside()) return;
    const servers = this.#now?.welcome?.ice_servers ?? [];
    this.#pathTest?.abort();
    const { signal } = (this.#pathTest = new AbortController());
    this.#ui.set({ path: 'testing' });
    const path = await testPath(servers, { signal });
    if (signal.aborted) return;
    this.#ui.set({ path });
    if (path) this.#call?.tell(path);
  }

  /** @returns {GuestState} */
  #state() {
    const ui = this.#ui.value;
    const media = this.#media.snapshot;
    return {
      trouble: this.#trouble,
      call: this.#now,
      media,
      checking: ui.checking,
      talked: this.#talked,
      online: navigator.onLine,
      now: this.#clock(),
      served: location.host,
      name: ui.name,
      check: { phase: ui.phase, speakerAsked: ui.speakerAsked, heard: ui.heard, path: ui.path, speaker: ui.speaker, agent: this.#agent },
      ui,
      canShare: canShareScreen,
      canFlip: canFlipCamera(media),
      copied: ui.copied,
    };
  }

  #draw() {
    if (this.#entering) return;
    const state = this.#state();
    const screen = guestScreen(state);
    const { ui, call } = state;
    render(guestView(state, this.#act), this.#root);
    render(toast(this.#ui.value.toast), this.#toasts);
    document.title = titleOf(screen, call);
    focusScreen(this.#root, screen);
    syncPanel(this.#root, screen === 'call' ? ui.panel : null);
    this.#keepFocus();
    this.#meter(screen === 'check');
    useSpeaker(ui.speaker, this.#act.speakerRefused);
    if (screen !== 'call' || !call) return;
    if (ui.panel === 'chat' && ui.seen !== call.chat.length) this.#ui.set({ seen: call.chat.length });
    this.#arrivals.look(call.chat);
    const heard = { peers: call.peers, chat: call.chat, media: state.media };
    const said = news(this.#heard, heard, { chatOpen: ui.panel === 'chat' });
    if (said.length) announce(said.join(' '));
    this.#heard = heard;
  }

  /** @param {boolean} shown the meter moves while it is on the screen */
  #meter(shown) {
    if (shown) this.#stopMeter ??= runMeter(() => this.#media.level());
    else {
      this.#stopMeter?.();
      this.#stopMeter = null;
    }
  }
}

/**
 * What is wrong with a link or this browser, found without asking anybody.
 * @param {string} fragment
 * @returns {string | null} a code
 */
function troubleWith(fragment) {
  if (fragment === '' || fragment === '#') return 'no-link';
  try {
    parseLink(fragment);
  } catch {
    return 'bad-link';
  }
  return 'RTCPeerConnection' in globalThis && crypto.subtle && navigator.mediaDevices && canVerify() ? null : 'unsupported';
}

/** @param {ReturnType<typeof guestScreen>} screen @param {GuestSnapshot | null} call */
function titleOf(screen, call) {
  const practice = call?.welcome?.practice ?? 'Your video appointment';
  if (screen === 'waiting') return `Waiting – ${practice}`;
  if (screen === 'call') return `In the call – ${practice}`;
  if (screen === 'over') return `Ended – ${practice}`;
  return practice;
}

new GuestPage().start();
