/** An authority in memory that speaks PROTOCOL.md over HTTP and checks real proofs. */

import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import { createServer } from 'node:http';

import { ENGLISH } from './platform.js';

const { actionHash, b64u, canonicalize } = await import('../src/platform/canonical.js');

/** @import { IncomingMessage } from 'node:http' */
/** @typedef {Record<string, any>} Json any: the wire, read by a test */

/** @param {string | NodeJS.ArrayBufferView} data */
export const sha256 = (data) => createHash('sha256').update(data).digest('base64url');
/** @param {string} segment */
const decode = (segment) => JSON.parse(Buffer.from(segment, 'base64url').toString());

/**
 * Checks a proof as PROOF-1 has it.
 *
 * @param {unknown} jws
 * @param {{method: string, url: string, token?: string, now?: number}} request
 * @returns {Json} header and claims
 */
export function checkProof(jws, { method, url, token, now = Date.now() / 1000 }) {
  const [head = '', body = '', signature = ''] = String(jws).split('.');
  const header = decode(head);
  const claims = decode(body);
  const key = createPublicKey({ key: header.jwk, format: 'jwk' });
  const signed = verify('sha256', Buffer.from(`${head}.${body}`), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
  const faults = [
    header.typ === 'dpop+jwt' || 'typ',
    header.alg === 'ES256' || 'alg',
    Object.keys(header.jwk).sort().join() === 'crv,kty,x,y' || 'jwk',
    signed || 'signature',
    claims.htm === method || 'htm',
    claims.htu === url || 'htu',
    Math.abs(claims.iat - now) <= 30 || 'iat',
    typeof claims.jti === 'string' || 'jti',
    claims.ath === (token && sha256(token)) || 'ath',
  ].filter((fault) => fault !== true);
  if (faults.length > 0) throw new Error(`proof: ${faults.join()}`);
  return { header, claims, jkt: sha256(canonicalize(header.jwk)) };
}

/** A refusal on the wire. */
class Refused extends Error {
  /**
   * @param {string} code
   * @param {Json} [facts]
   */
  constructor(code, facts = {}) {
    super(code);
    this.facts = { type: 'about:blank', title: code, status: 403, detail: '', code, ...facts };
  }
}

/** @param {Json} subject */
const stopped = ({ state }) => {
  if (['redeemed', 'succeeded', 'failed', 'unknown'].includes(state)) return 'call_redeemed';
  return ['declined', 'cancelled', 'expired'].includes(state) ? state : 'call_state';
};

/** @param {Json} tool */
const tool = (tool) => ({ scopes: [], public: false, approval: 'never', authenticator_class: 'platform', executes: 'api', direct: false, ...tool });

/** The authority, in memory. What a test wants to be otherwise it sets. */
export class TestAuthority {
  #server = createServer((request, response) => {
    response.shouldKeepAlive = false; // Node 20's fetch may throw, out of nowhere, when it gives up a kept connection
    void this.#answer(request, response);
  });
  #jtis = new Set();
  issuer = '';
  /** @type {{id: string, name: string} | null} */
  user = { id: 'usr_ada', name: 'Ada' };
  waitS = 60;
  /** @type {number | undefined} of the protocol, as it says */
  protocol = 1;
  /** @type {string | undefined} what it calls itself, if not by where it is */
  names = undefined;
  /** Seconds by which this clock is ahead of the page's. */
  ahead = 0;
  tokenSeconds = 300;
  passkeys = 1;
  /** @type {Set<string>} scopes that an agent may have */
  ceiling = new Set(['account:read', 'payments:write']);
  /** @type {Json} what is said of a consent besides what is signed */
  text = {};
  /** @type {Json | null} what is said */
  words = ENGLISH;
  /** @type {Set<string>} thumbprints of keys that the user revoked */
  shutOut = new Set();
  /** @type {Json} */
  tools = {
    search_help: tool({ public: true }),
    get_balance: tool({ scopes: ['account:read'] }),
    transfer_money: tool({ scopes: ['payments:write'], approval: 'always', direct: true }),
    mark_read: tool({ scopes: ['account:read'], approval: 'when', executes: 'page' }),
    close_account: tool({ scopes: ['account:admin'], approval: 'always' }),
  };
  /** @type {Array<{path: string, headers: Json, body: Json}>} */
  requests = [];
  /** @type {Json[]} */
  calls = [];
  /** @type {Map<string, Json>} */
  grants = new Map();
  /** @type {Map<string, Json>} */
  #tokens = new Map();
  /** @type {Map<string, Json>} */
  #refresh = new Map();
  /** @type {Map<string, Json>} */
  #challenges = new Map();
  /** Where answers count (APPR-12). */
  surface = 'either';
  /** @type {Array<{id: string, response: import('node:http').ServerResponse}>} */
  #waiting = [];
  /** @type {string[]} codes with which the next approvals are refused */
  failing = [];
  /** @type {string[]} the grants and calls that were declined together with their agent */
  blocked = [];
  /** The code by which every call is refused, if any. */
  refusing = '';
  /** Where messages of MCP are sent on to. */
  redirect = '';
  /** @type {(path: string) => Promise<void>} */
  before = async () => {};
  /** @type {(path: string, method: string) => '' | 'before' | 'after'} whether a request is lost, or its answer */
  loses = () => '';
  /** @type {(response: import('node:http').ServerResponse) => void} how an answer is lost */
  lose = (response) => void response.destroy();

  /** @returns {Promise<this>} */
  async start() {
    await new Promise((resolve) => this.#server.listen(0, '127.0.0.1', () => resolve(null)));
    const address = this.#server.address();
    if (typeof address !== 'object' || address === null) throw new Error('not listening');
    this.issuer = `http://127.0.0.1:${address.port}/deputize`;
    return this;
  }

  stop() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  /** The paths that were asked for. */
  get paths() {
    return this.requests.map(({ path }) => path.replace(/(cal|grt)_[^/]+/, '{id}'));
  }

  get now() {
    return Math.floor(Date.now() / 1000) + this.ahead;
  }

  /**
   * @param {IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  async #answer(request, response) {
    const path = (request.url ?? '').slice('/deputize'.length);
    let raw = '';
    for await (const chunk of request) raw += chunk;
    await this.before(path);
    if (path === '/mcp' && this.redirect) return void response.writeHead(307, { location: this.redirect }).end();
    const lost = this.loses(path, request.method ?? '');
    if (lost === 'before') return this.lose(response);
    const form = request.headers['content-type']?.includes('urlencoded');
    const body = form ? Object.fromEntries(new URLSearchParams(raw)) : JSON.parse(raw || '{}');
    if (path === '/words/some.json') return void response.end(JSON.stringify(this.words));
    if (path.endsWith('/wait')) return void this.#wait(path, response);
    this.requests.push({ path, headers: request.headers, body });
    let status = 200;
    let told;
    try {
      told = await this.#handle(request, path, body);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      told = error.facts;
      status = path === '/token' ? 400 : 403;
      if (path === '/mcp') {
        status = told.code === 'insufficient_scope' ? 403 : 401;
        told = { jsonrpc: '2.0', id: body.id, error: { code: -32010, message: '', data: told } };
      }
    }
    if (lost) return this.lose(response);
    if (told === null) return void response.writeHead(204).end();
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(told));
  }

  /**
   * Somebody waits (WAIT-1): until a test says that it has moved, or goes away.
   *
   * @param {string} path
   * @param {import('node:http').ServerResponse} response
   */
  #wait(path, response) {
    const [, , id = ''] = path.split('/');
    response.writeHead(200, { 'content-type': 'application/json' }).write('\n');
    this.#waiting.push({ id, response });
  }

  /**
   * Breaks off the wait for a call or a grant, as a proxy does.
   *
   * @param {Json | undefined} subject
   */
  async stopWaiting(subject) {
    for (const { response } of await this.#whoWaits(subject)) response.end('<h1>Bad gateway</h1>');
  }

  /**
   * Moves a call or a grant as an answer given elsewhere does, and tells who waits for it.
   *
   * @param {Json | undefined} subject
   * @param {Json} moved
   */
  async elsewhere(subject, moved) {
    const waiting = await this.#whoWaits(subject);
    Object.assign(/** @type {Json} */ (subject), moved);
    for (const { response } of waiting) response.end(JSON.stringify({ ...moved, expires_at: this.now + 300 }));
  }

  /** @param {Json | undefined} subject @returns {Promise<Array<{response: import('node:http').ServerResponse}>>} once somebody does */
  async #whoWaits(subject) {
    const id = subject?.id ?? subject?.call_id;
    for (;;) {
      const here = this.#waiting.filter((each) => each.id === id && !each.response.destroyed && !each.response.writableEnded);
      if (here.length > 0) return here;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /**
   * @param {IncomingMessage} request
   * @param {string} header
   * @param {string} [token]
   */
  #proof(request, header, token) {
    const method = request.method ?? '';
    const url = new URL(request.url ?? '', this.issuer).href;
    let proof;
    try {
      proof = checkProof(request.headers[header], { method, url, token, now: this.now });
    } catch (error) {
      throw new Refused('invalid_dpop_proof', { detail: String(error), now: this.now });
    }
    if (this.#jtis.has(proof.claims.jti)) throw new Refused('invalid_dpop_proof', { detail: 'jti' });
    this.#jtis.add(proof.claims.jti);
    return proof.jkt;
  }

  /**
   * @param {IncomingMessage} request
   * @param {string} path
   * @param {Json} body
   * @returns {Promise<Json | null>}
   */
  async #handle(request, path, body) {
    if (path === '/tools') return this.#configuration();
    const token = request.headers.authorization?.slice('DPoP '.length);
    const delegated = token !== undefined || path === '/token';
    const jkt = this.#proof(request, delegated ? 'dpop' : 'deputize-page', token);
    if (path === '/token') return this.#renew(body, jkt);
    if (path === '/calls') return this.#decide(body, jkt, token);
    if (path === '/mcp') return this.#message(body, jkt, token);
    if (!this.user) throw new Refused('login_required');
    if (this.shutOut.has(jkt)) throw new Refused('unknown_agent');
    if (path === '/agents') return { client_id: `agt_${jkt}`, assurance: 'opaque' };
    if (path === '/grants') return this.#request(body, jkt);
    const [, kind, id = '', verb] = path.split('/');
    const subject = kind === 'grants' ? this.grants.get(id) : this.calls.find((call) => call.call_id === id);
    if (!subject || subject.jkt !== jkt) throw new Refused('call_unknown');
    if (verb) return this.#act(subject, verb, body);
    if (request.method === 'DELETE') {
      if (subject.state === 'active') subject.state = 'revoked';
      return null;
    }
    return { state: subject.state, expires_at: this.now + 300, answered_on: subject.answered_on };
  }

  #configuration() {
    return {
      protocol: this.protocol,
      issuer: this.names ?? this.issuer,
      now: this.now,
      site: { name: 'Harbor' },
      user: this.user,
      csrf: null,
      wait_s: this.waitS,
      words: '/words/some.json',
      api_origins: ['https://bank.example'],
      sign_in_uri: `${this.issuer}/account`,
      scopes: { 'account:read': { title: 'See your accounts', writes: false }, 'payments:write': { title: 'Send money', writes: true } },
      tools: this.tools,
    };
  }

  /**
   * @param {Json} body
   * @param {string} jkt
   */
  #request(body, jkt) {
    if (this.passkeys === 0) throw new Refused('no_eligible_credential');
    const wanted = new Set(body.scope.split(' '));
    if ([...wanted].some((scope) => !this.ceiling.has(scope))) throw new Refused('agent_not_allowed', { scope: body.scope });
    for (const grant of this.grants.values()) {
      if (grant.state === 'active') for (const scope of grant.scopes) wanted.add(scope);
    }
    const grant_id = `grt_${randomBytes(16).toString('base64url')}`;
    const scopes = /** @type {string[]} */ ([...wanted]).sort();
    const lines = [
      { part: 'title', line: 'Let it act for you?' },
      { part: 'asker', line: 'It is any agent.' },
      { part: 'heading', line: 'It may' },
      ...scopes.map((scope) => ({ part: 'scope', line: `May ${scope}` })),
      { part: 'remark', line: 'You can take it back.' },
    ];
    const description = lines.map(({ line }) => line).join('\n');
    const shown = {
      agent: { client_id: `agt_${jkt}`, assurance: 'opaque' },
      expires_in: 3600,
      grant_id,
      language: this.words?.language,
      text_s256: sha256(canonicalize(lines.map(({ line }) => line))),
      scopes: scopes.map((scope) => ({ scope, title: `May ${scope}` })),
      site: 'Harbor',
      user: 'Ada',
    };
    /** @type {Record<string, string[]>} GRANT-8 */
    const definitions = {};
    const known = [...this.grants.values()].filter(({ state }) => state === 'active').map((grant) => grant.definitions);
    for (const each of known) for (const name of Object.keys(each)) definitions[name] = [...each[name]];
    for (const [name, digest] of Object.entries(body.definitions)) (definitions[name] ??= []).push(/** @type {string} */ (digest));
    const asked = { id: grant_id, jkt, scopes, shown, state: 'pending', description, tool: 'deputize.consent', args: shown };
    this.grants.set(grant_id, { ...asked, definitions });
    return { grant_id, state: 'pending', expires_at: this.now + 600, shown, text: { language: this.words?.language, lines, ...this.text } };
  }

  /** @param {Json} grant */
  #tokensOf(grant) {
    const access_token = `access.${randomBytes(12).toString('base64url')}`;
    const refresh_token = `refresh.${randomBytes(12).toString('base64url')}`;
    this.#tokens.set(access_token, { grant, user: this.user?.id, expiresAt: this.now + this.tokenSeconds });
    this.#refresh.set(refresh_token, grant);
    const scope = grant.scopes.join(' ');
    return { access_token, refresh_token, token_type: 'DPoP', expires_in: this.tokenSeconds, scope, grant_id: grant.id, client_id: `agt_${grant.jkt}`, sub: this.user?.id };
  }

  /**
   * @param {Json} body
   * @param {string} jkt
   */
  #renew(body, jkt) {
    const grant = this.#refresh.get(body.refresh_token);
    this.#refresh.delete(body.refresh_token);
    if (!grant || grant.jkt !== jkt || grant.state !== 'active' || body.grant_type !== 'refresh_token') {
      throw new Refused('invalid_grant', { error: 'invalid_grant', code: undefined });
    }
    return this.#tokensOf(grant);
  }

  /**
   * @param {Json} body
   * @param {string} jkt
   * @param {string | undefined} token
   */
  async #decide(body, jkt, token) {
    const known = token === undefined ? null : this.#tokens.get(token);
    if (token !== undefined && (!known || known.expiresAt <= this.now)) throw new Refused('invalid_token');
    if (!this.user) throw new Refused('login_required');
    if (known && known.user !== this.user.id) throw new Refused('wrong_user');
    const call_id = `cal_${randomBytes(16).toString('base64url')}`;
    const grant = known?.grant ?? null;
    const rule = this.tools[body.tool];
    const no = (/** @type {string} */ code, /** @type {Json} */ facts = {}) => new Refused(code, { call_id, state: 'denied', ...facts });
    if (!rule) throw no('unknown_tool');
    if (rule.public) throw no('tool_is_public');
    if (grant && rule.pinned && !rule.pinned.includes(body.definition_s256)) throw no('definition_changed');
    if (this.shutOut.has(jkt)) throw no('unknown_agent');
    if (this.refusing) throw no(this.refusing);
    if (grant && grant.state !== 'active') throw no(grant.state === 'expired' ? 'grant_expired' : 'grant_revoked');
    const missing = grant ? rule.scopes.filter((/** @type {string} */ scope) => !grant.scopes.includes(scope)) : [];
    if (missing.some((/** @type {string} */ scope) => !this.ceiling.has(scope))) throw no('agent_not_allowed', { scope: missing.join(' ') });
    if (missing.length > 0) throw no('insufficient_scope', { scope: missing.join(' ') });
    const consented = grant ? (grant.definitions[body.tool] ??= [body.definition_s256]) : [body.definition_s256];
    if (!consented.includes(body.definition_s256)) throw no('consent_outdated', { scope: grant.scopes.join(' ') });
    for (const delivered of body.delivered ?? []) {
      const call = this.calls.find((known) => known.call_id === delivered);
      if (call) call.delivered = true;
    }
    const match = canonicalize([grant?.id ?? null, jkt, body.tool, body.arguments, body.definition_s256]);
    const asks = !grant || rule.approval === 'always' || (rule.approval === 'when' && body.arguments.ask === true);
    const met = this.calls.findLast((call) => call.match === match && (asks || rule.approval !== 'never'));
    if (met?.state === 'succeeded' && !met.delivered) throw no('already_executed', { call_id: met.call_id });
    const resumed = met && ['pending', 'approved'].includes(met.state) ? met : null;
    const state = asks ? 'pending' : 'approved';
    const fresh = { call_id, state, match, jkt, grant, tool: body.tool, args: body.arguments, description: `Do ${body.tool}\nAsked by: somebody`, delivered: false };
    const call = resumed ?? fresh;
    if (!resumed) this.calls.push(call);
    return this.#told(call);
  }

  /**
   * One message of MCP (MCP-2, MCP-7): its params name the scope that it needs.
   *
   * @param {Json} body
   * @param {string} jkt
   * @param {string | undefined} token
   */
  #message(body, jkt, token) {
    const known = token === undefined ? null : this.#tokens.get(token);
    if (!known || known.expiresAt <= this.now || known.grant.jkt !== jkt) throw new Refused('invalid_token');
    if (!this.user) throw new Refused('login_required');
    if (known.user !== this.user.id) throw new Refused('wrong_user');
    if (this.shutOut.has(jkt)) throw new Refused('unknown_agent');
    const { grant } = known;
    if (grant.state !== 'active') throw new Refused(grant.state === 'expired' ? 'grant_expired' : 'grant_revoked');
    const { scope } = body.params;
    if (!grant.scopes.includes(scope)) throw new Refused('insufficient_scope', { scope: [...grant.scopes, scope].join(' ') });
    return { jsonrpc: '2.0', id: body.id, result: { user: known.user } };
  }

  /** @param {Json} call */
  #told(call) {
    const { call_id, state, description } = call;
    if (state === 'pending') {
      const lines = [{ part: 'headline', line: `Do ${call.tool}` }, { part: 'row', line: 'Asked by' }, { part: 'asker', line: 'somebody' }];
      const details = Object.entries(call.args).map(([title, value]) => ({ title, values: [`\u2068${value}\u2069`] }));
      return { call_id, state, description, text: { language: this.words?.language ?? 'en', lines }, details, surface: this.surface };
    }
    call.token = `token.${randomBytes(12).toString('base64url')}`;
    return { call_id, state, call_token: call.token, expires_in: 30 };
  }

  /**
   * @param {Json} subject a call or a grant
   * @param {string} verb
   * @param {Json} body
   */
  async #act(subject, verb, body) {
    switch (verb) {
      case 'challenge': {
        if (subject.state !== 'pending') throw new Refused(stopped(subject));
        if (this.surface === 'authority') throw new Refused('wrong_surface');
        const hash = await actionHash(subject.tool, subject.args, this.issuer);
        const challenge = b64u(Buffer.concat([randomBytes(32), hash]));
        const challengeId = `chl_${randomBytes(16).toString('base64url')}`;
        this.#challenges.set(challengeId, { challenge, subject });
        const told = { challengeId, displayText: subject.description, expiresAt: '2026-01-01T12:00:00Z', requestOptions: { challenge } };
        return this.envelope(told);
      }
      case 'approval': {
        const code = this.failing.shift();
        if (code) throw new Refused(code);
        const known = this.#challenges.get(body.challengeId);
        if (subject.state !== 'pending') throw new Refused(stopped(subject));
        if (known?.subject !== subject || body.method !== 'webauthn' || body.response.signed !== known.challenge) throw new Refused('challenge_unknown');
        if (!subject.call_id) {
          for (const grant of this.grants.values()) if (grant.state === 'active') grant.state = 'revoked';
          subject.state = 'active';
          return this.#tokensOf(subject);
        }
        subject.state = 'approved';
        return this.#told(subject);
      }
      case 'resumption':
        if (subject.state !== (subject.call_id ? 'approved' : 'active')) throw new Refused(stopped(subject));
        return subject.call_id ? this.#told(subject) : this.#tokensOf(subject);
      case 'denial':
        if (!['pending', 'approved'].includes(subject.state)) throw new Refused(stopped(subject));
        subject.state = body.reason ?? 'declined';
        if (body.block) this.blocked.push(subject.id ?? subject.call_id);
        return { state: subject.state };
      case 'redemption':
        if (subject.state !== 'approved' || body.call_token !== subject.token) throw new Refused('call_redeemed');
        subject.state = 'redeemed';
        return { state: 'redeemed' };
      case 'outcome':
        subject.state = body.outcome;
        return { state: subject.state };
      default:
        throw new Refused('not_found');
    }
  }

  /** @type {(envelope: Json) => Json} changes a challenge on its way */
  envelope = (envelope) => envelope;
}
