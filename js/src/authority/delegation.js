/**
 * How the browser's own agent comes by a delegation: registered as this browser profile (AGENT-1), deputized by the user's
 * consent (GRANT-1, GRANT-2), renewed by refresh (GRANT-6), and one consent at a time for each user.
 */

import { problem } from './authority.js';
import { bare, numberOf, scopesOf, textOf } from '../platform/json.js';
import * as natives from '../platform/natives.js';
import { OF_CONSENT, standingOf } from '../people/settle.js';
import { queue, shared } from '../platform/turn.js';
import { consentView } from '../people/view.js';

/** @import { Authority } from './authority.js' */
/** @import { Keyring } from './key.js' */
/** @import { Prompts } from '../people/prompt.js' */
/** @import { Agent, Answer, Bare, Problem, Tokens } from '../types.js' */

/** @typedef {{tokens: Tokens | null, problem?: undefined} | {tokens?: undefined, problem: Problem}} Obtained */

const CONSENT_ACTION = 'deputize.consent';
const CONSENT_LIFETIME = 600_000; // GRANT-4
const MARGIN = 15_000;
const alone = queue();

/** The delegations of this browser profile. */
export class Delegations {
  #authority;
  #keyring;
  #prompts;
  /** @type {Map<string, Tokens | null>} what was last seen in the keyring */
  #seen = new Map();
  /** @type {Map<string, {scopes: Set<string>, done: Promise<Obtained>}>} */
  #asking = new Map();

  /**
   * @param {Authority} authority
   * @param {Keyring} keyring
   * @param {Prompts} prompts
   */
  constructor(authority, keyring, prompts) {
    this.#authority = authority;
    this.#keyring = keyring;
    this.#prompts = prompts;
  }

  /**
   * The tokens that this user's agent has, renewed if they have run out; null if it has none.
   *
   * @param {string} user
   * @param {Tokens} [refused] tokens that were of no use: other ones, or newer ones, or none
   * @returns {Promise<Obtained>}
   */
  async current(user, refused) {
    const seen = this.#seen.get(user);
    if (seen && seen.access !== refused?.access && fresh(seen)) return { tokens: seen };
    const { tokens } = await this.#keyring.of(user);
    this.#seen.set(user, tokens);
    if (!tokens || (fresh(tokens) && tokens.access !== refused?.access)) return { tokens };
    return this.#locked(user, () => this.#renew(user, tokens.access));
  }

  /**
   * Other tokens than these, that another tab has got meanwhile; null if there are none.
   *
   * @param {string} user
   * @param {Tokens} known
   * @returns {Promise<Tokens | null>}
   */
  async other(user, known) {
    const { tokens } = await this.#keyring.of(user);
    return tokens && tokens.access !== known.access ? this.#see(user, tokens) : null;
  }

  /**
   * Forgets tokens whose grant is over, unless others have taken their place; the next call asks for consent.
   *
   * @param {string} user
   * @param {Tokens} dead
   * @returns {Promise<Obtained>} what has taken their place
   */
  async forget(user, dead) {
    return this.#locked(user, async () => {
      const { tokens } = await this.#keyring.of(user);
      if (tokens && tokens.grantId !== dead.grantId) return { tokens: this.#see(user, tokens) };
      await this.#keyring.keep(user, null);
      return { tokens: this.#see(user, null) };
    });
  }

  /**
   * Asks the user, or waits for the question that is open already.
   *
   * @param {{issuer: string, signInUri: string}} config
   * @param {string} user
   * @param {readonly string[]} scopes
   * @param {() => void} onAsk called when the human begins to be asked
   * @returns {Promise<Obtained>} never without tokens
   */
  async consent(config, user, scopes, onAsk) {
    for (let open = this.#asking.get(user); open; open = this.#asking.get(user)) {
      onAsk();
      const { scopes: asked, done } = open;
      const answer = await done;
      if (scopes.every((scope) => asked.has(scope))) return answer;
    }
    const open = { scopes: new Set(scopes), done: this.#ask(config, user, scopes, onAsk) };
    this.#asking.set(user, open);
    try {
      return await open.done;
    } finally {
      this.#asking.delete(user);
    }
  }

  /**
   * @param {{issuer: string, signInUri: string}} config
   * @param {string} user
   * @param {readonly string[]} scopes
   * @param {() => void} onAsk
   * @returns {Promise<Obtained>}
   */
  async #ask({ issuer, signInUri }, user, scopes, onAsk) {
    let key = await this.#keyring.key(user);
    let registered = await this.#authority.post('/agents', null, { key, wants: 'client_id' });
    if (!registered.ok && registered.problem.code === 'unknown_agent') {
      ({ key } = await this.#keyring.replace(user, key)); // a new agent, with nothing but what the user consents to now
      registered = await this.#authority.post('/agents', null, { key, wants: 'client_id' });
    }
    if (!registered.ok) return { problem: registered.problem };
    const agent = { clientId: textOf(registered.body.client_id), assurance: textOf(registered.body.assurance) };
    const request = await this.#authority.post('/grants', natives.stringify({ scope: scopes.join(' ') }), { key, wants: 'grant_id' });
    if (!request.ok) {
      // No dialog opens: the human is told here what the agent is told there.
      if (request.problem.code === 'no_eligible_credential') this.#prompts.refuse(request.problem, signInUri);
      return { problem: request.problem };
    }
    const { body } = request;
    const shown = /** @type {Bare} */ (body.shown ?? bare({}));
    const path = `/grants/${textOf(body.grant_id)}`;
    onAsk();
    const standing = (/** @type {Answer} */ answer) => standingOf(answer, this.#authority.local);
    const look = async () => standing(await this.#authority.get(path, { key, wants: 'state' }));
    const verdict = await this.#prompts.ask({
      account: signInUri,
      view: consentView(shown, natives.now()),
      action: { tool: CONSENT_ACTION, args: shown, issuer },
      displayText: textOf(body.description),
      lifetime: CONSENT_LIFETIME,
      challenge: () => this.#authority.post(`${path}/challenge`, null, { key, wants: 'challengeId' }),
      approve: (evidence) => this.#authority.post(`${path}/approval`, evidence, { key, wants: 'access_token' }),
      standing: () => ({
        look,
        end: async () => {
          await this.#authority.post(`${path}/denial`, null, { key }); // for one that has not arrived
          await this.#authority.remove(path, { key }); // for one that has
          return look();
        },
        words: OF_CONSENT,
      }),
    });
    switch (verdict.kind) {
      case 'approved': {
        if (!textOf(verdict.body.access_token)) return { problem: problem('consent_required') };
        const grantExpiresAt = natives.now() + (numberOf(shown.expires_in) ?? 0) * 1000;
        const tokens = tokensOf(verdict.body, { ...agent, grantExpiresAt });
        await this.#locked(user, () => this.#keep(user, tokens));
        return { tokens };
      }
      case 'refused':
        return { problem: verdict.problem };
      case 'expired':
        return { problem: problem('expired') };
      default: // declined, cancelled
        if (!verdict.settled) await this.#authority.post(`${path}/denial`, null, { key });
        return { problem: problem(verdict.kind === 'declined' ? 'consent_declined' : 'cancelled') };
    }
  }

  /**
   * @param {string} user
   * @param {string} stale
   * @returns {Promise<Obtained>}
   */
  async #renew(user, stale) {
    const { key, tokens } = await this.#keyring.of(user);
    if (!tokens || tokens.access !== stale) return { tokens: this.#see(user, tokens) }; // another tab was quicker
    if (!tokens.refresh) return this.#keep(user, null);
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: tokens.refresh,
      client_id: tokens.clientId,
    });
    const answer = await this.#authority.post('/token', form.toString(), { key, form: true, wants: 'access_token' });
    if (answer.ok) return this.#keep(user, tokensOf(answer.body, tokens));
    // RFC 6749 §5.2: the grant is gone. Anything else may pass.
    return answer.problem.code === 'invalid_grant' ? this.#keep(user, null) : { problem: answer.problem };
  }

  /**
   * @param {string} user
   * @param {Tokens | null} tokens
   * @returns {Promise<Obtained>}
   */
  async #keep(user, tokens) {
    await this.#keyring.keep(user, tokens);
    return { tokens: this.#see(user, tokens) };
  }

  /**
   * @param {string} user
   * @param {Tokens | null} tokens
   */
  #see(user, tokens) {
    this.#seen.set(user, tokens);
    return tokens;
  }

  /**
   * One at a time over all tabs: a refresh token that is used twice revokes the grant (TOKEN-4).
   *
   * @param {string} user
   * @param {() => Promise<Obtained>} work
   * @returns {Promise<Obtained>}
   */
  async #locked(user, work) {
    return shared(user, alone)(work);
  }
}

/** @param {Tokens} tokens */
const fresh = (tokens) => tokens.expiresAt - MARGIN > natives.now();

/**
 * @param {Bare} body a token response
 * @param {Agent & {refresh?: string | null, grantExpiresAt: number | null}} known
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
