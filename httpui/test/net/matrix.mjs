// Calls between all kinds of networks, in every way that a practice can be
// reached: which path each takes, compared with golden.json. The time to the
// first frame is printed beside it.
//
//   NET_ONLY='same origin/cone/'   only cells whose names begin so
//   NET_ALL=1                      also all of what is otherwise a part
//   NET_UPDATE=1                   writes what was found into golden.json
import assert from 'node:assert/strict';
import {readFileSync, writeFileSync} from 'node:fs';
import {after, before, test} from 'node:test';
import {Person, watchFirstFrame} from '../e2e/harness.mjs';
import {Bed, check} from './bed.mjs';
import {watchPath} from './browser.mjs';
import {Ways} from './ways.mjs';

const goldenFile = new URL('golden.json', import.meta.url);
const golden = JSON.parse(readFileSync(goldenFile, 'utf8'));
const {NET_ONLY: only = '', NET_ALL: everything, NET_UPDATE: update} = process.env;
const settleTime = 5000; // a browser that has found a path keeps it from then on
const slow = 3000; // ms to a frame, from which on the report says what took so long

const modes = Object.keys(golden);

let bed, ways, line;
let chosen = []; // of [mode, practitioner's kind, patient's kind]
const found = {}; // mode → practitioner's kind → patient's kind → {path, first, ms}

/**
 * Registers the tests.
 * @param {object} of
 * @param {RegExp} [of.paths] cells that are to take such paths
 * @param {number} [of.every] of these, one of so many, with every mode among them, unless NET_ALL is set
 * @param {number} [of.from] the first
 * @param {string[]} [of.shape] what the backbone does to packets (tools/shaper), always
 * @param {string[]} [of.callShape] and between the knock and the end of a call
 * @param {(p: Person, ms: number) => Promise<void>} [of.connected] what a call must have within ms
 * @param {number} [of.ms]
 * @param {(t, people: Person[]) => Promise<void>} [of.then] what else is looked at in each call
 */
export function matrix({paths = /./, every = 1, from = 0, shape = [], callShape, connected = (p, ms) => p.hearsAndSees(1, ms), ms = 15_000, then = async () => {}} = {}) {
  line = {connected, ms, then, callShape};
  const all = modes.flatMap((mode) => Object.entries(golden[mode]).flatMap(([kind, row]) => Object.entries(row)
    .filter(([, path]) => paths.test(path)).map(([patient]) => [mode, kind, patient])));
  chosen = everything ? all : all.filter((_, i) => i % every === from);
  const among = new Set(chosen.map(([mode]) => mode));
  for (const mode of modes) assert.ok(among.has(mode), `no call by ${mode}`);
  chosen = chosen.filter((cell) => cell.join('/').startsWith(only));

  before(async () => {
    check('openssl', 'certutil');
    bed = new Bed();
    ways = new Ways(bed, practitioners);
    if (shape.length > 0) await bed.shape(...shape);
  });
  after(async () => {
    report();
    await bed?.close();
  });

  for (const mode of modes.filter((m) => practitioners(m).length > 0)) {
    const cells = chosen.filter(([m]) => m === mode).length;
    test(mode, {timeout: 120_000 + cells * 60_000}, async (t) => {
      for (const kind of practitioners(mode)) {
        const way = await ways.by(mode, kind);
        const practitioner = await arrive(t, 'practitioner', kind);
        await practitioner.practise((await way.home.cli('open', '--no-open')).trim());
        for (const [, , patient] of chosen.filter(([m, k]) => m === mode && k === kind)) {
          await t.test(`${mode}/${kind}/${patient}`, {timeout: 120_000}, async (cell) => {
            // Which of two good paths a browser takes first can depend on a busy computer.
            await call(cell, way, practitioner, mode, kind, patient).catch((e) => {
              cell.diagnostic(`tried again, because of: ${e.message}`);
              return call(cell, way, practitioner, mode, kind, patient);
            });
          });
        }
        await practitioner.context.close();
      }
    });
  }
}

/** The kinds of networks in which some modes have a practitioner. */
function practitioners(...of) {
  return [...new Set(chosen.filter(([mode]) => of.includes(mode)).map(([, kind]) => kind))];
}

/** A person with a browser on a host of their kind. */
async function arrive(t, role, kind) {
  const p = await Person.arrive(t, {browser: await ways.browser(role, kind)});
  await p.context.addInitScript(watchPath);
  return p;
}

async function call(t, {home, open}, practitioner, mode, kind, patientKind) {
  const cell = ((found[mode] ??= {})[kind] ??= {})[patientKind] = {path: 'no knock', ms: []};
  const made = JSON.parse(await home.cli('appointment', 'create', '--label', `${kind} and ${patientKind}`, '--guest', 'Patient', '--output', 'json'));
  const patient = await arrive(t, 'patient', patientKind);
  let restore = () => {};
  try {
    await patient.knock(await open(made.guests[0].url, patientKind), 'Ana Pereira');
    await practitioner.button('Admit Ana Pereira').waitFor();
    cell.path = 'none';
    await practitioner.page.waitForTimeout(500); // patients wait longer than this
    for (const p of [practitioner, patient]) await p.page.evaluate(watchFirstFrame);
    if (line.callShape) restore = await bed.shape(...line.callShape);
    await practitioner.button('Admit Ana Pereira').click();
    const both = [practitioner, patient];
    const connected = await Promise.all(both.map((p) => line.connected(p, line.ms).then(() => true, () => false)));
    const clicked = await practitioner.page.evaluate(() => window.clicked);
    const wanted = golden[mode][kind][patientKind];
    if (connected.every(Boolean)) {
      cell.ms = (await Promise.all(both.map((p) => p.page.evaluate(() => Promise.race([window.firstFrame, 0]))))).filter((at) => at > 0).map((at) => Math.round(at - clicked));
      await settled(cell, practitioner, patient, wanted);
      await line.then(t, both);
    }
    if (cell.path !== wanted || Math.max(...cell.ms) > slow) {
      for (const p of both) t.diagnostic(`${p === practitioner ? 'practitioner' : 'patient'}:\n${await p.page.evaluate((since) => window.connectionEvents(since), clicked)}`);
    }
    if (update) assert.notEqual(cell.path, 'none', 'a pair that does not connect is no result');
    else assert.equal(cell.path, wanted);
  } finally {
    await restore();
    await patient.context.close();
    await endCall(practitioner);
  }
}

/** Finds the path: browsers take the first that works, and a better one soon after. */
async function settled(cell, practitioner, patient, wanted) {
  for (const end = Date.now() + settleTime; ;) {
    cell.path = pathOf(...await Promise.all([practitioner, patient].map((p) => p.page.evaluate(() => window.path()))));
    cell.first ??= cell.path;
    if (cell.path === wanted || Date.now() > end) break;
    await practitioner.page.waitForTimeout(200);
  }
  const says = cell.path.startsWith('direct') ? /^Direct · encrypted/ : /^Relayed/;
  for (const p of [practitioner, patient]) await p.page.getByText(says).first().waitFor();
}

/** In what way the media go; of a relay, how the practitioner and the patient reach it if they differ. */
function pathOf(practitioner, patient) {
  const relayed = [practitioner, patient].some((p) => p.local === 'relay' || p.remote === 'relay');
  const protocols = new Set([practitioner.protocol, patient.protocol]);
  if (relayed) return `relay ${[...protocols].join('/')}`;
  return protocols.has('tcp') ? 'direct tcp' : 'direct';
}

/** Leaves the practitioner in front of an empty waiting room, whatever has become of the call. */
async function endCall(practitioner) {
  const end = practitioner.button('End for everyone');
  if (await end.isVisible()) {
    await end.click();
    await practitioner.button('End now').click();
  } else await practitioner.page.reload();
  await practitioner.page.getByRole('heading', {name: 'Waiting room'}).waitFor();
  await practitioner.button('Admit Ana Pereira').waitFor({state: 'detached'});
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
