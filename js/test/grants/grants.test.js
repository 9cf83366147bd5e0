/** What is sent under a grant is sent again with what was missing, whoever sends it (GRANT-1 to GRANT-6). */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';

import { TestAuthority } from '../authority.js';
import { page } from '../harness.js';

const { problem } = await import('../../src/authority/authority.js');

/** @import { Reply } from '../../src/types.js' */

const SCOPES = ['account:read'];

/** @type {TestAuthority} */
let server;
beforeEach(async () => {
  server = await new TestAuthority().start();
});
afterEach(() => server.stop());

/** A page, and somebody who sends something under its grant; the human allows whatever they are asked. */
function sender(opened = page(server)) {
  const { grants, human } = opened;
  const sent = /** @type {string[]} */ ([]);
  const asked = /** @type {Array<string | undefined>} */ ([]);
  /** @param {...string} codes with which it is refused, one after the other, before it is taken */
  const send = async (...codes) => {
    const config = await opened.authority.config();
    assert.ok('issuer' in config);
    return grants.use(
      'usr_ada',
      /** @returns {Promise<Reply<string>>} */
      async ({ access }) => {
        sent.push(access);
        const code = codes.shift();
        return code ? { ok: false, problem: problem(code) } : { ok: true, body: 'taken' };
      },
      async (missing) => {
        asked.push(missing?.code);
        void human.answer(human.dialogs.length, 'approve');
        return grants.consents.ask(config, 'usr_ada', SCOPES);
      },
    );
  };
  return { ...opened, sent, asked, send };
}

/** Somebody who has a grant already. */
async function granted() {
  const opened = sender();
  await opened.send();
  opened.sent.length = opened.asked.length = 0;
  return opened;
}

test('without a grant the user is asked first, and then it is sent', async () => {
  const { send, sent, asked } = sender();
  const { reply, tokens } = await send();
  assert.deepEqual(reply, { ok: true, body: 'taken' });
  assert.deepEqual([sent, asked], [[tokens?.access], [undefined]]);
});

describe('refused once, it is sent once more', () => {
  for (const code of ['consent_required', 'grant_expired', 'grant_unknown']) {
    test(`after another consent: ${code}`, async () => {
      const { send, sent, asked } = await granted();
      assert.ok((await send(code)).reply.ok);
      assert.equal(new Set(sent).size, 2);
      assert.deepEqual(asked, [undefined]);
    });
  }

  test('with newer tokens, and no question: invalid_token', async () => {
    const { send, sent, asked } = await granted();
    assert.ok((await send('invalid_token')).reply.ok);
    assert.equal(new Set(sent).size, 2);
    assert.deepEqual(asked, []);
  });

  for (const code of ['insufficient_scope', 'consent_outdated']) {
    test(`after a consent to what was missing: ${code}`, async () => {
      const { send, asked } = await granted();
      assert.ok((await send(code)).reply.ok);
      assert.deepEqual(asked, [code]);
    });
  }

  for (const code of ['insufficient_scope', 'consent_outdated', 'grant_revoked', 'grant_expired']) {
    test(`with what another tab has got meanwhile, and no question: ${code}`, async () => {
      const opened = await granted();
      const other = sender({ ...page(server, { keyring: opened.keyring }) });
      const { tokens } = await other.send('grant_expired');
      assert.ok((await opened.send(code)).reply.ok);
      assert.deepEqual([opened.asked, opened.sent.at(-1)], [[], tokens?.access]);
    });
  }
});

test('if the tokens of another tab have too few scopes as well, the user is asked', async () => {
  const opened = await granted();
  await sender({ ...page(server, { keyring: opened.keyring }) }).send('grant_expired');
  assert.ok((await opened.send('insufficient_scope', 'insufficient_scope')).reply.ok);
  assert.deepEqual(opened.asked, ['insufficient_scope']);
});

test('the user is asked once for what is missing; after that the refusal stands', async () => {
  const { send, asked } = await granted();
  const { reply } = await send('insufficient_scope', 'insufficient_scope');
  assert.equal(!reply.ok && reply.problem.code, 'insufficient_scope');
  assert.deepEqual(asked, ['insufficient_scope']);
});

for (const code of ['grant_revoked', 'unknown_agent']) {
  test(`GRANT-5: ${code} stands, and only the next one asks`, async () => {
    const { send, asked } = await granted();
    const { reply } = await send(code);
    assert.equal(!reply.ok && reply.problem.code, code);
    assert.deepEqual(asked, []);
    assert.ok((await send()).reply.ok);
    assert.deepEqual(asked, [undefined]);
  });
}

test('what no consent would mend stands at once', async () => {
  const { send, sent, asked } = await granted();
  const { reply } = await send('invalid_arguments');
  assert.equal(!reply.ok && reply.problem.code, 'invalid_arguments');
  assert.deepEqual([sent.length, asked], [1, []]);
});

test('an authority that never takes what it gave is asked four times, and its last word stands', async () => {
  const { send, sent } = await granted();
  const { reply } = await send('invalid_token', 'grant_expired', 'invalid_token', 'grant_unknown');
  assert.equal(!reply.ok && reply.problem.code, 'grant_unknown');
  assert.equal(sent.length, 4);
});
