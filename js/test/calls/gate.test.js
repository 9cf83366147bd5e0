/** The way of one call, against an authority over HTTP with real proofs (CALL-1 to CALL-10, SHIM-1 to SHIM-8). */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setImmediate as moment } from 'node:timers/promises';

import { TestAuthority } from '../authority.js';
import { page, registered, scopesIn } from '../harness.js';
import { clock, stored } from '../platform.js';

const { Acknowledgements } = await import('../../src/calls/acknowledgements.js');
const { endedBy } = await import('../../src/calls/ended.js');
const { execute: run } = await import('../../src/calls/execute.js');
const { Gate } = await import('../../src/calls/gate.js');
const { Sharing } = await import('../../src/calls/sharing.js');
const { CallStatus } = await import('../../src/calls/status.js');
const { saying } = await import('../../src/page/tool.js');
const { linesIn } = await import('../../src/people/view.js');
const { wordsFor } = await import('../../src/words/words.js');

/** @import { Client } from '../../src/types.js' */
/** @typedef {any} Result any: what an agent gets, read by a test */

/** @type {TestAuthority} */
let server;
/** @type {Array<{input: Result, client: Client}>} */
let runs = [];
/** @type {(input: Result, client: Client) => Promise<Result>} */
const execute = async (input, client) => {
  runs.push({ input, client });
  const call = server.calls.find(({ call_id }) => call_id === client.correlationId);
  if (call && server.tools[call.tool].executes === 'api') call.state = 'succeeded'; // as the API's guard would report
  return { done: runs.length };
};

beforeEach(async () => {
  server = await new TestAuthority().start();
  runs = [];
  stored.clear();
});
afterEach(() => server.stop());

/**
 * @param {ReturnType<typeof page>} opened
 * @param {string} name
 * @param {unknown} [input]
 * @param {AbortSignal} [signal]
 * @returns {Promise<Result>}
 */
const call = (opened, name, input = {}, signal) => opened.gate.call(registered(name), execute, input, signal);
/** @param {Result} result */
const codeOf = (result) => result.structuredContent?.code;

/** A page whose user has deputized the agent for `account:read`. */
async function deputized() {
  const opened = page(server);
  const result = call(opened, 'get_balance');
  await opened.human.answer(0, 'approve');
  await result;
  opened.human.dialogs = [];
  runs = [];
  server.requests = [];
  return opened;
}

/** Deputized for `payments:write` too. */
async function payer() {
  const opened = await deputized();
  const result = call(opened, 'transfer_money', { to: 'nobody' });
  await opened.human.answer(0, 'approve');
  await opened.human.answer(1, 'decline');
  await result;
  opened.human.dialogs = [];
  server.requests = [];
  return opened;
}

describe('a call that is over', () => {
  test('PAGE-6: is told with its reason and id, whatever became of it', async () => {
    const opened = await deputized();
    /** @type {object[]} */
    const heard = [];
    opened.gate.ended = (outcome, tool, direct) => {
      const { at, ...told } = endedBy(outcome, tool, direct, 0);
      heard.push(told);
    };
    await call(opened, 'search_help');
    await call(opened, 'get_balance');
    const refused = await call(opened, 'no_such_tool');
    await opened.gate.call(registered('get_balance'), () => { throw new Error('no'); }, { n: 1 }, undefined).catch(() => {});
    const [first, second] = server.calls.slice(-2).map(({ call_id }) => call_id);
    const told = { direct: false, code: null };
    assert.deepEqual(heard, [
      { ...told, tool: 'search_help', kind: 'public', callId: null },
      { ...told, tool: 'get_balance', kind: 'result', callId: first },
      { ...told, tool: 'no_such_tool', kind: 'refused', code: codeOf(refused), callId: refused.structuredContent.correlation_id },
      { ...told, tool: 'get_balance', kind: 'thrown', callId: second },
    ]);
  });
});

describe('who may call at all', () => {
  test('CALL-8: a public tool runs ungated, and the authority hears nothing of it', async () => {
    const opened = page(server);
    assert.deepEqual(await call(opened, 'search_help', { q: 'x' }), { done: 1 });
    const { agent, scopes, correlationId } = /** @type {Client} */ (runs[0]?.client);
    assert.deepEqual([agent, scopes, correlationId], [null, [], null]);
    assert.deepEqual(server.paths, ['/tools']);
  });

  test('SHIM-1: signed out, nothing runs, and the agent hears where to sign in', async () => {
    server.user = null;
    const result = await call(page(server), 'get_balance');
    assert.equal(codeOf(result), 'login_required');
    assert.equal(result.structuredContent.sign_in_uri, `${server.issuer}/account`);
    assert.equal(result.structuredContent.correlation_id, null);
    assert.equal(runs.length, 0);
  });

  test('a "signed out" from memory is not the last word', async () => {
    server.user = null;
    const opened = page(server, { patience: 1 });
    assert.equal(codeOf(await call(opened, 'get_balance')), 'login_required');
    server.user = { id: 'usr_ada', name: 'Ada' };
    assert.equal(codeOf(await call(opened, 'get_balance')), 'consent_pending');
  });

  test('SHIM-1: a tool that the policy does not know is refused; with a delegation the record hears of it', async () => {
    assert.equal(codeOf(await call(page(server), 'unlisted')), 'unknown_tool');
    const result = await call(await deputized(), 'unlisted');
    assert.equal(codeOf(result), 'unknown_tool');
    assert.match(result.structuredContent.correlation_id, /^cal_/);
    assert.equal(codeOf(await call(page(server), '__proto__')), 'unknown_tool');
    assert.equal(runs.length, 0);
  });

  test('GUARD-6: an authority that cannot be reached means no', async () => {
    server.stop();
    assert.equal(codeOf(await call(page(server), 'search_help')), 'authority_unavailable');
    assert.equal(runs.length, 0);
  });

  for (const [what, wrong] of Object.entries({ 'VERSION-1: of another version': { protocol: 2 }, 'of no version': { protocol: undefined }, 'PAGE-1: of another origin': { names: 'https://other.example/deputize' } })) {
    test(`${what}: nothing more is asked of an authority, nothing runs, and the agent is not told to wait`, async () => {
      Object.assign(server, wrong);
      const result = await call(page(server), 'search_help');
      assert.equal(codeOf(result), 'misconfigured');
      assert.doesNotMatch(result.content[0].text, /[Ww]ait/);
      assert.equal(result.structuredContent.retryable, false);
      assert.deepEqual([server.paths, runs.length], [['/tools'], 0]);
    });
  }

  test('JSON-1: arguments that are not JSON are refused before anything is sent', async () => {
    const opened = await deputized();
    assert.equal(codeOf(await call(opened, 'get_balance', { a: 2 ** 60 })), 'invalid_arguments');
    assert.equal(codeOf(await call(opened, 'get_balance', [1])), 'invalid_arguments');
    assert.deepEqual(server.paths, []);
  });
});

describe('consent', () => {
  test('GRANT-1, GRANT-2: signed in and never deputized, the human is asked, and then it runs', async () => {
    const opened = page(server);
    const result = call(opened, 'get_balance', { account: 1 });
    await opened.human.until(() => opened.human.dialogs.length === 1);
    assert.deepEqual(scopesIn(opened.human.dialogs[0]?.view), ['May account:read']);
    assert.equal(runs.length, 0);
    await opened.human.answer(0, 'approve');
    assert.deepEqual(await result, { done: 1 });
    const { input, client } = /** @type {typeof runs[0]} */ (runs[0]);
    assert.deepEqual(input, { account: 1 });
    assert.match(client.agent?.clientId ?? '', /^agt_/);
    assert.equal(client.agent?.assurance, 'opaque');
    assert.deepEqual(client.scopes, ['account:read']);
    assert.match(client.correlationId ?? '', /^cal_/);
    assert.deepEqual(server.paths, ['/tools', '/agents', '/grants', '/grants/{id}/challenge', '/grants/{id}/approval', '/calls']);
    const headers = server.requests.map(({ headers }) => [!!headers['deputize-page'], !!headers.dpop, !!headers.authorization]);
    assert.deepEqual(headers.slice(1), [...Array(4).fill([true, false, false]), [false, true, true]]); // CALL-2
  });

  test('SHIM-7: who does not wait gets consent_pending, the dialog stays, and the grant is kept', async () => {
    const opened = page(server, { patience: 1 });
    const result = await call(opened, 'get_balance');
    assert.equal(codeOf(result), 'consent_pending');
    assert.equal(result.structuredContent.retryable, true);
    assert.equal(opened.human.dialogs[0]?.closed, false);
    await opened.human.answer(0, 'approve');
    await opened.human.until(() => opened.human.dialogs[0]?.closed);
    assert.equal(runs.length, 0, 'nobody waits: nothing runs');
    assert.deepEqual(await call(opened, 'get_balance'), { done: 1 });
    assert.equal(opened.human.dialogs.length, 1);
  });

  test('GRANT-4: declined is declined, and told to the authority', async () => {
    const opened = page(server);
    const result = call(opened, 'get_balance');
    await opened.human.answer(0, 'decline');
    assert.equal(codeOf(await result), 'consent_declined');
    assert.ok(server.paths.includes('/grants/{id}/denial'));
    assert.equal(runs.length, 0);
  });

  test('BLOCK-1: declined and blocked goes to the authority in one request', async () => {
    const opened = page(server);
    const result = call(opened, 'get_balance');
    await opened.human.answer(0, 'block');
    assert.equal(codeOf(await result), 'consent_declined');
    assert.deepEqual(server.blocked, [...server.grants.keys()]);
    assert.equal(server.paths.filter((path) => path.endsWith('/denial')).length, 1);
  });

  test('different tools that need the same consent share one dialog', async () => {
    server.tools.list_transactions = { ...server.tools.get_balance };
    const opened = page(server);
    const both = [call(opened, 'get_balance'), call(opened, 'list_transactions')];
    await opened.human.answer(0, 'approve');
    assert.equal((await Promise.all(both)).length, 2);
    assert.equal(opened.human.dialogs.length, 1);
    assert.equal(runs.length, 2);
  });

  test('step-up: the human is asked for what is missing, and it goes on by itself', async () => {
    const opened = await deputized();
    const result = call(opened, 'transfer_money', { amount: 1 });
    await opened.human.until(() => opened.human.dialogs.length === 1);
    assert.deepEqual(scopesIn(opened.human.dialogs[0]?.view), ['May account:read', 'May payments:write']);
    await opened.human.answer(0, 'approve');
    await opened.human.answer(1, 'approve');
    assert.deepEqual(await result, { done: 1 });
    assert.deepEqual(runs[0]?.client.scopes, ['account:read', 'payments:write']);
  });

  test('step-up: who does not wait gets insufficient_scope with the scopes', async () => {
    const opened = page(server, { patience: 1, keyring: (await deputized()).keyring });
    const result = await call(opened, 'transfer_money', { amount: 1 });
    assert.equal(codeOf(result), 'insufficient_scope');
    assert.deepEqual(result.structuredContent.scopes, ['payments:write']);
    assert.match(result.content[0].text, /has been asked/);
    await opened.human.answer(0, 'decline');
  });

  test('GRANT-8: a tool that is described otherwise asks again, for all that the page describes now', async () => {
    server.tools.list_transactions = { ...server.tools.get_balance };
    const { keyring } = await deputized();
    const [changed, list] = [saying({ name: 'get_balance', description: 'Something else' }), saying({ name: 'list_transactions', description: 'Something else' })];
    const opened = page(server, { keyring, tools: [changed, list, registered('search_help'), registered('unheard_of')] });
    const result = /** @type {Promise<any>} any: the tool's */ (opened.gate.call(changed, execute, {}, undefined));
    await opened.human.answer(0, 'approve');
    assert.deepEqual(await result, { done: 1 });
    const asked = server.requests.findLast(({ path }) => path === '/grants');
    assert.deepEqual(asked?.body.definitions, { get_balance: await changed.definition(), list_transactions: await list.definition() });
    assert.deepEqual(await call(opened, 'get_balance'), { done: 2 });
    assert.equal(opened.human.dialogs.length, 1);
  });

  test('GRANT-8: who declines that keeps what there was', async () => {
    const { keyring } = await deputized();
    const changed = saying({ name: 'get_balance', description: 'Something else' });
    const opened = page(server, { keyring });
    const result = opened.gate.call(changed, execute, {}, undefined);
    await opened.human.answer(0, 'decline');
    assert.equal(codeOf(/** @type {Result} */ (await result)), 'consent_declined');
    assert.deepEqual(await call(opened, 'get_balance'), { done: 1 });
    assert.equal(opened.human.dialogs.length, 1);
  });

  test('PIN-1: no consent is asked for what no consent would allow', async () => {
    const pinned = registered('get_balance');
    server.tools.get_balance.pinned = [await pinned.definition()];
    const changed = saying({ name: 'get_balance', description: 'Something else' });
    for (const { keyring } of [page(server), await deputized()]) {
      const opened = page(server, { keyring });
      const result = /** @type {Result} */ (await opened.gate.call(changed, execute, {}, undefined));
      assert.equal(codeOf(result), 'definition_changed');
      assert.match(result.content[0].text, /do not follow what its description says/);
      assert.equal(opened.human.dialogs.length, 0);
    }
    assert.equal(runs.length, 0);
  });

  test('AGENT-2: what no agent may have is agent_not_allowed, without a dialog', async () => {
    assert.equal(codeOf(await call(page(server), 'close_account')), 'agent_not_allowed');
    const opened = await deputized();
    assert.equal(codeOf(await call(opened, 'close_account')), 'agent_not_allowed');
    assert.equal(opened.human.dialogs.length, 0);
  });

  test('GRANT-1: who has no passkey is not asked, but led to where one is added', async () => {
    server.passkeys = 0;
    const opened = page(server);
    const result = await call(opened, 'get_balance');
    assert.equal(codeOf(result), 'no_eligible_credential');
    const account = `${server.issuer}/account`;
    assert.equal(result.structuredContent.account_uri, account);
    assert.equal(opened.human.dialogs.length, 0);
    assert.match(opened.human.told.join(), /You have nothing here/);
    assert.deepEqual(opened.human.led, [account]);
  });

  test('GRANT-5: revoked is told once; the next call asks again', async () => {
    const opened = await deputized();
    for (const grant of server.grants.values()) grant.state = 'revoked';
    assert.equal(codeOf(await call(opened, 'get_balance')), 'grant_revoked');
    assert.equal(opened.human.dialogs.length, 0);
    const result = call(opened, 'get_balance');
    await opened.human.answer(0, 'approve');
    assert.deepEqual(await result, { done: 1 });
  });

  test('an expired grant is asked for again at once', async () => {
    const opened = await deputized();
    for (const grant of server.grants.values()) grant.state = 'expired';
    const result = call(opened, 'get_balance');
    await opened.human.answer(0, 'approve');
    assert.deepEqual(await result, { done: 1 });
  });
});

describe('the delegation', () => {
  test('GRANT-6: it is renewed once for all who need it, by the refresh token, which rotates', async () => {
    const opened = await deputized();
    for (const round of [1, 2]) {
      clock.ahead += 400_000;
      await Promise.all([1, 2, 3].map((n) => call(opened, 'get_balance', { n, round })));
    }
    assert.equal(server.paths.filter((path) => path === '/token').length, 2);
    assert.equal(runs.length, 6);
    const renewal = server.requests.find(({ path }) => path === '/token');
    assert.deepEqual(Object.keys(renewal?.body ?? {}), ['grant_type', 'refresh_token', 'client_id']);
    assert.ok(renewal?.headers.dpop);
  });

  test('a token that the authority does not take any more is renewed', async () => {
    const opened = await deputized();
    server.ahead = 301; // its clock, not ours
    assert.deepEqual(await call(opened, 'get_balance'), { done: 1 });
    assert.ok(server.paths.includes('/token'));
  });

  test('TOKEN-4: a refresh that is refused means asking again', async () => {
    const opened = await deputized();
    clock.ahead += 400_000;
    for (const grant of server.grants.values()) grant.state = 'revoked';
    const result = call(opened, 'get_balance');
    await opened.human.answer(0, 'approve');
    assert.deepEqual(await result, { done: 1 });
  });

  test('it is kept: the page loaded again needs no consent', async () => {
    const { keyring } = await deputized();
    const again = page(server, { keyring });
    assert.deepEqual(await call(again, 'get_balance'), { done: 1 });
    assert.deepEqual(server.paths, ['/tools', '/calls']);
  });

  test('GRANT-3: when another tab has got more, its grant is used, and nobody is refused', async () => {
    const first = await deputized();
    const second = page(server, { keyring: first.keyring });
    const more = call(second, 'transfer_money', { amount: 1 });
    await second.human.answer(0, 'approve');
    await second.human.answer(1, 'approve');
    assert.deepEqual(await more, { done: 1 });
    assert.deepEqual(await call(first, 'get_balance'), { done: 2 });
    const again = call(first, 'transfer_money', { amount: 2 });
    await first.human.answer(0, 'approve');
    assert.deepEqual(await again, { done: 3 });
    assert.equal(first.human.dialogs[0]?.view.kind, 'approval', 'no second consent');
  });

  test('AGENT-1: shut out, the agent is told once; then it is a new one, with a new key and a new consent', async () => {
    const opened = await deputized();
    const [agent] = server.grants.values();
    server.shutOut.add(agent?.jkt);
    assert.equal(codeOf(await call(opened, 'get_balance')), 'unknown_agent');
    assert.equal(opened.human.dialogs.length, 0);
    const result = call(opened, 'get_balance');
    await opened.human.answer(0, 'approve');
    assert.deepEqual(await result, { done: 1 });
    assert.notEqual(runs[0]?.client.agent?.clientId, `agt_${agent?.jkt}`);
  });

  test('SHIM-3: a clock that is wrong by an hour does not matter', async () => {
    server.ahead = 3600;
    const opened = await deputized();
    server.ahead = -3600;
    assert.deepEqual(await call(opened, 'get_balance'), { done: 1 });
  });

  test('CALL-1: another user in the meantime gets a delegation of their own', async () => {
    const opened = await deputized();
    server.user = { id: 'usr_bob', name: 'Bob' };
    const result = call(opened, 'get_balance');
    await opened.human.answer(0, 'approve');
    assert.deepEqual(await result, { done: 1 });
    assert.deepEqual(server.paths.slice(0, 3), ['/calls', '/tools', '/agents']);
    assert.equal(new Set([...server.grants.values()].map(({ jkt }) => jkt)).size, 2, 'AGENT-1: with a key of their own');
  });

  test('CALL-1: signed out in another tab, nothing runs, and the agent hears where to sign in', async () => {
    const opened = await deputized();
    server.user = null;
    const result = await call(opened, 'get_balance');
    assert.equal(codeOf(result), 'login_required');
    assert.ok(result.structuredContent.sign_in_uri);
    assert.equal(runs.length, 0);
  });
});

describe('approval', () => {
  test('SHIM-8: pending is shown in the words of the authority, and runs once approved', async () => {
    const opened = await payer();
    const result = call(opened, 'transfer_money', { amount: 250 });
    await opened.human.until(() => opened.human.dialogs.length === 1);
    const view = opened.human.dialogs[0]?.view;
    assert.equal(view && linesIn(view), 'Do transfer_money\nAsked by: somebody');
    assert.equal(JSON.stringify(view?.details), JSON.stringify([{ title: 'amount', values: ['\u2068250\u2069'] }]));
    assert.equal(runs.length, 0);
    await opened.human.answer(0, 'approve');
    assert.deepEqual(await result, { done: 1 });
    assert.deepEqual(server.paths, ['/calls', '/calls/{id}/challenge', '/calls/{id}/approval']);
    for (const { headers } of server.requests.slice(1)) assert.ok(headers['deputize-page']); // CALL-2
  });

  test('SHIM-2: what is sent, shown and run is one frozen value', async () => {
    const opened = await payer();
    const input = { list: [{ amount: 1 }] };
    const result = call(opened, 'transfer_money', input);
    if (input.list[0]) input.list[0].amount = 9999;
    await opened.human.answer(0, 'approve');
    await result;
    assert.deepEqual(server.requests[0]?.body.arguments, { list: [{ amount: 1 }] });
    assert.deepEqual(runs[0]?.input, { list: [{ amount: 1 }] });
    assert.ok(Object.isFrozen(runs[0]?.input.list[0]));
  });

  for (const [choice, code] of /** @type {const} */ ([['decline', 'declined'], ['removed', 'cancelled']])) {
    test(`APPR-6: ${choice} is ${code}, and told`, async () => {
      const opened = await payer();
      const result = call(opened, 'transfer_money', { amount: 1 });
      await opened.human.answer(0, choice);
      assert.equal(codeOf(await result), code);
      assert.deepEqual(server.requests.at(-1)?.body, { reason: code });
      assert.match((await result).structuredContent.correlation_id, /^cal_/);
      assert.equal(runs.length, 0);
    });
  }

  test('SHIM-7: equal calls share one dialog and one execution; different ones do not', async () => {
    const opened = await payer();
    const equal = [1, 2, 3].map(() => call(opened, 'transfer_money', { amount: 1 }));
    await opened.human.until(() => opened.human.dialogs.length === 1); // or the other could be the first to be asked about
    const other = call(opened, 'transfer_money', { amount: 2 });
    await opened.human.answer(0, 'approve');
    assert.deepEqual(await Promise.all(equal), Array(3).fill({ done: 1 }));
    await opened.human.answer(1, 'approve');
    assert.deepEqual(await other, { done: 2 });
    assert.equal(server.paths.filter((path) => path === '/calls').length, 2);
  });

  test('SHIM-7, CALL-6: approved when nobody waits, nothing runs; the next attempt resumes it', async () => {
    const opened = await payer();
    const hasty = page(server, { patience: 1, keyring: opened.keyring });
    assert.equal(codeOf(await call(hasty, 'transfer_money', { amount: 1 })), 'approval_pending');
    await hasty.human.answer(0, 'approve');
    await hasty.human.until(() => hasty.human.told.length > 0);
    assert.match(hasty.human.told.join(), /not waiting any more/);
    assert.equal(runs.length, 0);
    assert.equal(server.calls.at(-1)?.state, 'approved');
    assert.deepEqual(await call(hasty, 'transfer_money', { amount: 1 }), { done: 1 });
    assert.equal(hasty.human.dialogs.length, 1, 'no second dialog');
    assert.equal(runs[0]?.client.correlationId, server.calls.at(-1)?.call_id);
  });

  test('SHIM-7: who aborts does not count as waiting', async () => {
    const opened = await payer();
    const controller = new AbortController();
    const result = call(opened, 'transfer_money', { amount: 1 }, controller.signal);
    await opened.human.until(() => opened.human.dialogs.length === 1);
    controller.abort();
    assert.equal(codeOf(await result), 'cancelled');
    await opened.human.answer(0, 'approve');
    await opened.human.until(() => opened.human.dialogs[0]?.closed);
    assert.equal(runs.length, 0);
  });

  test('BLOCK-1: a call is declined, and its agent blocked; where there is none, there is no such button', async () => {
    const opened = await payer();
    const result = call(opened, 'transfer_money', { amount: 1 });
    await opened.human.answer(0, 'block');
    assert.equal(codeOf(await result), 'declined');
    assert.equal(server.blocked.length, 1);
    assert.match(opened.human.dialogs[0]?.view.block ?? '', /block/);
    const own = opened.gate.perform(registered('transfer_money'), execute, { amount: 2 });
    await opened.human.until(() => opened.human.dialogs.length === 2);
    assert.equal(opened.human.dialogs[1]?.view.block, '');
    await opened.human.answer(1, 'decline');
    await assert.rejects(own, { code: 'declined' });
  });

  for (const [code, again] of /** @type {const} */ ([['asked_too_often', false], ['paused', false], ['no_eligible_credential', true]])) {
    test(`PROMPT-3, PROMPT-5, CALL-5: ${code} opens no dialog; the human is told once, and the model whether to try again`, async () => {
      const opened = await payer();
      server.refusing = code;
      for (let i = 0; i < 3; i++) {
        const result = await call(opened, 'transfer_money', { amount: i });
        assert.equal(codeOf(result), code);
        assert.equal(result.structuredContent.retryable, again);
      }
      assert.equal(opened.human.dialogs.length, 0);
      assert.deepEqual(opened.human.told, [wordsFor(code).human]);
    });
  }

  test('APPR-5: a grant that is revoked while the dialog is open is refused, and nothing runs', async () => {
    const opened = await payer();
    const result = call(opened, 'transfer_money', { amount: 1 });
    server.failing = ['grant_revoked'];
    await opened.human.answer(0, 'approve');
    assert.equal(codeOf(await result), 'grant_revoked');
    assert.equal(runs.length, 0);
  });

  test('CALL-10: what was delivered is told with the next call, so that it is a new one', async () => {
    const opened = await payer();
    for (const index of [0, 1]) {
      const result = call(opened, 'transfer_money', { amount: 1 });
      await opened.human.answer(index, 'approve');
      assert.equal(codeOf(await result), undefined);
    }
    const [first] = runs;
    const told = server.requests.filter(({ path }) => path === '/calls').map(({ body }) => body.delivered);
    assert.deepEqual(told, [undefined, [first?.client.correlationId]]);
    assert.equal(runs.length, 2);
    assert.equal([...stored.values()].filter((list) => list.includes(String(first?.client.correlationId))).length, 0, 'told once');
  });

  test('CALL-6: what took longer than agents wait counts as undelivered', async () => {
    const opened = await payer();
    const result = call(opened, 'transfer_money', { amount: 1 });
    await opened.human.until(() => opened.human.dialogs.length === 1);
    clock.ahead += 26_000;
    await opened.human.answer(0, 'approve');
    assert.deepEqual(await result, { done: 1 });
    assert.equal(codeOf(await call(opened, 'transfer_money', { amount: 1 })), 'already_executed');
    assert.equal(runs.length, 1);
  });
});

describe('execution', () => {
  test('GUARD-3, GUARD-5: a tool that runs in the page is redeemed before and reported after', async () => {
    const opened = await deputized();
    /** @type {string | undefined} */
    let during;
    const result = await opened.gate.call(registered('mark_read'), () => {
      during = server.calls.at(-1)?.state;
      return { content: [], isError: true };
    }, {}, undefined);
    assert.deepEqual(result, { content: [], isError: true });
    assert.equal(during, 'redeemed');
    assert.equal(server.calls.at(-1)?.state, 'failed');
    assert.equal(await opened.gate.call(registered('mark_read'), () => 'fine', { n: 1 }, undefined), 'fine');
    assert.equal(server.calls.at(-1)?.state, 'succeeded');
  });

  test('GUARD-5: what a safe call returns is handed on while its outcome is on its way, of any other it is there first', async () => {
    server.tools.count = { ...server.tools.mark_read, approval: 'never' };
    const opened = await deputized();
    for (const [tool, state] of [['count', 'redeemed'], ['mark_read', 'succeeded']]) {
      /** @type {(value?: unknown) => void} */
      let arrives = () => {};
      const arrived = new Promise((resolve) => (arrives = resolve));
      server.before = async (path) => void (path.endsWith('/outcome') && (await arrived));
      const result = call(opened, String(tool));
      if (state === 'succeeded') arrives();
      assert.deepEqual(await result, { done: runs.length });
      assert.equal(server.calls.at(-1)?.state, state);
      arrives();
      while (server.calls.at(-1)?.state !== 'succeeded') await moment();
    }
  });

  test('GUARD-3: what cannot be redeemed does not run', async () => {
    const opened = await deputized();
    server.before = async (path) => {
      if (path.endsWith('/redemption')) for (const one of server.calls) one.state = 'redeemed';
    };
    assert.equal(codeOf(await call(opened, 'mark_read')), 'call_redeemed');
    assert.equal(runs.length, 0);
  });

  test('what the tool throws is thrown as it was, to all who wait', async () => {
    const opened = await deputized();
    const error = new RangeError('my own');
    const throwing = () => {
      throw error;
    };
    const both = [1, 2].map(() => opened.gate.call(registered('mark_read'), throwing, {}, undefined));
    for (const one of both) await assert.rejects(one, (thrown) => thrown === error);
    assert.equal(server.calls.at(-1)?.state, 'failed');
  });

  test('the newest registration of a tool is what runs', async () => {
    const opened = await payer();
    const old = opened.gate.call(registered('transfer_money'), () => 'old', {}, undefined);
    await opened.human.until(() => opened.human.dialogs[0]); // its digests may take longer than those of the next
    const young = opened.gate.call(registered('transfer_money'), () => 'young', {}, undefined);
    await opened.human.answer(0, 'approve');
    assert.deepEqual(await Promise.all([old, young]), ['young', 'young']);
  });
});

describe('CALL-7: the user directly', () => {
  test('runs after a passkey, with no agent and no delegation', async () => {
    const opened = page(server);
    const result = opened.gate.perform(registered('transfer_money'), execute, { amount: 5 });
    await opened.human.answer(0, 'approve');
    assert.deepEqual(await result, { done: 1 });
    assert.deepEqual([runs[0]?.client.agent, runs[0]?.client.scopes], [null, []]);
    const sent = server.requests.find(({ path }) => path === '/calls');
    assert.deepEqual([!!sent?.headers['deputize-page'], sent?.headers.dpop, sent?.headers.authorization], [true, undefined, undefined]);
    assert.match(opened.human.dialogs[0]?.view.legend ?? '', /^Whoever asked/);
  });

  test('waits as long as the human takes, and two clicks are one call', async () => {
    const opened = page(server, { patience: 1 });
    const twice = [1, 2].map(() => opened.gate.perform(registered('transfer_money'), execute, { amount: 5 }));
    assert.equal(codeOf(await call(page(server, { patience: 1 }), 'get_balance')), 'consent_pending');
    await opened.human.answer(0, 'approve');
    assert.deepEqual(await Promise.all(twice), [{ done: 1 }, { done: 1 }]);
  });

  test('rejects with an Error that has the code', async () => {
    const opened = page(server);
    const result = opened.gate.perform(registered('transfer_money'), execute, { amount: 5 });
    await opened.human.answer(0, 'decline');
    await assert.rejects(result, (error) => error instanceof Error && 'code' in error && error.code === 'declined');
    server.user = null;
    await assert.rejects(opened.gate.perform(registered('transfer_money'), execute, {}), { code: 'login_required' });
    await assert.rejects(opened.gate.perform(registered('search_help'), execute, {}), { code: 'tool_is_public' });
    assert.equal(runs.length, 0);
  });

  test('a form that an agent submitted is the agent\'s call, under its grant', async () => {
    const opened = await payer();
    const result = opened.gate.perform(registered('transfer_money'), execute, { amount: 5 }, true);
    await opened.human.answer(0, 'approve');
    assert.deepEqual(await result, { done: 1 });
    assert.match(runs[0]?.client.agent?.clientId ?? '', /^agt_/);
    assert.match(opened.human.dialogs[0]?.view.legend ?? '', /^The agent/);
    server.ceiling.delete('payments:write');
    for (const grant of server.grants.values()) grant.scopes = ['account:read'];
    const refused = opened.gate.perform(registered('transfer_money'), execute, { amount: 6 }, true);
    await assert.rejects(refused, { code: 'agent_not_allowed' });
  });

  test('SHIM-10: the message is for people', async () => {
    server.user = null;
    const refused = page(server).gate.perform(registered('transfer_money'), execute, { amount: 5 });
    await assert.rejects(refused, { message: 'You are not signed in here any more. Sign in, then try again.' });
    server.stop();
    const unheard = page(server).gate.perform(registered('transfer_money'), execute, { amount: 5 });
    await assert.rejects(unheard, { message: 'The site gave no answer. This page has not done anything. Please try again in a moment.' });
  });

  test('an agent\'s equal call is not the user\'s own', async () => {
    const opened = await payer();
    const agents = call(opened, 'transfer_money', { amount: 5 });
    await opened.human.until(() => opened.human.dialogs.length === 1);
    const own = opened.gate.perform(registered('transfer_money'), execute, { amount: 5 });
    await opened.human.answer(0, 'decline');
    await opened.human.answer(1, 'approve');
    const settled = await Promise.all([own, agents]);
    assert.equal(settled.filter((result) => codeOf(result) === 'declined').length, 1);
    assert.equal(runs.length, 1);
  });
});

describe('EVID-2: evidence is shown once', () => {
  const pair = 'eyJ0.eyJzY29wZSI6IiJ9.c2ln~eyJ0.eyJqdGkiOiJ4In0.c2ln';

  /**
   * A gate before an authority that judges two equal calls so, and whose first call has ended without anybody when the second comes.
   *
   * @param {...string} states
   */
  async function crossing(...states) {
    const { authority, asking } = page(server);
    const { parts } = asking;
    const seen = { judged: 0, decided: 0 };
    /** @type {(left: any) => void} any: a decision */
    let leave = () => {};
    const decider = /** @type {any} */ ({
      judge: async () => ({ callId: 'cal_1', body: { state: states[seen.judged++], call_token: 'token' }, caller: null }),
      decide: (/** @type {unknown} */ _, /** @type {any} */ call) =>
        seen.decided++ === 0 ? new Promise((resolve) => (leave = resolve)) : Promise.resolve(call.judged),
    });
    const sharing = new Sharing(decider, async (...all) => await run(parts, ...all), new Acknowledgements(server.issuer), null, new CallStatus(parts, () => {}));
    const gate = new Gate(authority, async () => ({ ...asking, sharing }));
    const controller = new AbortController();
    const input = { deputize_delegation: pair };
    const first = gate.call(registered('get_balance'), execute, input, controller.signal);
    while (seen.decided < 1) await new Promise((resolve) => setTimeout(resolve, 1));
    const second = gate.call(registered('get_balance'), execute, input, undefined);
    while (seen.judged < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    await new Promise((resolve) => setTimeout(resolve, 1)); // the second has joined
    controller.abort();
    leave({ outcome: { kind: 'left' } });
    return { seen, results: /** @type {Result[]} */ (await Promise.all([first, second])) };
  }

  test('who comes to a question that is over is told to look, and its spent proof is not sent again', async () => {
    const { seen, results } = await crossing('pending', 'pending');
    assert.deepEqual(results.map(codeOf), ['cancelled', 'call_state']);
    assert.equal(results[1].structuredContent.correlation_id, 'cal_1');
    assert.equal(results[1].structuredContent.retryable, true);
    assert.deepEqual([seen.judged, runs.length], [2, 0]);
  });

  test('who was allowed by then runs by that, once', async () => {
    const { seen, results } = await crossing('pending', 'approved');
    assert.deepEqual(results.map(codeOf), ['cancelled', undefined]);
    assert.deepEqual([seen.judged, seen.decided, runs.length], [2, 2, 1]);
  });
});
