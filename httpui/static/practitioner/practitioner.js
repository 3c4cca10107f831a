import { takeFragment } from '../link/fragment.js'; // first: see there
import { Api } from './api.js';
import { DeskFeed } from './feed.js';
import { whenIdle } from '../kit/browser.js';
import { HostCall } from '../call/call.js';
import { CallNews, callIntents, canFlipCamera, canShareScreen, newCallUi, trustChange } from '../call/screen/call-page.js';
import { Checkup } from './doctor/checkup.js';
import { Sounds } from '../kit/sound.js';
import { Desk } from './desk.js';
import { refusalSentence } from '../kit/errors.js';
import { Diary, newDiaryUi } from './diary/diary.js';
import { Knocks, newKnocksUi } from './knocks.js';
import { Media } from '../call/media.js';
import { Page } from '../kit/page.js';
import { Session } from './account/session.js';
import { SignIns } from './account/signins.js';
import { ofTab } from '../kit/storage.js';
import { Store } from '../kit/watch.js';
import { showAttention } from './view-attention.js';
import { syncPanel } from '../call/screen/view-call.js';
import { practitionerScreen, practitionerView } from './view-practitioner.js';
import { focusWithin, keepPlace, silence } from '../kit/view-shell.js';
import { playAll, useSpeaker } from '../call/screen/view-tiles.js';
import { takesBack, undoBar } from './view-undo.js';
import { WakeKeeper } from '../kit/wake.js';
import { say } from '../kit/words.js';

/**
 * @typedef {import('./desk.js').DeskSnapshot} DeskSnapshot
 * @typedef {import('./desk.js').Waiting} Waiting
 * @typedef {import('./view-practitioner.js').PractitionerUi} Ui
 * @typedef {import('./view-practitioner.js').PractitionerIntents} Intents
 */

const tabKey = 'anteroom-tab';

/** @type {DeskSnapshot} */
const emptyDesk = {
  phase: 'attending', desk: null, offset: 0, waiting: [], current: null, call: null, calls: new Map(), elsewhere: false, over: null, undo: null,
};

/** @returns {Ui} */
const newUi = () => ({
  ...newCallUi(),
  ...newDiaryUi(),
  ...newKnocksUi(),
  showPassword: false, passwordLength: 0, checkup: { busy: false, report: null, error: '' }, signIns: { list: null, error: '' },
  question: null, toast: null,
});

/** The practitioner's page: builds the parts, connects them, and draws what they say. */
class PractitionerPage {
  #api = new Api(ofTab);
  #media = new Media();
  #sounds = new Sounds();
  #wake = new WakeKeeper();
  #tab = tabId();
  #session = new Session({ api: this.#api, onChange: () => this.#sessionChanged() });
  #ui = new Store(newUi());
  #page = new Page(this.#ui);
  #news = new CallNews({ sounds: this.#sounds, ui: this.#ui });
  #checkup = new Checkup({ api: this.#api, onChange: (checkup) => this.#ui.set({ checkup }), onExpired: () => this.#session.expired() });
  #signIns = new SignIns({ api: this.#api, onChange: (signIns) => this.#ui.set({ signIns }), onExpired: () => this.#session.expired() });
  #diary = new Diary({ api: this.#api, ui: this.#ui, page: this.#page, clock: () => this.#clock(), onExpired: () => this.#session.expired() });
  #knocks = new Knocks({ sounds: this.#sounds, ui: this.#ui });
  /** @type {Intents} */ #act = this.#intents();

  /** @type {Desk | null} while signed in */ #desk = null;
  /** @type {DeskFeed | null} */ #feed = null;
  /** @type {DeskSnapshot} */ #now = emptyDesk;

  start() {
    this.#page.start({
      inCall: () => this.#now.current !== null,
      onFragment: () => this.#launch(),
      onHide: () => this.#signedOut(),
      onBack: () => void this.#session.begin(''),
    });
    this.#media.subscribe(() => this.#draw());
    this.#ui.subscribe(() => this.#draw());
    setInterval(() => this.#draw(), 5000);
    // A click, not the press before it: a notice that went away in between would move what is being clicked.
    // And not at once: the first sound takes a while to set up, and the click may be "Admit".
    for (const gesture of ['click', 'keydown']) addEventListener(gesture, () => whenIdle(() => void this.#knocks.unlock()));
    addEventListener('keydown', (event) => { if (this.#now.undo && takesBack(event)) this.#desk?.takeBack(); });
    addEventListener('online', () => this.#feed?.hurry());
    this.#launch();
  }

  #launch() {
    const launch = new URLSearchParams(takeFragment().slice(1)).get('launch') ?? '';
    if (launch || this.#session.snapshot.phase === 'loading') void this.#session.begin(launch);
  }

  #sessionChanged() {
    if (this.#session.snapshot.phase === 'signed-in') this.#signedIn();
    else this.#signedOut();
    this.#draw();
  }

  #signedIn() {
    if (this.#desk) return;
    const { origin } = location;
    this.#desk = new Desk({
      media: this.#media,
      makeCall: (appointment) =>
        new HostCall({ appointment, token: this.#api.token, tab: this.#tab, origin, media: this.#media }),
      onChange: (now) => this.#deskChanged(now),
      onExpired: () => this.#session.expired(),
      onRefusal: (code) => {
        const { title, todo } = refusalSentence(code);
        this.#page.tell(`${title} ${todo}`);
      },
      onKnock: (newcomer) => this.#knock(newcomer),
    });
    this.#feed = new DeskFeed({
      api: this.#api,
      origin,
      onDesk: (data) => {
        this.#checkup.learn(data.report);
        this.#desk?.update(data);
      },
      onState: (state) => {
        if (state === 'offline') this.#desk?.lost();
        if (state === 'signed-out') this.#session.expired();
      },
    });
    this.#feed.open();
  }

  /** Forgets everything that belongs to a signed-in practitioner. */
  #signedOut() {
    if (!this.#desk) return;
    this.#feed?.close();
    this.#desk.close();
    this.#knocks.quiet();
    this.#wake.keep(false);
    this.#checkup.clear();
    this.#signIns.clear();
    this.#diary.clear();
    this.#feed = this.#desk = null;
    this.#now = emptyDesk;
    this.#news.forget();
    this.#page.goOn(null);
    silence();
    this.#ui.set({ ...newCallUi(), question: null, toast: null, passwordLength: 0, showPassword: false });
  }

  /** @param {DeskSnapshot} now */
  #deskChanged(now) {
    const before = this.#now;
    this.#now = now;
    if (now.current !== before.current) {
      this.#news.forget();
      this.#ui.set({ ...newCallUi(), speaker: this.#ui.value.speaker });
      this.#wake.keep(now.current !== null);
    }
    if (now.waiting.length === 0) this.#knocks.quiet();
    const change = now.current === before.current ? trustChange(before.call?.peers ?? [], now.call?.peers ?? []) : null;
    if (change) this.#page.tell(change);
    this.#dropStaleQuestion(now);
    this.#draw();
  }

  /** @param {Waiting} newcomer */
  #knock(newcomer) {
    this.#knocks.knock(newcomer.name, () => this.#draw());
  }

  /** A question about a guest who is no longer at the door answers itself. @param {DeskSnapshot} now */
  #dropStaleQuestion(now) {
    const { question } = this.#ui.value;
    if (question?.kind !== 'entry') return;
    const { appointment, member } = question.guest;
    if (!now.waiting.some((guest) => guest.appointment === appointment && guest.member === member)) this.#ui.set({ question: null });
  }

  /** @returns {Intents} */
  #intents() {
    const ui = this.#ui;
    return {
      setup: {
        setUp: (answers) => void this.#session.setUp(answers),
        signIn: (name, password) => void this.#session.signIn(name, password),
        retry: () => void this.#session.begin(''),
        setUi: (patch) => ui.set(patch),
      },
      diary: this.#diaryIntents(),
      call: callIntents({
        media: this.#media,
        sounds: this.#sounds,
        ui,
        sendChat: (text) => this.#desk?.call?.sendChat(text),
        leave: () => this.#desk?.leave(),
        end: () => this.#desk?.end(),
        play: playAll,
      }),
      host: {
        admit: (guest) => this.#admit(guest),
        deny: (guest) => this.#desk?.deny(guest.appointment, guest.member),
        hold: (member, on) => this.#desk?.call?.hold(member, on),
        remove: (member) => ui.set({ question: { kind: 'remove', member } }),
        lock: (on) => this.#desk?.call?.lock(on),
      },
      undo: {
        takeBack: () => this.#desk?.takeBack(),
        finish: () => this.#desk?.finish(),
        consider: (by, on) => this.#desk?.consider(by, on),
      },
      answer: (yes) => this.#answer(yes),
      password: this.#diary.passwordIntents(),
    };
  }

  /** @returns {Intents['diary']} */
  #diaryIntents() {
    const ui = this.#ui;
    return {
      admit: (guest) => this.#admit(guest),
      deny: (guest) => this.#desk?.deny(guest.appointment, guest.member),
      enter: (appointment) => this.#desk?.enter(appointment),
      take: () => this.#desk?.take(),
      ...this.#diary.intents(),
      ...this.#knocks.intents(),
      checkUp: () => void this.#checkup.run(),
      showFix: () => focusWithin(this.#page.root, '.doctor-check[tabindex]:not(details *), .doctor-again button'),
      ask: (question) => ui.set({ question }),
      dismiss: () => {
        ui.set({ problem: '' });
        this.#desk?.acknowledge();
      },
      signOut: async () => {
        await this.#desk?.settle(); // while the node still listens
        await this.#session.signOut();
      },
      showSignIns: (open) => (open ? void this.#signIns.load() : this.#signIns.clear()),
      endSignIn: (id) => void this.#signIns.end(id),
      endOtherSignIns: () => void this.#signIns.endOthers(),
    };
  }

  /** @param {Waiting} guest */
  #admit(guest) {
    const { current } = this.#now;
    if (current && current !== guest.appointment) return this.#ui.set({ question: { kind: 'entry', guest } });
    void this.#desk?.admit(guest.appointment, guest.member);
  }

  /** @param {boolean} yes the answer to the question on the screen */
  #answer(yes) {
    const { question } = this.#ui.value;
    this.#ui.set({ question: null });
    if (!question || !yes) return;
    switch (question.kind) {
      case 'entry':
        return void this.#desk?.admit(question.guest.appointment, question.guest.member);
      case 'remove':
        return this.#desk?.call?.remove(question.member.member);
      default:
        return this.#diary.confirmed(question);
    }
  }

  #clock() {
    return Date.now() / 1000 + this.#now.offset;
  }

  #draw() {
    const ui = this.#ui.value;
    const media = this.#media.snapshot;
    const state = {
      session: this.#session.snapshot, desk: this.#now, media, now: this.#clock(), canShare: canShareScreen, canFlip: canFlipCamera(media), ui,
    };
    const screen = practitionerScreen(state);
    const { call, current, waiting, desk } = this.#now;
    const practice = desk?.practice || state.session.practice || say('page.desk.title');
    showAttention(current ? say('desk.call.title', { practice }) : practice, waiting.length);
    const { root } = this.#page;
    const restoreFocus = keepPlace(root);
    this.#page.draw({
      view: practitionerView(state, this.#act),
      above: undoBar(this.#now.undo, this.#act.undo),
      screen,
      focus: () => {
        syncPanel(root, current ? ui.panel : null);
        restoreFocus();
      },
    });
    useSpeaker(ui.speaker, this.#act.call.speakerRefused);
    if (call) this.#news.look({ peers: call.peers, chat: call.chat, media });
  }
}

/**
 * This tab's name towards the node: 16 random bytes, kept over a reload, so that
 * a page that comes back takes its own rooms again.
 * @returns {Uint8Array<ArrayBuffer>}
 */
function tabId() {
  const kept = ofTab.getItem(tabKey) ?? '';
  if (/^[0-9a-f]{32}$/u.test(kept)) return Uint8Array.from(kept.match(/../gu) ?? [], (digits) => parseInt(digits, 16));
  const id = crypto.getRandomValues(new Uint8Array(16));
  ofTab.setItem(tabKey, [...id].map((byte) => byte.toString(16).padStart(2, '0')).join(''));
  return id;
}

new PractitionerPage().start();
