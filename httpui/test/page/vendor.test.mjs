import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {readdirSync, readFileSync} from 'node:fs';
import {test} from 'node:test';

for (const library of ['lit-html', 'messageformat']) test(`the vendored ${library} is what was published, and nothing else`, () => {
  const dir = new URL(`../../static/vendor/${library}/`, import.meta.url);
  const sums = new Map(readFileSync(new URL('SHA256SUMS', dir), 'utf8').trim().split('\n').map((line) => {
    const [sum, name] = line.split(/\s+\*?/);
    return [name?.replace(/^\.\//, ''), sum];
  }));
  const scripts = readdirSync(dir, {recursive: true}).map(String).filter((name) => name.endsWith('.js'));
  assert.ok(scripts.length > 0);
  for (const name of scripts) {
    const got = createHash('sha256').update(readFileSync(new URL(name, dir))).digest('hex');
    assert.equal(got, sums.get(name), name);
  }
});

test('every template of the page can be translated: it is made and drawn by html.js', () => {
  const page = new URL('../../static/', import.meta.url);
  const modules = readdirSync(page, {recursive: true}).map(String).filter((name) => name.endsWith('.js') && !name.startsWith('vendor/') && name !== 'kit/html.js');
  assert.ok(modules.length > 0);
  for (const name of modules) assert.doesNotMatch(readFileSync(new URL(name, page), 'utf8'), /^import .*lit-html\/lit-html\.js'/m, name);
});
