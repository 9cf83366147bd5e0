/**
 * A site's API on Node behind its guard, under Express and under `node:http`, for an authority elsewhere. It says where it is, and after
 * that a line of JSON for each call that ran. `node interop/guarded.js OPTIONS`, what `guard()` takes, and `now`.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import express from 'express';
import { guard } from '../src/guard.js';

const { now, ...options } = JSON.parse(process.argv[2] ?? '');
const guarded = guard({ ...options, now: () => now });
/** @param {unknown} fact */
const say = (fact) => process.stdout.write(`${JSON.stringify(fact)}\n`);

const app = express();
app.post('/express', guarded.express('transfer_money'), (request, response) => {
  const { callId, externalId, arguments: args } = /** @type {any} any: what the guard adds */ (request).deputize;
  say({ callId, externalId, args, body: request.body });
  response.json({ sent: true });
});
app.post('/express/:name', guarded.express('transfer_money', (request) => ({ name: request.params?.name, amount: JSON.parse(String(request.body)).amount })), (request, response) => {
  say({ args: request.body });
  response.json({ sent: true });
});
app.post('/late/:name', guarded.express('transfer_money'), (_, response) => void response.json({ sent: true }));
app.post('/read', express.json(), guarded.express('transfer_money'), (_, response) => void response.json({ sent: true }));
app.use((/** @type {Error} */ error, /** @type {any} */ _, /** @type {any} */ response, /** @type {unknown} */ next) => {
  if (next) response.status(500).json({ error: error.message });
});
const plain = guarded.node('transfer_money', (_, response, call) => {
  say({ args: call.arguments });
  response.end('{"sent":true}');
});
const server = createServer((request, response) => (request.url === '/plain' ? void plain(request, response) : app(request, response)));
await once(server.listen(0, '127.0.0.1'), 'listening');
const address = server.address();
say({ port: typeof address === 'object' && address?.port });
