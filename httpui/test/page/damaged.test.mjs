// What the diary says of an appointment whose record is damaged.
import assert from 'node:assert/strict';
import test from 'node:test';
import './fakes/words.mjs';
import { Drawn } from './fakes/view.mjs';
import { appointmentCard, guestRow, questionDialog } from '../../static/practitioner/diary/view-appointment.js';

const guest = { member: 'a', label: 'Ann', state: 'unused', link: true, local: false };
const whole = {
  id: 'x', label: 'Knee', starts: 1_800_000_000, ends: 1_800_001_800, opens: 1_799_999_100, closes: 1_800_003_600,
  state: 'open', test: false, hidden: false, guests: [guest],
};
const lost = { ...whole, state: 'damaged', damaged: true, starts: 0, ends: 0, opens: 0, closes: 0 };

const card = (appointment, act = {}) => new Drawn(appointmentCard(appointment, {
  now: whole.starts, inside: 0, act,
  ui: { managing: appointment.id, fresh: null, links: { shown: null, copied: null } },
}));

test('an appointment that cannot be read says so, and can be cancelled', () => {
  const asked = [];
  const drawn = card(lost, { ask: (question) => asked.push(question.kind) });
  assert.match(drawn.text, /Its time cannot be read/);
  assert.match(drawn.text, /its guests cannot come in\. Cancel it, and make a new one\./);
  assert.doesNotMatch(drawn.text, /1970|New link|Withdraw/);
  drawn.press('Cancel appointment');
  assert.deepEqual(asked, ['cancel']);
  assert.doesNotMatch(new Drawn(questionDialog({ kind: 'cancel', appointment: lost }, {})).text, /1970/);
});

test('one of which a part cannot be read offers a new link', () => {
  const drawn = card({ ...whole, damaged: true });
  assert.match(drawn.text, /If a guest cannot come in, make them a new link\./);
  assert.match(drawn.text, /New link/);
  assert.doesNotMatch(card(whole).text, /damaged/);
});

test('a guest whose link lets nobody in is offered a new one, and not that link', () => {
  const row = (guest, act) => new Drawn(guestRow({ guest, i: 0, appointment: { ...whole, damaged: true, guests: [guest] }, live: true, ui: { links: { shown: null, copied: null } }, act }));
  for (const broken of [{ ...guest, state: 'damaged' }, { ...guest, link: false }]) {
    const asked = [];
    const drawn = row(broken, { ask: (question) => asked.push(question.kind) });
    assert.doesNotMatch(drawn.text, /Copy link/);
    drawn.press('New link for Ann');
    assert.deepEqual(asked, ['rotate']);
    assert.doesNotMatch(card({ ...whole, damaged: true, guests: [broken] }).html, /New link for/); // once is enough
  }
  assert.match(row(guest).text, /Copy link/);
  assert.doesNotMatch(row({ ...guest, state: 'revoked', link: false }).html, /link for/);
});
