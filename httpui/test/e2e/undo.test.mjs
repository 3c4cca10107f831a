// What a practitioner can take back, where the keyboard goes on, and what is
// left on the page of somebody who has signed out.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {call, demo, Person, until} from './harness.mjs';
import {fineEverywhere} from './looks.mjs';

const focused = (person) => person.page.evaluate(() => document.activeElement?.getAttribute('data-opens') ?? document.activeElement?.id ?? '');

test('a denial and the end for everyone can be taken back', {timeout: 120_000}, async (t) => {
  const d = await demo(t);
  const [practitioner, guest] = await Promise.all([Person.arrive(t), Person.arrive(t)]);
  await practitioner.practise(d.practitioner);
  await guest.knock(d.link('home'), 'Ana Pereira');
  const deny = practitioner.button('Deny Ana Pereira');
  const bar = practitioner.page.locator('.toast-undo');
  await deny.click();
  await deny.waitFor({state: 'detached'});
  await practitioner.button('Undo').focus(); // it stays while somebody decides
  await fineEverywhere(practitioner, 'denied-undo');
  await practitioner.button('Undo').click();
  await deny.waitFor();
  await deny.focus();
  await practitioner.page.keyboard.press('Enter');
  await deny.waitFor({state: 'detached'});
  await practitioner.page.keyboard.press('Control+z');
  await deny.waitFor();
  assert.equal(await guest.page.getByText(/cannot let you in/).count(), 0);
  await practitioner.button('Admit Ana Pereira').click();
  await Promise.all([practitioner.hearsAndSees(), guest.hearsAndSees()]);

  await practitioner.button('End for everyone').click();
  await bar.getByText('The call is ending for everyone.').waitFor();
  await until('every track ended', () => practitioner.page.evaluate(() => window.openTracks.every((track) => track.readyState === 'ended')), 1000);
  await practitioner.button('Undo').hover();
  await practitioner.button('Undo').focus(); // and when the pointer is elsewhere, on another size of screen
  await fineEverywhere(practitioner, 'ended-undo');
  await practitioner.button('Undo').click();
  await Promise.all([practitioner.hearsAndSees(), guest.hearsAndSees()]);
  await practitioner.button('End for everyone').click();
  await practitioner.button('End now').click();
  await guest.page.getByText('You can close this page').waitFor();
  await bar.waitFor({state: 'detached'});
});

test('a call whose end was not told when the page was closed ends', {timeout: 90_000}, async (t) => {
  const d = await demo(t);
  const {practitioner, patient} = await call(t, d.practitioner, d.link('home'));
  await practitioner.button('End for everyone').click();
  await practitioner.page.goto('about:blank');
  await patient.page.getByText('You can close this page').waitFor({timeout: 4000});
});

test('the keyboard goes on where the work does', {timeout: 90_000}, async (t) => {
  const d = await demo(t);
  const practitioner = await Person.arrive(t);
  await practitioner.practise(d.practitioner);
  for (const [name, field, opener] of [['New appointment', 'new-time', 'draft'], ['Join another practice’s appointment', 'foreign-link', 'foreign']]) {
    for (const close of ['Escape', 'Close']) {
      await practitioner.button(name).focus();
      await practitioner.page.keyboard.press('Enter');
      await until(`the focus in ${name}`, async () => await focused(practitioner) === field);
      if (close === 'Escape') await practitioner.page.keyboard.press('Escape');
      else await practitioner.button('Close').click();
      await until(`the focus back after ${close}`, async () => await focused(practitioner) === opener);
    }
  }
  await practitioner.button('New appointment').click();
  await practitioner.page.getByLabel(/^What for/).fill('Check-up');
  await practitioner.page.keyboard.press('Escape');
  assert.equal(await practitioner.page.getByLabel(/^What for/).inputValue(), 'Check-up', 'what was written is still there');
  await practitioner.page.keyboard.press('Enter');
  await until('the focus on the new link', () => practitioner.page.evaluate(() => document.activeElement?.hasAttribute('data-copy')));
  const more = practitioner.page.getByRole('button', {name: /^More for Check-up/});
  await more.click();
  await practitioner.button('Cancel appointment').click();
  await practitioner.page.getByRole('dialog').getByRole('button', {name: 'Cancel appointment'}).click();
  await more.waitFor({state: 'detached'});
  await until('the focus on something', async () => practitioner.page.evaluate(() => document.activeElement !== document.body));
});

test('nothing of a patient stays on the page after signing out', {timeout: 120_000}, async (t) => {
  const d = await demo(t);
  const {practitioner, patient} = await call(t, d.practitioner, d.link('home'), 'Canary Person');
  await patient.button('Chat').click();
  await patient.page.getByRole('textbox', {name: /message/i}).fill('canary words');
  await patient.page.keyboard.press('Enter');
  await practitioner.button('Chat').click();
  await practitioner.page.locator('.chat-text').getByText('canary words').waitFor();
  await practitioner.page.keyboard.press('Escape');
  await practitioner.button('Leave').click();
  await practitioner.page.getByText('Canary Person').first().waitFor();
  await practitioner.button('New appointment').click();
  await practitioner.page.getByLabel(/^What for/).fill('canary label');
  await practitioner.button('Deny Canary Person').click();
  await practitioner.page.locator('.toast-undo').waitFor();
  await practitioner.button('Sign out').click();
  await practitioner.button('Sign in').waitFor();
  const left = await practitioner.page.evaluate(() => [document.documentElement.outerHTML, document.title, ...[...document.querySelectorAll('input, textarea')].map((field) => field.value),
    JSON.stringify({...localStorage}), JSON.stringify({...sessionStorage})].join('\n'));
  assert.doesNotMatch(left, /canary/i);
  await patient.page.getByText('You can close this page').waitFor();
});
