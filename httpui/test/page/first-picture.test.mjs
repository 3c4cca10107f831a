// When the first picture leaves, and how much of it: as soon as the other end has
// proved itself, and as much as suits the way.
import assert from 'node:assert/strict';
import test, { beforeEach } from 'node:test';
import { World, together, worlds } from './fakes/world.mjs';

/** @type {World} */ let w;
worlds();
beforeEach(() => { w = new World(1); });

/**
 * A guest waits, with all cameras on.
 * @param {(pc: any, proved: () => boolean) => void} change each connection; proved: an end has sent its proof
 */
async function admit(change) {
  const { host, guests: [guest] } = w;
  await w.settle();
  for (const { media } of [host, guest]) await media.start({ audio: true, video: true });
  await w.join(guest);
  let proved = false;
  w.network.intercept = () => (proved = true);
  for (const pc of w.network.pcs) change(pc, () => proved);
  w.admit(guest.member);
  await w.settle();
  together(host, guest);
}

/** What each end sends as its picture. */
const pictures = () => [...w.network.pcs].map(({ transceivers: [, { sender: { track, encoding } }] }) => [track.kind, encoding.active, encoding.scaleResolutionDownBy]);

test('on a slow device a picture waits neither for the sound to be set nor, after the proof, for a look at the way', async () => {
  const never = new Promise(() => {});
  await admit((pc, proved) => {
    const [{ sender: sound }] = pc.transceivers;
    const [getStats, setParameters] = [pc.getStats.bind(pc), sound.setParameters.bind(sound)];
    pc.getStats = () => (proved() ? never : getStats());
    sound.setParameters = (parameters) => (proved() ? never : setParameters(parameters));
  });
  assert.deepEqual(pictures(), [['video', true, 2], ['video', true, 2]]);
});

test('over TCP a picture begins by how late answers come then, and not by how late they came before', async () => {
  await admit((pc, proved) => {
    const getStats = pc.getStats.bind(pc);
    pc.relayProtocol = 'tls';
    pc.getStats = async () => {
      const report = await getStats();
      report.get('P').currentRoundTripTime = proved() ? 0.5 : 0.1;
      return report;
    };
  });
  assert.deepEqual(pictures().map(([, active]) => active), [false, false]);
});

test('over a new connection the picture goes on at once', async () => {
  await admit(() => {});
  await w.advance(4_000);
  const [guest] = w.guests;
  guest.reload();
  await w.settle();
  await w.join(guest);
  together(w.host, guest);
  const [pc] = w.host.connections;
  assert.equal(pc.transceivers[1].sender.encoding.active, true);
});
