/** The checks in front of a handler, in the order of GUARD-1, and what it runs for. */

import { argsS256, canonicalize } from '../platform/canonical.js';
import { argumentsOf } from './arguments.js';
import { endpointIn } from './endpoint.js';
import { Redeemer } from './redeemer.js';
import { Refused } from './refused.js';
import { check, checkExpiry } from './token.js';

/** @import { Arguments, Carried, Schema } from './arguments.js' */
/** @import { Outcome } from './redeemer.js' */
/** @import { CallToken } from './token.js' */

const CONTROL = /\p{Cc}/u;

/**
 * @typedef {object} Options
 * @property {string} issuer the authority's URL
 * @property {string} audience the API, as `[api] audience` names it in the policy: the site's origin if it does not
 * @property {JsonWebKey} key the private key (P-256), whose public half is in the policy's `api.keys`
 * @property {Record<string, Schema>} [schemas] the input schemas of the tools of which arguments stand in an address
 * @property {Record<string, string>} [endpoints] the endpoints of tools, as the policy has them (ENDPOINT-1)
 * @property {number} [timeout] milliseconds that the authority has for an answer: 5,000 if it is not said
 * @property {() => number} [now] seconds since the epoch, for tests
 *
 * @typedef {object} GuardedCall the call that a handler runs for. One that takes its arguments from here, and from nowhere else, does
 *   what was approved
 * @property {string} tool
 * @property {string} callId
 * @property {string} userId
 * @property {string | null} externalId the user's id in the site's own login, null where users sign in at deputize
 * @property {string | null} clientId the agent's, null if the user called directly
 * @property {readonly string[]} scopes
 * @property {Arguments} arguments
 * @property {(status: number | null) => Promise<void>} report tells what this status of the answer means, the first time (GUARD-5);
 *   null: there is no whole answer. It never rejects
 *
 * @typedef {Pick<CallToken, 'tool' | 'callId' | 'userId' | 'clientId' | 'scopes' | 'expiresAt'> & {text: string, approved: Arguments}} Verified a call that may be
 *   redeemed
 * @typedef {Pick<Carried, 'method' | 'url' | 'headers'>} Head `headers` with lower-case names, each header that was sent twice as a list
 * @typedef {Pick<Carried, 'body' | 'parameters'> & {named?: Arguments}} Body what comes after a head: the body, and the arguments where they
 *   are named
 * @typedef {() => boolean} Gone tells whether whoever sent the request went away
 */

/** The guard of one API, whatever serves it. */
export class Admission {
  #issuer;
  #audience;
  #schemas;
  #endpoints;
  #now;
  #redeemer;

  /**
   * @param {Options} options
   * @throws {TypeError} for an issuer without https that is not on this machine, a key of another kind, or what is no endpoint
   */
  constructor({ issuer, audience, key, schemas = {}, endpoints = {}, timeout = 5000, now = () => Date.now() / 1000 }) {
    this.#issuer = issuer.replace(/\/+$/, '');
    this.#audience = audience;
    this.#schemas = new Map(Object.entries(schemas));
    this.#endpoints = new Map(Object.entries(endpoints).map(([tool, text]) => [tool, endpointIn(text)]));
    this.#now = now;
    this.#redeemer = new Redeemer({ issuer: this.#issuer, key, timeout, now });
  }

  /**
   * Verifies and redeems the call that a request carries. When this resolves, the call has to run, once, and to be reported.
   *
   * @param {string} tool
   * @param {Head} request
   * @param {() => Promise<Body>} carried
   * @param {Gone} [gone]
   * @returns {Promise<GuardedCall>}
   * @throws {Refused}
   */
  async admitted(tool, request, carried, gone) {
    return await this.redeemed(await this.verified(tool, request, carried), gone);
  }

  /**
   * Verifies the call that a request carries: all of GUARD-1, except that it is redeemed.
   *
   * @param {string} tool
   * @param {Head} request
   * @param {() => Promise<Body>} carried
   * @returns {Promise<Verified>}
   * @throws {Refused}
   */
  async verified(tool, request, carried) {
    checkPath(request.url);
    const text = request.headers['txn-token'];
    if (text === undefined) throw new Refused('missing_call_token', 'This API runs approved calls only: send a call token as Txn-Token.');
    // No token has a comma in it: that is how two headers are written as one.
    if (typeof text !== 'string' || text.includes(',')) throw new Refused('invalid_call_token', 'Send one call token.');
    const expected = { issuer: this.#issuer, audience: this.#audience, now: this.#second(), keyOf: (/** @type {string} */ kid) => this.#redeemer.keyOf(kid) };
    const { argsS256: digest, ...token } = await check(text, expected);
    if (!this.#sharing(tool).includes(token.tool)) throw new Refused('call_wrong_tool', `This call token is for the tool ${token.tool}, and this is ${tool}.`);
    const { named, ...more } = await carried();
    const given = named ?? argumentsOf({ ...request, ...more }, this.#schemas.get(token.tool), this.#endpoints.get(token.tool));
    const approved = settled(given); // what is hashed is what the handler gets, whatever becomes of what was given
    if ((await argsS256(approved)) !== digest) throw new Refused('argument_hash_mismatch', 'These are not the arguments that the call was allowed for.');
    return { ...token, text, approved };
  }

  /**
   * Redeems a call that was verified. When this resolves, the call has to run, once, and to be reported.
   *
   * @param {Verified} verified
   * @param {Gone} [gone]
   * @returns {Promise<GuardedCall>}
   * @throws {Refused}
   */
  async redeemed({ text, approved, expiresAt, ...about }, gone = () => false) {
    checkExpiry({ expiresAt }, this.#second()); // the body may have taken its time
    if (gone()) throw left();
    const externalId = await this.#redeemer.redeem(about.callId, text);
    const call = { ...about, externalId, arguments: approved, report: this.#reporting(about.callId) };
    if (gone()) {
      await call.report(null); // GUARD-5: nobody waits for what it would do
      throw left();
    }
    return call;
  }

  /**
   * @param {string} tool
   * @returns {string[]} it, and those that have the same endpoint (ENDPOINT-3)
   */
  #sharing(tool) {
    const text = this.#endpoints.get(tool)?.text;
    return [tool, ...[...this.#endpoints].flatMap(([name, endpoint]) => (endpoint.text === text ? [name] : []))];
  }

  /** @param {string} callId @returns {GuardedCall['report']} */
  #reporting(callId) {
    /** @type {Promise<void> | undefined} whoever comes second waits for what the first one tells: an answer goes out after it */
    let told;
    return (status) => (told ??= this.#report(callId, outcomeOf(status)));
  }

  /**
   * @param {string} callId
   * @param {Outcome} outcome
   */
  async #report(callId, outcome) {
    try {
      await this.#redeemer.report(callId, outcome);
    } catch (error) {
      console.warn(`deputize: call ${callId} ${outcome}, which could not be reported.`, error);
    }
  }

  #second() {
    return Math.floor(this.#now());
  }
}

const left = () => new Refused('invalid_request', 'The connection ended before the call could run.');

/** @param {string} url @throws {Refused} for control characters: routers do not agree on what they mean */
function checkPath(url) {
  let path;
  try {
    path = decodeURIComponent(url.split('?')[0] ?? '');
  } catch {
    path = '\0';
  }
  if (CONTROL.test(path)) throw new Refused('invalid_request', 'The path of this request has control characters in it, or cannot be read.');
}

/** @param {number | null} status @returns {Outcome} (GUARD-5) */
function outcomeOf(status) {
  if (status === null || !(status >= 100 && status < 500)) return 'unknown'; // below is no answer, but a broken connection (Response.error())
  return status < 400 ? 'succeeded' : 'failed';
}

/**
 * Copies arguments as they are hashed, so that nobody changes them any more.
 *
 * @param {Arguments} given
 * @returns {Arguments}
 * @throws {Refused} for what is not JSON
 */
function settled(given) {
  try {
    return frozen(JSON.parse(canonicalize(given)));
  } catch (error) {
    throw new Refused('invalid_arguments', `The arguments are not JSON: ${/** @type {Error} */ (error).message}.`);
  }
}

/**
 * @template T
 * @param {T} value JSON
 * @returns {T}
 */
function frozen(value) {
  if (typeof value === 'object' && value !== null) for (const each of Object.values(Object.freeze(value))) frozen(each);
  return value;
}
