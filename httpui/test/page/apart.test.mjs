// Each folder of modules loads what is below it and nothing beside it: a guest's
// page nothing of the practitioner's, a call nothing of the page around it.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const root = new URL('../../static/', import.meta.url);

/** What each folder may load, and speak of in its types, besides itself. */
const below = {
  kit: ['vendor'],
  link: ['kit'],
  call: ['link', 'kit', 'vendor'],
  guest: ['call', 'link', 'kit', 'vendor'],
  practitioner: ['call', 'link', 'kit', 'vendor'],
};

/** Every module that a text names: in imports, and in types. */
const named = (text) => [...text.matchAll(/(?:\bfrom |\bimport |\bimport\()'(\.[^']+)'/g)].map(([, path]) => path);

test('what a module names is found, however it names it', () => {
  const text = "import './a.js';\nimport { b } from '../b.js';\nexport * from './c.js';\n/** @typedef {import('./d.js').D} D */\nconst e = await import('./e.js');";
  assert.deepEqual(named(text), ['./a.js', '../b.js', './c.js', './d.js', './e.js']);
});

for (const [folder, may] of Object.entries(below)) {
  test(`${folder}/ names modules of ${[folder, ...may].join('/, ')}/ only`, () => {
    const modules = readdirSync(new URL(`${folder}/`, root), { recursive: true }).map(String).filter((name) => name.endsWith('.js'));
    assert.ok(modules.length > 3);
    const wrong = modules.flatMap((name) => {
      const module = new URL(`${folder}/${name}`, root);
      return named(readFileSync(module, 'utf8'))
        .map((path) => new URL(path, module).href)
        .filter((path) => path.startsWith(root.href)) // the catalogue of the words is beside the page
        .map((path) => path.slice(root.href.length))
        .filter((path) => ![folder, ...may].includes(path.split('/')[0]))
        .map((path) => `${name} names ${path}`);
    });
    assert.deepEqual(wrong, []);
  });
}
