/**
 * An agent that is nothing but a page, at an origin of its own, with oauth4webapi: what its browser lets it fetch is all
 * that it has. The test that opens it calls these functions.
 */
import * as oauth from 'oauth4webapi';

const http = { [oauth.allowInsecureRequests]: true }; // it is all on this machine

/** @typedef {{issuer: string, clientId: string, privateKey: JsonWebKey, redirect: string, scope: string}} Told */

/** @type {{server: oauth.AuthorizationServer, client: oauth.Client, auth: oauth.ClientAuth, dpop: oauth.DPoPHandle,
 *   redirect: string, verifier: string, refreshToken?: string} | undefined} */
let begun;

/**
 * Does something again that was refused for want of a nonce: a page that may not read `DPoP-Nonce` gets no further.
 *
 * @template T
 * @param {() => Promise<T>} attempt
 */
async function withNonce(attempt) {
  try {
    return await attempt();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return attempt();
  }
}

/**
 * Finds the authority that a resource names, pushes a request, and returns where the user has to go.
 *
 * @param {Told} told
 */
export async function ask({ issuer, clientId, privateKey, redirect, scope }) {
  const mcp = new URL(`${issuer}/mcp`);
  const found = await oauth.processResourceDiscoveryResponse(mcp, await oauth.resourceDiscoveryRequest(mcp, http));
  const at = new URL(found.authorization_servers?.[0] ?? '');
  const discovered = await oauth.discoveryRequest(at, { ...http, algorithm: 'oauth2' });
  const server = await oauth.processDiscoveryResponse(at, discovered);
  /** @type {oauth.Client} */
  const client = { client_id: clientId };
  const usages = /** @type {KeyUsage[]} */ (['sign']);
  const key = await crypto.subtle.importKey('jwk', privateKey, { name: 'ECDSA', namedCurve: 'P-256' }, false, usages);
  const auth = oauth.PrivateKeyJwt(key);
  const dpop = oauth.DPoP(client, await oauth.generateKeyPair('ES256'));
  const verifier = oauth.generateRandomCodeVerifier();
  const asked = {
    response_type: 'code',
    redirect_uri: redirect,
    scope,
    resource: found.resource,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  };
  begun = { server, client, auth, dpop, redirect, verifier };
  const pushed = await withNonce(async () => {
    const answer = await oauth.pushedAuthorizationRequest(server, client, auth, asked, { ...http, DPoP: dpop });
    return oauth.processPushedAuthorizationResponse(server, client, answer);
  });
  const there = new URL(server.authorization_endpoint ?? '');
  there.search = new URLSearchParams({ client_id: clientId, request_uri: pushed.request_uri }).toString();
  return there.href;
}

/**
 * Gets the tokens for what the redirect brought, renews them, gives them back, and returns what it got.
 *
 * @param {string} landed the URL at which the user came back
 */
export async function collect(landed) {
  if (!begun) throw new Error('nothing was asked');
  const { server, client, auth, dpop, redirect, verifier } = begun;
  const options = { ...http, DPoP: dpop };
  const params = oauth.validateAuthResponse(server, client, new URL(landed), oauth.expectNoState);
  const first = await withNonce(async () => {
    const answer = await oauth.authorizationCodeGrantRequest(server, client, auth, params, redirect, verifier, options);
    return oauth.processAuthorizationCodeResponse(server, client, answer);
  });
  const renewed = await withNonce(async () => {
    const answer = await oauth.refreshTokenGrantRequest(server, client, auth, first.refresh_token ?? '', options);
    return oauth.processRefreshTokenResponse(server, client, answer);
  });
  const told = await oauth.introspectionRequest(server, client, auth, renewed.access_token, http);
  const live = await oauth.processIntrospectionResponse(server, client, told);
  const ended = await oauth.revocationRequest(server, client, auth, renewed.access_token, http);
  await oauth.processRevocationResponse(ended);
  return { first, renewed, live };
}

/**
 * Tries to read an answer with the user's cookies, and returns its status, or null if the browser keeps it.
 *
 * @param {string} method
 * @param {string} url
 * @param {boolean} simple whether to send what needs no preflight
 */
export async function peek(method, url, simple) {
  /** @type {Record<string, string>} */
  const headers = simple ? {} : { 'content-type': 'application/json' };
  try {
    return (await fetch(url, { method, headers, credentials: 'include' })).status;
  } catch {
    return null;
  }
}
