/** The guard under Fastify: what arrives is verified before Fastify parses it, and redeemed where the handler would run. */

import { Readable } from 'node:stream';
import { collected, tooLate } from './body.js';
import { Answer, bytes, carried, endsWith } from './node.js';
import { Refused } from './refused.js';

/** @import { IncomingMessage } from 'node:http' */
/** @import { Admission, GuardedCall, Verified } from './admitting.js' */
/** @import { Arguments } from './arguments.js' */

/**
 * @typedef {(request: any) => Arguments | Promise<Arguments>} FastifyArgs any, here and below: Fastify's own types
 * @typedef {(request: any, reply: any, call: GuardedCall) => unknown} FastifyHandler
 * @typedef {object} FastifyRoute what a route is declared with
 * @property {(request: any, reply: any, payload: any) => Promise<any>} preParsing
 * @property {(this: any, request: any, reply: any) => Promise<any>} handler
 */

/**
 * @param {Admission} admission
 * @param {string} tool
 * @param {FastifyHandler} handler
 * @param {FastifyArgs} [args]
 * @returns {FastifyRoute}
 */
export function fastifyRoute(admission, tool, handler, args) {
  /** @type {WeakMap<object, {verified: Verified, answer: Answer}>} by request */
  const waiting = new WeakMap();
  return {
    async preParsing(request, reply, payload) {
      const { raw, params } = request;
      const answer = new Answer(raw, reply.raw);
      let body = Buffer.alloc(0);
      try {
        const verified = await admission.verified(tool, carried(raw), async () => {
          if (payload.readableEnded) throw tooLate(tool);
          body = await collected(bytes(payload));
          if (args) return { body, named: await args(Object.assign(request, { body })) };
          return { body, parameters: params };
        });
        waiting.set(request, { verified, answer });
      } catch (error) {
        return refuse(reply, raw, error);
      }
      // What Fastify makes of it, and a schema of what Fastify has made, nobody is handed.
      return Object.assign(Readable.from(body.length > 0 ? [body] : []), { receivedEncodedLength: payload.receivedEncodedLength ?? body.length });
    },
    async handler(request, reply) {
      const found = waiting.get(request);
      if (!found) throw new TypeError(`deputize: the guard of ${tool} has not seen this request. Leave its preParsing to the route, and put your own into a plugin's hook`);
      let call;
      try {
        call = await admission.redeemed(found.verified, found.answer.gone);
      } catch (error) {
        return refuse(reply, request.raw, error);
      }
      found.answer.report(call);
      request.body = call.arguments;
      const given = Reflect.apply(handler, this, [request, reply, call]);
      return given === undefined ? reply : given; // a handler that calls reply.send() later
    },
  };
}

/**
 * @param {any} reply
 * @param {IncomingMessage} raw
 * @param {unknown} error
 */
function refuse(reply, raw, error) {
  if (!(error instanceof Refused)) throw error;
  if (endsWith(raw)) reply.header('Connection', 'close'); // the rest of the body is nobody's
  return reply.code(error.status).headers(error.headers).send(Buffer.from(JSON.stringify(error.problem))); // to a text Fastify adds a charset
}
