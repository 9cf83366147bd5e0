/** The calls that are being executed in this page: a form that one of them submits stays one call with it (SHIM-15). */

import { inert } from '../platform/natives.js';

/** @import { Arguments, Client } from '../types.js' */
/** @typedef {{name: string, args: Arguments, text: string, client: Client, taken?: boolean}} Running `text` is that of the arguments, in one spelling */

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
 * The call that submits a form, where there is one. Each submits once.
 *
 * @param {(call: Running) => boolean} fits
 * @returns {Running | null}
 */
export function claimed(fits) {
  for (const call of all) {
    if (call.taken || !fits(call)) continue;
    call.taken = true;
    return inert(call);
  }
  return null;
}
