/** Asking the human (SHIM-8, APPR-1). */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Human } from '../harness.js';

const { problem } = await import('../../src/authority/authority.js');
const { actionHash, b64u } = await import('../../src/platform/canonical.js');
const { bare } = await import('../../src/platform/json.js');
const { Prompts } = await import('../../src/people/prompt.js');
const { unheardOf } = await import('../../src/people/unheard.js');
const { approvalView, detailsOf, linesFrom } = await import('../../src/people/view.js');
const { wordsFor } = await import('../../src/words/words.js');

/** @import { Answer } from '../../src/types.js' */

const issuer = 'https://bank.example/deputize';
const args = { amount: 250 };
/** @param {unknown} over */
const challengeOver = async (over) => {
  const hash = await actionHash('transfer_money', over, issuer);
  return b64u(Buffer.concat([Buffer.alloc(32, 7), hash]));
};
/** @param {object} facts */
const ok = (facts) => /** @type {Answer} */ ({ ok: true, body: bare(JSON.parse(JSON.stringify(facts))) });
/** @param {string} code */
const no = (code) => /** @type {Answer} */ ({ ok: false, problem: problem(code) });

/** @param {Partial<import('../../src/people/ceremony.js').Question & import('../../src/people/ceremony.js').Approval> & {over?: unknown, displayText?: string}} [wish] */
function ask(wish = {}) {
  const human = new Human();
  const prompts = new Prompts(human.open, human.tell, human.passkeys);
  /** @type {string[]} */
  const evidence = [];
  let challenges = 0;
  const request = () => ({
    view: approvalView({ site: 'Harbor', user: 'Ada', language: 'en', lines: linesFrom(bare({ displayText: 'Send 250' })), details: detailsOf(args), kind: '', agent: true }),
    action: { tool: 'transfer_money', args, issuer },
    displayText: 'Send 250',
    lifetime: 60_000,
    challenge: async () => {
      challenges += 1;
      const challenge = await challengeOver(wish.over ?? args);
      return ok({ challengeId: `chl_${challenges}`, displayText: 'Send 250', requestOptions: { challenge } });
    },
    approve: async (/** @type {string} */ text) => {
      evidence.push(text);
      return ok({ state: 'approved' });
    },
    ...wish,
  });
  return { human, evidence, prompts, request, verdict: prompts.ask(request()), challenges: () => challenges };
}

test('SHIM-8: nothing is signed before the click; then the evidence is SEP-2672 §4.5', async () => {
  const { human, evidence, verdict, challenges } = ask();
  await human.until(() => human.dialogs.length === 1);
  assert.equal(challenges(), 0, 'APPR-1: the challenge is minted at the click');
  await human.answer(0, 'approve');
  assert.equal((await verdict).kind, 'approved');
  assert.deepEqual(JSON.parse(evidence[0] ?? ''), { method: 'webauthn', challengeId: 'chl_1', response: { signed: await challengeOver(args) } });
  assert.ok(human.dialogs[0]?.closed);
});

test('SHIM-8: what a question lacks is not asked of the page', async () => {
  /** @type {unknown[]} */
  const met = [];
  const lacking = ['signal', 'account', 'unheard'];
  for (const name of lacking) {
    Object.defineProperty(Object.prototype, name, {
      configurable: true,
      get() {
        if (Object.hasOwn(this, 'view')) met.push(name);
      },
    });
  }
  try {
    const { human, verdict } = ask();
    await human.answer(0, 'decline');
    assert.equal((await verdict).kind, 'declined');
  } finally {
    for (const name of lacking) Reflect.deleteProperty(Object.prototype, name);
  }
  assert.deepEqual(met, []);
});

for (const [choice, kind] of /** @type {const} */ ([['decline', 'declined'], ['removed', 'cancelled']])) {
  test(`SHIM-8: ${choice} is ${kind}, also while the passkey is waited for`, async () => {
    const early = ask();
    await early.human.answer(0, choice);
    assert.equal((await early.verdict).kind, kind);
    const late = ask();
    /** @type {AbortSignal | undefined} */
    let given;
    late.human.assert = (_, signal) => {
      given = signal;
      return new Promise(() => {});
    };
    await late.human.answer(0, 'approve');
    await late.human.until(() => given);
    await late.human.answer(0, choice);
    assert.equal((await late.verdict).kind, kind);
    assert.ok(given?.aborted, 'the passkey prompt closes too');
    assert.equal(late.evidence.length, 0);
  });
}

test('PROMPT-2: a dialog says how many wait after it, as they come and go', async () => {
  const { human, prompts, request, verdict } = ask();
  await human.until(() => human.dialogs.length === 1);
  const others = [prompts.ask(request()), prompts.ask(request())];
  for (let i = 0; i < 3; i++) await human.answer(i, 'decline');
  for (const each of [verdict, ...others]) assert.equal((await each).kind, 'declined');
  const said = human.dialogs.map(({ texts }) => texts.map((text) => /^Waiting after this one: .(\d+).$/.exec(text)?.[1] ?? text));
  assert.deepEqual(said, [['', '1', '2'], ['1'], ['']]);
});

test('SHIM-8: a question that is over before its turn is told of by what it asks, and nobody is asked it', async () => {
  const { human, prompts, request, verdict } = ask();
  await human.until(() => human.dialogs.length === 1);
  const standing = () => ({ look: async () => over('cancelled'), end: async () => over('cancelled'), words: unheardOf('approval') });
  const over = (/** @type {string} */ code) => /** @type {import('../../src/types.js').Standing} */ ({ kind: 'over', code });
  const waiting = prompts.ask({ ...request(), standing, account: '/account' });
  const late = prompts.ask({ ...request(), lifetime: 0 });
  await human.answer(0, 'decline');
  for (const each of [verdict, waiting, late]) await each;
  assert.equal(human.dialogs.length, 1);
  assert.deepEqual(human.told, [wordsFor('cancelled').human, wordsFor('expired').human]);
  assert.deepEqual(human.about, ['Send 250', 'Send 250']);
  assert.deepEqual(human.led, ['/account', undefined]);
});

for (const left of [true, false]) {
  test(`SHIM-8: why a question was over is told ${left ? 'again, where the next one takes its place' : 'once, where somebody has closed that'}`, async () => {
    const { human, prompts, request, verdict } = ask({ lifetime: 20 });
    await human.until(() => human.dialogs.length === 1);
    const next = prompts.ask({ ...request(), lifetime: 60_000 });
    const first = human.dialogs[0];
    assert.ok(first);
    first.left = left;
    assert.equal((await verdict).kind, 'expired');
    await human.answer(1, 'decline');
    await next;
    assert.deepEqual(human.told, Array(left ? 2 : 1).fill(wordsFor('expired').human));
    assert.deepEqual(human.about, left ? [undefined, 'Send 250'] : [undefined]);
  });
}

test('SHIM-8: that the time is over is told', async () => {
  const { human, verdict } = ask({ lifetime: 20 });
  assert.equal((await verdict).kind, 'expired');
  assert.deepEqual(human.told, [wordsFor('expired').human]);
});

test('BLOCK-1: declining and blocking is one choice', async () => {
  const { human, evidence, verdict } = ask();
  await human.answer(0, 'block');
  assert.deepEqual({ ...(await verdict) }, { kind: 'declined', block: true });
  assert.deepEqual(evidence, []);
});

test('PROMPT-2: while another question is answered, this one can be tried again', async () => {
  const failing = ['question_open'];
  const { human, verdict, request } = ask({ challenge: async () => (failing.shift() ? no('question_open') : request().challenge()) });
  await human.answer(0, 'approve');
  await human.until(() => human.dialogs[0]?.texts.some((text) => /another question/.test(text)));
  human.dialogs[0]?.choose('decline');
  assert.equal((await verdict).kind, 'declined');
});

test('SHIM-8: a failed passkey leaves the dialog, with words, and the next click takes a new challenge', async () => {
  const { human, verdict, challenges } = ask();
  const { assert: sign } = human;
  human.assert = async () => {
    throw new DOMException('the user said no', 'NotAllowedError');
  };
  await human.answer(0, 'approve');
  await human.until(() => human.dialogs[0]?.texts.some((text) => /not used/.test(text)));
  assert.equal(human.dialogs[0]?.closed, false);
  human.assert = sign;
  await human.answer(0, 'approve');
  assert.equal((await verdict).kind, 'approved');
  assert.equal(challenges(), 2);
  assert.ok(!human.dialogs[0]?.texts.some((text) => /said no|NotAllowed/.test(text)), 'plain words only');
});

for (const code of ['challenge_expired', 'challenge_consumed', 'unknown_credential', 'signature_verification_failed', 'authority_unavailable']) {
  test(`APPR-3: after ${code} it can be tried again`, async () => {
    /** @type {string[]} */
    const failing = [code];
    const { human, verdict } = ask({ approve: async () => (failing.shift() ? no(code) : ok({})) });
    await human.answer(0, 'approve');
    await human.until(() => human.dialogs[0]?.texts.some((text) => /again|another/.test(text)));
    await human.answer(0, 'approve');
    assert.equal((await verdict).kind, 'approved');
  });
}

for (const code of ['call_state', 'expired', 'grant_revoked', 'no_eligible_credential', 'login_required', 'call_unknown', 'code_of_a_later_version']) {
  test(`CALL-4: ${code} ends it`, async () => {
    const { human, verdict } = ask({ challenge: async () => no(code) });
    await human.answer(0, 'approve');
    assert.deepEqual(await verdict, { kind: 'refused', problem: problem(code) });
    assert.equal(human.signed, 0);
    assert.ok(human.dialogs[0]?.closed);
    assert.equal(human.told.length, 1, 'the human hears why it is gone');
    assert.equal(human.told[0], wordsFor(code).human);
  });
}

test('HASH-2: a challenge over anything else than what is shown is not signed', async () => {
  const { human, evidence, verdict } = ask({ over: { amount: 9999 } });
  await human.answer(0, 'approve');
  assert.equal((await verdict).kind, 'refused');
  assert.deepEqual([human.signed, evidence.length], [0, 0]);
  const garbled = ask({ challenge: async () => ok({ displayText: 'Send 250', requestOptions: { challenge: '!!' } }) });
  await garbled.human.answer(0, 'approve');
  assert.equal((await garbled.verdict).kind, 'refused');
});

test('APPR-2: other words than those shown are shown first, and signed only after another click', async () => {
  const challenge = await challengeOver(args);
  const { human, verdict } = ask({ challenge: async () => ok({ challengeId: 'chl_1', displayText: 'Send 250 to Eve', requestOptions: { challenge } }) });
  await human.answer(0, 'approve');
  await human.until(() => human.dialogs[0]?.texts.includes('now: Send 250 to Eve'));
  await human.until(() => human.dialogs[0]?.texts.some((text) => /read it again/.test(text)));
  assert.equal(human.signed, 0);
  await human.answer(0, 'approve');
  assert.equal((await verdict).kind, 'approved');
});

test('APPR-2: other words are drawn in rows as well, where these are exactly what is signed', async () => {
  const challenge = await challengeOver(args);
  const lines = [{ part: 'headline', line: 'Send 250' }, { part: 'row', line: 'To' }, { part: 'value', line: 'Eve' }];
  for (const [displayText, parts] of [['Send 250\nTo: Eve', 'headline row value'], ['Send 250\nTo: Eva', 'headline remark']]) {
    const envelope = { challengeId: 'chl_1', displayText, text: { language: 'en', lines }, requestOptions: { challenge } };
    const { human, verdict } = ask({ challenge: async () => ok(envelope) });
    await human.answer(0, 'approve');
    await human.until(() => human.dialogs[0]?.texts.some((text) => /read it again/.test(text)));
    assert.equal(human.dialogs[0]?.view.lines.map(({ part }) => part).join(' '), parts);
    await human.answer(0, 'decline');
    await verdict;
  }
});

test('SHIM-8: one dialog at a time; the next opens when the one before is answered', async () => {
  const { human, prompts, request, verdict } = ask();
  const second = prompts.ask(request());
  const third = prompts.ask(request());
  await human.until(() => human.dialogs.length === 1);
  await human.answer(0, 'decline');
  assert.equal((await verdict).kind, 'declined');
  await human.answer(1, 'approve');
  assert.equal(human.dialogs.length, 2);
  assert.equal((await second).kind, 'approved');
  await human.answer(2, 'removed');
  assert.equal((await third).kind, 'cancelled');
});

test('CALL-4: what nobody answers expires, and so does what waited too long in the queue', async () => {
  const { human, prompts, request, verdict } = ask({ lifetime: 20 });
  const second = prompts.ask(request());
  assert.equal((await verdict).kind, 'expired');
  assert.equal((await second).kind, 'expired');
  assert.equal(human.signed, 0);
});

/** A method as somebody would add one: the human types a code. */
const codes = () => {
  /** @type {unknown[]} */
  const asked = [];
  /** @type {import('../../src/people/methods/index.js').Method} */
  const method = {
    waiting: () => 'Waiting for your code…',
    challenge: (envelope) => String(envelope.challenge),
    answer: async (envelope, ask) => {
      asked.push(envelope.request);
      return { code: await ask('Your code'), method: 'webauthn', challengeId: 'another' };
    },
    explain: () => 'No code was typed.',
    again: (code) => (code === 'signature_verification_failed' ? 'That was not the code.' : ''),
  };
  return { asked, method };
};

/** @param {string} [method] @param {unknown} [over] */
const coded = async (method = 'code', over = args) =>
  ok({ challengeId: 'chl_1', displayText: 'Send 250', method, challenge: await challengeOver(over), request: { digits: 4 } });

/** @param {import('../../src/people/methods/index.js').Method} method @param {Parameters<typeof ask>[0]} wish */
function askByCode(method, wish) {
  const asked = ask(wish);
  const human = new Human();
  const ways = { ...human.passkeys, methods: { ...human.passkeys.methods, code: method } };
  human.types = '4711';
  const prompts = new Prompts(human.open, human.tell, ways);
  return { ...asked, human, verdict: prompts.ask(asked.request()) };
}

test('APPR-9: a second method is asked for by the envelope, and makes the evidence', async () => {
  const { asked, method } = codes();
  const { human, evidence, verdict } = askByCode(method, { challenge: () => coded() });
  await human.answer(0, 'approve');
  assert.equal((await verdict).kind, 'approved');
  assert.deepEqual(JSON.parse(evidence[0] ?? ''), { method: 'code', challengeId: 'chl_1', code: '4711' });
  assert.deepEqual(JSON.parse(JSON.stringify(asked)), [{ digits: 4 }]);
  assert.ok(human.dialogs[0]?.texts.includes('Waiting for your code…'));
  assert.ok(human.dialogs[0]?.texts.includes('ask: Your code'));
  assert.equal(human.signed, 0, 'no passkey was asked for');
});

test('APPR-9: nothing is answered by it over something else than what is shown', async () => {
  const { asked, method } = codes();
  const { human, evidence, verdict } = askByCode(method, { challenge: () => coded('code', { amount: 9999 }) });
  await human.answer(0, 'approve');
  assert.equal((await verdict).kind, 'refused');
  assert.deepEqual([asked, evidence], [[], []]);
});

for (const name of ['pin', '', 'constructor', 'Code']) {
  test(`APPR-9: a method that the page does not have is not asked for: "${name}"`, async () => {
    const { asked, method } = codes();
    const { human, evidence, verdict } = askByCode(method, { challenge: () => coded(name) });
    await human.answer(0, 'approve');
    const said = await verdict;
    assert.equal(said.kind === 'refused' && said.problem.code, 'unsupported_method');
    assert.deepEqual([asked, evidence, human.signed], [[], [], 0]);
  });
}

test('APPR-9: a method says in its own words what went wrong, and the same dialog asks again', async () => {
  const { method } = codes();
  let tries = 0;
  const answers = [() => no('signature_verification_failed'), () => ok({ state: 'approved' })];
  const approve = async () => /** @type {() => Answer} */ (answers[tries++])();
  const { human, verdict } = askByCode(method, { challenge: () => coded(), approve });
  await human.answer(0, 'approve');
  await human.until(() => human.dialogs[0]?.texts.includes('That was not the code.'));
  const { answer } = method;
  method.answer = async () => { throw new Error('closed'); };
  await human.answer(0, 'approve');
  await human.until(() => human.dialogs[0]?.texts.includes('No code was typed.'));
  method.answer = answer;
  await human.answer(0, 'approve');
  assert.equal((await verdict).kind, 'approved');
});
