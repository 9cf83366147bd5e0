/** A question that is put on the human's phone (PHONE-4). */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import '../platform.js';

const { Human } = await import('../harness.js');
const { problem } = await import('../../src/authority/authority.js');
const { bare } = await import('../../src/platform/json.js');
const { onPhone, unreachable } = await import('../../src/people/phone.js');
const { Prompts } = await import('../../src/people/prompt.js');
const { approvalView, linesFrom } = await import('../../src/people/view.js');
const { wordsFor } = await import('../../src/words/words.js');

/** @import { Answer } from '../../src/types.js' */

const uri = 'https://bank.example/deputize/ask/cal_1';
const code = { size: 2, modules: '1001' };
/** @param {object} facts */
const ok = (facts) => /** @type {Answer} */ ({ ok: true, body: bare(JSON.parse(JSON.stringify(facts))) });
/** @param {string} code */
const no = (code) => /** @type {Answer} */ ({ ok: false, problem: problem(code) });
const GIVEN = ok({ uri, digits: '07', code });

/** @param {Answer[]} answers of the authority, one after the other @param {object} [more] */
function ask(answers, more = {}) {
  const human = new Human();
  const prompts = new Prompts(human.open, human.tell, human.passkeys);
  const verdict = prompts.ask({
    view: approvalView({ site: 'Harbor', user: 'Ada', language: 'en', lines: linesFrom(bare({ displayText: 'Send 250' })), details: [], kind: '', agent: false }),
    action: { tool: 'transfer_money', args: {}, issuer: null },
    displayText: 'Send 250',
    lifetime: 60_000,
    challenge: async () => no('declined'),
    approve: async () => no('declined'),
    phone: async () => /** @type {Answer} */ (answers.shift()),
    ...more,
  });
  return { human, verdict };
}

test('it is shown beside the answers that can be given here', async () => {
  const { human, verdict } = ask([GIVEN]);
  await human.answer(0, 'phone');
  await human.until(() => human.dialogs[0]?.texts.includes(`phone: ${uri} 07`));
  await human.answer(0, 'decline');
  assert.equal((await verdict).kind, 'declined');
});

test('where no answer came it says so, and can be asked for again', async () => {
  const { human, verdict } = ask([no('authority_unavailable'), GIVEN]);
  await human.answer(0, 'phone');
  await human.until(() => human.dialogs[0]?.texts.includes(wordsFor('authority_unavailable').retry));
  await human.answer(0, 'phone');
  await human.until(() => human.dialogs[0]?.texts.includes(`phone: ${uri} 07`));
  await human.answer(0, 'decline');
  assert.equal((await verdict).kind, 'declined');
});

test('where the site takes no answer there any more, it goes on here', async () => {
  const { human, verdict } = ask([no('wrong_surface')]);
  await human.answer(0, 'phone');
  await human.until(() => human.dialogs[0]?.texts.includes('The site takes the answer to this on this page only.'));
  await human.answer(0, 'decline');
  assert.equal((await verdict).kind, 'declined');
});

for (const over of ['expired', 'declined', 'cancelled', 'wrong_digits', 'asked_too_often']) {
  test(`of a question that is over nothing is shown, but why: ${over}`, async () => {
    const { human, verdict } = ask([no(over)]);
    await human.answer(0, 'phone');
    const { kind, ...rest } = await verdict;
    assert.equal(kind, 'refused');
    assert.equal(/** @type {any} any: a refusal has one */ (rest).problem.code, over);
    assert.deepEqual(human.told, [wordsFor(over).human]);
  });
}

test('one that was answered elsewhere meanwhile is looked at', async () => {
  const look = async () => ({ kind: 'over', code: 'call_redeemed' });
  const { human, verdict } = ask([no('call_state')], { standing: () => ({ look, words: {} }) });
  await human.answer(0, 'phone');
  assert.equal((await verdict).kind, 'refused');
  assert.deepEqual(human.told, [wordsFor('call_redeemed').human]);
});

test('declining does not wait for the answer', async () => {
  const { human, verdict } = ask([], { phone: () => new Promise(() => {}) });
  await human.answer(0, 'phone');
  await human.answer(0, 'decline');
  assert.equal((await verdict).kind, 'declined');
});

test('what is no code of that size is not drawn as one', () => {
  /** @param {object} body */
  const sizeOf = (body) => onPhone(bare(JSON.parse(JSON.stringify({ uri, digits: '07', ...body }))), 'Ada', true).size;
  assert.equal(sizeOf({ code }), 2);
  for (const bad of [null, {}, { size: 3, modules: '1001' }, { size: '2', modules: '1001' }, { size: 2 }]) assert.equal(sizeOf({ code: bad }), 0);
});

for (const [host, so] of /** @type {const} */ ([['localhost', true], ['localhost:8000', true], ['auth.localhost:8000', true], ['localhost.example', false], ['notlocalhost', false], ['bank.example:8000', false]])) {
  test(`PHONE-4: that ${host} can ${so ? 'not ' : ''}be opened elsewhere is known`, () => assert.equal(unreachable(`http://${host}/deputize/ask/cal_1`), so));
}
