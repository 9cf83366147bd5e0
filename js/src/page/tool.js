/** A tool as a page hands it to a context: read once, so that the gate and the context cannot hear two things. */

import { argsS256 } from '../platform/canonical.js';
import { parse, Proxy, sort, String, stringify } from '../platform/natives.js';

/** @import { Tool } from '../types.js' */

/** What a tool, or its options, may hold, wherever in the object's prototypes it lies; anything else is copied if it shows. */
const MEMBERS = ['annotations', 'description', 'execute', 'exposedTo', 'inputSchema', 'name', 'outputSchema', 'signal', 'title'];

/**
 * @param {unknown} value
 * @returns {value is object}
 */
export const isObject = (value) => typeof value === 'function' || (typeof value === 'object' && value !== null);

/**
 * Reads each member of a dictionary once, and in the order of their names: for a context that is a script, which may do so as it likes.
 *
 * @param {object} given
 * @returns {Record<string, unknown>}
 * @throws what a getter does
 */
export function toolOf(given) {
  const copy = Object.create(null);
  const names = new Set(MEMBERS);
  for (const name in given) names.add(name);
  for (const name of sort([...names])) {
    const value = member(given, name);
    if (value !== undefined) copy[name] = value;
  }
  return copy;
}

/**
 * Reads a member. What it is called and how it is described become strings here: the gate and the context cannot hear two of them.
 *
 * @param {object} given
 * @param {string} name
 * @returns {unknown}
 */
function member(given, name) {
  const value = Reflect.get(given, name);
  return isObject(value) && (name === 'name' || name === 'description') ? `${value}` : value;
}

/**
 * A dictionary whose members are read, once each, when the platform reads them: which, in which order, and how far, is its own matter.
 *
 * @param {object} given
 * @param {Record<string, unknown>} heard where they are kept
 * @param {(name: string, value: unknown) => unknown} [told] what it is told
 * @returns {any} any: of whatever types the page has put there
 */
export const reading = (given, heard, told = (_, value) => value) =>
  new Proxy(
    {},
    {
      /** @param {string} name */
      get(_, name) {
        if (!(name in heard)) heard[name] = member(given, name);
        return told(name, heard[name]);
      },
    },
  );

/**
 * What a page's getter has thrown is thrown by whoever reads the dictionary, which the context does in its own way.
 *
 * @param {unknown} error
 */
export const throwing = (error) =>
  reading({}, {}, () => {
    throw error;
  });

/**
 * A tool with what it says of itself at this moment, read once: what is hashed is what a context gets (HASH-3).
 *
 * @param {Record<string, unknown>} tool
 * @returns {Tool & {schema: unknown}} with its schema as it was read; as it was given where that is no JSON, which the platform refuses, too
 */
export function saying({ name, description, inputSchema }) {
  /** @type {string | undefined} */
  let schema;
  try {
    schema = stringify(inputSchema);
  } catch {
    // Without it, nothing has this text.
  }
  const called = String(name);
  const absent = inputSchema === undefined;
  const text = `{"description":${stringify(description === undefined ? '' : String(description))},"inputSchema":${absent ? 'null' : schema},"name":${stringify(called)}}`;
  const says = () => parse(text);
  /** @type {Promise<string> | undefined} */
  let hash;
  return { name: called, says, definition: async () => await (hash ??= argsS256(says())), schema: schema === undefined ? inputSchema : parse(schema) };
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
