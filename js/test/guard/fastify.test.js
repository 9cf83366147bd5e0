/** The guard under Fastify: what its hooks, parsers, schemas and streams do around it (GUARD-1, GUARD-5, GUARD-7). */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request as sent } from 'node:http';
import { connect } from 'node:http2';
import { Readable } from 'node:stream';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as later } from 'node:timers/promises';
import fastify from 'fastify';

import { ARGS, Authority, context, deferred } from './authority.js';

const authority = new Authority();
/** @type {ReturnType<Authority['guard']>} */
let guarded;
/** @type {Array<import('fastify').FastifyInstance>} */
let apps = [];
before(async () => {
  await authority.open();
  guarded = authority.guard({ schemas: { search: { properties: { limit: { type: 'integer' } } } } });
});
after(() => authority.close());
beforeEach(() => authority.forget());
afterEach(async () => {
  await Promise.all(apps.map(async (app) => await app.close()));
  apps = [];
});

/** @param {object} [options] */
function server(options) {
  const app = fastify({ forceCloseConnections: true, ...options });
  apps.push(app);
  return app;
}
const never = () => assert.fail('it ran');
/** @param {string | null} [token] @param {Record<string, string>} [headers] */
const headersOf = (token = authority.token(), headers = {}) => ({ 'content-type': 'application/json', ...(token !== null && { 'txn-token': token }), ...headers });
/** @param {import('fastify').FastifyInstance} app @param {{token?: string | null, body?: string, url?: string, headers?: Record<string, string>}} [init] */
async function post(app, { token, body = JSON.stringify(ARGS), url = '/x', headers } = {}) {
  if (!app.server.listening) await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = /** @type {import('node:net').AddressInfo} */ (app.server.address());
  return await fetch(`http://127.0.0.1:${port}${url}`, { method: 'POST', body, headers: headersOf(token, headers) });
}
/** @param {Response} response */
const codeOf = async (response) => [response.status, (await response.json()).code];

describe('what the handler gets', () => {
  test('is what was verified, whatever a schema makes of the body, and its `this` is the server', async () => {
    const app = server();
    const schema = { body: { type: 'object', properties: { amount: { type: 'string' }, currency: { type: 'string', default: 'EUR' } } } };
    app.post('/x', {
      schema,
      ...guarded.fastify('transfer', /** @this {any} */ async function (request, _, { arguments: args, externalId }) {
        return { same: request.body === args, args, externalId, server: this === app };
      }),
    });
    assert.deepEqual(await (await post(app)).json(), { same: true, args: ARGS, externalId: 'ada', server: true });
    assert.deepEqual(authority.outcomes, ['succeeded']);
  });

  test('is, of what a plugin’s hook has made of the body, what arrives after it', async () => {
    const app = server();
    app.addHook('preParsing', async (_request, _reply, payload) => {
      let text = '';
      for await (const part of payload) text += part;
      const body = Buffer.from(text.replace('25', '250'));
      return Object.assign(Readable.from([body]), { receivedEncodedLength: text.length });
    });
    await app.register(async (inner) => void inner.post('/x', guarded.fastify('transfer', async (_, __, call) => call.arguments)), { prefix: '/inner' });
    assert.deepEqual(await (await post(app, { url: '/inner/x', body: '{"amount":25,"name":"Ada"}' })).json(), ARGS);
  });

  test('is a GET’s query, and of a HEAD as well', async () => {
    const app = server();
    app.get('/x', guarded.fastify('search', async (_, __, call) => call.arguments));
    for (const method of /** @type {const} */ (['GET', 'HEAD'])) {
      const answer = await app.inject({ method, url: '/x?limit=5', headers: headersOf(authority.token({ tctx: context({ limit: 5 }, 'search') })) });
      assert.deepEqual([answer.statusCode, answer.body], [200, method === 'GET' ? '{"limit":5}' : '']);
    }
    assert.deepEqual(authority.outcomes, ['succeeded', 'succeeded']);
  });

  test('is named by the developer where the path has parameters, and else nothing runs', async () => {
    const app = server({ routerOptions: { ignoreTrailingSlash: true } });
    app.post('/named/:name', guarded.fastify('transfer', async (_, __, call) => call.arguments, ({ body, params }) => ({ ...JSON.parse(body), ...params })));
    app.post('/bare/:name', guarded.fastify('transfer', never));
    assert.deepEqual(await (await post(app, { url: '/named/Ada/', body: '{"amount":250}' })).json(), ARGS);
    assert.deepEqual(await codeOf(await post(app, { url: '/named/Bob', body: '{"amount":250}' })), [403, 'argument_hash_mismatch']);
    authority.forget();
    const bare = await post(app, { url: '/bare/Ada' });
    assert.deepEqual([bare.status, /`args`/.test((await bare.json()).message), authority.asked], [500, true, []]);
  });
});

describe('what is refused', () => {
  const cases = /** @type {Array<[string, () => NonNullable<Parameters<typeof post>[1]>, number, string]>} */ ([
    ['no call token, whatever the body', () => ({ token: null, body: '{' }), 401, 'missing_call_token'],
    ['a name twice', () => ({ body: '{"amount":1,"amount":250,"name":"Ada"}' }), 400, 'invalid_request'],
    ['a type of no parser', () => ({ headers: { 'content-type': 'text/csv' } }), 415, 'unsupported_media_type'],
    ['a body beyond 64 KiB', () => ({ body: ' '.repeat(64 * 1024) + JSON.stringify(ARGS) }), 413, 'payload_too_large'],
    ['other arguments', () => ({ body: '{"amount":251,"name":"Ada"}' }), 403, 'argument_hash_mismatch'],
  ]);
  for (const [what, made, status, code] of cases) {
    test(`with ${what} nothing is redeemed, and nothing runs`, async () => {
      const app = server();
      app.post('/x', guarded.fastify('transfer', never));
      const answer = await post(app, made());
      assert.equal(answer.headers.get('content-type'), 'application/problem+json');
      assert.deepEqual([await codeOf(answer), authority.asked], [[status, code], []]);
    });
  }

  test('what a schema or a hook refuses is not redeemed, and may be sent again', async () => {
    const app = server();
    const schema = { body: { type: 'object', required: ['iban'] } };
    app.post('/x', { schema, ...guarded.fastify('transfer', never) });
    app.post('/y', { preHandler: async (_, reply) => await reply.code(403).send({}), ...guarded.fastify('transfer', never) });
    assert.deepEqual([(await post(app)).status, (await post(app, { url: '/y' })).status, authority.asked], [400, 403, []]);
  });

  test('a prototype that was approved is Fastify’s to refuse, and pollutes nothing', async () => {
    const app = server();
    app.post('/x', guarded.fastify('transfer', never));
    const args = JSON.parse('{"amount":250,"__proto__":{"admin":true}}');
    assert.equal((await post(app, { token: authority.token({ tctx: context(args) }), body: JSON.stringify(args) })).status, 400);
    assert.deepEqual([authority.asked, Object.hasOwn(Object.prototype, 'admin')], [[], false]);
  });

  test('GUARD-7: where the guard’s hook was replaced, its handler runs nothing and says so', async () => {
    const app = server();
    app.post('/x', { ...guarded.fastify('transfer', never), preParsing: async (_request, _reply, payload) => payload });
    const answer = await post(app);
    assert.deepEqual([answer.status, /has not seen this request/.test((await answer.json()).message), authority.asked], [500, true, []]);
  });

  test('behind what reads the body it says so', async () => {
    const app = server();
    app.addHook('preParsing', async (_request, _reply, payload) => void (await payload.toArray()));
    app.post('/x', guarded.fastify('transfer', never));
    const answer = await post(app);
    assert.deepEqual([answer.status, /Put the guard in front of/.test((await answer.json()).message)], [500, true]);
  });

  test('a second with the same token, and GUARD-6: all, while the authority cannot be reached', async (t) => {
    t.mock.method(console, 'error', () => {});
    const app = server();
    app.post('/x', guarded.fastify('transfer', async () => ({})));
    app.post('/nowhere', authority.guard({ issuer: 'http://localhost:1' }).fastify('transfer', never));
    const token = authority.token();
    const answers = await Promise.all(Array.from({ length: 5 }, async () => (await post(app, { token })).status));
    assert.deepEqual(answers.sort(), [200, 409, 409, 409, 409]);
    assert.deepEqual(await codeOf(await post(app, { url: '/nowhere' })), [503, 'authority_unavailable']);
  });
});

describe('GUARD-5: what is told of an answer', () => {
  const ways = /** @type {Array<[string, import('../../src/guard/fastify.js').FastifyHandler, number, string]>} */ ([
    ['a value', async () => ({}), 200, 'succeeded'],
    ['reply.send() later', (_, reply) => void setImmediate(() => reply.code(404).send({})), 404, 'failed'],
    ['a redirection', (_, reply) => reply.redirect('/y', 303), 303, 'succeeded'],
    ['an error with a status', async () => { throw Object.assign(new Error('no'), { statusCode: 409 }); }, 409, 'failed'],
    ['an error', async () => { throw new Error('no'); }, 500, 'unknown'],
    ['a stream', (_, reply) => reply.send(Readable.from(['a', 'b'])), 200, 'succeeded'],
    ['a web stream', (_, reply) => reply.send(new Response('text').body), 200, 'succeeded'],
    ['reply.hijack()', (_, reply) => (reply.hijack(), reply.raw.writeHead(201).end()), 201, 'succeeded'],
  ]);
  for (const [what, handler, status, outcome] of ways) {
    test(`by ${what}: ${outcome}`, async () => {
      const app = server();
      app.post('/x', guarded.fastify('transfer', handler));
      await app.listen({ port: 0, host: '127.0.0.1' });
      const { port } = /** @type {import('node:net').AddressInfo} */ (app.server.address());
      const answer = await fetch(`http://127.0.0.1:${port}/x`, { method: 'POST', redirect: 'manual', body: JSON.stringify(ARGS), headers: headersOf() });
      await answer.text();
      assert.deepEqual([answer.status, authority.outcomes], [status, [outcome]]);
    });
  }

  test('a stream that breaks, and a client that goes away while the handler works, are unknown', async () => {
    const app = server();
    const [entered, told, again] = [deferred(), deferred(), deferred()];
    app.post('/x', guarded.fastify('transfer', (_, reply) => reply.send(Readable.from((async function* () { yield 'a'; await later(1); throw new Error('broken'); })()))));
    app.post('/slow', guarded.fastify('transfer', async () => (entered.resolve(), await told.promise, {})));
    authority.before = ({ path }) => path.endsWith('/outcome') && (authority.outcomes.length > 1 ? told.resolve() : again.resolve());
    await assert.rejects((await post(app)).text());
    await again.promise;
    const { port } = /** @type {import('node:net').AddressInfo} */ (app.server.address());
    const going = sent({ port, host: '127.0.0.1', method: 'POST', path: '/slow', headers: headersOf() });
    going.on('error', () => {});
    going.end(JSON.stringify(ARGS));
    await entered.promise;
    going.destroy();
    await told.promise;
    assert.deepEqual(authority.outcomes, ['unknown', 'unknown']);
  });

  test('over HTTP/2, and where requests are injected', async () => {
    const app = server({ http2: true });
    app.post('/x', guarded.fastify('transfer', async (_, __, call) => call.arguments));
    const injected = server();
    injected.post('/x', guarded.fastify('transfer', async (_, __, call) => call.arguments));
    assert.deepEqual((await injected.inject({ method: 'POST', url: '/x', payload: JSON.stringify(ARGS), headers: headersOf() })).json(), ARGS);
    await app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = /** @type {import('node:net').AddressInfo} */ (app.server.address());
    const client = connect(`http://127.0.0.1:${port}`);
    /** @param {Record<string, any>} headers */
    const over = async (headers) => {
      const stream = client.request({ ':method': 'POST', ':path': '/x', ...headers });
      stream.end(JSON.stringify(ARGS));
      const [answer] = await once(stream, 'response');
      let text = '';
      for await (const part of stream) text += part;
      return [answer[':status'], JSON.parse(text)];
    };
    assert.deepEqual(await over(headersOf()), [200, ARGS]);
    const token = authority.token();
    const [status, { code }] = await over({ ...headersOf(), 'txn-token': [token, token] });
    assert.deepEqual([status, code, authority.outcomes], [401, 'invalid_call_token', ['succeeded', 'succeeded']]);
    client.close();
  });
});
