// What is beside a call: chat, and where the focus is in it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Drawn } from './fakes/view.mjs';
import { chatPanel } from '../static/view-panels.js';

class Form {
  text = ' hello ';
  note = { textContent: '' };
  resets = 0;
  reset() { this.resets++; }
  querySelector() { return this.note; }
}
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
