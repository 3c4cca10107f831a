// Whether patients can call, as the diary says it by itself: real daemons,
// broken and mended while they run.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {chmodSync, copyFileSync} from 'node:fs';
import {connect, createServer} from 'node:net';
import {join} from 'node:path';
import {describe, test} from 'node:test';
import {binary, Daemon, freePort, p2p, Person, run, setUp, temporary, until} from './harness.mjs';
import {fineEverywhere, sizes} from './looks.mjs';

/** The line that says whether patients can call, once it is as text says. */
const line = (person, text, timeout = 20_000) => person.page.getByRole('status', {name: 'Status', exact: true}).filter({hasText: text}).waitFor({timeout});

const words = (person) => person.page.getByRole('status', {name: 'Status', exact: true}).textContent();

/** What the card says of one check. */
const checkOf = (person, id) => person.page.locator(`[data-check="${id}"]`);

/** What the command line says: its exit code, and the report or the status. */
async function asked(d, command) {
  const {code, stdout} = await run([binary, command, '--output', 'json', '--config', d.config]);
  return {code, said: JSON.parse(stdout)};
}

/** Goes by keyboard alone to what is to be done, and returns which check has it. */
async function keyboardToFix(person) {
  await person.page.evaluate(() => document.activeElement?.blur());
  for (let n = 0; n < 30; n++) {
    await person.page.keyboard.press('Tab');
    if (await person.page.evaluate(() => document.activeElement?.classList.contains('jump'))) break;
  }
  await person.page.keyboard.press('Enter');
  return person.page.evaluate(() => {
    const at = document.activeElement;
    const {top, bottom} = at.getBoundingClientRect();
    return {check: at.dataset.check, text: at.innerText, seen: top >= 0 && bottom <= innerHeight};
  });
}

test('the line is there by itself, and does not speak too soon', {timeout: 90_000}, async (t) => {
  const gone = await new Daemon(t, 'gone', p2p).start();
  const card = (await gone.cli('peer', 'card')).trim();
  await gone.program.stop();
  const d = await new Daemon(t, 'local', `http:\n  listen: ["localhost:${await freePort()}"]\n${p2p}  peers: [${JSON.stringify(card)}]\n`).start();
  const practitioner = await Person.arrive(t);
  await setUp(practitioner, d, 'Riverside Practice', 'Dr Lee');
  // It gives the peer a while to come.
  assert.equal(await words(practitioner), 'Checking…');
  assert.deepEqual((await asked(d, 'status')).said.readiness, {state: 'checking', text: 'Checking…', todo: ''});
  await line(practitioner, /^Ready for calls on this computer$/);
  assert.deepEqual(await keyboardToFix(practitioner).then(({check, seen}) => ({check, seen})), {check: 'peers', seen: true});
  assert.match(await checkOf(practitioner, 'peers').innerText(), /Of 1 peers these are not connected: .*\n*Ask whether they run/);
  const {code, said} = await asked(d, 'doctor');
  assert.equal(code, 0, 'a warning is no failure');
  assert.equal(said.checks.find(({id}) => id === 'peers').status, 'warn');
});

/** A certificate for an address of this computer that is its own authority. */
function certificate(dir, name, address, days) {
  const file = (suffix) => join(dir, name + suffix);
  const openssl = (...args) => execFileSync('openssl', args, {stdio: 'pipe'});
  openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-subj', '/CN=test', '-addext', `subjectAltName=${address}`, '-keyout', file('.key'), '-out', file('.csr'));
  openssl('x509', '-req', '-in', file('.csr'), '-days', String(days), '-signkey', file('.key'), '-copy_extensions', 'copyall', '-out', file('.pem'));
  return {cert: file('.pem'), key: file('.key')};
}

/** A router that forwards a port, until it does not. */
class Router {
  constructor(t, from, to) {
    this.from = from;
    this.to = to;
    t.after(() => this.shut());
  }

  async open() {
    this.server = createServer((outside) => {
      const inside = connect(this.to, '127.0.0.1');
      for (const [a, b] of [[outside, inside], [inside, outside]]) a.pipe(b).on('error', () => a.destroy());
    });
    await new Promise((done) => this.server.listen(this.from, '127.0.0.1', done));
  }

  shut() { return new Promise((done) => { if (this.server?.listening) this.server.close(done); else done(); }); }
}

// These wait for minutes, most of it for nothing to do, so they wait together.
describe('broken and mended', {concurrency: true}, () => {
  test('what breaks on this computer is said with what to do, and green again when mended', {timeout: 180_000}, async (t) => {
    const d = await new Daemon(t, 'local', `http:\n  listen: ["localhost:${await freePort()}"]\n`).start();
    const practitioner = await Person.arrive(t);
    await setUp(practitioner, d, 'Riverside Practice', 'Dr Lee');
    await line(practitioner, /^Ready for calls on this computer$/);
    assert.equal(await practitioner.page.locator('.jump').count(), 0, 'there is nothing to do');
    await fineEverywhere(practitioner, 'ready');

    const key = join(d.data, 'store.key');
    chmodSync(key, 0o644);
    await line(practitioner, `Not ready: ${key} is open to other users (mode 0644).`, 60_000);
    for (const size of Object.values(sizes)) {
      await practitioner.page.setViewportSize(size);
      const fix = await keyboardToFix(practitioner);
      assert.deepEqual([fix.check, fix.seen], ['store', true]);
      assert.ok(fix.text.includes(`Run chmod 600 ${key}.`), fix.text);
    }
    await fineEverywhere(practitioner, 'not-ready');
    const failed = await asked(d, 'doctor');
    assert.equal(failed.code, 4);
    assert.deepEqual(failed.said.checks.filter(({status}) => status === 'fail').map(({id}) => id), ['store']);
    const {readiness} = (await asked(d, 'status')).said;
    assert.deepEqual([readiness.state, readiness.text, readiness.todo], ['not-ready', await words(practitioner), `Run chmod 600 ${key}.`]);

    chmodSync(key, 0o600);
    await line(practitioner, /^Ready for calls on this computer$/, 60_000);
    assert.equal((await asked(d, 'doctor')).code, 0);

    // Who does not want to wait asks, and the focus stays where it was.
    chmodSync(key, 0o640);
    await practitioner.button('Check now').click();
    await line(practitioner, 'Not ready: ', 5000);
    assert.ok(await practitioner.button('Check now').evaluate((b) => b === document.activeElement));
    assert.ok(!d.logs().includes(key), 'the log names what a finding names');
  });

  test('a certificate that has ended, and a port that nobody forwards, as a peer sees them', {timeout: 300_000}, async (t) => {
    const [port, inner, relay, peerPort] = [await freePort(), await freePort(), await freePort(), await freePort()];
    const address = '192.0.2.10'; // in the links only: the peer sees this node on loopback, and looks there
    const dir = temporary(t);
    const good = certificate(dir, 'good', `IP:${address}`, 30);
    const ended = certificate(dir, 'ended', `IP:${address}`, -1);
    const other = certificate(dir, 'other', 'DNS:other.test', 30);
    const use = ({cert, key}) => { copyFileSync(cert, join(dir, 'cert.pem')); copyFileSync(key, join(dir, 'cert.key')); };
    use(good);
    const router = new Router(t, port, inner);
    await router.open();
    const peer = new Daemon(t, 'peer', `http:\n  listen: ["localhost:${await freePort()}"]\ndiscovery:\n  listen: ["/ip4/127.0.0.1/tcp/${peerPort}"]\n  server: true\n  allow_private_addresses: true\n`);
    const trusting = ['/usr/bin/env', `SSL_CERT_FILE=${good.cert}`];
    await peer.start(trusting);
    const d = await new Daemon(t, 'home', `http:
  listen: ["localhost:${await freePort()}"]
  public_url: https://${address}:${port}
  public_listen: ["127.0.0.1:${inner}"]
  redirect_listen: ""
  tls:
    mode: files
    cert_file: ${join(dir, 'cert.pem')}
    key_file: ${join(dir, 'cert.key')}
relay:
  listen: ["127.0.0.1:${relay}"]
${p2p}  peers: [${JSON.stringify((await peer.cli('peer', 'card')).trim())}]
`).start();
    await peer.cli('peer', 'add', (await d.cli('peer', 'card')).trim());
    const practitioner = await Person.arrive(t);
    await setUp(practitioner, d, 'Riverside Practice', 'Dr Lee');
    // The peer may have come to know this node only after the first look.
    await line(practitioner, /^Ready for calls(, as far as this computer can see)?$/);
    await practitioner.button('Check now').click();
    await line(practitioner, /^Ready for calls$/);
    await until('the peer to have looked', async () => /reached the page/.test(await checkOf(practitioner, 'page').textContent().catch(() => '')));
    assert.equal((await asked(d, 'doctor')).code, 0);

    // Nothing tells that a router has forgotten a port, so somebody asks; that it is mended shows by itself.
    await router.shut();
    await practitioner.button('Check now').click();
    await line(practitioner, `Not ready: Nothing answers from the same network at port ${port} (TCP) of 127.0.0.1.`);
    assert.match(await checkOf(practitioner, 'page').innerText(), new RegExp(`Open port ${port} \\(TCP\\) in the firewall, and forward it to this computer in the router\\.`));
    assert.equal((await asked(d, 'doctor')).code, 4);
    await router.open();
    await line(practitioner, /^Ready for calls$/, 90_000);

    // One that has ended, or is for another name, is not taken: the one before goes on, with a warning.
    const refused = async (cert, why) => {
      use(cert);
      await until('the warning', async () => why.test(await checkOf(practitioner, 'certificate').innerText().catch(() => '')), 90_000);
      assert.equal(await words(practitioner), 'Ready for calls');
    };
    await refused(ended, /Renewing it failed: .*stays in use/);
    // A node that starts has none before.
    await d.program.stop();
    await d.start();
    await practitioner.practise((await d.cli('open', '--no-open')).trim());
    await line(practitioner, /^Not ready: The certificate ended on \d{4}-\d\d-\d\d\.$/, 90_000);
    assert.match(await checkOf(practitioner, 'certificate').innerText(), /Have the two files of http\.tls renewed\./);
    await fineEverywhere(practitioner, 'certificate');
    use(good);
    await line(practitioner, /^Ready for calls$/, 90_000);
    await refused(other, /Renewing it failed: .*\bis for other\.test, not for 192\.0\.2\.10\./);

    await peer.program.stop();
    await until('that the peer is missed', async () => /not connected/.test(await checkOf(practitioner, 'peers').innerText().catch(() => '')), 60_000);
    await line(practitioner, /^Ready for calls, as far as this computer can see$/, 60_000);
    assert.equal(await practitioner.page.locator('.readiness-warn').count(), 1, 'no call needs the peer, but nobody looks any more');
    assert.equal(await practitioner.page.locator('.jump').textContent(), '3 things to look at');
    assert.deepEqual(await asked(d, 'status').then(({said: {readiness: {state, text}}}) => [state, text]), ['unconfirmed', await words(practitioner)]);
    assert.equal((await asked(d, 'doctor')).code, 0);
    await fineEverywhere(practitioner, 'unconfirmed');
  });

  test('a public node that goes away is missed by itself, and so is its return', {timeout: 180_000}, async (t) => {
    const [frontPort, frontPeer] = [await freePort(), await freePort()];
    const front = new Daemon(t, 'front', `http:\n  listen: ["localhost:${frontPort}"]\ndiscovery:\n  listen: ["/ip4/127.0.0.1/tcp/${frontPeer}"]\n  server: true\n  allow_private_addresses: true\n`);
    await front.start();
    const d = await new Daemon(t, 'home', `http:\n  listen: ["localhost:${await freePort()}"]\npractice:\n  front_url: http://localhost:${frontPort}\n  nodes: [${JSON.stringify((await front.cli('peer', 'card')).trim())}]\n${p2p}`).start();
    const practitioner = await Person.arrive(t);
    await setUp(practitioner, d, 'Riverside Practice', 'Dr Lee');
    await line(practitioner, /^Ready for calls$/);
    await front.program.stop();
    await line(practitioner, `Not ready: Nothing answers at http://localhost:${frontPort}, at `, 60_000);
    assert.match(await checkOf(practitioner, 'page').innerText(), new RegExp(`See that the public node runs, and that its firewall lets port ${frontPort} \\(TCP\\) in\\.`));
    assert.match(await checkOf(practitioner, 'front').innerText(), /See that it runs, and that each has the other's peer card in practice\.nodes\./);
    assert.equal((await asked(d, 'doctor')).code, 4);
    await front.start();
    await line(practitioner, /^Ready for calls$/, 90_000);
    assert.equal((await asked(d, 'doctor')).code, 0);
    // A node that itself is gone is not ready, whatever was found last.
    await d.program.stop();
    await line(practitioner, /^Not connected$/);
  });
});
