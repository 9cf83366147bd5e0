/**
 * JSON in one form: RFC 8785 (JCS) and the hashes over it (PROTOCOL §1), by the same rules as
 * `server/deputize/protocol/canonical.py`.
 *
 * Natives are taken when the module loads, before other scripts can replace them. The package `canonicalize` takes its
 * own as it runs: a page that patches those only makes its calls fail, for the authority computes every hash itself.
 */
import serialize from 'canonicalize';

import { digest, getPrototypeOf, isArray, keys, TextEncoder } from './natives.js';

/** @typedef {null | boolean | number | string | Json[] | {[member: string]: Json}} Json */
/**
 * @typedef {'depth' | 'integer_range' | 'lone_surrogate' | 'non_finite' | 'not_json'} Reason
 * What a parser already refuses (duplicate members, encoding) is not to be seen in a value.
 */

const { fromCharCode } = String;
const { atob, btoa, Uint8Array } = globalThis;
const utf8 = ((encoder) => encoder.encode.bind(encoder))(new TextEncoder());
/** @type {(text: string) => boolean} */
const isWellFormed = Function.prototype.call.bind(String.prototype.isWellFormed);

const MAX_DEPTH = 64;
const MAX_INTEGER = Number.MAX_SAFE_INTEGER;
/** Smaller whole numbers are written digit by digit. */
const FIRST_WITH_EXPONENT = 1e21;

const TOOL_NAME = /^[A-Za-z0-9_.-]{1,128}$/;
const SERVER_ID = /^[^\x00-\x1f\x7f-\x9f]+$/;

/** Not JSON as this protocol means it; `reason` says which rule was broken. */
export class JsonError extends TypeError {
  /** @param {Reason} reason */
  constructor(reason) {
    super(reason);
    this.name = 'JsonError';
    this.reason = reason;
  }
}

/**
 * Holds a value to the rules: plain data only, JSON-1 and JSON-2.
 *
 * @param {unknown} value
 * @returns {asserts value is Json}
 * @throws {JsonError}
 */
export function check(value) {
  survey(value, 0);
}

/**
 * Returns the RFC 8785 form of `value`.
 *
 * @param {unknown} value
 * @returns {string}
 * @throws {JsonError} for what `check` refuses
 */
export function canonicalize(value) {
  check(value);
  return /** @type {string} */ (serialize(value)); // undefined only for what is no JSON
}

/**
 * Returns base64url without padding (RFC 4648 §5).
 *
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function b64u(bytes) {
  let binary = '';
  for (let i = 0; i < bytes.length; i++) binary += fromCharCode(/** @type {number} */ (bytes[i]));
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/**
 * Reads base64url as `b64u` writes it, and in no other spelling.
 *
 * @param {string} text
 * @returns {Uint8Array<ArrayBuffer>}
 * @throws {TypeError}
 */
export function unb64u(text) {
  const bytes = lenient(text);
  // Alphabet, padding and trailing bits all show in the spelling.
  if (bytes === null || b64u(bytes) !== text) throw new TypeError('not canonical base64url');
  return bytes;
}

/**
 * Returns base64url(SHA-256(JCS(args))) (HASH-1).
 *
 * @param {unknown} args
 * @returns {Promise<string>} rejects with `JsonError`
 */
export async function argsS256(args) {
  return b64u(await sha256(utf8(canonicalize(args))));
}

/**
 * Returns SHA-256(tool ‖ 0x00 ‖ JCS(args) ‖ 0x00 ‖ serverId), 32 bytes (HASH-2, SEP-2672 §4.6).
 *
 * @param {string} tool
 * @param {unknown} args
 * @param {string} serverId
 * @returns {Promise<Uint8Array>} rejects with `TypeError` for names that would make the separators ambiguous, with
 *   `JsonError` for arguments that are not JSON
 */
export async function actionHash(tool, args, serverId) {
  if (!TOOL_NAME.test(tool)) throw new TypeError('a tool name is 1 to 128 of A-Z a-z 0-9 _ . -');
  if (!SERVER_ID.test(serverId) || !isWellFormed(serverId)) {
    throw new TypeError('a server id is not empty and has no control characters');
  }
  // JCS escapes control characters and neither name has any, so these are the only zero bytes.
  return sha256(utf8(`${tool}\0${canonicalize(args)}\0${serverId}`));
}

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {Promise<Uint8Array>}
 */
async function sha256(bytes) {
  return new Uint8Array(await digest('SHA-256', bytes));
}

/**
 * @param {string} text
 * @returns {Uint8Array<ArrayBuffer> | null}
 */
function lenient(text) {
  let binary;
  try {
    binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  } catch {
    return null;
  }
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/**
 * @param {unknown} value
 * @param {number} depth how many objects and arrays `value` lies in
 * @returns {void}
 */
function survey(value, depth) {
  switch (typeof value) {
    case 'string':
      return surveyText(value);
    case 'number':
      return surveyNumber(value);
    case 'boolean':
      return;
    case 'object':
      if (value !== null) surveyContainer(value, depth);
      return;
    default:
      throw new JsonError('not_json');
  }
}

/** @param {string} text */
function surveyText(text) {
  if (!isWellFormed(text)) throw new JsonError('lone_surrogate');
}

/** @param {number} number */
function surveyNumber(number) {
  const size = number < 0 ? -number : number;
  if (!(size < Infinity)) throw new JsonError('non_finite'); // neither is NaN
  if (size > MAX_INTEGER && size < FIRST_WITH_EXPONENT) throw new JsonError('integer_range'); // JSON-2
}

/**
 * @param {object} container
 * @param {number} depth
 */
function surveyContainer(container, depth) {
  if (depth === MAX_DEPTH) throw new JsonError('depth');
  // What would be asked for its own idea of itself is no data, even if that idea is inherited.
  if ('toJSON' in container && typeof container.toJSON === 'function') throw new JsonError('not_json');
  if (isArray(container)) {
    for (let i = 0; i < container.length; i++) survey(container[i], depth + 1);
    return;
  }
  if (!isPlain(container)) throw new JsonError('not_json');
  const record = /** @type {Record<string, unknown>} */ (container);
  const names = keys(record);
  for (let i = 0; i < names.length; i++) {
    const name = /** @type {string} */ (names[i]);
    surveyText(name);
    survey(record[name], depth + 1);
  }
}

/**
 * Tells whether an object is of no class: without prototype, or with the first one of some realm.
 *
 * @param {object} object
 */
function isPlain(object) {
  const prototype = getPrototypeOf(object);
  return prototype === null || getPrototypeOf(prototype) === null;
}
