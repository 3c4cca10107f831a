// The routers are what they are called.
import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';
import {Bed, kindNames, run} from './bed.mjs';
import {Probe} from './probe.mjs';

const links = run('ip', ['-o', 'link']);
let bed, a, b;
const probes = {}; // by kind

before(async () => {
  bed = new Bed();
  const probe = (name, kind) => new Probe(bed, bed.host(name, kind));
  [a, b] = [probe('a'), probe('b')];
  for (const kind of kindNames) probes[kind] = probe(kind, kind);
  probes['other cone'] = probe('other-cone', 'cone');
  probes['other symmetric'] = probe('other-symmetric', 'symmetric');
  await Promise.all([a, b, ...Object.values(probes)].map((p) => p.ready()));
});
after(() => bed.close());

/** Where `to` sees what `from` sends to it, or undefined. */
async function seen(from, to, family = from.host.kind === 'ipv6 only' ? 6 : 4) {
  const text = `from ${from.host.ns} to ${to.host.ns} ${Math.random()}`;
  from.send(text, to.host.addresses[family]);
  return to.received(text);
}

test('nothing leads out', async () => {
  assert.equal(run('ip', ['-o', 'link']), links, 'the computer itself has a link into the bed');
  for (const p of [a, ...Object.values(probes)]) {
    assert.match(await p.connect(p.host.kind === 'ipv6 only' ? '2620:fe::fe' : '9.9.9.9', 443), /UNREACH|REFUSED|silence/);
  }
});

test('who keeps a port for all destinations', async () => {
  const kept = {};
  for (const [kind, p] of Object.entries(probes)) {
    const [x, y] = [await seen(p, a), await seen(p, b)];
    kept[kind] = x === undefined && y === undefined ? 'no UDP' : x.port === y.port;
    if (x) assert.equal(x.from, p.host.outside[kind === 'ipv6 only' ? 6 : 4], kind);
  }
  assert.deepEqual(kept, {
    'public': true, 'cone': true, 'symmetric': false, 'cgnat': true, 'udp blocked': 'no UDP', 'web only': 'no UDP', 'ipv6 only': true,
    'other cone': true, 'other symmetric': false,
  });
});

test('nobody behind a router gets what was not asked for', async () => {
  for (const kind of ['cone', 'symmetric', 'cgnat', 'ipv6 only']) {
    const p = probes[kind];
    const text = `uninvited at ${kind}`;
    const {from, port} = await seen(p, a);
    const third = probes.public; // nobody has sent anything to it at this port
    third.send(text, from, port);
    assert.equal(await p.received(text), undefined, kind);
    a.send(`answer at ${kind}`, from, port);
    assert.ok(await p.received(`answer at ${kind}`), kind);
  }
});

test('who can meet by sending to each other at once', async () => {
  const met = {};
  for (const [x, y] of [['cone', 'other cone'], ['cone', 'cgnat'], ['cone', 'symmetric'], ['symmetric', 'other symmetric'], ['public', 'symmetric']]) {
    const [p, q] = [probes[x], probes[y]];
    const [atP, atQ] = [await seen(p, a), await seen(q, a)]; // as a STUN server sees them
    // The first packet finds a closed door: it must not cost the other its port.
    for (let i = 0; i < 3; i++) {
      p.send(`${x}→${y}`, atQ.from, atQ.port);
      await new Promise((done) => setTimeout(done, 30));
      q.send(`${y}→${x}`, atP.from, atP.port);
    }
    met[`${x}, ${y}`] = Boolean(await p.received(`${y}→${x}`) || await q.received(`${x}→${y}`));
  }
  assert.deepEqual(met, {
    'cone, other cone': true, 'cone, cgnat': true, 'cone, symmetric': false, 'symmetric, other symmetric': false, 'public, symmetric': true,
  });
});

test('what TCP each has', async () => {
  const connects = {};
  for (const [kind, p] of Object.entries(probes)) {
    connects[kind] = [];
    for (const [family, address] of Object.entries(a.host.addresses)) {
      for (const port of [443, 4000]) {
        if (await p.connect(address, port) === 'connected') connects[kind].push(`IPv${family} ${port}`);
      }
    }
  }
  const v4 = ['IPv4 443', 'IPv4 4000'];
  const v6 = ['IPv6 443', 'IPv6 4000'];
  assert.deepEqual(connects, {
    'public': [...v4, ...v6], 'cone': v4, 'symmetric': v4, 'cgnat': v4, 'udp blocked': v4, 'web only': ['IPv4 443'], 'ipv6 only': v6,
    'other cone': v4, 'other symmetric': v4,
  });
});

// The last one: the backbone stays as it makes it.
test('a slow and lossy backbone', async () => {
  await bed.shape('-delay', '20ms', '-loss', '0.3');
  const results = await Promise.all(Array.from({length: 100}, async (_, i) => {
    const sent = performance.now();
    a.send(`shaped ${i}`, b.host.address);
    return await b.received(`shaped ${i}`) && performance.now() - sent;
  }));
  const times = results.filter(Boolean);
  assert.ok(times.length > 45 && times.length < 95, `${times.length} of 100 came`);
  assert.ok(Math.min(...times) >= 20, `one came after ${Math.min(...times)} ms`);
});
