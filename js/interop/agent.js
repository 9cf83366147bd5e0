/**
 * An agent by somebody who has never heard of us: oauth4webapi for OAuth, jose for tokens, and a web server of its own,
 * where its Client ID Metadata Document and its redirect URI are. A child of it, with another key, is at the same place.
 *
 * It talks in lines of JSON: it says `client_id`, is told `issuer`, `scope`, `details`, `tool` and `arguments`, says
 * `authorize`, waits for its user's browser to come back, and says what it got. `node interop/agent.js` for the code flow, or with `device`.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import canonicalize from 'canonicalize';
import * as jose from 'jose';
import * as oauth from 'oauth4webapi';

/** @typedef {{client: oauth.Client, auth: oauth.ClientAuth, dpop: oauth.DPoPHandle, keys: oauth.CryptoKeyPair}} Identity */
/** @typedef {{scope: string, details: object[]}} Asked */

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const JWT = 'urn:ietf:params:oauth:token-type:jwt';
const http = { [oauth.allowInsecureRequests]: true }; // it is all on this machine

/** @param {Record<string, unknown>} fact */
const say = (fact) => process.stdout.write(`${JSON.stringify(fact)}\n`);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
/** @returns {Promise<any>} any: whatever the test wants */
const hear = async () => JSON.parse((await lines.next()).value);

/** @type {Record<string, unknown>} */
const documents = {};
const home = createServer((request, response) => {
  const url = new URL(request.url ?? '', origin);
  if (url.pathname === '/callback') home.emit('callback', url);
  const found = documents[url.pathname];
  response.writeHead(found ? 200 : 204, found ? { 'content-type': 'application/json' } : {});
  response.end(found && JSON.stringify(found));
});
await once(home.listen(0, '127.0.0.1'), 'listening');
const address = home.address();
const origin = `http://localhost:${typeof address === 'object' && address?.port}`;
const redirect = `${origin}/callback`;

/**
 * Makes one agent with two keys, one to say who it is and one that its tokens are bound to, and publishes its document.
 *
 * @param {string} name
 * @returns {Promise<Identity>}
 */
async function identity(name) {
  const [own, keys] = [await oauth.generateKeyPair('ES256'), await oauth.generateKeyPair('ES256')];
  /** @type {oauth.Client} */
  const client = { client_id: `${origin}/${name}.json` };
  documents[`/${name}.json`] = {
    ...client,
    client_name: `A stranger's ${name}`,
    redirect_uris: [redirect],
    grant_types: ['authorization_code', 'refresh_token', DEVICE_CODE, EXCHANGE],
    response_types: ['code'],
    token_endpoint_auth_method: 'private_key_jwt',
    jwks_uri: `${origin}/${name}.jwks`,
  };
  documents[`/${name}.jwks`] = { keys: [{ ...(await jose.exportJWK(own.publicKey)), kid: name, use: 'sig', alg: 'ES256' }] };
  return { client, auth: oauth.PrivateKeyJwt({ key: own.privateKey, kid: name }), dpop: oauth.DPoP(client, keys), keys };
}

/**
 * Does something again that was refused for want of a nonce, as RFC 9449 §8 has it.
 *
 * @template T
 * @param {() => Promise<T>} attempt
 */
async function withNonce(attempt) {
  try {
    return await attempt();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    say({ refused: 'use_dpop_nonce' });
    return attempt();
  }
}

/**
 * @param {oauth.AuthorizationServer} server
 * @param {Identity} me
 * @param {Asked} wanted
 */
async function byCode(server, { client, auth, dpop }, { scope, details }) {
  const [verifier, state] = [oauth.generateRandomCodeVerifier(), oauth.generateRandomState()];
  const asked = {
    response_type: 'code',
    redirect_uri: redirect,
    scope,
    authorization_details: JSON.stringify(details),
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  };
  const pushed = await withNonce(async () => {
    const answer = await oauth.pushedAuthorizationRequest(server, client, auth, asked, { DPoP: dpop, ...http });
    return oauth.processPushedAuthorizationResponse(server, client, answer);
  });
  const there = new URL(String(server.authorization_endpoint));
  there.search = String(new URLSearchParams({ client_id: client.client_id, request_uri: pushed.request_uri }));
  const back = once(home, 'callback');
  say({ authorize: there.href });
  const [arrived] = await back;
  const said = oauth.validateAuthResponse(server, client, arrived, state);
  return withNonce(async () => {
    const options = { DPoP: dpop, ...http };
    const answer = await oauth.authorizationCodeGrantRequest(server, client, auth, said, redirect, verifier, options);
    return oauth.processAuthorizationCodeResponse(server, client, answer);
  });
}

/**
 * @param {oauth.AuthorizationServer} server
 * @param {Identity} me
 * @param {Asked} wanted
 */
async function byDevice(server, { client, auth, dpop }, { scope, details }) {
  const dpop_jkt = await dpop.calculateThumbprint();
  const asked = { scope, authorization_details: JSON.stringify(details), dpop_jkt };
  const started = await oauth.deviceAuthorizationRequest(server, client, auth, asked, http);
  const code = await oauth.processDeviceAuthorizationResponse(server, client, started);
  const collect = () =>
    withNonce(async () => {
      const answer = await oauth.deviceCodeGrantRequest(server, client, auth, code.device_code, { DPoP: dpop, ...http });
      return oauth.processDeviceCodeResponse(server, client, answer);
    });
  say({ refused: await collect().then(() => null, (error) => error.error) });
  say({ authorize: code.verification_uri_complete, user_code: code.user_code });
  await hear(); // the user has answered
  return collect();
}

/**
 * @param {oauth.AuthorizationServer} server
 * @param {Identity} me
 * @param {Record<string, string>} asked
 */
const exchange = (server, { client, auth, dpop }, asked) =>
  withNonce(async () => {
    const answer = await oauth.genericTokenEndpointRequest(server, client, auth, EXCHANGE, asked, { DPoP: dpop, ...http });
    const options = { recognizedTokenTypes: { n_a: () => {} } }; // RFC 8693 §2.2.1: what is handed on opens nothing
    return oauth.processGenericTokenEndpointResponse(server, client, answer, options);
  });

/**
 * @param {oauth.AuthorizationServer} server
 * @param {Identity} me
 * @param {string} token
 */
async function introspect(server, { client, auth }, token) {
  const answer = await oauth.introspectionRequest(server, client, auth, token, http);
  return oauth.processIntrospectionResponse(server, client, answer);
}

/**
 * Proves a call of one tool with these arguments (EVID-2).
 *
 * @param {oauth.AuthorizationServer} server
 * @param {Identity} me
 * @param {string} token
 * @param {{tool: string, arguments: object}} call
 */
async function evidence(server, { keys }, token, call) {
  const digest = async (/** @type {string} */ text) =>
    jose.base64url.encode(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))));
  const claims = {
    htm: 'POST',
    htu: String(server['deputize_calls_endpoint']),
    ath: await digest(token),
    tool: call.tool,
    args_s256: await digest(String(canonicalize(call.arguments))),
  };
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: await jose.exportJWK(keys.publicKey) };
  const proof = new jose.SignJWT(claims).setProtectedHeader(header).setJti(crypto.randomUUID()).setIssuedAt();
  return `${token}~${await proof.sign(keys.privateKey)}`;
}

/** @param {Identity} me @param {Identity} child */
async function live(me, child) {
  say({ client_id: me.client.client_id });
  const asked = await hear();
  const issuer = new URL(asked.issuer);
  const discovered = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...http });
  const server = await oauth.processDiscoveryResponse(issuer, discovered);
  const resource = await oauth.resourceDiscoveryRequest(issuer, http);
  say({ resource: await oauth.processResourceDiscoveryResponse(issuer, resource) });

  const got = await (process.argv[2] === 'device' ? byDevice : byCode)(server, me, asked);
  say({ tokens: got });
  const jwks = jose.createRemoteJWKSet(new URL(String(server.jwks_uri)));
  const expected = { issuer: asked.issuer, audience: asked.issuer, typ: 'at+jwt' };
  say({ verified: (await jose.jwtVerify(got.access_token, jwks, expected)).payload });

  const renewed = await withNonce(async () => {
    const options = { DPoP: me.dpop, ...http };
    const answer = await oauth.refreshTokenGrantRequest(server, me.client, me.auth, String(got.refresh_token), options);
    return oauth.processRefreshTokenResponse(server, me.client, answer);
  });
  say({ renewed });
  say({ evidence: await evidence(server, me, renewed.access_token, asked) });

  const handed = await exchange(server, me, {
    subject_token: renewed.access_token,
    subject_token_type: ACCESS_TOKEN,
    requested_token_type: JWT,
    requested_actor: child.client.client_id,
    dpop_jkt: await child.dpop.calculateThumbprint(),
  });
  const taken = await exchange(server, child, { subject_token: handed.access_token, subject_token_type: JWT });
  say({ child: (await jose.jwtVerify(taken.access_token, jwks, expected)).payload });
  say({ evidence: await evidence(server, child, taken.access_token, asked) });

  const { call_token, audience } = await hear();
  const called = { issuer: asked.issuer, audience, typ: 'txntoken+jwt' };
  say({ called: (await jose.jwtVerify(call_token, jwks, called)).payload });
  say({ introspected: await introspect(server, me, renewed.access_token) });
  const answer = await oauth.revocationRequest(server, me.client, me.auth, String(renewed.refresh_token), http);
  await oauth.processRevocationResponse(answer);
  say({ introspected: await introspect(server, me, renewed.access_token) });
}

try {
  await live(await identity('agent'), await identity('child'));
} catch (error) {
  say({ failed: error instanceof oauth.AuthorizationResponseError ? error.error : String(error) });
}
home.close();
home.closeAllConnections();
