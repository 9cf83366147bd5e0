/** A `fetch` for MCP clients that speaks for the agent in this browser, over HTTP with real proofs (MCP-2, MCP-14). */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { TestAuthority } from '../authority.js';
import { page, scopesIn } from '../harness.js';
import { clock } from '../platform.js';

const { DelegatedFetch, NotDelegated } = await import('../../src/mcp/delegated-fetch.js');

/** @type {TestAuthority} */
let server;
beforeEach(async () => {
  server = await new TestAuthority().start();
});
afterEach(() => {
  clock.ahead = 0;
  server.stop();
});

/** @param {string[]} [scopes] @param {import('../../src/authority/keyring.js').Keyring} [shared] */
function open(scopes = ['account:read'], shared) {
  const { human, ...parts } = page(server, { keyring: shared });
  const delegated = new DelegatedFetch(parts, scopes);
  /** @param {string} [scope] @param {string} [url] */
  const send = async (scope = 'account:read', url = `${server.issuer}/mcp`) => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping', params: { scope } });
    const response = await delegated.fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
    return response.json();
  };
  return { human, keyring: parts.keyring, delegated, send };
}

/** @param {string[]} [scopes] */
async function consented(scopes) {
  const opened = open(scopes);
  const obtained = opened.delegated.connect();
  await opened.human.answer(0, 'approve');
  await obtained;
  server.requests = [];
  return opened;
}

const refused = (/** @type {string} */ code) => (/** @type {unknown} */ error) => error instanceof NotDelegated && error.code === code;
const messages = () => server.requests.filter(({ path }) => path === '/mcp');

test('each message carries the delegation and a proof of its own; the authority checks both', async () => {
  const { send } = await consented();
  assert.deepEqual((await send()).result, { user: 'usr_ada' });
  await send();
  const proofs = messages().map(({ headers }) => headers.dpop);
  assert.equal(new Set(proofs).size, 2);
  assert.match(messages()[0]?.headers.authorization, /^DPoP access\./);
});

test('the user is asked once, for what was named', async () => {
  const { human, send } = open();
  const first = send();
  const second = send();
  await human.answer(0, 'approve');
  await Promise.all([first, second]);
  await send();
  assert.equal(human.dialogs.length, 1);
  assert.deepEqual(scopesIn(human.dialogs[0]?.view), ['May account:read']);
});

test('no other address gets the delegation', async () => {
  const { delegated } = await consented();
  for (const path of ['/mcp/', '/mcp2', '/tools', '/calls']) {
    await delegated.fetch(server.issuer + path, { method: 'POST', body: '{}' });
    const last = server.requests.at(-1);
    assert.equal(last?.headers.authorization, undefined);
    assert.equal(last?.headers.dpop, undefined);
  }
});

test('the delegation does not follow a redirect', async (context) => {
  const { send } = await consented();
  const elsewhere = await new TestAuthority().start();
  context.after(() => elsewhere.stop());
  server.redirect = `${elsewhere.issuer}/mcp`;
  await assert.rejects(send(), TypeError);
  assert.deepEqual(elsewhere.requests, []);
});

test('a missing scope is asked for, with what there is, and the message comes again', async () => {
  const { human, send } = await consented();
  const answer = send('payments:write');
  await human.answer(1, 'approve');
  assert.ok((await answer).result);
  assert.deepEqual(scopesIn(human.dialogs[1]?.view), ['May account:read', 'May payments:write']);
  assert.equal(messages().length, 2);
});

test('whoever declines that has refused the message', async () => {
  const { human, send } = await consented();
  const answer = send('payments:write');
  await human.answer(1, 'decline');
  await assert.rejects(answer, refused('consent_declined'));
  assert.equal(messages().length, 1);
});

test('SHIM-3: proofs are made by the authority’s clock, also when it changes', async () => {
  const { send } = await consented();
  server.ahead = 100;
  assert.ok((await send()).result);
  assert.equal(messages().length, 2);
});

test('GRANT-5: what was taken back is not asked for again by itself; a new connection asks', async () => {
  const { human, delegated, send } = await consented();
  for (const grant of server.grants.values()) grant.state = 'revoked';
  await assert.rejects(send(), refused('grant_revoked'));
  assert.equal(human.dialogs.length, 1);
  const again = delegated.connect();
  await human.answer(1, 'approve');
  await again;
  assert.ok((await send()).result);
});

test('GRANT-3: what the shim has got meanwhile takes the place of what is over', async () => {
  const { human, keyring, send } = await consented();
  const shim = open(['payments:write'], keyring);
  const more = shim.delegated.fetch(`${server.issuer}/mcp`, { method: 'POST', body: JSON.stringify({ id: 1, params: { scope: 'payments:write' } }) });
  await shim.human.answer(0, 'approve');
  await more;
  assert.ok((await send()).result);
  assert.ok((await send('payments:write')).result);
  assert.equal(human.dialogs.length, 1, 'the user was asked by the other one');
});

test('with nobody signed in it is refused; somebody else is asked for a grant of their own', async () => {
  const { human, send } = await consented();
  server.user = null;
  await assert.rejects(send(), refused('login_required'));
  server.user = { id: 'usr_bob', name: 'Bob' };
  const answer = send();
  await human.answer(1, 'approve'); // Bob's agent is another one
  assert.deepEqual((await answer).result, { user: 'usr_bob' });
});

test('an authority that cannot be reached is no answer, as with any fetch', async () => {
  const { send } = await consented();
  server.before = async () => server.stop();
  await assert.rejects(send(), TypeError);
});

test('GRANT-1: who has no passkey is not asked, but led to where one is added', async () => {
  server.passkeys = 0;
  const { human, send } = open();
  await assert.rejects(send(), refused('no_eligible_credential'));
  assert.equal(human.dialogs.length, 0);
  assert.match(human.told.join(), /You have nothing here/);
  assert.deepEqual(human.led, [`${server.issuer}/account`]);
});
