// Whom the programs talk to, as the kernel sees it: every address that a
// daemon connects or sends to in a start, a while of idling and a call is on
// this test's own list. The browsers' requests are on it, too.
import assert from 'node:assert/strict';
import {existsSync, readFileSync} from 'node:fs';
import {networkInterfaces} from 'node:os';
import {join} from 'node:path';
import {test} from 'node:test';
import {Daemon, freePort, p2p, Person, setUp, temporary} from './harness.mjs';

const strace = ['/usr/bin/strace', '-D', '-f', '-qq', '-e', 'trace=connect,sendto,sendmsg,sendmmsg', '-e', 'signal=none', '-s', '0'];

/** Every IP address and port in a trace, other than those of replies on accepted sockets. */
function destinations(file) {
  const found = new Set();
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    for (const m of line.matchAll(/sin6?_port=htons\((\d+)\).*?(?:inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)")/g)) {
      found.add(`${m[2] ?? m[3]} ${m[1]}`);
    }
  }
  return found;
}

async function traced(t, name, yaml) {
  const trace = join(temporary(t), 'trace');
  const d = new Daemon(t, name, yaml);
  await d.start([...strace, '-o', trace]);
  return {d, trace};
}

test('processes talk to each other and to nobody else', {timeout: 180_000}, async (t) => {
  assert.ok(existsSync(strace[0]), 'strace is missing: run "make test"');
  const ports = [await freePort(), await freePort(), await freePort(), await freePort(), await freePort()];
  const [homeUI, gatewayUI, homeTCP, gatewayTCP, quietUI] = ports;
  const listen = (tcp) => `discovery:\n  listen: ["/ip4/127.0.0.1/tcp/${tcp}", "/ip4/127.0.0.1/udp/${tcp}/quic-v1"]\n  server: true\n  allow_private_addresses: true\n`;
  const home = await traced(t, 'home', `http:\n  listen: ["localhost:${homeUI}"]\n${listen(homeTCP)}`);
  const card = (await home.d.cli('peer', 'card')).trim();
  const gateway = await traced(t, 'gateway', `http:\n  listen: ["localhost:${gatewayUI}"]\n${listen(gatewayTCP)}  peers: [${JSON.stringify(card)}]\n`);
  const quiet = await traced(t, 'quiet', `http:\n  listen: ["localhost:${quietUI}"]\n`);
  const practitioner = await Person.arrive(t);
  await setUp(practitioner, home.d, 'Riverside Practice', 'Dr Lee');
  const made = JSON.parse(await home.d.cli('appointment', 'create', '--guest', 'Patient', '--output', 'json'));
  const patient = await Person.arrive(t);
  const link = `http://localhost:${gatewayUI}${made.guests[0].url.slice(made.guests[0].url.indexOf('/j#'))}`;
  await patient.knock(link, 'Ana Pereira');
  await practitioner.button('Admit Ana Pereira').click();
  await Promise.all([practitioner.hearsAndSees(), patient.hearsAndSees()]);
  await patient.button('Leave').click();
  await practitioner.button('End for everyone').click();
  await practitioner.button('Test call').click(); // whose echo is a process of its own
  await practitioner.button('Admit Echo').click();
  await practitioner.hearsAndSees();
  await practitioner.button('End for everyone').click();
  await practitioner.page.waitForTimeout(10_000); // nothing is asked of anybody, who is there or not
  for (const {d} of [home, gateway, quiet]) await d.program.stop();

  const talked = [...destinations(home.trace), ...destinations(gateway.trace)];
  assert.ok(talked.some((a) => a === `127.0.0.1 ${homeTCP}`), 'the gateway was not seen to dial the home node: the trace sees nothing');
  const own = Object.values(networkInterfaces()).flat().map((i) => i.address);
  for (const address of talked) {
    const [ip, port] = address.split(' ');
    // Ports that the system chose are the browsers', and those of the echo's call, which may take any address of this computer.
    const browsers = Number(port) >= 32_768 && own.includes(ip);
    const ours = [homeUI, gatewayUI, homeTCP, gatewayTCP].includes(Number(port)) && ['127.0.0.1', '::1'].includes(ip);
    assert.ok(ours || browsers, `a node talked to ${address}`);
  }
  assert.deepEqual([...destinations(quiet.trace)], [], 'a node with an empty configuration talked to somebody');
  for (const url of [...practitioner.requests, ...patient.requests]) {
    assert.ok([homeUI, gatewayUI].includes(Number(new URL(url).port)) || /^(blob|data|about):/.test(url), `a browser asked for ${url}`);
  }
});
