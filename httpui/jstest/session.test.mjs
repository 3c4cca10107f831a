// Who uses the practitioner's page, against a node that may not answer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Drawn } from './fakes/view.mjs';
import { ApiError } from '../static/api.js';
import { Session } from '../static/session.js';
import { setupView } from '../static/view-setup.js';

async function signedIn(signOut) {
  const log = [];
  const api = {
    session: async () => ({ state: 'signed-in', practice: 'P', name: 'Dr Lee', names: 1 }),
    tab: async () => {},
    forget: () => log.push('forget'),
    signOut,
  };
  const session = new Session({ api, onChange: () => {} });
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
  const { session, log } = await signedIn(async () => { throw new ApiError('offline', '', 0); });
  await session.signOut();
  assert.deepEqual([session.snapshot.phase, session.snapshot.notice, log], ['signed-out', 'unconfirmed', ['forget']]);
});

test('where no cookie is kept, that is said, and the launch address is not used up', async () => {
  const api = new Proxy({}, { get: (_, name) => () => assert.fail(`${String(name)} was asked`) });
  const session = new Session({ api, onChange: () => {}, cookies: () => false });
  await session.begin('token');
  assert.equal(session.snapshot.phase, 'no-cookies');
  assert.match(new Drawn(setupView(session.snapshot, {}, {})).text, /keeps no cookies.*Allow cookies/);
});
