// What becomes of a guest's tab: loaded again, opened twice, without storage.
import assert from 'node:assert/strict';
import {mkdirSync, readFileSync, readdirSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {test} from 'node:test';
import {Person, demo, until} from './harness.mjs';

const secretOf = (link) => link.slice(link.indexOf('#') + 1);

/** Every spelling in which the secret could lie in a file. */
function spellings(secret) {
  const bytes = Buffer.from(secret, 'base64url');
  const texts = [secret, secret.slice(4, 60), bytes.toString('hex'), bytes.subarray(1, 33).toString('hex')];
  return [bytes.subarray(1, 33), ...texts.flatMap((text) => [Buffer.from(text, 'utf8'), Buffer.from(text, 'utf16le')])];
}

/**
 * Where a browser notes the addresses that it was told to open. It does so
 * before a page's first script runs, and no page can take it back.
 */
const visited = /^(Default[/](History|Favicons|Top Sites|Shortcuts|Visited Links|Network Action Predictor|Sessions[/])|segmentation_platform[/])/;

/** The files below dir that hold one of the spellings, but for those. */
function filesWith(dir, spelled) {
  return readdirSync(dir, {recursive: true}).map(String).filter((name) => {
    const path = join(dir, name);
    if (visited.test(name)) return false;
    try {
      if (!statSync(path).isFile()) return false;
      const content = readFileSync(path);
      return spelled.some((bytes) => content.includes(bytes));
    } catch {
      return false; // the browser has taken it away meanwhile
    }
  });
}

/** What scripts of the page can read. */
const readable = (page) => page.evaluate(async () => {
  const all = [location.href, JSON.stringify(history.state), document.documentElement.outerHTML];
  for (const storage of [localStorage, sessionStorage]) for (let i = 0; i < storage.length; i++) all.push(storage.key(i), storage.getItem(storage.key(i)));
  let keys = 0;
  for (const {name} of await indexedDB.databases()) {
    const db = await new Promise((done, fail) => { const r = indexedDB.open(name); r.onsuccess = () => done(r.result); r.onerror = () => fail(r.error); });
    for (const store of db.objectStoreNames) {
      const values = await new Promise((done) => { const r = db.transaction(store).objectStore(store).getAll(); r.onsuccess = () => done(r.result); });
      keys += values.length;
      for (const {key, ...rest} of values) all.push(JSON.stringify(rest), JSON.stringify(await crypto.subtle.exportKey('raw', key).catch(() => 'sealed')));
    }
    db.close();
  }
  return {text: all.join('\n'), keys};
});

const alarmed = (person) => person.page.getByText('opened on another device').count();

test('a guest comes back by one tap, by whatever way the page was lost', {timeout: 240_000}, async (t) => {
  const d = await demo(t);
  const link = d.link('home');
  const secret = secretOf(link);
  const [practitioner, patient] = [await Person.arrive(t), await Person.withProfile(t)];
  await practitioner.practise(d.practitioner);
  patient.page.on('dialog', (dialog) => dialog.accept()); // "Leave site?"
  await patient.knock(link, 'Ana Pereira');
  await practitioner.button('Admit Ana Pereira').click();
  await Promise.all([practitioner.hearsAndSees(), patient.hearsAndSees()]);

  const back = async (person) => {
    await person.button('Come back to your appointment').click();
    await Promise.all([person.hearsAndSees(), practitioner.hearsAndSees()]);
    assert.equal(await alarmed(practitioner) + await alarmed(person), 0);
  };

  await t.test('a reload', async () => {
    await patient.page.reload();
    await patient.button('Come back to your appointment').waitFor();
    await patient.shot('guest-comes-back');
    const {text, keys} = await readable(patient.page);
    for (const word of [secret, secret.slice(4, 60), 'Ana Pereira']) assert.ok(!text.includes(word), `"${word}" can be read`);
    assert.equal(keys, 1);
    await back(patient);
  });

  await t.test('Back and Forward', async () => {
    await patient.page.goBack();
    await patient.page.goForward();
    await back(patient);
  });

  await t.test('the secret is in no file of the browser', () => {
    assert.deepEqual(filesWith(patient.profile, spellings(secret)), []);
    assert.notDeepEqual(filesWith(patient.profile, [Buffer.from('anteroom return')]), [], 'what is searched is what is kept');
  });

  const [second] = await Promise.all([patient.context.waitForEvent('page'), patient.page.evaluate(() => { open('/j'); })]); // a copy, as "Duplicate tab" makes it
  const copy = Object.assign(Object.create(patient), {page: second});
  await t.test('a copy of the tab says where the appointment is, and takes it when told to', async () => {
    await second.getByText('open in another tab of this browser').waitFor();
    await copy.shot('guest-open-elsewhere');
    await patient.receives();
    await copy.button('Use it here').click();
    await patient.page.getByText('open in another tab of this browser').waitFor();
    await Promise.all([copy.hearsAndSees(), practitioner.hearsAndSees()]);
    assert.equal(await alarmed(practitioner) + await alarmed(copy) + await alarmed(patient), 0);
    await second.reload();
    await back(copy);
  });

  await t.test('another device still raises the alarm', async () => {
    const thief = await Person.arrive(t);
    await thief.page.goto(link);
    await thief.button('Continue').click();
    await thief.page.getByRole('textbox', {name: 'Your name'}).fill('Ana Pereira');
    await thief.button('Join').click();
    await thief.page.getByText('already in use').waitFor();
    await until('both are told', async () => (await alarmed(practitioner)) > 0 && (await alarmed(copy)) > 0);
    await thief.page.close();
  });

  await t.test('Leave turns everything off at once, and one tap takes it back', async () => {
    await second.evaluate(() => {
      window.tracks = [...document.querySelectorAll('video')].flatMap((video) => video.srcObject?.getTracks() ?? []);
    });
    await copy.button('Leave').click();
    const live = await second.evaluate(() => window.tracks.filter(({readyState}) => readyState === 'live').length);
    assert.equal(live, 0, 'something is being sent, or shown');
    await copy.button('Come back').waitFor();
    await copy.shot('guest-left');
    await copy.button('Come back').click();
    await practitioner.button('Admit Ana Pereira').click();
    await Promise.all([copy.hearsAndSees(), practitioner.hearsAndSees()]);
    assert.equal(await alarmed(copy), 0);
  });

  await t.test('after Leave nothing is left to come back with', async () => {
    await copy.button('Leave').click();
    await second.getByText('You can close this page').waitFor();
    await until('no key is left', async () => (await readable(second)).keys === 0);
    await second.reload();
    await second.getByText('Please open your appointment with its link').waitFor();
    await patient.context.close(); // what it writes, it writes now
    assert.deepEqual(filesWith(patient.profile, spellings(secret)), []);
  });
});

for (const [what, block] of Object.entries({
  'the storages throw': () => {
    for (const name of ['sessionStorage', 'localStorage', 'indexedDB', 'caches']) Object.defineProperty(window, name, {get() { throw new DOMException('denied', 'SecurityError'); }});
  },
  'there are none, and no locks and channels': () => {
    for (const name of ['sessionStorage', 'localStorage', 'indexedDB', 'BroadcastChannel']) Object.defineProperty(window, name, {value: null});
    Object.defineProperty(navigator, 'locks', {value: undefined});
  },
})) {
  test(`a guest gets in where ${what}`, {timeout: 60_000}, async (t) => {
    const d = await demo(t);
    const guest = await Person.arrive(t);
    await guest.context.addInitScript(block);
    await guest.knock(d.link('home'), 'Ana Pereira');
    assert.deepEqual(guest.console.filter((line) => /^(error|pageerror):/.test(line)), []);
  });
}

test('with site data blocked in the browser a guest gets in, and a practitioner is told', {timeout: 90_000}, async (t) => {
  const d = await demo(t);
  const person = await Person.withProfile(t, {preferences: {profile: {default_content_setting_values: {cookies: 2}}}});
  await person.page.goto(d.practitioner);
  await person.page.getByText('keeps no cookies for this page').waitFor();
  assert.equal(await person.page.evaluate(() => { try { return sessionStorage.length; } catch (err) { return err.name; } }), 'SecurityError');
  await person.shot('practitioner-no-cookies');
  await person.knock(d.link('home'), 'Ana Pereira');
});
