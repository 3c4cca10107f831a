// A call that loses its network, and what both ends are told and see.
import {until} from '../e2e/harness.mjs';
import {run} from './bed.mjs';

// What is printed is to be within 2 s and 5 s; what fails leaves room for a busy computer.
export const told = 4000; // ms from the loss until the page says so
export const back = 10_000; // ms from the network's return until new pictures

/** Frames that a page has decoded, by connection. */
const frames = async (p) => new Map((await p.stats()).map((s) => [s.id, s.video]));

/** Whether pictures have come in since, by a connection of then or by a new one. */
const moved = async (p, since) => [...await frames(p)].some(([id, n]) => n > (since.get(id) ?? 0) + 3);

/** Connects a practitioner and a patient who holds a link, and lets the path settle. */
export async function begin(t, practitioner, patient, link) {
  t.after(async () => {
    await patient.context.close();
    const end = practitioner.button('End for everyone');
    if (!await end.isVisible()) return;
    await end.click();
    await practitioner.button('End now').click();
  });
  await patient.knock(link, 'Ana Pereira');
  await practitioner.button('Admit Ana Pereira').click();
  await Promise.all([practitioner.hearsAndSees(), patient.hearsAndSees()]);
  await practitioner.page.waitForTimeout(2000);
}

/**
 * Loses the network, waits, gives it back, and says how long both ends took to
 * tell, and to see the other again.
 */
export async function lose(t, practitioner, patient, {cut, restore, ms}) {
  const both = [practitioner, patient];
  const before = await patient.page.evaluate(() => window.path());
  await cut();
  const lost = Date.now();
  const says = await Promise.all(both.map((p) => p.page.getByText(/Reconnecting/).first().waitFor({timeout: 10_000}).then(() => Date.now() - lost, () => Infinity)));
  await practitioner.page.waitForTimeout(Math.max(0, ms - (Date.now() - lost)));
  const seen = await Promise.all(both.map(frames));
  await restore();
  const restored = Date.now();
  const explain = async () => {
    for (const p of both) t.diagnostic(`${p === practitioner ? 'practitioner' : 'patient'}:\n${await p.page.evaluate((since) => window.connectionEvents(since), lost)}`);
  };
  const again = Promise.all(both.map((p, i) => until('new frames', () => moved(p, seen[i]), 40_000).then(() => Date.now() - restored)));
  const took = await again.catch((e) => explain().then(() => { throw e; }));
  await Promise.all(both.map((p) => p.hearsAndSees(1, 30_000)));
  const whole = Date.now() - restored;
  t.diagnostic(`told after ${says.join(' and ')} ms; frames again after ${took.join(' and ')} ms, whole after ${whole} ms (practitioner, patient)`);
  if (whole > back) await explain();
  for (const p of both) await p.page.getByText(/· encrypted · verified/).first().waitFor();
  const now = await patient.page.evaluate(() => window.path());
  return {says, took, whole, before, now};
}

/** Whether a path has a relay in it, on either side. */
export const relayed = ({local, remote}) => local === 'relay' || remote === 'relay';

/** Browsers take what works first; in the end the path is of the kind that it was before. */
export function sameKind(p, before) {
  return until('the same kind of path', async () => relayed(await p.page.evaluate(() => window.path())) === relayed(before));
}

/** A router that lets nothing through until the function that it returns is called. */
export function silence(router) {
  const nft = (text) => run('ip', ['netns', 'exec', router, 'nft', '-f', '-'], text);
  nft('table inet silence {\n chain nothing {\n type filter hook forward priority -10\n drop\n }\n}\n');
  return () => nft('delete table inet silence\n');
}
