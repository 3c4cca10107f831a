// What the practitioner decided, until the home node says the same.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Intents } from '../../static/call/intents.js';

const A = 'a'.repeat(16);
const B = 'b'.repeat(16);
const entry = (member, state) => ({ member, role: /** @type {const} */ ('guest'), state, since: 1, alarm: false });
const host = { member: 'host', role: /** @type {const} */ ('host'), state: 'admitted', since: 1, alarm: false };
const types = (told) => told.map(({ type }) => type);

test('an order stands until a roster confirms it, and is said again on each new connection', () => {
  for (const [order, before, after, message] of [
    ['hold', 'admitted', 'held', { type: 'hold', body: { member: A, on: true } }],
    ['resume', 'held', 'admitted', { type: 'hold', body: { member: A, on: false } }],
    ['remove', 'admitted', null, { type: 'remove', body: { member: A } }],
    ['deny', 'waiting', null, { type: 'deny', body: { member: A } }],
  ]) {
    const intents = new Intents();
    assert.deepEqual(intents.order(A, order), message);
    for (let lost = 0; lost < 2; lost++) {
      assert.deepEqual(intents.resume(false), [message]);
      intents.confirm([host, entry(A, before)], false);
      assert.equal(intents.settled, false, order);
    }
    intents.confirm(after ? [host, entry(A, after)] : [host], false);
    assert.equal(intents.settled, true, order);
    assert.deepEqual(intents.resume(false), []);
  }
});

test('the last of several orders counts', () => {
  const intents = new Intents();
  intents.order(A, 'hold');
  intents.order(A, 'resume');
  assert.equal(intents.holds(A, true), false);
  intents.confirm([entry(A, 'held')], false);
  assert.equal(intents.settled, false);
  assert.equal(intents.ordered(entry(A, 'held')).state, 'admitted');
  intents.order(A, 'hold');
  assert.equal(intents.ordered(entry(A, 'admitted')).state, 'held');
  assert.deepEqual([intents.holds(A, false), intents.holds(B, true), intents.holds(B, false)], [true, true, false]);
});

test('who was sent away is no guest any more, and their admission is void', () => {
  const intents = new Intents();
  intents.admit(A, true);
  intents.order(A, 'remove');
  assert.equal(intents.admits(A), false);
  assert.deepEqual(intents.guests([host, entry(A, 'waiting'), entry(B, 'waiting')]).map((m) => m.member), [B]);
  assert.deepEqual(intents.confirm([entry(A, 'waiting')], false), { waiting: [], gone: [] }, 'and nobody is told that they are gone');
});

test('who is let in is asked for until a roster says that they are in, or gone', () => {
  const intents = new Intents();
  intents.admit(A, false);
  assert.deepEqual(intents.confirm([entry(A, 'waiting')], false), { waiting: [A], gone: [] });
  intents.admit(A, true);
  assert.deepEqual(intents.confirm([entry(A, 'waiting')], false), { waiting: [], gone: [] }, 'a roster that was on its way');
  intents.resume(false);
  assert.equal(intents.admits(A), false, 'on the new connection nothing was said');
  assert.deepEqual(intents.confirm([entry(A, 'waiting')], false), { waiting: [A], gone: [] });
  assert.deepEqual(intents.confirm([entry(A, 'admitted')], false), { waiting: [], gone: [] });
  assert.equal(intents.settled, true);
  intents.admit(B, true);
  assert.deepEqual(intents.confirm([], false), { waiting: [], gone: [B] });
});

test('who is on their way in can be put on hold, who only waits cannot', () => {
  const intents = new Intents();
  intents.admit(A, true);
  for (const member of [A, B]) intents.order(member, 'hold');
  intents.confirm([entry(A, 'waiting'), entry(B, 'waiting')], false);
  assert.deepEqual([intents.orderOf(A)?.type, intents.orderOf(B)], ['hold', null]);
});

test('a refusal is of those whom the node was told to let in', () => {
  const intents = new Intents();
  intents.admit(A, false);
  assert.equal(intents.refused(), false);
  intents.admit(B, true);
  assert.equal(intents.refused(), true);
  assert.deepEqual([intents.admits(B), intents.settled], [false, false]);
});

test('who was stepped out of stays outside until a roster has them waiting or gone', () => {
  const intents = new Intents();
  intents.admit(B, true);
  assert.deepEqual(intents.stepOut('end', [host, entry(A, 'held'), entry('c'.repeat(16), 'waiting')]), { type: 'end', body: {} });
  assert.deepEqual([A, B, 'c'.repeat(16), 'host'].map((m) => intents.hasLeft(m)), [true, true, false, false]);
  assert.deepEqual(types(intents.resume(false)), ['end']);
  intents.confirm([host, entry(A, 'held'), entry(B, 'waiting')], false);
  assert.deepEqual([intents.hasLeft(A), intents.hasLeft(B)], [true, false]);
  intents.confirm([host], false);
  assert.equal(intents.settled, true);
});

test('a lock is kept from a node that has forgotten it', () => {
  const intents = new Intents();
  assert.deepEqual(intents.setLock(true), { type: 'lock', body: { on: true } });
  intents.confirm([], false);
  assert.equal(intents.lock, true);
  intents.confirm([], true);
  assert.deepEqual([intents.lock, intents.settled], [null, true]);
  assert.deepEqual(types(intents.resume(true)), ['lock'], 'it was locked when the connection was lost');
  const open = new Intents();
  open.setLock(false);
  assert.deepEqual(open.resume(true), [{ type: 'lock', body: { on: false } }], 'unless it was unlocked meanwhile');
});
