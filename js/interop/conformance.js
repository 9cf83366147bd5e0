/**
 * The site of `tests/vectors/guard.json` under `node:http`, behind the guard of this package. It says where it is.
 * `node interop/conformance.js OPTIONS`, what `guard()` takes.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { guard } from '../src/guard.js';

/** @import { IncomingMessage, ServerResponse } from 'node:http' */
/** @import { GuardedCall } from '../src/guard.js' */

const guarded = guard(JSON.parse(process.argv[2] ?? ''));
/** @type {Array<{tool: string, arguments: unknown}>} */
const ran = [];

/**
 * @param {ServerResponse} response
 * @param {unknown} answer
 */
const json = (response, answer) => void response.setHeader('Content-Type', 'application/json').end(JSON.stringify(answer));

/**
 * @param {IncomingMessage} _
 * @param {ServerResponse} response
 * @param {GuardedCall} call
 */
function run(_, response, call) {
  ran.push({ tool: call.tool, arguments: call.arguments });
  const { how = '200' } = call.arguments;
  if (how === 'raise') throw new Error('a mistake of the site');
  if (how === 'stream' || how === 'broken') {
    response.write('one');
    if (how === 'broken') throw new Error('a mistake of the site');
    response.end('two');
    return;
  }
  response.statusCode = Number(how);
  json(response, call.arguments);
}

const PAYMENT = /^\/api\/accounts\/[^/]+\/payments$/;
const payment = guarded.node('pay_account', run);
const ACCOUNT = /^\/api\/accounts\/[^/]+$/;
const closing = guarded.node('close_account', run);
/** @type {Record<string, (request: IncomingMessage, response: ServerResponse) => unknown>} */
const routes = {
  'POST /api/transfers': guarded.node('transfer_money', run),
  'POST /api/cards': guarded.node('open_card', run),
  'GET /api/transactions': guarded.node('list_transactions', run),
  'POST /api/answers': guarded.node('answer', run),
  'GET /api/transfers': (_, response) => json(response, []),
  'GET /ran': (_, response) => json(response, ran),
};

const server = createServer((request, response) => {
  const { method, url = '' } = request;
  const path = url.split('?')[0] ?? '';
  const named = method === 'POST' && PAYMENT.test(path) ? payment : method === 'DELETE' && ACCOUNT.test(path) ? closing : undefined;
  const route = routes[`${method} ${path}`] ?? named;
  if (route) void route(request, response);
  else response.writeHead(404).end();
});
await once(server.listen(0, '127.0.0.1'), 'listening');
const address = server.address();
process.stdout.write(`${JSON.stringify({ port: typeof address === 'object' && address?.port })}\n`);
