/**
 * Evidence of an attested agent, in the one channel that every client passes through: the tool's input (EVID-1).
 *
 * `deputize_delegation` is "<token>~<proof>". The authority judges it; here it is only taken out and carried.
 */

import { unb64u } from '../platform/canonical.js';
import { snapshot } from '../platform/json.js';
import { hasOwn, isArray, parse, String, stringify, TextDecoder } from '../platform/natives.js';

export const MEMBER = 'deputize_delegation';
const PAIR = /^([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)~([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)$/;
const DECLARED = {
  type: 'string',
  description: "For the agent's runtime; a model leaves it out.",
};

/** @import { Snapshot } from '../platform/json.js' */
/** @typedef {{token: string, proof: string}} Evidence */

/**
 * Takes the evidence out of the arguments, before anything is hashed, validated or run.
 *
 * @param {unknown} input
 * @returns {{args: Snapshot, evidence: Evidence | null, bad: boolean} | null} null if there are no arguments; `bad`: there is
 *   some evidence, and it is none; absent, null and empty are no evidence
 */
export function takeEvidence(input) {
  const args = snapshot(input);
  if (!args) return null;
  if (!hasOwn(args.value, MEMBER)) return { args, evidence: null, bad: false };
  const { [MEMBER]: carried, ...rest } = args.value;
  const left = /** @type {Snapshot} */ (snapshot(rest));
  if (carried === null || carried === '') return { args: left, evidence: null, bad: false };
  const [, token, proof] = (typeof carried === 'string' && PAIR.exec(carried)) || [];
  return { args: left, evidence: token && proof ? { token, proof } : null, bad: !token };
}

/**
 * The input of a public tool, which nobody judges: the member goes all the same.
 *
 * @param {unknown} input
 */
export function withoutEvidence(input) {
  if (typeof input !== 'object' || input === null || !hasOwn(input, MEMBER)) return input;
  const { [MEMBER]: _, ...rest } = /** @type {Record<string, unknown>} */ (input);
  return rest;
}

/**
 * Moves what an in-page agent passes in `executeTool`'s options into the input: platforms drop options that they do not know.
 * What is absent, null or empty there leaves the input as it is.
 *
 * @param {unknown} input an object, or its JSON text for some polyfills
 * @param {unknown} options
 * @returns {unknown} the input to use; what is none is for the platform to refuse
 */
export function moveEvidence(input, options) {
  if (typeof options !== 'object' || options === null) return input;
  const carried = Reflect.get(options, MEMBER);
  if (carried === undefined || carried === null || carried === '') return input;
  const asText = typeof input === 'string';
  const copy = copyOf(() => (asText ? input : stringify(input ?? {})));
  if (!copy) return input;
  const moved = { ...copy, [MEMBER]: carried };
  return asText ? stringify(moved) : moved;
}

/**
 * Declares the member in a schema that is about to be registered: clients drop what is not declared.
 *
 * @param {unknown} schema as the page gave it
 * @returns {unknown} a copy with the member, or what was given where it is no schema of an object
 */
export function declareEvidence(schema) {
  if (schema === undefined) return { type: 'object', properties: { [MEMBER]: DECLARED } };
  const copy = copyOf(() => stringify(schema));
  if (!copy || (copy.type !== undefined && copy.type !== 'object')) return schema; // the platform has its own words for it
  return { ...copy, properties: { ...copy.properties, [MEMBER]: DECLARED } };
}

/**
 * @param {() => string} text
 * @returns {any} any: an object of whatever JSON says; null if it says none
 */
function copyOf(text) {
  try {
    const copy = parse(text());
    return typeof copy === 'object' && !isArray(copy) ? copy : null;
  } catch {
    return null;
  }
}

/**
 * The scopes that a delegation token names. The authority has judged the token by then; this is for `client.scopes`.
 *
 * @param {string} token
 * @returns {string} separated by spaces
 */
export function scopeOf(token) {
  const [, claims] = token.split('.');
  return String(parse(new TextDecoder().decode(unb64u(claims ?? ''))).scope ?? '');
}
