// A page whose scripts did not all come says so, in the one message that it can
// say without them, and loads again with its link.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import english from '../../words/en.json' with { type: 'json' };

/** Loads the module into a page of its own, of which one script is then lost. */
async function loadWithout(t, words, name) {
  const seen = { said: [], addresses: [], reloads: 0 };
  class HTMLScriptElement {}
  const page = {
    HTMLScriptElement,
    location: { hash: '#secret', pathname: '/j', search: '?x', reload: () => seen.reloads++ },
    history: { replaceState: (_state, _title, address) => seen.addresses.push(address) },
    document: {
      createElement: () => ({ textContent: '', setAttribute(attribute, value) { this[attribute] = value; } }),
      getElementById: (id) => (id === 'words' ? words && { textContent: JSON.stringify(words) } : id === 'main' ? { append: (element) => seen.said.push(element) } : null),
    },
    fetch: async () => ({ ok: true }),
    addEventListener: (_type, heard) => { seen.heard = heard; },
    setTimeout: (then) => then(),
  };
  for (const [key, value] of Object.entries(page)) {
    const before = Object.getOwnPropertyDescriptor(globalThis, key);
    Object.defineProperty(globalThis, key, { value, configurable: true, writable: true });
    t.after(() => (before ? Object.defineProperty(globalThis, key, before) : delete globalThis[key]));
  }
  await import(`../../static/link/fragment.js?${name}`);
  seen.heard({ target: new HTMLScriptElement() });
  for (let turn = 0; turn < 20 && seen.reloads === 0; turn++) await Promise.resolve();
  return seen;
}

test('what is said without the other scripts is the page’s own message', async (t) => {
  const { said, addresses, reloads } = await loadWithout(t, { messages: { 'call.loading-lost': 'Verbindung verloren.' } }, 'own');
  assert.deepEqual(said.map(({ role, textContent }) => [role, textContent]), [['status', 'Verbindung verloren.']]);
  assert.deepEqual([addresses, reloads], [['/j?x', '/j?x#secret'], 1]);
});

test('the catalogue has it, and it has no arguments', () => {
  assert.match(english.messages['call.loading-lost'], /^[^{}.]+\.[^{}]+$/);
});

test('a page without words still loads again', async (t) => {
  assert.equal((await loadWithout(t, null, 'none')).reloads, 1);
});
