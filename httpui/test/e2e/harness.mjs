// Real daemons and real browsers, driven as their users drive them. Every
// person has a browser process of their own.
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdirSync, mkdtempSync, rmSync, writeFileSync, existsSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {createServer} from 'node:net';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {chromium} from 'playwright-core';

const here = fileURLToPath(new URL('.', import.meta.url));
export const root = resolve(here, '../../..');
export const binary = process.env.E2E_BINARY ?? join(root, 'bin/anteroom');
export const out = process.env.E2E_OUT ?? join(root, 'out');
const chromiumPath = process.env.CHROMIUM ?? '/usr/bin/chromium';

for (const needed of [binary, chromiumPath]) {
  if (!existsSync(needed)) throw new Error(`${needed} is missing: run "make test"`);
}

const chromiumFlags = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required', '--allow-loopback-in-peer-connection',
];

/** A running program: its output is kept, and it ends with the test. */
export class Program {
  lines = [];
  #waiting = new Set();

  constructor(t, args, {env = {}, cwd} = {}) {
    this.child = spawn(args[0], args.slice(1), {env: {...process.env, ...env}, cwd, stdio: ['ignore', 'pipe', 'pipe']});
    this.exited = once(this.child, 'exit').then(([code, signal]) => ({code, signal}));
    for (const [name, stream] of [['stdout', this.child.stdout], ['stderr', this.child.stderr]]) {
      createInterface({input: stream}).on('line', (text) => {
        this.lines.push({name, text});
        for (const w of this.#waiting) w();
      });
    }
    t.after(() => this.stop());
  }

  /** The first line of a stream that test accepts. */
  async line(name, test, ms = 20_000) {
    let seen = 0;
    const find = () => {
      for (; seen < this.lines.length; seen++) {
        const l = this.lines[seen];
        if (l.name === name && test(l.text)) return l.text;
      }
      return undefined;
    };
    return within(ms, `a line on ${name} of ${this.child.spawnargs.join(' ')}`, () => new Promise((done, fail) => {
      const check = () => {
        const text = find();
        if (text !== undefined) { this.#waiting.delete(check); done(text); }
      };
      this.exited.then(({code, signal}) => fail(new Error(`ended with ${code ?? signal}:\n${this.output()}`)));
      this.#waiting.add(check);
      check();
    }));
  }

  output() { return this.lines.map((l) => l.text).join('\n'); }

  async stop(signal = 'SIGTERM') {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill(signal);
      const killer = setTimeout(() => this.child.kill('SIGKILL'), 15_000);
      await this.exited;
      clearTimeout(killer);
    }
  }
}

/** Fails with what was being waited for. */
export async function within(ms, what, run) {
  let timer;
  const late = new Promise((_, fail) => { timer = setTimeout(() => fail(new Error(`no ${what} within ${ms} ms`)), ms); });
  try {
    return await Promise.race([run(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks until ask returns something true. */
export async function until(what, ask, ms = 15_000) {
  const end = Date.now() + ms;
  for (;;) {
    const got = await ask();
    if (got) return got;
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((r) => setTimeout(r, 50));
  }
}

/** A directory of the test's own. */
export function temporary(t) {
  const dir = mkdtempSync(join(tmpdir(), 'anteroom-e2e-'));
  t.after(() => rmSync(dir, {recursive: true, force: true}));
  return dir;
}

/** `anteroom demo`: three nodes, one appointment that is open now. */
export async function demo(t, {env = {}} = {}) {
  const program = new Program(t, [binary, 'demo', '--output', 'json'], {env});
  const info = JSON.parse(await program.line('stdout', (l) => l.startsWith('{')));
  const link = (via) => info.guest_links.find((l) => l.via === via).url;
  return {program, info, link, practitioner: info.practitioner_url};
}

/** One node in a process of its own. */
export class Daemon {
  constructor(t, name, yaml) {
    this.t = t;
    this.dir = temporary(t);
    this.config = join(this.dir, 'config.yaml');
    this.name = name;
    writeFileSync(this.config, `data_dir: ${JSON.stringify(join(this.dir, 'data'))}\nlog:\n  level: debug\n  format: json\n${yaml}`, {mode: 0o600});
  }

  get data() { return join(this.dir, 'data'); }

  async start(wrap = []) {
    this.program = new Program(this.t, [...wrap, binary, 'serve', '--config', this.config], {env: {DISPLAY: '', BROWSER: 'true', JOURNAL_STREAM: '', NOTIFY_SOCKET: '', INVOCATION_ID: ''}});
    (this.programs ??= []).push(this.program);
    this.launch = await this.program.line('stderr', (l) => /https?:\/\/\S+/.test(l)).then((l) => l.match(/https?:\/\/[^\s"]+/)[0]);
    return this;
  }

  /** Runs a command of the CLI against this daemon and returns its stdout. */
  async cli(...args) {
    const {code, stdout, stderr} = await run([binary, ...args, '--config', this.config]);
    if (code !== 0) throw new Error(`anteroom ${args.join(' ')}: exit ${code}: ${stderr}`);
    return stdout;
  }

  logs() { return (this.programs ?? []).map((p) => p.output()).join('\n'); }
}

/** Runs a program to its end. */
export async function run(args, {env = {}, cwd} = {}) {
  const child = spawn(args[0], args.slice(1), {env: {...process.env, ...env}, cwd, stdio: ['ignore', 'pipe', 'pipe']});
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (d) => { stdout += d; });
  child.stderr.on('data', (d) => { stderr += d; });
  const [code] = await once(child, 'close'); // at its exit the last of what it said may still be on its way
  return {code, stdout, stderr};
}

/** Runs in the page before anything else: lets the test see its connections. */
export function watchConnections() {
  const all = [];
  const Real = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Real {
    constructor(...args) { super(...args); all.push(this); }
  };
  window.liveStats = async () => {
    const result = [];
    for (const [id, pc] of all.entries()) {
      if (pc.connectionState === 'closed') continue;
      const stats = {id, state: pc.connectionState, video: 0, audio: 0, sent: 0};
      // Firefox never answers for a connection that closes meanwhile.
      const report = await Promise.race([pc.getStats(), new Promise((none) => setTimeout(none, 1000, new Map()))]);
      for (const r of report.values()) {
        if (r.type === 'inbound-rtp' && r.kind === 'video') stats.video += r.framesDecoded ?? 0;
        if (r.type === 'inbound-rtp' && r.kind === 'audio') stats.audio += r.packetsReceived ?? 0; // samples include those that are made up
        if (r.type === 'outbound-rtp') stats.sent += r.packetsSent ?? 0;
        if (r.type === 'transport') {
          const pair = report.get(r.selectedCandidatePairId);
          const ends = [report.get(pair?.localCandidateId), report.get(pair?.remoteCandidateId)].map((c) => c?.candidateType);
          Object.assign(stats, {srtp: r.srtpCipher, dtls: r.dtlsCipher, tls: r.tlsVersion, ends});
        }
      }
      result.push(stats);
    }
    return result;
  };
  /** A connection has an answer with all its candidates, whether or not it was sent. */
  window.answered = () => all.some((pc) => pc.connectionState !== 'closed' && pc.remoteDescription && pc.signalingState === 'stable' && pc.iceGatheringState === 'complete');
  /** What this side told of itself: the ICE user fragments, and the addresses of its candidates. */
  window.localSecrets = () => all.flatMap(({localDescription: d}) => [...(d?.sdp ?? '').matchAll(/^a=(?:ice-ufrag|ice-pwd):(\S+)|^a=candidate:\S+ \d \S+ \d+ (\S+)/gm)].map((m) => m[1] ?? m[2]));
  window.restartedPictures = 0; // a picture that begins again flickers, and its sound stops
  document.addEventListener('emptied', ({target}) => { if (target.dataset.participant) window.restartedPictures++; }, true);
  window.userMediaCalls = 0;
  const md = navigator.mediaDevices;
  if (md) {
    const get = md.getUserMedia.bind(md);
    md.getUserMedia = async (...args) => {
      window.userMediaCalls++;
      const stream = await get(...args);
      (window.openTracks ??= []).push(...stream.getTracks());
      return stream;
    };
  }
}

/** A person with a browser of their own. */
export class Person {
  static async arrive(t, {viewport = {width: 1280, height: 800}, colorScheme = 'light', browser, env, flags = []} = {}) {
    const p = new Person();
    p.browser = browser ?? await chromium.launch({executablePath: chromiumPath, args: [...chromiumFlags, ...flags], env});
    if (!browser) t.after(() => p.browser.close());
    p.context = await p.browser.newContext({viewport, colorScheme, locale: 'en-GB', permissions: ['camera', 'microphone', 'clipboard-read', 'clipboard-write']});
    await p.context.addInitScript(watchConnections);
    return p.#begin(t, await p.context.newPage());
  }

  /** A person whose browser writes to a disk, as everybody's does. */
  static async withProfile(t, {preferences = {}, viewport = {width: 390, height: 844}} = {}) {
    const p = new Person();
    p.profile = temporary(t);
    mkdirSync(join(p.profile, 'Default'), {recursive: true});
    writeFileSync(join(p.profile, 'Default', 'Preferences'), JSON.stringify(preferences));
    p.context = await chromium.launchPersistentContext(p.profile, {
      executablePath: chromiumPath, args: chromiumFlags, viewport, locale: 'en-GB', permissions: ['camera', 'microphone', 'clipboard-read', 'clipboard-write'],
    });
    t.after(() => p.context.close());
    await p.context.addInitScript(watchConnections);
    return p.#begin(t, p.context.pages()[0] ?? await p.context.newPage());
  }

  #begin(t, page) {
    const p = this;
    p.page = page;
    p.page.setDefaultTimeout(20_000);
    p.console = [];
    p.requests = [];
    p.page.on('console', (m) => p.console.push(`${m.type()}: ${m.text()}`));
    p.page.on('pageerror', (e) => p.console.push(`pageerror: ${e.stack}`));
    p.page.on('request', (r) => p.requests.push(r.url()));
    p.page.on('websocket', (w) => p.requests.push(w.url()));
    t.after(async () => {
      if (t.passed === false || process.exitCode) {
        mkdirSync(out, {recursive: true});
        const name = t.name.replace(/\W+/g, '-');
        await p.page.screenshot({path: join(out, `failed-${name}-${p.page.url().includes('/j') ? 'guest' : 'host'}.png`)}).catch(() => {});
        console.error(`${name}:\n${p.console.join('\n')}`);
      }
    });
    return p;
  }

  button(name) { return this.page.getByRole('button', {name, exact: true}); } // a RegExp is one all the same

  /** The practitioner signs in by the launch link. */
  async practise(url) {
    await this.page.goto(url);
    await this.page.getByRole('heading', {name: 'Waiting room'}).waitFor();
  }

  /** A guest opens a link and goes as far as the waiting room. */
  async knock(link, name) {
    await this.page.goto(link);
    await this.ask(name);
  }

  /** A guest who has opened a link does. */
  async ask(name) {
    await this.button('Continue').click();
    await this.page.getByRole('textbox', {name: 'Your name'}).fill(name);
    await this.button('Join').click();
    await this.page.getByRole('status').filter({hasText: 'Waiting for'}).waitFor();
  }

  stats() { return this.page.evaluate(() => window.liveStats()); }

  /** Sound and picture arrive, from so many people, and go on arriving by the same connections. */
  receives(others = 1, ms = 20_000) {
    let before = [];
    return until(`${others} picture(s) and sound, and more`, async () => {
      const now = (await this.stats()).filter((s) => s.state === 'connected' && s.video > 0 && s.audio > 0);
      if (now.length !== others) return false;
      if (now.some((s, i) => s.id !== before[i]?.id)) before = now;
      return now.every((s, i) => s.video > before[i].video + 5 && s.audio > before[i].audio);
    }, ms);
  }

  /** They arrive, and are shown. */
  async hearsAndSees(others = 1, ms = 20_000) {
    await this.receives(others, ms);
    await until('pictures on the page', () => this.page.evaluate((n) => {
      const shown = [...document.querySelectorAll('video[data-participant]')].filter((v) => v.videoWidth > 0 && !v.paused && v.checkVisibility());
      return shown.length === n;
    }, others));
  }

  shot(name, options = {}) {
    mkdirSync(out, {recursive: true});
    return this.page.screenshot({path: join(out, `${name}.png`), ...options});
  }
}

/** Opens a call between the practitioner and one guest, and returns both. */
export async function call(t, practitionerURL, link, name = 'Ana Pereira') {
  const [practitioner, patient] = await Promise.all([Person.arrive(t), Person.arrive(t)]);
  await practitioner.practise(practitionerURL);
  await patient.knock(link, name);
  await practitioner.button(`Admit ${name}`).click();
  await Promise.all([practitioner.hearsAndSees(), patient.hearsAndSees()]);
  return {practitioner, patient};
}

/** Configuration of a node that others on this computer can reach. */
export const p2p = 'discovery:\n  listen: ["/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"]\n  server: true\n  allow_private_addresses: true\n';

let port = 20_000 + (process.pid % 1000) * 10; // below those that the system gives to clients

/** A port that nobody listens on just now, and none that was given before. */
export async function freePort() {
  for (;;) {
    const mine = port = port >= 32_000 ? 20_000 : port + 1; // tests that run together each get another
    const s = createServer().listen(mine, '127.0.0.1');
    const free = await new Promise((done) => s.once('listening', () => done(true)).once('error', () => done(false)));
    if (!free) continue;
    await new Promise((done) => s.close(done));
    return mine;
  }
}

/** Goes through the first run on the page. */
export async function setUp(person, d, practiceName, name) {
  await person.page.goto(d.launch);
  await person.page.getByRole('textbox', {name: /practice/i}).fill(practiceName);
  await person.page.getByRole('textbox', {name: 'Your name'}).fill(name);
  await person.page.getByLabel(/^Password/).first().fill('a long enough passphrase');
  await person.page.getByRole('button', {name: /set up|start|continue|create/i}).first().click();
  await person.page.getByRole('heading', {name: practiceName}).waitFor();
}

/** Marks the first frame of somebody else's picture, and the last click. */
export function watchFirstFrame() {
  window.firstFrame = new Promise((done) => {
    const seen = new WeakSet();
    const look = () => {
      for (const v of document.querySelectorAll('video[data-participant]')) {
        if (seen.has(v)) continue;
        seen.add(v);
        v.requestVideoFrameCallback((now) => done(performance.timeOrigin + now));
      }
    };
    new MutationObserver(look).observe(document, {subtree: true, childList: true});
    look();
  });
  document.addEventListener('click', () => { window.clicked = performance.timeOrigin + performance.now(); }, true);
}
