import { takeFragment } from '../link/fragment.js'; // first: see there
import { agentOf } from '../kit/browser.js';
import { GuestCall } from '../call/call.js';
import { CallNews, callIntents, canFlipCamera, canShareScreen, copy, newCallUi, trustChange } from '../call/screen/call-page.js';
import { Sounds } from '../kit/sound.js';
import { Check, newCheckUi } from './check.js';
import { GuestTab } from './guest-tab.js';
import { stopwatch } from '../kit/lapse.js';
import { Media } from '../call/media.js';
import { Page } from '../kit/page.js';
import { ofTab } from '../kit/storage.js';
import { Store } from '../kit/watch.js';
import { canCall, troubleWith } from './trouble.js';
import { syncPanel } from '../call/screen/view-call.js';
import { guestScreen, guestTitle, guestView } from './view-guest.js';
import { announce, showTitle } from '../kit/view-shell.js';
import { playAll, useSpeaker } from '../call/screen/view-tiles.js';
import { WakeKeeper } from '../kit/wake.js';
import { say } from '../kit/words.js';

/**
 * @typedef {import('../call/call.js').GuestSnapshot} GuestSnapshot
 * @typedef {import('./view-guest.js').GuestState} GuestState
 * @typedef {import('./view-guest.js').GuestIntents} GuestIntents
 * @typedef {import('../call/screen/view-call.js').CallUi & import('./check.js').CheckUi & {
 *   name: string, copied: boolean, link: string, toast: string | null, elsewhere: boolean, returning: boolean, doorOpened: boolean}} Ui
 *   link: to be copied by hand; elsewhere: another tab is in the seat; returning: this
 *   tab was in the seat; doorOpened: while the page was waiting, and nobody has reacted
 */

/** How long an admission waits for its picture before it is drawn without. */
const ENTER_MS = 400;

/** @returns {Ui} */
const newUi = () => ({
  ...newCallUi(), ...newCheckUi(), name: '', copied: false, link: '', toast: null, elsewhere: false, returning: false, doorOpened: false,
});

/** The guest's page: builds the parts, connects them, and draws what they say. */
class GuestPage {
  #agent = agentOf(navigator.userAgent, navigator.maxTouchPoints);
  #media = new Media();
  #sounds = new Sounds();
  #wake = new WakeKeeper();
  /** @type {ReturnType<typeof setTimeout> | null} just admitted: the connection goes before the screen */ #entering = null;
  #ui = new Store(newUi());
  #page = new Page(this.#ui);
  #news = new CallNews({ sounds: this.#sounds, ui: this.#ui });
  #check = new Check({
    media: this.#media,
    sounds: this.#sounds,
    ui: this.#ui,
    servers: () => (this.#inside() ? null : this.#now?.welcome?.ice_servers ?? []),
    onPath: (path) => this.#call?.tell(path), // so that the practitioner knows
  });
  #act = this.#intents();

  #tab = new GuestTab({ onAsked: () => this.#handOver(), onTaken: () => { if (!this.#inside()) this.#goElsewhere(); } });
  #fragment = ''; // the link's secret part: here, in the call's closure and, sealed, with the tab
  #turn = 0; // counts links, and goes to other tabs
  /** @type {import('./tabs.js').Handed & {patient: boolean} | null} how to join a seat that another tab had */ #handed = null;
  /** @type {string | null} */ #trouble = null;
  /** @type {GuestCall | null} */ #call = null;
  /** @type {GuestSnapshot | null} */ #now = null;
  #unsubscribe = () => {};
  #practice = { then: 0, since: () => Date.now() }; // what its clock said, seconds, and how long ago, ms
  #talked = false;
  #quietly = false; // a new call is being made behind the screen of the last one

  start() {
    this.#page.start({
      inCall: () => this.#inside(),
      onFragment: () => this.#anotherLink(),
      onHide: () => this.#close(),
      onBack: () => void this.#take(this.#fragment),
    });
    this.#media.subscribe(() => this.#draw());
    this.#ui.subscribe(() => this.#draw());
    setInterval(() => this.#tick(), 1000);
    for (const event of ['online', 'offline']) addEventListener(event, () => this.#draw());
    for (const gesture of ['click', 'keydown']) addEventListener(gesture, () => this.#touched());
    void this.#take(takeFragment());
  }

  /**
   * Begins with a link, or goes on with the one that this tab had.
   * @param {string} fragment the address's, or ""
   */
  async #take(fragment) {
    const turn = ++this.#turn;
    this.#closeCall();
    const { returning } = this.#ui.value;
    this.#ui.set({ checking: false, elsewhere: false });
    this.#handed = null;
    this.#fragment = fragment;
    const trouble = troubleWith(fragment);
    this.#trouble = trouble === 'no-link' && canCall() ? null : trouble; // the tab may know
    this.#draw();
    if (this.#trouble) return;
    const visit = await this.#tab.begin(fragment.replace(/^#/u, ''));
    if (turn !== this.#turn) return;
    this.#fragment = visit ? `#${visit.fragment}` : '';
    this.#trouble = troubleWith(this.#fragment);
    if (!visit || this.#trouble) return this.#draw();
    const name = visit.name || (returning ? this.#ui.value.name : '');
    this.#ui.set({ name, returning: name !== '', elsewhere: visit.taken });
    for (const [kind, id] of Object.entries(visit.devices)) callIntents(this.#parts()).switchDevice(/** @type {MediaDeviceKind} */ (kind), id);
    if (visit.taken) this.#draw();
    else this.#open();
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
    if (now.welcome && now.welcome.sid !== before?.welcome?.sid) { // of another connection
      this.#practice = { then: now.welcome.now, since: stopwatch() };
      this.#tab.welcomed(now.welcome);
      if (before?.welcome?.state === 'early' && now.welcome.state === 'open') this.#doorOpens();
    }
    this.#talked ||= now.phase === 'call' || now.phase === 'held';
    if (now.phase === 'call' && before?.phase === 'waiting') {
      this.#entering = setTimeout(() => this.#enter(), ENTER_MS);
    } else if (this.#entering && (now.phase !== 'call' || now.peers.some(({ stream }) => stream))) {
      this.#enter();
    }
    if (now.phase === 'ended' && before?.phase !== 'ended' && now.code !== 'early') {
      this.#tab.ended(now.code ?? 'ended');
      this.#media.stop();
      this.#ui.set({ ...newCallUi(), speaker: this.#ui.value.speaker, returning: false });
    }
    this.#wake.keep(this.#inside());
    const change = trustChange(before?.peers ?? [], now.peers);
    if (change) this.#page.tell(change);
    this.#draw();
  }

  /** Shows the call: until its first picture is there, drawing would only hold that up. */
  #enter() {
    clearTimeout(this.#entering ?? undefined);
    this.#entering = null;
    this.#sounds.welcome();
    announce(say('guest.entered', { practitioner: this.#now?.welcome?.practitioner ?? '' }), { urgent: true });
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
    if (fragment !== '' && !this.#inside()) void this.#take(fragment);
  }

  /** The practice lets in from now on: said once, without moving anything. */
  #doorOpens() {
    this.#sounds.door();
    announce(say('guest.door-open'));
    this.#ui.set({ doorOpened: true });
  }

  /** A person is here. */
  #touched() {
    void this.#sounds.unlock(); // for the moment when the door opens
    if (this.#ui.value.doorOpened) this.#ui.set({ doorOpened: false });
  }

  #inside() {
    return this.#now !== null && ['joining', 'waiting', 'call', 'held'].includes(this.#now.phase);
  }

  #clock() {
    return this.#practice.then + this.#practice.since() / 1000;
  }

  #closeCall() {
    this.#check.stop();
    this.#unsubscribe();
    this.#call?.close();
    this.#call = null;
    this.#now = null;
    this.#news.forget();
  }

  #close() {
    const inside = this.#inside();
    this.#turn += 1;
    this.#closeCall();
    this.#tab.hide();
    if (inside) this.#ui.set({ returning: true, checking: false });
    if (!this.#media.snapshot.stream) this.#ui.set({ checking: false }); // who comes back finds on what was on
    this.#media.stop();
    this.#wake.keep(false);
  }

  /** @returns {GuestIntents} */
  #intents() {
    const ui = this.#ui;
    const inCall = callIntents(this.#parts());
    return {
      ...inCall,
      switchDevice: (kind, id) => {
        inCall.switchDevice(kind, id);
        this.#tab.choose(kind, id);
      },
      ...this.#check.intents(),
      setName: (name) => ui.set({ name }),
      join: (name) => void this.#join(name),
      comeBack: () => void this.#comeBack(),
      useHere: () => void this.#useHere(),
      again: () => {
        this.#open();
        if (this.#ui.value.checking) void this.#check.run();
      },
      copyLink: async () => {
        const link = `${location.origin}/j${this.#fragment}`;
        const copied = await copy(link);
        ui.set({ copied, link: copied ? '' : link });
      },
    };
  }

  #parts() {
    return {
      media: this.#media,
      sounds: this.#sounds,
      ui: this.#ui,
      sendChat: (/** @type {string} */ text) => this.#call?.sendChat(text),
      leave: () => this.#call?.leave(),
      end: () => {}, // a practitioner's
      play: playAll,
    };
  }

  /** @param {string} name */
  async #join(name) {
    this.#check.stop();
    void this.#sounds.unlock(); // this tap also lets the others' sound play
    const call = this.#call;
    if (!(await this.#tab.sit(name))) return this.#goElsewhere();
    if (call === this.#call) call?.join(name, this.#handed ?? {});
    this.#handed = null;
  }

  /** One tap, after Leave or after the page was loaded again: as it was. */
  async #comeBack() {
    const asked = this.#check.ask();
    if (this.#now?.phase === 'ended') this.#open();
    const call = this.#call;
    await Promise.all([asked, call && opened(call)]);
    if (call === this.#call) await this.#join(this.#ui.value.name);
  }

  /** Takes the seat from the tab that is in it, without a word to anybody else. */
  async #useHere() {
    const turn = ++this.#turn;
    this.#ui.set({ elsewhere: false });
    const asked = this.#check.ask();
    const handed = await this.#tab.take();
    if (turn !== this.#turn) return;
    this.#handed = { resume: handed?.resume ?? null, name: handed?.name ?? '', patient: handed === null };
    if (handed?.name) this.#ui.set({ name: handed.name });
    this.#open();
    await Promise.all([asked, this.#call && opened(this.#call)]);
    if (turn === this.#turn && this.#ui.value.name) await this.#join(this.#ui.value.name);
  }

  /** @returns {import('./tabs.js').Handed} what the tab that asks for it takes the seat with */
  #handOver() {
    const handed = this.#call?.handOver() ?? { resume: null, name: '' };
    this.#tab.ended('moved');
    this.#goElsewhere();
    return handed;
  }

  /** Another tab of this browser is in the seat. */
  #goElsewhere() {
    this.#turn += 1;
    this.#closeCall();
    this.#media.stop();
    this.#ui.set({ elsewhere: true, checking: false });
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
      link: ui.link,
      elsewhere: ui.elsewhere,
      returning: ui.returning,
      doorOpened: ui.doorOpened,
    };
  }

  #draw() {
    if (this.#entering) return;
    const state = this.#state();
    const screen = guestScreen(state);
    const { ui, call, media } = state;
    showTitle(guestTitle(state));
    this.#page.draw({
      view: guestView(state, this.#act),
      screen: screen === 'early' || screen === 'start' ? 'door' : screen, // one becomes the other by itself
      focus: () => syncPanel(this.#page.root, screen === 'call' ? ui.panel : null),
    });
    this.#check.meter(screen === 'check');
    useSpeaker(ui.speaker, this.#act.speakerRefused);
    if (screen === 'call' && call) this.#news.look({ peers: call.peers, chat: call.chat, media });
  }
}

/** @param {GuestCall} call @returns {Promise<void>} when the practice has answered, or there is none */
const opened = (call) => new Promise((done) => {
  const stop = call.subscribe(look);
  look(call.snapshot);
  /** @param {GuestSnapshot} now */
  function look({ phase }) {
    if (phase === 'opening') return;
    stop();
    done();
  }
});

new GuestPage().start();
