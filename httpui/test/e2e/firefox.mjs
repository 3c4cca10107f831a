// The other engine: people with a Firefox, who can do what the tests need.
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {existsSync} from 'node:fs';
import puppeteer from 'puppeteer-core';
import {temporary, until, watchConnections} from './harness.mjs';

const firefoxPath = process.env.FIREFOX ?? '/usr/bin/firefox-esr';
if (!existsSync(firefoxPath)) throw new Error(`${firefoxPath} is missing: run "make test"`);

/** A person with a Firefox of their own. */
export class FirefoxPerson {
  /**
   * If there is an authority, this Firefox believes it, for pages and for TURN
   * alike, and finds every name of names on this computer.
   */
  static async arrive(t, {authority = '', names = []} = {}) {
    const p = new FirefoxPerson();
    const profile = temporary(t);
    if (authority) {
      execFileSync('certutil', ['-N', '--empty-password', '-d', `sql:${profile}`]);
      execFileSync('certutil', ['-A', '-d', `sql:${profile}`, '-n', 'test', '-t', 'C,,', '-i', authority]);
    }
    const browser = await puppeteer.launch({
      browser: 'firefox', executablePath: firefoxPath, headless: true, userDataDir: profile,
      extraPrefsFirefox: {
        'media.navigator.streams.fake': true, 'media.navigator.permission.disabled': true, 'media.autoplay.default': 0,
        'media.peerconnection.ice.loopback': true, 'network.captive-portal-service.enabled': false, 'app.normandy.enabled': false,
        'network.dns.localDomains': names.join(), 'network.dns.disableIPv6': true,
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

  /** Goes through the first run on the page. */
  async setUp(d, practice, name) {
    await this.page.goto(d.launch);
    for (const [id, said] of [['practice', practice], ['name', name], ['password', 'a long enough passphrase']]) await this.#fill(id, said);
    await this.page.evaluate(() => document.querySelector('#practice').form.requestSubmit());
    await this.reads('Waiting room');
  }

  #fill(id, said) {
    return until(`a place for the ${id}`, () => this.page.evaluate((id, said) => {
      const box = document.getElementById(id);
      if (!box) return false;
      box.value = said;
      box.dispatchEvent(new Event('input', {bubbles: true}));
      return true;
    }, id, said));
  }

  async knock(link, name) {
    await this.page.goto(link);
    await this.press('Continue');
    await this.#fill('name', name);
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
