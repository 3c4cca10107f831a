// Calls between all kinds of networks, in every way that a practice can be
// reached: which path each takes, compared with golden.json. The time to the
// first frame is printed beside it.
//
//   NET_ONLY='same origin/cone/'   only cells whose names begin so
//   NET_UPDATE=1                   writes what was found into golden.json
import assert from 'node:assert/strict';
import {readFileSync, writeFileSync} from 'node:fs';
import {after, before, test} from 'node:test';
import {fileURLToPath} from 'node:url';
import {binary, Daemon, Person, Program, run, setUp} from '../e2e/harness.mjs';
import {Bed, check} from './bed.mjs';
import {Authority, browse, watchFirstFrame, watchPath} from './browser.mjs';

const goldenFile = new URL('golden.json', import.meta.url);
const golden = JSON.parse(readFileSync(goldenFile, 'utf8'));
const only = process.env.NET_ONLY ?? '';
const connectTime = 15_000; // ICE has found a path by then, or will not
const settleTime = 5000; // and keeps it from then on
const slow = 3000; // ms to a frame, from which on the report says what took so long

let bed, authority;
const found = {}; // mode → practitioner's kind → patient's kind → {path, times}
before(() => {
  check('openssl', 'certutil');
  bed = new Bed();
  authority = new Authority(bed.dir);
});
after(async () => {
  report();
  await bed.close();
});

/** Makes what is asked for by name once. */
function once(make) {
  const made = new Map();
  return (...key) => {
    const name = key.join('/');
    if (!made.has(name)) made.set(name, make(...key));
    return made.get(name);
  };
}

const host = once((role, kind) => bed.host(`${role}-${kind}`, kind));
const browser = once((role, kind) => browse(bed, host(role, kind), authority));

// The daemons.

const p2p = `discovery:
  listen: ["/ip4/0.0.0.0/udp/7601/quic-v1", "/ip4/0.0.0.0/tcp/7601", "/ip6/::/udp/7601/quic-v1", "/ip6/::/tcp/7601"]
`;

function publicPages(name) {
  const {cert, key} = authority.issue(name);
  return `  public_url: "https://${name}"\n  redirect_listen: ""\n  tls: {mode: files, cert_file: ${JSON.stringify(cert)}, key_file: ${JSON.stringify(key)}}\n`;
}

/** A node on a host; its own page is at the port. */
class Node extends Daemon {
  constructor(on, name, port, yaml) {
    super(bed, name, '');
    this.host = on;
    this.url = `http://localhost:${port}`;
    this.#head = `${readFileSync(this.config, 'utf8')}http:\n  listen: ["localhost:${port}"]\n`;
    this.configure(yaml);
  }

  #head;

  /** The rest of its configuration, which begins with that of its pages. */
  configure(yaml) { writeFileSync(this.config, this.#head + yaml); }

  start() { return super.start(this.host.wrap()); }

  /** Its card; it need not be running. */
  async card() {
    const {code, stdout, stderr} = await run(this.host.wrap(binary, 'peer', 'card', '--config', this.config));
    assert.equal(code, 0, stderr);
    return stdout.trim();
  }
}

/** Makes a port of one host lead to another's. */
async function forward(on, from, to) {
  const p = new Program(bed, on.wrap(process.execPath, fileURLToPath(new URL('forward.mjs', import.meta.url)), ...from, ...to));
  await p.line('stdout', (l) => l === 'forwarding');
}

/** Sets a node's practice up, on its own computer. */
async function open(d, practice, kind) {
  await d.start();
  const person = await Person.arrive(bed, {browser: await browser('practitioner', kind)});
  await setUp(person, d, practice, 'Dr Lee');
  await person.context.close();
}

// The ways. Each returns the practitioner's node for their kind of network, and
// a function that makes of a guest's link what the patient opens.

/** A server of the practice; practitioners use its page from where they are, by SSH. */
const server = once(async () => {
  const d = new Node(host('server', 'public'), 'server', 7600, `${publicPages('call.riverside.example')}${p2p}  server: true\n`);
  bed.resolve('call.riverside.example', d.host);
  await d.start();
  const first = await Person.arrive(bed, {browser: await browser('server', 'public')});
  await setUp(first, d, 'Riverside Practice', 'Dr Lee');
  await first.context.close();
  await forward(d.host, ['::', '22'], ['127.0.0.1', '7600']);
  return d;
});
const tunnel = once(async (kind) => {
  const d = await server();
  const on = host('practitioner', kind);
  await forward(on, ['127.0.0.1', '7600'], [d.host.addresses[on.addresses[4] ? 4 : 6], '22']);
});

const ways = {
  'same origin': async (kind) => {
    await tunnel(kind);
    return {home: await server(), open: (link) => link};
  },

  // The practitioner's computer is the home node; a server of the practice has the page.
  'front node': async (kind) => ({home: (await front()).homes.get(kind), open: (link) => link}),

  // The patient's side has a node of its own, and a clinician is at its page.
  'own node': async (kind) => {
    await tunnel(kind);
    const home = await server();
    return {home, open: async (link, patient) => (await ownNode(patient)).url + link.slice(link.indexOf('/j#'))};
  },
};

const front = once(async () => {
  const name = 'front.riverside.example';
  const d = new Node(host('front', 'public'), 'front', 7600, '');
  bed.resolve(name, d.host);
  const yaml = `${publicPages(name)}${p2p}  server: true\n`;
  d.configure(yaml);
  const practice = `practice:\n  nodes: ${JSON.stringify([await d.card()])}\n  front_url: "https://${name}"\n`;
  const homes = new Map();
  for (const kind of practitioners('front node')) {
    homes.set(kind, new Node(host('practitioner', kind), `home-${kind}`, 7610, `${p2p}${practice}`));
  }
  const cards = await Promise.all([...homes.values()].map((h) => h.card()));
  d.configure(`${yaml}practice:\n  nodes: ${JSON.stringify(cards)}\n`);
  await d.start();
  for (const [kind, home] of homes) await open(home, `Riverside Practice, ${kind}`, kind);
  return {homes};
});

const ownNode = once(async (kind) => {
  const d = new Node(host('patient', kind), `own-${kind}`, 7620, `${p2p}  peers: ${JSON.stringify([await (await server()).card()])}\n`);
  await d.start();
  return d;
});

// The cells.

function practitioners(mode) {
  return Object.keys(golden[mode]).filter((kind) => patients(mode, kind).length > 0);
}
function patients(mode, kind) {
  return Object.keys(golden[mode][kind]).filter((patient) => `${mode}/${kind}/${patient}`.startsWith(only));
}

for (const mode of Object.keys(golden)) {
  if (practitioners(mode).length === 0) continue;
  test(mode, {timeout: 600_000}, async (t) => {
    for (const kind of practitioners(mode)) {
      const way = await ways[mode](kind);
      const doctor = await arrive(t, 'practitioner', kind);
      await doctor.practise((await way.home.cli('open', '--no-open')).trim());
      for (const patient of patients(mode, kind)) {
        await t.test(`${mode}/${kind}/${patient}`, {timeout: 60_000}, (cell) => call(cell, way, doctor, mode, kind, patient));
      }
      await doctor.context.close();
    }
  });
}

/** A person with a browser on a host of their kind. */
async function arrive(t, role, kind) {
  const p = await Person.arrive(t, {browser: await browser(role, kind)});
  await p.context.addInitScript(watchPath);
  return p;
}

async function call(t, {home, open}, doctor, mode, kind, patientKind) {
  const cell = ((found[mode] ??= {})[kind] ??= {})[patientKind] = {path: 'no knock', ms: []};
  const made = JSON.parse(await home.cli('appointment', 'create', '--label', `${kind} and ${patientKind}`, '--guest', 'Patient', '--output', 'json'));
  const patient = await arrive(t, 'patient', patientKind);
  try {
    await patient.knock(await open(made.guests[0].url, patientKind), 'Ana Pereira');
    await doctor.button('Admit Ana Pereira').waitFor();
    cell.path = 'none';
    await doctor.page.waitForTimeout(500); // patients wait longer than this
    for (const p of [doctor, patient]) await p.page.evaluate(watchFirstFrame);
    await doctor.button('Admit Ana Pereira').click();
    const both = [doctor, patient];
    const connected = await Promise.all(both.map((p) => p.hearsAndSees(1, connectTime).then(() => true, () => false)));
    const clicked = await doctor.page.evaluate(() => window.clicked);
    const wanted = golden[mode][kind][patientKind];
    if (connected.every(Boolean)) {
      cell.ms = await Promise.all(both.map(async (p) => Math.round(await p.page.evaluate(() => window.firstFrame) - clicked)));
      await settled(cell, doctor, patient, wanted);
    }
    if (cell.path !== wanted || Math.max(...cell.ms) > slow) {
      for (const p of both) t.diagnostic(`${p === doctor ? 'practitioner' : 'patient'}:\n${await p.page.evaluate((since) => window.connectionEvents(since), clicked)}`);
    }
    if (!process.env.NET_UPDATE) assert.equal(cell.path, wanted);
  } finally {
    await patient.context.close();
    await endCall(doctor);
  }
}

/** Finds the path: browsers take the first that works, and a better one soon after. */
async function settled(cell, doctor, patient, wanted) {
  for (const end = Date.now() + settleTime; ;) {
    cell.path = pathOf(...await Promise.all([doctor, patient].map((p) => p.page.evaluate(() => window.path()))));
    cell.first ??= cell.path;
    if (cell.path === wanted || Date.now() > end) break;
    await doctor.page.waitForTimeout(200);
  }
  const says = cell.path.startsWith('direct') ? /^Direct · encrypted/ : /^Relayed/;
  for (const p of [doctor, patient]) await p.page.getByText(says).first().waitFor();
}

/** In what way the media go; of a relay, how the practitioner and the patient reach it if they differ. */
function pathOf(doctor, patient) {
  const relayed = [doctor, patient].some((p) => p.local === 'relay' || p.remote === 'relay');
  const protocols = new Set([doctor.protocol, patient.protocol]);
  if (relayed) return `relay ${[...protocols].join('/')}`;
  return protocols.has('tcp') ? 'direct tcp' : 'direct';
}

/** Leaves the practitioner in front of an empty waiting room, whatever has become of the call. */
async function endCall(doctor) {
  const end = doctor.button('End for everyone');
  if (await end.isVisible()) await end.click();
  else await doctor.page.reload();
  await doctor.page.getByRole('heading', {name: 'Waiting room'}).waitFor();
  await doctor.button('Admit Ana Pereira').waitFor({state: 'detached'});
}

function report() {
  for (const [mode, rows] of Object.entries(found)) {
    console.log(`\n${mode}: path; ms to the first frame at the practitioner's and at the patient's`);
    for (const [kind, cells] of Object.entries(rows)) {
      for (const [patient, {path, first, ms}] of Object.entries(cells)) {
        console.log(`  ${kind.padEnd(12)} ${patient.padEnd(12)} ${path.padEnd(14)} ${ms ? ms.map((x) => String(x).padStart(5)).join(' ') : ''}${first === undefined || first === path ? '' : `, first ${first}`}`);
      }
    }
  }
  if (!process.env.NET_UPDATE) return;
  for (const [mode, rows] of Object.entries(found)) {
    for (const [kind, cells] of Object.entries(rows)) {
      for (const [patient, {path}] of Object.entries(cells)) golden[mode][kind][patient] = path;
    }
  }
  writeFileSync(goldenFile, `${JSON.stringify(golden, null, 2)}\n`);
}
