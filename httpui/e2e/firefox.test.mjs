// The other engine: a call between Firefox and Chromium, each in both parts.
import assert from 'node:assert/strict';
import {existsSync} from 'node:fs';
import {test} from 'node:test';
import puppeteer from 'puppeteer-core';
import {demo, Person, until, watchConnections} from './harness.mjs';

const firefoxPath = process.env.FIREFOX ?? '/usr/bin/firefox-esr';
if (!existsSync(firefoxPath)) throw new Error(`${firefoxPath} is missing: run "make test"`);

/** A person with a Firefox of their own. */
class FirefoxPerson {
  static async arrive(t) {
    const p = new FirefoxPerson();
    const browser = await puppeteer.launch({
      browser: 'firefox', executablePath: firefoxPath, headless: true,
      extraPrefsFirefox: {
        'media.navigator.streams.fake': true, 'media.navigator.permission.disabled': true, 'media.autoplay.default': 0,
        'media.peerconnection.ice.loopback': true, 'network.captive-portal-service.enabled': false, 'app.normandy.enabled': false,
      },
    });
    t.after(() => browser.close());
    p.page = await browser.newPage();
    await p.page.evaluateOnNewDocument(watchConnections);
    return p;
  }

  /** Presses a button by its accessible name. */
  press(name) {
    return until(`a button "${name}"`, () => this.page.evaluate((wanted) => {
      const button = [...document.querySelectorAll('button')].find((b) =>
        (b.getAttribute('aria-label') ?? b.textContent).trim() === wanted && !b.disabled && b.checkVisibility({visibilityProperty: true}) && !b.closest('[inert]'));
      button?.click();
      return Boolean(button);
    }, name), 20_000);
  }

  reads(text) {
    return until(`"${text}" on the page`, () => this.page.evaluate((t) => document.body.innerText.includes(t), text), 20_000);
  }

  async practise(url) {
    await this.page.goto(url);
    await this.reads('Waiting room');
  }

  async knock(link, name) {
    await this.page.goto(link);
    await this.press('Continue');
    await until('a place for the name', () => this.page.evaluate((said) => {
      const box = document.querySelector('#name');
      if (!box) return false;
      box.value = said;
      box.dispatchEvent(new Event('input', {bubbles: true}));
      return true;
    }, name));
    await this.press('Join');
    await this.reads('Waiting for');
  }

  stats() { return this.page.evaluate(() => window.liveStats()); }

  async hearsAndSees() {
    const seen = async () => (await this.stats()).find((s) => s.state === 'connected' && s.video > 5 && s.audio > 0);
    const before = await until('picture and sound', seen, 30_000);
    await until('more frames', async () => ((await seen())?.video ?? 0) > before.video + 5);
    await until('a picture on the page', () => this.page.evaluate(() =>
      [...document.querySelectorAll('video[data-participant]')].some((v) => v.videoWidth > 0 && !v.paused)));
  }

  /** The truth line and the details say what getStats says. */
  async truthful() {
    await this.reads('Direct · encrypted · verified');
    await this.press('Connection details');
    const [stats] = (await this.stats()).filter((s) => s.state === 'connected');
    const shown = await this.page.evaluate(() => document.querySelector('#panel')?.innerText ?? document.body.innerText);
    for (const value of [stats.srtp, stats.dtls]) assert.ok(value && shown.includes(value), `${value} is not in ${shown}`);
  }
}

test('a patient with Firefox', {timeout: 120_000}, async (t) => {
  const d = await demo(t);
  const [doctor, patient] = [await Person.arrive(t), await FirefoxPerson.arrive(t)];
  await doctor.practise(d.practitioner);
  await patient.knock(d.link('gateway'), 'Ana Pereira');
  await doctor.button('Admit Ana Pereira').click();
  await Promise.all([doctor.hearsAndSees(), patient.hearsAndSees()]);
  await patient.truthful();
  await patient.press('Leave');
  await patient.reads('You can close this page');
  await until('every track ended', () => patient.page.evaluate(() => window.openTracks.every((track) => track.readyState === 'ended')), 1000);
});

test('a practitioner with Firefox', {timeout: 120_000}, async (t) => {
  const d = await demo(t);
  const [doctor, patient] = [await FirefoxPerson.arrive(t), await Person.arrive(t)];
  await doctor.practise(d.practitioner);
  await patient.knock(d.link('home'), 'Ana Pereira');
  await doctor.press('Admit Ana Pereira');
  await Promise.all([doctor.hearsAndSees(), patient.hearsAndSees()]);
  await doctor.truthful();
  await doctor.press('End for everyone');
  await patient.page.getByText('You can close this page').waitFor();
});
