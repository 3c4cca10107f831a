// Browsers on the hosts of the bed, and what is watched in them.
import {chmodSync, cpSync, mkdtempSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {chromium} from 'playwright-core';

const program = process.env.CHROMIUM ?? '/usr/bin/chromium';

// Unlike those of e2e: nobody meets on a loopback address here.
const flags = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
];

/** A browser on a host, with a home directory of its own. */
export async function browse(bed, host, authority) {
  const home = mkdtempSync(join(bed.dir, 'home-'));
  cpSync(authority.home, home, {recursive: true});
  const wrapper = join(home, 'browser');
  writeFileSync(wrapper, `#!/bin/sh\nexec ${host.wrap(program).join(' ')} "$@"\n`);
  chmodSync(wrapper, 0o755);
  const browser = await chromium.launch({executablePath: wrapper, args: flags, env: {...process.env, HOME: home}});
  bed.after(() => browser.close());
  return browser;
}

/** Runs in the page before anything else: tells how its connections go. */
export function watchPath() {
  const all = [];
  const events = [];
  const Real = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Real {
    constructor(...args) {
      super(...args);
      const n = all.push(this);
      this.note = (what) => events.push([performance.timeOrigin + performance.now(), `${n} ${what}`]);
      this.addEventListener('icecandidate', ({candidate: c}) => this.note(c ? `found ${c.candidate}${c.url ? ` by ${c.url}` : ''}` : 'found all'));
      this.addEventListener('icecandidateerror', (e) => this.note(`no candidate by ${e.url}: ${e.errorCode} ${e.errorText}`));
      this.addEventListener('iceconnectionstatechange', () => this.note(`ICE ${this.iceConnectionState}`));
      this.addEventListener('connectionstatechange', () => this.note(this.connectionState));
    }

    createDataChannel(...args) {
      const c = super.createDataChannel(...args);
      c.addEventListener('message', () => this.note('gets a proof'), {once: true}); // the first that is said
      return c;
    }

    setRemoteDescription(d) { this.note(`gets ${d?.type}`); return super.setRemoteDescription(d); }

    addIceCandidate(c) { this.note(`gets ${c?.candidate}`); return super.addIceCandidate(c); }

    close() { this.note('closes'); super.close(); }
  };
  /** Both candidates of the pair in use, and how this side reaches its relay. */
  window.path = async () => {
    const pc = all.find((c) => c.connectionState === 'connected');
    if (!pc) return {};
    const stats = await pc.getStats();
    const transport = [...stats.values()].find((r) => r.type === 'transport');
    const pair = stats.get(transport.selectedCandidatePairId);
    const [local, remote] = [stats.get(pair.localCandidateId), stats.get(pair.remoteCandidateId)];
    return {local: local.candidateType, remote: remote.candidateType, protocol: local.relayProtocol ?? local.protocol};
  };
  /** What has come of sound in the newest connection, which is the n-th. */
  window.heard = async () => {
    const report = await all.at(-1).getStats();
    const r = [...report.values()].find((s) => s.type === 'inbound-rtp' && s.kind === 'audio');
    return {n: all.length, packets: r?.packetsReceived ?? 0, concealed: r?.concealedSamples ?? 0, samples: r?.totalSamplesReceived ?? 0};
  };
  /** The fingerprints that the other ends of all connections so far came with. */
  window.theirKeys = () => all.map((c) => /^a=fingerprint:(.*)$/m.exec(c.remoteDescription?.sdp)?.[1]);
  /** What happened, in ms after a moment. */
  window.connectionEvents = (since) => events.filter(([at]) => at > since - 5000).map(([at, what]) => `${Math.round(at - since)} ${what}`).join('\n');
}

/** Runs in a page that is in a call: for how long at most no new frame came from now on. */
export function watchGaps() {
  let [frames, since] = [-1, performance.now()];
  window.longestGap = 0;
  setInterval(async () => {
    const now = (await window.liveStats()).reduce((n, s) => n + s.video, 0);
    window.longestGap = Math.max(window.longestGap, performance.now() - since);
    if (now !== frames) [frames, since] = [now, performance.now()];
  }, 100);
}

/** Runs in a page that is in a call: what it says of the call, and how many pictures it shows, whenever that changes. */
export function watchTruth() {
  window.said = [];
  let last = '';
  const look = () => {
    const verified = /· verified/.test(document.querySelector('.truth-line')?.textContent); // a notice of how it was may still stand beside
    const shown = [...document.querySelectorAll('video[data-participant]')].filter((v) => v.srcObject?.active && v.checkVisibility()).length;
    const now = `${verified} ${shown}`;
    if (now === last) return;
    last = now;
    window.said.push({at: performance.timeOrigin + performance.now(), verified, shown});
  };
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true});
  look();
}

/**
 * Packets of sound a second that came to a person, and the part of what they
 * heard that was made up for those that did not, over some seconds of one connection.
 */
export async function sound(p, seconds) {
  const heard = () => p.page.evaluate(() => window.heard());
  for (let tries = 3; tries > 0; tries--) {
    const before = await heard();
    await p.page.waitForTimeout(seconds * 1000);
    const now = await heard();
    if (now.n !== before.n) continue;
    const samples = now.samples - before.samples;
    return {rate: (now.packets - before.packets) / seconds, madeUp: samples > 0 ? (now.concealed - before.concealed) / samples : 1};
  }
  throw new Error('no connection lasts');
}
