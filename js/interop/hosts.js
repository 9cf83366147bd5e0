/**
 * MCP hosts of today, which can do no passkey ceremony: the official TypeScript client, with and without URL elicitation, in both lives.
 * Run by tests/interop/test_hosts.py, which serves the bank: one test there for each here.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { UrlElicitationRequiredError } from '@modelcontextprotocol/client';

import { deputy, done, LIVES, TRANSFER } from './bank.js';

/** @import { Deputy, Json } from './bank.js' */

const [OLD, NEW] = LIVES;
const URLS = { elicitation: { url: {} } };
const SENT = { tool: 'transfer_money', number: 1 };

/** @param {Deputy} ada @param {Record<string, unknown>} [args] @returns {Promise<Json>} */
const called = (ada, args = TRANSFER) => ada.client.callTool({ name: 'transfer_money', arguments: args });

/** @param {Promise<unknown>} calling @returns {Promise<Json>} the error of a call */
const error = (calling) => calling.then(() => assert.fail('it ran'), (/** @type {Json} */ caught) => caught);

test('a host without elicitation is told an address, and calls again (2025-11-25)', () => plain(OLD));
test('a host without elicitation is told an address, and calls again (2026-07-28)', () => plain(NEW));

/** @param {typeof LIVES[number]} life */
async function plain(life) {
  const ada = await deputy({ life });
  const told = await error(called(ada));
  assert.equal(told.code, -32001);
  assert.equal(told.data.reason, 'missing_evidence');
  assert.ok(told.message.includes(told.data.url));
  await ada.answers(told.data.url, true);
  assert.deepEqual((await called(ada)).structuredContent, SENT);
  assert.deepEqual(await done(), [['transfer_money', TRANSFER]]);
}

test('a host that knows addresses is told one in its own words (2025-11-25)', async () => {
  const ada = await deputy({ life: OLD, capabilities: URLS });
  assert.ok(ada.transport?.sessionId);
  const told = await error(called(ada));
  assert.ok(told instanceof UrlElicitationRequiredError);
  const [asked] = told.elicitations;
  assert.equal(asked?.mode, 'url');
  assert.ok(asked?.url.endsWith(`/ask/${asked.elicitationId}`));
  await ada.answers(asked?.url ?? '', true);
  assert.deepEqual((await called(ada)).structuredContent, SENT);
  assert.deepEqual(await done(), [['transfer_money', TRANSFER]]);
});

test('a host that knows addresses shows one, and goes on by itself (2026-07-28)', async () => {
  const ada = await deputy({ life: NEW, capabilities: URLS });
  /** @type {Json[]} */
  const shown = [];
  ada.client.setRequestHandler('elicitation/create', async ({ params }) => {
    shown.push(params);
    void ada.answers(/** @type {Json} */ (params).url, true);
    return { action: 'accept' };
  });
  assert.deepEqual((await called(ada)).structuredContent, SENT);
  assert.equal(shown.length, 1);
  assert.equal(shown[0].mode, 'url');
  assert.deepEqual(await done(), [['transfer_money', TRANSFER]]);
});

test('what the user declined there is declined (2025-11-25)', async () => {
  const ada = await deputy({ life: OLD, capabilities: URLS });
  const told = await error(called(ada));
  await ada.answers(told.elicitations[0].url, false);
  assert.equal((await called(ada)).structuredContent.code, 'declined');
  assert.deepEqual(await done(), []);
});

test('what the user declined there is declined (2026-07-28)', async () => {
  const ada = await deputy({ life: NEW, capabilities: URLS });
  ada.client.setRequestHandler('elicitation/create', async ({ params }) => {
    void ada.answers(/** @type {Json} */ (params).url, false);
    return { action: 'accept' };
  });
  assert.equal((await called(ada)).structuredContent.code, 'declined');
});

test('a user who does not go there has called it off (2026-07-28)', async () => {
  const ada = await deputy({ life: NEW, capabilities: URLS });
  ada.client.setRequestHandler('elicitation/create', async () => ({ action: 'decline' }));
  assert.equal((await called(ada)).structuredContent.code, 'cancelled');
});

test('a client that brings evidence is asked for that alone (2025-11-25)', () => verified(OLD));
test('a client that brings evidence is asked for that alone (2026-07-28)', () => verified(NEW));

/** @param {typeof LIVES[number]} life */
async function verified(life) {
  const ada = await deputy({ life, capabilities: { extensions: { verifiedApproval: {} } } });
  const told = await error(called(ada));
  assert.deepEqual([told.code, told.data.reason, told.data.url], [-32001, 'missing_evidence', undefined]);
  assert.equal((await ada.call('transfer_money')).kind, 'result');
  assert.equal((await done()).length, 1);
}
