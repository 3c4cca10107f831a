// seal.js against the vectors: ours, computed by an independent implementation,
// and the public ones for the same handshake on another curve.
import assert from 'node:assert/strict';
import { createHash, createHmac, createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  Channel, Initiator, MAX_DATA, P256, admitMAC, bindingMAC, commitmentOf, handshake, hkdfExpand, linkKeys, parseLink, prologue, sas,
  sasCommit,
} from '../../static/link/seal.js';
import { Responder, X25519, fixed, helloFrame, helloKey, hex, join, p256Key, pipe, toHex, x25519Key, accept, newInvite } from './seal-home.mjs';

const testdata = new URL('../../../rendezvous/testdata/', import.meta.url);
const { suite, vectors } = JSON.parse(readFileSync(new URL('ar1-vectors.json', testdata), 'utf8'));
const text = (s) => new TextEncoder().encode(s);

test('there are vectors', () => {
  assert.equal(suite, 'Noise_NKpsk0_P256_AESGCM_SHA256');
  assert.equal(vectors.length, 40);
});

/** Notes which fields of a vector a test has looked at. */
function noting(vector, seen) {
  return new Proxy(vector, { get: (v, name) => (seen.add(name), v[name]) });
}

for (const vector of vectors) {
  test(`vector ${vector.id}`, async () => {
    const seen = new Set();
    const v = noting(vector, seen);
    const bytes = (name) => hex(v[name]);
    const is = (got, name) => assert.equal(toHex(got), v[name], `${v.id}: ${name}`);

    // the link and its keys
    const payload = Buffer.from(v.link, 'base64url');
    is(payload.subarray(1, 33), 'S');
    is(payload.subarray(33, 49), 'hc');
    const keys = await linkKeys(parseLink(`https://practice.example/j#${v.link}`));
    is(keys.rendezvous, 'rendezvous_key');
    is(keys.rid, 'rid');
    is(keys.commitment, 'hc');
    is(await commitmentOf(bytes('host_pub')), 'hc');
    is(await keys.psk(), 'psk');
    is(helloKey(v.link), 'hello_key');
    const nonce = bytes('nonce_h');
    const m1Head = bytes('ei_pub');
    const admitted = createHmac('sha256', bytes('admit_key')).update('ar1 admit').update(nonce).update(keys.rid).update(m1Head).digest();
    is(admitted.subarray(0, 16), 'admit');
    is(await admitMAC(keys.admit, nonce, keys.rid, m1Head), 'admit');

    // rendezvous
    const number = async (key, info) => Buffer.from(await hkdfExpand(key, info, 8)).readBigUInt64BE();
    const phase = (await number(keys.rendezvous, 'ar1 phase')) % 3600n;
    assert.equal(Number(phase), v.phase);
    const epoch = (BigInt(v.unix_time) + phase) / 3600n;
    assert.equal(Number(epoch), v.epoch);
    const be64 = Buffer.alloc(8);
    be64.writeBigUInt64BE(epoch);
    const epochKey = await hkdfExpand(keys.rendezvous, join(text('ar1 epoch'), be64), 32);
    is(epochKey, 'epoch_key');
    assert.equal(v.replicas.length, 3);
    for (const [r, want] of v.replicas.entries()) {
      const seed = await hkdfExpand(epochKey, join(text('ar1 sign'), Uint8Array.of(r)), 32);
      const key = createPrivateKey({ key: Buffer.concat([hex('302e020100300506032b657004220420'), seed]), format: 'der', type: 'pkcs8' });
      const pub = Buffer.from(key.export({ format: 'jwk' }).x, 'base64url');
      const seal = await hkdfExpand(epochKey, join(text('ar1 seal'), Uint8Array.of(r)), 32);
      assert.deepEqual({ seed: toHex(seed), pub: toHex(pub), seal: toHex(seal) }, want);
    }

    // hello: what the home node makes, handshake opens (below, against a live one)
    is((await helloFrame(v.link, keys.rid, nonce, bytes('host_pub'), bytes('hello').slice(0, 12))).slice(35), 'hello');

    // the handshake, from both sides
    const before = prologue(keys.rid, keys.commitment, nonce);
    is(before, 'prologue');
    const ei = fixed(P256, await p256Key(bytes('ei_priv'), bytes('ei_pub')), bytes('ei_pub'));
    const er = fixed(P256, await p256Key(bytes('er_priv'), bytes('er_pub')), bytes('er_pub'));
    const host = { privateKey: await p256Key(bytes('host_priv'), bytes('host_pub')), publicKey: bytes('host_pub') };
    const guest = await Initiator.begin(ei, host.publicKey, await keys.psk(), before);
    const home = await Responder.begin(er, host, await keys.psk(), before);
    const m1 = await guest.write(bytes('p1'));
    is(m1, 'm1');
    is(await home.read(m1), 'p1');
    const there = await home.write(bytes('p2'));
    is(there.m2, 'm2');
    const here = await guest.read(there.m2);
    is(here.payload, 'p2');
    for (const side of [here, there]) {
      is(side.h, 'h');
      is(side.toResponder, 'kI');
      is(side.toInitiator, 'kR');
    }

    // the channel
    const near = await Channel.open(here.toResponder, here.toInitiator);
    const far = await Channel.open(there.toInitiator, there.toResponder);
    assert.equal(toHex(here.toResponder), '00'.repeat(32), 'the raw keys are wiped');
    for (const { pt_len, i2r_sha256, r2i_sha256 } of v.frames) {
      const data = new Uint8Array(pt_len).fill('x'.charCodeAt(0));
      for (const [from, to, want] of [[near, far, i2r_sha256], [far, near, r2i_sha256]]) {
        const frame = await from.seal(data);
        assert.equal(createHash('sha256').update(frame).digest('hex'), want, `${v.id}: frame of ${pt_len}`);
        assert.deepEqual(await to.open(frame), data);
      }
    }

    // binding and comparing
    const [h, fH, fP, nH, nP] = [bytes('h'), bytes('fH'), bytes('fP'), bytes('nH'), bytes('nP')];
    is(await bindingMAC(bytes('k_confirm'), 'H', h, fH, fP), 'dcH');
    is(await bindingMAC(bytes('k_confirm'), 'P', h, fP, fH), 'dcP');
    is(await sasCommit(h, nH), 'commit');
    const code = await sas(h, nH, nP, fH, fP, bytes('sid'));
    is(code.bytes, 'sas');
    assert.deepEqual(code.symbols, v.emoji);
    assert.equal(code.digits, v.digits);

    assert.deepEqual(Object.keys(vector).filter((name) => !seen.has(name)), [], 'fields that nothing looked at');
  });
}

test('public Noise vectors', async () => {
  const file = readFileSync(new URL('noise-NKpsk0_25519_AESGCM_SHA256.txt', testdata), 'utf8');
  const list = file.split('\n\n').map((block) => Object.fromEntries(block.split('\n').filter((l) => /^[a-z]/.test(l)).map((l) => l.split('='))));
  const named = list.filter((v) => v.handshake === 'Noise_NKpsk0_25519_AESGCM_SHA256');
  assert.equal(named.length, 4);
  for (const v of named) {
    const bytes = (name) => hex(v[name] ?? '');
    const key = (name) => x25519Key(bytes(name));
    const ephemeral = async (name) => {
      const { privateKey, publicKey } = await key(name);
      return fixed(X25519, privateKey, publicKey);
    };
    const host = await key('resp_static');
    const guest = await Initiator.begin(await ephemeral('gen_init_ephemeral'), host.publicKey, bytes('preshared_key'), bytes('prologue'));
    const home = await Responder.begin(await ephemeral('gen_resp_ephemeral'), host, bytes('preshared_key'), bytes('prologue'));
    const m1 = await guest.write(bytes('msg_0_payload'));
    assert.equal(toHex(m1), v.msg_0_ciphertext);
    assert.equal(toHex(await home.read(m1)), v.msg_0_payload);
    const { m2, ...there } = await home.write(bytes('msg_1_payload'));
    assert.equal(toHex(m2), v.msg_1_ciphertext);
    const here = await guest.read(m2);
    assert.equal(toHex(here.payload), v.msg_1_payload);
    for (const side of [here, there]) {
      for (const [name, raw] of [['msg_2', side.toResponder], ['msg_3', side.toInitiator]]) {
        const aes = await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt']);
        const box = await crypto.subtle.encrypt({ name: 'AES-GCM', iv: new Uint8Array(12) }, aes, bytes(`${name}_payload`));
        assert.equal(toHex(new Uint8Array(box)), v[`${name}_ciphertext`]);
      }
    }
  }
});

test('a handshake, and data of every size both ways', async () => {
  const { link, host } = await newInvite();
  const { guest, home } = pipe();
  const [mine, theirs] = await Promise.all([handshake(guest, await linkKeys(parseLink(link))), accept(home, link, host, text('welcome'))]);
  assert.equal(toHex(mine.welcome), toHex(text('welcome')));
  assert.equal(toHex(mine.h), toHex(theirs.h));
  for (const n of [0, 1, 254, 255, 1022, 1023, 4094, 4095, MAX_DATA]) {
    const data = crypto.getRandomValues(new Uint8Array(n));
    const frame = await mine.channel.seal(data);
    const want = [256, 1024, 4096, 16384].find((size) => size >= n + 2);
    assert.equal(frame.length, want + 16);
    assert.deepEqual(await theirs.channel.open(frame), data);
    assert.deepEqual(await mine.channel.open(await theirs.channel.seal(data)), data);
  }
  await assert.rejects(mine.channel.seal(new Uint8Array(MAX_DATA + 1)), { code: 'bad-message' });
  assert.deepEqual(await theirs.channel.open(await mine.channel.seal(text('still there'))), text('still there'));
});

test('calls that do not wait for each other keep their order', async () => {
  const { link, host } = await newInvite();
  const { guest, home } = pipe();
  const [mine, theirs] = await Promise.all([handshake(guest, await linkKeys(parseLink(link))), accept(home, link, host, text(''))]);
  const buffer = new Uint8Array(1);
  const frames = await Promise.all(Array.from({ length: 50 }, (_, i) => {
    buffer[0] = i; // what is sealed is what was there at the call
    return mine.channel.seal(i % 2 ? buffer : new Uint8Array(16000).fill(i));
  }));
  const opened = await Promise.all(frames.map((frame) => theirs.channel.open(frame)));
  assert.deepEqual(opened.map((data) => data[0]), Array.from({ length: 50 }, (_, i) => i));
});
