// What is beside a call: chat, and where the focus is in it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { holdTime, leap, releaseTime } from './fakes/clock.mjs';
import './fakes/words.mjs';
import { Drawn } from './fakes/view.mjs';
import { chatPanel } from '../../static/call/screen/view-panels.js';
import { controls } from '../../static/call/screen/view-controls.js';
import { showAttention } from '../../static/practitioner/view-attention.js';
import { keepPlace } from '../../static/kit/view-shell.js';

globalThis.matchMedia ??= () => ({ matches: false });
const { Arrivals, callIntents, newCallUi, news } = await import('../../static/call/screen/call-page.js');

class Form {
  text = ' hello ';
  note = { textContent: '' };
  resets = 0;
  reset() { this.resets++; }
  querySelector() { return this.note; }
}
globalThis.HTMLElement = class {
  focus() { document.activeElement = this; }
};
globalThis.HTMLFormElement = Form;
globalThis.FormData = class {
  constructor(form) { this.form = form; }
  get() { return this.form.text; }
};

test('a message that nobody was there to read stays, and that is said', () => {
  const region = { textContent: '' };
  document.getElementById = () => region;
  const form = new Form();
  const sent = [];
  const submit = (reached) => {
    const sendChat = (text) => {
      sent.push(text);
      return reached;
    };
    new Drawn(chatPanel([], { copied: null, reachable: false }, { sendChat })).submit(form);
  };
  for (const reached of [false, undefined]) {
    submit(reached);
    assert.equal(form.resets, 0);
    for (const { textContent } of [form.note, region]) assert.match(textContent, /not sent/);
  }
  submit(true);
  assert.deepEqual([form.resets, form.note.textContent], [1, '']);
  assert.deepEqual(sent, ['hello', 'hello', 'hello']);
});

test('the title says how many wait, and is not written again as it is', () => {
  const written = [];
  Object.defineProperty(document, 'title', { configurable: true, get: () => written.at(-1) ?? '', set: (title) => written.push(title) });
  document.querySelector = () => null;
  for (const waiting of [0, 0, 2, 2, 0]) showAttention('Riverside Practice', waiting);
  assert.deepEqual(written, ['Riverside Practice', '(2) Riverside Practice', 'Riverside Practice']);
});

test('the focus of a row that is gone goes to its list, or to the screen if that is gone too', () => {
  const [button, title, screen, elsewhere] = [0, 0, 0, 0].map(() => new HTMLElement());
  const list = { isConnected: true, querySelector: () => title };
  button.closest = () => list;
  elsewhere.closest = () => null;
  const body = (document.body = new HTMLElement());
  const root = { querySelector: (selector) => (selector === '[data-focus]' ? screen : null) };
  /** What has the focus in the end, if the render leaves it on after. */
  const focused = (before, after) => {
    document.activeElement = before;
    const restore = keepPlace(root);
    document.activeElement = after;
    restore();
    return document.activeElement;
  };
  assert.equal(focused(button, body), title);
  assert.equal(focused(button, button), button);
  assert.equal(focused(button, elsewhere), elsewhere);
  assert.equal(focused(elsewhere, body), body);
  assert.equal(focused(null, body), body);
  list.isConnected = false;
  assert.equal(focused(button, body), screen);
});

test('a message that comes while the chat is closed is shown for a while, and heard unless that is turned off', (t) => {
  holdTime(10_000);
  t.after(releaseTime);
  let rings = 0;
  const ui = { value: newCallUi(), set(patch) { this.value = { ...this.value, ...patch }; } };
  const arrivals = new Arrivals({ ui, sounds: { message: () => rings++ } });
  const chat = [];
  const say = (text, from = 'host') => {
    chat.push({ from, name: 'Dr Lee', text, at: 1 });
    arrivals.look([...chat]);
    return [ui.value.arrived?.text ?? null, rings];
  };
  assert.deepEqual(say('mine', 'self'), [null, 0]);
  assert.deepEqual(say('one'), ['one', 1]);
  arrivals.look([...chat]);
  assert.equal(rings, 1, 'each is told once');
  assert.deepEqual(say('two'), ['two', 1], 'several at once make one sound');
  leap(9_999);
  assert.equal(ui.value.arrived.text, 'two');
  leap(1);
  assert.equal(ui.value.arrived, null, 'it goes by itself');
  leap(10_000);
  ui.set({ chatSound: false });
  assert.deepEqual(say('three'), ['three', 1]);
  leap(10_000);
  ui.set({ chatSound: true, panel: 'chat', arrived: null });
  assert.deepEqual(say('four'), [null, 1], 'an open chat speaks for itself');
  ui.set({ panel: 'details' });
  leap(10_000);
  assert.deepEqual(say('five'), ['five', 2]);
  arrivals.look([]);
  assert.equal(ui.value.arrived, null, 'the call is over');
});

test('whether messages are heard is kept for the tab, where the browser keeps anything', () => {
  const ui = { value: newCallUi(), set(patch) { this.value = { ...this.value, ...patch }; } };
  const { soundChat, panel } = callIntents({ media: { subscribe() {} }, ui, sounds: {}, sendChat() {}, leave() {}, end() {}, play: async () => {} });
  for (const find of [
    () => { throw new Error('blocked'); },
    () => ({ getItem: () => null, setItem: () => { throw new Error('full'); }, removeItem() {} }),
    () => null,
    (() => {
      const kept = new Map();
      return () => ({ getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value), removeItem: (key) => void kept.delete(key) });
    })(),
  ]) {
    Object.defineProperty(globalThis, 'sessionStorage', { configurable: true, get: find });
    assert.equal(newCallUi().chatSound, true);
    soundChat(false);
    assert.deepEqual([ui.value.chatSound, newCallUi().chatSound], [false, false]);
    soundChat(true);
    assert.deepEqual([ui.value.chatSound, newCallUi().chatSound], [true, true]);
  }
  ui.set({ arrived: {} });
  panel('chat');
  assert.deepEqual([ui.value.panel, ui.value.arrived], ['chat', null], 'who opens the chat reads it there');
});

test('a message is spoken once, with its first words, and only while the chat is closed', () => {
  const line = { from: 'host', name: 'Dr Lee', text: `Please\n${'turn on your camera, '.repeat(20)}`, at: 1 };
  const heard = (chat) => ({ peers: [], chat, media: null });
  const [said, ...more] = news(heard([]), heard([line]), { chatOpen: false });
  assert.match(said, /^Message from Dr Lee: Please turn on your camera, .*…$/);
  assert.ok(said.length < 130);
  assert.deepEqual([more, news(heard([]), heard([line]), { chatOpen: true }), news(heard([line]), heard([line]), { chatOpen: false })], [[], [], []]);
});

test('a camera that is off takes no button away', () => {
  const names = (video) => [...new Drawn(controls({
    media: { audio: 'on', video, screen: false }, panel: null, unread: 0, host: false, canShare: false, canFlip: true,
  }, {})).html.matchAll(/aria-label=(.+?) \?disabled=(\w+)/g)].map(([, name, disabled]) => `${name} ${disabled}`);
  assert.deepEqual(names('on'), ['Mute microphone false', 'Turn camera off false', 'Flip camera false', 'Chat false', 'Leave false']);
  assert.deepEqual(names('off'), ['Mute microphone false', 'Turn camera on false', 'Flip camera true', 'Chat false', 'Leave false']);
});
