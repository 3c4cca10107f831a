// RTCPeerConnection without a network, stricter than a browser's: it refuses
// what browsers only sometimes refuse, and keeps a record of what was revealed.
import { createHash, randomBytes } from 'node:crypto';
import { FakeTrack } from './media.mjs';
import { parse } from '../../../static/call/sdp.js';

const text = (n) => randomBytes(n).toString('base64').replace(/[^A-Za-z0-9]/g, 'x').slice(0, n);
const hex = (bytes) => [...bytes].map((b) => b.toString(16).padStart(2, '0').toUpperCase()).join(':');
const sha256 = (bytes) => createHash('sha256').update(bytes).digest();
const must = (so, name, why) => {
  if (!so) throw Object.assign(new Error(why), { name });
};

/** All connections of a test, and the network between them. */
export class Network {
  pcs = new Set();
  up = true;
  /** @type {Promise<void> | null} until then no operation goes on */ busyBrowser = null;
  /** @type {(channel: any, data: any) => boolean} whether what a page says travels */ intercept = () => true;
  /** @type {(pc: any, what: string) => void} */ onReveal = () => {};
  #pending = 0;

  /** @returns {any} a constructor for platform.rtc, whose connections belong to owner */
  connections(owner) {
    const network = this;
    return class extends FakePeerConnection {
      constructor(config) {
        super(config, network, owner);
      }
    };
  }

  /** Runs step after everything that runs now. */
  later(step) {
    this.#pending++;
    setImmediate(() => {
      this.#pending--;
      step();
    });
  }

  get busy() {
    return this.#pending > 0;
  }

  /** Connects whoever can be connected now. */
  match() {
    for (const a of this.pcs) {
      if (a.partner || a.signalingState !== 'stable' || !a.remoteSession || !this.up) continue;
      for (const b of this.pcs) {
        if (b === a || b.partner || b.signalingState !== 'stable' || !b.remoteSession) continue;
        const agreed = a.remoteSession.ufrag === b.ufrag && b.remoteSession.ufrag === a.ufrag && a.remoteSession.pwd === b.pwd && b.remoteSession.pwd === a.pwd;
        const found = a.remoteCandidates > 0 || b.remoteCandidates > 0;
        if (agreed && found) {
          this.#join(a, b);
          break;
        }
      }
    }
  }

  #join(a, b) {
    a.partner = b;
    b.partner = a;
    this.later(() => {
      if (a.partner !== b || b.partner !== a) return;
      const trusted = (x, y) => hex(sha256(y.certificate.der)) === hex(x.remoteSession.fingerprint);
      const state = trusted(a, b) && trusted(b, a) ? 'connected' : 'failed';
      for (const pc of [a, b]) pc.setConnectionState(state);
      if (state === 'connected') for (const pc of [a, b]) pc.channel?.opened();
    });
  }

  /** Nothing gets through any more. */
  cut() {
    this.up = false;
    for (const pc of this.pcs) {
      if (!pc.partner) continue;
      pc.lost = pc.partner;
      pc.partner = null;
      this.later(() => pc.connectionState === 'connected' && pc.setConnectionState('disconnected'));
    }
  }

  /** Paths are there again; only new ICE credentials find them. */
  restore() {
    this.up = true;
    this.match();
  }
}

class FakeChannel extends EventTarget {
  readyState = 'connecting';
  bufferedAmount = 0;
  binaryType = 'blob';

  constructor(pc) {
    super();
    this.pc = pc;
  }

  opened() {
    if (this.readyState !== 'connecting') return;
    this.readyState = 'open';
    this.dispatchEvent(new Event('open'));
  }

  send(data) {
    must(this.readyState === 'open', 'InvalidStateError', 'channel is not open');
    must(this.binaryType === 'arraybuffer', 'TypeError', 'blobs arrive out of order');
    if (this.pc.network.intercept(this, data)) this.raw(data);
  }

  /** Sends, whatever the network thinks of it. */
  raw(data) {
    const copy = typeof data === 'string' ? data : Uint8Array.from(data).buffer;
    this.pc.network.later(() => {
      const to = (this.pc.partner ?? null)?.channel;
      if (to?.readyState === 'open') to.dispatchEvent(Object.assign(new Event('message'), { data: copy }));
    });
  }

  closed() {
    if (this.readyState === 'closed') return;
    this.readyState = 'closed';
    this.dispatchEvent(new Event('close'));
  }
}

class FakeSender {
  track = null;
  constructor(pc, kind) {
    this.pc = pc;
    this.kind = kind;
  }
  async replaceTrack(track) {
    await null;
    must(this.pc.signalingState !== 'closed', 'InvalidStateError', 'closed');
    must(!track || track.kind === this.kind, 'TypeError', 'another kind');
    this.track = track;
  }
  encoding = {};
  getParameters() {
    const codecs = { audio: ['audio/opus'], video: ['video/VP8', 'video/rtx', 'video/H264'] }[this.kind].map((mimeType) => ({ mimeType }));
    // A browser names the codec that is in use first.
    codecs.sort((a, b) => (b.mimeType === this.encoding.codec?.mimeType) - (a.mimeType === this.encoding.codec?.mimeType));
    return { encodings: [{ ...this.encoding }], codecs, transactionId: '1' };
  }
  async setParameters(parameters) {
    must(parameters.transactionId === '1' && parameters.encodings.length === 1, 'InvalidModificationError', 'not the parameters');
    const { codec } = parameters.encodings[0];
    must(!codec || this.getParameters().codecs.some((c) => c.mimeType === codec.mimeType), 'InvalidModificationError', 'not a negotiated codec');
    [this.encoding] = parameters.encodings;
  }
}

class FakeTransceiver {
  direction = 'sendrecv';
  mid = null;
  constructor(pc, kind) {
    this.sender = new FakeSender(pc, kind);
    this.receiver = { track: new FakeTrack(kind, 'remote') };
    FakeTrack.live.delete(this.receiver.track);
  }
  setCodecPreferences() {}
}

class FakePeerConnection extends EventTarget {
  static async generateCertificate(algorithm) {
    must(algorithm.name === 'ECDSA' && algorithm.namedCurve === 'P-256', 'NotSupportedError', 'algorithm');
    const der = randomBytes(48);
    return { der, getFingerprints: () => [{ algorithm: 'sha-256', value: hex(sha256(der)).toLowerCase() }] };
  }

  signalingState = 'stable';
  connectionState = 'new';
  localDescription = null;
  remoteSession = null;
  remoteCandidates = 0;
  taken = []; // every candidate that it was given
  transceivers = [];
  partner = null;
  channel = null;
  id = String(BigInt(`0x${randomBytes(7).toString('hex')}`));
  version = 0;
  bytes = 0;
  uplink = 1_000_000; // bits per second, as it is told while a picture is sent
  framesSent = 0;
  relayProtocol = ''; // "tls": by which this end reaches its relay
  remoteText = ''; // what the other end is said to have said

  constructor(config, network, owner) {
    super();
    must(config.bundlePolicy === 'max-bundle' && config.rtcpMuxPolicy === 'require' && config.certificates?.length === 1, 'TypeError', 'configuration');
    Object.assign(this, { config, network, owner, certificate: config.certificates[0] });
    this.#newCredentials();
    network.pcs.add(this);
  }

  get sctp() {
    const der = this.connectionState === 'connected' ? this.partner?.certificate.der : null;
    return { transport: { getRemoteCertificates: () => (der ? [Uint8Array.from(der).buffer] : []) } };
  }

  getTransceivers() {
    return [...this.transceivers];
  }

  getConfiguration() {
    return this.config;
  }

  setConfiguration(config) {
    must(config.certificates[0] === this.certificate, 'InvalidModificationError', 'certificates');
    this.config = config;
  }

  createDataChannel(label, { negotiated, id }) {
    must(label === 'c0' && negotiated && id === 0 && !this.channel, 'TypeError', 'channel');
    this.channel = new FakeChannel(this);
    return this.channel;
  }

  addTransceiver(kind, { direction }) {
    must(direction === 'sendrecv' && !this.remoteSession, 'InvalidStateError', 'transceivers of the offerer only, before the offer');
    const t = new FakeTransceiver(this, kind);
    this.transceivers.push(t);
    return t;
  }

  async createOffer({ iceRestart = false } = {}) {
    await this.#turn();
    must(this.signalingState !== 'have-remote-offer', 'InvalidStateError', 'createOffer');
    if (iceRestart) this.restarting = true;
    return { type: 'offer', sdp: null };
  }

  async setLocalDescription(description) {
    await this.#turn();
    const type = description?.type ?? (this.signalingState === 'have-remote-offer' ? 'answer' : 'offer');
    must(type === 'answer' ? this.signalingState === 'have-remote-offer' : this.signalingState !== 'have-remote-offer', 'InvalidStateError', `local ${type}`);
    if (type === 'offer') this.before ??= { ufrag: this.ufrag, pwd: this.pwd };
    if (this.restarting || (type === 'answer' && this.remoteRestarted)) {
      this.#newCredentials();
      this.restarting = this.remoteRestarted = false;
    }
    if (type === 'answer') must(this.transceivers.every((t) => t.direction === 'sendrecv'), 'InvalidStateError', 'one-way answer');
    this.version++;
    this.gathered = [];
    this.localType = type;
    this.localDescription = { type, sdp: this.#sdp() };
    this.#setSignaling(type === 'offer' ? 'have-local-offer' : 'stable');
    for (const port of [40_000, 40_001]) this.network.later(() => this.#gather(port, this.ufrag));
  }

  async setRemoteDescription({ type, sdp }) {
    await this.#turn();
    const session = parse(sdp);
    if (type === 'offer') {
      must(this.signalingState === 'stable' || this.signalingState === 'have-local-offer', 'InvalidStateError', 'remote offer');
      if (this.signalingState === 'have-local-offer') {
        must(this.remoteSession, 'InvalidStateError', 'transceivers of an offer that is rolled back are left behind');
        Object.assign(this, this.before); // rollback
      }
      this.before = null;
      if (this.remoteSession) {
        must(session.id === this.remoteSession.id, 'InvalidAccessError', 'another session');
        this.remoteRestarted = session.ufrag !== this.remoteSession.ufrag;
      }
      for (const s of session.sections) {
        if (s.kind === 'application' || this.transceivers.some((t) => t.mid === s.mid)) continue;
        const t = new FakeTransceiver(this, s.kind);
        t.mid = s.mid;
        t.direction = 'recvonly';
        this.transceivers.push(t);
      }
    } else {
      must(this.signalingState === 'have-local-offer', 'InvalidStateError', 'remote answer');
      must(session.setup !== 'actpass', 'InvalidAccessError', 'answer without a part');
      this.before = null;
    }
    must(session.candidates.length === 0, 'TypeError', 'candidates come one by one');
    if (this.remoteSession?.ufrag !== session.ufrag) {
      this.remoteCandidates = 0;
      this.#unplug();
    }
    this.remoteSession = session;
    this.remoteText = sdp;
    this.#setSignaling(type === 'offer' ? 'have-remote-offer' : 'stable');
    this.network.later(() => this.network.match());
  }

  async addIceCandidate({ candidate, sdpMid, usernameFragment }) {
    await this.#turn();
    must(this.remoteSession, 'InvalidStateError', 'candidate before description');
    must(usernameFragment === this.remoteSession.ufrag && sdpMid === this.remoteSession.sections[0].mid, 'OperationError', 'candidate of another session');
    must(candidate.startsWith('candidate:'), 'TypeError', 'candidate');
    this.remoteCandidates++;
    this.taken.push(candidate);
    this.network.onReveal(this, 'check'); // from now on this end sends checks to the other
    this.network.later(() => this.network.match());
  }

  async getStats() {
    await null;
    if (this.partner && this.connectionState === 'connected') this.bytes += 1000;
    const at = { timestamp: Date.now() };
    const active = this.sending.some((t) => t.kind === 'video') && this.transceivers.some(({ sender }) => sender.kind === 'video' && sender.encoding.active);
    if (active) this.framesSent += 12;
    return new Map(Object.entries({
      T: { id: 'T', type: 'transport', ...at, selectedCandidatePairId: 'P', tlsVersion: 'FEFC', dtlsCipher: 'X', srtpCipher: 'Y' },
      P: { id: 'P', type: 'candidate-pair', ...at, bytesReceived: this.bytes, availableOutgoingBitrate: this.uplink, localCandidateId: 'L', remoteCandidateId: 'R' },
      L: { id: 'L', type: 'local-candidate', ...(this.relayProtocol ? { candidateType: 'relay', relayProtocol: this.relayProtocol } : { candidateType: 'host' }) },
      R: { id: 'R', type: 'remote-candidate', candidateType: 'host' },
      V: { id: 'V', type: 'outbound-rtp', kind: 'video', active, framesSent: this.framesSent },
    }));
  }

  close() {
    if (this.signalingState === 'closed') return;
    this.signalingState = this.connectionState = 'closed';
    this.channel?.closed();
    this.network.pcs.delete(this);
    const partner = this.partner;
    this.#unplug();
    if (partner) {
      this.network.later(() => {
        partner.channel?.closed();
        if (partner.connectionState === 'connected') partner.setConnectionState('disconnected');
      });
    }
  }

  setConnectionState(state) {
    if (this.connectionState === 'closed' || this.connectionState === state) return;
    this.connectionState = state;
    this.dispatchEvent(new Event('connectionstatechange'));
  }

  /** What flows to the other end now. */
  get sending() {
    return this.transceivers.map((t) => t.sender.track).filter((t) => t !== null);
  }

  #unplug() {
    if (this.partner) this.partner.partner = null;
    this.partner = null;
  }

  #gather(port, ufrag) {
    if (this.signalingState === 'closed' || ufrag !== this.ufrag) return;
    const line = `candidate:${port} 1 udp 1 192.0.2.${port % 250} ${port} typ host`;
    this.gathered.push(line);
    this.localDescription = { type: this.localType, sdp: this.#sdp() };
    this.dispatchEvent(Object.assign(new Event('icecandidate'), { candidate: { candidate: line, sdpMid: '0', usernameFragment: ufrag } }));
  }

  #setSignaling(state) {
    this.signalingState = state;
    if (state === 'stable') this.network.later(() => this.network.match());
  }

  #newCredentials() {
    this.ufrag = text(8);
    this.pwd = text(24);
    if (this.network) this.#unplug();
  }

  /** As in browsers: an operation under way when the connection is closed never ends. */
  async #turn() {
    must(this.signalingState !== 'closed', 'InvalidStateError', 'closed');
    await null;
    await this.network.busyBrowser;
    if (this.signalingState === 'closed') await new Promise(() => {});
  }

  #sdp() {
    const kinds = this.transceivers.map((t) => t.sender.kind);
    must(kinds.join() === 'audio,video', 'InvalidStateError', 'sections');
    const transport = [`a=ice-ufrag:${this.ufrag}`, `a=ice-pwd:${this.pwd}`, `a=fingerprint:sha-256 ${hex(sha256(this.certificate.der))}`,
      `a=setup:${this.localType === 'offer' ? 'actpass' : 'active'}`];
    this.transceivers.forEach((t, i) => (t.mid ??= String(i)));
    return [
      'v=0', `o=- ${this.id} ${this.version} IN IP4 127.0.0.1`, 's=-', 't=0 0', 'a=group:BUNDLE 0 1 2',
      'm=audio 9 UDP/TLS/RTP/SAVPF 111', 'a=mid:0', 'a=sendrecv', 'a=rtcp-mux', 'a=rtpmap:111 opus/48000/2', ...transport, ...this.gathered.map((c) => `a=${c}`),
      'm=video 9 UDP/TLS/RTP/SAVPF 96', 'a=mid:1', 'a=sendrecv', 'a=rtcp-mux', 'a=rtpmap:96 VP8/90000', ...transport,
      'm=application 9 UDP/DTLS/SCTP webrtc-datachannel', 'a=mid:2', 'a=sctp-port:5000', ...transport, '',
    ].join('\r\n');
  }
}
