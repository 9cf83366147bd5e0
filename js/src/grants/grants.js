/**
 * The grant of the browser's own agent, for whoever sends something under it. Where the authority refuses for want of a grant, a
 * scope or a fresh token, that is obtained, if need be by the user's consent, and the same is sent again.
 */

import { problem } from '../authority/authority.js';
import { Keyring } from '../authority/keyring.js';
import { Prover } from '../authority/prover.js';
import { among } from '../platform/among.js';
import { inert } from '../platform/natives.js';
import { Consents } from './consent.js';
import { TokenClient } from './tokens.js';

/** @import { Authority } from '../authority/authority.js' */
/** @import { Prompts } from '../people/prompt.js' */
/** @import { Obtained } from './tokens.js' */
/** @import { Parts, Problem, Reply, Tokens } from '../types.js' */

/** How often one thing is sent at most. */
const ROUNDS = 4;
/** Another consent mends it, and takes nothing away: for a scope that is missing, or for a tool that is described otherwise now (GRANT-8). */
const TOO_FEW = ['insufficient_scope', 'consent_outdated'];
/** The user took the grant back: the agent hears so, and only its next call asks again (GRANT-5). */
const TAKEN_BACK = ['grant_revoked', 'unknown_agent'];
/** The grant is over: another tab may have a newer one, else a new consent mends it. */
const OVER = ['grant_revoked', 'unknown_agent', 'consent_required', 'grant_expired', 'grant_unknown'];

/** The grants of this browser profile, one for each user. */
export class Grants {
  /** @param {Omit<Parts, 'grants'>} parts */
  constructor(parts) {
    /** What there is without asking anybody. */
    this.tokens = new TokenClient(parts);
    /** What there is by asking the user. */
    this.consents = new Consents(parts, this.tokens);
  }

  /**
   * Sends something under the grant until it is answered, refused for good, or refused too often.
   *
   * @template T
   * @param {string} user
   * @param {(tokens: Tokens) => Promise<Reply<T>>} send refuses only what has had no effect
   * @param {(missing: Problem | null) => Promise<Obtained>} ask asks the user; `missing` is the refusal for want of consent, null where
   *   there is no grant
   * @returns {Promise<{reply: Reply<T>, tokens: Tokens | null}>} the last answer, and what it was sent with; without tokens
   *   where nothing could be sent
   */
  async use(user, send, ask) {
    let obtained = await this.tokens.current(user);
    /** @type {Problem | null} */
    let missing = null;
    let asked = false; // for what is missing
    for (let round = 1; ; round++) {
      if (obtained.tokens === null) {
        asked = missing !== null;
        obtained = await ask(missing);
      }
      const { tokens } = obtained;
      if (!tokens) return inert({ reply: { ok: false, problem: obtained.problem ?? problem('consent_required') }, tokens: null });
      const reply = await send(tokens);
      if (reply.ok || round === ROUNDS) return inert({ reply, tokens });
      const { code } = reply.problem;
      const mended = asked && among(code, TOO_FEW) ? null : await this.#mend(user, tokens, code);
      if (!mended) return inert({ reply, tokens });
      if (among(code, TOO_FEW)) missing = reply.problem;
      obtained = mended;
    }
  }

  /**
   * @param {string} user
   * @param {Tokens} tokens
   * @param {string} code why they were refused
   * @returns {Promise<Obtained | null>} what to try next, without tokens if the user is to be asked; null if the refusal stands
   */
  async #mend(user, tokens, code) {
    if (code === 'invalid_token') return await this.tokens.current(user, tokens);
    if (among(code, TOO_FEW)) return await this.tokens.other(user, tokens);
    if (!among(code, OVER)) return null;
    const { tokens: others } = await this.tokens.forget(user, tokens);
    return others || !among(code, TAKEN_BACK) ? inert({ tokens: others ?? null }) : null;
  }
}

/**
 * Puts together what is behind a gate, and behind a `fetch` under the grant.
 *
 * @param {Authority} authority
 * @param {Prompts} prompts
 * @param {Keyring} [keyring]
 * @returns {Parts}
 */
export function partsFor(authority, prompts, keyring = new Keyring(authority.issuer)) {
  const parts = { authority, keyring, prompts };
  authority.prover ??= new Prover(authority);
  return { ...parts, grants: new Grants(parts) };
}
