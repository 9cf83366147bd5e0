/**
 * The site of `tests/vectors/guard.json` under `node:http`, behind the guard of this package. It says where it is.
 * `node interop/conformance.js OPTIONS`, what `guard()` takes.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Refused, guard } from '../src/guard.js';

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

/** @param {string} tool */
const runs = (tool) => (/** @type {IncomingMessage} */ _, /** @type {ServerResponse} */ response, /** @type {GuardedCall} */ call) => {
  ran.push({ tool, arguments: call.arguments });
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
};

const PAYMENT = /^\/api\/accounts\/([^/?]+)\/payments\?notify=(true|false)$/;
const payment = guarded.node('pay_account', runs('pay_account'), ({ url, body }) => {
  const [, account = '', notify] = PAYMENT.exec(url ?? '') ?? [];
  if (/[/\\%?#;]/.test(decodeURIComponent(account))) throw new Refused('invalid_arguments', 'No account has such a number.'); // ENDPOINT-2
  return { ...JSON.parse(String(body)), account: decodeURIComponent(account), notify: notify === 'true' };
});
/** @type {Record<string, (request: IncomingMessage, response: ServerResponse) => unknown>} */
const routes = {
  'POST /api/transfers': guarded.node('transfer_money', runs('transfer_money')),
  'GET /api/transactions': guarded.node('list_transactions', runs('list_transactions')),
  'POST /api/answers': guarded.node('answer', runs('answer')),
  'GET /api/transfers': (_, response) => json(response, []),
  'GET /ran': (_, response) => json(response, ran),
};

const server = createServer((request, response) => {
  const { method, url = '' } = request;
  const route = routes[`${method} ${url.split('?')[0]}`] ?? (method === 'POST' && PAYMENT.test(url) ? payment : undefined);
  if (route) void route(request, response);
  else response.writeHead(404).end();
});
await once(server.listen(0, '127.0.0.1'), 'listening');
const address = server.address();
process.stdout.write(`${JSON.stringify({ port: typeof address === 'object' && address?.port })}\n`);
