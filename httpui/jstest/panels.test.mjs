// What is beside a call: chat, and where the focus is in it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Drawn } from './fakes/view.mjs';
import { chatPanel } from '../static/view-panels.js';
import { keepPlace } from '../static/view-shell.js';

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
