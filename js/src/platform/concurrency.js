/** What runs at the same time: in turn, be it over all tabs of the site, or until the first is done. */

import * as natives from './natives.js';

/** @typedef {<T>(work: () => Promise<T>) => Promise<T>} InTurn */

/**
 * Makes a queue for those who share it.
 *
 * @returns {InTurn}
 */
export function queue() {
  /** @type {Promise<unknown>} */
  let last = natives.Promise.resolve();
  return (work) => {
    const before = last;
    const mine = (async () => {
      try {
        await before;
      } catch {
        // It has told its own caller.
      }
      return await work();
    })();
    last = mine;
    return mine;
  };
}

/**
 * Makes a queue for all who name it alike, in every tab of the site. Where the browser has no locks, `alone` is the queue, and other
 * tabs do not keep to it.
 *
 * @param {string} name
 * @param {InTurn} alone
 * @returns {InTurn}
 */
export function shared(name, alone) {
  const lock = natives.lock;
  return lock ? /** @type {InTurn} */ ((work) => lock(`deputize ${name}`, work)) : alone;
}

/**
 * Promise.race without `then`, which page script can replace.
 *
 * @param {...Promise<unknown>} promises
 * @returns {Promise<unknown>}
 */
export function first(...promises) {
  return new natives.Promise((resolve, reject) => {
    for (let i = 0; i < promises.length; i++) void settle(/** @type {Promise<unknown>} */ (promises[i]), resolve, reject);
  });
}

/**
 * @param {Promise<unknown>} promise
 * @param {(value: unknown) => void} resolve
 * @param {(error: unknown) => void} reject
 */
async function settle(promise, resolve, reject) {
  try {
    resolve(await promise);
  } catch (error) {
    reject(error);
  }
}
