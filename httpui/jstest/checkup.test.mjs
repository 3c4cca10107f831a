// Looking at the node, against an API that answers when the test says so.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../static/api.js';
import { Checkup } from '../static/checkup.js';

const report = { summary: 'Ready for calls.', ready: true, checks: [] };

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

test('a failure is a sentence, and takes an old result away', async () => {
  const { it, seen } = checkup();
  const first = it.run();
  seen.asked[0].resolve(report);
  await first;
  const second = it.run();
  assert.equal(it.snapshot.report, report, 'shown until there is a new one');
  seen.asked[1].reject(new ApiError('too-many', 'A check is running already; please wait until it is done.', 429));
  await second;
  assert.deepEqual(it.snapshot, { busy: false, report: null, error: 'A check is running already; please wait until it is done.' });
  const third = it.run();
  assert.equal(it.snapshot.error, '', 'not while it tries again');
  seen.asked[2].reject(new TypeError('no'));
  await third;
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
  seen.asked[1].reject(new ApiError('unauthorized', '', 401));
  await expired;
  assert.equal(seen.expired, 1);
});
