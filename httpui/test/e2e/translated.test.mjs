// A page that is translated while it is used stays true: whatever changes, changes on the screen.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {demo, Person, until} from './harness.mjs';
import {mergeTexts, wrapTexts} from './translator.mjs';

/** What a person reads: of a text that was gone through, only its words. */
const reads = (person, selector) => person.page.locator(selector).first().innerText().then((text) => text.replaceAll('‡', '').trim());
const says = (person, selector, words) => until(`${words} in ${selector}`, async () => words.test(await reads(person, selector).catch(() => '')));

for (const translator of [wrapTexts, mergeTexts]) {
  test(`a call whose pages are translated: ${translator.name}`, {timeout: 120_000}, async (t) => {
    const d = await demo(t);
    const [practitioner, patient] = await Promise.all([Person.arrive(t), Person.arrive(t)]);
    const errors = [];
    for (const {page, context} of [practitioner, patient]) {
      await context.addInitScript(translator);
      page.on('pageerror', (err) => errors.push(err.message));
    }
    const marked = (person) => until('a translation', () => person.page.evaluate(() => document.body.innerText.includes('‡')));

    await practitioner.page.goto(d.practitioner);
    await says(practitioner, '.waiting', /Waiting room/);
    await patient.page.goto(d.link('home'));
    await patient.page.locator('.button-large').click();
    await Promise.all([marked(practitioner), marked(patient)]);
    await says(patient, '.check-row:nth-child(1)', /^Say something/);
    await patient.page.locator('.preview-tools .tool').first().click();
    await says(patient, '.check-row:nth-child(1)', /^Your microphone is off/);
    await patient.page.locator('.preview-tools .tool').first().click();
    await says(patient, '.check-row:nth-child(1)', /^Say something/);
    await patient.page.locator('#name').fill('Ana Pereira');
    await patient.page.locator('form .button-primary').click();
    await patient.page.locator('.waiting-title').waitFor();
    await practitioner.page.locator('.guest .button-primary').click();
    for (const person of [practitioner, patient]) await says(person, '.truth-line', /^Direct · encrypted · verified$/);
    await says(practitioner, '.tile-name', /^Ana Pereira/);

    await patient.page.locator('.tools .tool').first().click();
    await says(patient, '.tools .tool:first-child', /^Unmute/);
    await patient.page.locator('.tools .tool').nth(1).click();
    await says(practitioner, '.tile-words', /Camera is off/);
    await says(patient, '.self-name', /^You, camera off$/);
    await patient.page.locator('.tools .tool').nth(1).click();
    await says(patient, '.self-name', /^You$/);
    await practitioner.page.locator('.tools .tool[aria-label=Chat]').click();
    for (const [i, text] of ['one', 'two'].entries()) {
      await practitioner.page.locator('#chat-text').fill(text);
      await practitioner.page.keyboard.press('Enter');
      await until(`${i + 1} unread`, async () => await reads(patient, '.tool-badge') === String(i + 1));
    }
    await patient.page.locator('.tools .tool-danger').click();
    await says(patient, 'main', /You can close this page/);
    await says(practitioner, '.stage', /Nobody else is in the call/);
    await says(practitioner, '.truth-line', /^Nobody is connected$/);
    assert.deepEqual(errors, []);
  });
}
