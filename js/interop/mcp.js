/**
 * What SEP-2672 asks of clients (§4.9 and the sections that it refers to), by the official TypeScript client over real HTTP.
 * Run by tests/interop/test_mcp_client.py, which serves the bank: one test there for each here.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ANNOTATION, control, deputy, DISPLAYED, done, LIVES, TRANSFER } from './bank.js';

const { linesIn } = await import('../src/people/view.js');

/** @import { Deputy, Json } from './bank.js' */

/** @param {Deputy} ada */
const evidences = (ada) => ada.of('tools/call').map((params) => params._meta?.[ANNOTATION]);

test('4.1 a call that needs an approval is approved and runs (2025-11-25)', () => essential(LIVES[0]));
test('4.1 a call that needs an approval is approved and runs (2026-07-28)', () => essential(LIVES[1]));

/** @param {typeof LIVES[number]} life */
async function essential(life) {
  const ada = await deputy({ life });
  assert.equal(ada.client.getProtocolEra(), life === 'legacy' ? 'legacy' : 'modern');
  const outcome = await ada.call('transfer_money');
  assert.equal(outcome.kind, 'result');
  assert.equal(outcome.result.isError, false);
  assert.deepEqual(await done(), [['transfer_money', TRANSFER]]);
  assert.deepEqual(ada.methods, ['approval/challenge/create', 'navigator.credentials.get', 'tools/call']);
  const chain = /** @type {Json} */ (outcome.result._meta)['dev.deputize/call'];
  assert.deepEqual(chain.approval, { challenge_id: evidences(ada)[0].challengeId, method: 'webauthn' });
}

test('4.2 tools without the annotation are invoked as any other, with no ceremony', async () => {
  const ada = await deputy();
  const outcome = await ada.calls('get_balance', {});
  assert.equal(outcome.kind, 'result');
  assert.deepEqual(ada.methods, ['tools/call']);
  assert.equal(evidences(ada)[0], undefined);
  assert.equal(ada.human.dialogs.length, 0);
});

test('4.2 unknown members beside the annotation are tolerated', async () => {
  const tamper = annotated((annotation) => Object.assign(annotation, { color: 'red', level: { of: 2 } }));
  const ada = await deputy({ tamper });
  assert.equal((await ada.call('transfer_money')).kind, 'result');
});

test('4.2 a kind of approval that is not known is not taken for none', async () => {
  for (const annotation of [{ required: 'twice' }, {}, null, 'verified', { required: null }]) {
    const ada = await deputy({ tamper: annotated(() => annotation) });
    const outcome = await ada.calls('transfer_money');
    assert.equal(outcome.kind === 'refused' && outcome.reason, 'unsupported_approval');
    assert.deepEqual(ada.methods, []);
  }
});

/** @param {(annotation: Json) => Json} change @returns {Deputy['tamper']} */
function annotated(change) {
  return (message, answer) => {
    if (message.method !== 'tools/list') return;
    for (const tool of answer.result.tools) {
      if (tool._meta) tool._meta[ANNOTATION] = change(tool._meta[ANNOTATION]);
    }
  };
}

test('4.3 unknown members of the capability are tolerated', async () => {
  const ada = await deputy({
    tamper: (message, answer) => {
      if (message.method === 'initialize') answer.result.capabilities.extensions.verifiedApproval = { methods: ['webauthn'] };
    },
  });
  assert.deepEqual(ada.client.getServerCapabilities()?.extensions, { verifiedApproval: { methods: ['webauthn'] } });
  assert.equal((await ada.call('transfer_money')).kind, 'result');
});

test('4.3 an annotation without the capability is logged', async (context) => {
  const ada = await deputy({
    tamper: (message, answer) => {
      if (message.method === 'initialize') delete answer.result.capabilities.extensions;
    },
  });
  const warn = context.mock.method(console, 'warn', () => {});
  assert.equal((await ada.call('transfer_money')).kind, 'result');
  assert.equal(warn.mock.callCount(), 1);
});

test('4.4.3 displayText is presented verbatim before the assertion', async () => {
  const words = `  Send\n250.00 EUR — “all” of it <b>&amp;</b> ${'to Ada '.repeat(60)} `;
  const tamper = (/** @type {Json} */ message, /** @type {Json} */ answer) => {
    if (message.method === 'approval/challenge/create') answer.result.displayText = words;
  };
  const ada = await deputy({ tamper });
  const outcome = ada.calls('transfer_money');
  await ada.human.until(() => ada.human.dialogs.length === 1);
  assert.equal(displayed(ada), words);
  assert.equal(ada.human.signed, 0);
  await ada.human.answer(0, 'approve');
  assert.equal((await outcome).kind, 'result');
});

/** @param {Deputy} deputy what its human reads, as one text */
function displayed({ human }) {
  const view = human.dialogs[0]?.view;
  return view && linesIn(view);
}

test('4.4.3 what is shown beside it are exactly the values that are signed', async () => {
  const ada = await deputy();
  await ada.call('transfer_money');
  assert.deepEqual(ada.human.dialogs[0]?.view.details, [{ title: 'amount', values: ['\u2068250\u2069'] }, { title: 'name', values: ['\u2068Ada\u2069'] }]);
});

test('4.5 evidence is included in params._meta for every call to an annotated tool', async () => {
  const ada = await deputy();
  await ada.call('transfer_money');
  await ada.call('pay_bill', { amount: 5 });
  assert.equal(evidences(ada).length, 2);
  for (const evidence of evidences(ada)) assert.deepEqual(Object.keys(evidence).sort(), ['challengeId', 'method', 'response']);
});

test('4.5 method is the literal webauthn', async () => {
  const ada = await deputy();
  await ada.call('transfer_money');
  assert.equal(evidences(ada)[0].method, 'webauthn');
});

test('4.5 challengeId is of the immediately preceding challenge for the same tool and arguments', async () => {
  /** @type {string[]} */
  const minted = [];
  const tamper = (/** @type {Json} */ message, /** @type {Json} */ answer) => {
    if (message.method === 'approval/challenge/create') minted.push(answer.result.challengeId);
  };
  const ada = await deputy({ tamper });
  const both = [ada.calls('transfer_money', { amount: 1, name: 'Bob' }), ada.calls('transfer_money', { amount: 2, name: 'Eve' })];
  await ada.human.answer(0, 'approve');
  await ada.human.answer(1, 'approve');
  assert.deepEqual((await Promise.all(both)).map(({ kind }) => kind), ['result', 'result']);
  for (const params of ada.of('tools/call')) {
    const asked = ada.of('approval/challenge/create').findIndex((challenge) => challenge.arguments.name === params.arguments.name);
    assert.equal(params._meta[ANNOTATION].challengeId, minted[asked]);
  }
});

test('4.5 the assertion response is forwarded unmodified', async () => {
  const ada = await deputy();
  /** @type {Json[]} */
  const answered = [];
  const sign = ada.sign('get');
  const { VerifiedApproval } = await import('../src/mcp/verified-approval.js');
  const { Prompts } = await import('../src/people/prompt.js');
  const { method: webauthn } = await import('../src/people/methods/webauthn.js');
  const get = async (/** @type {Json} */ options) => {
    const response = await sign(options);
    answered.push({ ...response, clientExtensionResults: { appid: false } });
    return answered[0];
  };
  const prompts = new Prompts(ada.human.open, ada.human.tell, { methods: { webauthn: webauthn(get) }, create: get });
  const about = async () => ({ site: 'Bank', user: 'Ada' });
  ada.approvals = new VerifiedApproval({ client: ada.client, prompts, serverId: null, about });
  assert.equal((await ada.call('transfer_money')).kind, 'result');
  assert.deepEqual(evidences(ada)[0].response, answered[0]);
});

test('4.6 a challenge that is not over this tool and these arguments by RFC 8785 and SHA-256 is not signed', async () => {
  for (const changed of [{ toolName: 'pay_bill' }, { arguments: { ...TRANSFER, amount: 9999 } }]) {
    const other = await deputy();
    const wrong = /** @type {Json} */ (
      await other.client.request(
        { method: 'approval/challenge/create', params: { toolName: 'transfer_money', arguments: TRANSFER, ...changed } },
        /** @type {Json} */ ({ '~standard': { version: 1, vendor: 'test', validate: (/** @type {Json} */ value) => ({ value }) } }),
      )
    );
    const tamper = (/** @type {Json} */ message, /** @type {Json} */ answer) => {
      if (message.method === 'approval/challenge/create') answer.result.requestOptions.challenge = wrong.requestOptions.challenge;
    };
    const ada = await deputy({ tamper });
    const outcome = await ada.calls('transfer_money');
    assert.equal(outcome.kind, 'refused');
    assert.deepEqual(ada.methods, ['approval/challenge/create']);
    assert.equal(ada.human.dialogs.length, 0);
  }
});

test('4.6 the same arguments are shown, sent for the challenge and sent for the call', async () => {
  const ada = await deputy();
  const args = { note: 'Zoë’s\u0000 “\\"”', '10': 1, '9': [1e21, 0.1, -0, true, null], amount: 5, nested: { b: 1, a: {} } };
  const outcome = ada.calls('pay_bill', args);
  args.amount = 5000;
  args.nested.b = 2;
  await ada.human.answer(0, 'approve');
  assert.equal((await outcome).kind, 'result');
  const [asked] = ada.of('approval/challenge/create');
  const [called] = ada.of('tools/call');
  assert.equal(JSON.stringify(asked.arguments), JSON.stringify(called.arguments));
  assert.equal(called.arguments.amount, 5);
  assert.deepEqual(ada.human.dialogs[0]?.view.details.find(({ title }) => title === 'amount')?.values, ['\u20685\u2069']);
});

test('4.7 a call for which no credential is eligible asks nobody', async () => {
  const ada = await deputy({ transports: ['internal'] });
  const outcome = await ada.calls('close_account', {});
  assert.equal(outcome.kind, 'no_eligible_credential');
  assert.deepEqual(ada.methods, ['approval/challenge/create']);
  assert.equal(ada.human.dialogs.length, 0);
  assert.match(JSON.stringify(outcome.result.content), /nothing on this site that may approve/);
});

test('4.9 tools that carry the annotation are detected', async () => {
  const ada = await deputy();
  assert.equal((await ada.call('pay_bill', { amount: 5 }, ['decline'])).kind, 'declined');
  assert.equal(ada.human.dialogs.length, 1);
});

test('4.9 a tool that came to need an approval after it was listed is asked for, not called again silently', async () => {
  let listed = 0;
  const ada = await deputy({
    tamper: (message, answer) => {
      if (message.method === 'tools/list' && listed++ === 0) for (const tool of answer.result.tools) delete tool._meta;
    },
  });
  assert.equal((await ada.call('transfer_money')).kind, 'result');
  const wanted = ['tools/call', 'approval/challenge/create', 'navigator.credentials.get', 'tools/call'];
  assert.deepEqual(ada.methods, wanted);
  assert.equal((await done()).length, 1);
});

test('4.9 a tool that needs an approval is not invoked without first requesting a challenge', async () => {
  const ada = await deputy({
    tamper: (message, answer) => {
      if (message.method !== 'approval/challenge/create') return;
      delete answer.result;
      answer.error = { code: -32601, message: 'Method not found' };
    },
  });
  const outcome = await ada.calls('transfer_money');
  assert.equal(outcome.kind === 'refused' && outcome.reason, 'method_not_found');
  assert.deepEqual(ada.methods, ['approval/challenge/create']);
});

test('4.9 a challengeId is not reused across calls', async () => {
  const ada = await deputy();
  for (let i = 0; i < 3; i++) assert.equal((await ada.call('transfer_money')).kind, 'result');
  assert.equal(new Set(evidences(ada).map(({ challengeId }) => challengeId)).size, 3);
});

test('4.9 the assertion is invoked only after the user has reviewed displayText', async () => {
  const ada = await deputy();
  const outcome = ada.calls('transfer_money');
  await ada.human.until(() => ada.human.dialogs.length === 1);
  assert.deepEqual(ada.methods, ['approval/challenge/create']);
  assert.equal(displayed(ada), DISPLAYED);
  await ada.human.answer(0, 'approve');
  assert.equal((await outcome).kind, 'result');
});

test('4.9 other words than those that were shown are shown before anything is signed', async () => {
  let asked = 0;
  const ada = await deputy({
    tamper: (message, answer) => {
      if (message.method === 'approval/challenge/create' && asked++ > 0) answer.result.displayText += ', at once';
    },
  });
  const outcome = ada.calls('transfer_money');
  await ada.human.until(() => ada.human.dialogs.length === 1);
  await control('forward', { seconds: 61 });
  await ada.human.answer(0, 'approve'); // challenge_expired
  await ada.human.until(() => ada.human.dialogs[0]?.texts.some((text) => text.includes('too long')));
  await ada.human.answer(0, 'approve'); // a new one, in other words
  await ada.human.until(() => ada.human.dialogs[0]?.texts.includes(`now: ${DISPLAYED}, at once`));
  assert.equal(ada.human.signed, 1);
  await ada.human.answer(0, 'decline');
  assert.equal((await outcome).kind, 'declined');
});

test('4.9 an expired challenge is tried again by a new click, with a new challenge', async () => {
  const ada = await deputy();
  const outcome = ada.calls('transfer_money');
  await ada.human.until(() => ada.human.dialogs.length === 1);
  await control('forward', { seconds: 61 });
  await ada.human.answer(0, 'approve');
  await ada.human.until(() => ada.human.dialogs[0]?.texts.some((text) => text.includes('too long')));
  assert.equal(ada.of('tools/call').length, 1, 'nothing is sent again without a click');
  await ada.human.answer(0, 'approve');
  assert.equal((await outcome).kind, 'result');
  const [first, second] = evidences(ada);
  assert.notEqual(first.challengeId, second.challengeId);
  assert.equal((await done()).length, 1);
});

test('4.9 a user who declines is an outcome, and nothing is sent', async () => {
  const ada = await deputy();
  const outcome = await ada.call('transfer_money', TRANSFER, ['decline']);
  assert.equal(outcome.kind, 'declined');
  assert.deepEqual(ada.methods, ['approval/challenge/create']);
  assert.match(JSON.stringify(outcome.result.content), /declined/);
  assert.deepEqual(await done(), []);
});

test('4.9 a dialog that is taken away, and a call that is taken back, are cancelled', async () => {
  const ada = await deputy();
  assert.equal((await ada.call('transfer_money', TRANSFER, ['removed'])).kind, 'cancelled');
  const controller = new AbortController();
  const outcome = ada.calls('transfer_money', TRANSFER, { signal: controller.signal });
  await ada.human.until(() => ada.human.dialogs.length === 2);
  controller.abort();
  assert.equal((await outcome).kind, 'cancelled');
  assert.ok(ada.human.dialogs[1]?.closed);
  assert.deepEqual(ada.of('tools/call'), []);
});

test('4.9 user verification is asked for, also where a server forgets to', async () => {
  const ada = await deputy({
    tamper: (message, answer) => {
      if (message.method === 'approval/challenge/create') answer.result.requestOptions.userVerification = 'discouraged';
    },
  });
  await ada.call('transfer_money');
  assert.equal(ada.of('navigator.credentials.get')[0].userVerification, 'required');
});

test('4.9 errors are surfaced to the user, in words', async () => {
  const ada = await deputy();
  await ada.calls('close_account', {});
  assert.match(ada.human.told[0] ?? '', /nothing here that can confirm/);
});

test('4.10 only code and reason are looked at, for every reason of the list', async () => {
  const final = ['unsupported_method', 'challenge_wrong_tool', 'argument_hash_mismatch', 'tool_not_approved_required'];
  const again = ['missing_evidence', 'challenge_unknown', 'challenge_consumed', 'challenge_expired', 'unknown_credential', 'authenticator_class_mismatch', 'signature_verification_failed', 'signature_counter_regression'];
  for (const reason of [...final, ...again]) {
    let refusals = 0;
    const ada = await deputy({
      tamper: (message, answer) => {
        if (message.method !== 'tools/call' || refusals++ > 0) return;
        delete answer.result;
        answer.error = { code: -32001, message: 'Gewiss nicht.', data: { reason } };
      },
    });
    const outcome = ada.calls('transfer_money');
    await ada.human.answer(0, 'approve');
    if (again.includes(reason)) {
      await ada.human.until(() => ada.human.dialogs[0]?.texts.some((text) => /again|another/.test(text)));
      await ada.human.answer(0, 'decline');
      assert.equal((await outcome).kind, 'declined', reason);
    } else {
      const { kind, reason: told } = /** @type {Json} */ (await outcome);
      assert.deepEqual([kind, told], ['refused', reason]);
    }
    assert.doesNotMatch(JSON.stringify([ada.human.told, ada.human.dialogs[0]?.texts]), /Gewiss/);
    assert.equal(refusals, 1, reason);
  }
});

test('4.10 an error that is none of the proposal is no certain refusal', async () => {
  for (const error of [{ code: -32603, message: 'oops' }, { code: -32001, message: 'Request timed out', data: { timeout: 1 } }]) {
    const ada = await deputy({
      tamper: (message, answer) => {
        if (message.method !== 'tools/call') return;
        delete answer.result;
        answer.error = error;
      },
    });
    const outcome = await ada.call('transfer_money');
    assert.equal(outcome.kind, 'unknown');
    assert.match(JSON.stringify(outcome.result.content), /not known/);
    assert.equal(ada.of('tools/call').length, 1);
  }
});

test('4.4.1 a passkey is enrolled inside the window, and approves (2025-11-25)', () => enrolling(LIVES[0]));
test('4.4.1 a passkey is enrolled inside the window, and approves (2026-07-28)', () => enrolling(LIVES[1]));

/** @param {typeof LIVES[number]} life */
async function enrolling(life) {
  const ada = await deputy({ life });
  await ada.openWindow();
  const outcome = ada.approvals?.enroll();
  await ada.human.answer(0, 'approve');
  const enrolled = await outcome;
  assert.equal(enrolled?.kind, 'enrolled');
  assert.deepEqual(ada.methods, ['approval/enroll/begin', 'navigator.credentials.create', 'approval/enroll/finish']);
  assert.equal((await ada.call('transfer_money')).kind, 'result');
  const allowed = ada.of('navigator.credentials.get')[0].allowCredentials.map((/** @type {Json} */ { id }) => id);
  assert.ok(allowed.includes(enrolled.kind === 'enrolled' && enrolled.credentialId));
}

test('4.4.1 outside the window nobody is asked, and the user hears why', async () => {
  const ada = await deputy();
  assert.deepEqual(await ada.approvals?.enroll(), { kind: 'refused', reason: 'enrollment_not_allowed' });
  assert.equal(ada.human.dialogs.length, 0);
  assert.match(ada.human.told[0] ?? '', /account page/);
});

test('4.4.2 a passkey that is enrolled already is an outcome', async () => {
  const ada = await deputy();
  await ada.openWindow();
  ada.tamper = (message, answer) => {
    if (message.method !== 'approval/enroll/finish') return;
    delete answer.result;
    answer.error = { code: -32001, message: '', data: { reason: 'credential_already_enrolled' } };
  };
  const outcome = ada.approvals?.enroll();
  await ada.human.answer(0, 'approve');
  assert.deepEqual(await outcome, { kind: 'already_enrolled' });
});

test('4.4.2 whoever declines enrolls nothing', async () => {
  const ada = await deputy();
  await ada.openWindow();
  const outcome = ada.approvals?.enroll();
  await ada.human.answer(0, 'decline');
  assert.deepEqual(await outcome, { kind: 'declined' });
  assert.deepEqual(ada.methods, ['approval/enroll/begin']);
});
