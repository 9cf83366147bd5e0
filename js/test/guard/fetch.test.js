/** The guard for a Fetch `Request`: what the handler gets, and what is told of its answer, however that ends (GUARD-2, GUARD-5). */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';

import { Refused } from '../../src/guard.js';
import { ARGS, Authority, context, deferred } from './authority.js';

const authority = new Authority();
/** @type {ReturnType<Authority['guard']>} */
let guarded;
before(async () => {
  await authority.open();
  guarded = authority.guard({ schemas: { search: { properties: { limit: { type: 'integer' }, text: { type: 'string' } } } } });
});
after(() => authority.close());
beforeEach(() => authority.forget());

const URL_ = 'https://bank.example/api/transfers';
/** @param {RequestInit & {token?: string | null, url?: string, duplex?: 'half'}} [init] */
function request({ token = authority.token(), url = URL_, ...init } = {}) {
  const headers = new Headers({ 'content-type': 'application/json', .../** @type {any} */ (init.headers) });
  if (token !== null) headers.set('txn-token', token);
  return new Request(url, { method: 'POST', ...(init.method !== 'GET' && { body: JSON.stringify(ARGS) }), ...init, headers });
}
/** @param {Response} response */
const codeOf = async (response) => [response.status, (await response.json()).code];
const never = () => assert.fail('it ran');

describe('what the handler gets', () => {
  test('is what was verified, and a request whose body are the very bytes that were', async () => {
    const body = ' {"name":"Ada","amount":250} ';
    let seen;
    const handler = guarded.fetch('transfer', async (request, { arguments: args, externalId }, ...given) => {
      seen = { args, externalId, text: await request.text(), url: request.url, method: request.method, given: given.length };
      return Response.json({ sent: true });
    });
    assert.deepEqual(await (await handler(request({ body }), { params: Promise.resolve({}) })).json(), { sent: true });
    assert.deepEqual(seen, { args: ARGS, externalId: 'ada', text: body, url: URL_, method: 'POST', given: 2 });
  });

  test('cannot be changed: arguments are copied as they are hashed', async () => {
    const named = { ...ARGS };
    authority.before = () => void (named.amount = 1_000_000);
    const handler = guarded.fetch('transfer', (_, { arguments: args }) => (assert.throws(() => Object.assign(args, { amount: 1 }), TypeError), Response.json(args)), () => named);
    assert.deepEqual(await (await handler(request())).json(), ARGS);
  });

  test('comes of a context, too: SvelteKit’s and Hono’s', async () => {
    const handler = guarded.fetch('transfer', (_, call) => Response.json(call.arguments));
    for (const wrapped of [(/** @type {Request} */ request) => ({ request, params: {} }), (/** @type {Request} */ raw) => ({ req: { raw, param: () => ({}) } })]) {
      assert.deepEqual(await (await handler(wrapped(request()))).json(), ARGS);
    }
    await assert.rejects(handler({}), /is handed a Request/);
  });

  test('is, for a GET, its query by the schema, and nothing of how the URL was spelled', async () => {
    const handler = guarded.fetch('search', (_, call) => Response.json(call.arguments));
    const get = (/** @type {string} */ path, args = { limit: 5, text: 'ä' }) =>
      request({ method: 'GET', url: `https://bank.example${path}`, token: authority.token({ tctx: context(args, 'search') }) });
    for (const path of ['/x?limit=5&text=%C3%A4', '/a/../x?text=ä&limit=5', '/%2e%2e//x?limit=5&text=%c3%a4#limit=6']) {
      assert.deepEqual(await (await handler(get(path))).json(), { limit: 5, text: 'ä' });
    }
    assert.deepEqual(await codeOf(await handler(get('/x?limit=6&text=ä'))), [403, 'argument_hash_mismatch']);
    assert.deepEqual(await codeOf(await handler(get('/x?limit=5&limit=5&text=ä'))), [400, 'invalid_arguments']);
    for (const [name, value] of /** @type {const} */ ([['content-length', '7'], ['transfer-encoding', 'chunked']])) {
      const lost = get('/x?limit=5&text=ä'); // and with it the body that it said it had
      lost.headers.set(name, value);
      assert.deepEqual(await codeOf(await handler(lost)), [400, 'invalid_request']);
    }
  });

  test('is named by the developer where the path has parameters, and else nothing runs', async () => {
    const handler = guarded.fetch('transfer', (_, call) => Response.json(call.arguments), async (request, _, { params }) => ({ ...(await request.json()), ...(await params) }));
    const context = { params: Promise.resolve({ name: 'Ada' }) };
    assert.deepEqual(await (await handler(request({ body: '{"amount":250}' }), context)).json(), ARGS);
    assert.deepEqual(await codeOf(await handler(request({ body: '{"amount":251}' }), context)), [403, 'argument_hash_mismatch']);
    authority.forget();
    const bare = guarded.fetch('transfer', never);
    await assert.rejects(bare(request(), context), /path parameters \(name\).*`args`/);
    for (const wrapped of [{ request: request(), params: { name: 'Ada' } }, { req: { raw: request(), param: () => ({ name: 'Ada' }) } }]) await assert.rejects(bare(wrapped), /`args`/);
    assert.deepEqual(authority.asked, []);
  });
});

describe('ENDPOINT-1: where the policy says', () => {
  const properties = { account: { type: 'string' }, amount: { type: 'integer' }, notify: { type: 'boolean' } };
  const ENDPOINTS = { transfer: 'POST /api/{account}/transfers{?notify}', close: 'DELETE /api/{account}', look: 'GET https://bank.example/api/{account}', other: 'DELETE /api/{account}' };
  /** @param {keyof typeof ENDPOINTS} tool @param {object} args @param {string} path @param {RequestInit} init @param {any[]} more */
  async function answered(tool, args, path, init, ...more) {
    const { account, notify, amount } = properties;
    const schemas = { transfer: { properties }, close: { properties: { account } }, other: { properties: { account } }, look: { properties: { account, notify, amount } } };
    const handler = authority.guard({ schemas, endpoints: ENDPOINTS }).fetch(tool, (_, call) => Response.json([call.tool, call.arguments]));
    const answer = await handler(request({ url: `https://bank.example${path}`, body: null, token: authority.token({ tctx: context(args, tool) }), ...init }), ...more);
    return answer.ok ? (await answer.json())[1] : await codeOf(answer);
  }
  const ada = { account: 'Ada L', amount: 5, notify: true };

  test('arguments are in the path, the query and the body, with a router or without', async () => {
    const body = '{"amount":5}';
    assert.deepEqual(await answered('transfer', ada, '/api/Ada%20L/transfers?notify=true', { body }), ada);
    assert.deepEqual(await answered('transfer', ada, '/below/Ada%20L?notify=true', { body }, { params: Promise.resolve({ account: 'Ada L' }) }), ada);
    assert.deepEqual(await answered('look', ada, '/api/Ada%20L?notify=true&amount=5', { method: 'GET' }), ada);
    assert.deepEqual(await answered('close', { account: 'Ada' }, '/api/Ada', { method: 'DELETE' }), { account: 'Ada' });
  });

  const cases = /** @type {Array<[string, keyof typeof ENDPOINTS, object, string, RequestInit, number, string]>} */ ([
    ['another account', 'transfer', ada, '/api/Bob/transfers?notify=true', { body: '{"amount":5}' }, 403, 'argument_hash_mismatch'],
    ['an argument at two places', 'transfer', ada, '/api/Ada%20L/transfers?notify=true', { body: '{"amount":5,"account":"Ada L"}' }, 400, 'invalid_request'],
    ['an argument at a place that is not its own', 'transfer', ada, '/api/Ada%20L/transfers', { body: '{"amount":5,"notify":true}' }, 400, 'invalid_request'],
    ['an argument of the body in the query', 'transfer', ada, '/api/Ada%20L/transfers?notify=true&amount=5', { body: '{}' }, 400, 'invalid_request'],
    ['a slash in a part of the path', 'close', { account: 'a/b' }, '/api/a%2Fb', { method: 'DELETE' }, 400, 'invalid_arguments'],
    ['an argument of the path in the query of a GET', 'look', ada, '/api/Ada%20L?notify=true&amount=5&account=Bob', { method: 'GET' }, 400, 'invalid_request'],
    ['no body where the schema has more', 'transfer', { account: 'Ada', notify: true }, '/api/Ada/transfers?notify=true', {}, 400, 'invalid_request'],
  ]);
  for (const [what, tool, args, path, init, status, code] of cases) {
    test(`with ${what} nothing is redeemed`, async () => {
      assert.deepEqual([await answered(tool, args, path, init), authority.asked], [[status, code], []]);
    });
  }

  test('ENDPOINT-3: which of two tools it is, the call token says', async () => {
    const guarded = authority.guard({ endpoints: ENDPOINTS, schemas: { other: { properties: { account: properties.account } } } });
    const handler = guarded.fetch('close', (_, { tool }) => new Response(tool));
    const token = (/** @type {string} */ tool) => authority.token({ tctx: context({ account: 'Ada' }, tool) });
    const sent = (/** @type {string} */ tool) => handler(request({ method: 'DELETE', url: 'https://bank.example/api/Ada', body: null, token: token(tool) }));
    assert.equal(await (await sent('other')).text(), 'other');
    assert.deepEqual(await codeOf(await sent('look')), [403, 'call_wrong_tool']);
  });

  test('what is none is an error where the guard is made, and a path of another endpoint where it is met', async () => {
    for (const text of ['/api', 'post /api', 'POST api', 'POST /api/{a', 'POST /a{b}', 'TRACE /api', 'POST /api{?}', 'POST /api?a=1']) assert.throws(() => authority.guard({ endpoints: { transfer: text } }), /no endpoint/);
    for (const params of [{ amount: '5' }, { account: ['Ada'] }, { account: 'Ada', amount: '5' }]) await assert.rejects(answered('close', { account: 'Ada' }, '/x', { method: 'DELETE' }, { params }), TypeError);
    assert.deepEqual(await answered('close', { account: '..' }, '/x', { method: 'DELETE' }, { params: { account: '..' } }), [400, 'invalid_arguments']);
    await assert.rejects(answered('close', { account: 'Ada' }, '/api/Ada/transfers', { method: 'DELETE' }), /The endpoint of the tool is DELETE \/api\/\{account\}/);
  });
});

describe('what is refused', () => {
  const doubled = () => {
    const twice = request();
    twice.headers.append('txn-token', twice.headers.get('txn-token') ?? '');
    return twice;
  };
  /** @param {string} text @param {number} times */
  const stream = (text, times = 1) => new ReadableStream({ pull: (controller) => (times-- > 0 ? controller.enqueue(Buffer.from(text)) : controller.close()) });
  const cases = /** @type {Array<[string, () => Request, number, string]>} */ ([
    ['no call token', () => request({ token: null }), 401, 'missing_call_token'],
    ['an empty one', () => request({ token: '' }), 401, 'invalid_call_token'],
    ['the same one twice', doubled, 401, 'invalid_call_token'],
    ['other arguments', () => request({ body: '{"amount":251,"name":"Ada"}' }), 403, 'argument_hash_mismatch'],
    ['a name twice', () => request({ body: '{"amount":1,"amount":250,"name":"Ada"}' }), 400, 'invalid_request'],
    ['a prototype', () => request({ body: '{"amount":250,"name":"Ada","__proto__":{"admin":true}}' }), 403, 'argument_hash_mismatch'],
    ['a stream beyond 64 KiB, whatever its head says', () => request({ body: stream(' '.repeat(1024), 65), duplex: 'half', headers: { 'content-length': '5' } }), 413, 'payload_too_large'],
    ['a stream that breaks', () => request({ body: new ReadableStream({ pull: (controller) => controller.error(new Error('gone')) }), duplex: 'half' }), 400, 'invalid_request'],
    ['no body', () => request({ body: null }), 400, 'invalid_request'],
    ['a form', () => request({ headers: { 'content-type': 'text/plain' } }), 415, 'unsupported_media_type'],
    ['a query beside the body', () => request({ url: `${URL_}?amount=1` }), 400, 'invalid_request'],
    ['a control character in its path', () => request({ url: `${URL_}%0a` }), 400, 'invalid_request'],
    ['a client that went away', () => request({ signal: AbortSignal.abort() }), 400, 'invalid_request'],
  ]);
  for (const [what, made, status, code] of cases) {
    test(`with ${what} nothing is redeemed, and nothing runs`, async () => {
      assert.deepEqual(await codeOf(await guarded.fetch('transfer', never)(made())), [status, code]);
      assert.deepEqual(authority.asked, []);
    });
  }

  test('JSON-4: a body that is not there after 30 s is not waited for, and its sender hears of it', async (t) => {
    await guarded.fetch('transfer', () => new Response(null))(request()); // the authority's keys are here
    authority.forget();
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const [waiting, cancelled] = [deferred(), deferred()];
    const body = new ReadableStream({ pull: () => (waiting.resolve(), new Promise(() => {})), cancel: cancelled.resolve }, { highWaterMark: 0 });
    const answer = guarded.fetch('transfer', never)(request({ body, duplex: 'half' }));
    await waiting.promise;
    t.mock.timers.tick(30_000);
    assert.deepEqual([await codeOf(await answer), authority.asked], [[408, 'request_timeout'], []]);
    await cancelled.promise;
  });

  test('the guard behind what reads the body says so, and runs nothing', async () => {
    const read = request();
    await read.text();
    const locked = request();
    locked.body?.getReader();
    for (const late of [read, locked]) await assert.rejects(guarded.fetch('transfer', never)(late), /Put the guard in front of/);
    assert.deepEqual(authority.asked, []);
  });

  test('GUARD-6: an authority that cannot be reached, with what to look at on the console', async (t) => {
    const { mock } = t.mock.method(console, 'error', () => {});
    const nowhere = authority.guard({ issuer: 'http://localhost:1' });
    const answer = await nowhere.fetch('transfer', never)(request());
    assert.deepEqual([answer.headers.get('content-type'), ...(await codeOf(answer))], ['application/problem+json', 503, 'authority_unavailable']);
    assert.match(String(mock.calls[0]?.arguments[0]), /^deputize: GET http:\/\/localhost:1\/jwks\.json: \w.*`issuer`/);
  });

  for (const [problem, cure] of /** @type {const} */ ([
    [{ code: 'invalid_dpop_proof', detail: 'It is 900 s ago.', now: 1 }, /invalid_dpop_proof\): It is 900 s ago\. Set the clock of this machine right\.$/],
    [{ code: 'invalid_dpop_proof', detail: 'For another URL.' }, /For another URL\. The guard and the authority have to have the same `issuer`/],
    [{ code: 'version_skew', detail: 'Versions 1 and 2.', protocol: 2 }, /version_skew\): Versions 1 and 2\.$/],
    [{ code: 'server_error', detail: 'a\nb' }, /server_error\): a\\nb\. Its log tells more\.$/],
    [{ code: 'redeemer_not_allowed', detail: 'No such key.' }, /: No such key\. `deputize guard public` prints/],
  ])) {
    test(`GUARD-6: ${problem.code} (${problem.detail.trim()}) is told with its cure, and not to who sent the call`, async (t) => {
      const { mock } = t.mock.method(console, 'error', () => {});
      authority.instead = { status: 403, body: problem };
      const told = await (await guarded.fetch('transfer', never)(request())).json();
      assert.ok(mock.calls.some(({ arguments: [line] }) => cure.test(String(line))), String(mock.calls.map(({ arguments: [line] }) => line)));
      assert.equal(told.code, problem.code === 'redeemer_not_allowed' ? problem.code : 'authority_unavailable');
      if (told.code === 'authority_unavailable') assert.ok(!told.detail.includes(problem.detail), told.detail);
    });
  }

  test('VERSION-1: what it sends for a call says its version', async () => {
    await guarded.fetch('transfer', () => new Response())(request());
    assert.deepEqual(authority.asked.map(({ version }) => version), ['1', '1']);
  });

  test('a wrong issuer, audience or a missing schema is told with its cure', async () => {
    /** @param {object} claims @param {object} options */
    const told = async (claims, options = {}, tool = 'transfer', init = {}) =>
      (await (await authority.guard(options).fetch(tool, never)(request({ token: authority.token(claims), ...init }))).json()).detail;
    assert.match(await told({ iss: 'http://127.0.0.1:8000' }), /issued by "http:\/\/127\.0\.0\.1:8000", and this guard was made with the issuer "http:\/\/localhost/);
    assert.match(await told({ aud: 'https://bank.example' }), /is for "https:\/\/bank\.example", .* the audience "https:\/\/bank\.example\/api"/);
    assert.match(await told({ tctx: context({}, 'search') }, {}, 'search', { method: 'GET', url: 'https://bank.example/x?limit=5' }), /Give it the tool’s in `schemas`/);
  });
});

describe('GUARD-5: what is told of an answer', () => {
  /** @param {() => Response | Promise<Response>} answer @param {RequestInit} [init] */
  const answered = async (answer, init) => await guarded.fetch('transfer', async () => await answer())(request(init));
  const parts = (/** @type {string[]} */ ...texts) => new ReadableStream({ pull: (controller) => (texts.length > 0 ? controller.enqueue(Buffer.from(texts.shift() ?? '')) : controller.close()) });

  for (const [status, outcome] of /** @type {const} */ ([[200, 'succeeded'], [399, 'succeeded'], [400, 'failed'], [499, 'failed'], [500, 'unknown']])) {
    test(`${status} is ${outcome}`, async () => {
      const response = await answered(() => new Response('text', { status, statusText: 'Said', headers: [['set-cookie', 'a=1'], ['set-cookie', 'b=2']] }));
      assert.deepEqual(authority.outcomes, [], 'nobody has it yet');
      assert.deepEqual([response.status, response.statusText, response.headers.getSetCookie(), await response.text()], [status, 'Said', ['a=1', 'b=2'], 'text']);
      assert.deepEqual(authority.outcomes, [outcome]);
    });
  }

  test('without a body it is told before it goes out, a redirection as well, and to HEAD all are so', async () => {
    await answered(() => new Response(null, { status: 204 }));
    await answered(() => Response.redirect('https://bank.example/done', 303));
    assert.deepEqual(authority.outcomes, ['succeeded', 'succeeded']);
    const head = guarded.fetch('search', () => new Response('text', { status: 404 }));
    await head(request({ method: 'HEAD', body: null, token: authority.token({ tctx: context({}, 'search') }) }));
    assert.equal(authority.outcomes.at(-1), 'failed');
  });

  test('Response.error() is no answer', async () => {
    assert.equal((await answered(() => Response.error())).type, 'error');
    assert.deepEqual(authority.outcomes, ['unknown']);
  });

  test('one in parts is told of before its end, or, where its length was said, before the last byte', async () => {
    const open = (await answered(() => new Response(parts('a', 'b')))).body?.getReader();
    assert.deepEqual([(await open?.read())?.done, (await open?.read())?.done, authority.outcomes], [false, false, []]);
    assert.deepEqual([(await open?.read())?.done, authority.outcomes], [true, ['succeeded']]);
    const counted = (await answered(() => new Response(parts('a', 'b'), { headers: { 'content-length': '2' } }))).body?.getReader();
    await counted?.read();
    assert.equal(authority.outcomes.length, 1);
    await counted?.read();
    assert.equal(authority.outcomes.length, 2);
  });

  test('one that is shorter than its length says is unknown', async () => {
    await (await answered(() => new Response(parts('a'), { headers: { 'content-length': '2' } }))).text();
    assert.deepEqual(authority.outcomes, ['unknown']);
  });

  test('nothing is taken from a handler’s stream before somebody reads', async () => {
    let pulled = 0;
    await answered(() => new Response(new ReadableStream({ pull: () => void (pulled += 1) }, { highWaterMark: 0 })));
    assert.equal(pulled, 0);
  });

  const broken = /** @type {Array<[string, () => any]>} */ ([
    ['throws', () => { throw new TypeError('no'); }],
    ['rejects', async () => await Promise.reject(new TypeError('no'))],
    ['throws a refusal of its own', () => { throw new Refused('invalid_request', 'no'); }],
    ['returns nothing', () => undefined],
    ['returns an answer that was read', async () => { const read = new Response('text'); await read.text(); return read; }],
  ]);
  for (const [what, answer] of broken) {
    test(`a handler that ${what} is unknown, and its error is the framework’s`, async () => {
      await assert.rejects(answered(answer), Error);
      assert.deepEqual(authority.outcomes, ['unknown']);
    });
  }

  test('a stream that breaks is unknown, and so is one that the client cancels, which the handler hears of', async () => {
    const breaking = await answered(() => new Response(new ReadableStream({ pull: (controller) => controller.error(new Error('broken')) })));
    await assert.rejects(breaking.text(), /broken/);
    const heard = deferred();
    const cancelled = await answered(() => new Response(new ReadableStream({ cancel: heard.resolve })));
    await cancelled.body?.cancel('enough');
    assert.equal(await heard.promise, 'enough');
    assert.deepEqual(authority.outcomes, ['unknown', 'unknown']);
  });

  test('a client that goes away while the handler works is told of at once', async () => {
    const leaving = new AbortController();
    const told = deferred();
    authority.before = ({ path }) => void (path.endsWith('/outcome') && told.resolve());
    const answer = await answered(async () => {
      leaving.abort();
      await told.promise;
      return new Response(null);
    }, { signal: leaving.signal });
    assert.deepEqual([answer.status, authority.outcomes], [200, ['unknown']]);
  });

  test('one that goes away while its call is redeemed runs nothing, and that is told', async () => {
    const leaving = new AbortController();
    authority.before = ({ path }) => path.endsWith('/redemption') && leaving.abort();
    assert.deepEqual(await codeOf(await guarded.fetch('transfer', never)(request({ signal: leaving.signal }))), [400, 'invalid_request']);
    assert.deepEqual(authority.outcomes, ['unknown']);
  });

  test('an outcome that cannot be told holds back no answer', async (t) => {
    const { mock } = t.mock.method(console, 'warn', () => {});
    t.mock.method(console, 'error', () => {});
    authority.before = ({ path }) => path.endsWith('/outcome') && (authority.instead = { status: 500, body: {} });
    assert.equal(await (await answered(() => new Response('text'))).text(), 'text');
    assert.equal(mock.callCount(), 1);
  });

  test('one call token runs once, however many bring it at once', async () => {
    const token = authority.token();
    let ran = 0;
    const handler = guarded.fetch('transfer', () => ((ran += 1), new Response(null)));
    const answers = await Promise.all(Array.from({ length: 8 }, () => handler(request({ token }))));
    assert.deepEqual([ran, answers.filter(({ status }) => status === 409).length], [1, 7]);
  });
});
