// A part of the matrix over lines of 100 kbit/s each way that lose packets: the
// sound goes on, with or without a picture.
import assert from 'node:assert/strict';
import {until} from '../e2e/harness.mjs';
import {sound} from './browser.mjs';
import {matrix} from './matrix.mjs';

matrix({
  every: 18,
  from: 1,
  callShape: ['-delay', '20ms', '-loss', '0.03', '-rate', '0.1'],
  ms: 30_000,
  connected: (p, ms) => until('sound', async () => (await p.stats()).some((s) => s.state === 'connected' && s.audio > 100), ms),
  async then(t, people) {
    await people[0].page.waitForTimeout(10_000); // the browsers have found out what the line carries
    await Promise.all(people.map(async (p, i) => {
      const {rate, madeUp} = await sound(p, 5);
      t.diagnostic(`${['practitioner', 'patient'][i]}: ${rate} packets of sound a second, ${(100 * madeUp).toFixed(0)} % of it made up`);
      assert.ok(rate > 10 && madeUp < 0.15, 'sound suffers');
    }));
  },
});
