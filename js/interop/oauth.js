/**
 * An app by somebody who has never heard of us: the official MCP client with its own OAuth, as a page or a program would use it.
 * Run by tests/interop/test_mcp_oauth.py, which serves the bank: one test there for each here. `DEPUTIZE_BANK` is the bank's
 * origin, `DEPUTIZE_CLIENT` where the app's document is; what a user does in their browser is asked for at `/control`.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Client, DpopSession, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';

import { ANNOTATION, control, LIVES, TRANSFER } from './bank.js';

/** @import { OAuthClientProvider, OAuthTokens, StoredOAuthClientInformation } from '@modelcontextprotocol/client' */
/** @import { Json } from './bank.js' */

const endpoint = new URL(`${process.env.DEPUTIZE_BANK}/deputize/mcp`);
const REDIRECT = 'http://127.0.0.1:4711/callback';

/** @implements {OAuthClientProvider} */
class App {
  redirectUrl = REDIRECT;
  clientMetadataUrl = process.env.DEPUTIZE_CLIENT;
  clientMetadata = { client_name: 'Any App', redirect_uris: [REDIRECT] };
  /** @type {URL[]} where the user's browser was sent */
  asked = [];
  /** @type {OAuthTokens[]} */
  saved = [];
  /** @type {StoredOAuthClientInformation | undefined} */
  #information;
  #verifier = '';
  #state = '';

  state() {
    return (this.#state = crypto.randomUUID());
  }
  clientInformation() {
    return this.#information;
  }
  /** @param {StoredOAuthClientInformation} information */
  saveClientInformation(information) {
    this.#information = information;
  }
  tokens() {
    return this.saved.at(-1);
  }
  /** @param {OAuthTokens} tokens */
  saveTokens(tokens) {
    this.saved.push(tokens);
  }
  /** @param {URL} url */
  redirectToAuthorization(url) {
    this.asked.push(url);
  }
  /** @param {string} verifier */
  saveCodeVerifier(verifier) {
    this.#verifier = verifier;
  }
  codeVerifier() {
    return this.#verifier;
  }

  /** Waits for the user's browser, which comes back to the app. */
  async comesBack() {
    const { redirect_to } = await control('agree', { url: this.asked.at(-1)?.href });
    const said = new URL(redirect_to).searchParams;
    assert.equal(said.get('state'), this.#state);
    return said;
  }

  /** What the token is spent on is refused, as if time had passed. */
  spoil() {
    const last = this.saved.at(-1);
    assert(last);
    this.saved.push({ ...last, access_token: `${last.access_token.slice(0, -8)}AAAAAAAA` });
  }
}

/** The same with a key, since it knows DPoP. */
class AppWithKey extends App {
  #session = DpopSession.create();
  dpop() {
    return this.#session;
  }
}

test('an app that knows no DPoP gets in, asks and stays (2025-11-25)', () => whole(new App(), 'Bearer', LIVES[0]));
test('an app that knows no DPoP gets in, asks and stays (2026-07-28)', () => whole(new App(), 'Bearer', LIVES[1]));
test('an app that knows DPoP does so with a token that is bound (2025-11-25)', () => whole(new AppWithKey(), 'DPoP', LIVES[0]));
test('an app that knows DPoP does so with a token that is bound (2026-07-28)', () => whole(new AppWithKey(), 'DPoP', LIVES[1]));

/**
 * @param {App} app
 * @param {'Bearer' | 'DPoP'} type
 * @param {typeof LIVES[number]} life
 */
async function whole(app, type, life) {
  const first = new StreamableHTTPClientTransport(endpoint, { authProvider: app });
  await assert.rejects(connect(first, life), (error) => error instanceof UnauthorizedError);
  assert.equal(app.asked[0].searchParams.get('resource'), endpoint.href);
  assert.equal(app.asked[0].searchParams.get('client_id'), app.clientMetadataUrl);
  await first.finishAuth(await app.comesBack());
  assert.equal(app.tokens()?.token_type, type);

  const client = await connect(new StreamableHTTPClientTransport(endpoint, { authProvider: app }), life);
  const { tools } = await client.listTools();
  const told = tools.map(({ name, _meta }) => [name, /** @type {Json} */ (_meta)?.[ANNOTATION]?.required]);
  assert.equal(Object.fromEntries(told).get_balance, 'verified');
  assert.equal(Object.fromEntries(told).search_help, undefined);
  await assert.rejects(client.callTool({ name: 'get_balance', arguments: {} }), /evidence/);
  assert.deepEqual((await approved(client, 'get_balance', {})).structuredContent, { balance: 1000 });
  await approved(client, 'transfer_money', TRANSFER);
  assert.deepEqual(await control('done'), [['transfer_money', TRANSFER]]);

  app.spoil();
  await approved(client, 'get_balance', {});
  assert.equal(app.saved.length, 3);
  assert.equal(app.tokens()?.token_type, type);
  assert.notEqual(app.tokens()?.refresh_token, app.saved[0].refresh_token);
  assert.equal(app.asked.length, 1); // nobody was asked again
  await client.close();
}

/** @param {StreamableHTTPClientTransport} transport @param {typeof LIVES[number]} life */
async function connect(transport, life) {
  const options = life === 'legacy' ? {} : { versionNegotiation: { mode: { pin: life } } };
  const client = new Client({ name: 'app', version: '1' }, options);
  await client.connect(transport);
  return client;
}

/**
 * Calls a tool with the approval that SEP-2672 asks for.
 *
 * @param {Client} client
 * @param {string} name
 * @param {Record<string, unknown>} args
 */
async function approved(client, name, args) {
  const params = { toolName: name, arguments: args };
  const envelope = await client.request({ method: 'approval/challenge/create', params }, anything);
  const evidence = await control('sign', { envelope });
  return client.callTool({ name, arguments: args, _meta: { [ANNOTATION]: evidence } });
}

/** A schema of whatever comes (standardschema.dev). @type {Json} */
const anything = { '~standard': { version: 1, vendor: 'test', validate: (/** @type {Json} */ value) => ({ value }) } };
