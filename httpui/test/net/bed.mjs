// An internet of network namespaces: hosts, the routers that they are behind,
// and a backbone. Addresses look public, because nodes and browsers treat those
// for documentation as unroutable; nothing leaves, because no namespace has a
// link to the computer's own network.
//
//   host ── router ── … ── backbone ── … ── router ── host
//
// Namespaces are named after the process that made them, so that those of a
// run that was killed are found, and removed by the next one.
import {execFileSync, spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {mkdirSync, mkdtempSync, readdirSync, rmSync, rmdirSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';

const prefix = 'anteroom-';
const shaper = fileURLToPath(new URL('../../../bin/shaper', import.meta.url));
const settings = '/etc/netns'; // what "ip netns exec" lays over /etc, by namespace

/**
 * The routers between a host and the backbone, the host's own first. None lets
 * in what was not asked for. `mask` are the flags of a router that masquerades:
 * Linux keeps the port that the host chose where it can, whatever the
 * destination, unless told to choose a random one for each.
 */
const kinds = {
  'public': {families: [4, 6], routers: []},
  'cone': {families: [4], routers: [{mask: ''}]},
  'symmetric': {families: [4], routers: [{mask: 'random,fully-random'}]},
  'cgnat': {families: [4], routers: [{mask: ''}, {mask: ''}]},
  'udp blocked': {families: [4], routers: [{mask: '', block: ['meta l4proto udp']}]},
  'web only': {families: [4], routers: [{mask: '', block: ['meta l4proto udp', 'tcp dport != {80, 443}']}]},
  'ipv6 only': {families: [6], routers: [{}]},
};

export const kindNames = Object.keys(kinds);

/** Fails with what this computer lacks. */
export function check(...tools) {
  if (process.getuid?.() !== 0) throw new Error('only root can make network namespaces: run "make test-net" as root');
  const missing = tools.filter((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0);
  if (missing.length > 0) throw new Error(`missing: ${missing.join(', ')}. Run tools/prepare`);
}

/** Runs a program to its end and returns what it printed. */
export function run(program, args, input = '') {
  return execFileSync(program, args, {input, encoding: 'utf8', timeout: 20_000, stdio: 'pipe'});
}

export class Bed {
  name = 'bed'; // as a test has one
  hosts = [];
  #prefix = `${prefix}${process.pid}-`;
  #ends = [];
  #plugs = 0;
  #names = []; // lines of every host's /etc/hosts

  constructor() {
    check('ip', 'nft', 'sysctl');
    removeNamespaces((pid) => !alive(pid));
    this.dir = mkdtempSync(join(tmpdir(), 'anteroom-net-'));
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => { this.#remove(); process.exit(1); });
    this.backbone = this.#namespace('backbone');
    forward(this.backbone);
  }

  /** Like a test's, but what was begun last ends first. */
  after(end) { this.#ends.unshift(end); }

  async close() {
    for (const end of this.#ends) {
      try { await end(); } catch (e) { console.error(e); }
    }
    this.#remove();
  }

  #remove() {
    removeNamespaces((pid) => pid === process.pid);
    rmSync(this.dir, {recursive: true, force: true});
  }

  /** Connects a new computer. */
  host(name, kind = 'public') {
    const {families, routers} = kinds[kind];
    const n = this.hosts.length + 1;
    const host = new Host(this.#namespace(name), kind);
    const path = [host.ns, ...routers.map((r, i) => this.#router(`${name}-router${i + 1}`, r)), this.backbone];
    for (let i = 0; i <= routers.length; i++) {
      const last = i === routers.length;
      const nets = {4: last ? `45.${n}.0.` : i === 0 ? `192.168.${n}.` : `100.64.${n}.`, 6: i === 0 ? `2600:${n}::` : `2600:${n}:0:${i}::`};
      const inner = i === 0 ? 'eth0' : 'wan';
      const outer = last ? `site${n}` : 'lan';
      if (i === 0 && !last) {
        ip(path[1], 'link add lan type bridge forward_delay 0', 'link set lan up');
        host.switch = path[1];
        this.#plug(host);
      } else {
        ip(path[i], `link add name ${inner} type veth peer name ${outer} netns ${path[i + 1]}`, `link set ${inner} up`);
        ip(path[i + 1], `link set ${outer} up`);
      }
      for (const f of families) {
        const length = f === 4 ? 24 : 64;
        ip(path[i + 1], `address add ${nets[f]}1/${length} dev ${outer}`);
        ip(path[i], `address add ${nets[f]}2/${length} dev ${inner}`, `route add default via ${nets[f]}1`);
        if (i === 0) host.nets[f] = nets[f];
        if (i === 0) host.addresses[f] = `${nets[f]}2`;
        // Nobody masks IPv6: the backbone knows what is behind the router.
        if (last && i > 0 && f === 6) ip(this.backbone, `route add 2600:${n}::/64 via ${nets[f]}2`);
        if (last) host.outside[f] = f === 4 ? `${nets[f]}2` : host.addresses[f];
      }
    }
    this.hosts.push(host);
    this.#writeNames();
    return host;
  }

  /** Connects another computer to the switch of a router that one is behind. */
  beside(host, name) {
    const other = new Host(this.#namespace(name), host.kind);
    this.hosts.push(other);
    this.#join(other, host);
    this.#writeNames();
    return other;
  }

  /** Takes a computer to the router that another is behind, as from one Wi-Fi to the next. */
  move(host, to) {
    this.unplug(host);
    this.#join(host, to);
  }

  /** Takes a computer out of its network; move takes it into another. */
  unplug(host) {
    if (host.plugged) ip(host.ns, 'link delete eth0');
    host.plugged = false;
  }

  /** Makes a host lose what it would send to a UDP port, until the function that it returns is called. */
  blockUDP({ns}, port) {
    const nft = (text) => run('ip', ['netns', 'exec', ns, 'nft', '-f', '-'], text);
    nft(`table inet block {\n chain out {\n type filter hook output priority 0\n udp dport ${port} drop\n }\n}\n`);
    return () => nft('delete table inet block\n');
  }

  /** Gives a computer other addresses in the network that it is in. */
  renumber(host) {
    this.#plugs++;
    for (const [f, net] of Object.entries(host.nets)) {
      const [old, now, length] = [host.addresses[f], `${net}${100 + this.#plugs}`, f === '4' ? 24 : 64];
      ip(host.ns, `address del ${old}/${length} dev eth0`, `address add ${now}/${length} dev eth0`, `route replace default via ${net}1`);
      host.addresses[f] = now;
      if (host.outside[f] === old) host.outside[f] = now;
    }
  }

  /** IPv4 alone: no kind of router that masquerades has more. */
  #join(host, at) {
    Object.assign(host, {switch: at.switch, nets: at.nets, outside: {...at.outside}});
    this.#plug(host);
    host.addresses = {4: `${at.nets[4]}${100 + this.#plugs}`};
    ip(host.ns, `address add ${host.addresses[4]}/24 dev eth0`, `route add default via ${at.nets[4]}1`);
  }

  /** Puts a cable between a computer and a switch. */
  #plug(host) {
    const port = `port${++this.#plugs}`;
    host.plugged = true;
    ip(host.ns, `link add name eth0 type veth peer name ${port} netns ${host.switch}`, 'link set eth0 up');
    ip(host.switch, `link set ${port} master lan`, `link set ${port} up`);
  }

  /**
   * Makes a name known to every host. It is there with a dot at its end, too:
   * Chromium looks for that when the name is a STUN or TURN server's.
   */
  resolve(name, host) {
    for (const address of Object.values(host.addresses)) this.#names.push(`${address} ${name} ${name}.`);
    this.#writeNames();
  }

  /**
   * Makes all that crosses the backbone late, lossy or slow, until the function
   * that it returns is called. The arguments are those of tools/shaper.
   */
  async shape(...args) {
    const child = spawn('ip', ['netns', 'exec', this.backbone, shaper, ...args], {stdio: ['ignore', 'pipe', 'inherit']});
    const exit = once(child, 'exit');
    const stop = () => { child.kill(); return exit; };
    this.after(stop);
    const ended = exit.then(() => { throw new Error(`${shaper} ended: run "make test-net"`); });
    await Promise.race([once(child.stdout, 'data'), ended]);
    ended.catch(() => {}); // when it is stopped
    return stop;
  }

  #writeNames() {
    const text = ['127.0.0.1 localhost', '::1 localhost', ...this.#names, ''].join('\n');
    for (const {ns} of this.hosts) {
      mkdirSync(join(settings, ns), {recursive: true});
      writeFileSync(join(settings, ns, 'hosts'), text); // in place: it may be mounted
      writeFileSync(join(settings, ns, 'resolv.conf'), '');
    }
  }

  #namespace(name) {
    const ns = this.#prefix + name.replaceAll(' ', '-');
    run('ip', ['netns', 'add', ns]);
    ip(ns, 'link set lo up');
    // An address that is only tested for a second and then there would be a
    // change of networks to a browser, which starts again what it was loading.
    run('ip', ['netns', 'exec', ns, 'sysctl', '-qw', 'net.ipv6.conf.default.accept_dad=0']);
    return ns;
  }

  #router(name, {mask, block = []}) {
    const ns = this.#namespace(name);
    forward(ns);
    // Without "in", a peer's packet that comes too early would be the router's
    // own business, take the port, and leave the host's next one to another.
    run('ip', ['netns', 'exec', ns, 'nft', '-f', '-'], `table inet router {
      chain in { type filter hook input priority filter; iifname "wan" meta l4proto != ipv6-icmp ct state new drop; }
      chain through {
        type filter hook forward priority filter
        iifname "wan" ct state new drop
        ${block.map((what) => `iifname "lan" ${what} drop`).join('\n')}
      }
      ${mask === undefined ? '' : `chain out { type nat hook postrouting priority srcnat; oifname "wan" masquerade ${mask}; }`}
    }\n`);
    return ns;
  }
}

/**
 * A computer: `addresses` are its own, `outside` those that others see, `nets`
 * what the first begin with, by IP version; `switch` is its router, if it has
 * one, and `plugged` whether there is a cable to it.
 */
class Host {
  addresses = {};
  outside = {};
  nets = {};
  switch;
  plugged = false;

  constructor(ns, kind) {
    this.ns = ns;
    this.kind = kind;
  }

  /** An address that it can be called at if it is public. */
  get address() { return this.addresses[4] ?? this.addresses[6]; }

  /** The command line that runs a program on it. */
  wrap(...args) { return ['ip', 'netns', 'exec', this.ns, ...args]; }
}

function ip(ns, ...lines) { run('ip', ['-n', ns, '-batch', '-'], lines.join('\n')); }

function forward(ns) {
  run('ip', ['netns', 'exec', ns, 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
}

function alive(pid) {
  try { process.kill(pid, 0); return true; } catch { return false; }
}

/** Ends what runs in the namespaces of some runs, and removes them. */
function removeNamespaces(of) {
  for (const line of run('ip', ['netns', 'list']).split('\n')) {
    const ns = line.split(' ')[0];
    if (!ns.startsWith(prefix) || !of(parseInt(ns.slice(prefix.length), 10))) continue;
    for (const pid of run('ip', ['netns', 'pids', ns]).split('\n').filter(Boolean)) {
      try { process.kill(Number(pid), 'SIGKILL'); } catch { /* it has ended */ }
    }
    run('ip', ['netns', 'delete', ns]);
    rmSync(join(settings, ns), {recursive: true, force: true});
  }
  try {
    if (readdirSync(settings).length === 0) rmdirSync(settings);
  } catch { /* there is none */ }
}
