import assert from 'node:assert/strict';
import {test} from 'node:test';
import {call, demo, Person, until} from './harness.mjs';

for (const via of ['home', 'gateway', 'practice-b']) {
  test(`a call through ${via}`, {timeout: 120_000}, async (t) => {
    const d = await demo(t);
    const {practitioner, patient} = await call(t, d.practitioner, d.link(via));
    await truthful(practitioner);
    await truthful(patient);
    await steady(practitioner);
    await steady(patient);
    await patient.button('Leave').click();
    await patient.page.getByText('You can close this page').waitFor();
    await stopped(patient);
  });
}

/** The truth line says what getStats says. */
async function truthful(person) {
  const line = person.page.getByText(/^Direct · encrypted · verified/);
  await line.first().waitFor();
  await person.button('Connection details').click();
  const [stats] = (await person.stats()).filter((s) => s.state === 'connected');
  const details = await person.page.getByRole('region', {name: 'Connection details'}).innerText();
  assert.ok(stats.ends.every((type) => /^(host|srflx|prflx)$/.test(type)), `"Direct", by ${stats.ends}`);
  const version = {FEFD: 'DTLS 1.2', FEFC: 'DTLS 1.3'}[stats.tls.toUpperCase()];
  for (const value of [stats.srtp, stats.dtls, version]) assert.ok(details.includes(value), `${value} is not in ${details}`);
  assert.ok(!details.includes('256-bit'));
  await person.page.keyboard.press('Escape');
}

/** Pictures play on while the page around them changes. */
async function steady(person) {
  await person.page.evaluate(() => { window.restartedPictures = 0; });
  await person.page.waitForTimeout(1500);
  assert.equal(await person.page.evaluate(() => window.restartedPictures), 0, 'a picture began again');
}

/** Camera and microphone are off within half a second. */
async function stopped(person) {
  await until('every track ended', () => person.page.evaluate(() => window.openTracks.every((track) => track.readyState === 'ended')), 500);
}

test('three people in a mesh, and the end for everyone', {timeout: 120_000}, async (t) => {
  const d = await demo(t);
  const {practitioner, patient} = await call(t, d.practitioner, d.link('home'));
  const specialist = await Person.arrive(t);
  await specialist.knock(d.link('practice-b'), 'Dr Okafor');
  await practitioner.button('Admit Dr Okafor').click();
  await Promise.all([practitioner.hearsAndSees(2), patient.hearsAndSees(2), specialist.hearsAndSees(2)]);
  await practitioner.button('End for everyone').click();
  for (const p of [patient, specialist]) {
    await p.page.getByText('You can close this page').waitFor();
    await stopped(p);
  }
  await stopped(practitioner);
});

test('a guest who is denied', {timeout: 60_000}, async (t) => {
  const d = await demo(t);
  const [practitioner, guest] = await Promise.all([Person.arrive(t), Person.arrive(t)]);
  await practitioner.practise(d.practitioner);
  await guest.knock(d.link('home'), 'Uninvited');
  await practitioner.button('Deny Uninvited').click();
  await guest.page.getByText(/cannot let you in now/).first().waitFor();
  assert.deepEqual(await guest.stats(), []);
  await stopped(guest);
});

test('a damaged link says one sentence and reaches nobody', {timeout: 60_000}, async (t) => {
  const d = await demo(t);
  const guest = await Person.arrive(t);
  const link = d.link('home');
  for (const damaged of [link.slice(0, -1), link.slice(0, -5) + 'AAAAA', link.replace('#', '#x'), link.slice(0, link.indexOf('#') + 1), link.slice(0, link.indexOf('#'))]) {
    guest.requests.length = 0;
    await guest.page.goto('about:blank');
    await guest.page.goto(damaged);
    await guest.page.getByRole('alert').first().waitFor();
    assert.equal(guest.requests.filter((u) => u.startsWith('ws')).length, 0, damaged);
    assert.ok(!guest.page.url().includes('#A'), 'the fragment is still in the address bar');
  }
});

test('a page that lost a part on the way loads again, with its link', {timeout: 60_000}, async (t) => {
  const d = await demo(t);
  const guest = await Person.arrive(t);
  let lost = 0;
  await guest.page.route('**/mesh.js', (route) => (lost++ < 1 ? route.abort('connectionaborted') : route.continue()));
  await guest.page.goto(d.link('home'));
  await guest.button('Continue').waitFor();
  assert.ok(lost > 1);
  assert.ok(!guest.page.url().includes('#A'), 'the fragment is in the address bar');
});

test('opening a link has no effect: no camera, no knock', {timeout: 60_000}, async (t) => {
  const d = await demo(t);
  const [practitioner, scanner] = await Promise.all([Person.arrive(t), Person.arrive(t)]);
  await practitioner.practise(d.practitioner);
  await scanner.page.goto(d.link('home'));
  await scanner.button('Continue').waitFor();
  assert.equal(await scanner.page.evaluate(() => window.userMediaCalls), 0);
  assert.equal(await practitioner.page.getByRole('button', {name: /^Admit/}).count(), 0);
  assert.ok(!scanner.page.url().includes('#A'));
});

test('a test call with the echo', {timeout: 90_000}, async (t) => {
  const d = await demo(t);
  const practitioner = await Person.arrive(t);
  await practitioner.practise(d.practitioner);
  await practitioner.button('Test call').click();
  await practitioner.button('Admit Echo').click();
  await practitioner.hearsAndSees();
  await practitioner.button('End for everyone').click();
  await practitioner.page.getByRole('heading', {name: 'Waiting room'}).waitFor();
  await stopped(practitioner);
});

test('chat, mute and camera reach the other side', {timeout: 90_000}, async (t) => {
  const d = await demo(t);
  const {practitioner, patient} = await call(t, d.practitioner, d.link('home'));
  await patient.button('Chat').click();
  const text = '<img src=x onerror=alert(1)> \\\\server\\share https://example.org';
  await patient.page.getByRole('textbox', {name: /message/i}).fill(text);
  await patient.page.keyboard.press('Enter');
  await practitioner.button('Chat').click();
  await practitioner.page.getByText(text, {exact: true}).waitFor();
  assert.equal(await practitioner.page.locator('[role=log] a, [role=log] img').count(), 0, 'something in the chat is live');
  await patient.button('Mute microphone').click();
  await patient.button('Unmute microphone').waitFor();
  await practitioner.page.getByText('microphone off').first().waitFor();
  await patient.button('Turn camera off').click();
  await practitioner.page.getByText('Camera is off').waitFor();
  await patient.button('Turn camera on').click();
  await practitioner.page.getByText('Camera is off').waitFor({state: 'detached'});
  await practitioner.hearsAndSees();
});

test('a practitioner who steps out leaves nobody in the call', {timeout: 90_000}, async (t) => {
  const d = await demo(t);
  const {practitioner, patient} = await call(t, d.practitioner, d.link('home'));
  await practitioner.button('Leave').click();
  await patient.page.getByRole('status').filter({hasText: 'Waiting for'}).waitFor();
  await stopped(practitioner);
  await practitioner.button('Admit Ana Pereira').click();
  await Promise.all([practitioner.hearsAndSees(), patient.hearsAndSees()]);
});

test('without a camera there is sound', {timeout: 90_000}, async (t) => {
  const d = await demo(t);
  const [practitioner, patient] = await Promise.all([Person.arrive(t), Person.arrive(t)]);
  await patient.context.addInitScript(() => {
    const get = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = (c) => (c.video ? Promise.reject(new DOMException('refused', 'NotAllowedError')) : get(c));
  });
  await practitioner.practise(d.practitioner);
  await patient.knock(d.link('home'), 'Ana Pereira');
  await practitioner.button('Admit Ana Pereira').click();
  await patient.hearsAndSees();
  await until('sound from somebody without a camera', async () => (await practitioner.stats()).some((s) => s.state === 'connected' && s.audio > 0 && s.video === 0));
  await practitioner.page.getByText('Camera is off').waitFor();
});
