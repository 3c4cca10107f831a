// Times of days on which clocks are put forward or back.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import './fakes/words.mjs';
import { Drawn } from './fakes/view.mjs';

process.env.TZ = 'Europe/Berlin';
const { clock, dateKey, moments, timeKey } = await import('../../static/kit/format.js');
const { newAppointment, newDraft } = await import('../../static/practitioner/diary/view-new.js');

/** @param {string} zone @param {() => void} run */
function inZone(zone, run) {
  process.env.TZ = zone;
  try {
    run();
  } finally {
    process.env.TZ = 'Europe/Berlin';
  }
}

const cases = [
  // zone, day, a time before, times that do not exist, times that come twice, a time after
  ['Europe/Berlin', '2027-03-28', '01:59', ['02:00', '02:30', '02:59'], [], '03:00'],
  ['Europe/Berlin', '2026-10-25', '01:59', [], ['02:00', '02:30', '02:59'], '03:00'],
  ['America/New_York', '2027-03-14', '01:59', ['02:15'], [], '03:00'],
  ['America/New_York', '2026-11-01', '00:59', [], ['01:00', '01:59'], '02:00'],
  ['Australia/Lord_Howe', '2026-10-04', '01:59', ['02:00', '02:29'], [], '02:30'],
  ['Australia/Lord_Howe', '2027-04-04', '01:29', [], ['01:30', '01:59'], '02:00'],
  ['Africa/Cairo', '2027-04-30', '01:00', ['00:00', '00:59'], [], '02:00'],
  ['America/Sao_Paulo', '2026-11-01', '00:00', [], [], '23:59'],
  ['Antarctica/Troll', '2027-03-28', '00:59', ['01:00', '02:59'], [], '03:00'],
];

for (const [zone, date, before, missing, twice, after] of cases) {
  test(`${zone} on ${date}`, () => inZone(zone, () => {
    for (const time of [before, after]) assert.equal(moments(date, time).length, 1, time);
    for (const time of missing) assert.deepEqual(moments(date, time), [], time);
    for (const time of twice) {
      const both = moments(date, time);
      assert.equal(both.length, 2, time);
      assert.ok(both[0] < both[1]);
    }
    for (const time of [before, after, ...twice]) {
      for (const at of moments(date, time)) assert.deepEqual([dateKey(at), timeKey(at)], [date, time]);
    }
  }));
}

test('a time that comes twice is shown with its zone, others are not', () => {
  const [first, second] = moments('2026-10-25', '02:30').map(clock);
  assert.notEqual(first, second);
  assert.match(first, /2:30.*(CEST|GMT\+2)/);
  assert.match(second, /2:30.*(CET|GMT\+1)/);
  for (const time of ['01:30', '03:30']) assert.doesNotMatch(clock(moments('2026-10-25', time)[0]), /CE|GMT/);
});

/** Submits the form of a new appointment. */
function make(fields, draft = newDraft(moments(fields.date, '00:00')[0])) {
  const told = { made: null, patch: null };
  const form = { fields };
  globalThis.HTMLFormElement = class { static [Symbol.hasInstance] = () => true; };
  globalThis.FormData = class { get(name) { return fields[name]; } };
  const act = { create: (made) => { told.made = made; }, setDraft: (patch) => { told.patch = patch; } };
  new Drawn(newAppointment(draft, false, act)).submit(form);
  return told;
}

test('the form refuses a time that does not exist, and makes nothing', () => {
  const { made, patch } = make({ date: '2027-03-28', time: '02:30', minutes: '30' });
  assert.equal(made, null);
  assert.match(patch.error, /no such time on that day: clocks are put forward/);
  assert.equal(make({ date: '2027-03-28', time: '03:30', minutes: '30' }).made.starts, Date.UTC(2027, 2, 28, 1, 30) / 1000);
});

test('what was wrong with a time is not said of the next one', () => {
  const fields = { date: '2027-03-28', time: '02:30', minutes: '30' };
  const { patch: refused } = make(fields);
  globalThis.HTMLInputElement = class { static [Symbol.hasInstance] = () => true; };
  let draft = { ...newDraft(0), ...refused };
  const drawn = new Drawn(newAppointment(draft, false, { setDraft: (patch) => { draft = { ...draft, ...patch }; } }));
  assert.match(drawn.text, /no such time/);
  fields.date = '2027-10-31';
  drawn.change({ form: {} });
  assert.equal(draft.at.length, 2);
  assert.doesNotMatch(new Drawn(newAppointment(draft, false, {})).text, /no such time/);
});

test('the form asks which of two times is meant', () => {
  const fields = { date: '2026-10-25', time: '02:30', minutes: '30' };
  const both = moments(fields.date, fields.time);
  assert.deepEqual(both, [Date.UTC(2026, 9, 25, 0, 30) / 1000, Date.UTC(2026, 9, 25, 1, 30) / 1000]);
  const { made, patch } = make(fields);
  assert.equal(made, null);
  assert.match(patch.error, /comes twice/);
  const drawn = new Drawn(newAppointment({ ...newDraft(both[0]), ...patch }, false, {}));
  assert.match(drawn.text, /before clocks are put back.*after clocks are put back/);
  for (const moment of both) assert.equal(make({ ...fields, moment: String(moment) }).made.starts, moment);
  assert.equal(make({ ...fields, moment: '1' }).made, null, 'a choice for another day is none');
});

test('the form that opens in the hour that comes twice means that hour', () => {
  for (const moment of moments('2026-10-25', '02:30')) {
    const draft = newDraft(moment - 60);
    assert.equal(draft.starts, moment);
    assert.equal(draft.at.length, 2);
  }
});
