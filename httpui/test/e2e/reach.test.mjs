// Nothing in a call is out of reach: with text twice as large, on a small
// screen, upright and on its side. And a message is seen while the chat is closed,
// and what a colour tells while the reader's own colours are shown.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {call, demo, Person, until} from './harness.mjs';

const screens = {'phone': [390, 844], 'small phone': [320, 568], 'phone on its side': [844, 390], 'desktop': [1280, 720]};

/** What of a call cannot be pressed: each control is scrolled to, and must then be on the screen with nothing before it. */
const outOfReach = (person) => person.page.evaluate(() => {
  const controls = [...document.querySelectorAll('.call button, .call textarea, .call select, .call input')].filter((c) => !c.disabled && c.checkVisibility())
    .filter((c) => !document.querySelector('#panel') || !c.closest('.stage')); // a panel lies over the pictures until it is closed
  const wrong = controls.flatMap((control) => {
    control.scrollIntoView({block: 'nearest', inline: 'nearest'});
    const {left, right, top, bottom, width, height} = control.getBoundingClientRect();
    const name = `${control.getAttribute('aria-label') ?? control.textContent.trim()} ${[left, right, top, bottom].map(Math.round)}`;
    if (left < -0.5 || right > innerWidth + 0.5 || top < -0.5 || bottom > innerHeight + 0.5) return [`${name} is not on the screen`];
    const points = [[0.5, 0.5], [0.2, 0.5], [0.8, 0.5]].map(([x, y]) => document.elementFromPoint(left + width * x, top + height * y));
    if (points.some((at) => at !== control && !control.contains(at) && !at?.contains(control))) return [`${name} is covered by ${points.map((at) => at?.className).join(', ')}`];
    return [...control.querySelectorAll('.tool-word')].filter((word) => word.scrollWidth > control.clientWidth + 1).map(() => `${name} is wider than its button`);
  });
  if (document.documentElement.scrollWidth > innerWidth) wrong.push('the page is wider than the screen');
  return wrong;
});

/** The guest is on a phone with two cameras. */
async function phone(person) {
  await person.context.addInitScript(() => {
    const real = window.matchMedia.bind(window);
    window.matchMedia = (query) => (query === '(pointer: coarse)' ? {matches: true} : real(query));
  });
}

test('everything in a call can be reached, with text twice as large', {timeout: 180_000}, async (t) => {
  const d = await demo(t);
  const [practitioner, patient, other] = await Promise.all([Person.arrive(t), Person.arrive(t, {flags: ['--use-fake-device-for-media-stream=device-count=2']}), Person.arrive(t)]);
  await phone(patient);
  await practitioner.practise(d.practitioner);
  await patient.knock(d.link('home'), 'Ana Pereira');
  await practitioner.button('Admit Ana Pereira').click();
  await Promise.all([practitioner.hearsAndSees(), patient.hearsAndSees()]);
  await patient.button('Flip camera').waitFor();
  const places = () => patient.page.locator('.tools .tool').evaluateAll((tools) => tools.map((tool) => Math.round(tool.getBoundingClientRect().left)));

  for (const size of ['200%', '100%']) {
    for (const [name, [width, height]] of Object.entries(screens)) {
      for (const person of [practitioner, patient]) {
        const who = person === practitioner ? 'practitioner' : 'patient';
        await person.page.evaluate((fontSize) => { document.documentElement.style.fontSize = fontSize; }, size);
        await person.page.setViewportSize({width, height});
        assert.deepEqual(await outOfReach(person), [], `${who}, ${name}, ${size}`);
        await person.shot(`reach-${who}-${name.replaceAll(' ', '-')}-${size.slice(0, 3)}`);
        for (const panel of ['Chat', 'Connection details']) {
          await person.button(panel).click();
          await person.page.locator('#panel').waitFor();
          assert.deepEqual(await outOfReach(person), [], `${who}, ${name}, ${size}, ${panel}`);
          await person.shot(`reach-${who}-${name.replaceAll(' ', '-')}-${size.slice(0, 3)}-${panel.slice(0, 4)}`);
          await person.page.keyboard.press('Escape');
          await person.page.locator('#panel').waitFor({state: 'detached'});
        }
      }
      const before = await places();
      await patient.button('Turn camera off').click();
      await patient.button('Turn camera on').waitFor();
      assert.equal(await patient.button('Flip camera').isDisabled(), true);
      assert.deepEqual(await places(), before, 'buttons moved');
      await patient.button('Turn camera on').click();
      await patient.button('Turn camera off').waitFor();
    }
  }

  // With somebody at the door as well.
  await practitioner.page.evaluate(() => { document.documentElement.style.fontSize = '200%'; });
  await other.knock(d.link('practice-b'), 'Ben Ode');
  await practitioner.button('Admit Ben Ode').waitFor();
  for (const [name, [width, height]] of Object.entries(screens)) {
    await practitioner.page.setViewportSize({width, height});
    assert.deepEqual(await outOfReach(practitioner), [], `${name}, with a knock`);
    await practitioner.shot(`reach-knock-${name.replaceAll(' ', '-')}`);
  }
});

/** Lets the words over the picture stay: a busy machine is slower than a hand. */
const holdWords = ({page}) => page.evaluate(() => {
  const set = window.setTimeout;
  window.setTimeout = (act, ms, ...rest) => set(act, ms === 10_000 ? 600_000 : ms, ...rest);
});

test('the first words of a message are seen over the picture, and open the chat', {timeout: 240_000}, async (t) => {
  const d = await demo(t);
  const {practitioner, patient} = await call(t, d.practitioner, d.link('home'));
  for (const [from, to, sender] of [[practitioner, patient, 'Dr'], [patient, practitioner, 'Ana Pereira']]) {
    await to.page.setViewportSize({width: 390, height: 844});
    await holdWords(to);
    await to.page.evaluate(() => {
      window.tones = 0;
      window.later = 0; // what the page's own clock is ahead
      const now = performance.now.bind(performance);
      performance.now = () => now() + window.later;
      const {start} = OscillatorNode.prototype;
      OscillatorNode.prototype.start = function (...args) { window.tones++; return start.apply(this, args); };
      window.spoken = [];
      new MutationObserver(() => window.spoken.push(document.getElementById('announce').textContent)).observe(document.getElementById('announce'), {childList: true, characterData: true, subtree: true});
    });
    await from.button('Chat').click();
    const text = 'Please hold the phone a little further away, so that I can see both of your hands and the wrist';
    await from.page.getByRole('textbox', {name: 'Message'}).fill(text);
    await from.page.keyboard.press('Enter');
    const words = to.page.locator('.arrived');
    await words.waitFor();
    const shown = await words.innerText();
    assert.ok(shown.includes(sender) && shown.includes(text.slice(0, 60)), shown);
    await until('one sound', async () => await to.page.evaluate(() => window.tones) === 1);
    assert.deepEqual(await to.page.evaluate(() => window.spoken.filter((said) => said.includes('Message from')).length), 1);
    assert.ok(!(await to.page.title()).includes('Please hold'));
    for (const theme of ['light', 'dark']) {
      await to.page.emulateMedia({colorScheme: theme});
      await to.shot(`arrived-${to === patient ? 'patient' : 'practitioner'}-${theme}`);
    }
    assert.deepEqual(await outOfReach(to), []);
    await words.click();
    await to.page.getByRole('log').getByText(text).last().waitFor();
    assert.equal(await words.count(), 0);
    await to.page.getByLabel('Sound for new messages').uncheck();
    await to.button('Close chat').click();
    await to.page.evaluate(() => { window.later = 60_000; }); // it is not too soon for a sound
    await from.page.getByRole('textbox', {name: 'Message'}).fill('Thank you');
    await from.page.keyboard.press('Enter');
    await words.filter({hasText: 'Thank you'}).waitFor();
    assert.equal(await to.page.evaluate(() => window.tones), 1, 'a sound that was turned off');

    await to.button('Chat').click();
    await to.page.getByLabel('Sound for new messages').check();
    await to.button('Close chat').click();
    await to.page.evaluate(() => { window.later = 120_000; });
    await from.page.getByRole('textbox', {name: 'Message'}).fill('See you');
    await from.page.keyboard.press('Enter');
    await until('a sound that was turned on again', async () => await to.page.evaluate(() => window.tones) === 2);
    await from.page.keyboard.press('Escape');
  }
});

test('the chat takes the focus when it opens, and gives it back', {timeout: 240_000}, async (t) => {
  const d = await demo(t);
  const {practitioner, patient} = await call(t, d.practitioner, d.link('home'));
  for (const [person, other] of [[practitioner, patient], [patient, practitioner]]) {
    const {page} = person;
    await holdWords(person);
    const focused = (what, locator) => until(`the focus on ${what}`, () => locator.evaluate((element) => element === document.activeElement));
    const [button, message] = [person.button('Chat'), page.getByRole('textbox', {name: 'Message'})];
    for (const [how, close] of Object.entries({
      'its button': () => person.button('Close chat').click(),
      'the button that opened it': () => button.click(),
      Escape: () => page.keyboard.press('Escape'),
    })) {
      await button.click();
      await focused('the message', message);
      await close();
      await message.waitFor({state: 'detached'});
      await focused(`Chat, closed with ${how}`, button);
    }
    await other.button('Chat').click();
    await other.page.getByRole('textbox', {name: 'Message'}).fill('Good morning');
    await other.page.keyboard.press('Enter');
    await page.locator('.arrived').click(); // which is gone then
    await focused('the message', message);
    await page.keyboard.press('Escape');
    await focused('Chat, after the words over the picture had opened it', button);
    await other.page.keyboard.press('Escape');
  }
});

/** The colours of an element as they are shown: [red, green, blue, opacity] of its ground and of its text. */
const colours = (locator) => locator.evaluate((element) => {
  const {backgroundColor, color, borderTopWidth, borderTopColor} = getComputedStyle(element);
  const [ground, text, border] = [backgroundColor, color, borderTopColor].map((c) => c.match(/[\d.]+/g).map(Number));
  return {ground, text, border: parseFloat(borderTopWidth) > 0 ? border : ground};
});

/** How well two colours can be told apart (WCAG 2, "contrast ratio"). */
function contrast(...pair) {
  const luminance = (rgb) => [0.2126, 0.7152, 0.0722].reduce((sum, part, i) => sum + part * (rgb[i] <= 10 ? rgb[i] / 3294 : ((rgb[i] / 255 + 0.055) / 1.055) ** 2.4), 0);
  const [dark, light] = pair.map(luminance).sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

test('in the reader’s own colours, what a colour tells is still seen', {timeout: 90_000}, async (t) => {
  const d = await demo(t);
  const guest = await Person.arrive(t);
  await guest.page.goto(d.link('home'));
  await guest.button('Continue').click();
  await guest.page.getByRole('textbox', {name: 'Your name'}).fill('Ana Pereira');
  const bar = guest.page.locator('.meter-bar');
  await until('the microphone is heard', () => bar.evaluate((b) => b.getBoundingClientRect().width > 2));

  for (const colorScheme of ['light', 'dark']) {
    await guest.page.emulateMedia({forcedColors: 'active', colorScheme, reducedMotion: 'reduce'});
    /** Stands out from a button beside it and can be read, with the pointer over it or not. */
    const standsOut = async (button, beside) => {
      for (const over of [false, true]) {
        if (over) await button.hover(); else await guest.page.mouse.move(0, 0);
        const [one, other] = [await colours(button), await colours(beside)];
        const what = `${await button.innerText()}, ${colorScheme}${over ? ', pointed at' : ''}: ${JSON.stringify([one, other])}`;
        assert.ok(contrast(one.ground, other.ground) >= 3, what);
        assert.ok(contrast(one.ground, one.text) >= 4.5, what);
      }
    };
    const meter = await colours(guest.page.locator('.meter'));
    assert.ok(contrast(meter.border, meter.ground) >= 3, `meter, ${colorScheme}: ${JSON.stringify(meter)}`);
    assert.ok(contrast((await colours(bar)).ground, meter.ground) >= 3, `its level, ${colorScheme}`);
    await standsOut(guest.button('Join'), guest.page.locator('.card-main .button:not(.button-primary)').first());
    await guest.shot(`forced-check-${colorScheme}`);
  }
});
