/** What people and agents are told when an answer is lost on its way (SHIM-11): nothing that is not so. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';

import { TestAuthority } from '../authority.js';
import { page, registered } from '../harness.js';
import { stored } from '../platform.js';

/** @import { ServerResponse } from 'node:http' */
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

const execute = async (/** @type {unknown} */ _, /** @type {{correlationId: string | null}} */ client) => {
  runs += 1;
  const call = server.calls.find(({ call_id }) => call_id === client.correlationId);
  if (call && server.tools[call.tool].executes === 'api') call.state = 'succeeded'; // as the API's guard would report
  return { done: runs };
};

/** To a call and a redemption it says itself what is so. */
const UNSURE = 'whether it was recorded is not known';

/** How an answer is lost: on the wire, behind a proxy of somebody else, in a captive portal, cut off, or by a fault of the server. */
const LOSSES = /** @type {Record<string, (response: ServerResponse) => void>} */ ({
  'the connection breaks': (response) => void response.destroy(),
  'a proxy answers 502': (response) => void response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad gateway</h1>'),
  'a proxy answers 403': (response) => void response.writeHead(403, { 'content-type': 'text/html' }).end('<h1>No</h1>'),
  'a portal answers 200': (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome</h1>'),
  'JSON of somebody else': (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok": true}'),
  'it is cut off': (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{"state": "appr'),
  'a fault of the server': (response) => void response.writeHead(500).end('{"code": "server_error", "detail": ""}'),
  [UNSURE]: (response) =>
    void response.writeHead(409).end('{"code": "outcome_unknown", "detail": "", "call_id": "cal_1"}'),
  'the record cannot be written': (response) => void response.writeHead(503).end('{"code": "record_unavailable", "detail": ""}'),
});

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
  const pay = () => /** @type {Promise<Result>} */ (opened.gate.call(registered('transfer_money'), execute, { amount: 1 }, undefined));
  const result = pay();
  await opened.human.until(() => opened.human.dialogs.length === 1);
  const [dialog] = opened.human.dialogs;
  const says = (/** @type {RegExp} */ wanted) => opened.human.until(() => wanted.test(dialog?.texts.at(-1) ?? ''));
  return { ...opened, result, pay, dialog, says, call: () => server.calls.at(-1) };
}

/** @param {RegExp} path @param {'before' | 'after'} when @param {number} [times] */
function lose(path, when, times = 1) {
  server.loses = (asked) => (path.test(asked) && times-- > 0 ? when : '');
}

describe('SHIM-11: the answer to an approval is lost', () => {
  for (const [how, loss] of Object.entries(LOSSES)) {
    test(`after it arrived (${how}): the human learns so, and can cancel it`, async () => {
      const { human, result, says, call } = await asked();
      server.lose = loss;
      lose(/approval$/, 'after');
      await human.answer(0, 'approve');
      await says(/^Your approval arrived\. What you approved may still be done until .+\. \[Go on \| Cancel it\]$/);
      assert.equal(call()?.state, 'approved');
      await human.answer(0, 'decline');
      assert.equal((await result).structuredContent.code, 'declined');
      assert.deepEqual([call()?.state, runs], ['declined', 0]);
    });

    test(`before it arrived (${how}): the human learns so, and can try again`, async () => {
      const { human, result, says } = await asked();
      server.lose = loss;
      lose(/approval$/, 'before');
      await human.answer(0, 'approve');
      await says(/^Your approval has not arrived/);
      await human.answer(0, 'approve');
      assert.deepEqual(await result, { done: 1 });
    });
  }

  test('who wants it goes on, and it is done once', async () => {
    const { human, result, says } = await asked();
    lose(/approval$/, 'after');
    await human.answer(0, 'approve');
    await says(/arrived/);
    await human.answer(0, 'approve');
    assert.deepEqual(await result, { done: 1 });
    assert.equal(human.signed, 2, 'the consent and this: nothing is signed twice');
  });

  for (const when of /** @type {const} */ (['before', 'after'])) {
    test(`lost ${when}, and nobody can be asked: it is said to be unknown, and until when; one can look again`, async () => {
      const { human, result, says, call } = await asked();
      server.loses = (path) => (/approval$/.test(path) ? when : /cal_[^/]+$/.test(path) ? 'before' : '');
      await human.answer(0, 'approve');
      await says(/not known whether your approval arrived\. If it did, what you approved may still be done until .+\[Look again \| Cancel it\]$/);
      server.loses = () => '';
      await human.answer(0, 'approve');
      await says(when === 'after' ? /Your approval arrived/ : /has not arrived/);
      await human.answer(0, 'decline');
      assert.equal((await result).structuredContent.code, 'declined');
      assert.deepEqual([call()?.state, runs], ['declined', 0]);
    });

    test(`lost ${when}, and it cannot be cancelled either: nobody is told that nothing was done`, async () => {
      const { human, result, dialog, says, pay, call } = await asked();
      server.loses = (path) => (/approval$/.test(path) ? when : /cal_/.test(path) && !/challenge$/.test(path) ? 'before' : '');
      await human.answer(0, 'approve');
      await says(/not known/);
      await human.answer(0, 'decline');
      await says(/not known.+\[Look again \| Close\]$/);
      await human.answer(0, 'decline');
      const told = await result;
      assert.equal(told.structuredContent.code, 'approval_unknown');
      assert.equal(told.structuredContent.retryable, false);
      assert.match(human.told.join(), /not known whether your approval arrived\. If it did, what you approved may still be done until/);
      assert.doesNotMatch([...human.told, ...(dialog?.texts ?? [])].join(), /[Nn]othing (was|has)|not done/);
      assert.equal(runs, 0);
      server.loses = () => '';
      if (call()?.state !== 'approved') return;
      await pay(); // what was announced
      assert.equal(runs, 1);
    });
  }

  test('the cancelling is on its way, its answer lost: it is looked up', async () => {
    const { human, result, says, call } = await asked();
    lose(/approval$|denial$/, 'after', 2);
    await human.answer(0, 'approve');
    await says(/arrived/);
    await human.answer(0, 'decline');
    assert.equal((await result).structuredContent.code, 'declined');
    assert.equal(call()?.state, 'declined');
  });

  test('another window was quicker: it was started, and that is said', async () => {
    const { human, result, says, call } = await asked();
    lose(/approval$/, 'after');
    await human.answer(0, 'approve');
    await says(/arrived/);
    Object.assign(call() ?? {}, { state: 'redeemed' });
    await human.answer(0, 'decline');
    assert.equal((await result).structuredContent.code, 'call_redeemed');
    assert.match(human.told.join(), /started already/);
  });

  test('approved in another window while this dialog is open: so it is said here', async () => {
    const { human, says, call, result } = await asked();
    Object.assign(call() ?? {}, { state: 'approved' });
    await human.answer(0, 'approve');
    await says(/Your approval arrived/);
    await human.answer(0, 'decline');
    assert.equal((await result).structuredContent.code, 'declined');
    assert.equal(call()?.state, 'declined');
  });

  test('done in another window, and declined here: nobody hears that it was not done', async () => {
    const { human, call, result } = await asked();
    Object.assign(call() ?? {}, { state: 'succeeded' });
    await human.answer(0, 'decline');
    assert.equal((await result).structuredContent.code, 'call_redeemed');
    assert.match(human.told.join(), /started already/);
  });

  test('declined while it is on its way: it is cancelled, and that is certain, before the dialog goes', async () => {
    const { human, result, dialog, call } = await asked();
    /** @type {() => void} */
    let go = () => {};
    server.before = async (path) => {
      if (/approval$/.test(path)) await new Promise((resolve) => (go = () => resolve(null)));
    };
    await human.answer(0, 'approve');
    await human.until(() => dialog?.texts.includes('Checking…'));
    while (!server.requests.some(({ path }) => /challenge$/.test(path))) await new Promise((resolve) => setTimeout(resolve, 1));
    await human.answer(0, 'decline');
    assert.equal((await result).structuredContent.code, 'declined');
    go();
    assert.deepEqual([call()?.state, runs], ['declined', 0]);
  });

  test('the page takes the dialog away: what was sent is cancelled, or said to be unknown', async () => {
    const { human, result, says, call } = await asked();
    lose(/approval$/, 'after');
    await human.answer(0, 'approve');
    await says(/arrived/);
    await human.answer(0, 'removed');
    assert.equal((await result).structuredContent.code, 'cancelled');
    assert.equal(call()?.state, 'cancelled');
  });
});

describe('SHIM-11: other answers are lost', () => {
  for (const [how, loss] of Object.entries(LOSSES)) {
    for (const when of /** @type {const} */ (['before', 'after'])) {
      if (how !== UNSURE) test(`to a call, ${when} (${how}): nothing ran, and the next call is the same one`, async () => {
        const { human, result, pay } = await asked();
        await human.answer(0, 'decline');
        await result;
        server.lose = loss;
        lose(/calls$/, when);
        const told = (await pay()).structuredContent;
        assert.ok(['authority_unavailable', 'record_unavailable', 'server_error'].includes(told.code), told.code);
        assert.deepEqual([told.retryable, runs], [true, 0]);
        const again = pay();
        await human.answer(1, 'approve');
        assert.deepEqual(await again, { done: 1 });
      });

      test(`to a challenge, ${when} (${how}): nothing is at stake, and it can be tried again`, async () => {
        const { human, result, says } = await asked();
        server.lose = loss;
        lose(/challenge$/, when);
        await human.answer(0, 'approve');
        await says(/Please try again/);
        await human.answer(0, 'approve');
        assert.deepEqual(await result, { done: 1 });
      });

      test(`to a no, ${when} (${how}): it was not approved, so nothing ran`, async () => {
        const { human, result, call } = await asked();
        server.lose = loss;
        lose(/denial$/, when);
        await human.answer(0, 'decline');
        assert.equal((await result).structuredContent.code, 'declined');
        assert.deepEqual([runs, call()?.state], [0, when === 'after' ? 'declined' : 'pending']);
      });

      if (how !== UNSURE) test(`to a redemption, ${when} (${how}): the page runs nothing, and says no more`, async () => {
        const { human, result, gate } = await asked();
        await human.answer(0, 'decline');
        await result;
        server.lose = loss;
        lose(/redemption$/, when);
        const told = /** @type {Promise<Result>} */ (gate.call(registered('mark_read'), execute, {}, undefined));
        await human.answer(1, 'approve'); // of a scope that it had not
        assert.match((await told).content[0].text, /this page has run nothing/);
        assert.equal(runs, 0);
      });

      test(`to a consent, ${when} (${how}): the human learns whether it arrived, and can take it back`, async () => {
        const { human, gate } = page(server);
        server.lose = loss;
        lose(/grt_.+approval$/, when);
        const result = /** @type {Promise<Result>} */ (gate.call(registered('get_balance'), execute, {}, undefined));
        await human.answer(0, 'approve');
        const wanted = when === 'after' ? /^Your permission arrived, and holds until .+\[Keep it \| Take it back\]$/ : /^Your permission has not arrived/;
        await human.until(() => wanted.test(human.dialogs[0]?.texts.at(-1) ?? ''));
        await human.answer(0, 'decline');
        assert.equal((await result).structuredContent.code, 'consent_declined');
        const [grant] = server.grants.values();
        assert.equal(grant?.state, when === 'after' ? 'revoked' : 'declined');
        assert.equal(runs, 0);
      });
    }
  }

  test('a consent that arrived and is kept: the page goes on with it, and nobody is asked again', async () => {
    const { human, gate } = page(server);
    lose(/grt_.+approval$/, 'after');
    const balance = () => /** @type {Promise<Result>} */ (gate.call(registered('get_balance'), execute, {}, undefined));
    const result = balance();
    await human.answer(0, 'approve');
    await human.until(() => /arrived/.test(human.dialogs[0]?.texts.at(-1) ?? ''));
    await human.answer(0, 'approve');
    assert.deepEqual(await result, { done: 1 });
    assert.equal(human.dialogs.length, 1);
  });

  test('a consent of which nothing can be learned is said to be unknown', async () => {
    const { human, gate } = page(server);
    server.loses = (path) => (/grt_.+approval$/.test(path) ? 'after' : /grt_/.test(path) && !/challenge$/.test(path) ? 'before' : '');
    const result = /** @type {Promise<Result>} */ (gate.call(registered('get_balance'), execute, {}, undefined));
    await human.answer(0, 'approve');
    await human.until(() => /not known/.test(human.dialogs[0]?.texts.at(-1) ?? ''));
    await human.answer(0, 'decline');
    await human.until(() => /Close\]$/.test(human.dialogs[0]?.texts.at(-1) ?? ''));
    await human.answer(0, 'decline');
    assert.equal((await result).structuredContent.code, 'consent_unknown');
    assert.match(human.told.join(), /not known whether your permission arrived/);
  });
});
