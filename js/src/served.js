/**
 * A second file of an authority's. Where it comes from is the page's to say: an import map or a service worker can lead elsewhere.
 * What it is, is not: it is one function, whose text has the digest that the first file was built with, and in which no name is
 * from outside. So it does not matter who made it, or what else stands in that file, if only it was made in this realm: a frame's own
 * promises and lists are the page's to change (SHIM-14).
 */

import { b64u, sha256 } from './platform/canonical.js';
import { currentScript, document, functionText, inert, isOfThisRealm, TypeError, URL } from './platform/natives.js';

/** The classic script that this is in: what it imports does not start from there where it came from another origin (HTML, "muted errors"). */
const script = document && currentScript(document);
const base = script && script instanceof HTMLScriptElement ? script.src : '';

/**
 * @template T
 * @param {(address: string) => Promise<{default: (handed: unknown[], give: (second: T) => void) => void}>} load
 * @param {string} address from that of the first file
 * @param {number} failed how often it did not come: browsers do not look there again
 * @param {string} s256 of the function's text
 * @param {unknown[]} handed what it uses of the first file
 * @returns {Promise<T>}
 * @throws {TypeError} if it is another
 */
export async function served(load, address, failed, s256, handed) {
  const tried = failed ? `${address}?${failed}` : address;
  const { default: made } = await load(base ? new URL(tried, base).href : tried);
  if (b64u(await sha256(functionText(made))) !== s256 || !isOfThisRealm(made)) throw new TypeError('this is another file than the shim was built with');
  /** @type {T | undefined} */
  let second;
  made(handed, (given) => {
    second = given;
  });
  return inert(/** @type {T} */ (second));
}
