// What a practitioner can take back, where the keyboard goes on, and what is
// left on the page of somebody who has signed out.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {call, demo, Person, until} from './harness.mjs';
import {fineEverywhere} from './looks.mjs';

const focused = (person) => person.page.evaluate(() => document.activeElement?.getAttribute('data-opens') ?? document.activeElement?.id ?? '');

test('a denial and the end for everyone can be taken back', {timeout: 120_000}, async (t) => {
  const d = await demo(t);
  const [doctor, guest] = await Promise.all([Person.arrive(t), Person.arrive(t)]);
  await doctor.practise(d.practitioner);
  await guest.knock(d.link('home'), 'Ana Pereira');
  const deny = doctor.button('Deny Ana Pereira');
  const bar = doctor.page.locator('.toast-undo');
  await deny.click();
  await deny.waitFor({state: 'detached'});
  await doctor.button('Undo').hover(); // it stays while somebody decides
  await fineEverywhere(doctor, 'denied-undo');
  await doctor.button('Undo').click();
  await deny.waitFor();
  await deny.focus();
  await doctor.page.keyboard.press('Enter');
  await deny.waitFor({state: 'detached'});
  await doctor.page.keyboard.press('Control+z');
  await deny.waitFor();
  assert.equal(await guest.page.getByText(/cannot let you in/).count(), 0);
  await doctor.button('Admit Ana Pereira').click();
  await Promise.all([doctor.hearsAndSees(), guest.hearsAndSees()]);

  await doctor.button('End for everyone').click();
  await bar.getByText('The call is ending for everyone.').waitFor();
  await until('every track ended', () => doctor.page.evaluate(() => window.openTracks.every((track) => track.readyState === 'ended')), 1000);
  await doctor.button('Undo').hover();
  await fineEverywhere(doctor, 'ended-undo');
  await doctor.button('Undo').click();
  await Promise.all([doctor.hearsAndSees(), guest.hearsAndSees()]);
  await doctor.button('End for everyone').click();
  await doctor.button('End now').click();
  await guest.page.getByText('You can close this page').waitFor();
  await bar.waitFor({state: 'detached'});
});

test('a call whose end was not told when the page was closed ends', {timeout: 90_000}, async (t) => {
  const d = await demo(t);
  const {doctor, patient} = await call(t, d.practitioner, d.link('home'));
  await doctor.button('End for everyone').click();
  await doctor.page.goto('about:blank');
  await patient.page.getByText('You can close this page').waitFor({timeout: 4000});
});

test('the keyboard goes on where the work does', {timeout: 90_000}, async (t) => {
  const d = await demo(t);
  const doctor = await Person.arrive(t);
  await doctor.practise(d.practitioner);
  for (const [name, field, opener] of [['New appointment', 'new-time', 'draft'], ['Join another practice’s appointment', 'foreign-link', 'foreign']]) {
    for (const close of ['Escape', 'Close']) {
      await doctor.button(name).focus();
      await doctor.page.keyboard.press('Enter');
      await until(`the focus in ${name}`, async () => await focused(doctor) === field);
      if (close === 'Escape') await doctor.page.keyboard.press('Escape');
      else await doctor.button('Close').click();
      await until(`the focus back after ${close}`, async () => await focused(doctor) === opener);
    }
  }
  await doctor.button('New appointment').click();
  await doctor.page.getByLabel(/^What for/).fill('Check-up');
  await doctor.page.keyboard.press('Escape');
  assert.equal(await doctor.page.getByLabel(/^What for/).inputValue(), 'Check-up', 'what was written is still there');
  await doctor.page.keyboard.press('Enter');
  await until('the focus on the new link', () => doctor.page.evaluate(() => document.activeElement?.hasAttribute('data-copy')));
  const more = doctor.page.getByRole('button', {name: /^More for Check-up/});
  await more.click();
  await doctor.button('Cancel appointment').click();
  await doctor.page.getByRole('dialog').getByRole('button', {name: 'Cancel appointment'}).click();
  await more.waitFor({state: 'detached'});
  await until('the focus on something', async () => doctor.page.evaluate(() => document.activeElement !== document.body));
});

test('nothing of a patient stays on the page after signing out', {timeout: 120_000}, async (t) => {
  const d = await demo(t);
  const {doctor, patient} = await call(t, d.practitioner, d.link('home'), 'Canary Person');
  await patient.button('Chat').click();
  await patient.page.getByRole('textbox', {name: /message/i}).fill('canary words');
  await patient.page.keyboard.press('Enter');
  await doctor.button('Chat').click();
  await doctor.page.locator('.chat-text').getByText('canary words').waitFor();
  await doctor.page.keyboard.press('Escape');
  await doctor.button('Leave').click();
  await doctor.page.getByText('Canary Person').first().waitFor();
  await doctor.button('New appointment').click();
  await doctor.page.getByLabel(/^What for/).fill('canary label');
  await doctor.button('Deny Canary Person').click();
  await doctor.page.locator('.toast-undo').waitFor();
  await doctor.button('Sign out').click();
  await doctor.button('Sign in').waitFor();
  const left = await doctor.page.evaluate(() => [document.documentElement.outerHTML, document.title, ...[...document.querySelectorAll('input, textarea')].map((field) => field.value),
    JSON.stringify({...localStorage}), JSON.stringify({...sessionStorage})].join('\n'));
  assert.doesNotMatch(left, /canary/i);
  await patient.page.getByText('You can close this page').waitFor();
});
