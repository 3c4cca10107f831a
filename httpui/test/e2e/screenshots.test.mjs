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
      const [practitioner, patient] = await Promise.all([Person.arrive(t, as), Person.arrive(t, as)]);
      const shot = (person, name) => fine(person, `${name}-${size}-${theme}`);
      await practitioner.practise(d.practitioner);
      await shot(practitioner, 'diary');
      await patient.page.goto(d.link('home'));
      await patient.button('Continue').waitFor();
      await shot(patient, 'guest-link');
      await patient.button('Continue').click();
      await patient.page.getByRole('textbox', {name: 'Your name'}).fill('Ana Pereira');
      await shot(patient, 'guest-check');
      await patient.button('Join').click();
      await patient.page.getByRole('status').filter({hasText: 'Waiting for'}).waitFor();
      await shot(patient, 'guest-waiting');
      await practitioner.button('Admit Ana Pereira').waitFor();
      await shot(practitioner, 'diary-knock');
      await practitioner.button('Admit Ana Pereira').click();
      await Promise.all([practitioner.hearsAndSees(), patient.hearsAndSees()]);
      for (const p of [practitioner, patient]) await p.page.getByText(/^Direct · encrypted · verified/).first().waitFor();
      await shot(practitioner, 'call');
      await shot(patient, 'guest-call');
      await practitioner.button('Connection details').click();
      await practitioner.page.getByRole('region', {name: 'Connection details'}).waitFor();
      await shot(practitioner, 'call-details');
      await patient.button('Leave').click();
      await patient.page.getByText('You can close this page').waitFor();
      await shot(patient, 'guest-end');
    });
  }
}
