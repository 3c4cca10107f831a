// What a program on one host sees of the network. Run directly, it is that
// program: it sends and connects as its parent says, and tells what arrives.
import {fork} from 'node:child_process';
import {createSocket} from 'node:dgram';
import {connect, createServer} from 'node:net';
import {fileURLToPath} from 'node:url';
import {until} from '../e2e/harness.mjs';

const port = 4000;
const file = fileURLToPath(import.meta.url);

export class Probe {
  #got = [];
  #child;

  constructor(t, host) {
    this.host = host;
    const [program, ...args] = host.wrap(process.execPath);
    this.#child = fork(file, [], {execPath: program, execArgv: args});
    this.#child.on('message', (m) => this.#got.push(m));
    t.after(() => this.#child.kill());
  }

  /** Sends a UDP packet. */
  send(text, to, toPort = port) { this.#child.send({text, to, toPort}); }

  /** What came with this text: {from, port}; undefined if nothing came in time. */
  received(text, ms = 700) {
    return until(text, () => this.#got.find((m) => m.text === text), ms).catch(() => undefined);
  }

  /** What became of a TCP connection: "connected", an error's code, or "silence". */
  async connect(to, toPort = port) {
    const text = `${to}:${toPort}:${Math.random()}`;
    this.#child.send({text, to, toPort, tcp: true});
    return (await this.received(text, 1500))?.outcome ?? 'silence';
  }

  ready() { return until(`probe on ${this.host.ns}`, () => this.#got.some((m) => m.ready)); }
}

if (process.argv[1] === file) {
  const socket = createSocket('udp6');
  const mapped = (address) => (address.includes(':') ? address : `::ffff:${address}`);
  const tell = (m) => { if (process.connected) process.send(m); };
  socket.on('message', (text, r) => tell({text: String(text), from: r.address.replace('::ffff:', ''), port: r.port}));
  socket.on('error', () => {});
  process.on('message', ({text, to, toPort, tcp}) => {
    if (!tcp) { socket.send(text, toPort, mapped(to), () => {}); return; }
    const c = connect(toPort, to);
    c.on('connect', () => { tell({text, outcome: 'connected'}); c.destroy(); });
    c.on('error', (e) => tell({text, outcome: e.code}));
  });
  process.on('disconnect', () => process.exit());
  for (const p of [port, 443]) createServer((c) => c.on('error', () => {})).listen(p);
  socket.bind(port, () => tell({ready: true}));
}
