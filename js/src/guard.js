/**
 * deputize, the guard of a site's own API on Node: what an agent may not do does not run, whatever the page did (PROTOCOL §7).
 *
 * ```js
 * import { guard } from 'deputize/guard';
 *
 * const guarded = guard({ issuer: 'https://bank.example/deputize', audience: 'https://bank.example', key });
 * app.post('/api/transfers', guarded.express('transfer_money'), (request, response) => transfer(request.deputize.arguments));
 * app.post('/api/transfers', guarded.fastify('transfer_money', (request, reply, call) => transfer(call.arguments)));
 * app.post('/api/transfers', guarded.fetch('transfer_money', (request, call) => Response.json(transfer(call.arguments)))); // Hono
 * export const POST = guarded.fetch('transfer_money', (request, call) => Response.json(transfer(call.arguments))); // Next
 * createServer(guarded.node('transfer_money', (request, response, call) => transfer(call.arguments)));
 * ```
 *
 * It stands in front of what a router runs, and before anything that reads the body (GUARD-7). What it hands over was verified, and is
 * never parsed a second time.
 *
 * @module deputize/guard
 */

import { Admission } from './guard/admitting.js';
import { fastifyRoute } from './guard/fastify.js';
import { fetchHandler } from './guard/fetch.js';
import { listener, middleware } from './guard/node.js';
import { Refused } from './guard/refused.js';

/** @import { Carried } from './guard/arguments.js' */
/** @import { FastifyArgs, FastifyHandler, FastifyRoute } from './guard/fastify.js' */
/** @import { FetchArgs, FetchHandler } from './guard/fetch.js' */
/** @import { Args } from './guard/node.js' */
/** @import { IncomingMessage, ServerResponse } from 'node:http' */

/** @typedef {import('./guard/admitting.js').GuardedCall} GuardedCall */
/** @typedef {import('./guard/admitting.js').Options} Options */

export { Refused };

/**
 * Makes the guard of one API.
 *
 * @param {Options} options
 * @throws {TypeError} for an issuer without https that is not on this machine, a key of another kind, or what is no endpoint
 */
export function guard(options) {
  const admission = new Admission(options);
  return {
    /**
     * For anything else than what is below: verifies and redeems the call that a request carries. When this resolves, the call has to
     * run, once, and `report` to be called.
     *
     * @param {string} tool
     * @param {Carried} request `headers` with lower-case names; one that was sent twice is a list; `parameters`, if a router
     *   has found some in the path
     * @returns {Promise<GuardedCall>}
     * @throws {Refused} it must not run; `status`, `headers` and `problem` are the answer
     */
    admit: (tool, { body, parameters, ...request }) => admission.admitted(tool, request, async () => ({ body, parameters })),

    /**
     * Middleware for Express, before `express.json()`: the handler finds the call at `request.deputize`, and the arguments at
     * `request.body` as well.
     *
     * @param {string} tool
     * @param {Args} [args] returns the arguments, where they are neither the JSON body nor the query, nor where the
     *   policy's endpoint says; the body's bytes are at `request.body`
     * @returns {(request: any, response: any, next: (error?: unknown) => void) => Promise<void>} any: Express's own types
     */
    express: (tool, args) => middleware(admission, tool, args),

    /**
     * What a route of Fastify is declared with, `app.post('/api/transfers', guarded.fastify(tool, handler))`, alone or spread into
     * other options: a hook that verifies what arrives before Fastify parses it, and the handler behind its redemption. Of Fastify's own
     * parsing, coercion and defaults the handler gets nothing: `request.body` are the verified arguments as well.
     *
     * @param {string} tool
     * @param {FastifyHandler} handler `(request, reply, call)`
     * @param {FastifyArgs} [args] as for Express
     * @returns {FastifyRoute}
     */
    fastify: (tool, handler, args) => fastifyRoute(admission, tool, handler, args),

    /**
     * A handler for whatever hands over a Fetch `Request`, as its first argument (Next, Deno, Bun), in it as `request` (SvelteKit, React
     * Router, Astro), or as Hono does. The `Request` that the handler gets has the verified bytes for a body; after the call
     * come the arguments that the framework gave. What is thrown is reported as `unknown`, whatever becomes of it: refuse by an answer.
     *
     * @param {string} tool
     * @param {FetchHandler} handler `(request, call, ...given)`
     * @param {FetchArgs} [args] `(request, ...given)` returns the arguments, where they are neither the JSON body nor the query
     * @returns {(...given: any[]) => Promise<Response>} any: each framework's own types
     */
    fetch: (tool, handler, args) => fetchHandler(admission, tool, handler, args),

    /**
     * A listener for `node:http` and `node:http2`.
     *
     * @param {string} tool
     * @param {(request: IncomingMessage, response: ServerResponse, call: GuardedCall) => unknown} handler
     * @param {Args} [args] as for Express
     * @returns {(request: IncomingMessage, response: ServerResponse) => Promise<void>}
     */
    node: (tool, handler, args) => listener(admission, tool, handler, args),
  };
}
