// What a person does in the diary while an answer of the node is on its way.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import './fakes/words.mjs';
import './fakes/view.mjs';

globalThis.CSS ??= { escape: (text) => text };

const { Diary, newDiaryUi } = await import('../../static/practitioner/diary/diary.js');
const { ApiError } = await import('../../static/kit/request.js');

/** A diary whose node answers when the test says so. */
function open() {
  const ui = { value: newDiaryUi(), set: (patch) => { ui.value = { ...ui.value, ...patch }; } };
  const asked = [];
  const api = { create: (appointment) => new Promise((answer, refuse) => asked.push({ appointment, answer, refuse })) };
  const page = { goOn() {}, tell() {} };
  const diary = new Diary({ api, ui, page, clock: () => 1_800_000_000, onExpired: () => { throw new Error('expired'); } });
  const act = diary.intents();
  act.openDraft();
  act.setDraft({ guests: 1 });
  act.create({ starts: 1, minutes: 30, label: '', guests: [{ label: '' }] });
  return { ui, act, asked, settled: () => new Promise((done) => { setImmediate(done); }) };
}

const refusal = new ApiError('bad-message', 'desk.not-done', 400);
const made = { id: 'a', guests: [] };

test('a refused appointment leaves the form as it is now', async () => {
  const { ui, act, asked, settled } = open();
  act.setDraft({ guests: 2 });
  asked[0].refuse(refusal);
  await settled();
  assert.equal(ui.value.draft.guests, 2, 'the guest added meanwhile is still there');
  assert.equal(ui.value.draft.busy, false);
  assert.notEqual(ui.value.draft.error, '');
});

test('a form that was closed stays closed, and what was refused is said beside it', async () => {
  const { ui, act, asked, settled } = open();
  act.setDraft(null);
  asked[0].refuse(refusal);
  await settled();
  assert.equal(ui.value.draft, null);
  assert.notEqual(ui.value.problem, '');
});

test('a form that was opened anew is not the one that has been answered', async () => {
  for (const [how, value] of /** @type {const} */ ([['answer', made], ['refuse', refusal]])) {
    const { ui, act, asked, settled } = open();
    act.setDraft(null);
    act.openDraft();
    asked[0][how](value);
    await settled();
    assert.equal(ui.value.draft.error, '', how);
  }
});
