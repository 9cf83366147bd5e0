/** A question that is answered elsewhere: the page that waits goes on at once, and each participant is told the truth (WAIT-1, APPR-12). */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';

import { TestAuthority } from '../authority.js';
import { page, registered } from '../harness.js';
import { noted, stored } from '../platform.js';

const { Authority } = await import('../../src/authority/authority.js');

/** @typedef {any} Result any: what an agent gets, read by a test */

/** @type {TestAuthority} */
let server;
let runs = 0;

beforeEach(async () => {
  server = await new TestAuthority().start();
  runs = 0;
  stored.clear();
});
afterEach(() => server.stop());

const execute = async () => ({ done: ++runs });
const AUTHORITY = { state: 'approved', answered_on: 'authority' };

/** A page whose agent may pay, and asks for a payment. */
async function asked() {
  const opened = page(server);
  const first = opened.gate.call(registered('transfer_money'), execute, { to: 'nobody' }, undefined);
  await opened.human.answer(0, 'approve');
  await opened.human.answer(1, 'decline');
  await first;
  opened.human.dialogs = [];
  opened.human.told = [];
  server.requests = [];
  const pay = (/** @type {number} */ amount) => /** @type {Promise<Result>} */ (opened.gate.call(registered('transfer_money'), execute, { amount }, undefined));
  const result = pay(1);
  await opened.human.until(() => opened.human.dialogs.length === 1);
  return { ...opened, result, pay, call: server.calls.at(-1) };
}

describe('a call', () => {
  test('approved on the authority’s page runs as if approved here, and the human is told where', async () => {
    const { human, result, call } = await asked();
    await server.elsewhere(call, AUTHORITY);
    assert.deepEqual(await result, { done: 1 });
    assert.deepEqual(server.paths.slice(-1), ['/calls/{id}/resumption']);
    assert.deepEqual([human.dialogs[0]?.closed, human.told], [true, ['You approved this on the authority’s own page.']]);
  });

  test('answered here gives up its own wait, and is told of as no authority that does not answer', async () => {
    const { human, result } = await asked();
    noted.length = 0;
    await human.answer(0, 'approve');
    assert.deepEqual(await result, { done: 1 });
    await setImmediate(); // the wait that was given up ends after the answer
    assert.deepEqual(noted, []);
    await new Authority('http://127.0.0.1:1').config();
    assert.equal(noted.length, 1, 'one that does not answer is told of');
  });

  test('declined there is declined here', async () => {
    const { human, result, call } = await asked();
    await server.elsewhere(call, { state: 'declined' });
    assert.equal((await result).structuredContent.code, 'declined');
    assert.deepEqual([runs, human.told], [0, ['You said no to this, so it is not done.']]);
  });

  test('approved in another window runs there, and here nobody is told that it has not happened', async () => {
    const { human, result, call } = await asked();
    await server.elsewhere(call, { state: 'approved', answered_on: 'page' });
    assert.equal((await result).structuredContent.code, 'call_state');
    assert.equal(runs, 0);
    assert.match(human.told.join(), /answered already, perhaps in another window/);
  });

  test('cancelled before this page went on with it does not run', async () => {
    const { result, call } = await asked();
    server.before = async (path) => {
      if (path.endsWith('/resumption') && call) call.state = 'cancelled';
    };
    await server.elsewhere(call, AUTHORITY);
    assert.equal((await result).structuredContent.code, 'cancelled');
    assert.equal(runs, 0);
  });

  test('whose wait breaks off is looked at, and waited for again', async () => {
    const { human, result, call } = await asked();
    await server.stopWaiting(call);
    if (call) Object.assign(call, AUTHORITY); // nobody hears of it
    assert.deepEqual(await result, { done: 1 });
    assert.equal(human.dialogs[0]?.closed, true);
  });

  test('that the page’s own answer approves is told once, by that answer', async () => {
    const { human, result, call } = await asked();
    server.before = async (path) => {
      if (path.endsWith('/approval')) await server.elsewhere(call, { state: 'pending' });
    };
    await human.answer(0, 'approve');
    assert.deepEqual(await result, { done: 1 });
    assert.deepEqual([human.told, server.paths.includes('/calls/{id}/resumption')], [[], false]);
  });

  test('that is answered on the authority’s page only leads there, and asks for no passkey', async () => {
    const before = await asked();
    await before.human.answer(0, 'decline');
    await before.result;
    server.surface = 'authority';
    const result = before.pay(2);
    await before.human.until(() => before.human.dialogs.length === 2);
    const call = server.calls.at(-1);
    assert.ok(before.human.dialogs[1]?.texts.includes(`at: ${server.issuer}/ask/${call?.call_id}`));
    await server.elsewhere(call, AUTHORITY);
    assert.deepEqual(await result, { done: 1 });
    assert.equal(before.human.signed, 1, 'the consent before: nothing is signed here');
  });

  test('whose policy has become stricter leads there after the click', async () => {
    const { human, result, call } = await asked();
    server.surface = 'authority';
    await human.answer(0, 'approve');
    await human.until(() => human.dialogs[0]?.texts.includes(`at: ${server.issuer}/ask/${call?.call_id}`));
    assert.equal(human.signed, 1, 'the consent before: nothing is signed here');
    await human.answer(0, 'decline');
    assert.equal((await result).structuredContent.code, 'declined');
  });
});

describe('a consent', () => {
  test('given on the authority’s page brings the tokens to the page that asked', async () => {
    const { human, gate } = page(server);
    const result = gate.call(registered('get_balance'), execute, {}, undefined);
    await human.until(() => human.dialogs.length === 1);
    await server.elsewhere([...server.grants.values()].at(-1), { state: 'active' });
    assert.deepEqual(await result, { done: 1 });
    assert.deepEqual(human.told, ['You allowed this on the authority’s own page.']);
    assert.ok(server.paths.includes('/grants/{id}/resumption'));
  });

  test('declined there asks nothing more', async () => {
    const { human, gate } = page(server);
    const result = /** @type {Promise<Result>} */ (gate.call(registered('get_balance'), execute, {}, undefined));
    await human.until(() => human.dialogs.length === 1);
    await server.elsewhere([...server.grants.values()].at(-1), { state: 'declined' });
    assert.equal((await result).structuredContent.code, 'consent_declined');
    assert.equal(runs, 0);
  });
});
