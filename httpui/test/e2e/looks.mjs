// How a page looks: nothing that axe finds wrong, nothing wider than the screen,
// and a picture of it for people to look at.
import assert from 'node:assert/strict';
import AxeBuilder from '@axe-core/playwright';
import {until} from './harness.mjs';

export const sizes = {desktop: {width: 1280, height: 800}, phone: {width: 390, height: 844}};

/** Looks at a page as it is, and takes its picture. */
export async function fine(person, name, options) {
  const {violations} = await new AxeBuilder({page: person.page}).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']).analyze();
  assert.deepEqual(violations.map((v) => `${name}: ${v.id}: ${v.nodes[0]?.html}`), []);
  await until(`${name} as wide as the screen`, () => person.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await person.shot(name, options);
}

/** Does so at each size and in each theme. */
export async function fineEverywhere(person, name) {
  for (const colorScheme of ['light', 'dark']) {
    await person.page.emulateMedia({colorScheme});
    await person.page.evaluate(() => Promise.allSettled(document.getAnimations().filter((a) => a instanceof CSSTransition).map((a) => a.finished)));
    for (const [size, viewport] of Object.entries(sizes)) {
      await person.page.setViewportSize(viewport);
      await fine(person, `${name}-${size}-${colorScheme}`, {fullPage: true});
    }
  }
  await person.page.setViewportSize(sizes.desktop);
}
