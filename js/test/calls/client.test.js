/** The client object, and where the call token goes (SHIM-4, SHIM-5). */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';

import { client as current, makeClient, run } from '../../src/calls/client.js';

/** @type {Array<{at: string, token: unknown, body: string, method: string | undefined}>} */
const seen = [];
/** @param {string} at */
const server = (at) =>
  createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    seen.push({ at, token: request.headers['txn-token'], body, method: request.method });
    if (request.url === '/redirect') response.writeHead(307, { location: `${origins.other}/stolen` });
    response.end('ok');
  });
const servers = { api: server('api'), other: server('other') };
const origins = { api: '', other: '' };

before(async () => {
  for (const name of /** @type {const} */ (['api', 'other'])) {
    await new Promise((resolve) => servers[name].listen(0, '127.0.0.1', () => resolve(null)));
    const address = servers[name].address();
    origins[name] = `http://127.0.0.1:${typeof address === 'object' && address?.port}`;
  }
});
after(() => {
  for (const one of Object.values(servers)) one.closeAllConnections(), one.close();
});

const make = () =>
  makeClient({
    signal: new AbortController().signal,
    agent: { clientId: 'agt_1', assurance: 'opaque' },
    scopes: ['account:read'],
    callId: 'cal_1',
    token: 'call.token',
    apiOrigins: new Set([origins.api]),
  });

test('SHIM-4: it is frozen, and says who calls', () => {
  const client = make();
  assert.ok(Object.isFrozen(client) && Object.isFrozen(client.agent) && Object.isFrozen(client.scopes));
  assert.deepEqual([client.agent, client.scopes, client.correlationId], [{ clientId: 'agt_1', assurance: 'opaque' }, ['account:read'], 'cal_1']);
  assert.deepEqual(Object.keys(client), ['signal', 'agent', 'scopes', 'correlationId', 'fetch', 'requestUserInteraction']);
});

test('SHIM-5: the call token goes to the API, whatever form the request has', async () => {
  const { fetch } = make();
  const init = { method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } };
  await fetch(`${origins.api}/a`, init);
  await fetch(new URL(`${origins.api}/b`), init);
  await fetch(new Request(`${origins.api}/c`, init));
  await fetch(new Request(`${origins.other}/c`), init).then((response) => assert.equal(response.status, 200));
  assert.deepEqual(seen.splice(0).map(({ at, token, body }) => [at, token, body]), [
    ['api', 'call.token', '{"a":1}'],
    ['api', 'call.token', '{"a":1}'],
    ['api', 'call.token', '{"a":1}'],
    ['other', undefined, '{"a":1}'],
  ]);
});

test('SHIM-5: an address that changes while it is read is read once', async () => {
  const { fetch } = make();
  let reads = 0;
  const shifty = { toString: () => (reads++ === 0 ? `${origins.other}/x` : `${origins.api}/x`) };
  await fetch(/** @type {any} any: what a page may pass all the same */ (shifty));
  assert.equal(reads, 1);
  assert.deepEqual(seen.splice(0).map(({ at, token }) => [at, token]), [['other', undefined]]);
});

test('SHIM-5: a redirect of the API is an error, so the token goes nowhere else', async () => {
  await assert.rejects(make().fetch(`${origins.api}/redirect`, { method: 'POST', redirect: 'follow' }));
  assert.deepEqual(seen.splice(0).map(({ at }) => at), ['api']);
});

test('without a call it is plain fetch', async () => {
  const client = makeClient({ signal: new AbortController().signal });
  await client.fetch(`${origins.api}/plain`);
  assert.deepEqual(seen.splice(0).map(({ token }) => token), [undefined]);
  assert.deepEqual([client.agent, client.scopes, client.correlationId], [null, [], null]);
  assert.equal(await client.requestUserInteraction(async () => 5), 5);
});

test('SHIM-4: whose callback got no second argument asks for it, while it has not yet waited for anything', async () => {
  const [outer, inner] = [make(), make()];
  /** @type {unknown[]} */
  const seen = [];
  const nested = () => void seen.push(current());
  const callback = async () => {
    seen.push(current());
    run(nested, {}, inner);
    assert.throws(() => run(() => { throw new Error('mine'); }, {}, inner), /mine/);
    seen.push(current());
    await null;
    seen.push(current());
  };
  assert.equal(current(), null);
  const running = run(callback, {}, outer);
  assert.equal(current(), null);
  await running;
  assert.deepEqual(seen.map((each) => [outer, inner, null].indexOf(/** @type {any} any: one of them */ (each))), [0, 1, 0, 2]);
});
