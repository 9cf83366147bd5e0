/** A tool as a page hands it to a context: read once, so that the gate and the context cannot hear two things. */

import { argsS256 } from '../platform/canonical.js';
import { parse, stringify } from '../platform/natives.js';

/** @import { Tool } from '../types.js' */

/** What a tool dictionary may hold, wherever in the object's prototypes it lies; anything else is copied if it shows. */
const TOOL = ['name', 'title', 'description', 'inputSchema', 'outputSchema', 'annotations', 'execute'];
const OPTIONS = ['signal', 'exposedTo'];

/**
 * @param {unknown} value
 * @returns {value is object}
 */
export const isObject = (value) => typeof value === 'function' || (typeof value === 'object' && value !== null);

/** @param {object} given @returns {Record<string, unknown>} */
export function toolOf(given) {
  const copy = copyOf(given, TOOL);
  // Made strings here, so that the gate and the platform cannot hear two names.
  for (const name of ['name', 'description']) if (isObject(copy[name])) copy[name] = `${copy[name]}`;
  return copy;
}

/** @param {unknown} given @returns {unknown} what is no object is for the context to refuse, or not */
export const optionsOf = (given) => (isObject(given) ? copyOf(given, OPTIONS) : given);

/**
 * Reads each member of a dictionary once, as the platform would.
 *
 * @param {object} given
 * @param {string[]} members
 * @returns {Record<string, unknown>}
 */
function copyOf(given, members) {
  const copy = Object.create(null);
  for (const name in given) copy[name] = Reflect.get(given, name);
  for (const name of members) {
    if (name in copy) continue;
    const value = Reflect.get(given, name);
    if (value !== undefined) copy[name] = value;
  }
  return copy;
}

/**
 * What a page's getter has thrown is thrown by whoever reads the dictionary, which the context does in its own way.
 *
 * @param {unknown} error
 */
export const throwing = (error) =>
  new Proxy(
    {},
    {
      get() {
        throw error;
      },
    },
  );

/**
 * What a tool says of itself at this moment, read once: what is hashed is what a context gets (HASH-3).
 *
 * @param {Record<string, unknown>} tool
 * @returns {Pick<Tool, 'definition' | 'says'> & {schema: unknown}} and its schema as it was read; as it was given where that is no JSON,
 *   which the platform refuses, too
 */
export function saying({ name, description, inputSchema }) {
  /** @type {string | undefined} */
  let schema;
  try {
    schema = stringify(inputSchema);
  } catch {
    // Without it, nothing has this text.
  }
  const absent = inputSchema === undefined;
  const text = `{"description":${stringify(description === undefined ? '' : String(description))},"inputSchema":${absent ? 'null' : schema},"name":${stringify(String(name))}}`;
  const says = () => parse(text);
  /** @type {Promise<string> | undefined} */
  let hash;
  return { says, definition: async () => await (hash ??= argsS256(says())), schema: schema === undefined ? inputSchema : parse(schema) };
}
