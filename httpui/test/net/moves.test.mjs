// Nodes that change networks or are started again while people talk, and pages
// that are loaded again.
import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';
import {Person, setUp, until} from '../e2e/harness.mjs';
import {Bed, check, run} from './bed.mjs';
import {watchGaps, watchPath, watchTruth} from './browser.mjs';
import {back, begin, lose, sameKind, silence, told} from './outage.mjs';
import {Node, Ways} from './ways.mjs';

const foundAgain = 10_000; // ms from a node's move until those who look for it get there
// To be within 5 s; what fails leaves room for a busy computer.
const signalled = 10_000; // ms from a gateway's start until its guests can be told things

let bed, ways, home, front, practitioner;
before(async () => {
  check('openssl', 'certutil');
  bed = new Bed();
  ways = new Ways(bed, () => ['cone']);
  ({home, front} = await ways.by('front node', 'cone'));
  practitioner = await arrive(bed, await ways.browser('practitioner', 'cone'));
  await practitioner.practise((await home.cli('open', '--no-open')).trim());
});
after(() => bed.close());

async function arrive(t, browser) {
  const p = await Person.arrive(t, {browser});
  await p.context.addInitScript(watchPath);
  return p;
}

const newPatient = async (t) => arrive(t, await ways.browser('patient', 'cone'));

async function links(node, ...guests) {
  const flags = guests.flatMap((g) => (g.startsWith('--') ? [g] : ['--guest', g]));
  const made = JSON.parse(await node.cli('appointment', 'create', ...flags, '--output', 'json'));
  return made.guests.map((g) => g.url);
}

/** What a node says of its way to its front since a moment. */
function steps(node, since) {
  const said = node.logs().split('\n').filter((l) => l.startsWith('{')).map((l) => JSON.parse(l)).map(({time, msg}) => ({at: Date.parse(time) - since, msg}));
  const of = (msg) => said.findLast((l) => l.at >= 0 && l.msg === msg)?.at;
  const [connected, taken] = [of('peer connected'), of('relay takes calls for this node')];
  return connected === undefined ? 'its connection went on' : `it was connected again after ${connected} ms, and had its place at the relay after ${taken} ms`;
}

test('the practitioner’s computer goes to another network', {timeout: 120_000}, async (t) => {
  const elsewhere = bed.host('elsewhere', 'cone');
  const [link, other] = await links(home, 'Patient', 'Carer');
  const [patient, carer] = [await newPatient(t), await newPatient(t)];
  await begin(t, practitioner, patient, link);
  const seeker = ways.seek(t, ways.host('patient', 'cone'), other);
  let since, loaded;
  const {says, whole, before, now} = await lose(t, practitioner, patient, {
    cut: () => {
      bed.move(home.host, elsewhere);
      since = Date.now();
      seeker.begin();
      loaded = carer.page.goto(other).then(() => Date.now() - since);
    },
    restore: () => {},
    ms: 0,
  });
  const ms = await seeker.found() - since;
  t.diagnostic(`the hidden node can be reached again after ${ms} ms; ${steps(home, since)}`);
  t.diagnostic(`a page of the front node is loaded after ${await loaded} ms`);
  await carer.ask('Ben Ito');
  await practitioner.button('Admit Ben Ito').waitFor();
  t.diagnostic(`a knock is heard after ${Date.now() - since} ms`);
  assert.ok(Math.max(...says) <= told, `told after ${says} ms`);
  assert.ok(whole <= back, `whole after ${whole} ms`);
  const path = () => patient.page.evaluate(() => window.path());
  t.diagnostic(`by ${before.local} before, ${now.local} at once, ${(await path()).local} in the end`);
  for (const p of [practitioner, patient]) {
    await until('what the page says is so', async () => (await p.page.getByText(/^Relayed by .* verified/).count() > 0) === ((await p.page.evaluate(() => window.path())).local === 'relay'));
  }
  await sameKind(patient, before);
  assert.ok(ms <= foundAgain, `reached after ${ms} ms`);
});

// A laptop that is carried has no network for a while, and tries in vain.
for (const transport of ['QUIC', 'TCP']) {
  test(`the practitioner’s computer comes back after a while, over ${transport}`, {timeout: 120_000}, async (t) => {
    const elsewhere = bed.host(`elsewhere ${transport}`, 'cone');
    const [link] = await links(home, 'Patient');
    const host = ways.host('patient', 'cone');
    if (transport === 'TCP') {
      t.after(bed.blockUDP(home.host, front.port + 1));
      const connected = () => run('ip', ['netns', 'exec', front.host.ns, 'ss', '-Htn', 'state', 'established', `sport = :${front.port + 1}`]) !== '';
      await until('a connection over TCP', connected, 30_000); // or it was one already
    }
    await (await ways.seek(t, host, link).begin()).found();
    const [early, late] = [ways.seek(t, host, link), ways.seek(t, host, link)];
    const left = Date.now();
    bed.unplug(home.host);
    await early.begin(); // while nobody answers
    await until('a while', () => Date.now() - left >= 15_000, 20_000);
    bed.move(home.host, elsewhere);
    const since = Date.now();
    await late.begin();
    const ms = (await Promise.all([early, late].map((s) => s.found()))).map((at) => at - since);
    t.diagnostic(`reached after ${ms.join(' and ')} ms by those who began before and after; ${steps(home, since)}`);
    assert.ok(Math.max(...ms) <= foundAgain, `reached after ${ms} ms`);
  });
}

test('the gateway is started again', {timeout: 120_000}, async (t) => {
  const [link] = await links(home, 'Patient');
  const patient = await newPatient(t);
  await begin(t, practitioner, patient, link);
  const both = [practitioner, patient];
  assert.notEqual((await patient.page.evaluate(() => window.path())).local, 'relay', 'what is relayed ends with the relay');
  for (const p of both) await p.page.evaluate(watchGaps);
  const banner = patient.page.locator('.banner').getByText('Reconnecting to the practice…');
  await front.program.stop('SIGKILL');
  const lost = Date.now();
  await banner.waitFor();
  const said = Date.now() - lost;
  await practitioner.page.waitForTimeout(Math.max(0, 3000 - (Date.now() - lost)));
  await front.start();
  const started = Date.now();
  await banner.waitFor({state: 'detached', timeout: 40_000});
  const again = Date.now() - started;
  const gaps = await Promise.all(both.map((p) => p.page.evaluate(() => window.longestGap)));
  t.diagnostic(`told after ${said} ms; signalling again ${again} ms after the start; longest time without a frame ${gaps.map(Math.round).join(' and ')} ms`);
  assert.ok(said <= told, `told after ${said} ms`);
  assert.ok(again <= signalled, `signalling again after ${again} ms`);
  assert.ok(Math.max(...gaps) > 100 && Math.max(...gaps) <= 2000, `no frame for ${gaps} ms`);
  await practitioner.page.waitForTimeout(1000); // their seat is theirs again
  await practitioner.button('End for everyone').click();
  await patient.page.getByText('You can close this page').waitFor();
});

test('the gateway is started again, and with it the relay of a call', {timeout: 120_000}, async (t) => {
  const [link] = await links(home, 'Patient', '--hide-addresses');
  const patient = await newPatient(t);
  await begin(t, practitioner, patient, link);
  const {says, whole, now} = await lose(t, practitioner, patient, {cut: () => front.program.stop('SIGKILL'), restore: () => front.start(), ms: 3000});
  assert.ok(Math.max(...says) <= told, `told after ${says} ms`);
  assert.ok(whole <= back, `whole after ${whole} ms`);
  assert.equal(now.local, 'relay');
});

test('a page is loaded again while its network is gone', {timeout: 120_000}, async (t) => {
  const [link] = await links(home, 'Patient');
  const patient = await newPatient(t);
  await begin(t, practitioner, patient, link);
  const keys = () => practitioner.page.evaluate(() => window.theirKeys());
  const [old] = (await keys()).slice(-1);
  await practitioner.page.evaluate(watchTruth);
  const restore = silence(ways.host('patient', 'cone').switch);
  const lost = Date.now();
  const loaded = patient.page.reload({timeout: 60_000});
  await practitioner.page.getByText(/Reconnecting/).first().waitFor();
  restore();
  const restored = Date.now();
  await loaded;
  await patient.button('Come back to your appointment').click();
  await Promise.all([practitioner.hearsAndSees(1, 30_000), patient.hearsAndSees(1, 30_000)]);
  for (const p of [practitioner, patient]) await p.page.getByText(/· encrypted · verified/).first().waitFor();
  t.diagnostic(`whole after ${Date.now() - restored} ms, most of it the patient’s way through the page`);

  const [now] = (await keys()).slice(-1);
  assert.ok(old && now && now !== old, 'the page came back with the same certificate');
  const events = (await practitioner.page.evaluate((since) => window.connectionEvents(since), lost)).split('\n').map((l) => l.match(/^(-?\d+) (\d+) (.*)/).slice(1));
  const n = events.at(-1)[1]; // the newest connection
  const last = (what, of) => Number(events.findLast(([, m, text]) => of(m) && text === what)?.[0]);
  const [closed, up, proved] = [last('closes', (m) => m !== n), last('connected', (m) => m === n), last('gets a proof', (m) => m === n)];
  const said = (await practitioner.page.evaluate(() => window.said)).map((s) => ({...s, at: s.at - lost}));
  t.diagnostic(`the old connection ended after ${closed} ms; the new one was up after ${up} ms and proved after ${proved} ms; ${
    said.map((s) => `${Math.round(s.at)}: ${s.verified ? 'verified' : 'not verified'}, ${s.shown} pictures`).join('; ')}`);
  assert.ok(closed < up && closed < proved, 'there was no new connection'); // that it is up is told separately
  const between = said.filter(({at}, i) => at < proved && (at > closed || said[i + 1].at >= proved)); // the last of these is what stood there when the proof came
  assert.ok(between.length > 0 && between.every((s) => !s.verified && s.shown === 0), 'something was shown, or called verified, before there was a proof');
  assert.ok(said.at(-1).verified && said.at(-1).shown === 1 && said.at(-1).at >= proved, 'not verified after the proof');
});

test('a node that has moved is found through the DHT alone', {timeout: 120_000}, async (t) => {
  const node = (name, discovery) => new Node(bed, bed.host(name), name, 7600).configure({discovery});
  const third = node('third', {server: true});
  await third.start();
  const bootstrap = [await third.card()];
  const mover = node('mover', {bootstrap});
  const seeker = node('seeker', {bootstrap});
  await Promise.all([mover.start(), seeker.start()]);
  const person = await arrive(t, await ways.browserOn(mover.host));
  await setUp(person, mover, 'Hill Clinic', 'Dr Okafor');
  const [link] = await links(mover, 'Patient');
  const published = async () => (await mover.status()).published;
  const all = 3; // records of one invite, in the middle of its hour
  await until('the records', async () => await published() >= all, 30_000);
  assert.equal((await mover.status()).peers, 1);
  const looking = ways.seek(t, seeker.host, seeker.url + link.slice(link.indexOf('/j#')));
  bed.renumber(mover.host);
  const since = Date.now();
  const ms = await (await looking.begin()).found() - since;
  t.diagnostic(`found where it is now after ${ms} ms`);
  assert.ok(ms <= foundAgain, `found after ${ms} ms`);
});
