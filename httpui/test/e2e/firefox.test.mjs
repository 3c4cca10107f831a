// The other engine: a call between Firefox and Chromium, each in both parts.
import {test} from 'node:test';
import {FirefoxPerson} from './firefox.mjs';
import {demo, Person, until} from './harness.mjs';

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
