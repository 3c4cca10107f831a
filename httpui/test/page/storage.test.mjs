// Storages that browsers refuse in all the ways that they do.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { SafeStorage, keepsCookies } from '../../static/kit/storage.js';

const refuse = () => {
  throw new DOMException('The operation is insecure.', 'SecurityError');
};
const broken = { getItem: refuse, setItem: refuse, removeItem: refuse };
const full = { getItem: () => null, setItem: refuse, removeItem: () => {} };

for (const [how, find] of Object.entries({ 'asking throws': refuse, null: () => null, undefined: () => undefined, 'using it throws': () => broken, 'it is full': () => full })) {
  test(`what the browser does not keep, the page keeps: ${how}`, () => {
    const storage = new SafeStorage(find);
    assert.equal(storage.getItem('a'), null);
    storage.setItem('a', '1');
    assert.equal(storage.getItem('a'), '1');
    storage.removeItem('a');
    assert.equal(storage.getItem('a'), null);
  });
}

test('what the browser keeps is there, and an older value is gone once a newer one cannot be kept', () => {
  const kept = new Map();
  let room = true;
  const real = { getItem: (k) => kept.get(k) ?? null, setItem: (k, v) => (room ? kept.set(k, v) : refuse()), removeItem: (k) => kept.delete(k) };
  const storage = new SafeStorage(() => real);
  storage.setItem('a', '1');
  assert.equal(kept.get('a'), '1');
  assert.equal(new SafeStorage(() => real).getItem('a'), '1');
  room = false;
  storage.setItem('a', '2');
  assert.deepEqual([storage.getItem('a'), kept.has('a')], ['2', false]);
});

test('whether cookies are kept is found out by trying, and leaves none', () => {
  const jar = new Map();
  const browser = {
    get cookie() { return [...jar].map(([name, value]) => `${name}=${value}`).join('; '); },
    set cookie(text) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(text);
      if (/Max-Age=0/.test(text)) jar.delete(name);
      else jar.set(name, value);
    },
  };
  assert.equal(keepsCookies(browser), true);
  assert.equal(jar.size, 0);
  assert.equal(keepsCookies({ get cookie() { return ''; }, set cookie(_) {} }), false);
  assert.equal(keepsCookies({ get cookie() { return refuse(); }, set cookie(_) { refuse(); } }), false);
});

test('no other script asks a browser for a storage', () => {
  const scripts = new URL('../../static/', import.meta.url);
  for (const name of readdirSync(scripts, { recursive: true }).map(String).filter((file) => file.endsWith('.js') && file !== 'kit/storage.js')) {
    const code = readFileSync(new URL(name, scripts), 'utf8').replace(/\/\*[^]*?\*\/|\/\/.*/g, '');
    assert.doesNotMatch(code, /\b(local|session)Storage\b/, name);
  }
});
