/**
 * A `fetch` for the transport of an MCP client in a page of the site: it speaks for the agent in this browser, under the
 * delegation that the user gave to it, with a proof for each message (MCP-2, MCP-14).
 */

import { bare, scopesOf, textOf } from '../platform/json.js';
import * as natives from '../platform/natives.js';

/** @import { Authority } from '../authority/authority.js' */
/** @import { Delegations, Obtained } from '../authority/delegation.js' */
/** @import { Keyring } from '../authority/key.js' */
/** @import { Bare, Config, Tokens, User } from '../types.js' */

const ROUNDS = 4;
/** Somebody else has signed in, or nobody is any more. */
const STALE = new Set(['login_required', 'wrong_user']);
/** The user took the grant back: the next connection asks again, not this one. */
const TAKEN_BACK = new Set(['grant_revoked', 'unknown_agent']);
const OVER = new Set(['consent_required', 'grant_expired']);

const { Request, requestHeaders, requestMethod, requestUrl, responseStatus, setHeader } = natives;

/** @typedef {{code: string, detail: string, scope: unknown, now: unknown}} Refused */

/** There is no delegation for a message, so nothing has come of it: `code` says why (PROTOCOL §8). */
export class NotDelegated extends Error {
  /** @param {{code: string, detail: string}} found */
  constructor({ code, detail }) {
    super(detail || `The agent in this browser may not do this: ${code}`);
    this.name = 'NotDelegated';
    this.code = code;
  }
}

/** Speaks for the agent in this browser. */
export class Delegated {
  #issuer;
  #scopes;
  #authority;
  #keyring;
  #delegations;

  /**
   * @param {object} parts
   * @param {string} parts.issuer
   * @param {readonly string[]} parts.scopes what to ask the user for, to begin with
   * @param {Authority} parts.authority
   * @param {Keyring} parts.keyring
   * @param {Delegations} parts.delegations
   */
  constructor({ issuer, scopes, authority, keyring, delegations }) {
    this.#issuer = issuer;
    this.#scopes = scopes;
    this.#authority = authority;
    this.#keyring = keyring;
    this.#delegations = delegations;
  }

  /**
   * Sees to it that there is a delegation: the user is asked, unless there is one.
   *
   * @returns {Promise<{config: Config & {user: User}, tokens: Tokens}>}
   * @throws {NotDelegated}
   */
  async obtain() {
    const config = await this.#signedIn(false);
    const { tokens } = held(await this.#delegations.current(config.user.id));
    return { config, tokens: tokens ?? (await this.#consent(config, this.#scopes)) };
  }

  /**
   * `fetch`; requests for `{issuer}/mcp` carry the delegation, others are sent as they are.
   *
   * @param {RequestInfo | URL} input
   * @param {RequestInit} [init]
   * @returns {Promise<Response>} rejects with NotDelegated, or as `fetch` does
   */
  async fetch(input, init) {
    const url = new natives.URL(requestUrl(new Request(input, init)));
    if (url.origin + url.pathname !== `${this.#issuer}/mcp`) return natives.fetch(input, init);
    let { config, tokens } = await this.obtain();
    for (let round = 1; ; round++) {
      const response = await this.#attempt(config.user.id, tokens, input, init);
      const status = responseStatus(response);
      if (status !== 401 && status !== 403) return response;
      // It was turned away at the door: nothing has come of it, and it may come again, with what was missing.
      const refused = problemIn(await natives.responseText(natives.cloneResponse(response)));
      if (!refused) return response;
      const mended = round < ROUNDS ? await this.#mend(config, tokens, refused) : null;
      if (!mended) throw new NotDelegated(refused);
      ({ config, tokens } = mended);
    }
  }

  /**
   * @param {string} user
   * @param {Tokens} tokens
   * @param {RequestInfo | URL} input
   * @param {RequestInit | undefined} init
   */
  async #attempt(user, { access }, input, init) {
    // Chromium would forward the headers when it follows a redirect. The session comes along (CALL-2).
    const fixed = /** @type {RequestInit} */ ({ __proto__: null, redirect: 'error', credentials: 'include', cache: 'no-store' });
    const request = new Request(new Request(input, init), fixed);
    const key = await this.#keyring.key(user);
    const proof = { method: requestMethod(request), url: requestUrl(request), token: access };
    setHeader(requestHeaders(request), 'Authorization', `DPoP ${access}`);
    setHeader(requestHeaders(request), 'DPoP', await this.#authority.prove(key, proof));
    return natives.fetch(request);
  }

  /**
   * @param {Config & {user: User}} config
   * @param {Tokens} tokens
   * @param {Refused} refused
   * @returns {Promise<{config: Config & {user: User}, tokens: Tokens} | null>} what to try again with
   */
  async #mend(config, tokens, { code, scope, now }) {
    const user = config.user.id;
    if (code === 'invalid_dpop_proof') return this.#authority.setClock(now) ? { config, tokens } : null; // SHIM-3
    if (STALE.has(code)) {
      const latest = await this.#signedIn(true);
      return latest.user.id === user ? null : this.obtain();
    }
    if (code === 'invalid_token') {
      const { tokens: newer } = held(await this.#delegations.current(user, tokens));
      return { config, tokens: newer ?? (await this.#consent(config, this.#scopes)) };
    }
    if (code === 'insufficient_scope') {
      const other = await this.#delegations.other(user, tokens);
      return { config, tokens: other ?? (await this.#consent(config, scopesOf(scope))) };
    }
    if (OVER.has(code) || TAKEN_BACK.has(code)) {
      const { tokens: other } = held(await this.#delegations.forget(user, tokens));
      if (other) return { config, tokens: other };
      return TAKEN_BACK.has(code) ? null : { config, tokens: await this.#consent(config, this.#scopes) };
    }
    return null;
  }

  /**
   * @param {boolean} fresh
   * @returns {Promise<Config & {user: User}>}
   */
  async #signedIn(fresh) {
    const config = await this.#authority.config(fresh);
    if ('code' in config) throw new NotDelegated(config);
    const { user } = config;
    if (user) return { ...config, user };
    if (!fresh) return this.#signedIn(true); // the user may have signed in meanwhile, in another tab
    throw new NotDelegated({ code: 'login_required', detail: 'Nobody is signed in here.' });
  }

  /**
   * @param {Config & {user: User}} config
   * @param {readonly string[]} scopes
   * @returns {Promise<Tokens>}
   */
  async #consent(config, scopes) {
    const { tokens } = held(await this.#delegations.consent(config, config.user.id, scopes, () => {}));
    return /** @type {Tokens} */ (tokens); // a consent that was given is never without
  }
}

/**
 * @param {Obtained} obtained
 * @returns {{tokens: Tokens | null}}
 * @throws {NotDelegated}
 */
function held(obtained) {
  if (obtained.problem) throw new NotDelegated(obtained.problem);
  return obtained;
}

/**
 * @param {string} text
 * @returns {Refused | null} what a JSON-RPC error of the authority says; null for any other answer
 */
function problemIn(text) {
  try {
    const { data, message } = /** @type {Bare} */ (bare(natives.parse(text)).error);
    const { code, scope, now } = /** @type {Bare} */ (data);
    return textOf(code) ? { code: textOf(code), detail: textOf(message), scope, now } : null;
  } catch {
    return null;
  }
}
