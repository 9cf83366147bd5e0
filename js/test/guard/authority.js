/** What answers a guard as an authority does, on a port of its own, and remembers what it was asked. */
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';

import { guard } from '../../src/guard.js';
import { canonicalize } from '../../src/platform/canonical.js';

export const ARGS = { amount: 250, name: 'Ada' };
export const AUDIENCE = 'https://bank.example/api';

const theirs = generateKeyPairSync('ec', { namedCurve: 'P-256' });
/** The guard's. */
export const ours = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** @typedef {{path: string, body: any, proof: string | undefined, version: unknown}} Asked any: JSON */

/**
 * @param {import('node:net').Server} server
 * @returns {Promise<string>} where it is
 */
export async function listening(server) {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  return `http://localhost:${typeof address === 'object' && address?.port}`;
}

export class Authority {
  issuer = '';
  /** @type {Asked[]} */
  asked = [];
  /** @type {{status: number, body: object} | null} what it answers instead */
  instead = null;
  /** @type {((asked: Asked) => unknown) | null} is waited for before an answer */
  before = null;
  /** @type {Set<string>} */
  #redeemed = new Set();
  #server = createServer(async (request, response) => {
    const { url: path = '', headers } = request;
    if (path === '/jwks.json') return void response.end(JSON.stringify({ keys: [null, { ...theirs.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'ES256', use: 'sig' }] }));
    let body = '';
    for await (const part of request) body += part;
    const asked = { path, body: JSON.parse(body), proof: /** @type {string} */ (headers['deputize-guard']), version: headers['deputize-protocol'] };
    this.asked.push(asked);
    await this.before?.(asked);
    const { status, body: said } = this.instead ?? this.#answer(path);
    response.writeHead(status).end(JSON.stringify(said));
  });

  /** @param {string} path */
  #answer(path) {
    const [, , id = '', what] = path.split('/');
    if (what === 'redemption' && this.#redeemed.has(id)) return { status: 409, body: { code: 'call_redeemed', detail: 'It was.' } };
    this.#redeemed.add(id);
    return { status: 200, body: { call_id: id, state: 'redeemed', external_id: 'ada' } };
  }

  async open() {
    this.issuer = await listening(this.#server);
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  forget() {
    [this.asked, this.instead, this.before] = [[], null, null];
  }

  /** @returns {string[]} what it was told of outcomes */
  get outcomes() {
    return this.asked.filter(({ path }) => path.endsWith('/outcome')).map(({ body }) => body.outcome);
  }

  /** @param {Partial<import('../../src/guard.js').Options>} [options] */
  guard(options) {
    return guard({ issuer: this.issuer, audience: AUDIENCE, key: ours.privateKey.export({ format: 'jwk' }), ...options });
  }

  /**
   * @param {object} [claims]
   * @param {object} [header]
   * @param {import('node:crypto').KeyObject} [key]
   * @returns {string} a call token for a transfer
   */
  token(claims = {}, header = {}, key = theirs.privateKey) {
    const now = Math.floor(Date.now() / 1000);
    const whole = { iss: this.issuer, aud: AUDIENCE, sub: 'usr_1', iat: now, exp: now + 30, txn: `cal_${randomUUID()}`, scope: 'pay',
      tctx: context(ARGS), rctx: { client_id: 'agent', grant_id: 'gra_1' }, jti: randomUUID(), ...claims };
    const signed = [{ typ: 'txntoken+jwt', alg: 'ES256', kid: 'k1', ...header }, whole].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    return `${signed}.${sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
  }
}

/**
 * @param {unknown} args
 * @param {string} [tool]
 */
export const context = (args, tool = 'transfer') => ({ tool, args_s256: createHash('sha256').update(canonicalize(args)).digest('base64url'), approval: null, entry: 1 });

export function deferred() {
  /** @type {(value?: unknown) => void} */
  let resolve = () => {};
  const promise = new Promise((settle) => void (resolve = settle));
  return { promise, resolve };
}
