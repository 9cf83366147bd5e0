/** DPoP proofs (RFC 9449 §4.2) by the page's key: the header `DPoP` with a delegation, `Deputize-Page` without (PROOF-3). */

import { b64u, sha256 } from '../platform/canonical.js';
import { randomUUID, sign, stringify, TextEncoder, Uint8Array, URL, utf8Of } from '../platform/natives.js';

/** @import { PageKey } from '../types.js' */

const encoder = new TextEncoder();
/** The token of the last proof, and its hash: most proofs are for one token. */
let known = { token: '', ath: '' };

/** @param {unknown} value */
const segment = (value) => b64u(utf8Of(encoder, stringify(value)));

/**
 * Makes the proof for one request.
 *
 * @param {PageKey} key
 * @param {{method: string, url: string, token?: string | null, iat: number}} request `iat` in seconds since the epoch
 * @returns {Promise<string>} a compact JWS, ES256
 */
export async function prove(key, { method, url, token, iat }) {
  const { origin, pathname } = new URL(url);
  if (token && known.token !== token) known = { token, ath: b64u(await sha256(token)) };
  const bound = token ? { ath: known.ath } : {};
  const claims = { htm: method, htu: origin + pathname, iat, jti: randomUUID(), ...bound };
  const signed = `${segment({ typ: 'dpop+jwt', alg: 'ES256', jwk: key.jwk })}.${segment(claims)}`;
  const signature = await sign({ name: 'ECDSA', hash: 'SHA-256' }, key.privateKey, utf8Of(encoder, signed));
  return `${signed}.${b64u(new Uint8Array(signature))}`;
}
