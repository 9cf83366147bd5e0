/**
 * A bank that a test in Python serves, its user, and the user's agent: the official MCP client, with the module for approvals.
 * `DEPUTIZE_BANK` is the bank's origin; what a user does in their browser is asked for at `/control`.
 */
import { after } from 'node:test';

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import * as jose from 'jose';

import { Human } from '../test/harness.js';

const { VerifiedApproval } = await import('../src/mcp/verified-approval.js');
const { Prompts } = await import('../src/people/prompt.js');
const { method: webauthn } = await import('../src/people/methods/webauthn.js');

export const ANNOTATION = 'io.modelcontextprotocol/verified-approval';
export const TRANSFER = { amount: 250, name: 'Ada' };
export const DISPLAYED = 'Send \u2068250.00\u2069 EUR to \u2068“Ada”\u2069\nAsked by: \u2068Helper\u2069 · registered by \u2068Bank\u2069';
/** Both lives of the protocol. */
export const LIVES = /** @type {const} */ (['legacy', '2026-07-28']);

const origin = process.env.DEPUTIZE_BANK ?? '';
const issuer = `${origin}/deputize`;

/** @typedef {any} Json any: the wire, read by a test */
/** @typedef {{method: string, params: Json}} Message */

/**
 * @param {string} verb
 * @param {object} [body]
 * @returns {Promise<Json>}
 */
export async function control(verb, body = {}) {
  const response = await fetch(`${origin}/control/${verb}`, { method: 'POST', body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${verb}: ${response.status}`);
  return response.json();
}

/** What the bank's tools have done since the last time that this was asked. */
export const done = () => control('done');

/** Somebody with an agent that is connected. */
export class Deputy {
  /** @type {Message[]} all that the client has sent */
  sent = [];
  /** @type {(message: Message, answer: Json) => void} changes an answer on its way */
  tamper = () => {};
  human = new Human();
  client = new Client({ name: 'interop', version: '1' });
  /** @type {StreamableHTTPClientTransport | undefined} */
  transport;
  /** @type {Json} */
  #who;

  /**
   * Lets a new user deputize an agent, and connects it.
   *
   * @param {{life?: typeof LIVES[number], transports?: string[], serverId?: string | null, tamper?: Deputy['tamper'], capabilities?: Json}}
   *   [options]
   */
  async connect({ life = 'legacy', transports = ['internal'], serverId = issuer, tamper, capabilities = {} } = {}) {
    this.#who = await control('deputy', { transports });
    if (tamper) this.tamper = tamper;
    const negotiation = life === 'legacy' ? {} : { versionNegotiation: { mode: { pin: life } } };
    this.client = new Client({ name: 'interop', version: '1' }, { ...negotiation, capabilities });
    const key = await jose.importJWK(this.#who.jwk, 'ES256');
    this.transport = new StreamableHTTPClientTransport(new URL(`${issuer}/mcp`), {
      fetch: (url, init) => this.#fetch(/** @type {CryptoKey} */ (key), String(url), init),
    });
    await this.client.connect(this.transport);
    const ways = { methods: { webauthn: webauthn(this.sign('get')) }, create: this.sign('create') };
    const prompts = new Prompts(this.human.open, this.human.tell, ways);
    const about = async () => ({ site: 'Bank', user: 'Ada' });
    this.approvals = new VerifiedApproval({ client: this.client, prompts, serverId, about });
    return this;
  }

  /**
   * The user's authenticator, which verifies whoever has it in hand.
   *
   * @param {'get' | 'create'} ceremony
   */
  sign(ceremony) {
    return async (/** @type {Json} */ options) => {
      this.human.signed += 1;
      this.sent.push({ method: `navigator.credentials.${ceremony}`, params: options });
      return control('passkey', { id: this.#who.id, ceremony, options });
    };
  }

  /** The user goes to an address that the client has shown, and answers there. @param {string} url @param {boolean} yes */
  answers(url, yes) {
    return control('answers', { id: this.#who.id, url, yes });
  }

  /** The user opens the window for enrollment. */
  openWindow() {
    return control('window', { id: this.#who.id });
  }

  /** @param {string} method @returns {Json[]} the params of all messages of one method */
  of(method) {
    return this.sent.filter((message) => message.method === method).map(({ params }) => params);
  }

  /** The methods of what was sent, without those that only connect. */
  get methods() {
    return this.sent.map(({ method }) => method).filter((method) => /^(tools\/call|approval|navigator)/.test(method));
  }

  /**
   * Calls a tool while the user answers the dialogs, one after the other.
   *
   * @param {string} name
   * @param {Record<string, unknown>} [args]
   * @param {Array<'approve' | 'decline' | 'removed'>} answers
   */
  async call(name, args = TRANSFER, answers = ['approve']) {
    const before = this.human.dialogs.length;
    const outcome = this.calls(name, args);
    for (const [index, answer] of answers.entries()) void this.human.answer(before + index, answer);
    return outcome;
  }

  /** @param {string} name @param {Record<string, unknown>} [args] @param {object} [options] */
  calls(name, args = TRANSFER, options) {
    if (!this.approvals) throw new Error('not connected');
    return this.approvals.callTool({ name, arguments: args }, options);
  }

  /**
   * @param {CryptoKey} key
   * @param {string} url
   * @param {RequestInit} [init]
   */
  async #fetch(key, url, init) {
    const { now } = await (await fetch(`${issuer}/tools`)).json();
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(this.#who.token));
    const claims = { htm: init?.method ?? 'GET', htu: url, ath: jose.base64url.encode(new Uint8Array(digest)) };
    const { d: _, kid: __, ...jwk } = this.#who.jwk;
    const header = { typ: 'dpop+jwt', alg: 'ES256', jwk };
    const proof = new jose.SignJWT(claims).setProtectedHeader(header).setJti(crypto.randomUUID()).setIssuedAt(now);
    const headers = new Headers(init?.headers);
    headers.set('authorization', `DPoP ${this.#who.token}`);
    headers.set('dpop', await proof.sign(key));
    const message = typeof init?.body === 'string' ? JSON.parse(init.body) : null;
    if (message) this.sent.push(message);
    const response = await fetch(url, { ...init, headers });
    const streamed = response.headers.get('content-type') === 'text/event-stream';
    if (!message || streamed || response.status === 202) return response; // a notification is acknowledged without a word
    const answer = await response.json();
    this.tamper(message, answer);
    return new Response(JSON.stringify(answer), { status: response.status, headers: response.headers });
  }
}

/** @type {Deputy[]} */
const open = [];
after(() => Promise.all(open.map(({ client }) => client.close())));

/**
 * Somebody new with an agent that is connected, until the tests end; what was done before is not theirs.
 *
 * @param {Parameters<Deputy['connect']>[0]} [options]
 */
export async function deputy(options) {
  const made = new Deputy();
  open.push(made);
  await made.connect(options);
  await done();
  return made;
}
