// Time that moves only when told to, for tests that must not wait.
//
// No module takes a clock as an argument for the sake of its tests: node's mock
// timers and a replaced performance.now reach every clock that the page uses, also
// those of modules that a test does not know of. Measured with a profiler, the random
// walks, which live through some hours, idle for 1.5 % of their time.
import { mock } from 'node:test';

let ahead = 0; // by how much the time of day is wrong, ms

/** From now on timers, Date and performance.now stand still. @param {number} [now] the time of day, Unix ms */
export function holdTime(now = 0) {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now });
  ahead = 0;
  performance.now = () => Date.now() - ahead;
}

/** Gives the system's clock back; timers that have not gone off are forgotten. */
export function releaseTime() {
  mock.timers.reset();
  Reflect.deleteProperty(performance, 'now'); // what is left is the prototype's
}

/**
 * Lets time go by in one leap: what timers do is done, what they have promised is
 * not, since no microtask runs in between.
 * @param {number} ms
 */
export const leap = (ms) => mock.timers.tick(ms);

/**
 * Lets time go by step by step, and everything happen that a step brings about.
 * @param {number} ms
 * @param {{step?: number, settle?: () => Promise<void>}} [options] settle: returns when nothing happens any more without time passing
 */
export async function pass(ms, { step = 50, settle = turn } = {}) {
  for (let passed = 0; passed < ms; passed += step) {
    leap(step);
    await settle();
  }
}

/** All that is promised now comes first. @returns {Promise<void>} */
export const turn = () => new Promise((done) => { setImmediate(done); });

/** Sets the time of day, and no timer goes off for it. @param {number} ms */
export function setClock(ms) {
  ahead += ms;
  mock.timers.setTime(Date.now() + ms);
}
