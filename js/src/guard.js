/**
 * deputize, the guard of a site's own API on Node: what an agent may not do does not run, whatever the page did (PROTOCOL §7).
 *
 * ```js
 * import { guard } from 'deputize/guard';
 *
 * const guarded = guard({ issuer: 'https://bank.example/deputize', audience: 'https://bank.example', key });
 * app.post('/api/transfers', guarded.express('transfer_money'), (request, response) => transfer(request.deputize.arguments));
 * createServer(guarded.node('transfer_money', (request, response, call) => transfer(call.arguments)));
 * ```
 *
 * It stands in front of what a router runs, and before anything that reads the body (GUARD-7).
 *
 * @module deputize/guard
 */

import { argumentsOf } from './guard/arguments.js';
import { Redeemer } from './guard/redeemer.js';
import { Refused } from './guard/refused.js';
import { check, checkExpiry } from './guard/token.js';
import { argsS256 } from './platform/canonical.js';

/** @import { IncomingMessage, ServerResponse } from 'node:http' */
/** @import { Arguments, Carried, Schema } from './guard/arguments.js' */
/** @import { Outcome } from './guard/redeemer.js' */

export { Refused };

const MAX_BODY = 64 * 1024; // JSON-3
const MAX_DELAY = 30_000; // JSON-4
const CONTROL = /\p{Cc}/u;

/**
 * @typedef {object} Options
 * @property {string} issuer the authority's URL
 * @property {string} audience the API, as `[api] audience` names it in the policy: the site's origin if it does not
 * @property {JsonWebKey} key the private key (P-256), whose public half is in the policy's `api.keys`
 * @property {Record<string, Schema>} [schemas] the input schemas of the tools that are called by GET
 * @property {number} [timeout] milliseconds that the authority has for an answer: 5,000 if it is not said
 * @property {() => number} [now] seconds since the epoch, for tests
 *
 * @typedef {object} GuardedCall the call that a handler runs for. One that takes its arguments from here, and from nowhere else, does
 *   what was approved
 * @property {string} callId
 * @property {string} userId
 * @property {string | null} externalId the user's id in the site's own login, null where users sign in at deputize
 * @property {string | null} clientId the agent's, null if the user called directly
 * @property {readonly string[]} scopes
 * @property {Arguments} arguments
 * @property {(status: number | null) => Promise<void>} report tells what this status of the answer means, the first time (GUARD-5);
 *   null: there is no whole answer. It never rejects
 *
 * @typedef {IncomingMessage & {originalUrl?: string, params?: Record<string, string>, body?: unknown}} Incoming of Node, or of Express
 * @typedef {(request: Incoming) => Arguments | Promise<Arguments>} Args
 */

/**
 * Makes the guard of one API.
 *
 * @param {Options} options
 * @throws {TypeError} for an issuer without https that is not on this machine, or a key of another kind
 */
export function guard({ issuer, audience, key, schemas = {}, timeout = 5000, now = () => Date.now() / 1000 }) {
  const redeemer = new Redeemer({ issuer: issuer.replace(/\/+$/, ''), key, timeout, now });
  const expected = () => ({ issuer: issuer.replace(/\/+$/, ''), audience, now: Math.floor(now()), keyOf: (/** @type {string} */ kid) => redeemer.keyOf(kid) });

  /**
   * Verifies and redeems the call that a request carries. When this resolves, the call has to run, once, and to be reported.
   *
   * @param {string} tool
   * @param {Omit<Carried, 'body'>} request `headers` with lower-case names, each header that was sent twice as a list
   * @param {() => Promise<{body: Uint8Array, named?: Arguments}>} carried the body, and the arguments where they are named
   * @returns {Promise<GuardedCall>}
   * @throws {Refused}
   */
  async function admitted(tool, request, carried) {
    checkPath(request.url);
    const sent = request.headers['txn-token'];
    if (sent === undefined) throw new Refused('missing_call_token', 'This API runs approved calls only: send a call token as Txn-Token.');
    if (typeof sent !== 'string') throw new Refused('invalid_call_token', 'Send one call token.');
    const token = await check(sent, expected());
    if (token.tool !== tool) throw new Refused('call_wrong_tool', `This call token is for the tool ${token.tool}, and this is ${tool}.`);
    const { body, named } = await carried();
    const given = named ?? argumentsOf({ ...request, body }, Object.hasOwn(schemas, tool) ? schemas[tool] : undefined);
    let digest;
    try {
      digest = await argsS256(given);
    } catch (error) {
      throw new Refused('invalid_arguments', `The arguments are not JSON: ${/** @type {Error} */ (error).message}.`);
    }
    if (digest !== token.argsS256) throw new Refused('argument_hash_mismatch', 'These are not the arguments that the call was allowed for.');
    checkExpiry(token, Math.floor(now())); // the body may have taken its time
    const { callId, userId, clientId, scopes } = token;
    const externalId = await redeemer.redeem(callId, sent);
    let reported = false;
    return {
      ...{ callId, userId, externalId, clientId, scopes, arguments: frozen(given) },
      async report(status) {
        if (reported) return;
        reported = true;
        try {
          await redeemer.report(callId, outcomeOf(status));
        } catch (error) {
          console.warn(`deputize: call ${callId} ${outcomeOf(status)}, which could not be reported.`, error);
        }
      },
    };
  }

  /**
   * @param {string} tool
   * @param {Incoming} request
   * @param {ServerResponse} response
   * @param {Args | undefined} args
   * @returns {Promise<GuardedCall | null>} null if it was refused, and that was answered
   */
  async function before(tool, request, response, args) {
    const { method = '', headersDistinct } = request;
    const url = request.originalUrl ?? request.url ?? '';
    const headers = Object.fromEntries(Object.entries(headersDistinct).map(([name, values]) => [name, values?.length === 1 ? values[0] : values]));
    try {
      const call = await admitted(tool, { method, url, headers }, async () => {
        if (request.readableEnded || request.body !== undefined) throw new TypeError(`deputize: the guard of ${tool} stands before what reads the body`);
        const body = await read(request);
        if (args) return { body, named: await args(Object.assign(request, { body })) };
        if (Object.keys(request.params ?? {}).length > 0) throw new TypeError('deputize: path parameters are not covered by the approval. Name the arguments with `args`');
        return { body };
      });
      reportAnswer(response, call);
      return call;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (!request.readableEnded) response.setHeader('Connection', 'close'); // the rest of the body is nobody's
      response.writeHead(error.status, error.headers);
      response.end(JSON.stringify(error.problem));
      return null;
    }
  }

  return {
    /**
     * For anything else than what is below: verifies and redeems the call that a request carries. When this resolves, the call has to
     * run, once, and `report` to be called.
     *
     * @param {string} tool
     * @param {Carried} request `headers` with lower-case names; one that was sent twice is a list
     * @returns {Promise<GuardedCall>}
     * @throws {Refused} it must not run; `status`, `headers` and `problem` are the answer
     */
    admit: (tool, { body, ...request }) => admitted(tool, request, async () => ({ body })),

    /**
     * Middleware for Express, before `express.json()`: the handler finds the call at `request.deputize`, and the arguments at
     * `request.body` as well.
     *
     * @param {string} tool
     * @param {Args} [args] returns the arguments, where they are neither the JSON body nor the query; the body's bytes are at `request.body`
     * @returns {(request: any, response: any, next: (error?: unknown) => void) => Promise<void>} any: Express's own types
     */
    express: (tool, args) => async (request, response, next) => {
      let call;
      try {
        call = await before(tool, request, response, args);
      } catch (error) {
        return next(error);
      }
      if (!call) return;
      Object.assign(request, { deputize: call, body: call.arguments });
      next();
    },

    /**
     * A listener for `node:http`.
     *
     * @param {string} tool
     * @param {(request: IncomingMessage, response: ServerResponse, call: GuardedCall) => unknown} handler
     * @param {Args} [args] as above
     * @returns {(request: IncomingMessage, response: ServerResponse) => Promise<void>}
     */
    node: (tool, handler, args) => async (request, response) => {
      try {
        const call = await before(tool, request, response, args);
        if (call) await handler(request, response, call);
      } catch (error) {
        console.error('deputize: a guarded handler failed.', error);
        if (response.headersSent) response.destroy();
        else response.writeHead(500).end();
      }
    },
  };
}

/** @param {string} url @throws {Refused} for control characters: routers do not agree on what they mean */
function checkPath(url) {
  let path;
  try {
    path = decodeURIComponent(url.split('?')[0] ?? '');
  } catch {
    path = '\0';
  }
  if (CONTROL.test(path)) throw new Refused('invalid_request', 'The path of this request has control characters in it, or cannot be read.');
}

/** @param {IncomingMessage} request @returns {Promise<Uint8Array>} */
async function read(request) {
  /** @type {Uint8Array[]} */
  const parts = [];
  let size = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {Promise<never>} */
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Refused('request_timeout', 'The body took too long. Send the request again.')), MAX_DELAY);
  });
  const arriving = request.iterator({ destroyOnReturn: false }); // the answer goes out by the same socket
  try {
    for (;;) {
      const { done, value } = await Promise.race([arriving.next(), late]);
      if (done) return Buffer.concat(parts);
      size += value.length;
      if (size > MAX_BODY) throw new Refused('payload_too_large', 'A request body is at most 64 KiB.');
      parts.push(value);
    }
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new Refused('invalid_request', 'The connection ended before the body was there.');
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Reports before the last part of an answer is sent, so that whoever has it and asks the authority next finds the outcome there.
 *
 * @param {ServerResponse} response
 * @param {GuardedCall} call
 */
function reportAnswer(response, { report }) {
  const { end } = response;
  response.end = /** @type {any} any: it has three forms */ (
    (/** @type {unknown[]} */ ...given) => {
      void report(response.statusCode).then(() => Reflect.apply(end, response, given));
      return response;
    }
  );
  response.once('close', () => void report(null)); // the client went away, or the handler failed
}

/** @param {number | null} status @returns {Outcome} (GUARD-5) */
function outcomeOf(status) {
  if (status === null || status >= 500) return 'unknown';
  return status < 400 ? 'succeeded' : 'failed';
}

/**
 * @template T
 * @param {T} value JSON
 * @returns {T}
 */
function frozen(value) {
  if (typeof value === 'object' && value !== null) for (const each of Object.values(Object.freeze(value))) frozen(each);
  return value;
}
