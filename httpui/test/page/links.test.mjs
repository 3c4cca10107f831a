// Links on their way to the clipboard, against a node that wants a password
// and a browser that copies, or does not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import './fakes/words.mjs';
import { ApiError } from '../../static/kit/request.js';
import { Links, noLinks } from '../../static/practitioner/diary/links.js';
import { holdTime, leap, releaseTime } from './fakes/clock.mjs';

const wanted = { appointment: 'a', member: 'm' };
const url = 'https://care.example/j#secret';

function links({ copies = true, proven = true } = {}) {
  const seen = { now: noLinks, asked: [], clipboard: '', copied: [], errors: [] };
  const node = { proven, password: 'right', refusal: new ApiError('denied', { code: 'refusal.password' }, 403) };
  const it = new Links({
    api: {
      async links(appointment) {
        seen.asked.push(appointment);
        if (!node.proven) throw new ApiError('unauthorized', { code: 'refusal.not-proven' }, 403);
        return { links: [{ member: 'm', label: 'Ana', url }] };
      },
      async confirm(password) {
        if (password !== node.password) throw node.refusal;
        node.proven = true;
      },
    },
    onChange: (now) => { seen.now = now; },
    onCopied: (copied) => seen.copied.push(copied),
    onError: (err) => seen.errors.push(err.code),
    async write(text) {
      try {
        if (copies) seen.clipboard = await text;
        return copies;
      } catch {
        return false;
      }
    },
  });
  return { it, seen, node };
}

test('a link is asked for when it is wanted, and copied', async () => {
  const { it, seen } = links();
  await it.copy(wanted);
  assert.equal(seen.clipboard, url);
  assert.deepEqual(seen.now, { ...noLinks, copied: 'm' });
  assert.deepEqual([seen.asked, seen.copied], [['a'], [true]]);
});

test('what the browser will not copy is shown, and not asked for again', async () => {
  const { it, seen } = links({ copies: false });
  await it.copy(wanted);
  assert.deepEqual(seen.now, { ...noLinks, shown: { member: 'm', url } });
  await it.copy(wanted);
  assert.deepEqual([seen.asked, seen.copied], [['a'], [false, false]]);
});

test('a link that was made here is not asked for, until it is as old as a password', async (t) => {
  const { it, seen } = links({ proven: false });
  holdTime();
  t.after(releaseTime);
  it.remember([{ member: 'm', url: 'made' }, { member: 'none' }]);
  leap(15 * 60_000 - 1);
  await it.copy(wanted);
  assert.equal(seen.clipboard, 'made');
  assert.deepEqual(seen.asked, []);
  leap(1);
  await it.copy(wanted);
  assert.deepEqual(seen.now.asking, wanted);
});

test('the password is asked for, and a wrong one says so', async () => {
  const { it, seen } = links({ proven: false });
  await it.copy(wanted);
  assert.deepEqual(seen.now, { ...noLinks, asking: wanted });
  await it.confirm('wrong');
  assert.deepEqual(seen.now, { ...noLinks, asking: wanted, error: 'The password is wrong.' });
  assert.deepEqual([seen.clipboard, seen.errors], ['', []]);
  await it.confirm('right');
  assert.deepEqual(seen.now, { ...noLinks, copied: 'm' });
  assert.equal(seen.clipboard, url);
});

test('whoever gives no password gets no link', async () => {
  const { it, seen } = links({ proven: false });
  await it.copy(wanted);
  it.dismiss();
  await it.confirm('right');
  assert.deepEqual([seen.now, seen.clipboard], [noLinks, '']);
});

test('too many wrong passwords say how long to wait, and a session that is over is told', async () => {
  const { it, seen, node } = links({ proven: false });
  await it.copy(wanted);
  node.refusal = new ApiError('too-many', { code: 'refusal.too-many-passwords' }, 429, 30);
  await it.confirm('wrong');
  assert.match(seen.now.error, /30 seconds/);
  node.refusal = new ApiError('unauthorized', { code: 'refusal.signed-out' }, 401);
  await it.confirm('wrong');
  assert.deepEqual([seen.now, seen.errors], [noLinks, ['unauthorized']]);
});

test('clear forgets what was made and what is on its way', async () => {
  const { it, seen } = links({ proven: false });
  it.remember([{ member: 'm', url }]);
  const copying = it.copy(wanted);
  it.clear();
  await copying;
  assert.deepEqual(seen.now, noLinks);
  await it.copy(wanted);
  assert.deepEqual(seen.now.asking, wanted);
});
