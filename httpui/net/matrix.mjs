// Calls between all kinds of networks, in every way that a practice can be
// reached: which path each takes, compared with golden.json. The time to the
// first frame is printed beside it.
//
//   NET_ONLY='same origin/cone/'   only cells whose names begin so
//   NET_UPDATE=1                   writes what was found into golden.json
//   NET_SHAPE='-delay 20ms -loss 0.01'   what the backbone does to packets (tools/shaper)
import assert from 'node:assert/strict';
import {readFileSync, writeFileSync} from 'node:fs';
import {after, before, test} from 'node:test';
import {Person, watchFirstFrame} from '../e2e/harness.mjs';
import {Bed, check} from './bed.mjs';
import {watchPath} from './browser.mjs';
import {Ways} from './ways.mjs';

const goldenFile = new URL('golden.json', import.meta.url);
const golden = JSON.parse(readFileSync(goldenFile, 'utf8'));
const {NET_ONLY: only = '', NET_UPDATE: update, NET_SHAPE: shape} = process.env;
const connectTime = 15_000; // ICE has found a path by then, or will not
const settleTime = 5000; // and keeps it from then on
const slow = 3000; // ms to a frame, from which on the report says what took so long

let bed, ways;
const found = {}; // mode → practitioner's kind → patient's kind → {path, first, ms}
before(async () => {
  check('openssl', 'certutil');
  bed = new Bed();
  ways = new Ways(bed, practitioners);
  if (shape) await bed.shape(...shape.split(' '));
});
after(async () => {
  report();
  await bed?.close();
});

function practitioners(...modes) {
  return [...new Set(modes.flatMap((mode) => Object.keys(golden[mode]).filter((kind) => patients(mode, kind).length > 0)))];
}
function patients(mode, kind) {
  return Object.keys(golden[mode][kind]).filter((patient) => `${mode}/${kind}/${patient}`.startsWith(only));
}

for (const mode of Object.keys(golden)) {
  if (practitioners(mode).length === 0) continue;
  test(mode, {timeout: 600_000}, async (t) => {
    for (const kind of practitioners(mode)) {
      const way = await ways.by(mode, kind);
      const doctor = await arrive(t, 'practitioner', kind);
      await doctor.practise((await way.home.cli('open', '--no-open')).trim());
      for (const patient of patients(mode, kind)) {
        await t.test(`${mode}/${kind}/${patient}`, {timeout: 120_000}, async (cell) => {
          // Which of two good paths a browser takes first can depend on a busy computer.
          await call(cell, way, doctor, mode, kind, patient).catch((e) => {
            cell.diagnostic(`tried again, because of: ${e.message}`);
            return call(cell, way, doctor, mode, kind, patient);
          });
        });
      }
      await doctor.context.close();
    }
  });
}

/** A person with a browser on a host of their kind. */
async function arrive(t, role, kind) {
  const p = await Person.arrive(t, {browser: await ways.browser(role, kind)});
  await p.context.addInitScript(watchPath);
  return p;
}

async function call(t, {home, open}, doctor, mode, kind, patientKind) {
  const cell = ((found[mode] ??= {})[kind] ??= {})[patientKind] = {path: 'no knock', ms: []};
  const made = JSON.parse(await home.cli('appointment', 'create', '--label', `${kind} and ${patientKind}`, '--guest', 'Patient', '--output', 'json'));
  const patient = await arrive(t, 'patient', patientKind);
  try {
    await patient.knock(await open(made.guests[0].url, patientKind), 'Ana Pereira');
    await doctor.button('Admit Ana Pereira').waitFor();
    cell.path = 'none';
    await doctor.page.waitForTimeout(500); // patients wait longer than this
    for (const p of [doctor, patient]) await p.page.evaluate(watchFirstFrame);
    await doctor.button('Admit Ana Pereira').click();
    const both = [doctor, patient];
    const connected = await Promise.all(both.map((p) => p.hearsAndSees(1, connectTime).then(() => true, () => false)));
    const clicked = await doctor.page.evaluate(() => window.clicked);
    const wanted = golden[mode][kind][patientKind];
    if (connected.every(Boolean)) {
      cell.ms = await Promise.all(both.map(async (p) => Math.round(await p.page.evaluate(() => window.firstFrame) - clicked)));
      await settled(cell, doctor, patient, wanted);
    }
    if (cell.path !== wanted || Math.max(...cell.ms) > slow) {
      for (const p of both) t.diagnostic(`${p === doctor ? 'practitioner' : 'patient'}:\n${await p.page.evaluate((since) => window.connectionEvents(since), clicked)}`);
    }
    if (!update) assert.equal(cell.path, wanted);
  } finally {
    await patient.context.close();
    await endCall(doctor);
  }
}

/** Finds the path: browsers take the first that works, and a better one soon after. */
async function settled(cell, doctor, patient, wanted) {
  for (const end = Date.now() + settleTime; ;) {
    cell.path = pathOf(...await Promise.all([doctor, patient].map((p) => p.page.evaluate(() => window.path()))));
    cell.first ??= cell.path;
    if (cell.path === wanted || Date.now() > end) break;
    await doctor.page.waitForTimeout(200);
  }
  const says = cell.path.startsWith('direct') ? /^Direct · encrypted/ : /^Relayed/;
  for (const p of [doctor, patient]) await p.page.getByText(says).first().waitFor();
}

/** In what way the media go; of a relay, how the practitioner and the patient reach it if they differ. */
function pathOf(doctor, patient) {
  const relayed = [doctor, patient].some((p) => p.local === 'relay' || p.remote === 'relay');
  const protocols = new Set([doctor.protocol, patient.protocol]);
  if (relayed) return `relay ${[...protocols].join('/')}`;
  return protocols.has('tcp') ? 'direct tcp' : 'direct';
}

/** Leaves the practitioner in front of an empty waiting room, whatever has become of the call. */
async function endCall(doctor) {
  const end = doctor.button('End for everyone');
  if (await end.isVisible()) await end.click();
  else await doctor.page.reload();
  await doctor.page.getByRole('heading', {name: 'Waiting room'}).waitFor();
  await doctor.button('Admit Ana Pereira').waitFor({state: 'detached'});
}

function report() {
  for (const [mode, rows] of Object.entries(found)) {
    console.log(`\n${mode}: path; ms to the first frame at the practitioner's and at the patient's`);
    for (const [kind, cells] of Object.entries(rows)) {
      for (const [patient, {path, first, ms}] of Object.entries(cells)) {
        console.log(`  ${kind.padEnd(12)} ${patient.padEnd(12)} ${path.padEnd(14)} ${ms.map((x) => String(x).padStart(5)).join(' ')}${first === undefined || first === path ? '' : `, first ${first}`}`);
      }
    }
  }
  if (!update) return;
  for (const [mode, rows] of Object.entries(found)) {
    for (const [kind, cells] of Object.entries(rows)) {
      for (const [patient, {path}] of Object.entries(cells)) golden[mode][kind][patient] = path;
    }
  }
  writeFileSync(goldenFile, `${JSON.stringify(golden, null, 2)}\n`);
}
