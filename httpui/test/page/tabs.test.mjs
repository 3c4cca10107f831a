// Which of a browser's tabs is in the seat.
import assert from 'node:assert/strict';
import test from 'node:test';
import { GuestTab } from '../../static/guest/guest-tab.js';
import { Tabs } from '../../static/guest/tabs.js';
import { Ticket } from '../../static/guest/ticket.js';
import { turn } from './fakes/clock.mjs';

/** One browser: the locks that its tabs share. */
class Browser {
  #held = new Map();
  locks = {
    request: (name, { signal }, act) =>
      new Promise((done, fail) => {
        const start = () => {
          if (signal.aborted) return;
          const turn = Promise.resolve(act({ name })).finally(() => {
            this.#held.get(name).shift();
            this.#held.get(name)[0]?.();
          });
          turn.then(done, fail);
        };
        signal.addEventListener('abort', () => {
          const queue = this.#held.get(name);
          const i = queue.indexOf(start);
          if (i > 0) queue.splice(i, 1);
          if (i !== 0) fail(signal.reason);
        });
        const queue = this.#held.get(name) ?? this.#held.set(name, []).get(name);
        if (queue.push(start) === 1) start();
      }),
  };
  channels = new Set();
  Channel = (() => {
    const { channels } = this;
    return class {
      constructor(name) {
        this.name = name;
        channels.add(this);
      }
      postMessage(data) {
        const copy = structuredClone(data);
        for (const other of channels) if (other !== this && other.name === this.name) setImmediate(() => channels.has(other) && other.onmessage?.({ data: copy }));
      }
      close() {
        channels.delete(this);
      }
    };
  })();

  /** A tab at this seat. */
  open(name, handed = { resume: new Uint8Array(32).fill(7), name: 'Ada' }) {
    const tab = { asked: 0, taken: 0 };
    tab.tabs = new Tabs(name, { onAsked: () => (tab.asked++, handed), onTaken: () => tab.taken++, locks: this.locks, Channel: this.Channel });
    return tab;
  }
}

test('the second tab is told, and no other seat is', async () => {
  const browser = new Browser();
  const [a, b, c] = ['seat', 'seat', 'other'].map((name) => browser.open(name));
  assert.equal(await a.tabs.taken(), false);
  assert.equal(await a.tabs.sit(), true);
  assert.equal(await a.tabs.taken(), false, 'it is its own');
  assert.equal(await b.tabs.taken(), true);
  assert.equal(await b.tabs.sit(), false);
  assert.equal(await c.tabs.sit(), true);
  await turn();
  assert.deepEqual([a.taken, b.taken, c.taken], [0, 1, 0], 'who only looks on hears that somebody has sat down');
  a.tabs.leave();
  assert.equal(await b.tabs.sit(), true);
});

test('a tab that asks is given the seat, and what takes it again', async () => {
  const browser = new Browser();
  const [a, b] = [browser.open('seat'), browser.open('seat')];
  await a.tabs.sit();
  const handed = await b.tabs.take();
  assert.deepEqual([handed.name, handed.resume[0], a.asked, b.asked], ['Ada', 7, 1, 0]);
  assert.equal(await a.tabs.taken(), true, 'the roles have changed');
});

test('a tab that does not answer is waited for, not robbed', async () => {
  const browser = new Browser();
  const [a, b] = [browser.open('seat'), browser.open('seat')];
  await a.tabs.sit();
  for (const channel of browser.channels) channel.onmessage = null;
  assert.equal(await b.tabs.take(), null);
  assert.equal(await b.tabs.sit(), false);
});

test('a tab that is loaded again finds its own seat free', async () => {
  const browser = new Browser();
  const before = browser.open('seat');
  await before.tabs.sit();
  const after = browser.open('seat');
  const taken = after.tabs.taken();
  setImmediate(() => before.tabs.close()); // a moment later than the page is back
  assert.equal(await taken, false);
});

for (const [how, options] of Object.entries({
  'has no locks': { locks: null },
  'has no channels': { Channel: null },
  'refuses locks': { locks: { request: () => Promise.reject(new DOMException('x', 'SecurityError')) } },
  'refuses channels': { Channel: class { constructor() { throw new DOMException('x', 'SecurityError'); } } },
})) {
  test(`a browser that ${how} lets everybody sit`, async () => {
    const browser = new Browser();
    const tabs = new Tabs('seat', { onAsked: () => assert.fail(), onTaken: () => {}, locks: browser.locks, Channel: browser.Channel, ...options });
    assert.deepEqual([await tabs.taken(), await tabs.sit()], [false, true]);
    tabs.close();
  });
}

test('a seat is named without its secret', async () => {
  const name = await Tabs.nameOf('AX8secret');
  assert.match(name, /^anteroom [\w-]{22}$/);
  assert.notEqual(name, await Tabs.nameOf('AX8secreu'));
});

/** A tab with storages of its own, in a browser. */
function guestTab(browser, kept = new Map(), keys = new Map()) {
  const cupboard = { get: async (id) => keys.get(id), put: async (id, it) => void keys.set(id, it), remove: async (id) => void keys.delete(id), sweep: async () => {} };
  const tab = { getItem: (k) => kept.get(k) ?? null, setItem: (k, v) => kept.set(k, v), removeItem: (k) => kept.delete(k) };
  const ticket = new Ticket({ tab, cupboard });
  const guest = new GuestTab({ onAsked: () => ({ resume: null, name: '' }), onTaken: () => {} }, { ticket, locks: browser.locks, Channel: browser.Channel });
  return Object.assign(guest, { settled: () => ticket.read() }); // reading waits for what is under way
}

const welcome = (state) => ({ state, now: 1000, closes: 2000 });

test('a visit is kept once the practice has welcomed it, with the name once it was given', async () => {
  const [browser, kept, keys] = [new Browser(), new Map(), new Map()];
  const tab = guestTab(browser, kept, keys);
  assert.deepEqual({ ...(await tab.begin('link')), until: 0 }, { fragment: 'link', name: '', devices: {}, until: 0, taken: false });
  await tab.settled();
  assert.equal(kept.size, 0, 'a link that nobody knows is not kept');
  tab.welcomed(welcome('open'));
  await tab.sit('Ada');
  tab.choose('audioinput', 'mic-3');
  await tab.settled();
  tab.hide();
  const again = await guestTab(browser, kept, keys).begin('');
  assert.deepEqual([again.fragment, again.name, again.devices, again.taken], ['link', 'Ada', { audioinput: 'mic-3' }, false]);
  assert.ok(again.until > Date.now() + 4 * 3_600_000);
  assert.equal((await guestTab(browser, kept, keys).begin('another')).name, '', 'another link is another visit');
  assert.equal((await guestTab(browser, kept, keys).begin('link')).name, 'Ada');
});

for (const [code, left] of Object.entries({ left: [0, 0], ended: [0, 0], cancelled: [0, 0], revoked: [0, 0], rotated: [0, 0], moved: [0, 1], replaced: [0, 1], denied: [1, 1], 'seat-taken': [1, 1] })) {
  test(`what is left with the tab after "${code}"`, async () => {
    const [browser, kept, keys] = [new Browser(), new Map(), new Map()];
    const tab = guestTab(browser, kept, keys);
    await tab.begin('link');
    tab.welcomed(welcome('open'));
    await tab.sit('Ada');
    await tab.settled();
    tab.ended(code);
    await tab.settled();
    assert.deepEqual([kept.size, keys.size], left);
    assert.equal((await guestTab(browser).begin('link')).taken, false, 'the seat is free');
  });
}

test('a dead link is not kept', async () => {
  const [browser, kept] = [new Browser(), new Map()];
  const tab = guestTab(browser, kept);
  await tab.begin('link');
  for (const state of ['ended', 'cancelled', 'revoked', 'rotated']) tab.welcomed(welcome(state));
  await tab.settled();
  assert.equal(kept.size, 0);
  assert.equal(await guestTab(browser).begin(''), null);
});
