/** DPoP proofs (RFC 9449 §4.2) by the page's key: the header `DPoP` with a delegation, `Deputize-Page` without (PROOF-3). */

import { b64u } from '../platform/canonical.js';
import { digest, randomUUID, sign, stringify, TextEncoder, URL } from '../platform/natives.js';

/** @import { PageKey } from '../types.js' */

const utf8 = new TextEncoder();
/** The token of the last proof, and its hash: most proofs are for one token. */
let known = { token: '', ath: '' };

/** @param {unknown} value */
const segment = (value) => b64u(utf8.encode(stringify(value)));

/**
 * Makes the proof for one request.
 *
 * @param {PageKey} key
 * @param {{method: string, url: string, token?: string | null, iat: number}} request `iat` in seconds since the epoch
 * @returns {Promise<string>} a compact JWS, ES256
 */
export async function prove(key, { method, url, token, iat }) {
  const { origin, pathname } = new URL(url);
  const bound = token ? { ath: await hashOf(token) } : {};
  const claims = { htm: method, htu: origin + pathname, iat, jti: randomUUID(), ...bound };
  const signed = `${segment({ typ: 'dpop+jwt', alg: 'ES256', jwk: key.jwk })}.${segment(claims)}`;
  const signature = await sign({ name: 'ECDSA', hash: 'SHA-256' }, key.privateKey, utf8.encode(signed));
  return `${signed}.${b64u(new Uint8Array(signature))}`;
}

/**
 * @param {string} token
 * @returns {Promise<string>}
 */
async function hashOf(token) {
  if (known.token !== token) known = { token, ath: b64u(new Uint8Array(await digest('SHA-256', utf8.encode(token)))) };
  return known.ath;
}
