// The ways in which a practice can be reached, each with daemons of its own on
// the hosts of the bed.
import assert from 'node:assert/strict';
import {readFileSync, writeFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {Authority} from '../e2e/authority.mjs';
import {binary, Daemon, Person, Program, run, setUp, until} from '../e2e/harness.mjs';
import {browse} from './browser.mjs';
import {Seeker} from './seeker.mjs';

/** A node on a host; its own page is at the port, and others reach it at the next one. */
export class Node extends Daemon {
  #head;

  constructor(bed, host, name, port) {
    super(bed, name, '');
    this.host = host;
    this.port = port;
    this.url = `http://localhost:${port}`;
    this.#head = readFileSync(this.config, 'utf8');
  }

  /** Each argument is what stands below a key. Strings and lists are the same in JSON and YAML. */
  configure({http = {}, discovery = {}, ...rest}) {
    const any = ['/ip4/0.0.0.0', '/ip6/::'].flatMap((ip) => [`${ip}/udp/${this.port + 1}/quic-v1`, `${ip}/tcp/${this.port + 1}`]);
    const all = {http: {listen: [`localhost:${this.port}`], ...http}, discovery: {listen: any, ...discovery}, ...rest};
    writeFileSync(this.config, this.#head + Object.entries(all).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`).join(''));
    return this;
  }

  start() { return super.start(this.host.wrap()); }

  /** Its card; it need not be running. */
  async card() {
    const {code, stdout, stderr} = await run(this.host.wrap(binary, 'peer', 'card', '--config', this.config));
    assert.equal(code, 0, stderr);
    return stdout.trim();
  }

  async status() { return JSON.parse(await this.cli('status', '--output', 'json')).node; }
}

/** Makes what is asked for by these words once. */
function once(make) {
  const made = new Map();
  return (...words) => {
    const name = words.join('/');
    if (!made.has(name)) made.set(name, make(...words));
    return made.get(name);
  };
}

const sameLink = (link) => link;

export class Ways {
  #bed;
  #practitioners;
  #authority;

  /** practitioners returns the kinds of networks in which some modes have one. */
  constructor(bed, practitioners) {
    this.#bed = bed;
    this.#practitioners = practitioners;
    this.#authority = new Authority(bed);
  }

  host = once((role, kind) => this.#bed.host(`${role}-${kind}`, kind));

  /** The browser of a person in a kind of network. */
  browser = once((role, kind) => this.browserOn(this.host(role, kind)));

  /** A browser on another host of the bed. */
  browserOn(host) { return browse(this.#bed, host, this.#authority); }

  /** Somebody on a host of the bed who has no more than a link. */
  seek(t, host, link) { return new Seeker(t, host, link, this.#authority.certificate); }

  /**
   * The home node of the practitioner in a kind of network, and what makes of a
   * guest's link the one that a patient opens.
   */
  async by(mode, kind) {
    switch (mode) {
      case 'same origin':
        await this.#tunnel(kind);
        return {home: await this.#server(), open: sameLink};
      case 'front node':
        return {home: (await this.#front()).homes.get(kind), front: (await this.#front()).front, open: sameLink};
      case 'passthrough':
        return {home: (await this.#passed()).get(kind), open: sameLink};
      case 'own node':
        await this.#tunnel(kind);
        return {home: await this.#server(), open: through(this.#ownNode)};
      case 'own node, hidden home':
        return {home: (await this.#front()).homes.get(kind), open: through(this.#ownNodeOfHidden)};
    }
    throw new Error(mode);
  }

  /** A server of the practice. Its page is for its own computer, so practitioners come by SSH. */
  #server = once(async () => {
    const d = this.#node('server', 'public', 7600);
    d.configure({http: this.#publicPage(d, 'call.riverside.example'), discovery: {server: true}});
    await this.#open(d, 'server', 'public', 'Riverside Practice');
    await this.#forward(d.host, ['::', '22'], ['127.0.0.1', '7600']);
    return d;
  });

  #tunnel = once(async (kind) => {
    const {host: server} = await this.#server();
    const host = this.host('practitioner', kind);
    await this.#forward(host, ['127.0.0.1', '7600'], [server.addresses[host.addresses[4] ? 4 : 6], '22']);
  });

  /** The practitioner's computer is the home node; a server of the practice has the page. */
  #front = once(async () => {
    const d = this.#node('front', 'public', 7600);
    const http = this.#publicPage(d, 'front.riverside.example');
    d.configure({http, discovery: {server: true}});
    const practice = {nodes: [await d.card()], front_url: http.public_url};
    const homes = new Map(this.#practitioners('front node', 'own node, hidden home').map(
      (kind) => [kind, this.#node('practitioner', kind, 7610).configure({practice})]));
    const cards = await Promise.all([...homes.values()].map((home) => home.card()));
    d.configure({http, discovery: {server: true}, practice: {nodes: cards}});
    await d.start();
    await this.#openAll(homes);
    return {front: d, homes};
  });

  /** The practitioner's computer is the home node, and has the page; a server of others passes TLS to it. */
  #passed = once(async () => {
    const d = this.#node('passing', 'public', 7600);
    const http = this.#publicPage(d, 'hill.example');
    d.configure({http, discovery: {server: true}});
    const cards = [await d.card()];
    const homes = new Map();
    const names = [];
    const ids = [];
    for (const kind of this.#practitioners('passthrough')) {
      const home = this.#node('practitioner', kind, 7620);
      const name = `${kind.replaceAll(' ', '-')}.riverside.example`;
      const page = {...this.#publicPage(d, name), public_listen: []};
      home.configure({http: page, front: {pass_from: cards}, relay: {borrow_from: cards}});
      await home.start();
      const {peer_id: id} = await home.status();
      ids.push(id);
      names.push(`${name} ${id}`);
      homes.set(kind, home);
    }
    d.configure({http, discovery: {server: true}, front: {pass_to: names}, relay: {lend_to: ids}});
    await d.start();
    await this.#openAll(homes);
    return homes;
  });

  /** The patient's side has a node of its own, and a clinician is at its page. */
  #ownNode = once(async (kind) => {
    const d = this.#node('patient', kind, 7600);
    return d.configure({discovery: {peers: [await (await this.#server()).card()]}}).start();
  });

  /** It reaches the other home node through that one's front. */
  #ownNodeOfHidden = once(async (kind) => {
    const homes = [...(await this.#front()).homes.values()];
    for (const home of homes) {
      if (home.host.kind === 'public') continue;
      await until(`a circuit to ${home.name}`, async () => (await home.status()).addresses.some((a) => a.endsWith('/p2p-circuit')), 20_000);
    }
    const d = this.#node('patient', kind, 7610);
    return d.configure({discovery: {peers: await Promise.all(homes.map((home) => home.card()))}}).start();
  });

  #node(role, kind, port) { return new Node(this.#bed, this.host(role, kind), `${role}-${kind}-${port}`, port); }

  /** A page for patients under a name that leads to a node. */
  #publicPage({host}, name) {
    this.#bed.resolve(name, host);
    const {cert, key} = this.#authority.issue(name);
    return {public_url: `https://${name}`, redirect_listen: '', tls: {mode: 'files', cert_file: cert, key_file: key}};
  }

  /** Sets a practice up at its own computer. */
  async #open(d, role, kind, name) {
    if (!d.program) await d.start();
    const person = await Person.arrive(this.#bed, {browser: await this.browser(role, kind)});
    await setUp(person, d, name, 'Dr Lee');
    await person.context.close();
  }

  /** Does so for the practitioners', which have no relay of their own. */
  async #openAll(homes) {
    for (const [kind, home] of homes) await this.#open(home, 'practitioner', kind, `Riverside Practice, ${kind}`);
    await Promise.all([...homes.values()].map((home) => home.program.line('stderr', (l) => l.includes('relay lent'), 45_000)));
  }

  /** Makes a port of one host lead to another's. */
  async #forward(host, from, to) {
    const file = fileURLToPath(new URL('forward.mjs', import.meta.url));
    await new Program(this.#bed, host.wrap(process.execPath, file, ...from, ...to)).line('stdout', (l) => l === 'forwarding');
  }
}

const through = (ownNode) => async (link, patient) => (await ownNode(patient)).url + link.slice(link.indexOf('/j#'));
