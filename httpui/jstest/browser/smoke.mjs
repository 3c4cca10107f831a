// Two calls in a real Chromium, and how long admission takes against a
// connection made by hand. Run by hand: node jstest/browser/smoke.mjs
import { readFileSync } from 'node:fs';
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { serve } from './serve.mjs';

const link = JSON.parse(readFileSync(new URL('../../../rendezvous/testdata/ar1-vectors.json', import.meta.url), 'utf8')).vectors[0].link;
const rounds = Number(process.argv[2] ?? 7);
const seal = new URL('../../static/seal.js', import.meta.url);
const site = await serve(existsSync(seal) ? {} : { '/static/seal.js': process.env.SEAL_STUB });
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
    '--autoplay-policy=no-user-gesture-required', '--allow-loopback-in-peer-connection'],
});
try {
  const page = await browser.newPage();
  page.on('console', (m) => console.log('page:', m.text()));
  page.on('pageerror', (err) => console.log('page error:', err.message, err.stack));
  await page.goto(`${site.origin}/jstest/browser/page.html`);
  await page.waitForFunction('globalThis.ready');
  const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
  const rows = [];
  for (let i = 0; i < rounds; i++) {
    const byHand = await page.evaluate('floor()');
    const admitted = await page.evaluate((l) => globalThis.admission(l), link);
    rows.push({ byHand, admitted });
    if (process.env.ROWS) console.log(byHand, admitted.host, admitted.guest, admitted.verified);
    if (i === 0) console.log(JSON.stringify(admitted, null, 1));
  }
  const of = (pick) => Math.round(median(rows.map(pick)));
  console.log('by hand      caller', of((r) => r.byHand.caller), 'callee', of((r) => r.byHand.callee), 'ms');
  console.log('admission    host', of((r) => r.admitted.host), 'guest', of((r) => r.admitted.guest), 'verified', of((r) => r.admitted.verified), 'ms');
} finally {
  await browser.close();
  site.close();
}
