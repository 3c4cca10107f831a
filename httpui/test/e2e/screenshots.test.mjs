// The pictures in docs and README, from a real call between real nodes, at
// phone and desktop size, in both themes.
import {test} from 'node:test';
import {demo, Person} from './harness.mjs';
import {fine, sizes} from './looks.mjs';

for (const theme of ['light', 'dark']) {
  for (const [size, viewport] of Object.entries(sizes)) {
    test(`pages at ${size} size, ${theme}`, {timeout: 180_000}, async (t) => {
      const d = await demo(t);
      const as = {viewport, colorScheme: theme};
      const [doctor, patient] = await Promise.all([Person.arrive(t, as), Person.arrive(t, as)]);
      const shot = (person, name) => fine(person, `${name}-${size}-${theme}`);
      await doctor.practise(d.practitioner);
      await shot(doctor, 'diary');
      await patient.page.goto(d.link('home'));
      await patient.button('Continue').waitFor();
      await shot(patient, 'guest-link');
      await patient.button('Continue').click();
      await patient.page.getByRole('textbox', {name: 'Your name'}).fill('Ana Pereira');
      await shot(patient, 'guest-check');
      await patient.button('Join').click();
      await patient.page.getByRole('status').filter({hasText: 'Waiting for'}).waitFor();
      await shot(patient, 'guest-waiting');
      await doctor.button('Admit Ana Pereira').waitFor();
      await shot(doctor, 'diary-knock');
      await doctor.button('Admit Ana Pereira').click();
      await Promise.all([doctor.hearsAndSees(), patient.hearsAndSees()]);
      for (const p of [doctor, patient]) await p.page.getByText(/^Direct · encrypted · verified/).first().waitFor();
      await shot(doctor, 'call');
      await shot(patient, 'guest-call');
      await doctor.button('Connection details').click();
      await doctor.page.getByRole('region', {name: 'Connection details'}).waitFor();
      await shot(doctor, 'call-details');
      await patient.button('Leave').click();
      await patient.page.getByText('You can close this page').waitFor();
      await shot(patient, 'guest-end');
    });
  }
}
