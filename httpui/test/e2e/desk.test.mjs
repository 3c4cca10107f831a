// The practitioner's desk: the first run, an appointment made by hand, its link
// in the clipboard, and who is signed in.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {Daemon, freePort, Person, until} from './harness.mjs';
import {fineEverywhere} from './looks.mjs';

const password = 'a long enough passphrase';
const copyLink = /^Copy link for/;
const clipboard = (person) => person.page.evaluate(() => navigator.clipboard.readText());

async function open(t) {
  const d = await new Daemon(t, 'desk', `http:\n  listen: ["localhost:${await freePort()}"]\n`).start();
  const practitioner = await Person.arrive(t);
  await practitioner.page.goto(d.launch);
  await practitioner.page.getByRole('textbox', {name: 'Name of the practice'}).waitFor();
  return {d, practitioner};
}

async function setUp(practitioner) {
  await practitioner.page.getByRole('textbox', {name: 'Name of the practice'}).fill('Riverside Practice');
  await practitioner.page.getByRole('textbox', {name: 'Your name'}).fill('Dr Lee');
  await practitioner.page.getByLabel('Password', {exact: true}).fill(password);
  await practitioner.button('Set up').click();
  await practitioner.page.getByRole('heading', {name: 'Riverside Practice'}).waitFor();
}

test('from the first run to a link in the clipboard', {timeout: 120_000}, async (t) => {
  const {practitioner} = await open(t);
  await fineEverywhere(practitioner, 'setup');
  await practitioner.page.getByLabel('Password', {exact: true}).fill('short');
  await practitioner.button('Set up').click();
  await setUp(practitioner);
  await practitioner.button('New appointment').click();
  await practitioner.page.getByLabel(/^What for/).fill('Check-up');
  await practitioner.page.getByRole('textbox', {name: /^Guest/}).fill('Ana Pereira');
  await practitioner.page.getByLabel('Time').fill(new Date().toTimeString().slice(0, 5));
  await fineEverywhere(practitioner, 'new-appointment');
  await practitioner.page.getByLabel('Time').press('Enter');
  await practitioner.page.getByText('Check-up').first().waitFor();
  await practitioner.button(copyLink).click();
  await practitioner.page.getByText('Link copied').first().waitFor();
  const link = await clipboard(practitioner);
  assert.match(link, /^http:\/\/localhost:\d+\/j#[\w-]{68}$/);
  const patient = await Person.arrive(t);
  await patient.knock(link, 'Ana Pereira');
  await practitioner.button('Admit Ana Pereira').click();
  await Promise.all([practitioner.hearsAndSees(), patient.hearsAndSees()]);
});

test('a link is not shown again without the password', {timeout: 90_000}, async (t) => {
  const {d, practitioner} = await open(t);
  await setUp(practitioner);
  await d.cli('appointment', 'create', '--guest', 'Patient');
  await practitioner.button(copyLink).waitFor();
  // As after a quarter of an hour: until the password came, the node refuses.
  let confirmed = false;
  await practitioner.page.route('**/api/appointments/*/links', (route) => (confirmed ? route.continue()
    : route.fulfill({status: 403, contentType: 'application/json', body: JSON.stringify({code: 'unauthorized', message: {code: 'refusal.not-proven'}})})));
  await practitioner.page.route('**/api/confirm', async (route) => {
    const response = await route.fetch();
    confirmed = response.ok();
    await route.fulfill({response});
  });
  await practitioner.page.evaluate(() => navigator.clipboard.writeText('nothing'));
  await practitioner.button(copyLink).click();
  const dialog = practitioner.page.getByRole('dialog', {name: 'Enter your password'});
  await dialog.waitFor();
  await fineEverywhere(practitioner, 'password');
  await practitioner.page.keyboard.press('Escape');
  await dialog.waitFor({state: 'detached'});
  await practitioner.button(copyLink).click();
  await dialog.getByLabel('Password').fill('not the passphrase');
  await practitioner.page.keyboard.press('Enter');
  await dialog.getByText('The password is wrong.').waitFor();
  assert.equal(confirmed, false);
  await dialog.getByLabel('Password').fill(password);
  await practitioner.page.keyboard.press('Enter');
  await dialog.waitFor({state: 'detached'});
  await until('the link', async () => /\/j#[\w-]{68}$/.test(await clipboard(practitioner)));
});

test('who is signed in elsewhere is signed out from here, and comes back by the password', {timeout: 90_000}, async (t) => {
  const {d, practitioner} = await open(t);
  await setUp(practitioner);
  const other = await Person.arrive(t);
  await other.practise((await d.cli('open', '--no-open')).trim());
  await practitioner.page.getByText('Where you are signed in').click();
  const list = practitioner.page.getByRole('list', {name: 'Where you are signed in'}).getByRole('listitem');
  await until('two', async () => await list.count() === 2);
  await fineEverywhere(practitioner, 'signed-in');
  await practitioner.button('Sign out everywhere else').click();
  const since = Date.now();
  await other.button('Sign in').waitFor();
  t.diagnostic(`signed out after ${Date.now() - since} ms`);
  await until('one', async () => await list.count() === 1);
  await fineEverywhere(other, 'sign-in');
  await other.page.getByLabel('Password', {exact: true}).fill('wrong');
  await other.button('Sign in').click();
  await other.page.getByRole('alert').or(other.page.locator('.banner')).first().waitFor();
  await other.page.getByLabel('Password', {exact: true}).fill(password);
  await other.button('Sign in').click();
  await other.page.getByRole('heading', {name: 'Waiting room'}).waitFor();
});
