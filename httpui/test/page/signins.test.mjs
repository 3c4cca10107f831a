// Where one is signed in, against an API that answers when the test says so.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import './fakes/words.mjs';
import { ApiError } from '../../static/kit/request.js';
import { SignIns } from '../../static/practitioner/account/signins.js';

const here = { id: 'a', since: 1, seen: 2, this: true };
const there = { id: 'b', since: 1, seen: 2, this: false };

function signIns() {
  const seen = { now: null, expired: 0, asked: [] };
  const ask = (what) => new Promise((resolve, reject) => { seen.asked.push({ what, resolve: (sessions) => resolve({ sessions }), reject }); });
  const it = new SignIns({
    api: { signIns: () => ask('list'), endSignIn: (id) => ask(`end ${id}`), endOtherSignIns: () => ask('end others') },
    onChange: (snapshot) => { seen.now = snapshot; },
    onExpired: () => { seen.expired += 1; },
  });
  return { it, seen };
}

test('what is left is what the node says is left', async () => {
  const { it, seen } = signIns();
  const load = it.load();
  seen.asked[0].resolve([here, there]);
  await load;
  assert.deepEqual(seen.now, { list: [here, there], error: '' });
  const end = it.end('b');
  seen.asked[1].resolve([here]);
  await end;
  assert.deepEqual(seen.now, { list: [here], error: '' });
  const others = it.endOthers();
  seen.asked[2].resolve([here]);
  await others;
  assert.deepEqual(seen.asked.map(({ what }) => what), ['list', 'end b', 'end others']);
});

test('a failure is told, a session that is over ends the page’s', async () => {
  const { it, seen } = signIns();
  const load = it.load();
  seen.asked[0].reject(new ApiError('internal', { code: 'refusal.internal' }, 500));
  await load;
  assert.deepEqual(seen.now, { list: null, error: 'Anteroom could not do this; its log says why.' });
  const again = it.load();
  seen.asked[1].reject(new ApiError('unauthorized', null, 401));
  await again;
  assert.equal(seen.expired, 1);
});

test('an answer that comes after nobody looks is forgotten', async () => {
  const { it, seen } = signIns();
  const load = it.load();
  it.clear();
  seen.asked[0].resolve([here]);
  await load;
  assert.deepEqual(seen.now, { list: null, error: '' });
});
