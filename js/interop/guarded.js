/**
 * A site's API on Node behind its guard, for an authority elsewhere: under each framework in its own server, with the same addresses. It
 * says where they are, and after that a line of JSON for each call that ran. `node interop/guarded.js OPTIONS`, what `guard()` takes,
 * and `now`.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { serve } from '@hono/node-server';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { guard } from '../src/guard.js';

/** @import { GuardedCall } from '../src/guard.js' */

const { now, ...options } = JSON.parse(process.argv[2] ?? '');
const guarded = guard({ ...options, now: () => now });
const TOOL = 'transfer_money';
const SENT = { sent: true };
/** @param {unknown} fact */
const say = (fact) => process.stdout.write(`${JSON.stringify(fact)}\n`);
/** @param {GuardedCall} call @param {unknown} body what a handler finds where bodies are */
const ran = ({ callId, externalId, arguments: args }, body) => say({ callId, externalId, args, body });
/** @param {string | undefined} name @param {string} body */
const named = (name, body) => ({ name, amount: JSON.parse(body).amount });
/** @param {import('node:net').Server} server */
const port = (server) => /** @type {import('node:net').AddressInfo} */ (server.address()).port;

const plain = createServer();
/** @type {Record<string, ReturnType<typeof guarded.node>>} `node:http` has no router, so this is one that knows no parameters */
const listeners = {
  '/transfers': guarded.node(TOOL, (_, response, call) => {
    ran(call, call.arguments);
    response.end(JSON.stringify(SENT));
  }),
  '/named/Ada': guarded.node(TOOL, (_, response) => void response.end(JSON.stringify(SENT)), (request) => named('Ada', String(request.body))),
};
plain.on('request', (request, response) => void listeners[request.url ?? '']?.(request, response));
await once(plain.listen(0, '127.0.0.1'), 'listening');

const app = express();
app.post('/transfers', guarded.express(TOOL), (request, response) => {
  ran(/** @type {any} any: what the guard adds */ (request).deputize, request.body);
  response.json(SENT);
});
app.post('/named/:name', guarded.express(TOOL, ({ params, body }) => named(params?.name, String(body))), (_, response) => void response.json(SENT));
app.post('/bare/:name', guarded.express(TOOL), (_, response) => void response.json(SENT));
app.post('/read', express.json(), guarded.express(TOOL), (_, response) => void response.json(SENT));
app.use((/** @type {Error} */ error, /** @type {any} */ _, /** @type {any} */ response, /** @type {unknown} */ next) => {
  if (next) response.status(500).json({ message: error.message });
});
const expressed = app.listen(0, '127.0.0.1');
await once(expressed, 'listening');

const hono = new Hono();
hono.post('/transfers', guarded.fetch(TOOL, async (request, call) => (ran(call, await request.json()), Response.json(SENT))));
hono.post('/named/:name', guarded.fetch(TOOL, (_, __, context) => context.json(SENT), async (request, context) => named(context.req.param('name'), await request.text())));
hono.post('/bare/:name', guarded.fetch(TOOL, () => Response.json(SENT)));
hono.post('/read', async (context, next) => void (await context.req.json(), await next()), guarded.fetch(TOOL, () => Response.json(SENT)));
hono.onError((error, context) => context.json({ message: error.message }, 500));
const honoed = await new Promise((/** @type {(server: any) => void} any: of HTTP/1 or 2 */ resolve) => {
  const server = serve({ fetch: hono.fetch, port: 0, hostname: '127.0.0.1' }, () => resolve(server));
});

const fast = fastify();
fast.post('/transfers', guarded.fastify(TOOL, async (request, _, call) => (ran(call, request.body), SENT)));
fast.post('/named/:name', guarded.fastify(TOOL, async () => SENT, ({ params, body }) => named(params.name, String(body))));
fast.post('/bare/:name', guarded.fastify(TOOL, async () => SENT));
await fast.register(async (inner) => {
  inner.addHook('preParsing', async (_request, _reply, payload) => void (await payload.toArray()));
  inner.post('/read', guarded.fastify(TOOL, async () => SENT));
});
await fast.listen({ port: 0, host: '127.0.0.1' });

say({ node: port(plain), express: port(expressed), hono: port(honoed), fastify: port(fast.server) });
