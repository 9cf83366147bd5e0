/** The methods of approval that a page has (APPR-9), as the authority's own pages use them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import '../platform.js';

const { evidenceOf, Unanswered } = await import('../../src/people/pages.js');
const { bare } = await import('../../src/platform/json.js');

/** @typedef {import('../../src/people/methods/index.js').Method} Method */
/** @type {Method} */
const code = {
  waiting: () => '',
  challenge: () => '',
  answer: async (_envelope, ask) => ({ code: await ask('The code?') }),
  explain: (error) => `No code: ${/** @type {Error} */ (error).name}.`,
  again: () => '',
};
const methods = { code };
const envelope = bare({ method: 'code', challengeId: 'chl_1' });

test('APPR-9: evidence is what the method made, with its name and the challenge', async () => {
  const evidence = await evidenceOf(envelope, async () => '4711', undefined, methods);
  assert.deepEqual(evidence, { code: '4711', method: 'code', challengeId: 'chl_1' });
});

test('APPR-9: why there is none is said by the method that was asked, and by no other', async () => {
  const fails = async () => {
    throw new DOMException('', 'NotAllowedError');
  };
  const found = await evidenceOf(envelope, fails, undefined, methods).catch((error) => error);
  assert.ok(found instanceof Unanswered);
  assert.equal(found.message, 'No code: NotAllowedError.');
});

test('APPR-9: of a method that the page does not know, no passkey is blamed', async () => {
  const found = await evidenceOf(bare({ method: 'carrier_pigeon' }), async () => '', undefined, methods).catch((error) => error);
  assert.ok(found instanceof Unanswered);
  assert.doesNotMatch(found.message, /passkey/i);
});
