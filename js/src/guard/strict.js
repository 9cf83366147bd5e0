/** Strict JSON as JSON-1 and JSON-2 have it: what `JSON.parse` takes too easily is refused. */

import { canonicalize } from '../platform/canonical.js';

const TOKEN = /[{}[\]:,]|"(?:[^"\\]|\\.)*"|[^\s{}[\]:,"]+/g;

/**
 * @param {Uint8Array} bytes
 * @returns {unknown}
 * @throws {Error} the message says what is wrong: `encoding`, `syntax`, `duplicate_member`, or as `canonicalize`
 */
export function parse(bytes) {
  let text;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Error('encoding');
  }
  return parseText(text);
}

/**
 * @param {string} text
 * @returns {unknown}
 * @throws {Error} as `parse`
 */
export function parseText(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('syntax');
  }
  canonicalize(value); // or it is none of ours
  const tokens = text.match(TOKEN) ?? [];
  /** @type {Array<Set<string> | null>} the names of each object that is open, null for a list */
  const open = [];
  for (const [index, token] of tokens.entries()) {
    if (token === '{' || token === '[') open.push(token === '{' ? new Set() : null);
    else if (token === '}' || token === ']') open.pop();
    else if (tokens[index + 1] === ':') {
      const names = open.at(-1);
      const name = JSON.parse(token);
      if (names?.has(name)) throw new Error('duplicate_member');
      names?.add(name);
    }
  }
  return value;
}
