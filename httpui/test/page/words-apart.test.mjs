// What a person reads stands in the catalogue and nowhere else.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { literals } from './fakes/literals.mjs';

const page = new URL('../../static/', import.meta.url);
const modules = readdirSync(page, { recursive: true }).map(String).filter((name) => name.endsWith('.js') && !name.startsWith('vendor/'));

// Modules whose strings are protocol, markup, or reasons for the log.
const notForPeople = new Set(['call/guest-call.js', 'call/sdp.js', 'guest/ticket.js', 'kit/browser.js', 'kit/html.js', 'link/seal.js']);

// Words of the platform: names of keys, of the errors of browsers, of headers, of elements' kinds; and selectors.
const platform = /^(Escape|Enter|Tab|Home|End|Arrow(Left|Right|Up|Down)|[A-Z][A-Za-z]+Error|Notification|Content-Type|Retry-After|[A-Z]+|\.[a-z].*)$/;

test('literals are found, and told from code', () => {
  const found = literals('// It is "a comment".\nconst a = html`<p class="one two" title="Say so">Hello <b>${x ? \'So it is\' : f(`a ${"deep one"}`)}</b></p>`; /it\'s/.test("b c"); throw new Error(\'not for people\');');
  assert.deepEqual(found.map(({ kind, text }) => `${kind}: ${text}`).sort(), ['error: not for people', 'html: Hello', 'html: Say so', 'string: So it is', 'string: a ', 'string: b c', 'string: deep one'].sort());
});

for (const name of modules.sort()) {
  test(`${name} has no words of its own`, () => {
    const words = literals(readFileSync(new URL(name, page), 'utf8')).filter(({ kind, text }) => {
      if (kind === 'error') return false;
      if (kind === 'html') return /\p{L}{2}/u.test(text);
      return !notForPeople.has(name) && !platform.test(text) && (/^[A-Z][a-z]+$/.test(text) || /\p{L}{2,}[,:]? \p{L}{2,}/u.test(text));
    });
    assert.deepEqual(words.map(({ text, line }) => `${line}: ${text}`), []);
  });
}
