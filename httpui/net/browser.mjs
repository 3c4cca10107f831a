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

    setRemoteDescription(d) { this.note(`gets ${d?.type}`); return super.setRemoteDescription(d); }

    addIceCandidate(c) { this.note(`gets ${c?.candidate}`); return super.addIceCandidate(c); }

    close() { this.note('closes'); super.close(); }
  };
  /** Both candidates of the pair in use, and how this side reaches its relay. */
  window.path = async () => {
    const pc = all.find((c) => c.connectionState === 'connected');
    const stats = await pc.getStats();
    const transport = [...stats.values()].find((r) => r.type === 'transport');
    const pair = stats.get(transport.selectedCandidatePairId);
    const [local, remote] = [stats.get(pair.localCandidateId), stats.get(pair.remoteCandidateId)];
    return {local: local.candidateType, remote: remote.candidateType, protocol: local.relayProtocol ?? local.protocol};
  };
  /** What came of sound, in the connection that is up. */
  window.heard = async () => {
    const r = [...(await all.find((c) => c.connectionState === 'connected').getStats()).values()].find((s) => s.type === 'inbound-rtp' && s.kind === 'audio');
    return {packets: r.packetsReceived, concealed: r.concealedSamples, samples: r.totalSamplesReceived};
  };
  /** What happened, in ms after a moment. */
  window.connectionEvents = (since) => events.filter(([at]) => at > since - 5000).map(([at, what]) => `${Math.round(at - since)} ${what}`).join('\n');
}
