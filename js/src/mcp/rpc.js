/** Requests of MCP through whatever client the page has, and what their errors say (SEP-2672 §4.10, MCP-7). */

import { problem } from '../authority/authority.js';
import { NotDelegated } from './delegated-fetch.js';
import { among } from '../platform/among.js';
import { bare, textOf } from '../platform/json.js';
import * as natives from '../platform/natives.js';

/** @import { Answer, Problem } from '../types.js' */

/**
 * @typedef {object} RequestOptions as the official client has them; others are passed on
 * @property {AbortSignal} [signal]
 * @property {number} [timeout] milliseconds
 *
 * @typedef {object} McpClient what is needed of a client: the official one for TypeScript has it
 * @property {(request: {method: string, params?: any}, schema: any, options?: any) => Promise<unknown>} request any: each
 *   client has types of its own there
 * @property {() => ({extensions?: Record<string, unknown>} | undefined)} getServerCapabilities
 * @property {() => ({name: string, title?: string} | undefined)} [getServerVersion]
 */

/** Milliseconds for a request, unless the caller says otherwise: a human may be asked for consent first (MCP-14). */
export const PATIENCE = 600_000;

const APPROVAL_ERROR = -32001;
/** A reason is told to models: it is a name, not a text. */
const NAME = /^[a-z][a-z0-9_]{0,63}$/;
/** Whoever says so does not know how far it got. */
const UNCERTAIN = ['server_error', 'record_unavailable', 'authority_unavailable'];
/** JSON-RPC 2.0 §5.1: the request was not even begun. */
const NOT_BEGUN = /** @type {Record<number, string>} */ ({
  __proto__: /** @type {any} any: null, which no record's type has */ (null),
  '-32700': 'invalid_request',
  '-32600': 'invalid_request',
  '-32601': 'method_not_found',
  '-32602': 'invalid_arguments',
});

/** A schema that accepts any result, for clients that ask for a Standard Schema, and for older ones that ask for one of zod's. */
const ANY = {
  '~standard': { version: 1, vendor: 'deputize', validate: (/** @type {unknown} */ value) => ({ value }) },
  safeParse: (/** @type {unknown} */ data) => ({ success: true, data }),
};

/**
 * Sends one request, once.
 *
 * @param {McpClient} client
 * @param {string} method
 * @param {Record<string, unknown>} params
 * @param {RequestOptions} [options]
 * @returns {Promise<unknown>} the result; rejects as the client does
 */
export const send = async (client, method, params, options) => await client.request({ method, params }, ANY, options);

/**
 * Asks for something that changes nothing: if no answer comes, it can be asked for again.
 *
 * @param {McpClient} client
 * @param {string} method
 * @param {Record<string, unknown>} params
 * @param {RequestOptions} [options]
 * @returns {Promise<Answer>}
 */
export async function ask(client, method, params, options) {
  try {
    const result = natives.structuredClone(await send(client, method, params, options)); // what is looked at stays as it was
    return natives.inert({ ok: true, body: bare(typeof result === 'object' && result !== null ? result : {}) });
  } catch (error) {
    return natives.inert({ ok: false, problem: refusalIn(error) ?? problem('authority_unavailable') });
  }
}

/**
 * Says why a request was refused, so that nothing has come of it; null if that is not certain.
 *
 * @param {unknown} error what a client rejected with
 * @returns {Problem | null}
 */
export function refusalIn(error) {
  if (error instanceof NotDelegated) return problem(error.code, { detail: error.message });
  if (typeof error !== 'object' || error === null) return null;
  const { code, data, message } = /** @type {{code?: unknown, data?: unknown, message?: unknown}} */ (error);
  if (typeof code !== 'number') return null; // the client's own, such as a time-out
  const { reason, code: ours, url: waits } = /** @type {{reason?: unknown, code?: unknown, url?: unknown}} */ (data ?? {});
  // What waits at its own address is not answered here, whatever one brings (MCP-15).
  if (code === APPROVAL_ERROR && textOf(reason) === 'missing_evidence' && textOf(waits)) return problem('wrong_surface');
  // Older clients have -32001 for their own time-outs: the proposal's errors are those with a reason.
  const said = code === APPROVAL_ERROR ? textOf(reason) : textOf(ours) || (NOT_BEGUN[code] ?? '');
  return natives.exec(NAME, said) && !among(said, UNCERTAIN) ? problem(said, { detail: textOf(message) }) : null;
}
