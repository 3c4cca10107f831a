// A practitioner's and a guest's call in one page, with a home node between
// them, and the same two ends connected by hand: the floor.
import { GuestCall, HostCall } from '../../../static/call/call.js';
import { Media } from '../../../static/call/media.js';
import { Home, clearHandshake } from '../fakes/home.mjs';
import { fakeWebSocket } from '../fakes/websocket.mjs';

export const until = async (what, ms = 15_000) => {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    const value = await what();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error(`timed out: ${what}`);
};

/** Every connection that is made here, to look inside. */
export const connections = [];
class Watched extends RTCPeerConnection {
  constructor(config) {
    super(config);
    connections.push(this);
  }
}

export const frames = async (pc) => {
  let decoded = 0;
  (await pc.getStats()).forEach((s) => (decoded += s.type === 'inbound-rtp' && s.kind === 'video' ? s.framesDecoded ?? 0 : 0));
  return decoded;
};

const firstFrame = async (pc) => {
  await until(async () => pc.connectionState !== 'closed' && (await frames(pc)) > 0);
  return performance.now();
};

export function world(links) {
  const home = new Home();
  const platform = {
    WebSocket: fakeWebSocket((remote, socket) => home.accept(remote, socket)),
    handshake: clearHandshake,
    rtc: Watched,
  };
  const tab = { getItem: () => null, setItem() {}, removeItem() {} };
  const made = { home, guests: [], hostMedia: new Media() };
  made.host = new HostCall({ appointment: 'a', token: 't', tab: new Uint8Array(16), origin: location.origin, media: made.hostMedia, platform });
  for (const fragment of links) {
    const media = new Media();
    made.guests.push({ media, call: new GuestCall({ fragment, origin: location.origin, media, storage: tab, platform }) });
  }
  return made;
}

/** Lets one guest in and says how long each side waited for the other's picture. */
export async function admission(link) {
  const before = connections.length;
  const w = world([link]);
  const [{ call, media }] = w.guests;
  await w.hostMedia.start({ audio: true, video: true });
  await media.start({ audio: true, video: true });
  w.host.start();
  call.open();
  await until(() => call.snapshot.phase === 'ready' && w.host.snapshot.phase === 'attending');
  call.join('Ada');
  await until(() => w.host.snapshot.waiting.length === 1 && connections.length === before + 2 && connections.at(-1).signalingState === 'stable');
  await new Promise((resolve) => setTimeout(resolve, 500)); // as long as nobody admits faster
  const sending = connections.slice(before).flatMap((pc) => pc.getSenders()).filter((s) => s.track).length;
  const [guestPc, hostPc] = connections.slice(before);
  const candidatesEarly = [...(await hostPc.getStats()).values()].filter((s) => s.type === 'remote-candidate').length;

  const start = performance.now();
  w.host.admit(w.host.snapshot.waiting[0].member);
  const shown = until(() => w.host.snapshot.peers[0]?.stream && call.snapshot.peers[0]?.stream).then(() => performance.now());
  const [atHost, atGuest] = await Promise.all([firstFrame(hostPc), firstFrame(guestPc)]);
  const verified = await shown;
  const more = await frames(hostPc);
  await until(async () => (await frames(hostPc)) > more + 10);
  await until(() => w.host.snapshot.peers[0].truth.path !== null && call.snapshot.peers[0].truth.path !== null);
  w.host.sendChat('hello <b>there</b>');
  await until(() => call.snapshot.chat.length === 1);
  const result = {
    host: atHost - start, guest: atGuest - start, verified: verified - start, sending, candidatesEarly,
    peer: call.snapshot.peers[0], line: call.snapshot.chat[0], violations: w.home.violations,
  };
  result.peer = { ...result.peer, stream: result.peer.stream.getTracks().map((t) => t.kind) };
  const tracks = [...w.hostMedia.snapshot.stream.getTracks(), ...media.snapshot.stream.getTracks()];
  call.leave();
  w.host.end();
  w.hostMedia.stop();
  result.live = tracks.filter((t) => t.readyState === 'live').length;
  result.open = connections.slice(before).filter((pc) => pc.connectionState !== 'closed').length;
  connections.length = before;
  return result;
}

/** The same two ends, connected by hand: cold, trickle, max-bundle, tracks at hand. */
export async function floor() {
  const config = { bundlePolicy: 'max-bundle' };
  const [a, b] = [new RTCPeerConnection(config), new RTCPeerConnection(config)];
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 1280, height: 720, frameRate: 30 } });
  const other = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 1280, height: 720, frameRate: 30 } });
  await new Promise((resolve) => setTimeout(resolve, 500));
  const start = performance.now();
  for (const [from, to] of [[a, b], [b, a]]) from.onicecandidate = ({ candidate }) => candidate && to.addIceCandidate(candidate);
  for (const track of stream.getTracks()) a.addTrack(track, stream);
  for (const track of other.getTracks()) b.addTrack(track, other);
  await a.setLocalDescription();
  await b.setRemoteDescription(a.localDescription);
  await b.setLocalDescription();
  await a.setRemoteDescription(b.localDescription);
  const [caller, callee] = await Promise.all([firstFrame(a), firstFrame(b)]);
  a.close();
  b.close();
  for (const track of [...stream.getTracks(), ...other.getTracks()]) track.stop();
  return { caller: caller - start, callee: callee - start };
}

Object.assign(globalThis, { admission, floor, world, until, frames, connections, ready: true });
