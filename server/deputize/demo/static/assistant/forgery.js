// @ts-check
/** What an agent has to show for a name that is not its own: a delegation that it has written and signed itself. */

/** @param {Uint8Array} bytes */
const b64u = (bytes) => btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '');
/** @param {string | object} value text, or what is JSON */
const bytesOf = (value) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));

/**
 * Makes a delegation, and a proof that goes with it, in the name of another agent. Everything is right, but for the key.
 *
 * @param {string} claimed the `client_id`
 * @returns {Promise<string>} `<token>~<proof>`, as an agent hands it over with a call
 */
export async function forged(claimed) {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const { privateKey, publicKey } = await crypto.subtle.generateKey(algorithm, false, ['sign', 'verify']);
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', publicKey);
  const jkt = b64u(new Uint8Array(await crypto.subtle.digest('SHA-256', bytesOf({ crv, kty, x, y }))));
  /** @param {object} header @param {object} claims */
  const sign = async (header, claims) => {
    const signed = `${b64u(bytesOf(header))}.${b64u(bytesOf(claims))}`;
    return `${signed}.${b64u(new Uint8Array(await crypto.subtle.sign(algorithm, privateKey, bytesOf(signed))))}`;
  };
  const issuer = `${location.origin}/deputize`;
  const iat = Math.floor(Date.now() / 1000);
  const jti = crypto.randomUUID();
  const about = { iss: issuer, aud: issuer, client_id: claimed, sub: 'usr_AAAAAAAAAAAAAAAAAAAAAA', scope: 'account:read', cnf: { jkt } };
  const act = { sub: claimed, assurance: 'origin' };
  const token = await sign({ typ: 'at+jwt', alg: 'ES256', kid: jkt }, { ...about, act, iat, exp: iat + 300, jti });
  const ath = b64u(new Uint8Array(await crypto.subtle.digest('SHA-256', bytesOf(token))));
  const proof = { htm: 'POST', htu: `${issuer}/calls`, iat, jti, ath, tool: 'get_balance' };
  return `${token}~${await sign({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } }, proof)}`;
}
