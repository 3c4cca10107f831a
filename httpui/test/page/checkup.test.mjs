// Looking at the node, against an API that answers when the test says so.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import './fakes/words.mjs';
import { ApiError } from '../../static/kit/request.js';
import { Checkup, readiness } from '../../static/practitioner/doctor/checkup.js';
import { sayMessage } from '../../static/kit/words.js';

const report = { line: { code: 'doctor.summary.ready-line' }, summary: { code: 'doctor.summary.ready' }, at: 1, ready: true, confirmed: true, checks: [] };

function checkup() {
  const seen = { log: [], expired: 0, asked: [] };
  const it = new Checkup({
    api: { doctor: () => new Promise((resolve, reject) => { seen.asked.push({ resolve, reject }); }) },
    onChange: (snapshot) => seen.log.push(snapshot),
    onExpired: () => { seen.expired += 1; },
  });
  return { it, seen };
}

test('nothing is asked before somebody wants it, and once at a time', async () => {
  const { it, seen } = checkup();
  assert.equal(seen.asked.length, 0);
  const run = it.run();
  await it.run();
  assert.equal(seen.asked.length, 1);
  assert.deepEqual(it.snapshot, { busy: true, report: null, error: '' });
  seen.asked[0].resolve(report);
  await run;
  assert.deepEqual(it.snapshot, { busy: false, report, error: '' });
  assert.equal(seen.log.length, 2);
});

test('what the node pushes is the newest report, also while somebody waits', async () => {
  const { it, seen } = checkup();
  it.learn(report);
  assert.deepEqual(it.snapshot, { busy: false, report, error: '' });
  const run = it.run();
  const newer = { ...report, at: 2 };
  it.learn(newer);
  assert.deepEqual(it.snapshot, { busy: true, report: newer, error: '' });
  const newest = { ...report, at: 3 };
  seen.asked[0].resolve(newest);
  await run;
  assert.equal(it.snapshot.report, newest);
  it.learn(null);
  assert.equal(it.snapshot.report, null, 'a node that has started again knows nothing yet');
});

test('a failure is a sentence, and what was known stays', async () => {
  const { it, seen } = checkup();
  it.learn(report);
  const first = it.run();
  seen.asked[0].reject(new ApiError('too-many', { code: 'refusal.check-too-often' }, 429));
  await first;
  assert.deepEqual(it.snapshot, { busy: false, report, error: 'This was checked several times just now; please wait ten seconds.' });
  const second = it.run();
  assert.equal(it.snapshot.error, '', 'not while it tries again');
  seen.asked[1].reject(new TypeError('no'));
  await second;
  assert.match(it.snapshot.error, /^[A-Z].*\.$/);
});

test('who is signed out is told so, and sees nothing of it later', async () => {
  const { it, seen } = checkup();
  const run = it.run();
  it.clear();
  seen.asked[0].resolve(report);
  await run;
  assert.deepEqual(it.snapshot, { busy: false, report: null, error: '' });
  const expired = it.run();
  seen.asked[1].reject(new ApiError('unauthorized', null, 401));
  await expired;
  assert.equal(seen.expired, 1);
});

test('the line says no more than is known', () => {
  const desk = { desk: {}, phase: 'attending', elsewhere: false };
  const line = (patch, found, now = 1) => Object.values(readiness({ ...desk, ...patch }, found, now));
  const check = (status) => ({ id: status, title: { code: '' }, status, finding: { code: '' } });
  const failed = { ...report, ready: false, confirmed: false, line: { code: 'doctor.not-ready', args: { finding: { code: 'doctor.late' } } }, checks: [check('fail'), check('warn')] };
  assert.deepEqual(line({ desk: null }, report), ['calm', '', '']);
  assert.deepEqual(line({}, null), ['calm', 'Checking…', '']);
  assert.deepEqual(line({}, report), ['good', 'Ready for calls', '']);
  assert.deepEqual(line({}, { ...report, checks: [check('pass'), check('skip'), check('warn')] }), ['good', 'Ready for calls', '1 thing to look at']);
  assert.deepEqual(line({}, { ...report, checks: [check('warn'), check('warn')] }), ['good', 'Ready for calls', '2 things to look at']);
  assert.deepEqual(line({}, failed), ['bad', 'Not ready: This check did not end in time.', 'What to do']);
  // Nobody has looked from outside: amber, and what to do about it.
  const unseen = { ...report, confirmed: false, line: { code: 'doctor.summary.unconfirmed-line' }, checks: [check('warn')] };
  assert.deepEqual(line({}, unseen), ['warn', 'Ready for calls, as far as this computer can see', '1 thing to look at']);
  for (const found of [report, failed]) { // too old, or of a time to come: a clock was wrong
    for (const now of [3600, -3600]) assert.match(line({}, found, now)[1], /^Last checked at /);
    assert.deepEqual(line({}, found, 1000)[1], sayMessage(found.line));
    assert.deepEqual(line({ phase: 'lost' }, found), ['warn', 'Not connected', '']);
    assert.deepEqual(line({ elsewhere: true }, found), ['warn', 'Another tab takes the calls', '']);
  }
});
