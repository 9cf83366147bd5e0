/** Where the site's API does what a tool does, as the policy names it: `POST /api/transfers/{account}{?notify}` (ENDPOINT-1). */

const NAME = '[A-Za-z_][A-Za-z0-9_]*';
const ENDPOINT = new RegExp(
  `^(?:GET|POST|PUT|PATCH|DELETE) (?:https?://[^/{}]+)?(?<path>(?:/(?:\\{${NAME}\\}|[A-Za-z0-9._~:@-]*))+)(?:\\{\\?(?<query>${NAME}(?:,${NAME})*)\\})?$`,
);
const SEGMENT = /^(?: |[^\p{C}\p{Z}/\\%?#;])+$/u;

/**
 * @typedef {object} Endpoint
 * @property {string} text as the policy has it
 * @property {readonly string[]} parts of the path; those in braces are arguments
 * @property {readonly string[]} parameters the arguments in the path
 * @property {readonly string[]} query the arguments that stand in a query although there is a body
 */

/**
 * @param {string} text
 * @returns {Endpoint}
 * @throws {TypeError}
 */
export function endpointIn(text) {
  const { path = '', query } = ENDPOINT.exec(text)?.groups ?? {};
  if (!path) throw new TypeError(`deputize: ${JSON.stringify(text)} is no endpoint. Write it as the policy does: "POST /api/transfers/{account}"`);
  const parts = path.split('/');
  return { text, parts, parameters: parts.flatMap((part) => nameIn(part) ?? []), query: query?.split(',') ?? [] };
}

/**
 * Reads the parameters of a path where no router has done so.
 *
 * @param {Endpoint} endpoint
 * @param {string} path as it was sent, without its query
 * @returns {Record<string, string> | null} null if it is of another endpoint
 * @throws {URIError}
 */
export function matched({ parts }, path) {
  const given = path.split('/').map(decodeURIComponent);
  if (given.length !== parts.length || !parts.every((part, i) => nameIn(part) !== null || part === given[i])) return null;
  return Object.fromEntries(parts.flatMap((part, i) => (nameIn(part) === null ? [] : [[nameIn(part), given[i]]])));
}

/** @param {string} part */
const nameIn = (part) => (part.startsWith('{') ? part.slice(1, -1) : null);

/**
 * Tells whether an argument can be one part of a path, and is nothing else to anybody who reads that again (ENDPOINT-2).
 *
 * @param {string} text
 */
export const isSegment = (text) => text !== '.' && text !== '..' && SEGMENT.test(text);
