// Browsers on the hosts of the bed, and the authority that they believe.
import {chmodSync, cpSync, mkdirSync, mkdtempSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {chromium} from 'playwright-core';
import {run} from './bed.mjs';

const program = process.env.CHROMIUM ?? '/usr/bin/chromium';

// Unlike those of e2e: nobody meets on a loopback address here.
const flags = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
];

/** A certificate authority, and a home directory whose browsers believe it. */
export class Authority {
  constructor(dir) {
    this.dir = mkdtempSync(join(dir, 'ca-'));
    this.home = join(this.dir, 'home');
    const db = join(this.home, '.pki/nssdb');
    mkdirSync(db, {recursive: true});
    this.#openssl('ca', '/CN=Test bed', 'basicConstraints=critical,CA:true', 'keyUsage=critical,keyCertSign');
    run('certutil', ['-N', '--empty-password', '-d', `sql:${db}`]);
    run('certutil', ['-A', '-d', `sql:${db}`, '-n', 'test bed', '-t', 'C,,', '-i', this.#file('ca.pem')]);
  }

  /** Issues a certificate: {cert, key} are PEM files. */
  issue(name) {
    this.#openssl(name, `/CN=${name}`, `subjectAltName=DNS:${name}`, 'basicConstraints=critical,CA:false');
    return {cert: this.#file(`${name}.pem`), key: this.#file(`${name}.key`)};
  }

  #file(name) { return join(this.dir, name); }

  #openssl(name, subject, ...extensions) {
    const signer = name === 'ca' ? [] : ['-CA', this.#file('ca.pem'), '-CAkey', this.#file('ca.key')];
    run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-days', '2', '-subj', subject,
      ...extensions.flatMap((e) => ['-addext', e]), ...signer, '-keyout', this.#file(`${name}.key`), '-out', this.#file(`${name}.pem`)]);
  }
}

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

/** Marks the first frame of somebody else's picture, and the last click. */
export function watchFirstFrame() {
  window.firstFrame = new Promise((done) => {
    const seen = new WeakSet();
    const look = () => {
      for (const v of document.querySelectorAll('video[data-participant]')) {
        if (seen.has(v)) continue;
        seen.add(v);
        v.requestVideoFrameCallback((now) => done(performance.timeOrigin + now));
      }
    };
    new MutationObserver(look).observe(document, {subtree: true, childList: true});
    look();
  });
  document.addEventListener('click', () => { window.clicked = performance.timeOrigin + performance.now(); }, true);
}
