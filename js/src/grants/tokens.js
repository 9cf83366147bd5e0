/** The tokens under which the browser's own agent calls: kept for each user, and renewed when they run out (GRANT-6). */

import { numberOf, scopesOf, textOf } from '../platform/json.js';
import * as natives from '../platform/natives.js';
import { queue, shared } from '../platform/concurrency.js';

/** @import { Agent, Parts, Problem, Tokens } from '../types.js' */
/** @import { Said, Tokens as TokenResponse } from '../wire.js' */

/**
 * @typedef {{tokens: Tokens | null, problem?: undefined} | {tokens?: undefined, problem: Problem}} Obtained the tokens, null if
 *   the user has deputized no agent here; or why that is not known
 */

/** Milliseconds: what is good for less than that counts as run out. */
const MARGIN = 15_000;
const alone = queue();
/**
 * One at a time over all tabs: a refresh token that is used twice revokes the grant (TOKEN-4).
 *
 * @param {string} user
 * @param {() => Promise<Obtained>} work
 */
const inTurn = (user, work) => shared(user, alone)(work);

/** The token client of this browser profile. */
export class TokenClient {
  #authority;
  #keyring;
  /** @type {Map<string, Tokens | null>} what was last seen in the keyring */
  #seen = new natives.Map();

  /** @param {Omit<Parts, 'grants'>} parts */
  constructor({ authority, keyring }) {
    this.#authority = authority;
    this.#keyring = keyring;
  }

  /**
   * The tokens of this user's agent, renewed if they have run out.
   *
   * @param {string} user
   * @param {Tokens} [refused] tokens that the authority did not take: newer ones are asked for
   * @returns {Promise<Obtained>}
   */
  async current(user, refused) {
    const seen = this.#seen.get(user);
    if (seen && seen.access !== refused?.access && fresh(seen)) return natives.inert({ tokens: seen });
    const { tokens } = await this.#held(user);
    if (!tokens || (fresh(tokens) && tokens.access !== refused?.access)) return natives.inert({ tokens });
    return await inTurn(user, () => this.#renew(user, tokens.access));
  }

  /**
   * Tokens that another tab has got meanwhile; null if there are none.
   *
   * @param {string} user
   * @param {Tokens} known those that are known here
   * @returns {Promise<Obtained>}
   */
  async other(user, known) {
    const { tokens } = await this.#held(user);
    return natives.inert({ tokens: tokens && tokens.access !== known.access ? tokens : null });
  }

  /**
   * Forgets tokens whose grant is over, unless those of another grant have taken their place.
   *
   * @param {string} user
   * @param {Tokens} dead
   * @returns {Promise<Obtained>} what has taken their place
   */
  async forget(user, dead) {
    return await inTurn(user, async () => {
      const { tokens } = await this.#held(user);
      return tokens && tokens.grantId !== dead.grantId ? natives.inert({ tokens }) : await this.#keep(user, null);
    });
  }

  /**
   * Keeps the tokens of a new grant.
   *
   * @param {string} user
   * @param {Said<TokenResponse>} body
   * @param {Agent & {grantExpiresAt: number | null}} known what it leaves out
   * @returns {Promise<Obtained>}
   */
  async keep(user, body, known) {
    const tokens = tokensOf(body, known);
    return await inTurn(user, () => this.#keep(user, tokens));
  }

  /**
   * @param {string} user
   * @param {string} stale
   * @returns {Promise<Obtained>}
   */
  async #renew(user, stale) {
    const { key, tokens } = await this.#held(user);
    if (!tokens || tokens.access !== stale) return natives.inert({ tokens }); // another tab was quicker
    if (!tokens.refresh) return await this.#keep(user, null);
    const form = new natives.URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: tokens.refresh,
      client_id: tokens.clientId,
    });
    const answer = await this.#authority.post('/token', form.toString(), { key, form: true, wants: 'access_token' });
    if (answer.ok) return await this.#keep(user, tokensOf(answer.body, tokens));
    // RFC 6749 §5.2: the grant is gone. Anything else may pass.
    return answer.problem.code === 'invalid_grant' ? await this.#keep(user, null) : natives.inert({ problem: answer.problem });
  }

  /**
   * @param {string} user
   * @param {Tokens | null} tokens
   * @returns {Promise<Obtained>}
   */
  async #keep(user, tokens) {
    await this.#keyring.keep(user, tokens);
    this.#seen.set(user, tokens);
    return natives.inert({ tokens });
  }

  /** What the keyring has now, be it by another tab. @param {string} user */
  async #held(user) {
    const held = await this.#keyring.of(user);
    this.#seen.set(user, held.tokens);
    return held;
  }
}

/** @param {Tokens} tokens */
const fresh = (tokens) => tokens.expiresAt - MARGIN > natives.now();

/**
 * Reads a token response (GRANT-3).
 *
 * @param {Said<TokenResponse>} body
 * @param {Agent & {refresh?: string | null, grantExpiresAt: number | null}} known what it may leave out
 * @returns {Tokens}
 */
function tokensOf(body, known) {
  return {
    access: textOf(body.access_token),
    refresh: textOf(body.refresh_token) || known.refresh || null,
    expiresAt: natives.now() + (numberOf(body.expires_in) ?? 0) * 1000,
    clientId: textOf(body.client_id) || known.clientId,
    assurance: known.assurance,
    grantId: textOf(body.grant_id),
    scopes: scopesOf(body.scope),
    grantExpiresAt: known.grantExpiresAt,
  };
}
