// What a node asks of the network that its computer is in, if it is told to:
// who else is there, and that the router let others in.
import assert from 'node:assert/strict';
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {after, before, test} from 'node:test';
import {Authority} from '../e2e/authority.mjs';
import {Person, Program, setUp, until} from '../e2e/harness.mjs';
import {Bed, check, run} from './bed.mjs';
import {browse} from './browser.mjs';
import {Node} from './ways.mjs';

let bed, authority, office, far;
before(() => {
  check('openssl', 'certutil', 'miniupnpd');
  bed = new Bed();
  authority = new Authority(bed);
  office = bed.host('office', 'cone');
  far = bed.host('far', 'public');
});
after(() => bed.close());

const node = (host, name, discovery) => new Node(bed, host, name, 7600).configure({discovery});
const known = async (d) => JSON.parse(await d.cli('peer', 'list', '--output', 'json'));
const nft = (ns, ...lines) => run('ip', ['netns', 'exec', ns, 'nft', '-f', '-'], `${lines.join('\n')}\n`);

/** Counts what a computer sends to groups, and to routers that it asks for ports. */
function watch({ns}) {
  nft(ns, `table inet watch {
    counter groups {}
    counter ports {}
    chain out {
      type filter hook output priority 0
      oifname != "lo" ip daddr 224.0.0.0/4 counter name groups
      oifname != "lo" meta l4proto udp ip6 daddr ff00::/8 counter name groups # others are the system's own
      oifname != "lo" udp dport {1900, 5351} counter name ports
    }
  }`);
  return () => Object.fromEntries(JSON.parse(run('ip', ['netns', 'exec', ns, 'nft', '-j', 'list', 'counters'])).nftables
    .filter((e) => e.counter).map(({counter: {name, packets}}) => [name, packets]));
}

test('nodes in one network find each other’s appointments if they are told to', {timeout: 90_000}, async (t) => {
  const [other, quiet] = [bed.beside(office, 'office 2'), bed.beside(office, 'office 3')];
  const [sentByOne, sentByOther, sentByQuiet] = [office, other, quiet].map(watch);
  const one = node(office, 'one', {lan: true});
  const two = node(other, 'two', {lan: true});
  const three = node(quiet, 'three', {lan: false});
  await Promise.all([one.start(), three.start()]);
  const person = await Person.arrive(t, {browser: await browse(bed, office, authority)});
  await setUp(person, one, 'Riverside Practice', 'Dr Lee');
  const link = async () => JSON.parse(await one.cli('appointment', 'create', '--guest', 'Patient', '--output', 'json')).guests[0].url;
  const open = async (d, browser) => {
    const guest = await Person.arrive(t, {browser});
    const url = await link();
    await guest.page.goto(d.url + url.slice(url.indexOf('/j#')));
    return guest;
  };

  const browser = await browse(bed, other, authority);
  const started = Date.now();
  await two.start();
  const guest = await open(two, browser);
  await guest.button('Continue').waitFor();
  t.diagnostic(`found ${Date.now() - started} ms after the start of the second`);
  await guest.page.getByRole('heading', {name: 'Riverside Practice'}).waitFor();

  assert.ok(sentByOne().groups > 0 && sentByOther().groups > 0, 'the packets of those that look are not seen');
  assert.deepEqual(sentByQuiet(), {groups: 0, ports: 0}); // before its browser sends some
  const nobody = await open(three, await browse(bed, quiet, authority));
  await nobody.page.getByText('The practice cannot be reached right now.').waitFor();
  assert.deepEqual(await known(three), []);
});

/** Makes a router forward ports for those who ask by UPnP: `list` says which, `arrived` how many packets came that way. */
async function forwards(t, ns) {
  nft(ns, 'insert rule inet router through iifname "wan" ct status dnat counter accept', `table inet mapped {
    chain forward { type filter hook forward priority 10; jump to; }
    chain to {}
    chain prerouting { type nat hook prerouting priority dstnat; jump in; }
    chain in {}
    chain postrouting { type nat hook postrouting priority 110; jump out; }
    chain out {}
  }`);
  const config = join(bed.dir, 'miniupnpd.conf');
  writeFileSync(config, [
    'ext_ifname=wan', 'listening_ip=lan', 'enable_upnp=yes', 'enable_natpmp=no',
    'upnp_table_name=mapped', 'upnp_nat_table_name=mapped', 'upnp_forward_chain=to', 'upnp_nat_chain=in', 'upnp_nat_postrouting_chain=out',
    'secure_mode=yes', 'system_uptime=yes', 'uuid=d4a3a0a8-6d6c-4f9b-9a0f-0c6a5c0d7f10', `lease_file=${join(bed.dir, 'leases')}`,
    'allow 1024-65535 192.168.0.0/16 1024-65535', 'deny 0-65535 0.0.0.0/0 0-65535', ''].join('\n'));
  const router = new Program(t, ['ip', 'netns', 'exec', ns, 'miniupnpd', '-d', '-f', config, '-P', join(bed.dir, 'miniupnpd.pid')]);
  t.after(async () => {
    await router.stop();
    nft(ns, 'delete table inet mapped');
  });
  await router.line('stderr', (l) => l.includes('HTTP listening'));
  const rules = (table, chain) => run('ip', ['netns', 'exec', ns, 'nft', 'list', 'chain', 'inet', table, chain]).split('\n').filter((l) => l.includes('dnat'));
  return {list: () => rules('mapped', 'in'), arrived: () => Number(/packets (\d+)/.exec(rules('router', 'through')[0])[1])};
}

test('a node behind a router is reached from outside at a port that it asked for', {timeout: 90_000}, async (t) => {
  const [asking, silent] = [bed.beside(office, 'asking'), bed.beside(office, 'silent')];
  const {list: forwarded, arrived} = await forwards(t, office.switch);
  const sent = watch(silent);
  const quiet = await node(silent, 'quiet', {port_mapping: false}).start();
  const started = Date.now();
  const d = await node(asking, 'asking', {port_mapping: true}).start();
  const outside = `/ip4/${office.outside[4]}/`;
  const addresses = await until('addresses outside', async () => {
    const list = (await d.status()).addresses.filter((a) => a.startsWith(outside));
    return ['/tcp/', '/udp/'].every((kind) => list.some((a) => a.includes(kind))) && list;
  }, 40_000);
  t.diagnostic(`${addresses.join(' and ')} after ${Date.now() - started} ms`);
  assert.equal(forwarded().length, 2, `forwards ${forwarded()}`);

  // It knows nobody, and so calls nobody: the other comes in.
  const {peer_id: id} = await d.status();
  for (const [i, address] of addresses.entries()) {
    if (i === 0) assert.equal(arrived(), 0);
    const caller = new Node(bed, far, `caller ${i}`, 7600).configure({discovery: {bootstrap: [`${address}/p2p/${id}`]}});
    await caller.start();
    await until(`a connection to ${address}`, async () => (await known(caller)).some((p) => p.peer_id === id && p.connected));
    await caller.program.stop();
  }
  assert.ok(arrived() > 0, 'came by another way than the one that was asked for');

  assert.deepEqual((await quiet.status()).addresses, []);
  assert.equal(sent().ports, 0, 'a node that was not told to asked the router');
  assert.ok(forwarded().every((l) => l.includes(asking.addresses[4])), 'something else is forwarded, too');
});
