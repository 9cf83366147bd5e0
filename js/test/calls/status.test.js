/** What an agent is told that asks what became of its calls (SHIM-16). */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';

import { TestAuthority } from '../authority.js';
import { page, registered } from '../harness.js';
import { stored } from '../platform.js';

/** @typedef {ReturnType<typeof page>} Page */

/** @type {TestAuthority} */
let server;
let ran = 0;
beforeEach(async () => {
  server = await new TestAuthority().start();
  stored.clear();
  ran = 0;
});
afterEach(() => server.stop());

/** @param {Page} opened @param {string} name @param {object} [input] @param {AbortSignal} [signal] @returns {Promise<any>} any: an agent's answer */
const call = (opened, name, input = {}, signal) => opened.gate.call(registered(name), () => ({ done: ++ran }), input, signal);
/** @param {Page} opened @param {unknown} [input] @returns {Promise<any>} any: an agent's answer */
const asks = (opened, input = {}) => /** @type {any} any: it is there */ (opened.offered[0]).execute(input);
/** @param {Page} opened @param {unknown} [input] */
const states = async (opened, input) => (await asks(opened, input)).structuredContent.calls.map((/** @type {any} */ { state, code }) => code ?? state);

/** A page with an agent that does not wait. */
async function hasty() {
  const opened = page(server, { patience: 1 });
  assert.equal((await call(opened, 'transfer_money')).structuredContent.code, 'consent_pending');
  return opened;
}

/** The same, once the user has deputized the agent, and is asked for an approval. */
async function deputized() {
  const opened = await hasty();
  const { human } = opened;
  assert.deepEqual(await states(opened), ['waiting']);
  await human.answer(0, 'approve');
  await human.until(() => human.dialogs[0]?.closed);
  while ((await states(opened))[0] !== 'left') await turn();
  assert.equal((await call(opened, 'transfer_money')).structuredContent.code, 'approval_pending');
  return opened;
}

test('there is such a tool from the first call on, once', async () => {
  const opened = page(server, { patience: 1 });
  assert.deepEqual(opened.offered, []);
  await call(opened, 'get_balance');
  await call(opened, 'mark_read');
  assert.deepEqual(opened.offered.map(({ name }) => name), ['deputize.call_status']);
});

test('an agent that did not wait learns that the human has approved, calls again, and learns that it is done', async () => {
  const opened = await deputized();
  const { human } = opened;
  const { structuredContent, content } = await asks(opened);
  const [{ tool, correlation_id: id, state, retryable }] = structuredContent.calls;
  assert.deepEqual([tool, state, retryable], ['transfer_money', 'waiting', true]);
  assert.equal(id, server.calls[0]?.call_id);
  assert.match(content[0].text, /^transfer_money \(cal_[^)]+\): The user is being asked about it/);
  await human.answer(1, 'approve');
  await human.until(() => human.told.length > 0);
  while ((await states(opened, { correlation_id: id }))[0] === 'waiting') await turn();
  assert.deepEqual(await states(opened, { correlation_id: id }), ['approved']);
  assert.equal(ran, 0);
  assert.deepEqual(await call(opened, 'transfer_money'), { done: 1 });
  const last = await asks(opened, { correlation_id: id });
  assert.equal(last.structuredContent.calls.length, 1);
  assert.equal(last.structuredContent.calls[0].state, 'done');
  assert.match(last.content[0].text, /It has run, and is done/);
  assert.equal(last.structuredContent.calls[0].retryable, false);
  assert.equal(server.calls.length, 1);
});

test('a call that was declined, failed, or answered elsewhere', async () => {
  const opened = await deputized();
  const { human } = opened;
  const [pending] = server.calls;
  Object.assign(pending ?? {}, { state: 'succeeded' });
  assert.equal((await states(opened))[0], 'done', 'in another window');
  Object.assign(pending ?? {}, { state: 'expired' });
  assert.equal((await states(opened))[0], 'expired');
  Object.assign(pending ?? {}, { state: 'pending' });
  await human.answer(1, 'decline');
  await human.until(() => human.dialogs[1]?.closed);
  while ((await states(opened))[0] === 'waiting') await turn();
  assert.equal((await states(opened))[0], 'declined');
  const failing = () => Promise.reject(new Error('mine'));
  server.tools.transfer_money.approval = 'never';
  await assert.rejects(opened.gate.call(registered('transfer_money'), failing, { n: 2 }, undefined), /mine/);
  assert.equal((await states(opened))[0], 'failed');
});

test('calls of others are not known: with evidence, of the page, of another user, of another page', async () => {
  const opened = page(server, { patience: 1 });
  await call(opened, 'get_balance');
  await call(opened, 'get_balance', { deputize_delegation: 'eyJ0.eyJzY29wZSI6ImEgYiJ9.c2ln~eyJ0.eyJqdGkiOiJ4In0.c2ln', n: 1 });
  opened.gate.perform(registered('transfer_money'), () => 1, {}).catch(() => {}); // it ends at the latest when nobody is signed in
  await opened.human.until(() => opened.human.dialogs.length > 0);
  const all = (await asks(opened)).structuredContent.calls;
  assert.deepEqual(all.map((/** @type {any} */ each) => each.tool), ['get_balance']);
  for (const { call_id } of server.calls) assert.deepEqual(await states(opened, { correlation_id: call_id }), []);
  assert.match((await asks(opened, { correlation_id: 'cal_x' })).content[0].text, /knows of no such call/);
  server.user = { id: 'usr_eve', name: 'Eve' };
  assert.deepEqual(await states(opened), []);
  server.user = null;
  assert.deepEqual(await states(opened), []);
});

test('the last ten are known, the newest first', async () => {
  const opened = page(server, { patience: 1 });
  for (let n = 0; n < 12; n++) await call(opened, n === 11 ? 'mark_read' : 'get_balance', { n });
  const { calls } = (await asks(opened)).structuredContent;
  assert.equal(calls.length, 10);
  assert.equal(calls[0].tool, 'mark_read');
});

for (const bad of [null, 'cal_x', [], { correlation_id: 5 }, { correlation_id: null }]) {
  test(`${JSON.stringify(bad)} is no question`, async () => {
    const opened = await hasty();
    assert.equal((await asks(opened, bad)).structuredContent.code, 'invalid_arguments');
  });
}

test('without the authority nothing is told', async () => {
  const opened = await hasty();
  server.loses = () => 'before';
  assert.equal((await asks(opened)).structuredContent.code, 'authority_unavailable');
});
