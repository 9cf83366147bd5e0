/** The guard for whatever serves a Fetch `Request`: Hono, Next, SvelteKit, Deno, Bun (Fetch §5.4, §5.5). */

import { collected, tooLate } from './body.js';
import { Refused } from './refused.js';

/** @import { Admission, GuardedCall, Head } from './admitting.js' */
/** @import { Arguments } from './arguments.js' */

/**
 * @typedef {(request: Request, ...given: any[]) => Arguments | Promise<Arguments>} FetchArgs any, here and below: what else a framework hands to
 *   its handlers
 * @typedef {(request: Request, call: GuardedCall, ...given: any[]) => Response | Promise<Response>} FetchHandler
 */

/**
 * @param {Admission} admission
 * @param {string} tool
 * @param {FetchHandler} handler
 * @param {FetchArgs} [args]
 * @returns {(...given: any[]) => Promise<Response>}
 */
export function fetchHandler(admission, tool, handler, args) {
  return async (...given) => {
    const request = requestIn(given[0]);
    const { signal } = request;
    let body = Buffer.alloc(0);
    let call;
    try {
      call = await admission.admitted(
        tool,
        carried(request),
        async () => {
          body = await bodyOf(request, tool);
          if (args) return { body, named: await args(renewed(request, body), ...given) };
          return { body, parameters: await parametersIn(given) };
        },
        () => signal.aborted,
      );
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return new Response(JSON.stringify(error.problem), { status: error.status, headers: error.headers });
    }
    const { report } = call;
    signal.addEventListener('abort', () => void report(null), { once: true });
    return await answered(async () => await handler(renewed(request, body), call, ...given), request.method, report);
  };
}

/**
 * @param {any} first of what a framework hands to its handlers: the request, or what has it
 * @returns {Request}
 * @throws {TypeError}
 */
function requestIn(first) {
  const request = [first, first?.request, first?.req?.raw].find((each) => typeof each?.url === 'string' && typeof each.headers?.get === 'function');
  if (!request) throw new TypeError('deputize: guarded.fetch is handed a Request, or a context with one (`request`, or Hono’s `req.raw`)');
  return request;
}

/**
 * What a router has found in the path, as far as it says so: Next in a second argument, others in their context.
 *
 * @param {any[]} given
 * @returns {Promise<Record<string, unknown> | undefined>}
 */
const parametersIn = async ([first, second]) => await (first?.params ?? (typeof first?.req?.param === 'function' ? first.req.param() : second?.params));

/**
 * An address that is a URL has no dot segments, and its spelling is the platform's. It is looked at for its query only.
 *
 * @param {Request} request
 * @returns {Head}
 */
function carried({ method, url, headers }) {
  const { pathname, search } = new URL(url);
  return { method, url: pathname + search, headers: Object.fromEntries(headers) };
}

/**
 * @param {Request} request
 * @param {string} tool
 */
async function bodyOf(request, tool) {
  if (request.bodyUsed || request.body?.locked) throw tooLate(tool);
  if (request.body) {
    const reader = request.body.getReader();
    try {
      return await collected({ next: async () => await reader.read() });
    } catch (error) {
      reader.cancel(error).catch(() => {}); // nobody reads on
      throw error;
    }
  }
  const { headers } = request;
  // A GET has none here. Whether one was sent, and left away, its head tells.
  if (Number(headers.get('content-length') ?? 0) !== 0 || headers.has('transfer-encoding')) throw new Refused('invalid_request', 'The body of this request was lost: a GET request to this API has none.');
  return Buffer.alloc(0);
}

/**
 * @param {Request} request whose body was read
 * @param {Buffer<ArrayBuffer>} body
 * @returns {Request} the same, with the very bytes that were verified
 */
const renewed = (request, body) => (request.body ? new Request(request, { body }) : request);

/**
 * Answers as the handler does, and reports before the last part of the answer goes out, so that whoever has it and asks the authority
 * next finds the outcome there (GUARD-5).
 *
 * @param {() => Promise<Response>} handle
 * @param {string} method
 * @param {GuardedCall['report']} report
 * @returns {Promise<Response>}
 */
async function answered(handle, method, report) {
  try {
    const response = await handle();
    if (typeof response?.status !== 'number') throw new TypeError('deputize: a guarded handler returns a Response');
    const { body, status, statusText, headers } = response;
    if (body && method !== 'HEAD') return new Response(watched(body, status, headers, report), { status, statusText, headers });
    await report(status);
    return response;
  } catch (error) {
    await report(null); // what somebody above makes of it cannot be seen from here
    throw error;
  }
}

/**
 * @param {ReadableStream<Uint8Array>} body
 * @param {number} status
 * @param {Headers} headers
 * @param {GuardedCall['report']} report
 * @returns {ReadableStream<Uint8Array>}
 */
function watched(body, status, headers, report) {
  const reader = body.getReader();
  let left = Number(headers.get('content-length') ?? Infinity);
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read();
          left -= value?.length ?? 0;
          if (done) await report(left > 0 && left < Infinity ? null : status);
          else if (left <= 0) await report(status); // with this the client has all of it
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          await report(null);
          controller.error(error);
        }
      },
      async cancel(reason) {
        await Promise.all([report(null), reader.cancel(reason)]);
      },
    },
    { highWaterMark: 0 }, // nothing is taken from the handler before the client wants it
  );
}
