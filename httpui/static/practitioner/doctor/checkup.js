// What the node found when it looked at itself, which it does now and then by
// itself, and at once when somebody wants it to.

import { Turn } from '../../kit/request.js';
import { apiSentence } from '../../kit/errors.js';
import { when } from '../../kit/format.js';
import { say, sayMessage } from '../../kit/words.js';

/**
 * @typedef {import('../api.js').Report} Report
 * @typedef {{busy: boolean, report: Report | null, error: string}} CheckupSnapshot
 *   busy: somebody waits for a look; report: the newest; error: why the last
 *   attempt found nothing, in one sentence
 * @typedef {{tone: 'calm' | 'good' | 'warn' | 'bad', text: string, jump: string}} Readiness
 *   text: whether patients can call now, or why not; jump: what to call the way
 *   to what there is to do about it, or ""
 */

/** Seconds after which a report says nothing about now: the node looks every five minutes. */
const tooOld = 20 * 60;

/** @param {import('../api.js').Check[]} checks @returns those that somebody should look at, the worst first */
export const toMend = (checks) => [
  ...checks.filter(({ status }) => status === 'fail'),
  ...checks.filter(({ status }) => status === 'warn'),
];

/**
 * Whether patients can call now. What nobody has found out is not said.
 * @param {Pick<import('../desk.js').DeskSnapshot, 'desk' | 'phase' | 'elsewhere'>} desk
 * @param {Report | null} report the newest
 * @param {number} now the node's clock, Unix seconds
 * @returns {Readiness}
 */
export function readiness({ desk, phase, elsewhere }, report, now) {
  if (!desk) return { tone: 'calm', text: '', jump: '' };
  if (phase === 'lost') return { tone: 'warn', text: say('desk.ready.lost'), jump: '' };
  if (elsewhere) return { tone: 'warn', text: say('desk.ready.elsewhere'), jump: '' };
  if (!report) return { tone: 'calm', text: say('desk.ready.checking'), jump: '' };
  if (Math.abs(now - report.at) > tooOld) return { tone: 'warn', text: say('desk.last-checked', when(now, report.at)), jump: say('desk.ready.see-last') };
  if (!report.ready) return { tone: 'bad', text: sayMessage(report.line), jump: say('desk.ready.see-todo') };
  const open = toMend(report.checks).length;
  return { tone: report.confirmed ? 'good' : 'warn', text: sayMessage(report.line), jump: open === 0 ? '' : say('desk.ready.see-open', { n: open }) };
}

/** @type {CheckupSnapshot} */
const nothingYet = { busy: false, report: null, error: '' };

export class Checkup {
  #api;
  #onChange;
  #snapshot = nothingYet;
  #turn;

  /**
   * @param {{api: Pick<import('../api.js').Api, 'doctor'>, onChange: (now: CheckupSnapshot) => void,
   *   onExpired: () => void}} options
   */
  constructor({ api, onChange, onExpired }) {
    this.#api = api;
    this.#onChange = onChange;
    this.#turn = new Turn(onExpired);
  }

  get snapshot() {
    return this.#snapshot;
  }

  /**
   * Takes note of what the node pushed. After it has started again it knows
   * nothing yet, and what was so before counts no more.
   * @param {Report | null} report
   */
  learn(report) {
    this.#say({ ...this.#snapshot, report });
  }

  /** Looks; while it does, a second call does nothing. */
  async run() {
    if (this.#snapshot.busy) return;
    this.#say({ ...this.#snapshot, busy: true, error: '' });
    await this.#turn.take(this.#api.doctor(), {
      done: (report) => this.#say({ busy: false, report, error: '' }),
      refused: (err) => this.#say({ ...this.#snapshot, busy: false, error: apiSentence(err) }),
    });
  }

  /** Forgets what was found, as when somebody else signs in. */
  clear() {
    this.#turn.drop();
    this.#say(nothingYet);
  }

  /** @param {CheckupSnapshot} snapshot */
  #say(snapshot) {
    this.#snapshot = snapshot;
    this.#onChange(snapshot);
  }
}
