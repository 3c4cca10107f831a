// What becomes of a call when nodes end, come back, or hardly know each other.
import assert from 'node:assert/strict';
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {Daemon, freePort, p2p, Person, setUp, until} from './harness.mjs';

/** A node whose practice is set up, in a process of its own. */
async function practice(t, name, {peers = [], bootstrap = [], extra = ''} = {}) {
  const port = await freePort();
  const list = (key, values) => (values.length ? `  ${key}: ${JSON.stringify(values)}\n` : '');
  const d = new Daemon(t, name, `http:\n  listen: ["localhost:${port}"]\n${p2p}${list('peers', peers)}${list('bootstrap', bootstrap)}${extra}`);
  d.url = `http://localhost:${port}`;
  await d.start();
  return d;
}

async function links(d, ...guests) {
  const made = JSON.parse(await d.cli('appointment', 'create', '--label', 'Follow-up', ...guests.flatMap((g) => ['--guest', g]), '--output', 'json'));
  return {id: made.id, links: made.guests.map((g) => g.url)};
}

const through = (gateway, link) => gateway.url + link.slice(link.indexOf('/j#'));

test('the gateway is killed in mid-call and frames go on', {timeout: 120_000}, async (t) => {
  const home = await practice(t, 'home');
  const gateway = await practice(t, 'gateway', {peers: [(await home.cli('peer', 'card')).trim()]});
  const practitioner = await Person.arrive(t);
  await setUp(practitioner, home, 'Riverside Practice', 'Dr Lee');
  const made = await links(home, 'Patient');
  const patient = await Person.arrive(t);
  await patient.knock(through(gateway, made.links[0]), 'Ana Pereira');
  await patient.page.getByText(`This page was served by ${new URL(gateway.url).host}.`).waitFor();
  await practitioner.button('Admit Ana Pereira').click();
  await Promise.all([practitioner.hearsAndSees(), patient.hearsAndSees()]);
  await gateway.program.stop('SIGKILL');
  await until('"reconnecting" on the page', () => patient.page.getByText(/reconnecting/i).first().isVisible());
  const before = await Promise.all([practitioner.stats(), patient.stats()]);
  await until('frames after the gateway ended', async () => {
    const now = await Promise.all([practitioner.stats(), patient.stats()]);
    return now.every((s, i) => s[0].state === 'connected' && s[0].video > before[i][0].video + 60 && s[0].audio > before[i][0].audio);
  });
  await gateway.start();
  await until('the signalling again', async () => !(await patient.page.getByText(/reconnecting/i).first().isVisible()), 30_000);
  await Promise.all([practitioner.hearsAndSees(), patient.hearsAndSees()]);
});

test('the home node is restarted in mid-call and the room is whole again', {timeout: 120_000}, async (t) => {
  const home = await practice(t, 'home');
  const practitioner = await Person.arrive(t);
  await setUp(practitioner, home, 'Riverside Practice', 'Dr Lee');
  const made = await links(home, 'Patient', 'Interpreter');
  const patient = await Person.arrive(t);
  await patient.knock(made.links[0], 'Ana Pereira');
  await practitioner.button('Admit Ana Pereira').click();
  await Promise.all([practitioner.hearsAndSees(), patient.hearsAndSees()]);
  const before = await patient.stats();
  await home.program.stop('SIGKILL');
  await until('"reconnecting" on the page', () => patient.page.getByText(/reconnecting/i).first().isVisible());
  await home.start();
  for (const p of [practitioner, patient]) {
    await until('the signalling again', async () => !(await p.page.getByText(/reconnecting/i).first().isVisible()), 30_000);
  }
  const after = await patient.stats();
  assert.ok(after[0].video > before[0].video, 'the same connection went on');
  // the room works: a third person comes in and meets both
  const interpreter = await Person.arrive(t);
  await interpreter.knock(made.links[1], 'Jo');
  await practitioner.button('Admit Jo').click();
  await Promise.all([practitioner.hearsAndSees(2), patient.hearsAndSees(2), interpreter.hearsAndSees(2)]);
});

test('home and gateway meet through a third node and the DHT alone', {timeout: 120_000}, async (t) => {
  const third = await practice(t, 'third');
  const card = (await third.cli('peer', 'card')).trim();
  const home = await practice(t, 'home', {bootstrap: [card]});
  const gateway = await practice(t, 'gateway', {bootstrap: [card]});
  const practitioner = await Person.arrive(t);
  await setUp(practitioner, home, 'Riverside Practice', 'Dr Lee');
  const made = await links(home, 'Patient');
  await until('three records held', async () => JSON.parse(await home.cli('status', '--output', 'json')).node.published >= 3, 60_000);
  const patient = await Person.arrive(t);
  await patient.knock(through(gateway, made.links[0]), 'Ana Pereira');
  await practitioner.button('Admit Ana Pereira').click();
  await Promise.all([practitioner.hearsAndSees(), patient.hearsAndSees()]);
});

test('a link of a practice that this node does not know', {timeout: 90_000}, async (t) => {
  const home = await practice(t, 'home');
  const stranger = await practice(t, 'stranger');
  const practitioner = await Person.arrive(t);
  await setUp(practitioner, home, 'Riverside Practice', 'Dr Lee');
  const made = await links(home, 'Patient');
  const guest = await Person.arrive(t);
  await guest.page.goto(through(stranger, made.links[0]));
  await guest.page.getByText('The practice cannot be reached right now.').waitFor();
  assert.equal(await guest.page.getByRole('button', {name: 'Continue', exact: true}).count(), 0);
  // Once the two know each other, the page that kept trying goes on by itself.
  await stranger.cli('peer', 'add', (await home.cli('peer', 'card')).trim());
  await guest.button('Continue').waitFor();
});

test('the same link in another practice’s page opens through its own node', {timeout: 90_000}, async (t) => {
  const home = await practice(t, 'home');
  const other = await practice(t, 'other', {peers: [(await home.cli('peer', 'card')).trim()]});
  const [practitioner, specialist] = await Promise.all([Person.arrive(t), Person.arrive(t)]);
  await setUp(practitioner, home, 'Riverside Practice', 'Dr Lee');
  await setUp(specialist, other, 'Hill Clinic', 'Dr Okafor');
  const made = await links(home, 'Specialist');
  await specialist.button('Join another practice’s appointment').click();
  const box = specialist.page.getByRole('textbox', {name: /link/i});
  await box.fill(made.links[0].slice(0, -3));
  await box.press('Enter');
  await specialist.page.getByText('This is not a whole link.').waitFor();
  await box.fill(made.links[0]);
  const opened = specialist.context.waitForEvent('page');
  await box.press('Enter');
  const page = await opened;
  await page.getByRole('heading', {name: 'Riverside Practice'}).waitFor();
  assert.equal(new URL(page.url()).origin, other.url);
  await page.getByRole('button', {name: 'Continue', exact: true}).waitFor();
});

test('a guest who is early is told when it opens, and who has a cancelled one that it is cancelled', {timeout: 60_000}, async (t) => {
  const home = await practice(t, 'home');
  const practitioner = await Person.arrive(t);
  await setUp(practitioner, home, 'Riverside Practice', 'Dr Lee');
  const starts = new Date(Date.now() + 3 * 3600_000);
  starts.setSeconds(0, 0);
  const made = JSON.parse(await home.cli('appointment', 'create', '--starts', starts.toISOString().replace('.000', ''), '--guest', 'Patient', '--output', 'json'));
  const guest = await Person.arrive(t);
  await guest.page.goto(made.guests[0].url);
  await guest.page.getByText('You are early').first().waitFor();
  assert.equal(await guest.page.getByRole('button', {name: 'Join', exact: true}).count(), 0);
  await home.cli('appointment', 'cancel', made.id);
  const late = await Person.arrive(t);
  await late.page.goto(made.guests[0].url);
  await late.page.getByText('This appointment has been cancelled.').first().waitFor();
});

test('a second device is turned away, and both sides are told', {timeout: 90_000}, async (t) => {
  const home = await practice(t, 'home');
  const practitioner = await Person.arrive(t);
  await setUp(practitioner, home, 'Riverside Practice', 'Dr Lee');
  const made = await links(home, 'Patient');
  const {patient} = {patient: await Person.arrive(t)};
  await patient.knock(made.links[0], 'Ana Pereira');
  const thief = await Person.arrive(t);
  await thief.page.goto(made.links[0]);
  await thief.button('Continue').click();
  await thief.page.getByRole('textbox', {name: 'Your name'}).fill('Mallory');
  await thief.button('Join').click();
  for (const p of [patient, practitioner, thief]) await p.page.getByText(/another device/i).first().waitFor();
  await practitioner.button('Admit Ana Pereira').click();
  await Promise.all([practitioner.hearsAndSees(), patient.hearsAndSees()]);
});

test('names, labels, secrets and addresses stay out of logs, URLs and files', {timeout: 90_000}, async (t) => {
  const canary = 'CANARY-Quetzal';
  const home = await practice(t, 'home');
  const gateway = await practice(t, 'gateway', {peers: [(await home.cli('peer', 'card')).trim()]});
  const practitioner = await Person.arrive(t);
  await setUp(practitioner, home, `${canary} Practice`, `Dr ${canary}`);
  const made = JSON.parse(await home.cli('appointment', 'create', '--label', `${canary} label`, '--guest', `${canary} guest`, '--output', 'json'));
  const link = made.guests[0].url;
  const patient = await Person.arrive(t);
  await patient.knock(through(gateway, link), `${canary} Ana`);
  await practitioner.button(`Admit ${canary} Ana`).click();
  await Promise.all([practitioner.hearsAndSees(), patient.hearsAndSees()]);
  const payload = link.slice(link.indexOf('#') + 1);
  await patient.button('Chat').click();
  await patient.page.getByRole('textbox', {name: /message/i}).fill(`${canary} chat`);
  await patient.page.keyboard.press('Enter');
  await practitioner.button('Chat').click();
  await practitioner.page.getByText(`${canary} chat`).first().waitFor();
  const told = (await Promise.all([practitioner, patient].map((p) => p.page.evaluate(() => window.localSecrets())))).flat();
  const loopback = (text) => ['127.0.0.1', '::1', '0.0.0.0'].includes(text);
  const media = [...new Set(told)].filter((text) => !loopback(text));
  assert.ok(media.length >= 4, `${media}`);
  const urls = [...practitioner.requests, ...patient.requests].map((u) => u.split('#')[0]);
  await patient.button('Leave').click();
  await home.program.stop();
  await gateway.program.stop();
  const key = Buffer.from(payload, 'base64url').subarray(1, 33).toString('latin1'); // as it is in memory
  const secrets = [canary, payload.slice(2, 30), payload.slice(30, 60), key, ...media];
  const places = new Map([['logs', home.logs() + gateway.logs()], ['urls', urls.join('\n')]]);
  for (const d of [home, gateway]) {
    for (const file of readdirSync(d.data, {recursive: true, withFileTypes: true}).filter((f) => f.isFile())) {
      places.set(`${d.name}/${file.name}`, readFileSync(join(file.parentPath, file.name), 'latin1'));
    }
  }
  assert.ok(places.size >= 6 && places.get('logs').length > 0);
  for (const [where, text] of places) {
    for (const secret of secrets) {
      for (const spelled of [secret, Buffer.from(secret, 'latin1').toString('hex'), Buffer.from(secret, 'latin1').toString('base64').slice(0, 12)]) {
        assert.ok(!text.includes(spelled), `${where} holds ${spelled}`);
      }
    }
  }
});
