/** Sharing one call, and the patience of those who wait (SHIM-7, CALL-6). */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { clock } from '../platform.js';

const { problem } = await import('../../src/authority/authority.js');
const { Sharing } = await import('../../src/calls/sharing.js');
const { CallStatus } = await import('../../src/calls/status.js');
const { SharedCall } = await import('../../src/calls/shared.js');

const pending = problem('approval_pending', { callId: 'cal_1' });
const done = /** @type {const} */ ({ kind: 'result', value: 'done' });
/** @param {number} ms */
const waited = async (ms) => {
  const shared = new SharedCall();
  shared.ask(pending);
  await shared.join(ms, undefined);
};

test('SHIM-7: all who wait get the one outcome', async () => {
  const shared = new SharedCall();
  const joined = [shared.join(50, undefined), shared.join(50, undefined)];
  assert.equal(shared.settle(done), true);
  assert.deepEqual(await Promise.all(joined), [done, done]);
  assert.equal(shared.wanted, false);
});

test('SHIM-7: who is out of patience while a human is asked gets the pending answer; others wait on', async () => {
  const shared = new SharedCall();
  const hasty = shared.join(5, undefined);
  const calm = shared.join(5000, undefined);
  shared.ask(pending);
  assert.deepEqual(await hasty, { kind: 'refused', problem: pending });
  assert.equal(shared.wanted, true);
  shared.settle(done);
  assert.deepEqual(await calm, done);
});

test('SHIM-7: patience is not counted before a human is asked, nor once execution began', async () => {
  const shared = new SharedCall();
  const joined = shared.join(5, undefined);
  await waited(10);
  assert.equal(shared.wanted, true, 'nobody was asked');
  shared.ask(pending);
  shared.answered();
  shared.run();
  await waited(10);
  assert.equal(shared.wanted, true, 'it runs');
  shared.settle(done);
  assert.deepEqual(await joined, done);
});

test('SHIM-7: two questions share one patience', async () => {
  const shared = new SharedCall();
  const joined = shared.join(5, undefined);
  shared.ask(problem('consent_pending'));
  shared.answered();
  await waited(10);
  shared.ask(pending);
  assert.deepEqual(await joined, { kind: 'refused', problem: pending });
});

test('who comes later waits from then on', async () => {
  const shared = new SharedCall();
  shared.ask(pending);
  assert.deepEqual(await shared.join(5, undefined), { kind: 'refused', problem: pending });
  const second = shared.join(5000, undefined);
  shared.settle(done);
  assert.deepEqual(await second, done);
});

test('SHIM-7: who aborts is gone; only when all have, execution is told', async () => {
  const shared = new SharedCall();
  const [first, second] = [new AbortController(), new AbortController()];
  const joined = [shared.join(50, first.signal), shared.join(50, second.signal)];
  shared.run();
  first.abort();
  assert.equal(shared.signal.aborted, false);
  second.abort();
  assert.equal(shared.signal.aborted, true);
  assert.equal(shared.settle(done), false, 'nobody heard it');
  for (const outcome of await Promise.all(joined)) assert.equal(outcome.kind, 'refused');
  assert.equal((await shared.join(50, AbortSignal.abort())).kind, 'refused');
});

test('CALL-6: a result after 25 s may not have reached the agent', async () => {
  const shared = new SharedCall();
  const joined = shared.join(50, undefined);
  clock.ahead += 25_000;
  assert.equal(shared.settle(done), false);
  assert.deepEqual(await joined, done, 'it is returned all the same');
  const other = new SharedCall();
  void other.join(50, undefined);
  clock.ahead += 24_000;
  void other.join(50, undefined);
  clock.ahead += 2_000;
  assert.equal(other.settle(done), true, 'the younger attempt heard it');
});

test('SHIM-8: calls that differ share nothing, whatever a page has told lists to be written as', async (t) => {
  Object.defineProperty(Array.prototype, 'toJSON', { value: () => 'the same', configurable: true });
  t.after(() => Reflect.deleteProperty(Array.prototype, 'toJSON'));
  /** @type {string[]} */
  const decided = [];
  const decider = /** @type {any} */ ({ decide: async (/** @type {unknown} */ _, /** @type {any} */ { text }) => (decided.push(text), { outcome: done }) });
  const sharing = new Sharing(decider, async () => done, /** @type {any} */ ({ add() {} }), null, new CallStatus(/** @type {any} */ ({}), () => {}));
  const call = (/** @type {string} */ name, /** @type {string} */ text, id = 'ada', direct = true) =>
    sharing.share(/** @type {any} */ ({ tool: { name, definition: async () => 'd' }, text, user: { id }, direct, config: { patience: 50 }, callback() {} }), null);
  await Promise.all([call('pay', '{"n":1}'), call('pay', '{"n":2}'), call('lend', '{"n":1}'), call('pay', '{"n":1}', 'bob'), call('pay', '{"n":1}', 'ada', false), call('pay', '{"n":1}')]);
  assert.equal(decided.length, 5, 'equal ones are one');
});
