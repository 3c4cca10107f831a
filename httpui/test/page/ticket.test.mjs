// What a tab keeps to come back with, in two halves that are worth nothing alone.
import assert from 'node:assert/strict';
import test, { afterEach, beforeEach } from 'node:test';
import { SafeStorage } from '../../static/kit/storage.js';
import { Ticket } from '../../static/guest/ticket.js';
import { holdTime, leap, releaseTime, turn } from './fakes/clock.mjs';

const fragment = 'AX8secretsecretsecretsecretsecretsecretsecretsecretsecretsecretsecret1';
const visit = { fragment, name: 'Ada Lovelace', devices: { audioinput: 'mic-3' }, until: 1_800_000_060_000 };

/** A browser's database of keys. */
function cupboard() {
  const kept = new Map();
  return {
    kept,
    get: async (id) => kept.get(id),
    put: async (id, it) => void kept.set(id, it),
    remove: async (id) => void kept.delete(id),
    sweep: async (now) => kept.forEach(({ until }, id) => until > now || kept.delete(id)),
  };
}

/** A tab's storage. @param {Map<string, string>} [kept] */
const tab = (kept = new Map()) => ({ kept, getItem: (k) => kept.get(k) ?? null, setItem: (k, v) => kept.set(k, v), removeItem: (k) => kept.delete(k) });

beforeEach(() => holdTime(1_800_000_000_000));
afterEach(releaseTime);

test('what was kept is there after a reload, and neither half tells it', async () => {
  const [keys, storage] = [cupboard(), tab()];
  await new Ticket({ tab: storage, cupboard: keys }).keep(visit);
  assert.deepEqual(await new Ticket({ tab: storage, cupboard: keys }).read(), visit);
  const texts = [...storage.kept].flat().join(' ');
  for (const secret of [fragment, 'Ada', btoa(fragment), btoa('Ada Lovelace')]) assert.ok(!texts.includes(secret.replace(/=+$/, '')));
  const [{ key }] = keys.kept.values();
  assert.equal(key.extractable, false);
  await assert.rejects(crypto.subtle.exportKey('raw', key));
});

test('another tab of the same browser has nothing to open', async () => {
  const [keys, storage] = [cupboard(), tab()];
  await new Ticket({ tab: storage, cupboard: keys }).keep(visit);
  assert.equal(await new Ticket({ tab: tab(), cupboard: keys }).read(), null);
  assert.equal(keys.kept.size, 1, 'and takes nothing away');
});

test('the same tab keeps one key, and seals anew with it', async () => {
  const [keys, storage] = [cupboard(), tab()];
  const ticket = new Ticket({ tab: storage, cupboard: keys });
  await ticket.keep(visit);
  const [first] = storage.kept.values();
  await ticket.keep({ ...visit, name: 'Grace' });
  const [second] = storage.kept.values();
  assert.notEqual(first.split('.')[1], second.split('.')[1], 'no nonce twice');
  assert.equal(keys.kept.size, 1);
  assert.equal((await ticket.read())?.name, 'Grace');
});

test('both halves go when the visit is over, also what is being kept at that moment', async () => {
  const [keys, storage] = [cupboard(), tab()];
  const ticket = new Ticket({ tab: storage, cupboard: keys });
  await ticket.keep(visit);
  const late = ticket.keep({ ...visit, name: 'Grace' });
  await ticket.forget();
  await late;
  assert.deepEqual([storage.kept.size, keys.kept.size], [0, 0]);
  assert.equal(await ticket.read(), null);
});

test('a tab that is done leaves its copy what it needs', async () => {
  const [keys, storage] = [cupboard(), tab()];
  const ticket = new Ticket({ tab: storage, cupboard: keys });
  await ticket.keep(visit);
  const copy = new Ticket({ tab: tab(new Map(storage.kept)), cupboard: keys });
  ticket.drop();
  assert.equal(storage.kept.size, 0);
  assert.deepEqual(await copy.read(), visit);
});

test('what is past its time is good for nothing, and is cleared away by whoever comes next', async () => {
  const [keys, storage] = [cupboard(), tab()];
  await new Ticket({ tab: storage, cupboard: keys }).keep(visit);
  leap(60_001);
  assert.equal(await new Ticket({ tab: tab(), cupboard: keys }).read(), null);
  assert.equal(keys.kept.size, 0);
  assert.equal(await new Ticket({ tab: storage, cupboard: keys }).read(), null);
  assert.equal(storage.kept.size, 0);
});

test('a ticket that somebody has changed, or moved to another key, does not open', async () => {
  const [keys, storage] = [cupboard(), tab()];
  const ticket = new Ticket({ tab: storage, cupboard: keys });
  await ticket.keep(visit);
  const [[place, text]] = storage.kept;
  const [id, iv, box] = text.split('.');
  const [kept] = keys.kept.values();
  keys.kept.set('other', kept);
  for (const wrong of [`other.${iv}.${box}`, `${id}.${iv}.${box.slice(0, -2)}AA`, `${id}.${iv}`, '', '..', 'x.!.!']) {
    storage.kept.set(place, wrong);
    assert.equal(await ticket.read(), null, wrong);
    assert.equal(storage.kept.has(place), false);
  }
});

for (const [how, broken] of Object.entries({
  'no database': { get: async () => { throw new Error('x'); }, put: async () => { throw new Error('x'); }, remove: async () => { throw new Error('x'); }, sweep: async () => { throw new Error('x'); } },
  'one that throws at once': new Proxy({}, { get: () => () => { throw new Error('x'); } }),
})) {
  test(`in a browser with ${how} nothing is kept, and nothing fails`, async () => {
    const storage = new SafeStorage(() => null);
    const ticket = new Ticket({ tab: storage, cupboard: broken });
    await ticket.keep(visit);
    assert.equal(await ticket.read(), null);
    await ticket.forget();
  });
}

test('a database that never answers is one that is not there', async () => {
  const read = new Ticket({ tab: tab(), cupboard: { ...cupboard(), sweep: () => new Promise(() => {}) } }).read();
  for (let i = 0; i < 20; i++) await turn();
  leap(2_000);
  assert.equal(await read, null);
});
