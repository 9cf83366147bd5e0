/** One shim in a page: whichever copy came first is the one (SHIM-13). */

import { defineProperty, document, getOwnPropertyDescriptor } from '../platform/natives.js';
import { own } from './replace.js';

/** Where a document has the shim's functions, for other copies of it and for the windows around. */
export const SHIM = Symbol.for('deputize');

/**
 * @template {object} T
 * @param {T} api of this copy
 * @returns {T} that of the first copy
 */
export function first(api) {
  const found = getOwnPropertyDescriptor(document, SHIM);
  if (found) return found.value;
  defineProperty(document, SHIM, own({ value: api }));
  return api;
}
