/** The guard under `node:http`, `node:http2`, and what is made of them: Express, Fastify. */

import { collected, tooLate } from './body.js';
import { Refused } from './refused.js';

/** @import { IncomingMessage, ServerResponse } from 'node:http' */
/** @import { Admission, Gone, GuardedCall, Head } from './admitting.js' */
/** @import { Arguments } from './arguments.js' */

/**
 * @typedef {IncomingMessage & {originalUrl?: string, params?: Record<string, string>, body?: unknown}} Incoming of Node, or of Express
 * @typedef {(request: Incoming) => Arguments | Promise<Arguments>} Args
 */

/**
 * A listener for `node:http` and `node:http2`.
 *
 * @param {Admission} admission
 * @param {string} tool
 * @param {(request: IncomingMessage, response: ServerResponse, call: GuardedCall) => unknown} handler
 * @param {Args} [args]
 * @returns {(request: IncomingMessage, response: ServerResponse) => Promise<void>}
 */
export function listener(admission, tool, handler, args) {
  return async (request, response) => {
    try {
      const call = await before(admission, tool, request, response, args);
      if (call) await handler(request, response, call);
    } catch (error) {
      console.error('deputize: a guarded handler failed.', error);
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end();
    }
  };
}

/**
 * Middleware for Express.
 *
 * @param {Admission} admission
 * @param {string} tool
 * @param {Args} [args]
 * @returns {(request: any, response: any, next: (error?: unknown) => void) => Promise<void>} any: Express's own types
 */
export function middleware(admission, tool, args) {
  return async (request, response, next) => {
    let call;
    try {
      call = await before(admission, tool, request, response, args);
    } catch (error) {
      return next(error);
    }
    if (!call) return;
    Object.assign(request, { deputize: call, body: call.arguments });
    next();
  };
}

/**
 * @param {Admission} admission
 * @param {string} tool
 * @param {Incoming} request
 * @param {ServerResponse} response
 * @param {Args | undefined} args
 * @returns {Promise<GuardedCall | null>} null if it was refused, and that was answered, if anybody waits
 */
async function before(admission, tool, request, response, args) {
  const answer = new Answer(request, response);
  try {
    const call = await admission.admitted(
      tool,
      carried(request),
      async () => {
        if (request.readableEnded || request.body !== undefined) throw tooLate(tool);
        const body = await collected(bytes(request));
        if (args) return { body, named: await args(Object.assign(request, { body })) };
        return { body, parameters: request.params };
      },
      answer.gone,
    );
    answer.report(call);
    return call;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (answer.gone()) return null;
    if (endsWith(request)) response.setHeader('Connection', 'close'); // the rest of the body is nobody's
    response.writeHead(error.status, error.headers);
    response.end(JSON.stringify(error.problem));
    return null;
  }
}

/**
 * Whether a connection has to end with this answer, since the body that stands in it was not read.
 *
 * @param {IncomingMessage} request
 */
export const endsWith = (request) => !request.readableEnded && request.httpVersionMajor < 2;

/** @param {import('node:stream').Readable} stream */
export const bytes = (stream) => stream.iterator({ destroyOnReturn: false });

/**
 * @param {Incoming} request
 * @returns {Head} what was sent, and not what others have made of it
 */
export function carried({ method = '', originalUrl, url = '', rawHeaders }) {
  /** @type {Map<string, string[]>} */
  const headers = new Map();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = String(rawHeaders[i]).toLowerCase();
    const values = headers.get(name) ?? [];
    headers.set(name, values);
    values.push(String(rawHeaders[i + 1]));
  }
  return { method, url: originalUrl ?? url, headers: Object.fromEntries([...headers].map(([name, values]) => [name, values.length === 1 ? values[0] : values])) };
}

/** The answer to a request, of which the outcome is told (GUARD-5). */
export class Answer {
  #request;
  #response;

  /**
   * @param {IncomingMessage} request
   * @param {ServerResponse} response
   */
  constructor(request, response) {
    this.#request = request;
    this.#response = response;
  }

  /** @type {Gone} Or somebody else has answered. The socket tells of an answer that waits behind others in a pipeline as well. */
  gone = () => this.#response.writableEnded || this.#request.socket?.destroyed === true;

  /**
   * Reports before the last part of the answer is sent, so that whoever has it and asks the authority next finds the outcome there.
   *
   * @param {GuardedCall} call
   */
  report({ report }) {
    const response = this.#response;
    const { end } = response;
    response.end = /** @type {any} any: it has three forms */ (
      (/** @type {unknown[]} */ ...given) => {
        void report(this.gone() ? null : response.statusCode).then(() => Reflect.apply(end, response, given));
        return response;
      }
    );
    response.once('close', () => void report(null)); // the client went away, or the handler failed
  }
}
