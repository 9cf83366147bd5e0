/** The calls that are being executed in this page: a form that one of them submits stays one call with it (SHIM-15). */

import { inert, stringify } from '../platform/natives.js';

/** @import { Arguments, Client } from '../types.js' */
/** @typedef {{name: string, args: Arguments, client: Client, taken?: boolean}} Running */

/** Thrown by what was to submit a form that has other values by then, or is gone. */
export const UNSENT = inert({});

/** @type {Set<Running>} */
const all = new Set();

/**
 * @param {Running} call that begins
 * @returns {() => void} to be called when it is over
 */
export function begin(call) {
  all.add(call);
  return () => void all.delete(call);
}

/**
 * The call that submits a form with these values, where there is one. Each submits once.
 *
 * @param {string} name
 * @param {Record<string, unknown>} values of the form: those that were approved among them, the others are the page's own
 * @returns {Running | null}
 */
export function joined(name, values) {
  for (const call of all) {
    if (call.taken || call.name !== name || !Object.entries(call.args).every(([key, value]) => stringify(value) === stringify(values[key]))) continue;
    call.taken = true;
    return inert(call);
  }
  return null;
}
