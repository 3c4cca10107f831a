// What people read comes from the catalogue, and has room for a longer language:
// with the pseudo-locale every letter has an accent and every text is longer by a third.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {Daemon, demo, Person, until} from './harness.mjs';

const phone = {width: 390, height: 844};

// What was entered, by the demo or here, and the names of protocols and ciphers.
const entered = ['Demonstration', 'Patient', 'Carer', 'Specialist', 'Ana Pereira'];
const protocols = ['TCP', 'UDP', 'DHT', 'TLS_AES_128_GCM_SHA256', 'SRTP_AES128_CM_HMAC_SHA1_80', 'DTLS'];

const guest = 'Ana Pereira';
const pseudo = (url) => url.replace('#', '?words=pseudo#');

/** A message of the page as it is shown there; {$name} stands for itself. */
const said = (person, code, args = {}) => person.page.evaluate(([code, args]) => {
  const text = JSON.parse(document.getElementById('words').textContent).messages[code];
  return text.replace(/\{\$(\w+)\}/g, (_, name) => args[name]);
}, [code, args]);

const press = async (person, code, args) => person.button(await said(person, code, args)).first().click();

/** What is read on the page that has no accents, and what is cut off or wider than the screen. */
function look(names) {
  const plain = (text) => names.reduce((rest, name) => rest.replaceAll(name, ' '), text)
    .replace(/\b[a-z]+:\/\/\S+|\b[\w.-]+(?:\.[a-z]{2,}|:\d+)\b/g, ' ').match(/[A-Za-z]{3,}/) !== null;
  const found = [];
  const note = (what, text) => { if (plain(text)) found.push(`${what}: ${text.trim()}`); };
  note('title', document.title);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.parentElement.closest('script, style, noscript') || !node.parentElement.checkVisibility()) continue;
    note('text', node.data);
  }
  for (const element of document.body.querySelectorAll('*')) {
    if (!element.checkVisibility()) continue;
    for (const attribute of ['aria-label', 'title', 'placeholder', 'alt']) note(attribute, element.getAttribute(attribute) ?? '');
    const cut = getComputedStyle(element).overflowX !== 'visible' && element.scrollWidth > element.clientWidth + 1;
    if (cut && !element.matches('input, .sr-only, bdi, :has(> bdi)') && element.textContent.trim()) found.push(`cut off: <${element.localName} class="${element.className}"> ${element.textContent.trim()}`);
  }
  for (const button of document.body.querySelectorAll('button')) { // what sticks out touches its neighbour
    if (button.checkVisibility() && button.scrollWidth > button.clientWidth + 1) found.push(`sticks out: <button class="${button.className}"> ${button.textContent.trim()}`);
  }
  if (document.documentElement.scrollWidth > innerWidth) found.push(`${document.documentElement.scrollWidth} px wide`);
  return found;
}

/** Notes in found what is wrong with a screen. */
const looker = (names, found) => async (person, screen) => {
  await person.shot(`words-${screen}`, {fullPage: true});
  for (const what of await person.page.evaluate(look, names)) found.push(`${screen}: ${what}`);
};

/** In any time zone, the days that an appointment of today may be on. */
const today = new Intl.DateTimeFormat('en-GB', {weekday: 'long', day: 'numeric', month: 'long'});
const days = [-1, 0, 1].flatMap((n) => today.format(Date.now() + n * 86_400_000).match(/\p{L}+/gu));

test('both pages take all words from the catalogue, and have room for longer ones', {timeout: 300_000}, async (t) => {
  const d = await demo(t);
  const [practitioner, patient] = await Promise.all([Person.arrive(t, {viewport: phone}), Person.arrive(t, {viewport: phone})]);
  const names = [...entered, ...protocols, ...days];
  const found = [];
  const fine = looker(names, found);

  await practitioner.page.goto(pseudo(d.practitioner));
  await practitioner.page.locator('.waiting').waitFor();
  for (const bdi of await practitioner.page.locator('.masthead bdi').allTextContents()) names.push(bdi);
  await fine(practitioner, 'diary');
  await press(practitioner, 'desk.new.title');
  await fine(practitioner, 'new');
  await press(practitioner, 'desk.new.title');
  await press(practitioner, 'desk.foreign.title');
  await fine(practitioner, 'foreign');
  await press(practitioner, 'desk.foreign.title');
  await practitioner.page.evaluate(() => { for (const details of document.querySelectorAll('details')) details.open = true; });
  await practitioner.page.locator('.signins').waitFor();
  await practitioner.page.locator('.appointment-more button').first().click();
  await until('the check-up', () => practitioner.page.locator('.doctor-check').count(), 40_000);
  await fine(practitioner, 'diary-open');
  await practitioner.page.locator('.more .button').last().click();
  await practitioner.page.locator('dialog').waitFor();
  await fine(practitioner, 'cancel');
  await practitioner.page.keyboard.press('Escape');

  await patient.page.goto(new URL('/j?words=pseudo', d.link('home')).href);
  await patient.page.locator('h1').waitFor();
  await fine(patient, 'no-link');
  await patient.page.goto(pseudo(d.link('home')));
  await until('the guest’s first screen', async () => patient.button(await said(patient, 'guest.start.continue')).count());
  await fine(patient, 'link');
  await press(patient, 'guest.start.continue');
  await patient.page.locator('input[name="name"]').fill(guest);
  await fine(patient, 'check');
  await press(patient, 'guest.join');
  await practitioner.page.locator('.guest-buttons').waitFor();
  await fine(patient, 'waiting');
  await fine(practitioner, 'knock');
  await press(practitioner, 'desk.admit.who', {name: guest});
  await Promise.all([practitioner.hearsAndSees(), patient.hearsAndSees()]);
  await fine(practitioner, 'call');
  await fine(patient, 'guest-call');
  for (const person of [practitioner, patient]) {
    for (const code of ['call.details', 'call.chat']) {
      await press(person, code);
      await person.page.locator('.panel').waitFor();
      await fine(person, `${person === practitioner ? 'call' : 'guest'}-${code}`);
      await person.page.keyboard.press('Escape');
      await person.page.locator('.panel').waitFor({state: 'detached'});
    }
  }
  await press(patient, 'call.leave');
  await until('the end', () => patient.page.locator('.tile').count().then((n) => n === 0));
  await fine(patient, 'left');
  assert.deepEqual(found, []);
});

test('so do the first and the last screens, and those of guests who are not let in', {timeout: 180_000}, async (t) => {
  const home = await new Daemon(t, 'home', 'http:\n  listen: ["localhost:0"]\n').start();
  const found = [];
  const fine = looker(['Riverside Practice', 'Dr Lee', 'Patient', ...entered, ...days], found);
  const practitioner = await Person.arrive(t, {viewport: phone});
  await practitioner.page.goto(pseudo(home.launch));
  await practitioner.page.locator('input[type="password"]').waitFor();
  await fine(practitioner, 'set-up');
  const [practice, name] = [await said(practitioner, 'desk.set-up.practice'), await said(practitioner, 'desk.your-name')];
  await practitioner.page.getByLabel(practice).fill('Riverside Practice');
  await practitioner.page.getByLabel(name).fill('Dr Lee');
  await practitioner.page.locator('input[type="password"]').fill('012345678910'); // of the list of common ones
  await press(practitioner, 'desk.set-up');
  await practitioner.page.locator('.banner').waitFor();
  await fine(practitioner, 'set-up-refused');
  await practitioner.page.locator('input[type="password"]').fill('a long enough passphrase');
  await press(practitioner, 'desk.set-up');
  await practitioner.page.locator('.masthead-tools').waitFor();

  const appointment = async (starts, ...guests) =>
    JSON.parse(await home.cli('appointment', 'create', '--starts', starts, ...guests.flatMap((label) => ['--guest', label]), '--output', 'json')).guests.map(({url}) => pseudo(url));
  const later = new Date(Date.now() + 3 * 3600_000);
  const [early] = await appointment(later.toISOString().replace(/\.\d+/, ''), 'Patient');
  const patient = await Person.arrive(t, {viewport: phone});
  await patient.page.goto(early);
  await until('what is said to who is early', async () => patient.page.getByText(await said(patient, 'guest.early.title')).count());
  await fine(patient, 'early');

  const [first, second] = await appointment('now', 'Patient', 'Carer');
  const knock = async (link) => {
    await patient.page.goto(link);
    await until('the guest’s first screen', async () => patient.button(await said(patient, 'guest.start.continue')).count());
    await press(patient, 'guest.start.continue');
    await patient.page.locator('input[name="name"]').fill(guest);
    await press(patient, 'guest.join');
    await practitioner.page.locator('.guest-buttons').waitFor();
  };
  const over = async (code) => until(`what is said when ${code}`, async () => (await patient.page.title()).startsWith((await said(patient, code)).slice(0, 6)));
  await knock(first);
  await press(practitioner, 'desk.deny.who', {name: guest});
  await practitioner.page.locator('.toast-undo').waitFor();
  await fine(practitioner, 'undo');
  await over('guest.head.denied');
  await fine(patient, 'denied');
  await knock(second);
  await press(practitioner, 'desk.admit.who', {name: guest});
  await Promise.all([practitioner.hearsAndSees(), patient.hearsAndSees()]);
  await press(practitioner, 'desk.people');
  await practitioner.page.locator('.panel').waitFor();
  await fine(practitioner, 'people');
  await press(practitioner, 'desk.remove.name', {name: guest});
  await practitioner.page.locator('dialog').waitFor();
  await fine(practitioner, 'remove');
  await practitioner.page.locator('dialog').getByRole('button', {name: await said(practitioner, 'desk.remove'), exact: true}).click();
  await over('guest.head.other');
  await fine(patient, 'removed');
  await practitioner.page.keyboard.press('Escape');
  await press(practitioner, 'call.leave');
  await practitioner.page.locator('.masthead-tools').waitFor();
  await press(practitioner, 'desk.sign-out');
  await practitioner.page.locator('input[type="password"]').waitFor();
  await fine(practitioner, 'signed-out');
  assert.deepEqual(found, []);
});
