// Time that goes on when the time of day is set.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { Links } from '../../static/practitioner/diary/links.js';
import { stopwatch } from '../../static/kit/lapse.js';
import { holdTime, leap, releaseTime, setClock } from './fakes/clock.mjs';

const month = 30 * 24 * 3_600_000;

beforeEach(() => {
  holdTime();
  leap(2 * month); // there is a past
});
afterEach(releaseTime);

test('a clock that is put back stops no time', () => {
  const age = stopwatch();
  leap(1_000);
  setClock(-month);
  leap(1_000);
  assert.equal(age(), 2_000);
});

test('a clock that was ahead for a minute has not been', () => {
  const age = stopwatch();
  setClock(month);
  leap(60_000);
  setClock(-month);
  assert.equal(age(), 60_000);
});

test('while the computer sleeps, time passes', () => {
  const age = stopwatch();
  const { now } = performance;
  leap(1_000);
  performance.now = () => now() - 1_000;
  assert.equal(age(), 1_000);
});

test('a clock that is put back keeps no link within reach', async () => {
  let asked = 0;
  const links = new Links({
    api: { links: async () => { asked += 1; return { links: [{ member: 'm', url: 'new' }] }; }, confirm: async () => {} },
    onChange: () => {}, onCopied: () => {}, onError: () => {}, write: async (text) => { await text; return true; },
  });
  links.remember([{ member: 'm', url: 'made' }]);
  setClock(-month);
  leap(15 * 60_000);
  await links.copy({ appointment: 'a', member: 'm' });
  assert.equal(asked, 1);
});
