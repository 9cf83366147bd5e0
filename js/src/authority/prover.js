/** Proofs of one page's keys for one authority, some of them made ahead. */

import { inert, setTimeout } from '../platform/natives.js';
import { prove } from './dpop.js';

/** @import { Authority } from './authority.js' */
/** @import { PageKey } from '../types.js' */

/** Seconds for which a proof that was made ahead is good: the rest of PROOF-1's 30 is for its way. */
const YOUNG = 10;

/** Makes them. */
export class Prover {
  #authority;
  /** @type {{key: PageKey, method: string, url: string, token: string, iat: number, proof: string} | null} made ahead, for one request */
  #ready = null;

  /** @param {Pick<Authority, 'seconds'>} authority by whose clock they are */
  constructor(authority) {
    this.#authority = authority;
  }

  /**
   * Makes the proof for one request, by the authority's clock. The next request with this token is most likely another one like
   * it: its proof is made while this one is under way.
   *
   * @param {PageKey} key
   * @param {{method: string, url: string, token?: string | null}} request
   * @returns {Promise<string>}
   */
  async prove(key, { method, url, token }) {
    const ready = this.#ready;
    this.#ready = null; // no proof is used twice
    if (token) setTimeout(() => void this.#proveAhead(key, method, url, token), 0);
    const iat = this.#authority.seconds();
    const same = ready?.key === key && ready.method === method && ready.url === url && ready.token === token;
    if (same && ready.iat <= iat && iat - ready.iat < YOUNG) return ready.proof;
    return await prove(key, { method, url, token, iat });
  }

  /**
   * @param {PageKey} key
   * @param {string} method
   * @param {string} url
   * @param {string} token
   */
  async #proveAhead(key, method, url, token) {
    const iat = this.#authority.seconds();
    const proof = await prove(key, { method, url, token, iat });
    this.#ready = inert({ key, method, url, token, iat, proof });
  }
}
