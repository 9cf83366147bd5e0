/** What waits for a human at the authority, a call or a grant: the requests about it, by the page that asked (CALL-9, GRANT-7). */

import { stringify } from '../platform/natives.js';

/** @import { Authority } from './authority.js' */
/** @import { PageKey } from '../types.js' */

/**
 * @param {Authority} authority
 * @param {string} path of the call or the grant, below the issuer
 * @param {PageKey} key
 * @param {string} wants what the answer to an approval must bring
 */
export const pending = (authority, path, key, wants) => ({
  challenge: () => authority.post(`${path}/challenge`, null, { key, wants: 'challengeId' }),
  approve: (/** @type {string} */ evidence) => authority.post(`${path}/approval`, evidence, { key, wants }),
  phone: () => authority.post(`${path}/phone`, null, { key, wants: 'uri' }),
  /** Answers once it was decided, wherever that was, or after a while (WAIT-1). @param {AbortSignal} signal gives it up */
  wait: (signal) => authority.request('GET', `${path}/wait`, null, { key, wants: 'state', signal }),
  /** Goes on with what was approved elsewhere (CALL-11, GRANT-9). */
  resume: () => authority.post(`${path}/resumption`, null, { key, wants }),
  look: () => authority.request('GET', path, null, { key, wants: 'state' }),
  /** @param {'declined' | 'cancelled'} reason @param {boolean} [block] whether who asks is blocked as well (BLOCK-1) */
  deny: (reason, block) => authority.post(`${path}/denial`, stringify({ reason, block }), { key, wants: 'state' }),
  withdraw: () => authority.request('DELETE', path, null, { key }),
});
