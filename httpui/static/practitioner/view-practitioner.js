// The practitioner's page as a whole: signing in, the diary, or a call, and the
// one question that may stand above any of them.

import { html, nothing } from '../kit/html.js';
import { questionDialog } from './diary/view-appointment.js';
import { callView } from '../call/screen/view-call.js';
import { diaryView } from './diary/view-diary.js';
import { setupView } from './account/view-setup.js';
import { passwordDialog } from './account/view-password.js';
import { dialog } from '../kit/view-shell.js';
import { callName } from '../call/screen/view-truth.js';
import { confirmEntry } from '../call/screen/view-waiting.js';
import { say, sayWith } from '../kit/words.js';

/**
 * @typedef {import('./desk.js').Waiting} Waiting
 * @typedef {import('../link/wire.js').RosterEntry} RosterEntry
 * @typedef {import('./diary/view-appointment.js').Question
 *   | {kind: 'entry', guest: Waiting}
 *   | {kind: 'remove', member: RosterEntry}} Question
 * @typedef {import('./account/view-setup.js').SetupUi & import('./diary/view-diary.js').DiaryUi & import('../call/screen/view-call.js').CallUi & {
 *   question: Question | null, toast: string | null}} PractitionerUi
 * @typedef {{
 *   session: import('./account/session.js').SessionSnapshot,
 *   desk: import('./desk.js').DeskSnapshot,
 *   media: import('../call/media.js').MediaSnapshot,
 *   now: number, canShare: boolean, canFlip: boolean, ui: PractitionerUi,
 * }} PractitionerState
 * @typedef {{
 *   setup: import('./account/view-setup.js').SetupIntents,
 *   diary: import('./diary/view-diary.js').DiaryIntents,
 *   call: import('../call/screen/view-call.js').CallIntents,
 *   host: import('../call/screen/view-call.js').HostIntents,
 *   undo: import('./view-undo.js').UndoIntents,
 *   answer: (yes: boolean) => void,
 *   password: {confirm: (password: string) => void, dismiss: () => void},
 * }} PractitionerIntents
 */

/**
 * @param {PractitionerState} state
 * @returns {string} which screen it is: the page's focus and title follow it
 */
export function practitionerScreen({ session, desk }) {
  if (session.phase === 'loading') return '';
  if (session.phase !== 'signed-in') return session.phase;
  return desk.current ? `call/${desk.current}` : 'diary';
}

/** @param {PractitionerState} state @param {PractitionerIntents} act */
export function practitionerView(state, act) {
  const { session, desk, ui, now } = state;
  if (session.phase !== 'signed-in') return setupView(session, ui, act.setup);
  return html`
    ${desk.current ? callView(callState(state), act.call, act.host) : diaryView(desk, now, ui, act.diary)}
    ${ui.question ? question(ui.question, state, act) : ui.links.asking ? passwordDialog(ui.links, session.name, act.password) : nothing}`;
}

/** @param {PractitionerState} state @returns {import('../call/screen/view-call.js').CallState} */
function callState({ desk, media, now, canShare, canFlip, ui }) {
  const { call, current } = desk;
  const appointment = desk.desk?.appointments.find(({ id }) => id === current);
  const members = call?.members ?? [];
  const alarmed = members.filter(({ member, alarm }) => alarm || call?.alarm.includes(member));
  return {
    practice: desk.desk?.practice ?? '',
    subject: appointment?.label || (appointment?.test ? say('desk.appointment.test') : ''),
    peers: call?.peers ?? [],
    chat: call?.chat ?? [],
    online: call === null || call.connection === 'online',
    held: false,
    now,
    ends: appointment && !appointment.test ? appointment.ends : 0,
    relayOnly: call?.welcome?.relay_only ?? false,
    media,
    canShare,
    canFlip,
    empty: call === null || call.phase === 'connecting' ? say('desk.call.opening') : say('desk.call.empty'),
    alarm: alarmed.length ? say('desk.call.alarm', { names: alarmed.map(({ name = '', label = '' }) => name || label || say('desk.call.alarm-unnamed')) }) : '',
    ui,
    host: { waiting: desk.waiting, members, locked: call?.locked ?? false },
  };
}

/** @param {Question} asked @param {PractitionerState} state @param {PractitionerIntents} act */
function question(asked, { desk }, act) {
  const peers = desk.call?.peers ?? [];
  const answers = { onConfirm: () => act.answer(true), onRefuse: () => act.answer(false) };
  switch (asked.kind) {
    case 'entry':
      return confirmEntry({ guest: asked.guest, others: peers.map(callName), ...answers });
    case 'remove': {
      const name = asked.member.name || asked.member.label;
      return dialog({
        title: name ? sayWith('desk.remove.title', { name: html`<bdi>${name}</bdi>` }) : say('desk.remove.title-unnamed'),
        text: html`<p>${say('desk.remove.text')}</p>`,
        confirm: say('desk.remove'),
        refuse: say('desk.back'),
        danger: true,
        ...answers,
      });
    }
    default:
      return questionDialog(asked, answers);
  }
}
