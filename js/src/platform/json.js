/** JSON across the page's boundary: the authority's answers, and the arguments of a call. */

import { canonicalize } from './canonical.js';
import { freeze, get, isArray, ownKeys, parse, setPrototypeOf, structuredClone } from './natives.js';

/** @import { Arguments, Bare } from '../types.js' */
/** @typedef {{text: string, value: Arguments}} Snapshot the canonical text, and what it says, frozen */

/**
 * Takes the prototypes off parsed JSON, so that a member that is not there is not found on Object.prototype either.
 *
 * @param {unknown} value
 * @returns {Bare}
 */
export const bare = (value) => /** @type {Bare} */ (everywhere(value, (each) => isArray(each) || setPrototypeOf(each, null)));

/** @param {unknown} value */
export const textOf = (value) => (typeof value === 'string' ? value : '');

/**
 * A member of what may be no object at all, such as a text, whose members would be those of its prototype.
 *
 * @param {unknown} value
 * @param {string} name
 * @returns {unknown}
 */
export const memberOf = (value, name) => (typeof value === 'object' && value !== null ? get(value, name) : undefined);

/** @param {unknown} value */
export const numberOf = (value) => (typeof value === 'number' ? value : null);

/**
 * @param {unknown} value a list, or one string with spaces as OAuth has it
 * @returns {string[]}
 */
export function scopesOf(value) {
  if (isArray(value)) return value.map(textOf).filter((each) => each);
  return textOf(value).split(' ').filter((each) => each);
}

/**
 * Copies arguments once: what is hashed, sent, shown and executed is this one value (SHIM-2).
 *
 * @param {unknown} input whatever the agent passed; getters in it run here and never again
 * @returns {Snapshot | null} null if it is not an object, or not JSON as JSON-1 and JSON-2 have it
 */
export function snapshot(input) {
  try {
    const text = canonicalize(structuredClone(input ?? {}));
    // Parsed back from the text, whatever toJSON a page may have put on a prototype.
    return text[0] === '{' ? { text, value: /** @type {Arguments} */ (everywhere(parse(text), freeze)) } : null;
  } catch {
    return null;
  }
}

/**
 * Does something to all lists and objects in a value, the outer ones last.
 *
 * @param {unknown} value JSON
 * @param {(each: object) => unknown} work
 * @returns {unknown} the value
 */
function everywhere(value, work) {
  if (typeof value === 'object' && value !== null) {
    const names = ownKeys(value);
    for (let i = 0; i < names.length; i++) everywhere(get(value, names[i] ?? ''), work);
    work(value);
  }
  return value;
}
