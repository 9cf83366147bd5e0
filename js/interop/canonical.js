/**
 * Answers to JSON texts: each line that comes is one text in hexadecimal, each line that goes the bytes of its canonical
 * form in hexadecimal, or why there is none. A text is read as strictly as a page can: bytes that are no UTF-8, and a
 * byte order mark, are refused; of duplicate members, which JSON.parse does not tell of, the last counts.
 */
import { createInterface } from 'node:readline';

import { canonicalize, JsonError } from '../src/platform/canonical.js';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * @param {string} hex
 * @returns {string}
 */
function answer(hex) {
  try {
    return Buffer.from(canonicalize(JSON.parse(utf8.decode(Buffer.from(hex, 'hex'))))).toString('hex');
  } catch (error) {
    if (error instanceof JsonError) return error.reason;
    if (error instanceof SyntaxError || error instanceof TypeError) return 'not_json';
    throw error;
  }
}

for await (const line of createInterface({ input: process.stdin })) process.stdout.write(`${answer(line)}\n`);
