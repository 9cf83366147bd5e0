// node-oidc-provider with a durable store: `node issuer.mjs PORT REDIS_SOCKET PUBLIC_JWK`.
//
// One client, which says who it is by `private_key_jwt`, gets JWT access tokens bound to its DPoP key. `/resource` is a
// protected resource in the same process: it verifies token and proof, and uses the proof up in the store.

import { createHash, generateKeyPairSync } from 'node:crypto';
import { Redis } from 'ioredis';
import { calculateJwkThumbprint, EmbeddedJWK, exportJWK, importJWK, jwtVerify } from 'jose';
import { Provider } from 'oidc-provider';

const [port, socket, client] = process.argv.slice(2);
const issuer = `http://localhost:${port}`;
const redis = new Redis(socket);

/** What the provider keeps, as its own example for Redis has it: one value for each, with its time to live. */
class Adapter {
  /** @param {string} name of the model */
  constructor(name) {
    this.name = name;
  }

  /** @param {string} id */
  key(id) {
    return `${this.name}:${id}`;
  }

  async upsert(id, payload, expiresIn) {
    await redis.set(this.key(id), JSON.stringify(payload), ...(expiresIn ? ['EX', expiresIn] : []));
  }

  async find(id) {
    const found = await redis.get(this.key(id));
    return found ? JSON.parse(found) : undefined;
  }

  async consume(id) {
    const found = await this.find(id);
    await this.upsert(id, { ...found, consumed: Math.floor(Date.now() / 1000) }, 3600);
  }

  async destroy(id) {
    await redis.del(this.key(id));
  }

  async findByUserCode() {}

  async findByUid() {}

  async revokeByGrantId() {}
}

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const own = { ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig', kid: 'own' };
const { d: _, ...shown } = own;
const verifying = await importJWK(shown, 'ES256');
const audience = `${issuer}/resource`;

const provider = new Provider(issuer, {
  adapter: Adapter,
  jwks: { keys: [own] },
  clients: [
    {
      client_id: 'agent',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: 'ES256',
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks: { keys: [JSON.parse(client)] },
    },
  ],
  clientAuthMethods: ['private_key_jwt'],
  clientBasedCORS: () => true, // the client of the bench says an origin, as a page would
  enabledJWA: { clientAuthSigningAlgValues: ['ES256'], dPoPSigningAlgValues: ['ES256'] },
  scopes: ['account:read'],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    dPoP: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => audience,
      getResourceServerInfo: () => ({
        scope: 'account:read',
        audience,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 3600,
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});

/** Let a call through whose token and proof are good, once (RFC 9449 §4.3, §7). */
async function authorized(ctx) {
  const [scheme, token] = ctx.get('authorization').split(' ');
  if (scheme !== 'DPoP') return false;
  const algorithms = ['ES256'];
  const { payload } = await jwtVerify(token, verifying, { issuer, audience, typ: 'at+jwt', algorithms });
  const recent = { typ: 'dpop+jwt', algorithms, maxTokenAge: 60, clockTolerance: 5 };
  const proof = await jwtVerify(ctx.get('dpop'), EmbeddedJWK, recent);
  const { htm, htu, ath, jti, iat } = proof.payload;
  return (
    htm === ctx.method &&
    htu === audience &&
    ath === createHash('sha256').update(token).digest('base64url') &&
    payload.cnf?.jkt === (await calculateJwkThumbprint(proof.protectedHeader.jwk)) &&
    payload.scope?.split(' ').includes('account:read') === true &&
    (await provider.ReplayDetection.unique(payload.client_id, jti, iat + 120))
  );
}

provider.use(async (ctx, next) => {
  if (ctx.path !== '/resource') return next();
  const allowed = await authorized(ctx).catch(() => false);
  ctx.status = allowed ? 200 : 401;
  ctx.body = { state: allowed ? 'approved' : 'denied' };
});

provider.listen(Number(port), '127.0.0.1');
