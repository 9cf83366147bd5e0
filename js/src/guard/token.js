/** Call tokens, read strictly (TOKEN-1, TOKEN-3). Of what is in one nothing is believed before its signature was checked. */

import { createPublicKey, verify } from 'node:crypto';
import { unb64u } from '../platform/canonical.js';
import { Refused } from './refused.js';
import { parse } from './strict.js';

const MAX_TOKEN = 8192;
const SIGNATURE = 86;
const DATES = ['iat', 'exp', 'nbf', 'auth_time'];
const CALL_ID = /^cal_[A-Za-z0-9_-]{22,}$/;

/** @typedef {Record<string, any>} Json any: it is looked at member by member */
/**
 * @typedef {object} CallToken
 * @property {string} callId
 * @property {string} userId
 * @property {string | null} clientId null where the user calls directly
 * @property {readonly string[]} scopes
 * @property {string} tool
 * @property {string} argsS256
 * @property {number} expiresAt seconds since the epoch
 */

const bad = (/** @type {string} */ detail) => new Refused('invalid_call_token', detail);

/**
 * @param {string} segment
 * @returns {Json}
 */
function objectIn(segment) {
  const value = parse(unb64u(segment));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('no object');
  return value;
}

/**
 * Takes a token apart, if it is well-formed in every detail.
 *
 * @param {string} text
 * @returns {{header: Json, claims: Json, signed: string, signature: Uint8Array}}
 * @throws {Refused} `invalid_call_token`
 */
export function read(text) {
  const [head = '', body = '', tail = '', ...more] = text.length <= MAX_TOKEN ? text.split('.') : [];
  if (more.length > 0 || tail.length !== SIGNATURE) throw bad('This is not a signed token in its compact form.');
  let header, claims, signature;
  try {
    [header, claims, signature] = [objectIn(head), objectIn(body), unb64u(tail)];
  } catch {
    throw bad('The token is malformed.');
  }
  if (header.alg !== 'ES256' || 'crit' in header) throw bad('The token is not signed with ES256, or has extensions.');
  if (DATES.some((name) => name in claims && !Number.isSafeInteger(claims[name]))) throw bad('A date in the token is not a whole number.');
  return { header, claims, signed: `${head}.${body}`, signature };
}

/**
 * @param {string} text
 * @param {{issuer: string, audience: string, now: number, keyOf: (kid: string) => Promise<JsonWebKey | null>}} expected `now` in seconds
 *   since the epoch
 * @returns {Promise<CallToken>}
 * @throws {Refused} `invalid_call_token`, or what `keyOf` throws
 */
export async function check(text, { issuer, audience, now, keyOf }) {
  const { header, claims, signed, signature } = read(text);
  if (header.typ !== 'txntoken+jwt' || typeof header.kid !== 'string') throw bad('This is not a call token.');
  const jwk = await keyOf(header.kid);
  const key = jwk && createPublicKey({ key: /** @type {any} any: the types of Node and of the DOM differ */ (jwk), format: 'jwk' });
  if (!key || !verify('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }, signature)) throw bad('The signature of the token is wrong.');
  const { iss, aud, sub, iat, exp, txn, scope, tctx, rctx } = claims;
  // The authority has signed it, so this guard asks the right one by a name that is not its own, or was given a wrong one for its API.
  if (iss !== issuer) throw bad(`This token was issued by ${told(iss)}, and this guard was made with the issuer ${told(issuer)}.`);
  if (aud !== audience) throw bad(`This token is for ${told(aud)}, and this guard was made with the audience ${told(audience)}: the policy's [api] audience, or the site's origin.`);
  const whole =
    typeof sub === 'string' && Number.isSafeInteger(iat) && Number.isSafeInteger(exp) &&
    typeof txn === 'string' && CALL_ID.test(txn) && typeof scope === 'string' &&
    typeof tctx?.tool === 'string' && typeof tctx.args_s256 === 'string' && Number.isSafeInteger(tctx.entry) &&
    isTextOrNull(rctx?.client_id) && isTextOrNull(rctx.grant_id);
  if (!whole) throw bad('This is not a call token for this API.');
  const token = {
    callId: txn,
    userId: sub,
    clientId: rctx.client_id,
    scopes: Object.freeze(scope.split(' ').filter(Boolean)),
    tool: tctx.tool,
    argsS256: tctx.args_s256,
    expiresAt: exp,
  };
  checkExpiry(token, now);
  return token;
}

/**
 * @param {Pick<CallToken, 'expiresAt'>} token
 * @param {number} now
 * @throws {Refused}
 */
export function checkExpiry({ expiresAt }, now) {
  // TOKEN-5
  if (now >= expiresAt) throw bad(`The call token expired ${now - expiresAt} s ago, by the clock here. Call the tool again; where that never helps, this clock is ahead of the authority’s.`);
}

/** @param {unknown} value */
const told = (value) => JSON.stringify(value)?.slice(0, 256);

/** @param {unknown} value */
const isTextOrNull = (value) => value === null || typeof value === 'string';
