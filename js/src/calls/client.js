/** The client object that a tool's `execute` gets as its second argument (SHIM-4). */

import * as natives from '../platform/natives.js';
import { freeze, Request, requestHeaders, requestUrl, setHeader, URL } from '../platform/natives.js';

/** @import { Agent, Arguments, Client, Execute } from '../types.js' */

/**
 * @param {object} call
 * @param {AbortSignal} call.signal
 * @param {Agent | null} [call.agent]
 * @param {readonly string[]} [call.scopes]
 * @param {string | null} [call.callId]
 * @param {string | null} [call.token] the call token
 * @param {ReadonlySet<string>} [call.apiOrigins] who may see it
 * @returns {Client}
 */
export function makeClient({ signal, agent = null, scopes = [], callId = null, token = null, apiOrigins }) {
  return freeze({
    signal,
    agent: agent && freeze({ clientId: agent.clientId, assurance: agent.assurance }),
    scopes: freeze([...scopes]),
    correlationId: callId,
    /** @type {Client['fetch']} */
    async fetch(input, init) {
      if (!token || !apiOrigins) return await natives.fetch(input, init);
      // Made once, so that the address that is looked at is the one that is fetched.
      const request = new Request(input, init);
      if (!apiOrigins.has(new URL(requestUrl(request)).origin)) return await natives.fetch(request);
      // SHIM-5: Chromium would forward the header when it follows a redirect.
      const bound = new Request(request, { redirect: 'error' });
      setHeader(requestHeaders(bound), 'Txn-Token', token);
      return await natives.fetch(bound);
    },
    /** @type {Client['requestUserInteraction']} */
    async requestUserInteraction(callback) {
      return await callback();
    },
  });
}

/** @type {Client | null} */
let current = null;

/**
 * The `client` of the tool that is being run, for those whose callback is handed on without its second argument (SHIM-4).
 *
 * @returns {Client | null} null but in the synchronous part of `execute`
 */
export const client = () => current;

/**
 * Runs a tool's own callback.
 *
 * @param {Execute} callback
 * @param {Arguments} input
 * @param {Client} its
 * @returns {unknown}
 */
export function run(callback, input, its) {
  const before = current;
  current = its;
  try {
    return natives.apply(callback, undefined, [input, its]);
  } finally {
    current = before;
  }
}
