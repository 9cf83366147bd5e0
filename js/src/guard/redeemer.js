/** How a guard reaches the authority: over HTTP, with a key that the policy registers (GUARD-10). The same as `guard/remote.py`. */

import { createPrivateKey, createPublicKey, randomUUID, sign } from 'node:crypto';
import { VERSION } from '../platform/version.js';
import { Refused } from './refused.js';
import { parse } from './strict.js';
import { explain, notReached, refusedUs, Unavailable } from './unavailable.js';

const MAX_ANSWER = 64 * 1024;
const MAX_KEYS = 32;
const MAX_FACTS = 8;
/** Seconds for which keys are used without asking again, and between two fetches, whoever asks for whatever key. */
const FRESH = 300;
const PAUSE = 5;
/** What the authority says of this guard's own request is not passed on; what it says of the call is. */
const OURS = ['invalid_request', 'payload_too_large', 'unsupported_media_type', 'not_found', 'method_not_allowed', 'cross_site_request', 'login_required', 'invalid_dpop_proof', 'version_skew', 'server_error'];
/** RFC 9457 §3.1, ERR-1 */
const MEMBERS = ['type', 'title', 'status', 'detail', 'instance', 'code'];
const LOCAL = /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/;

/** @typedef {import('./token.js').Json} Json */
/** @typedef {'succeeded' | 'failed' | 'unknown'} Outcome */

/** The authority, for a guard. */
export class Redeemer {
  #issuer;
  #key;
  #jwk;
  #timeout;
  #now;
  /** @type {Map<string, JsonWebKey>} */
  #keys = new Map();
  #fetched = -Infinity;
  #tried = -Infinity;
  /** @type {Promise<void> | null} */
  #fetching = null;

  /**
   * @param {object} options
   * @param {string} options.issuer
   * @param {JsonWebKey} options.key the private one (P-256), whose public half the policy has in `api.keys`
   * @param {number} options.timeout milliseconds that the authority has for a whole answer
   * @param {() => number} options.now seconds since the epoch
   * @throws {TypeError} for an issuer without https that is not on this machine, or another kind of key
   */
  constructor({ issuer, key, timeout, now }) {
    const { protocol, hostname } = new URL(issuer);
    if (protocol !== 'https:' && !(protocol === 'http:' && LOCAL.test(hostname))) {
      throw new TypeError('deputize: the authority is reached by https, or by http on this machine');
    }
    this.#issuer = issuer;
    this.#key = createPrivateKey({ key: /** @type {any} any: the types of Node and of the DOM differ */ (key), format: 'jwk' });
    const { kty, crv, x, y } = createPublicKey(this.#key).export({ format: 'jwk' });
    if (crv !== 'P-256') throw new TypeError('deputize: a guard signs with a P-256 key');
    this.#jwk = { crv, kty, x, y };
    this.#timeout = timeout;
    this.#now = now;
  }

  /**
   * Redeems a call token (GUARD-3).
   *
   * @param {string} callId
   * @param {string} text of the token
   * @returns {Promise<string | null>} the user's id in the site's own login, if they have one
   * @throws {Refused} as the authority refuses the call
   */
  async redeem(callId, text) {
    const answer = await this.#post(callId, 'redemption', { call_token: text });
    if (answer.call_id !== callId || answer.state !== 'redeemed') throw new Unavailable('answered a redemption with something else');
    const { external_id: id } = answer;
    if (id !== null && typeof id !== 'string') throw new Unavailable('did not say whose call this is');
    return id;
  }

  /**
   * Reports the outcome of a redeemed call (GUARD-5).
   *
   * @param {string} callId
   * @param {Outcome} outcome
   */
  async report(callId, outcome) {
    await this.#post(callId, 'outcome', { outcome });
  }

  /**
   * The authority's public key of this id: fetched again after 300 s and for an id that is unknown, but never twice within 5 s.
   *
   * @param {string} kid
   * @returns {Promise<JsonWebKey | null>}
   */
  async keyOf(kid) {
    const now = this.#now();
    const isFresh = () => within(FRESH, now - this.#fetched);
    if (isFresh() && this.#keys.has(kid)) return this.#keys.get(kid) ?? null; // whatever a stranger's `kid` has brought about meanwhile
    if (!within(PAUSE, now - this.#tried)) {
      this.#tried = now;
      this.#fetching = this.#fetch(now).finally(() => (this.#fetching = null));
    }
    await this.#fetching;
    if (!isFresh()) throw new Unavailable('could not be asked for its keys');
    return this.#keys.get(kid) ?? null;
  }

  /** @param {number} now */
  async #fetch(now) {
    const { keys } = await this.#ask('GET', `${this.#issuer}/jwks.json`);
    if (!Array.isArray(keys) || keys.length > MAX_KEYS) throw new Unavailable('has no list of keys');
    const good = keys.filter((each) => each?.kty === 'EC' && each.crv === 'P-256' && each.alg === 'ES256' && typeof each.kid === 'string');
    this.#keys = new Map(good.map(({ kid, kty, crv, x, y }) => [kid, { kty, crv, x, y }]));
    this.#fetched = now;
  }

  /**
   * @param {string} callId
   * @param {string} what
   * @param {object} body
   */
  async #post(callId, what, body) {
    const url = `${this.#issuer}/calls/${callId}/${what}`;
    const claims = { htm: 'POST', htu: url, iat: Math.floor(this.#now()), jti: randomUUID() };
    const signed = `${segment({ typ: 'dpop+jwt', alg: 'ES256', jwk: this.#jwk })}.${segment(claims)}`;
    const proof = `${signed}.${sign('sha256', Buffer.from(signed), { key: this.#key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
    return await this.#ask('POST', url, { 'Content-Type': 'application/json', 'Deputize-Guard': proof, 'Deputize-Protocol': String(VERSION) }, JSON.stringify(body));
  }

  /**
   * @param {string} method
   * @param {string} url
   * @param {Record<string, string>} [headers]
   * @param {string} [body]
   * @returns {Promise<Json>} the object in a 200 answer
   */
  async #ask(method, url, headers = {}, body) {
    try {
      return await this.#asked(method, url, headers, body);
    } catch (error) {
      explain(method, url, error); // who sent the call can do nothing about it
      throw error;
    }
  }

  /**
   * @param {string} method
   * @param {string} url
   * @param {Record<string, string>} headers
   * @param {string | undefined} body
   * @returns {Promise<Json>}
   */
  async #asked(method, url, headers, body) {
    let status, bytes, value;
    try {
      const signal = AbortSignal.timeout(this.#timeout);
      const response = await fetch(url, { method, headers, redirect: 'error', signal, ...(body !== undefined && { body }) });
      status = response.status;
      bytes = await limited(response);
    } catch (error) {
      throw error instanceof Refused ? error : notReached(error);
    }
    try {
      value = parse(bytes);
    } catch {
      throw new Unavailable(`answered ${status}, and not in JSON`);
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Unavailable('did not answer with an object');
    if (status === 200) return value;
    throw refusalIn(/** @type {Json} */ (value), status);
  }
}

/**
 * @param {number} seconds
 * @param {number} passed less than none where the clock was put back
 */
const within = (seconds, passed) => passed >= 0 && passed < seconds;

/** @param {object} value */
const segment = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** @param {Response} response */
async function limited(response) {
  /** @type {Uint8Array[]} */
  const parts = [];
  let size = 0;
  for await (const part of /** @type {any} any: Node's can be iterated */ (response.body ?? [])) {
    size += part.length;
    if (size > MAX_ANSWER) throw new Unavailable('sent too much');
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/**
 * @param {Json} problem
 * @param {number} status
 */
function refusalIn(problem, status) {
  const { code, detail } = problem;
  const ofTheCall = typeof code === 'string' && /^[a-z_]{1,64}$/.test(code) && !OURS.includes(code) && typeof detail === 'string' && status >= 400;
  return ofTheCall ? new Refused(code, detail, { status, facts: factsIn(problem) }) : refusedUs(problem);
}

/**
 * The members that ERR-1 adds to a problem, if they are short and in printable ASCII: they may come to stand in a header.
 *
 * @param {Json} problem
 */
function factsIn(problem) {
  const plain = Object.entries(problem).filter(
    ([name, value]) =>
      !MEMBERS.includes(name) && (value === null || typeof value === 'string' || Number.isSafeInteger(value)) && /^[ !#-[\]-~]{1,512}$/.test(`${name}${value}`),
  );
  return Object.fromEntries(plain.slice(0, MAX_FACTS));
}
