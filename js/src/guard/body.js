/** The body of a request, as far as a guard waits for it (JSON-3, JSON-4). */

import { Refused } from './refused.js';

const MAX_BODY = 64 * 1024; // JSON-3
const MAX_DELAY = 30_000; // JSON-4

/**
 * Reads a body, counting what arrives: what a `Content-Length` says of it is nobody's business.
 *
 * @param {{next(): Promise<{done?: boolean | undefined, value?: any}>}} arriving any: an iterator, or a reader, of bytes. It is not ended here:
 *   the answer may go out by the same socket
 * @returns {Promise<Buffer<ArrayBuffer>>}
 * @throws {Refused}
 */
export async function collected(arriving) {
  /** @type {Uint8Array[]} */
  const parts = [];
  let size = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {Promise<never>} */
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Refused('request_timeout', 'The body took too long. Send the request again.')), MAX_DELAY);
  });
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
 * What is wrong where there is no body left to read.
 *
 * @param {string} tool
 */
export const tooLate = (tool) =>
  new TypeError(`deputize: the body was read before the guard of ${tool} could see it. Put the guard in front of express.json() and whatever else reads bodies`);
