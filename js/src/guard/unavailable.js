/** An authority that is of no use to a guard: what the client hears (GUARD-6), and what to look at, for who runs the API. */

import { Refused } from './refused.js';

/** @import { Json } from './token.js' */

const MAX_TEXT = 400;
const REACH = 'Is the authority there, and is this its address? It is made of the guard’s `issuer`, which is the policy’s.';
const ADDRESS = 'Is this the authority’s address, or does a proxy in front of it lead elsewhere?';
const KEY = '`deputize guard public` prints what belongs there.';
const CLOCK = 'Set the clock of this machine right.';
const PROOF = 'The guard and the authority have to have the same `issuer`, and nothing between them may change the address or the headers of a request.';
const LOG = 'Its log tells more.';

/** The authority does not answer as it should. `why` and `cure` are for who runs the API, and for nobody else. */
export class Unavailable extends Refused {
  /**
   * @param {string} what is wrong with the authority, of no use to a stranger
   * @param {{why?: string, cure?: string}} [told]
   */
  constructor(what, { why = `the authority ${what}`, cure = ADDRESS } = {}) {
    super('authority_unavailable', `Nothing was done: the authority ${what}. Try again later; whoever runs this API finds more in its log.`);
    this.why = why;
    this.cure = cure;
  }
}

/** @param {any} error any: of `fetch` */
export const notReached = (error) => new Unavailable('cannot be reached', { why: shown(String(error.cause?.code ?? error.cause?.message ?? error.message)), cure: REACH });

/** @param {Json} problem what the authority says of the guard's own request */
export function refusedUs(problem) {
  const code = shown(String(problem.code)).slice(0, 64);
  const detail = typeof problem.detail === 'string' ? `: ${shown(problem.detail)}` : '';
  return new Unavailable(`refused this guard (${code})`, { why: `it refused this guard (${code})${detail}`, cure: cureOf(problem) });
}

/**
 * @param {Json} problem
 * @returns {string}
 */
function cureOf({ code, now }) {
  if (code === 'invalid_dpop_proof') return now === undefined ? PROOF : CLOCK;
  if (code === 'version_skew') return ''; // the authority has said it
  return code === 'server_error' ? LOG : ADDRESS;
}

/**
 * Tells why the authority is of no use, or that it does not know the guard's key.
 *
 * @param {string} method
 * @param {string} url
 * @param {unknown} error
 */
export function explain(method, url, error) {
  if (error instanceof Unavailable) tell(method, url, error.why, error.cure);
  else if (error instanceof Refused && error.code === 'redeemer_not_allowed') tell(method, url, shown(error.message), KEY);
}

/**
 * @param {string} method
 * @param {string} url
 * @param {string} why
 * @param {string} cure
 */
const tell = (method, url, why, cure) => console.error(`deputize: ${method} ${url}: ${why.replace(/[.: ]+$/, '')}. ${cure}`.trimEnd());

/** @param {string} text of somebody else, in letters that hide nothing */
const shown = (text) => JSON.stringify(text.slice(0, MAX_TEXT)).slice(1, -1).replace(/[^ -~]/g, '?');
