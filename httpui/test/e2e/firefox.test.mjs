// The other engine: a call between Firefox and Chromium, each in both parts.
import {test} from 'node:test';
import {FirefoxPerson} from './firefox.mjs';
import {demo, Person, until} from './harness.mjs';

test('a patient with Firefox', {timeout: 120_000}, async (t) => {
  const d = await demo(t);
  const [practitioner, patient] = [await Person.arrive(t), await FirefoxPerson.arrive(t)];
  await practitioner.practise(d.practitioner);
  await patient.knock(d.link('gateway'), 'Ana Pereira');
  await practitioner.button('Admit Ana Pereira').click();
  await Promise.all([practitioner.hearsAndSees(), patient.hearsAndSees()]);
  await patient.truthful();
  await patient.press('Leave');
  await patient.reads('You can close this page');
  await until('every track ended', () => patient.page.evaluate(() => window.openTracks.every((track) => track.readyState === 'ended')), 1000);
});

test('a practitioner with Firefox', {timeout: 120_000}, async (t) => {
  const d = await demo(t);
  const [practitioner, patient] = [await FirefoxPerson.arrive(t), await Person.arrive(t)];
  await practitioner.practise(d.practitioner);
  await patient.knock(d.link('home'), 'Ana Pereira');
  await practitioner.press('Admit Ana Pereira');
  await Promise.all([practitioner.hearsAndSees(), patient.hearsAndSees()]);
  await practitioner.truthful();
  await practitioner.press('End for everyone');
  await patient.page.getByText('You can close this page').waitFor();
});
