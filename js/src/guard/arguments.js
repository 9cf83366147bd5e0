/** What counts as the arguments of a request: its JSON body, or for GET its query (GUARD-2). */

import { Refused } from './refused.js';
import { parse, parseText } from './strict.js';

/** @typedef {Record<string, unknown>} Arguments */
/** @typedef {{properties?: Record<string, any>}} Schema any: JSON Schema */
/** @typedef {{method: string, url: string, headers: Record<string, string | string[] | undefined>, body: Uint8Array}} Carried */

const KINDS = /** @type {Record<string, (value: unknown) => boolean>} */ ({
  boolean: (value) => typeof value === 'boolean',
  integer: (value) => Number.isInteger(value),
  number: (value) => typeof value === 'number',
});
const NAMED = 'Name the arguments of this endpoint with `args`.';

/**
 * Anything else that a handler could take for an argument was neither hashed nor approved, so it is refused.
 *
 * @param {Carried} request
 * @param {Schema | undefined} schema
 * @returns {Arguments}
 * @throws {Refused}
 */
export function argumentsOf({ method, url, headers, body }, schema) {
  const at = url.indexOf('?');
  const query = at < 0 ? '' : url.slice(at + 1);
  if (method === 'GET' || method === 'HEAD') {
    if (body.length > 0) throw new Refused('invalid_request', 'A GET request to this API has no body.');
    return fromQuery(query, schema);
  }
  if (query) throw new Refused('invalid_request', 'The arguments are the body; this endpoint has no query.');
  return fromBody(String(headers['content-type'] ?? ''), body);
}

/**
 * @param {string} type
 * @param {Uint8Array} body
 * @returns {Arguments}
 */
function fromBody(type, body) {
  if ((type.split(';')[0] ?? '').trim().toLowerCase() !== 'application/json') {
    throw new Refused('unsupported_media_type', 'Send the arguments as application/json.');
  }
  let value;
  try {
    value = parse(body);
  } catch (error) {
    throw new Refused('invalid_request', `The body is not strict JSON: ${/** @type {Error} */ (error).message}.`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Refused('invalid_request', 'The body is a JSON object.');
  return /** @type {Arguments} */ (value);
}

/**
 * @param {string} query
 * @param {Schema | undefined} schema
 * @returns {Arguments}
 */
function fromQuery(query, schema) {
  /** @type {Map<string, string[]>} */
  const given = new Map();
  for (const pair of query ? query.split('&') : []) {
    const [name = '', ...value] = pair.split('=');
    if (value.length === 0) throw new Refused('invalid_request', 'The query cannot be read.');
    given.set(spelled(name), [...(given.get(spelled(name)) ?? []), spelled(value.join('='))]);
  }
  if (given.size > 0 && !schema) throw new Refused('invalid_arguments', `The guard has no input schema to read this query by. Give it the tool’s in \`schemas\`. Otherwise: ${NAMED}`);
  return Object.fromEntries([...given].map(([name, texts]) => [name, valueOf(name, schema?.properties ?? {}, texts)]));
}

/** @param {string} text */
function spelled(text) {
  try {
    if (/[^!-~]/.test(text)) throw new Error('not ASCII');
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new Refused('invalid_request', 'The query cannot be read.');
  }
}

/**
 * @param {string} name
 * @param {Record<string, any>} properties any: JSON Schema
 * @param {string[]} texts
 */
function valueOf(name, properties, texts) {
  const declared = Object.hasOwn(properties, name) ? properties[name] : undefined;
  if (typeof declared !== 'object' || declared === null) throw new Refused('invalid_arguments', `The tool has no argument ${JSON.stringify(name.slice(0, 64))}.`);
  if (declared.type === 'array') return texts.map((text) => scalar(name, declared.items, text));
  if (texts.length > 1) throw new Refused('invalid_arguments', `Argument ${JSON.stringify(name)} is given twice.`);
  return scalar(name, declared, texts[0] ?? '');
}

/**
 * @param {string} name
 * @param {{type?: unknown} | undefined} declared
 * @param {string} text
 */
function scalar(name, declared, text) {
  const type = declared?.type;
  if (type === 'string') return text;
  const fits = typeof type === 'string' && Object.hasOwn(KINDS, type) ? KINDS[type] : undefined;
  if (!fits) throw new Refused('invalid_arguments', `Argument ${JSON.stringify(name)} cannot be read from a query. ${NAMED}`);
  let value;
  try {
    value = text === text.trim() ? parseText(text) : undefined;
  } catch {
    // It is none.
  }
  if (!fits(value)) throw new Refused('invalid_arguments', `Argument ${JSON.stringify(name)} is no ${type}.`);
  return value;
}
