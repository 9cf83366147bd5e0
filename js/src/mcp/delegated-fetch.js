/**
 * A `fetch` for the transport of an MCP client in a page of the site: it speaks for the agent in this browser, under the grant that
 * the user gave it, with a proof for each message (MCP-2, MCP-14).
 */

import { problem, problemOf } from '../authority/authority.js';
import { among } from '../platform/among.js';
import { bare, textOf } from '../platform/json.js';
import * as natives from '../platform/natives.js';
import { cloneResponse, Error, inert, Request, requestHeaders, requestMethod, requestUrl, responseStatus, responseText, setHeader } from '../platform/natives.js';
import { wordsFor } from '../words/words.js';

/** @import { Bare, Config, Parts, Problem, Reply, Tokens } from '../types.js' */
/** @import { User } from '../wire.js' */

/** Somebody else has signed in, or nobody is any more. */
const STALE = ['login_required', 'wrong_user'];

/** There is no delegation for a message, so nothing has come of it: `code` says why (PROTOCOL §8). */
export class NotDelegated extends Error {
  /** @param {Problem} found */
  constructor({ code, detail }) {
    super(detail || wordsFor(code).human);
    this.name = 'NotDelegated';
    this.code = code;
  }
}

/** Speaks for the agent in this browser. */
export class DelegatedFetch {
  #parts;
  #scopes;

  /**
   * @param {Parts} parts
   * @param {readonly string[]} scopes what to ask the user for, to begin with
   */
  constructor(parts, scopes) {
    this.#parts = parts;
    this.#scopes = scopes;
  }

  /**
   * Sees to it that there is a grant: the user is asked, unless there is one.
   *
   * @throws {NotDelegated}
   */
  async connect() {
    await this.#use(async () => inert({ ok: true, body: null }));
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
    if (url.origin + url.pathname !== `${this.#parts.authority.issuer}/mcp`) return await natives.fetch(input, init);
    return await this.#use((user, tokens) => this.#parts.authority.onTime(() => this.#send(user, tokens, input, init)));
  }

  /**
   * @template T
   * @param {(user: string, tokens: Tokens) => Promise<Reply<T>>} send
   * @returns {Promise<T>}
   * @throws {NotDelegated}
   */
  async #use(send) {
    for (let again = false; ; again = true) {
      const config = await this.#signedIn(again);
      const user = config.user.id;
      const { reply } = await this.#parts.grants.use(
        user,
        (tokens) => send(user, tokens),
        (missing) => this.#parts.grants.consents.ask(config, user, missing?.scopes ?? this.#scopes),
      );
      if (reply.ok) return reply.body;
      if (!again && among(reply.problem.code, STALE)) continue;
      if (reply.problem.code === 'no_eligible_credential') this.#parts.prompts.refuse(reply.problem, config.signInUri); // no dialog opens (GRANT-1)
      throw new NotDelegated(reply.problem);
    }
  }

  /**
   * @param {string} user
   * @param {Tokens} tokens
   * @param {RequestInfo | URL} input
   * @param {RequestInit | undefined} init
   * @returns {Promise<Reply<Response>>} no if it was turned away at the door: nothing has come of it
   */
  async #send(user, { access }, input, init) {
    // Chromium would forward the headers when it follows a redirect. The session comes along (CALL-2).
    const fixed = /** @type {RequestInit} */ ({ __proto__: null, redirect: 'error', credentials: 'include', cache: 'no-store' });
    const request = new Request(new Request(input, init), fixed);
    const key = await this.#parts.keyring.key(user);
    const proof = { method: requestMethod(request), url: requestUrl(request), token: access };
    setHeader(requestHeaders(request), 'Authorization', `DPoP ${access}`);
    setHeader(requestHeaders(request), 'DPoP', await this.#parts.authority.prover.prove(key, proof));
    const body = await natives.fetch(request);
    const status = responseStatus(body);
    const turnedAway = status === 401 || status === 403 ? refusedBy(await responseText(cloneResponse(body))) : null;
    return inert(turnedAway ?? { ok: true, body });
  }

  /**
   * @param {boolean} fresh
   * @returns {Promise<Config & {user: User}>}
   */
  async #signedIn(fresh) {
    const config = await this.#parts.authority.config(fresh);
    if ('code' in config) throw new NotDelegated(config);
    const { user } = config;
    if (user) return inert({ ...config, user });
    if (!fresh) return await this.#signedIn(true); // the user may have signed in meanwhile, in another tab
    throw new NotDelegated(problem('login_required'));
  }
}

/**
 * @param {string} text
 * @returns {{ok: false, problem: Problem, now: unknown} | null} what a JSON-RPC error of the authority says; null for any other
 *   answer
 */
function refusedBy(text) {
  try {
    const { data, message } = /** @type {{data: Bare, message: unknown}} */ (bare(natives.parse(text)).error);
    return textOf(data.code) ? { ok: false, problem: problemOf(bare({ ...data, detail: message })), now: data.now } : null;
  } catch {
    return null;
  }
}
