// What is said of how a call travels, and of who is in it.
import assert from 'node:assert/strict';
import test from 'node:test';
import './fakes/words.mjs';
import { Drawn } from './fakes/view.mjs';
import { tiles } from '../../static/call/screen/view-tiles.js';
import { connectionFacts, pausedText, truthLine } from '../../static/call/screen/view-truth.js';

const truth = { path: 'direct', relay: null, dtls: 'DTLS 1.2', dtlsCipher: '', cipher: '', verified: true };
const peer = (name, patch = {}, of = {}) => ({
  member: name, role: 'guest', name, label: '', state: 'verified', stream: null, video: false, paused: false, muted: false, saving: false,
  quality: 'good', reason: null, truth: { ...truth, ...of }, ...patch,
});
const relayed = (name, relay) => peer(name, {}, { path: 'relay', relay });

/** What stands in the tile of a person. */
function picture(one) {
  const [, row] = tiles([one], [], {}).values; // of the directive that repeats tiles
  const [people, , tile] = row.values;
  return new Drawn(tile(people[0])).text.replace(/^\S+ /, ''); // without the initials
}

test('the line for a call is one whole sentence for each way', () => {
  const cases = [
    [[], 'Nobody is connected'],
    [[peer('Anna', { state: 'failed' })], 'Not connected'],
    [[peer('Anna', {}, { verified: false })], 'Connecting…'],
    [[peer('Anna'), peer('Ben', {}, { dtls: '' }), peer('Cleo', {}, { verified: false })], 'Connecting to Ben and Cleo…'],
    [[peer('Anna')], 'Direct · encrypted · verified'],
    [[peer('Anna', {}, { path: null })], 'Encrypted · verified'],
    [[relayed('Anna', null)], 'Relayed · encrypted · verified'],
    [[relayed('Anna', 'a.test'), relayed('Ben', 'b.test')], 'Relayed · encrypted · verified'],
    [[relayed('Anna', 'a.test'), relayed('Ben', 'a.test')], 'Relayed by a.test, which cannot see or hear you · encrypted · verified'],
    [[relayed('Anna', null), peer('Ben')], 'Relayed (Anna) · encrypted · verified'],
    [[relayed('Anna', 'a.test'), peer('Ben')], 'Relayed by a.test, which cannot see or hear you (Anna) · encrypted · verified'],
  ];
  for (const [peers, line] of cases) assert.equal(truthLine(peers), line);
});

test('who gets no picture is named where others get one', () => {
  const weak = (name) => peer(name, { saving: true });
  const rest = 'is weak, so only your sound is sent for now. Your picture comes back by itself.';
  assert.equal(pausedText([peer('Anna')]), '');
  assert.equal(pausedText([weak('Anna'), weak('Ben')]), `The line ${rest}`);
  assert.equal(pausedText([weak('Anna'), weak('Ben'), peer('Cleo')]), `The line to Anna and Ben ${rest}`);
});

test('why a line is weak is whole beside the picture and in the details', () => {
  const weak = peer('Anna', { quality: 'poor', reason: 'loss-in' });
  assert.match(new Drawn(connectionFacts(weak)).text, /Line Weak Their sound arrives with gaps/);
  assert.match(new Drawn(connectionFacts(peer('Anna'))).text, /Line Good$/);
  for (const reason of ['bandwidth', 'cpu', 'delay', 'frozen', 'loss-in', 'loss-out']) {
    assert.match(picture(peer('Anna', { quality: 'poor', reason })), /^Anna \p{Lu}[^:]+ Connecting to Anna…$/u, reason);
  }
  assert.match(picture(peer('Anna', { quality: 'lost', reason: 'silent' })), /Nothing is arriving/);
  assert.match(picture(peer('Anna', { quality: 'poor' })), /Weak line/);
  assert.match(picture(peer('Anna', { reason: 'held' })), /On hold: nobody sees or hears them/);
});

test('somebody without a name is called what they are', () => {
  assert.match(new Drawn(connectionFacts(peer('', { label: 'Interpreter' }))).text, /^Interpreter /);
  assert.match(new Drawn(connectionFacts(peer(''))).text, /^Guest /);
  assert.match(new Drawn(connectionFacts(peer('', { role: 'host' }))).text, /^Practitioner /);
});
