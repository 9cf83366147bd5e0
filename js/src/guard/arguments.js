/** What counts as the arguments of a request: its JSON body, for GET its query, and where an endpoint says (GUARD-2, ENDPOINT-1). */

import { isSegment, matched } from './endpoint.js';
import { Refused } from './refused.js';
import { parse, parseText } from './strict.js';

/** @typedef {Record<string, unknown>} Arguments */
/** @typedef {{properties?: Record<string, any>}} Schema any: JSON Schema */
/** @import { Endpoint } from './endpoint.js' */
/**
 * @typedef {{method: string, url: string, headers: Record<string, string | string[] | undefined>, body: Uint8Array,
 *   parameters?: Record<string, unknown> | undefined}} Carried `parameters` of the path, decoded, as a router has found them
 */

const KINDS = /** @type {Record<string, (value: unknown, text: string) => boolean>} */ ({
  boolean: (value) => typeof value === 'boolean',
  integer: (value, text) => Number.isInteger(value) && !/[.eE]/.test(text),
  number: (value) => typeof value === 'number',
});
const NAMED = 'Name the arguments of this endpoint with `args`.';

/**
 * Anything else that a handler could take for an argument was neither hashed nor approved, so it is refused.
 *
 * @param {Carried} request
 * @param {Schema | undefined} schema
 * @param {Endpoint} [endpoint]
 * @returns {Arguments}
 * @throws {Refused}
 * @throws {TypeError} for parameters of the path that only the developer can name
 */
export function argumentsOf({ method, url, headers, body, parameters }, schema, endpoint) {
  const [path = '', ...rest] = url.split('?');
  const query = rest.join('?');
  const bodiless = method === 'GET' || method === 'HEAD';
  const listed = endpoint?.query ?? [];
  if (bodiless && body.length > 0) throw new Refused('invalid_request', 'A GET request to this API has no body.');
  if (!bodiless && query && listed.length === 0) throw new Refused('invalid_request', 'The arguments are the body; this endpoint has no query.');
  const inPath = fromPath(path, parameters ?? {}, schema, endpoint);
  const inQuery = fromQuery(query, schema);
  const strange = bodiless ? undefined : Object.keys(inQuery).find((name) => !listed.includes(name));
  if (strange !== undefined) throw new Refused('invalid_request', `The query of this endpoint has no ${JSON.stringify(strange.slice(0, 64))}.`);
  const leftOut = body.length === 0 && endpoint !== undefined && needsNoBody(endpoint, schema);
  const inBody = bodiless || leftOut ? {} : fromBody(String(headers['content-type'] ?? ''), body);
  const found = [inPath, inQuery, inBody].flatMap((each) => Object.entries(each));
  if (new Set(found.map(([name]) => name)).size < found.length || listed.some((name) => Object.hasOwn(inBody, name))) {
    throw new Refused('invalid_request', 'An argument stands at two places, or not at its own.');
  }
  return Object.fromEntries(found);
}

/**
 * @param {string} path
 * @param {Record<string, unknown>} parameters
 * @param {Schema | undefined} schema
 * @param {Endpoint | undefined} endpoint
 * @returns {Arguments}
 */
function fromPath(path, parameters, schema, endpoint) {
  const names = endpoint?.parameters ?? [];
  const given = endpoint && names.length > 0 && Object.keys(parameters).length === 0 ? (matched(endpoint, path) ?? {}) : parameters;
  const texts = Object.entries(given);
  if (texts.length !== names.length || texts.some(([name, text]) => !names.includes(name) || typeof text !== 'string')) {
    const its = endpoint ? `The endpoint of the tool is ${endpoint.text}` : 'The tool has none';
    throw new TypeError(`deputize: path parameters (${Object.keys(given)}) are covered by the approval only where an endpoint has the same. ${its}: say it in \`endpoints\`, or name the arguments with \`args\``);
  }
  return Object.fromEntries(texts.map(([name, text]) => {
    if (!isSegment(String(text))) throw new Refused('invalid_arguments', `Argument ${JSON.stringify(name)} cannot be read from this path.`);
    return [name, valueOf(name, schema, [String(text)])];
  }));
}

/**
 * Tells whether all that the schema knows is in the address.
 *
 * @param {Endpoint} endpoint
 * @param {Schema | undefined} schema
 */
function needsNoBody({ parameters, query }, schema) {
  const placed = [...parameters, ...query];
  return placed.length > 0 && schema !== undefined && Object.keys(schema.properties ?? {}).every((name) => placed.includes(name));
}

/** @param {string} parameter of a media type, in lower case */
const isUtf8 = (parameter) => !parameter.trim().startsWith('charset') || /^charset=("?)utf-8\1$/.test(parameter.trim());

/**
 * @param {string} type
 * @param {Uint8Array} body
 * @returns {Arguments}
 */
function fromBody(type, body) {
  const [kind = '', ...parameters] = type.toLowerCase().split(';');
  // Who decodes it once more, by a charset, would read something else than was hashed.
  if (kind.trim() !== 'application/json' || !parameters.every(isUtf8)) {
    throw new Refused('unsupported_media_type', 'Send the arguments as application/json, in UTF-8.');
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
    const key = spelled(name);
    const texts = given.get(key) ?? [];
    given.set(key, texts);
    texts.push(spelled(value.join('=')));
  }
  return Object.fromEntries([...given].map(([name, texts]) => [name, valueOf(name, schema, texts)]));
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
 * @param {Schema | undefined} schema
 * @param {string[]} texts
 */
function valueOf(name, schema, texts) {
  if (!schema) throw new Refused('invalid_arguments', `The guard has no input schema to read an address by. Give it the tool’s in \`schemas\`. Otherwise: ${NAMED}`);
  const properties = schema.properties ?? {};
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
  if (!fits) throw new Refused('invalid_arguments', `Argument ${JSON.stringify(name)} cannot be read from an address. ${NAMED}`);
  let value;
  try {
    value = text === text.trim() ? parseText(text) : undefined;
  } catch {
    // It is none.
  }
  if (!fits(value, text)) throw new Refused('invalid_arguments', `Argument ${JSON.stringify(name)} is no ${type}.`);
  return value;
}
