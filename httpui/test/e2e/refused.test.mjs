// What people see who open something else than their link.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {Daemon, freePort, Person, setUp} from './harness.mjs';
import {fine, fineEverywhere, sizes} from './looks.mjs';

test('who opens another address gets a page that says what to do', {timeout: 120_000}, async (t) => {
  const [port, local] = [await freePort(), await freePort()];
  const d = await new Daemon(t, 'home', `http:
  listen: ["localhost:${local}"]
  public_url: "https://practice.test:${port}"
  public_listen: ["127.0.0.1:${port}"]
  trusted_proxies: ["127.0.0.1"]
  tls: {mode: behind_proxy}
relay: {listen: ["127.0.0.1:${await freePort()}"]}
`).start();
  const practitioner = await Person.arrive(t);
  await setUp(practitioner, d, 'Riverside Practice', 'Dr Lee');

  const patient = await Person.arrive(t, {flags: [`--host-resolver-rules=MAP *.test 127.0.0.1`]});
  const opens = async (person, url, status, title) => {
    assert.equal((await person.page.goto(url)).status(), status, url);
    await person.page.getByRole('heading', {name: title, exact: true}).waitFor();
    assert.equal(await person.page.title(), title);
  };
  // The proxy is this browser.
  await patient.context.setExtraHTTPHeaders({'X-Forwarded-For': '203.0.113.7', 'X-Forwarded-Proto': 'https'});
  for (const path of ['/', '/join', '/api/session']) {
    await opens(patient, `http://practice.test:${port}${path}`, 404, 'Please open your appointment with its link.');
    await patient.page.getByText('the message from your practice').waitFor();
    await patient.page.getByText('Riverside Practice').waitFor();
  }
  await fineEverywhere(patient, 'refused-no-link');
  await patient.page.setViewportSize({width: 320, height: 640});
  await patient.page.evaluate(() => { document.documentElement.style.fontSize = '200%'; });
  await fine(patient, 'refused-no-link-narrow');
  await patient.page.setViewportSize(sizes.desktop);
  await opens(patient, `http://other.test:${port}/`, 421, 'There is nothing at this address.');
  await fineEverywhere(patient, 'refused-other-host');
  await patient.context.setExtraHTTPHeaders({});
  await opens(patient, `http://practice.test:${port}/j`, 400, 'This page cannot be opened in this way.');
  await fineEverywhere(patient, 'refused-proxy');

  await opens(practitioner, `http://localhost:${local}/diary`, 404, 'There is nothing at this address.');
  await fineEverywhere(practitioner, 'refused-local');
  await practitioner.page.getByRole('link', {name: 'Open Anteroom'}).click();
  await practitioner.page.getByRole('heading', {name: 'Riverside Practice'}).waitFor();
});
