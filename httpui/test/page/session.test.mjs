// Who uses the practitioner's page, against a node that may not answer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import './fakes/words.mjs';
import { Drawn } from './fakes/view.mjs';
import { ApiError } from '../../static/kit/request.js';
import { Session } from '../../static/practitioner/account/session.js';
import { setupView } from '../../static/practitioner/account/view-setup.js';

async function signedIn(signOut) {
  const log = [];
  const api = {
    session: async () => ({ state: 'signed-in', practice: 'P', name: 'Dr Lee', names: 1 }),
    tab: async () => {},
    forget: () => log.push('forget'),
    signOut,
  };
  const session = new Session({ api, onChange: () => {}, cookies: () => true });
  await session.begin('');
  assert.equal(session.snapshot.phase, 'signed-in');
  return { session, log };
}

test('who signs out is told so once the node has confirmed it', async () => {
  const { session, log } = await signedIn(async () => {});
  await session.signOut();
  assert.deepEqual([session.snapshot.phase, session.snapshot.notice, log], ['signed-out', 'left', ['forget']]);
});

test('a sign-out that the node did not confirm is not said to have happened', async () => {
  const { session, log } = await signedIn(async () => { throw new ApiError('offline', null, 0); });
  await session.signOut();
  assert.deepEqual([session.snapshot.phase, session.snapshot.notice, log], ['signed-out', 'unconfirmed', ['forget']]);
});

test('a launch address that the node could not use is not said to be used', async () => {
  const sentence = 'The disk that the records are on is full: make room there, and try again.';
  for (const [err, want] of [
    [new ApiError('no-storage', { code: 'refusal.disk-full' }, 507), new RegExp(sentence)],
    [new ApiError('internal', { code: 'refusal.internal' }, 500), /its log says why/],
    [new ApiError('unauthorized', { code: 'refusal.launch' }, 401), /has been used before/],
  ]) {
    const api = { launch: async () => { throw err; }, session: async () => ({ state: 'signed-out', practice: 'P', name: '', names: 1 }) };
    const session = new Session({ api, onChange: () => {}, cookies: () => true });
    await session.begin('token');
    const text = new Drawn(setupView(session.snapshot, {}, {})).text;
    assert.match(text, want);
    assert.equal(/used before/.test(text), err.status === 401);
  }
});

test('where no cookie is kept, that is said, and the launch address is not used up', async () => {
  const api = new Proxy({}, { get: (_, name) => () => assert.fail(`${String(name)} was asked`) });
  const session = new Session({ api, onChange: () => {}, cookies: () => false });
  await session.begin('token');
  assert.equal(session.snapshot.phase, 'no-cookies');
  assert.match(new Drawn(setupView(session.snapshot, {}, {})).text, /keeps no cookies.*Allow cookies/);
});
