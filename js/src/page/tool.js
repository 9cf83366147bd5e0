/** A tool as a page hands it to a context: read once, so that the gate and the context cannot hear two things. */

import { argsS256 } from '../platform/canonical.js';
import { defineProperty, parse, sort, stringify } from '../platform/natives.js';
import { own } from './replace.js';

/** @import { Tool } from '../types.js' */

/** What a dictionary may hold, wherever in the object's prototypes it lies; anything else is copied if it shows. */
const TOOL = ['annotations', 'description', 'execute', 'inputSchema', 'name', 'outputSchema', 'title'];
const HINTS = ['consequentialHint', 'readOnlyHint', 'untrustedContentHint'];
const OPTIONS = ['exposedTo', 'signal'];

/**
 * @param {unknown} value
 * @returns {value is object}
 */
export const isObject = (value) => typeof value === 'function' || (typeof value === 'object' && value !== null);

/** @param {object} given @returns {Record<string, unknown>} */
export const toolOf = (given) =>
  copyOf(given, TOOL, (name, value) => {
    if (!isObject(value)) return value;
    if (name === 'annotations') return { ...copyOf(value, HINTS) }; // what throws in it throws here
    // Made strings here, so that the gate and the platform cannot hear two names.
    return name === 'name' || name === 'description' || name === 'title' ? `${value}` : value;
  });

/** @param {unknown} given @returns {unknown} what is no object is for the context to refuse, or not */
export const optionsOf = (given) => (isObject(given) ? copyOf(given, OPTIONS) : given);

/**
 * Reads each member of a dictionary once, and in the order of their names, as the platform would. What a getter throws is thrown when
 * the platform comes to it, or to what it would not have read any more.
 *
 * @param {object} given
 * @param {string[]} members
 * @param {(name: string, value: unknown) => unknown} [heard]
 * @returns {Record<string, unknown>}
 */
function copyOf(given, members, heard = (_, value) => value) {
  const copy = Object.create(null);
  const names = new Set(members);
  for (const name in given) names.add(name);
  /** @type {{error: unknown} | undefined} */
  let failed;
  for (const name of sort([...names])) {
    try {
      const value = failed ? undefined : heard(name, Reflect.get(given, name));
      if (value !== undefined) copy[name] = value;
    } catch (error) {
      failed = { error };
    }
    if (failed) throws(copy, name, failed.error);
  }
  return copy;
}

/**
 * @param {object} copy
 * @param {string} name of a member that throws from now on
 * @param {unknown} error
 */
export function throws(copy, name, error) {
  const get = () => {
    throw error;
  };
  defineProperty(copy, name, own({ configurable: true, enumerable: true, get }));
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

/** @param {{name: unknown, description?: string, inputSchema?: unknown}} tool as a context tells of it */
export const sayingListed = ({ name, description, inputSchema }) =>
  saying({ name, description, inputSchema: typeof inputSchema === 'string' ? read(inputSchema) : inputSchema });

/** @param {string} text @returns {unknown} what it says in JSON; text that says nothing is no arguments */
export function read(text) {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}
