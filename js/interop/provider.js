/**
 * An OpenID provider by somebody who has never heard of us, as a site may have one: node-oidc-provider.
 * Run by tests/interop/test_openid.py. It says its port, reads its options, `{redirect_uri, client_id, jwks, logout_uri, alg?, secret?: [method, secret]}`, in one line, and
 * says `listening`. Who comes is signed in as `GET /as/<id>` has said before in this browser.
 */
// @ts-ignore it has no types of its own
import { Provider } from 'oidc-provider';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

const server = createServer().listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
const issuer = `http://localhost:${port}`;
console.log(port);
const [line] = await once(createInterface({ input: process.stdin }), 'line');
const { redirect_uri, client_id, jwks, logout_uri, alg = 'ES256', secret } = JSON.parse(line);
const pairs = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
};
const { privateKey } = pairs[/** @type {keyof typeof pairs} */ (alg)]();
const key = { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: 'one' };

const provider = new Provider(issuer, {
  jwks: { keys: [key] },
  clients: [
    {
      client_id,
      redirect_uris: [redirect_uri],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      id_token_signed_response_alg: alg,
      ...(secret
        ? { token_endpoint_auth_method: secret[0], client_secret: secret[1] }
        : { token_endpoint_auth_method: 'private_key_jwt', token_endpoint_auth_signing_alg: 'ES256', jwks }),
      backchannel_logout_uri: logout_uri,
      backchannel_logout_session_required: true,
    },
  ],
  clientAuthMethods: [secret ? secret[0] : 'private_key_jwt'],
  scopes: ['openid', 'profile'],
  claims: { openid: ['sub'], profile: ['name'], auth_time: null, sid: null },
  /** Its own would tell nobody on this machine. @param {string} url @param {any} options */
  fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined }),
  pkce: { required: () => true },
  cookies: { keys: ['for a test'] },
  features: {
    devInteractions: { enabled: false },
    backchannelLogout: { enabled: true },
    claimsParameter: { enabled: true },
  },
  interactions: { url: (/** @type {any} */ _, /** @type {any} */ { uid }) => `/interaction/${uid}` },
  /** @param {any} _ @param {string} id */
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, name: `Person ${id}` }) }),
  /** Nobody is asked what the site's own authority may know of him. @param {any} ctx */
  async loadExistingGrant(ctx) {
    const grant = new provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope('openid profile');
    await grant.save();
    return grant;
  },
});

provider.use(async (/** @type {any} */ ctx, /** @type {() => Promise<void>} */ next) => {
  const [, what, which] = ctx.path.split('/');
  if (what === 'as') {
    ctx.cookies.set('as', which, { overwrite: true });
    ctx.body = which;
  } else if (what === 'interaction') {
    const accountId = ctx.cookies.get('as');
    const result = accountId ? { login: { accountId } } : { error: 'access_denied' };
    await provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: false });
    ctx.respond = false;
  } else await next();
});

provider.on('backchannel.error', (/** @type {any} */ _, /** @type {Error} */ error) => console.error(error));
server.on('request', provider.callback());
console.log('listening');
