// Two calls in a real Chromium, with a home node between them, and how long an
// admission takes against a connection made by hand.
//
//	node httpui/test/page/browser/smoke.mjs [rounds]
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { serve } from './serve.mjs';

const link = JSON.parse(readFileSync(new URL('../../../../rendezvous/testdata/ar1-vectors.json', import.meta.url), 'utf8')).vectors[0].link;
const rounds = Number(process.argv[2] ?? 7);
const site = await serve();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
    '--autoplay-policy=no-user-gesture-required', '--allow-loopback-in-peer-connection'],
});
try {
  const page = await browser.newPage();
  const errors = [];
  page.on('pageerror', (err) => errors.push(err.message));
  await page.goto(`${site.origin}/test/page/browser/page.html`);
  await page.waitForFunction('globalThis.ready');
  const rows = [];
  for (let i = 0; i < rounds; i++) {
    const byHand = await page.evaluate('floor()');
    const admitted = await page.evaluate((l) => globalThis.admission(l), link);
    check(admitted);
    rows.push({ ...byHand, ...admitted });
  }
  assert.deepEqual(errors, []);
  const median = (key) => Math.round(rows.map((r) => r[key]).toSorted((a, b) => a - b)[Math.floor(rounds / 2)]);
  console.log('first remote frame, medians of', rounds, 'in ms');
  console.log('  by hand    caller', median('caller'), ' callee', median('callee'));
  console.log('  admission  host  ', median('host'), ' guest ', median('guest'), ' both verified', median('verified'));
  const { state, truth } = rows[0].peer;
  console.log(' ', state, truth.path, truth.dtls, truth.dtlsCipher, truth.cipher);
} finally {
  await browser.close();
  site.close();
}

function check(admitted) {
  const { sending, candidatesEarly, violations, live, open, peer, line } = admitted;
  assert.deepEqual({ sending, candidatesEarly, violations }, { sending: 0, candidatesEarly: 0, violations: [] }, 'before admission');
  assert.deepEqual({ state: peer.state, stream: peer.stream, path: peer.truth.path }, { state: 'verified', stream: ['audio', 'video'], path: 'direct' });
  assert.equal(line.text, 'hello <b>there</b>');
  assert.deepEqual({ live, open }, { live: 0, open: 0 }, 'after the call');
}
