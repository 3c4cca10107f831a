// A guest of our own making, who holds a link and behaves badly, against the
// browser of a practitioner.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {createSocket} from 'node:dgram';
import {once} from 'node:events';
import {readFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {createInterface} from 'node:readline';
import {test} from 'node:test';
import {chromium} from 'playwright-core';
import {demo, Person, root, until} from './harness.mjs';

const {offer} = JSON.parse(readFileSync(new URL('../page/fixtures/descriptions.json', import.meta.url)))['chromium-chromium'];

/** A guest whom the practitioner sees as Mallory. */
function badGuest(t, what) {
  const child = spawn(`${root}/bin/attack`, ['-guest'], {stdio: ['pipe', 'pipe', 'inherit']});
  child.stdin.write(JSON.stringify({offer, ...what}) + '\n');
  const heard = [];
  createInterface({input: child.stdout}).on('line', (line) => heard.push(line));
  t.after(async () => {
    child.stdin.end();
    if (child.exitCode === null) await once(child, 'exit');
  });
  return heard;
}

/** Runs in the page: counts the connections that it makes. */
function countConnections() {
  const Real = window.RTCPeerConnection;
  window.madeConnections = 0;
  window.RTCPeerConnection = class extends Real {
    constructor(...args) { super(...args); window.madeConnections++; }
  };
}

test('a guest who only waits costs the practitioner’s browser one connection at a time', {timeout: 90_000}, async (t) => {
  const d = await demo(t);
  const practitioner = await Person.arrive(t);
  await practitioner.context.addInitScript(countConnections);
  await practitioner.practise(d.practitioner);
  const made = () => practitioner.page.evaluate(() => window.madeConnections);
  const began = Date.now();
  badGuest(t, {link: d.link('home'), offers: true});
  await practitioner.button('Admit Mallory').waitFor();
  await until('ten connections, or ten seconds', async () => await made() >= 10 || Date.now() - began > 10_000, 15_000);
  const seconds = (Date.now() - began) / 1000;
  const count = await made();
  t.diagnostic(`${count} connections in ${seconds} s, of some ${Math.floor(20 * seconds)} offers`);
  assert.ok(count >= 1, 'no offer was prepared: the guest did nothing');
  assert.ok(count <= Math.ceil(seconds) + 1, `${count} connections in ${seconds} s`);
  // Somebody else comes in meanwhile as if there were no Mallory.
  const patient = await Person.arrive(t);
  await patient.knock(d.link('gateway'), 'Ana Pereira');
  await practitioner.button('Admit Ana Pereira').click();
  await Promise.all([practitioner.hearsAndSees(), patient.hearsAndSees()]);
});

test('an admitted guest does not make the practitioner’s browser knock on its own computer', {timeout: 90_000}, async (t) => {
  // As people have it: these tests otherwise let a browser use loopback addresses itself.
  const browser = await chromium.launch({executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream']});
  t.after(() => browser.close());
  const knocks = [];
  const tcp = createServer((socket) => { knocks.push('tcp'); socket.on('error', () => {}).destroy(); });
  await once(tcp.listen(0, '127.0.0.1'), 'listening');
  const udp = createSocket('udp4', () => knocks.push('udp'));
  await new Promise((done) => { udp.bind(0, '127.0.0.1', done); });
  t.after(() => { tcp.close(); udp.close(); });
  const [tcpPort, udpPort] = [tcp.address().port, udp.address().port];

  const d = await demo(t);
  const practitioner = await Person.arrive(t, {browser});
  await practitioner.practise(d.practitioner);
  const heard = badGuest(t, {link: d.link('home'), candidates: [
    `candidate:1 1 udp 2122260223 127.0.0.1 ${udpPort} typ host`,
    `candidate:2 1 tcp 1518280447 127.0.0.1 ${tcpPort} typ host tcptype passive`,
    `candidate:3 1 udp 2122260222 127.1.2.3 ${udpPort} typ host`,
    `candidate:4 1 udp 1686052607 127.0.0.1 ${udpPort} typ srflx raddr 0.0.0.0 rport 0`,
    `candidate:5 1 udp 41885439 127.0.0.1 ${udpPort} typ relay raddr 0.0.0.0 rport 0`,
    `candidate:6 1 udp 2122260221 ::ffff:127.0.0.1 ${udpPort} typ host`,
    `candidate:7 1 udp 2122260220 ::1 ${udpPort} typ host`,
    `candidate:8 1 udp 2122260219 0.0.0.0 ${udpPort} typ host`,
    `candidate:9 1 tcp 1518280446 0.0.0.0 ${tcpPort} typ host tcptype passive`,
  ]});
  await practitioner.button('Admit Mallory').click();
  await until('the admission', () => heard.includes('admitted'));
  // Browsers check candidates within a second or two, and give up after fifteen.
  await practitioner.page.waitForTimeout(8000);
  assert.deepEqual(knocks, []);
});
