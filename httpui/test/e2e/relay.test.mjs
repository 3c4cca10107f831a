// Calls whose browsers do not reach each other directly: through the relay, on
// each of its transports, and through a public node that passes TLS on.
import assert from 'node:assert/strict';
import {closeSync, openSync, readFileSync, readSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {Authority} from './authority.mjs';
import {FirefoxPerson} from './firefox.mjs';
import {Daemon, freePort, p2p, Person, setUp, until} from './harness.mjs';

/** A practice with a public page at https://name, on this computer. */
async function publicPractice(t, authority, name, {extra = '', front = ''} = {}) {
  const [port, relay, local] = [await freePort(), await freePort(), await freePort()];
  const d = new Daemon(t, name, `http:
  listen: ["localhost:${local}"]
  public_url: https://${name}:${port}
  public_listen: ["127.0.0.1:${port}"]
  redirect_listen: ""
${authority.tls(name)}relay:
  listen: ["127.0.0.1:${relay}"]
${p2p}${extra}${front}`);
  d.url = `https://${name}:${port}`;
  d.port = port;
  return d.start();
}

/** Runs in the page: leaves it only those relays that test accepts, as a network would. */
function keepRelays(source) {
  const Real = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Real {
    constructor(config) {
      super({...config, iceServers: config.iceServers.map((s) => ({...s, urls: s.urls.filter((u) => new RegExp(source).test(u))})).filter((s) => s.urls.length)});
      this.addEventListener('icecandidate', ({candidate}) => candidate?.candidate && (window.candidates ??= []).push(candidate.candidate));
    }
  };
}

const firefox = (person) => person instanceof FirefoxPerson;
const onlyRelays = (person, pattern) => firefox(person) ? person.page.evaluateOnNewDocument(keepRelays, pattern) : person.context.addInitScript(keepRelays, pattern);

const hiddenLink = async (d) => JSON.parse(await d.cli('appointment', 'create', '--hide-addresses', '--guest', 'Patient', '--output', 'json')).guests[0].url;

const udp = '^turn:.*=udp', tcp = '^turn:.*=tcp', overTLS = '^turns:';
for (const [transport, pattern, browsers = 'CC'] of [
  ['UDP', udp], ['TCP', tcp], ['TLS on the port of the page', overTLS],
  ['UDP, with Firefox', udp, 'CF'], ['TCP, with Firefox', tcp, 'CF'], ['TLS on the port of the page, with Firefox', overTLS, 'CF'],
  ['UDP, between two Firefoxes', udp, 'FF'],
]) {
  test(`addresses hidden behind the relay, over ${transport}`, {timeout: 120_000}, async (t) => {
    const authority = new Authority(t);
    const practice = await publicPractice(t, authority, 'practice.test');
    const [practitioner, patient] = await Promise.all([...browsers].map((b) =>
      b === 'F' ? FirefoxPerson.arrive(t, {authority: join(authority.dir, 'ca.pem'), names: ['practice.test']}) : authority.person(t)));
    await Promise.all([onlyRelays(practitioner, pattern), onlyRelays(patient, pattern)]);
    await (firefox(practitioner) ? practitioner.setUp(practice, 'Riverside Practice', 'Dr Lee') : setUp(practitioner, practice, 'Riverside Practice', 'Dr Lee'));
    await patient.knock(await hiddenLink(practice), 'Ana Pereira');
    await (firefox(practitioner) ? practitioner.press('Admit Ana Pereira') : practitioner.button('Admit Ana Pereira').click());
    await Promise.all([practitioner.hearsAndSees(), patient.hearsAndSees()]);
    for (const p of [practitioner, patient]) {
      const line = 'Relayed by practice.test, which cannot see or hear you · encrypted · verified';
      await (firefox(p) ? p.reads(line) : p.page.getByText(line).first().waitFor());
      const seen = await p.page.evaluate(() => window.candidates);
      assert.ok(seen.length > 0 && seen.every((c) => / typ relay /.test(c) && / (203\.0\.113\.\d+|2001:db8:\S+) /.test(c)), `not hidden: ${seen}`);
    }
  });
}

test('a guest tries the connection days before, and the practitioner sees how it went', {timeout: 120_000}, async (t) => {
  const authority = new Authority(t);
  const practice = await publicPractice(t, authority, 'practice.test');
  const practitioner = await authority.person(t);
  await setUp(practitioner, practice, 'Riverside Practice', 'Dr Lee');
  const starts = new Date(Math.ceil(Date.now() / 60_000) * 60_000 + 2 * 3600_000).toISOString().replace('.000', '');
  const made = JSON.parse(await practice.cli('appointment', 'create', '--starts', starts, '--guest', 'Patient', '--output', 'json'));
  for (const [only, page, diary] of [
    ['.', 'The connection works.', 'Connection tested: works'],
    ['^turns:', 'The connection works, by a detour', 'Connection tested: works through the relay'],
    ['^none', 'Your network does not let a call through', 'Connection tested: their network lets no call through'],
  ]) {
    const guest = await authority.person(t);
    await onlyRelays(guest, only);
    await guest.page.goto(made.guests[0].url);
    await guest.button('Check camera and microphone now').click();
    await guest.page.getByText(page).waitFor({timeout: 30_000});
    await practitioner.page.getByText(diary).waitFor();
    assert.equal(await practitioner.page.getByRole('button', {name: /^Admit/}).count(), 0, 'somebody knocked');
    await guest.context.close();
  }
});

test('an appointment can hide addresses only where there is a relay', {timeout: 60_000}, async (t) => {
  const port = await freePort();
  const d = await new Daemon(t, 'alone', `http:\n  listen: ["localhost:${port}"]\n`).start();
  const practitioner = await Person.arrive(t);
  await setUp(practitioner, d, 'Riverside Practice', 'Dr Lee');
  await assert.rejects(hiddenLink(d), /Addresses can only be hidden behind a relay, and this node has none/);
  await practitioner.button('New appointment').click();
  await practitioner.page.getByText('Who gets a link').waitFor();
  assert.equal(await practitioner.page.getByRole('checkbox', {name: /Hide addresses/}).count(), 0);
});

test('a node behind another is reached by TLS that the other cannot open', {timeout: 180_000}, async (t) => {
  const canary = 'CANARY-Quetzal';
  const authority = new Authority(t);
  // Each needs to know the other: the hidden node's id first, from a start of its own.
  const local = await freePort();
  const hidden = new Daemon(t, 'hidden', `http:\n  listen: ["localhost:${local}"]\n`);
  await hidden.start();
  const id = JSON.parse(await hidden.cli('status', '--output', 'json')).node.peer_id;
  await hidden.program.stop();
  const front = await publicPractice(t, authority, 'front.test', {front: `front:\n  pass_to: ["hidden.test ${id}"]\n`});
  writeFileSync(hidden.config, `data_dir: ${JSON.stringify(hidden.data)}
http:
  listen: ["localhost:${local}"]
  public_url: https://hidden.test:${front.port}
  public_listen: []
  redirect_listen: ""
${authority.tls('hidden.test')}discovery:
  allow_private_addresses: true
front:
  pass_from: [${JSON.stringify((await front.cli('peer', 'card')).trim())}]
`, {mode: 0o600});
  await hidden.start();
  const [practitioner, patient] = [await authority.person(t), await authority.person(t)];
  await setUp(practitioner, hidden, `${canary} Practice`, `Dr ${canary}`);
  const made = JSON.parse(await hidden.cli('appointment', 'create', '--guest', 'Patient', '--output', 'json'));
  assert.equal(new URL(made.guests[0].url).host, `hidden.test:${front.port}`);
  await until('a way to the hidden node', async () => {
    await patient.page.goto(made.guests[0].url).catch(() => {});
    return patient.button('Continue').waitFor({timeout: 3000}).then(() => true, () => false);
  }, 30_000);
  await patient.knock(made.guests[0].url, `${canary} Ana`);
  await practitioner.button(`Admit ${canary} Ana`).click();
  await Promise.all([practitioner.hearsAndSees(), patient.hearsAndSees()]);
  assert.match(await patient.page.evaluate(() => performance.getEntriesByType('navigation')[0].nextHopProtocol), /^h2$/);

  // What a request says is in the memory of the node that opens TLS, and of no other.
  const path = `/static/${canary}-asked-for`;
  for (let n = 0; n < 20; n++) await patient.page.evaluate((p) => fetch(p), path);
  assert.ok(remembers(hidden.program.child.pid, path), 'the search would not find it');
  for (const secret of [path, canary]) assert.ok(!remembers(front.program.child.pid, secret), `the public node's memory holds ${secret}`);
  assert.ok(!front.logs().includes(canary));
});

/** Whether a process has text in its memory, in bytes or in UTF-16. */
function remembers(pid, text) {
  const needles = [Buffer.from(text), Buffer.from(text, 'utf16le')];
  const mem = openSync(`/proc/${pid}/mem`, 'r');
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      const m = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line);
      if (!m) continue;
      let at = BigInt(`0x${m[1]}`);
      const end = BigInt(`0x${m[2]}`);
      const chunk = Buffer.alloc(4 << 20);
      for (; at < end; at += BigInt(chunk.length - 256)) {
        let n = 0;
        try {
          n = readSync(mem, chunk, 0, Number(end - at < BigInt(chunk.length) ? end - at : BigInt(chunk.length)), at);
        } catch {
          break; // reserved, and never touched
        }
        if (needles.some((needle) => chunk.subarray(0, n).includes(needle))) return true;
      }
    }
    return false;
  } finally {
    closeSync(mem);
  }
}
