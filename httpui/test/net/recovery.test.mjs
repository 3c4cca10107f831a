// What becomes of a call when the network goes away and comes back, and when it
// is bad: people are told, the call is there again, verified, by a path of the
// same kind, and sound goes on.
import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';
import {Authority} from '../e2e/authority.mjs';
import {Daemon, Person, setUp} from '../e2e/harness.mjs';
import {Bed, check, run} from './bed.mjs';
import {browse, sound, watchPath} from './browser.mjs';
import * as outage from './outage.mjs';
import {back, relayed, sameKind, told} from './outage.mjs';

const name = 'call.riverside.example';

let bed, node, practitioner, patientHost, newPatient;
before(async () => {
  check('openssl', 'certutil');
  bed = new Bed();
  const authority = new Authority(bed);
  const home = bed.host('practice', 'public');
  bed.resolve(name, home);
  const {cert, key} = authority.issue(name);
  node = new Daemon(bed, 'practice', `http:
  listen: ["localhost:7600"]
  public_url: "https://${name}"
  redirect_listen: ""
  tls: {mode: files, cert_file: ${JSON.stringify(cert)}, key_file: ${JSON.stringify(key)}}
discovery:
  listen: ["/ip4/0.0.0.0/tcp/7601"]
  server: true
`);
  node.url = 'http://localhost:7600';
  await node.start(home.wrap());
  patientHost = bed.host('patient', 'cone');
  practitioner = await Person.arrive(bed, {browser: await browse(bed, home, authority)});
  await practitioner.context.addInitScript(watchPath);
  await setUp(practitioner, node, 'Riverside Practice', 'Dr Lee');
  const patientBrowser = await browse(bed, patientHost, authority);
  newPatient = async (t) => {
    const p = await Person.arrive(t, {browser: patientBrowser});
    await p.context.addInitScript(watchPath);
    return p;
  };
});
after(() => bed.close());

/** A call that goes on. */
async function begin(t, ...flags) {
  const made = JSON.parse(await node.cli('appointment', 'create', '--guest', 'Patient', ...flags, '--output', 'json'));
  const patient = await newPatient(t);
  await outage.begin(t, practitioner, patient, made.guests[0].url);
  return patient;
}

const lose = (t, patient, how) => outage.lose(t, practitioner, patient, how);

let restore;
const silence = () => { restore = outage.silence(patientHost.switch); };

test('ten seconds without a network', {timeout: 120_000}, async (t) => {
  const patient = await begin(t);
  const {says, whole, before, now} = await lose(t, patient, {cut: silence, restore: () => restore(), ms: 10_000});
  assert.ok(Math.max(...says) <= told, `told after ${says} ms`);
  assert.ok(whole <= back, `whole after ${whole} ms`);
  assert.equal(relayed(now), relayed(before), 'the kind of path changed');
});

test('ten seconds without a network, behind the relay', {timeout: 120_000}, async (t) => {
  const patient = await begin(t, '--hide-addresses');
  const {says, whole, now} = await lose(t, patient, {cut: silence, restore: () => restore(), ms: 10_000});
  assert.ok(Math.max(...says) <= told, `told after ${says} ms`);
  assert.ok(whole <= back, `whole after ${whole} ms`);
  assert.equal(now.local, 'relay');
});

test('another address, as from Wi-Fi to mobile', {timeout: 120_000}, async (t) => {
  const patient = await begin(t);
  const host = patientHost.ns;
  const old = patientHost.addresses[4];
  const other = old.replace(/\.2$/, '.77');
  const change = (from, to) => run('ip', ['-n', host, '-batch', '-'], [
    `address del ${from}/24 dev eth0`, `address add ${to}/24 dev eth0`, `route replace default via ${old.replace(/\.2$/, '.1')}`, ''].join('\n'));
  const {says, whole, before} = await lose(t, patient, {cut: () => change(old, other), restore: () => {}, ms: 0});
  t.after(() => change(other, old));
  assert.ok(Math.max(...says) <= told || whole <= told, `told after ${says} ms`);
  assert.ok(whole <= back, `whole after ${whole} ms`);
  await sameKind(patient, before);
});

test('the node, and with it the relay, is started again', {timeout: 120_000}, async (t) => {
  const patient = await begin(t, '--hide-addresses');
  const home = bed.hosts[0];
  const {says, whole, now} = await lose(t, patient, {cut: () => node.program.stop('SIGKILL'), restore: () => node.start(home.wrap()), ms: 3000});
  assert.ok(Math.max(...says) <= told, `told after ${says} ms`);
  assert.ok(whole <= back, `whole after ${whole} ms`);
  assert.equal(now.local, 'relay');
});

test('the patient’s computer sleeps for ten seconds', {timeout: 120_000}, async (t) => {
  const patient = await begin(t);
  const pids = run('ip', ['netns', 'pids', patientHost.ns]).split('\n').filter(Boolean).map(Number);
  const signal = (s) => { for (const pid of pids) try { process.kill(pid, s); } catch { /* ended */ } };
  t.after(() => signal('SIGCONT'));
  signal('SIGSTOP');
  const asleep = Date.now();
  await practitioner.page.getByText(/Reconnecting/).first().waitFor({timeout: 5000});
  const says = Date.now() - asleep;
  await practitioner.page.waitForTimeout(10_000);
  signal('SIGCONT');
  const awake = Date.now();
  // What a browser shows is not looked at where it was stopped: one of some fifteen has no element that
  // begins to play after that, whatever it is given, and however many frames it decodes.
  await Promise.all([practitioner.hearsAndSees(1, 30_000), patient.receives(1, 30_000)]);
  const whole = Date.now() - awake;
  t.diagnostic(`told after ${says} ms; whole after ${whole} ms`);
  assert.ok(says <= told, `told after ${says} ms`);
  assert.ok(whole <= back, `whole after ${whole} ms`);
});

test('a weak line: sound goes on, the picture waits, and comes back', {timeout: 180_000}, async (t) => {
  const patient = await begin(t);
  const both = [practitioner, patient];
  const restore = await bed.shape('-delay', '20ms', '-loss', '0.03', '-rate', '0.1'); // 100 kbit/s each way
  t.after(restore);
  const since = Date.now();
  for (const p of both) await p.page.getByText(/only your sound is sent/).first().waitFor();
  t.diagnostic(`told after ${Date.now() - since} ms`);
  for (const p of both) await p.page.getByText(/^Picture paused/).first().waitFor();
  await practitioner.page.waitForTimeout(Math.max(0, 10_000 - (Date.now() - since))); // what was on its way has drained
  await Promise.all(both.map(async (p) => {
    const {rate, madeUp} = await sound(p, 10);
    t.diagnostic(`${p === practitioner ? 'practitioner' : 'patient'}: ${rate} packets of sound a second, ${(100 * madeUp).toFixed(0)} % of it made up`);
    assert.ok(rate > 40 && madeUp < 0.1, 'sound suffers');
  }));
  await restore();
  const restored = Date.now();
  for (const p of both) await p.page.locator('.banner').getByText(/only your sound is sent/).waitFor({state: 'detached', timeout: 90_000});
  await Promise.all(both.map((p) => p.hearsAndSees(1, 30_000)));
  t.diagnostic(`pictures again after ${Date.now() - restored} ms`);
});
