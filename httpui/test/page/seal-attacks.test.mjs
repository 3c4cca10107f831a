// What must not work against a page: damaged links, and every frame of a
// handshake or channel changed, repeated, reflected or from elsewhere. The home
// node's side of the same is tested in rendezvous/seal.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { LinkError, P256, SealError, bindingMAC, constantTimeEqual, handshake, linkKeys, parseLink, prologue, sas, sasCommit } from '../../static/link/seal.js';
import { Responder, accept, helloFrame, hex, join, newInvite, pipe } from './seal-home.mjs';

const { vectors } = JSON.parse(readFileSync(new URL('../../../rendezvous/testdata/ar1-vectors.json', import.meta.url), 'utf8'));
const text = (s) => new TextEncoder().encode(s);
const random = (n) => crypto.getRandomValues(new Uint8Array(n));
const flip = (i) => (frame) => ((frame[i >> 3] ^= 1 << (i & 7)), frame);

/** @returns {Promise<boolean>} whether link is taken for one */
async function accepted(link) {
  try {
    await linkKeys(parseLink(link));
    return true;
  } catch (err) {
    assert.ok(err instanceof LinkError && err.code === 'bad-link', `${err}`);
    return false;
  }
}

test('links are decoded strictly', async () => {
  const good = vectors[0].link;
  for (const link of [good, `#${good}`, `https://practice.example/j#${good}`]) assert.ok(await accepted(link));
  const raw = Buffer.from(good, 'base64url');
  const version = (n) => Buffer.concat([Buffer.of(n), raw.subarray(1)]).toString('base64url');
  for (const link of [
    '', '#', good.slice(1), good.slice(0, 67), `${good}A`, `${good}=`, `${good.slice(0, 64)}====`, ` ${good}`, `${good} `, `${good}\n`,
    `${good.slice(0, 67)}\n`, `${good.slice(0, 30)}\n${good.slice(31)}`, good.toUpperCase(), good + good, `${good}#${good.slice(0, 9)}`,
    `https://a.example/#/j#${good}`, `%41${good.slice(1)}`, `+${good.slice(1)}`, `/${good.slice(1)}`, version(0), version(2), '\u0430'.repeat(68),
    good.slice(34) + good.slice(0, 34), `https://practice.example/j?${good}`,
  ]) assert.ok(!(await accepted(link)), JSON.stringify(link));
});

test('damaged links are refused', async () => {
  const alphabet = 'AQgw09az-_';
  let tried = 0;
  let passed = 0; // the checksum is 16 bits: one in 65,536 passes for another invite's
  for (const { link } of vectors.slice(0, 8)) {
    for (let i = 0; i < link.length; i++) {
      for (const c of alphabet) {
        if (c === link[i]) continue;
        tried++;
        if (await accepted(link.slice(0, i) + c + link.slice(i + 1))) passed++;
      }
    }
  }
  assert.ok(tried > 5_000 && passed <= 2, `${passed} of ${tried} damaged links were accepted`);
});

test('nothing prints a secret', async () => {
  const { inspect } = await import('node:util');
  const { link, S, psk } = vectors[0];
  const parsed = parseLink(link);
  const keys = await linkKeys(parsed);
  for (const value of [parsed, keys]) {
    const shown = inspect(value, { depth: 9, showHidden: true }) + JSON.stringify(value) + String(value);
    const bytes = [...shown.matchAll(/\b\d{1,3}\b/g)].map(([n]) => Number(n).toString(16).padStart(2, '0')).join('');
    for (const secret of [S, psk]) assert.ok(!shown.includes(secret) && !bytes.includes(secret), 'printed');
  }
  for (const key of [keys.admit, keys.hello]) assert.equal(key.extractable, false);
});

/** One invite and a home node for it, as attacks meet them. */
async function scene() {
  const invite = await newInvite();
  const keys = await linkKeys(parseLink(invite.link));
  return { ...invite, keys };
}

/**
 * Does a handshake through change, and returns what each side got: an object
 * with a channel, or an Error.
 */
async function shake({ keys, link, host }, change) {
  const { guest, home, hangUp } = pipe(change);
  const settled = (p) => p.catch((err) => (hangUp(), err));
  const [mine, theirs] = await Promise.all([settled(handshake(guest, keys)), settled(accept(home, link, host, text('welcome')))]);
  return { mine, theirs };
}

/** @param {unknown} result @param {string} code */
function refused(result, code, what) {
  assert.ok(result instanceof SealError && result.code === code, `${what}: ${result instanceof Error ? result : 'a channel'}`);
}

/** A bit of each byte of n. The Go tests try every bit. */
const bits = (n) => Array.from({ length: n }, (_, i) => i * 8 + (i % 8));

test('every byte of a hello counts', async () => {
  const here = await scene();
  for (const i of bits(128)) {
    const { mine } = await shake(here, (from, n, frame) => (from === 'home' && n === 0 ? flip(i)(frame) : frame));
    refused(mine, 'wrong-practice', `bit ${i}`);
  }
});

test('every byte of message 2 counts', async () => {
  const here = await scene();
  for (const i of bits(81 + 7)) {
    const { mine } = await shake(here, (from, n, frame) => (from === 'home' && n === 1 ? flip(i)(frame) : frame));
    refused(mine, 'bad-message', `bit ${i}`);
  }
});

test('frames of other lengths are refused', async () => {
  const here = await scene();
  for (const [n, code] of [[0, 'wrong-practice'], [1, 'bad-message']]) {
    for (const change of [
      (f) => f.slice(0, 0), (f) => f.slice(1), (f) => f.slice(0, -1), (f) => f.slice(0, 65), (f) => f.slice(0, 80), (f) => join(f, hex('00')), (f) => join(f, f),
      (f) => new Uint8Array(f.length),
    ]) {
      const { mine } = await shake(here, (from, i, frame) => (from === 'home' && i === n ? change(frame) : frame));
      refused(mine, code, `frame ${n}`);
    }
  }
});

/** Records the frames of a good handshake. */
async function recorded(here) {
  const frames = { guest: [], home: [] };
  const { mine, theirs } = await shake(here, (from, _i, frame) => (frames[from].push(frame.slice()), frame));
  assert.ok(mine.channel && theirs.channel);
  return { ...frames, mine, theirs };
}

test('an old answer is refused', async () => {
  const here = await scene();
  const old = await recorded(here);
  const conn = { send() {}, recv: async () => old.home.shift() };
  refused(await handshake(conn, here.keys).catch((err) => err), 'bad-message', 'replay');
});

test("the guest's own frames are refused", async () => {
  const here = await scene();
  const sent = [];
  const echo = (cut) => (from, n, frame) => {
    if (from === 'guest') sent[n] = frame.slice();
    return from === 'home' && n === cut ? (n === 0 ? sent[0] : sent[1].slice(16)) : frame;
  };
  refused((await shake(here, echo(0))).mine, 'wrong-practice', 'open as hello');
  refused((await shake(here, echo(1))).mine, 'bad-message', 'message 1 as message 2');
});

test('frames of another invite are refused', async () => {
  const here = await scene();
  const other = await recorded(await scene());
  for (const [n, code] of [[0, 'wrong-practice'], [1, 'bad-message']]) {
    const { mine } = await shake(here, (from, i, frame) => (from === 'home' && i === n ? other.home[n] : frame));
    refused(mine, code, `frame ${n}`);
  }
});

test('a thief with the whole link cannot pose as the host', async () => {
  const here = await scene();
  const { keys, link, host } = here;
  const own = await P256.generate();
  for (const [publicKey, code] of [[own.publicKey, 'wrong-practice'], [host.publicKey, 'bad-message']]) {
    const { guest, home } = pipe();
    const nonce = random(32);
    const posing = async () => {
      await home.recv();
      await home.send(await helloFrame(link, keys.rid, nonce, publicKey));
      if (publicKey === own.publicKey) return; // it has been found out
      const knock = await home.recv();
      const noise = await Responder.begin(P256, { ...own, publicKey }, await keys.psk(), prologue(keys.rid, keys.commitment, nonce));
      await assert.rejects(noise.read(knock.slice(16)), 'it can read the knock');
      const { m2 } = await noise.write(text('welcome'));
      await home.send(m2);
    };
    const [result] = await Promise.all([handshake(guest, keys).catch((err) => err), posing()]);
    refused(result, code, 'thief');
  }
  assert.ok((await shake(here)).mine.channel, 'the true host is believed');
});

test('any change ends the channel', async () => {
  const here = await scene();
  const ways = {
    repeated: (_f, first) => first,
    empty: () => new Uint8Array(),
    cut: (f) => f.slice(0, -1),
    longer: (f) => join(f, hex('00')),
    'another size': (f) => join(f, new Uint8Array(768)),
    zeros: (f) => new Uint8Array(f.length),
  };
  for (let i = 0; i < 272 * 8; i += 61) ways[`bit ${i}`] = flip(i);
  for (const [name, change] of Object.entries(ways)) {
    const { mine, theirs } = await shake(here);
    const frames = [];
    for (const word of ['one', 'two', 'three']) frames.push(await theirs.channel.seal(text(word)));
    assert.deepEqual(await mine.channel.open(frames[0]), text('one'), name);
    await assert.rejects(mine.channel.open(change(frames[1].slice(), frames[0])), { code: 'bad-message' }, name);
    await assert.rejects(mine.channel.open(frames[1]), { code: 'bad-message' }, `${name}: after it`);
    await assert.rejects(mine.channel.open(frames[2]), { code: 'bad-message' }, `${name}: after it`);
    await assert.rejects(mine.channel.seal(text('x')), { code: 'bad-message' }, `${name}: the other way`);
  }
});

test('lost, swapped and reflected frames end the channel', async () => {
  const here = await scene();
  for (const order of [[1], [1, 0]]) {
    const { mine, theirs } = await shake(here);
    const frames = [await theirs.channel.seal(text('one')), await theirs.channel.seal(text('two'))];
    for (const i of order) await assert.rejects(mine.channel.open(frames[i]), { code: 'bad-message' });
  }
  const { mine } = await shake(here);
  await assert.rejects(mine.channel.open(await mine.channel.seal(text('mine'))), { code: 'bad-message' });
});

test('padding that nobody makes is refused', async () => {
  const raw = random(32);
  const { Channel } = await import('../../static/link/seal.js');
  const aes = await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt']);
  const frame = (size, length, last) => {
    const plain = new Uint8Array(size);
    plain.set([length >> 8, length & 255]);
    plain[size - 1] = last;
    return crypto.subtle.encrypt({ name: 'AES-GCM', iv: new Uint8Array(12) }, aes, plain);
  };
  const open = async (box) => (await Channel.open(random(32), raw.slice())).open(new Uint8Array(await box));
  assert.equal((await open(frame(256, 10, 0))).length, 10);
  for (const [size, length, last] of [
    [256, 10, 1], [256, 255, 0], [256, 0xffff, 0], [1024, 254, 0], [16384, 0, 0], [16384, 16383, 0], [257, 1, 0], [2, 0, 0], [0, 0, 0],
  ]) await assert.rejects(open(frame(Math.max(size, 2), length, last)), { code: 'bad-message' }, `${size} ${length} ${last}`);
});

test('P-256 refuses what is no point', async () => {
  const { privateKey, publicKey } = await P256.generate();
  const other = (await P256.generate()).publicKey;
  assert.equal((await P256.shared(privateKey, other)).length, 32);
  for (const point of [
    new Uint8Array(), new Uint8Array(1), new Uint8Array(65), publicKey.slice(0, 64), join(publicKey, hex('00')), join(hex('04'), new Uint8Array(64).fill(1)),
    join(hex('02'), publicKey.slice(1, 33)), join(hex('06'), publicKey.slice(1)),
  ]) await assert.rejects(P256.shared(privateKey, point), `${point.length} bytes`);
});

test('comparing is exact', () => {
  const a = random(32);
  assert.ok(constantTimeEqual(a, a.slice()));
  for (let i = 0; i < 256; i++) assert.ok(!constantTimeEqual(a, flip(i)(a.slice())), `bit ${i}`);
  assert.ok(!constantTimeEqual(a, a.slice(1)));
  assert.ok(!constantTimeEqual(a.slice(1), a));
  assert.ok(!constantTimeEqual(a, new Uint8Array()));
  assert.ok(constantTimeEqual(new Uint8Array(), new Uint8Array()));
});

test('MACs and codes depend on everything', async () => {
  const [key, h, self, peer, nP, sid] = Array.from({ length: 6 }, () => random(32));
  const mac = await bindingMAC(key, 'H', h, self, peer);
  const changed = flip(7);
  for (const other of [
    [changed(key.slice()), 'H', h, self, peer], [key, 'P', h, self, peer], [key, 'H', changed(h.slice()), self, peer],
    [key, 'H', h, changed(self.slice()), peer], [key, 'H', h, self, changed(peer.slice())], [key, 'H', h, peer, self],
  ]) assert.ok(!constantTimeEqual(mac, await bindingMAC(...other)));
  const inputs = [h, key, nP, self, peer, sid];
  const code = await sas(...inputs);
  for (let i = 0; i < inputs.length; i++) {
    const other = await sas(...inputs.map((x, j) => (i === j ? changed(x.slice()) : x)));
    assert.notEqual(other.digits, code.digits);
  }
  assert.notDeepEqual(await sasCommit(h, key), await sasCommit(key, h));
});
