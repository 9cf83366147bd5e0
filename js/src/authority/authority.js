/** Requests to the authority (PROTOCOL §3–§8), each with the proof that it needs. */

import { bare, numberOf, scopesOf, textOf } from '../platform/json.js';
import * as natives from '../platform/natives.js';
import { inert, responseStatus, responseText } from '../platform/natives.js';
import { VERSION } from '../platform/version.js';
import { speak, wished } from '../words/words.js';

/** @import { Answer, Bare, Config, PageKey, Problem, Reply, Rule } from '../types.js' */
/** @import { Evidence } from './evidence.js' */
/** @import { Prover } from './prover.js' */
/** @import { Said, Tools } from '../wire.js' */
/**
 * @typedef {{key?: PageKey, token?: string | null, evidence?: Evidence, form?: boolean, keepalive?: boolean, kept?: boolean, wants?: string, signal?: AbortSignal}} Manner
 *   `kept`: the browser may answer from its cache; `wants`: the text without which a yes is not the authority's; `signal`: gives it up,
 *   in place of the usual time
 */

const TIMEOUT = 20_000;
const PATIENCE = 20_000;
/** Milliseconds. That the page's policy forbids a request is told after its failure. */
const TURN = 50;

/**
 * A reason of the shim's own, in the shape of the authority's.
 *
 * @param {string} code
 * @param {Partial<Problem>} [facts]
 * @returns {Problem}
 */
export const problem = (code, facts) => inert({ code, detail: '', callId: null, scopes: [], ...facts });

/**
 * The authority that a script was loaded from.
 *
 * @param {string} url of the script
 * @param {string} name with which the path ends where it is the authority's
 * @returns {string | undefined}
 */
export function servedBy(url, name) {
  const { origin, pathname } = new natives.URL(url);
  return pathname.endsWith(name) ? origin + pathname.slice(0, -name.length) : undefined;
}

/** A client of one authority. It answers with what was said or with a problem, and never throws. */
export class Authority {
  #skew = 0;
  /** What is said is in this language, and so is what is asked for (SHIM-12). */
  #language = '';
  /** @type {Config | null} */
  #config = null;
  /** @type {Promise<Config | Problem> | null} */
  #asking = null;

  /** Makes proofs: whoever has keys brings it along. @type {Prover} */
  prover = /** @type {any} any: there are no keys before */ (null);
  /** The authority that answered in this one's place, if one did: it is another origin's, and is not used. */
  elsewhere = '';
  /** The version of the protocol that the authority speaks; null for one that does not say (VERSION-1). @type {number | null} */
  speaks = VERSION;
  /** Whether the page's own policy keeps it from the authority. */
  barred = false;

  /** @param {string} issuer */
  constructor(issuer) {
    this.issuer = issuer;
  }

  /** The configuration, as far as it is known by now. */
  get known() {
    return this.#config;
  }

  /**
   * The configuration (SHIM-3), asked for once and then again only if `fresh`.
   *
   * @param {boolean} [fresh]
   * @returns {Promise<Config | Problem>}
   */
  async config(fresh = false) {
    if (this.#config && !fresh) return this.#config;
    this.#asking ??= this.#configure();
    const config = await this.#asking;
    this.#asking = null;
    return config;
  }

  /** @returns {Promise<Config | Problem>} */
  async #configure() {
    const answer = await this.#exchange('GET', '/tools', null, {});
    if (!answer.ok) {
      await new natives.Promise((resolve) => natives.setTimeout(resolve, TURN));
      return this.barred ? problem('misconfigured') : answer.problem; // waiting helps only where nobody forbids it
    }
    const config = configOf(answer.body, this.issuer);
    this.elsewhere = config.issuer === this.issuer ? '' : config.issuer;
    this.speaks = numberOf(answer.body.protocol);
    if (this.elsewhere || this.speaks !== VERSION) return problem('misconfigured');
    this.setClock(answer.body.now);
    const words = await this.#exchange('GET', textOf(answer.body.words), null, { kept: true, wants: 'language' });
    if (!words.ok) return words.problem; // nobody is asked anything without words
    if (!speak(words.body)) return problem('authority_unavailable');
    this.#language = textOf(words.body.language);
    return (this.#config = config);
  }

  /**
   * Sends one POST.
   *
   * @param {string} path below the issuer
   * @param {string | null} body JSON text, or a form
   * @param {Manner} manner the key proves the request: as `DPoP` with a token or for `/token`, else as `Deputize-Page`
   * @returns {Promise<Answer>}
   */
  async post(path, body, manner) {
    return await this.request('POST', path, body ?? '{}', manner);
  }

  /**
   * Sends one request.
   *
   * @param {string} method
   * @param {string} path below the issuer
   * @param {string | null} body
   * @param {Manner} manner
   * @returns {Promise<Answer>}
   */
  async request(method, path, body, manner) {
    return await this.onTime(() => this.#exchange(method, path, body, manner));
  }

  /**
   * Sends what carries a proof, and once more if the authority says that it has another time (SHIM-3).
   *
   * @template T
   * @param {() => Promise<Reply<T>>} send makes a new proof each time
   * @returns {Promise<Reply<T>>}
   */
  async onTime(send) {
    const answer = await send();
    const late = !answer.ok && answer.problem.code === 'invalid_dpop_proof' && this.setClock(answer.now);
    return late ? await send() : answer;
  }

  /**
   * The time here for one of the authority's.
   *
   * @param {unknown} seconds since the epoch
   * @returns {number} milliseconds since the epoch; now if it was told no time
   */
  local = (seconds) => ((numberOf(seconds) ?? natives.now() / 1000 + this.#skew) - this.#skew) * 1000;

  /**
   * Proofs are made by the authority's clock: many a machine's is wrong by more than the 30 s of PROOF-1.
   *
   * @param {unknown} now seconds since the epoch
   * @returns {boolean} whether it was told
   */
  setClock(now) {
    const seconds = numberOf(now);
    if (seconds !== null) this.#skew = seconds - Math.floor(natives.now() / 1000);
    return seconds !== null;
  }

  /** The authority's time, in whole seconds since the epoch. */
  seconds() {
    return Math.floor(natives.now() / 1000) + this.#skew;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {string | null} body
   * @param {Manner} manner
   * @returns {Promise<Answer>}
   */
  async #exchange(method, path, body, { key, token, evidence, form = false, keepalive = false, kept = false, wants = '', signal }) {
    const url = this.issuer + path;
    /** @type {Record<string, string>} */
    const headers = Object.create(null);
    headers.Accept = 'application/json';
    const language = this.#language || wished();
    if (language) headers['Accept-Language'] = language;
    if (body !== null) headers['Content-Type'] = form ? 'application/x-www-form-urlencoded' : 'application/json';
    if (token) headers.Authorization = `DPoP ${token}`;
    if (evidence) {
      headers.Authorization = `DPoP ${evidence.token}`;
      headers.DPoP = evidence.proof; // EVID-1: the agent's own; ours goes beside it
    }
    try {
      if (key) headers[token || form ? 'DPoP' : 'Deputize-Page'] = await this.prover.prove(key, { method, url, token });
      const response = await natives.fetch(
        url,
        /** @type {RequestInit} */ ({
          __proto__: null, // no member but these, whatever Object.prototype has come to hold
          method,
          headers,
          body,
          keepalive,
          credentials: 'include',
          cache: kept ? 'default' : 'no-store',
          redirect: 'error',
          signal: signal ?? natives.timeout(TIMEOUT),
        }),
      );
      const status = responseStatus(response);
      const text = await responseText(response);
      if (status === 204) return inert({ ok: true, body: bare({}) });
      const said = bare(natives.parse(text)); // what is not JSON, such as a proxy's page, is no answer of the authority
      if (status >= 300) return inert({ ok: false, problem: problemOf(said), now: said.now });
      if (wants && !textOf(said[wants])) throw new TypeError(wants); // it lacks that: a 200 may be a proxy's
      return inert({ ok: true, body: said });
    } catch (error) {
      if (!signal || !natives.isAborted(signal)) natives.console.debug('deputize: no answer.', error); // who gives up awaits none
      return inert({ ok: false, problem: problem('authority_unavailable') }); // GUARD-6
    }
  }
}

/**
 * What a refusal on the wire says.
 *
 * @param {Bare} body
 * @returns {Problem}
 */
export function problemOf(body) {
  const code = textOf(body.code) || textOf(body.error); // ERR-1: /token answers as RFC 6749 §5.2
  return inert({
    code: code || 'authority_unavailable', // somebody else's answer
    detail: textOf(body.detail) || textOf(body.error_description),
    callId: textOf(body.call_id) || null,
    scopes: scopesOf(body.scope),
  });
}

/**
 * @param {Said<Tools>} body
 * @param {string} issuer
 * @returns {Config}
 */
function configOf(body, issuer) {
  const user = /** @type {Bare | null} */ (body.user ?? null);
  const scopes = /** @type {Bare} */ (body.scopes ?? {});
  /** @type {Map<string, Rule>} */
  const tools = new Map();
  for (const [name, entry] of Object.entries(body.tools ?? {})) {
    const rule = /** @type {Bare} */ (entry);
    const needed = scopesOf(rule.scopes);
    /** @param {string} scope */
    const writes = (scope) => /** @type {Bare | undefined} */ (scopes[scope])?.writes !== false;
    tools.set(name, {
      scopes: needed,
      public: rule.public === true,
      page: rule.executes === 'page',
      opaque: rule.opaque !== false,
      pinned: scopesOf(rule.pinned),
      approval: textOf(rule.approval),
      safe: rule.approval === 'never' && !needed.some(writes),
    });
  }
  const origins = /** @type {unknown[]} */ (natives.isArray(body.api_origins) ? body.api_origins : []);
  return inert({
    issuer: textOf(body.issuer),
    site: textOf(/** @type {Bare} */ (body.site ?? {}).name),
    told: body.site,
    user: user && { id: textOf(user.id), name: textOf(user.name) },
    patience: numberOf(body.wait_s) === null ? PATIENCE : Number(body.wait_s) * 1000,
    apiOrigins: new Set(origins.map(textOf)),
    signInUri: new natives.URL(textOf(body.sign_in_uri), `${issuer}/`).href,
    tools,
  });
}
