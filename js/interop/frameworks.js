/**
 * The site of `tests/vectors/guard.json` as `conformance.js` has it, under the router and in the server of one framework. It says where
 * it is. `node interop/frameworks.js FRAMEWORK OPTIONS`, what `guard()` takes.
 */
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { serve } from '@hono/node-server';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import { guard } from '../src/guard.js';

/** @import { Server } from 'node:net' */
/** @import { GuardedCall } from '../src/guard.js' */

const [, , framework = '', options = ''] = process.argv;
const guarded = guard(JSON.parse(options));
/** @type {{endpoints: Record<string, string>}} */
const { endpoints } = JSON.parse(options);
/** @type {Array<{tool: string, arguments: unknown}>} */
const ran = [];

/**
 * What every handler does.
 *
 * @param {GuardedCall} call
 * @returns {{status: number, text: string} | PassThrough}
 */
function run({ tool, arguments: given }) {
  ran.push({ tool, arguments: given });
  const { how = '200' } = given;
  if (how === 'raise') throw new Error('a mistake of the site');
  if (how !== 'stream' && how !== 'broken') return { status: Number(how), text: JSON.stringify(given) };
  const parts = new PassThrough();
  parts.write('one');
  setImmediate(() => (how === 'stream' ? parts.end('two') : parts.destroy(new Error('a mistake of the site'))));
  return parts;
}

/** @type {(call: GuardedCall, response: import('node:http').ServerResponse) => void} */
function answer(call, response) {
  const made = run(call);
  if (made instanceof PassThrough) made.on('error', () => response.destroy()).pipe(response);
  else response.writeHead(made.status, { 'Content-Type': 'application/json' }).end(made.text);
}

/**
 * One route for each endpoint, for whichever of its tools.
 *
 * @param {string} parameter how the router has a parameter, `$1`
 */
const routes = (parameter) => [...new Map(Object.entries(endpoints).map(([tool, endpoint]) => [endpoint, tool]))].map(([endpoint, tool]) => {
  const [method = '', path = ''] = endpoint.replace(/\{\?.*/, '').replace(/\{(\w+)\}/g, parameter).split(' ');
  return { tool, method, path };
});

/** @type {Record<string, () => Server | Promise<Server>>} */
const SERVERS = {
  express() {
    const app = express();
    for (const { tool, method, path } of routes(':$1')) {
      app.route(path)[/** @type {'get' | 'post' | 'delete'} */ (method.toLowerCase())](guarded.express(tool), (/** @type {any} any: what the guard adds */ request, response) => answer(request.deputize, response));
    }
    app.get(['/ran', '/api/transfers'], (_, response) => void response.json(ran));
    return app.listen(0, '127.0.0.1');
  },
  async fastify() {
    const app = fastify();
    for (const { tool, method, path } of routes(':$1')) {
      app.route({ method, url: path, ...guarded.fastify(tool, (_, reply, call) => {
        const made = run(call);
        return made instanceof PassThrough ? reply.send(made) : reply.code(made.status).type('application/json').send(made.text);
      }) });
    }
    for (const path of ['/ran', '/api/transfers']) app.get(path, async () => ran);
    await app.listen({ port: 0, host: '127.0.0.1' });
    return app.server;
  },
  async hono() {
    const app = new Hono();
    for (const { tool, method, path } of routes(':$1')) {
      app.on(method, path, guarded.fetch(tool, (_, call) => {
        const made = run(call);
        return made instanceof PassThrough ? new Response(/** @type {any} any: Node’s own */ (Readable.toWeb(made))) : new Response(made.text, { status: made.status });
      }));
    }
    for (const path of ['/ran', '/api/transfers']) app.get(path, (context) => context.json(ran));
    return await new Promise((resolve) => {
      const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () => resolve(/** @type {Server} */ (server)));
    });
  },
};

const server = /** @type {Server} */ (await SERVERS[framework]?.());
if (!server.listening) await once(server, 'listening');
const address = server.address();
process.stdout.write(`${JSON.stringify({ port: typeof address === 'object' && address?.port })}\n`);
