import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import {readdirSync, readFileSync} from 'node:fs';
import {test} from 'node:test';

const dir = new URL('../static/vendor/lit-html/', import.meta.url);

test('the vendored library is what was published, and nothing else', () => {
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
