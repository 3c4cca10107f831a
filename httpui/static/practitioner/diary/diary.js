// What a person does in the diary: new appointments, their links, and the way
// into another practice's appointment.

import { apiSentence } from '../../kit/errors.js';
import { asApiError } from '../../kit/request.js';
import { announce } from '../../kit/view-shell.js';
import { say } from '../../kit/words.js';
import { parseLink } from '../../link/seal.js';
import { Links, noLinks } from './links.js';
import { newDraft } from './view-new.js';

/**
 * @typedef {import('../api.js').Api} Api
 * @typedef {import('./view-appointment.js').Question} Question
 * @typedef {Pick<import('./view-diary.js').DiaryUi, 'managing' | 'links' | 'fresh' | 'draft' | 'foreign' | 'testing' | 'problem'>} DiaryUi
 */

/** @returns {DiaryUi} */
export const newDiaryUi = () => ({ managing: null, links: noLinks, fresh: null, draft: null, foreign: null, testing: false, problem: '' });

export class Diary {
  #api;
  #ui;
  #page;
  #clock;
  #onExpired;
  #links;

  /**
   * @param {{api: Api, ui: {value: DiaryUi, set: (patch: Partial<DiaryUi>) => void}, page: import('../../kit/page.js').Page,
   *   clock: () => number, onExpired: () => void}} parts
   *   clock: the node's, Unix seconds; onExpired: the session is over
   */
  constructor({ api, ui, page, clock, onExpired }) {
    this.#api = api;
    this.#ui = ui;
    this.#page = page;
    this.#clock = clock;
    this.#onExpired = onExpired;
    this.#links = new Links({
      api,
      onChange: (links) => ui.set({ links }),
      onCopied: (copied) => announce(say(copied ? 'desk.link.was-copied' : 'desk.link.not-copied')),
      onError: (err) => this.#refused(err),
    });
  }

  /** What can be done. */
  intents() {
    const ui = this.#ui;
    return {
      openDraft: () => {
        ui.set({ draft: ui.value.draft ? null : newDraft(this.#clock()), foreign: null });
        if (ui.value.draft) this.#page.goOn('form [data-first]');
      },
      /** @type {import('./view-new.js').NewIntents['setDraft']} */
      setDraft: (patch) => {
        if (!patch) this.#page.goOn('[data-opens="draft"]');
        ui.set({ draft: patch && ui.value.draft ? { ...ui.value.draft, ...patch } : null });
      },
      /** @type {import('./view-new.js').NewIntents['create']} */
      create: (appointment) => void this.#create(appointment),
      testCall: () => void this.#testCall(),
      openForeign: (/** @type {boolean} */ open) => {
        this.#page.goOn(open ? 'form [data-first]' : '[data-opens="foreign"]');
        ui.set({ foreign: open ? { error: '' } : null, draft: null });
      },
      goForeign: (/** @type {string} */ link) => this.#goForeign(link),
      copyLink: (/** @type {import('./links.js').Wanted} */ wanted) => {
        ui.set({ problem: '' });
        void this.#links.copy(wanted);
      },
      manage: (/** @type {string | null} */ appointment) => ui.set({ managing: appointment }),
    };
  }

  /** What can be done when a link's password is asked for. */
  passwordIntents() {
    return { confirm: (/** @type {string} */ password) => void this.#links.confirm(password), dismiss: () => this.#links.dismiss() };
  }

  /** The person has been asked, and wants it. @param {Question} question */
  confirmed(question) {
    switch (question.kind) {
      case 'cancel':
        return void this.#try(this.#api.cancel(question.appointment.id));
      case 'revoke':
        return void this.#try(this.#api.revoke(question.guest.member));
      case 'rotate':
        return void this.#rotate(question.appointment.id, question.guest.member);
    }
  }

  /** Forgets everything, as when somebody else signs in. */
  clear() {
    this.#links.clear();
    this.#ui.set(newDiaryUi());
  }

  /** @param {import('../api.js').NewAppointment} appointment */
  async #create(appointment) {
    const { draft } = this.#ui.value;
    if (!draft || draft.busy) return;
    this.#ui.set({ draft: { ...draft, busy: true, error: '' } });
    const waits = () => this.#ui.value.draft?.busy; // the form is not closed, nor another
    const made = await this.#api.create(appointment).catch((err) => {
      this.#refused(err, (error) => {
        const { draft: now } = this.#ui.value;
        this.#ui.set(now && waits() ? { draft: { ...now, busy: false, error } } : { problem: error });
      });
      return null;
    });
    if (!made) return;
    this.#links.remember(made.guests);
    this.#page.tell(say('desk.new.made'));
    if (!waits()) return this.#ui.set({ fresh: made.id });
    this.#ui.set({ fresh: made.id, draft: null });
    this.#page.goOn(`[data-appointment="${CSS.escape(made.id)}"] [data-copy]`);
  }

  async #testCall() {
    this.#ui.set({ testing: true });
    const made = await this.#try(this.#api.testCall());
    this.#ui.set({ testing: false });
    if (made) this.#page.tell(say('desk.test.ready'));
  }

  /** @param {string} appointment @param {string} member */
  async #rotate(appointment, member) {
    const link = await this.#try(this.#api.rotate(member));
    if (!link) return;
    this.#links.remember([link]);
    await this.#links.copy({ appointment, member: link.member });
    this.#page.tell(say(this.#ui.value.links.copied === link.member ? 'desk.rotate.copied' : 'desk.rotate.ready'));
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

  /**
   * Waits for an answer, and says in a sentence why there is none.
   * @template T
   * @param {Promise<T>} answer
   * @returns {Promise<T | null>}
   */
  #try(answer) {
    this.#ui.set({ problem: '' });
    return answer.catch((err) => {
      this.#refused(err);
      return null;
    });
  }

  /** @param {unknown} err of a request @param {(problem: string) => void} [show] */
  #refused(err, show = (problem) => this.#ui.set({ problem })) {
    const refusal = asApiError(err);
    if (refusal.status === 401) this.#onExpired();
    else show(apiSentence(refusal));
  }
}
