/** The guard of an API on Node: what the vectors refuse is refused, and what it answers is PROTOCOL §7's (GUARD-1 to GUARD-6). */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, before, beforeEach, describe, test } from 'node:test';

import { argumentsOf } from '../src/guard/arguments.js';
import { Redeemer } from '../src/guard/redeemer.js';
import { parse } from '../src/guard/strict.js';
import { read } from '../src/guard/token.js';
import { canonicalize } from '../src/platform/canonical.js';
import { ARGS, Authority, listening, ours } from './guard/authority.js';

/** @param {string} name */
const vectors = (name) => JSON.parse(readFileSync(new URL(`../../tests/vectors/${name}.json`, import.meta.url), 'utf8'));
const { accepted, refused_texts: refusedTexts } = vectors('canonical');
const ID = `cal_${'a'.repeat(22)}`;

describe('JSON-1, JSON-2: a body is strict JSON', () => {
  for (const { name, text, canonical } of accepted) {
    test(`taken: ${name}`, () => assert.equal(canonicalize(parse(Buffer.from(text))), canonical));
  }
  for (const { name, hex } of refusedTexts) {
    test(`refused: ${name}`, () => assert.throws(() => canonicalize(parse(Buffer.from(hex, 'hex')))));
  }
});

describe('TOKEN-1: a token is read strictly', () => {
  const { example, malformed } = vectors('jwt');
  for (const { name, token } of malformed) {
    test(`refused: ${name}`, () => assert.throws(() => read(token), { code: 'invalid_call_token' }));
  }
  test('the example of RFC 7515 is read', () => assert.equal(read(example.token).claims.iss, 'joe'));
});

describe('GUARD-2: what counts as the arguments', () => {
  const schema = { properties: { limit: { type: 'integer' }, booked: { type: 'boolean' }, text: { type: 'string' }, tags: { type: 'array', items: { type: 'string' } } } };
  /** @param {Partial<import('../src/guard/arguments.js').Carried>} request */
  const from = (request) => argumentsOf({ method: 'GET', url: '/x', headers: {}, body: Buffer.alloc(0), ...request }, schema);
  const json = { 'content-type': 'application/json; charset=utf-8' };

  test('of a GET the query, by the types of the schema', () => {
    assert.deepEqual(from({ url: '/x?limit=5&booked=true&text=a+b%26&tags=a&tags=' }), { limit: 5, booked: true, text: 'a b&', tags: ['a', ''] });
    assert.deepEqual(from({}), {});
  });
  for (const [query, code] of [['limit=5.5', 'invalid_arguments'], ['limit=+5', 'invalid_arguments'], ['limit=1&limit=2', 'invalid_arguments'],
    ['other=1', 'invalid_arguments'], ['__proto__=1', 'invalid_arguments'], ['limit', 'invalid_request'], ['text=%ff', 'invalid_request'], ['text=ä', 'invalid_request']]) {
    test(`refused: ?${query}`, () => assert.throws(() => from({ url: `/x?${query}` }), { code }));
  }
  // With its square this would take minutes; as it is, a fraction of a second.
  test('a query costs what it is long', () => {
    const begun = process.cpuUsage();
    assert.deepEqual(from({ url: `/x?${'tags=a&'.repeat(300_000)}tags=` }), { tags: [...Array(300_000).fill('a'), ''] });
    assert.ok(process.cpuUsage(begun).user < 20e6, 'not with its square');
  });
  test('else the body, and nothing beside it', () => {
    assert.deepEqual(from({ method: 'POST', headers: json, body: Buffer.from('{"a":1}') }), { a: 1 });
    assert.throws(() => from({ method: 'POST', url: '/x?a=1', headers: json, body: Buffer.from('{}') }), { code: 'invalid_request' });
    assert.throws(() => from({ body: Buffer.from('{}') }), { code: 'invalid_request' });
    assert.throws(() => from({ method: 'POST', body: Buffer.from('{}') }), { code: 'unsupported_media_type' });
    assert.throws(() => from({ method: 'POST', headers: json, body: Buffer.from('[]') }), { code: 'invalid_request' });
  });
});

test('GUARD-6: the authority is reached by https, or on this machine', () => {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
  const made = (/** @type {string} */ issuer) => () => new Redeemer({ issuer, key, timeout: 1, now: () => 0 });
  for (const issuer of ['http://bank.example', 'http://127.0.0.1.example', 'http://localhost.example']) assert.throws(made(issuer), TypeError);
  for (const issuer of ['https://bank.example/deputize', 'http://localhost:1', 'http://[::1]:1']) assert.doesNotThrow(made(issuer));
});

describe('GUARD-6: the keys of the authority', () => {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
  const { fetch } = globalThis;
  /** @type {Array<'keys' | 'nothing'>} what it answers, the last for ever */
  let answers = [];
  let asked = 0;
  let now = 0;
  beforeEach(() => {
    [answers, asked, now] = [['keys'], 0, 1000];
    globalThis.fetch = async () => {
      asked += 1;
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      if (answer === 'nothing') throw new TypeError('network');
      return new Response(JSON.stringify({ keys: [{ kty: 'EC', crv: 'P-256', alg: 'ES256', kid: 'k1', x: 'x', y: 'y' }] }));
    };
  });
  after(() => void (globalThis.fetch = fetch));
  const made = () => new Redeemer({ issuer: 'https://bank.example', key, timeout: 1000, now: () => now });
  const gone = { code: 'authority_unavailable' };

  test('a stranger who names another, while it does not answer, does not take away those that are known', async () => {
    const redeemer = made();
    assert.equal((await redeemer.keyOf('k1'))?.x, 'x');
    answers = ['nothing'];
    now += 10;
    await assert.rejects(redeemer.keyOf('theirs'), gone);
    assert.equal((await redeemer.keyOf('k1'))?.x, 'x');
    now += 10;
    const [theirs, ours] = await Promise.allSettled([redeemer.keyOf('theirs'), redeemer.keyOf('k1')]);
    assert.deepEqual([theirs.status, ours.status], ['rejected', 'fulfilled']);
  });
  test('are fetched once for all who ask at once, again after 300 s, and never twice within 5 s', async () => {
    const redeemer = made();
    await Promise.all([redeemer.keyOf('k1'), redeemer.keyOf('k1'), redeemer.keyOf('k2')]);
    assert.equal(asked, 1);
    now += 4;
    assert.equal(await redeemer.keyOf('k2'), null);
    assert.equal(asked, 1);
    now += 296;
    answers = ['nothing', 'keys'];
    await assert.rejects(redeemer.keyOf('k1'), gone);
    now += 4;
    await assert.rejects(redeemer.keyOf('k1'), gone);
    now += 1;
    assert.equal((await redeemer.keyOf('k1'))?.x, 'x');
    assert.equal(asked, 3);
  });
  test('are fetched again where the clock was put back', async () => {
    const redeemer = made();
    await redeemer.keyOf('k1');
    now -= 500;
    await redeemer.keyOf('k1');
    assert.equal(asked, 2);
  });
});

describe('GUARD-1: before the handler runs', () => {
  const authority = new Authority();
  /** @type {Array<unknown>} */
  let ran = [];
  let answer = { status: 200, text: 'done' };
  /** @type {import('node:http').Server} */
  let site;
  let api = '';
  before(async () => {
    await authority.open();
    const guarded = authority.guard();
    site = createServer(
      guarded.node('transfer', (_, response, call) => {
        ran.push(call.arguments);
        response.writeHead(answer.status).end(answer.text);
      }),
    );
    api = await listening(site);
  });
  after(() => {
    authority.close();
    site.closeAllConnections();
    site.close();
  });
  beforeEach(() => {
    authority.forget();
    [ran, answer] = [[], { status: 200, text: 'done' }];
  });
  const token = authority.token.bind(authority);

  /** @param {string | null} text @param {unknown} [body] @param {string} [path] */
  const send = (text, body = ARGS, path = '/transfers') =>
    fetch(api + path, { method: 'POST', headers: { 'content-type': 'application/json', ...(text && { 'txn-token': text }) }, body: typeof body === 'string' ? body : JSON.stringify(body) });
  /** @param {Response} response */
  const codeOf = async (response) => [response.status, (await response.json()).code];

  test('an allowed call is redeemed, runs with what was verified, and is reported before its answer', async () => {
    const response = await send(token());
    assert.deepEqual([response.status, await response.text(), ran], [200, 'done', [ARGS]]);
    const { asked } = authority;
    assert.deepEqual(asked.map(({ path }) => path.split('/').pop()), ['redemption', 'outcome']);
    assert.deepEqual(asked[1]?.body, { outcome: 'succeeded' });
    assert.match(asked[0]?.proof ?? '', /^[\w-]+\.[\w-]+\.[\w-]{86}$/);
  });

  for (const [status, outcome] of /** @type {const} */ ([[204, 'succeeded'], [302, 'succeeded'], [404, 'failed'], [500, 'unknown']])) {
    test(`GUARD-5: a handler that answers ${status} is reported as ${outcome}`, async () => {
      answer = { status, text: '' };
      await fetch(`${api}/x`, { method: 'POST', redirect: 'manual', headers: { 'content-type': 'application/json', 'txn-token': token() }, body: JSON.stringify(ARGS) });
      assert.deepEqual(authority.outcomes, [outcome]);
    });
  }

  const never = /** @type {Array<[string, () => Promise<Response>, number, string]>} */ ([
    ['no call token', () => send(null), 401, 'missing_call_token'],
    ['another audience', () => send(token({ aud: 'https://other.example' })), 401, 'invalid_call_token'],
    ['another issuer', () => send(token({ iss: 'https://other.example' })), 401, 'invalid_call_token'],
    ['a delegation token', () => send(token({}, { typ: 'at+jwt' })), 401, 'invalid_call_token'],
    ['a key that is unknown', () => send(token({}, { kid: 'k2' })), 401, 'invalid_call_token'],
    ['a signature by somebody else', () => send(token({}, {}, ours.privateKey)), 401, 'invalid_call_token'],
    ['an expired one', () => send(token({ exp: Math.floor(Date.now() / 1000) })), 401, 'invalid_call_token'],
    ['another tool', () => send(token({ tctx: { tool: 'close', args_s256: '', entry: 1 } })), 403, 'call_wrong_tool'],
    ['other arguments', () => send(token(), { ...ARGS, amount: 251 }), 403, 'argument_hash_mismatch'],
    ['a name twice in its arguments', () => send(token(), '{"amount":1,"amount":250,"name":"Ada"}'), 400, 'invalid_request'],
    ['a body beyond 64 KiB', () => send(token(), ' '.repeat(64 * 1024) + JSON.stringify(ARGS)), 413, 'payload_too_large'],
    ['a control character in its path', () => send(token(), ARGS, '/transfers%0a'), 400, 'invalid_request'],
    ['a query beside the body', () => send(token(), ARGS, '/transfers?amount=1'), 400, 'invalid_request'],
  ]);
  for (const [what, request, status, code] of never) {
    test(`with ${what} nothing is redeemed, and nothing runs`, async () => {
      assert.deepEqual([await codeOf(await request()), authority.asked, ran], [[status, code], [], []]);
    });
  }

  const answers = /** @type {Array<[string, number, object, number, string]>} */ ([
    ['that it was redeemed already', 409, { code: 'call_redeemed', detail: 'It was.' }, 409, 'call_redeemed'],
    ['that this guard may not', 401, { code: 'invalid_dpop_proof', detail: 'No.' }, 503, 'authority_unavailable'],
    ['something else', 200, { state: 'pending' }, 503, 'authority_unavailable'],
    ['not whose call it is', 200, { call_id: ID, state: 'redeemed' }, 503, 'authority_unavailable'],
    ['a list', 200, [], 503, 'authority_unavailable'],
  ]);
  for (const [what, status, body, seen, code] of answers) {
    test(`GUARD-6: where the authority says ${what}, nothing runs`, async () => {
      authority.instead = { status, body };
      assert.deepEqual([await codeOf(await send(token({ txn: ID }))), ran], [[seen, code], []]);
    });
  }
});
