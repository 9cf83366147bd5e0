/**
 * JSON in one form: RFC 8785 (JCS) and the hashes over it (PROTOCOL §1), by the same rules as
 * `server/deputize/protocol/canonical.py`. With saved natives, indexes and own members only: what a dialog shows and what is signed
 * are held together by these hashes.
 */

import { atob, btoa, charCodeAt, digest, exec, fromCharCode, getPrototypeOf, inert, isArray, isWellFormed, keys, sort, stringify, TextEncoder, TypeError, Uint8Array, utf8Of } from './natives.js';

/**
 * @typedef {'depth' | 'integer_range' | 'lone_surrogate' | 'non_finite' | 'not_json'} Reason
 * What a parser already refuses (duplicate members, encoding) is not to be seen in a value.
 */

const encoder = new TextEncoder();

const MAX_DEPTH = 64;
const MAX_INTEGER = 2 ** 53 - 1;
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
 * Returns the RFC 8785 form of plain data that keeps to JSON-1 and JSON-2.
 *
 * @param {unknown} value
 * @returns {string}
 * @throws {JsonError} for anything else
 */
export const canonicalize = (value) => written(value, 0);

/**
 * Returns base64url without padding (RFC 4648 §5).
 *
 * @param {Uint8Array} bytes
 * @returns {string}
 */
export function b64u(bytes) {
  let binary = '';
  for (let i = 0, byte = bytes[0]; byte !== undefined; byte = bytes[++i]) binary += fromCharCode(byte);
  return respelled(btoa(binary), '+/', '-_');
}

/**
 * Reads base64url as `b64u` writes it, and in no other spelling.
 *
 * @param {string} text
 * @returns {Uint8Array<ArrayBuffer>}
 * @throws {TypeError}
 */
export function unb64u(text) {
  const binary = decoded(respelled(text, '-_', '+/'));
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = charCodeAt(binary, i);
  // Alphabet, padding and trailing bits all show in the spelling.
  if (b64u(bytes) !== text) throw new TypeError('not canonical base64url');
  return bytes;
}

/**
 * Returns base64url(SHA-256(JCS(args))) (HASH-1).
 *
 * @param {unknown} args
 * @returns {Promise<string>} rejects with `JsonError`
 */
export async function argsS256(args) {
  return b64u(await sha256(canonicalize(args)));
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
  if (!exec(TOOL_NAME, tool)) throw new TypeError('a tool name is 1 to 128 of A-Z a-z 0-9 _ . -');
  if (!exec(SERVER_ID, serverId) || !isWellFormed(serverId)) {
    throw new TypeError('a server id is not empty and has no control characters');
  }
  // JCS escapes control characters and neither name has any, so these are the only zero bytes.
  return await sha256(`${tool}\0${canonicalize(args)}\0${serverId}`);
}

/**
 * @param {string} text
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export const sha256 = async (text) => inert(new Uint8Array(await digest('SHA-256', utf8Of(encoder, text))));

/**
 * Writes base64 with other marks, and without padding.
 *
 * @param {string} text
 * @param {string} from two marks
 * @param {string} to the two in their places
 */
function respelled(text, from, to) {
  let made = '';
  for (let i = 0; i < text.length && text[i] !== '='; i++) made += text[i] === from[0] ? to[0] : text[i] === from[1] ? to[1] : text[i];
  return made;
}

/** @param {string} base64 */
function decoded(base64) {
  try {
    return atob(base64);
  } catch {
    return ''; // which nothing but the empty text spells
  }
}

/**
 * @param {unknown} value
 * @param {number} depth how many objects and arrays `value` lies in
 * @returns {string}
 */
function written(value, depth) {
  switch (typeof value) {
    case 'string':
      if (!isWellFormed(value)) throw new JsonError('lone_surrogate');
      return stringify(value);
    case 'number':
      return writtenNumber(value);
    case 'boolean':
      return stringify(value);
    case 'object':
      return value === null ? 'null' : writtenContainer(value, depth);
    default:
      throw new JsonError('not_json');
  }
}

/** @param {number} number */
function writtenNumber(number) {
  const size = number < 0 ? -number : number;
  if (!(size < Infinity)) throw new JsonError('non_finite'); // neither is NaN
  if (size > MAX_INTEGER && size < FIRST_WITH_EXPONENT) throw new JsonError('integer_range'); // JSON-2
  return stringify(number);
}

/**
 * @param {object} container
 * @param {number} depth
 */
function writtenContainer(container, depth) {
  if (depth === MAX_DEPTH) throw new JsonError('depth');
  // What would be asked for its own idea of itself is no data, even if that idea is inherited.
  if ('toJSON' in container && typeof container.toJSON === 'function') throw new JsonError('not_json');
  let text = '';
  if (isArray(container)) {
    for (let i = 0; i < container.length; i++) text += (i > 0 ? ',' : '') + written(container[i], depth + 1);
    return `[${text}]`;
  }
  if (!isPlain(container)) throw new JsonError('not_json');
  const record = /** @type {Record<string, unknown>} */ (container);
  const names = sort(keys(record)); // by UTF-16 code units, as RFC 8785 §3.2.3 has it
  for (let i = 0; i < names.length; i++) {
    const name = /** @type {string} */ (names[i]);
    text += `${i > 0 ? ',' : ''}${written(name, 0)}:${written(record[name], depth + 1)}`;
  }
  return `{${text}}`;
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
