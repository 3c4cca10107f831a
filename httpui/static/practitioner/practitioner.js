import { takeFragment } from '../link/fragment.js'; // first: see there
import { Api } from './api.js';
import { asApiError } from '../kit/request.js';
import { DeskFeed } from './feed.js';
import { whenIdle } from '../kit/browser.js';
import { HostCall } from '../call/call.js';
import { CallNews, callIntents, canFlipCamera, canShareScreen, newCallUi, trustChange } from '../call/screen/call-page.js';
import { Checkup } from './doctor/checkup.js';
import { Sounds } from '../kit/sound.js';
import { Desk } from './desk.js';
import { apiSentence, refusalSentence } from '../kit/errors.js';
import { Links, noLinks } from './diary/links.js';
import { Media } from '../call/media.js';
import { Page } from '../kit/page.js';
import { parseLink } from '../link/seal.js';
import { Session } from './account/session.js';
import { SignIns } from './account/signins.js';
import { ofBrowser, ofTab } from '../kit/storage.js';
import { Store } from '../kit/watch.js';
import { askForNotifications, notificationState, notifyKnock, showAttention } from './view-attention.js';
import { syncPanel } from '../call/screen/view-call.js';
import { newDraft } from './diary/view-new.js';
import { practitionerScreen, practitionerView } from './view-practitioner.js';
import { announce, focusWithin, keepPlace, silence } from '../kit/view-shell.js';
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
const mutedKey = 'anteroom-knocks-muted';

/** @type {DeskSnapshot} */
const emptyDesk = {
  phase: 'attending', desk: null, offset: 0, waiting: [], current: null, call: null, calls: new Map(), elsewhere: false, over: null, undo: null,
};

/** @returns {Ui} */
const newUi = () => ({
  ...newCallUi(),
  showPassword: false, passwordLength: 0,
  managing: null, links: noLinks, fresh: null,
  draft: null, foreign: null, testing: false, problem: '', checkup: { busy: false, report: null, error: '' }, signIns: { list: null, error: '' },
  knocking: ofBrowser.getItem(mutedKey) === null, soundReady: false, notifications: notificationState(),
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
  #links = new Links({
    api: this.#api,
    onChange: (links) => this.#ui.set({ links }),
    onCopied: (copied) => announce(say(copied ? 'desk.link.was-copied' : 'desk.link.not-copied')),
    onError: (err) => this.#refused(err),
  });
  /** @type {Intents} */ #act = this.#intents();

  /** @type {Desk | null} while signed in */ #desk = null;
  /** @type {DeskFeed | null} */ #feed = null;
  /** @type {DeskSnapshot} */ #now = emptyDesk;
  /** @type {string | null} a selector of where the work goes on, once it is on the screen */ #focusOn = null;

  start() {
    this.#page.start({
      inCall: () => this.#now.current !== null,
      onFragment: () => this.#launch(),
      onHide: () => this.#signedOut(),
      onBack: () => void this.#session.begin(''),
    });
    this.#media.subscribe(() => this.#draw());
    this.#ui.subscribe(() => this.#draw());
    this.#sounds.mute(!this.#ui.value.knocking);
    setInterval(() => this.#draw(), 5000);
    // A click, not the press before it: a notice that went away in between would move what is being clicked.
    // And not at once: the first sound takes a while to set up, and the click may be "Admit".
    for (const gesture of ['click', 'keydown']) addEventListener(gesture, () => whenIdle(() => void this.#unlock()));
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
    this.#sounds.quiet();
    this.#wake.keep(false);
    this.#checkup.clear();
    this.#signIns.clear();
    this.#links.clear();
    this.#feed = this.#desk = null;
    this.#now = emptyDesk;
    this.#news.forget();
    this.#focusOn = null;
    silence();
    this.#ui.set({ ...newCallUi(), question: null, toast: null, draft: null, foreign: null, managing: null, fresh: null, problem: '', passwordLength: 0, showPassword: false });
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
    if (now.waiting.length === 0) this.#sounds.quiet();
    const change = now.current === before.current ? trustChange(before.call?.peers ?? [], now.call?.peers ?? []) : null;
    if (change) this.#page.tell(change);
    this.#dropStaleQuestion(now);
    this.#draw();
  }

  /** @param {Waiting} newcomer */
  #knock(newcomer) {
    this.#sounds.knock();
    announce(say('desk.knock', { name: newcomer.name }), { urgent: true });
    notifyKnock({ onClick: () => this.#draw() });
  }

  /** A question about a guest who is no longer at the door answers itself. @param {DeskSnapshot} now */
  #dropStaleQuestion(now) {
    const { question } = this.#ui.value;
    if (question?.kind !== 'entry') return;
    const { appointment, member } = question.guest;
    if (!now.waiting.some((guest) => guest.appointment === appointment && guest.member === member)) this.#ui.set({ question: null });
  }

  async #unlock() {
    await this.#sounds.unlock();
    if (this.#ui.value.soundReady !== this.#sounds.ready) this.#ui.set({ soundReady: this.#sounds.ready });
  }

  /**
   * Runs a request and says in a sentence why it failed.
   * @template T
   * @param {() => Promise<T>} request
   * @returns {Promise<T | null>}
   */
  async #try(request) {
    this.#ui.set({ problem: '' });
    return request().catch((err) => {
      this.#refused(err);
      return null;
    });
  }

  /** @param {unknown} err of a request @param {(problem: string) => void} [show] */
  #refused(err, show = (problem) => this.#ui.set({ problem })) {
    const refusal = asApiError(err);
    if (refusal.status === 401) this.#session.expired();
    else show(apiSentence(refusal));
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
        consider: (on) => this.#desk?.consider(on),
      },
      answer: (yes) => this.#answer(yes),
      password: { confirm: (password) => void this.#links.confirm(password), dismiss: () => this.#links.dismiss() },
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
      openDraft: () => {
        ui.set({ draft: ui.value.draft ? null : newDraft(this.#clock()), foreign: null });
        if (ui.value.draft) this.#focusOn = 'form [data-first]';
      },
      setDraft: (patch) => {
        if (!patch) this.#focusOn = '[data-opens="draft"]';
        ui.set({ draft: patch && ui.value.draft ? { ...ui.value.draft, ...patch } : null });
      },
      create: (appointment) => void this.#create(appointment),
      testCall: async () => {
        ui.set({ testing: true });
        const made = await this.#try(() => this.#api.testCall());
        ui.set({ testing: false });
        if (made) this.#page.tell(say('desk.test.ready'));
      },
      checkUp: () => void this.#checkup.run(),
      showFix: () => focusWithin(this.#page.root, '.doctor-check[tabindex]:not(details *), .doctor-again button'),
      openForeign: (open) => {
        this.#focusOn = open ? 'form [data-first]' : '[data-opens="foreign"]';
        ui.set({ foreign: open ? { error: '' } : null, draft: null });
      },
      goForeign: (link) => this.#goForeign(link),
      copyLink: (wanted) => {
        ui.set({ problem: '' });
        void this.#links.copy(wanted);
      },
      manage: (appointment) => ui.set({ managing: appointment }),
      ask: (question) => ui.set({ question }),
      mute: (on) => {
        if (on) ofBrowser.setItem(mutedKey, '1');
        else ofBrowser.removeItem(mutedKey);
        this.#sounds.mute(on);
        ui.set({ knocking: !on });
      },
      allowNotifications: () => void askForNotifications().then(() => ui.set({ notifications: notificationState() })),
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
      case 'cancel':
        return void this.#try(() => this.#api.cancel(question.appointment.id));
      case 'revoke':
        return void this.#try(() => this.#api.revoke(question.guest.member));
      case 'rotate':
        return void this.#rotate(question.appointment.id, question.guest.member);
    }
  }

  /** @param {string} appointment @param {string} member */
  async #rotate(appointment, member) {
    const link = await this.#try(() => this.#api.rotate(member));
    if (!link) return;
    this.#links.remember([link]);
    await this.#links.copy({ appointment, member: link.member });
    this.#page.tell(say(this.#ui.value.links.copied === link.member ? 'desk.rotate.copied' : 'desk.rotate.ready'));
  }

  /** @param {import('./api.js').NewAppointment} appointment */
  async #create(appointment) {
    const { draft } = this.#ui.value;
    if (!draft || draft.busy) return;
    this.#ui.set({ draft: { ...draft, busy: true, error: '' } });
    const made = await this.#api.create(appointment).catch((err) => {
      this.#refused(err, (error) => this.#ui.set({ draft: { ...draft, busy: false, error } }));
      return null;
    });
    if (!made) return;
    this.#links.remember(made.guests);
    this.#ui.set({ draft: null, fresh: made.id });
    this.#page.tell(say('desk.new.made'));
    this.#focusOn = `[data-appointment="${CSS.escape(made.id)}"] [data-copy]`;
  }

  /** Opens another practice's link in this node, in a tab of its own. @param {string} link */
  #goForeign(link) {
    try {
      parseLink(link);
    } catch {
      return this.#ui.set({ foreign: { error: say('desk.foreign.not-whole') } });
    }
    const payload = link.slice(link.indexOf('#') + 1);
    window.open(`${location.origin}/j#${payload}`, '_blank', 'noopener');
    this.#ui.set({ foreign: null });
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
        if (this.#focusOn && focusWithin(root, this.#focusOn)) this.#focusOn = null;
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
