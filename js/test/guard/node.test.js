/** The guard under `node:http`, `node:http2` and Express: what becomes of an answer, and what clients do to a connection (GUARD-5). */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as sent } from 'node:http';
import { connect, createServer as createHttp2Server } from 'node:http2';
import { connect as dial } from 'node:net';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import express from 'express';

import { ARGS, Authority, context, deferred, listening } from './authority.js';

const authority = new Authority();
/** @type {ReturnType<Authority['guard']>} */
let guarded;
/** @type {Array<import('node:net').Server & {closeAllConnections?(): void}>} */
let servers = [];
before(async () => {
  await authority.open();
  guarded = authority.guard();
});
after(() => authority.close());
beforeEach(() => authority.forget());
afterEach(() => {
  for (const server of servers) {
    server.closeAllConnections?.();
    server.close();
  }
  servers = [];
});

/** @param {import('node:net').Server} server */
async function at(server) {
  servers.push(server);
  return await listening(server);
}
const BODY = JSON.stringify(ARGS);
const headersOf = (token = authority.token()) => ({ 'content-type': 'application/json', 'txn-token': token });
/** @param {string} url */
const post = async (url) => await fetch(url, { method: 'POST', body: BODY, headers: headersOf() });
const never = () => assert.fail('it ran');
/** What comes after the call that is told of. */
const told = () => {
  const { promise, resolve } = deferred();
  authority.before = ({ path }) => void (path.endsWith('/outcome') && resolve());
  return promise;
};

test('an answer that is ended twice is whole, and told of once', async () => {
  const url = await at(createServer(guarded.node('transfer', (_, response) => (response.end('whole'), response.end()))));
  assert.equal(await (await post(url)).text(), 'whole');
  assert.deepEqual(authority.outcomes, ['succeeded']);
});

describe('a client that goes away', () => {
  /** @param {string} url */
  const going = (url) => {
    const request = sent(url, { method: 'POST', headers: headersOf() });
    request.on('error', () => {});
    request.end(BODY);
    return request;
  };

  test('while the handler works is told of as unknown, whatever that answers', async () => {
    const [entered, left] = [deferred(), deferred()];
    const telling = told();
    const url = await at(createServer(guarded.node('transfer', async (_, response) => (entered.resolve(), await left.promise, void response.end('late')))));
    const request = going(url);
    await entered.promise;
    request.destroy();
    await telling;
    left.resolve();
    assert.deepEqual(authority.outcomes, ['unknown']);
  });

  test('while its call is redeemed runs nothing', async () => {
    const telling = deferred();
    const app = express();
    app.post('/', (request, _, next) => (request.socket.once('close', () => gone.resolve()), next()), guarded.express('transfer'), never);
    const gone = deferred();
    const url = await at(createServer(app));
    /** @type {import('node:http').ClientRequest} */
    let request;
    authority.before = async ({ path }) => {
      if (path.endsWith('/outcome')) return telling.resolve();
      request.destroy();
      await gone.promise;
    };
    request = going(url);
    await telling.promise;
    assert.deepEqual(authority.outcomes, ['unknown']);
  });

  test('while its second request waits behind its first is told of as unknown, since nobody gets that answer', async () => {
    const [entered, closed] = [deferred(), deferred()];
    const telling = told();
    const plain = guarded.node('transfer', async (request, response) => {
      request.socket.once('close', closed.resolve);
      entered.resolve();
      await closed.promise;
      response.end('late');
    });
    const url = await at(createServer((request, response) => (request.url === '/first' ? undefined : void plain(request, response))));
    const socket = dial(Number(new URL(url).port), '127.0.0.1');
    const head = Object.entries(headersOf()).map(([name, value]) => `${name}: ${value}\r\n`).join('');
    socket.write(`GET /first HTTP/1.1\r\nHost: a\r\n\r\nPOST /second HTTP/1.1\r\nHost: a\r\n${head}Content-Length: ${BODY.length}\r\n\r\n${BODY}`);
    await entered.promise;
    socket.destroy();
    await telling;
    assert.deepEqual(authority.outcomes, ['unknown']);
  });

  test('before its body is there has redeemed nothing', async () => {
    const [entered, closed] = [deferred(), deferred()];
    const plain = guarded.node('transfer', never);
    const url = await at(
      createServer(async (request, response) => {
        entered.resolve();
        await plain(request, response);
        closed.resolve();
      }),
    );
    const request = sent(url, { method: 'POST', headers: { ...headersOf(), 'content-length': BODY.length } });
    request.on('error', () => {});
    request.write(BODY.slice(1));
    await entered.promise;
    request.destroy();
    await closed.promise;
    assert.deepEqual(authority.asked, []);
  });
});

test('GUARD-5: a call that was answered by somebody else while it was redeemed does not run', async () => {
  const telling = deferred();
  /** @type {import('express').Response} */
  let waiting;
  authority.before = ({ path }) => (path.endsWith('/outcome') ? telling.resolve() : waiting.status(503).end(Buffer.alloc(2 ** 25))); // it takes a while
  const app = express();
  let ran = false;
  app.post('/', (_, response, next) => ((waiting = response), next()), guarded.express('transfer'), () => void (ran = true));
  const answer = await post(await at(createServer(app)));
  await telling.promise;
  assert.deepEqual([answer.status, ran], [503, false]);
  await answer.body?.cancel();
  assert.deepEqual(authority.outcomes, ['unknown']);
});

test('GUARD-5: what Express answers in place of a handler that throws, or of a stream that breaks, is what is told', async (t) => {
  t.mock.method(console, 'error', () => {}); // Express's own
  const app = express();
  app.post('/throws', guarded.express('transfer'), () => { throw new TypeError('no'); });
  app.post('/refuses', guarded.express('transfer'), () => { throw Object.assign(new Error('no'), { status: 409 }); });
  app.post('/breaks', guarded.express('transfer'), (_, response) => { response.write('a'); throw new TypeError('no'); });
  app.post('/moves', guarded.express('transfer'), (_, response) => response.redirect(303, '/'));
  const url = await at(createServer(app));
  const telling = async (/** @type {string} */ path) => {
    const done = told();
    await fetch(url + path, { method: 'POST', body: BODY, headers: headersOf(), redirect: 'manual' }).catch(() => {}); // one is broken off
    await done;
    return authority.outcomes.at(-1);
  };
  assert.deepEqual([await telling('/throws'), await telling('/refuses'), await telling('/breaks'), await telling('/moves')], ['unknown', 'failed', 'unknown', 'succeeded']);
});

test('ENDPOINT-1: the path of an app that is mounted is the whole one', async () => {
  const app = express();
  const options = { endpoints: { transfer: 'DELETE /api/cards/{card}' }, schemas: { transfer: { properties: { card: { type: 'integer' } } } } };
  app.use('/api/cards', authority.guard(options).express('transfer'), (_, response) => void response.send(response.req.body));
  const url = await at(createServer(app));
  const headers = headersOf(authority.token({ tctx: context({ card: 7 }) }));
  assert.deepEqual(await (await fetch(`${url}/api/cards/7`, { method: 'DELETE', headers })).json(), { card: 7 });
});

test('over HTTP/2 the same runs, two call tokens are not one, and whose stream is gone has nothing run', async (t) => {
  const warned = t.mock.method(process, 'emitWarning');
  let ran = 0;
  const listener = guarded.node('transfer', (_, response, call) => {
    ran += 1;
    response.end(JSON.stringify(call.arguments));
  });
  const url = await at(createHttp2Server(/** @type {any} any: it is nearly node:http’s */ (listener)));
  const client = connect(url);
  /** @param {Record<string, any>} headers */
  const over = async (headers, body = BODY) => {
    const stream = client.request({ ':method': 'POST', ':path': '/x', ...headers });
    stream.end(body);
    const [answer] = await once(stream, 'response');
    let text = '';
    for await (const part of stream) text += part;
    return [answer[':status'], JSON.parse(text)];
  };
  assert.deepEqual(await over(headersOf()), [200, ARGS]);
  const token = authority.token();
  const [status, { code }] = await over({ ...headersOf(), 'txn-token': [token, token] });
  assert.deepEqual([status, code], [401, 'invalid_call_token']);
  assert.equal((await over(headersOf(), ' '.repeat(70_000)))[1].code, 'payload_too_large');
  assert.equal(warned.mock.callCount(), 0);

  const telling = deferred();
  const gone = deferred();
  authority.before = async ({ path }) => {
    if (path.endsWith('/outcome')) return telling.resolve();
    stream.close(8); // CANCEL; the connection stays
    await gone.promise;
  };
  servers[0]?.once('stream', (each) => each.once('close', gone.resolve));
  const stream = client.request({ ':method': 'POST', ':path': '/x', ...headersOf() });
  stream.on('error', () => {});
  stream.end(BODY);
  await telling.promise;
  client.close();
  assert.deepEqual([ran, authority.outcomes], [1, ['succeeded', 'unknown']]);
});
