/** Sharing one flow, and the patience of those who wait (SHIM-7, CALL-6). */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { clock } from './platform.js';

const { problem } = await import('../src/authority/authority.js');
const { Flow } = await import('../src/calls/flow.js');

const pending = problem('approval_pending', { callId: 'cal_1' });
const done = /** @type {const} */ ({ kind: 'result', value: 'done' });
/** @param {number} ms */
const waited = async (ms) => {
  const flow = new Flow();
  flow.ask(pending);
  await flow.join(ms, undefined);
};

test('SHIM-7: all who wait get the one outcome', async () => {
  const flow = new Flow();
  const joined = [flow.join(50, undefined), flow.join(50, undefined)];
  assert.equal(flow.settle(done), true);
  assert.deepEqual(await Promise.all(joined), [done, done]);
  assert.equal(flow.wanted, false);
});

test('SHIM-7: who is out of patience while a human is asked gets the pending answer; others wait on', async () => {
  const flow = new Flow();
  const hasty = flow.join(5, undefined);
  const calm = flow.join(5000, undefined);
  flow.ask(pending);
  assert.deepEqual(await hasty, { kind: 'refused', problem: pending });
  assert.equal(flow.wanted, true);
  flow.settle(done);
  assert.deepEqual(await calm, done);
});

test('SHIM-7: patience is not counted before a human is asked, nor once execution began', async () => {
  const flow = new Flow();
  const joined = flow.join(5, undefined);
  await waited(10);
  assert.equal(flow.wanted, true, 'nobody was asked');
  flow.ask(pending);
  flow.answered();
  flow.run();
  await waited(10);
  assert.equal(flow.wanted, true, 'it runs');
  flow.settle(done);
  assert.deepEqual(await joined, done);
});

test('SHIM-7: two questions share one patience', async () => {
  const flow = new Flow();
  const joined = flow.join(5, undefined);
  flow.ask(problem('consent_pending'));
  flow.answered();
  await waited(10);
  flow.ask(pending);
  assert.deepEqual(await joined, { kind: 'refused', problem: pending });
});

test('who comes later waits from then on', async () => {
  const flow = new Flow();
  flow.ask(pending);
  assert.deepEqual(await flow.join(5, undefined), { kind: 'refused', problem: pending });
  const second = flow.join(5000, undefined);
  flow.settle(done);
  assert.deepEqual(await second, done);
});

test('SHIM-7: who aborts is gone; only when all have, execution is told', async () => {
  const flow = new Flow();
  const [first, second] = [new AbortController(), new AbortController()];
  const joined = [flow.join(50, first.signal), flow.join(50, second.signal)];
  flow.run();
  first.abort();
  assert.equal(flow.signal.aborted, false);
  second.abort();
  assert.equal(flow.signal.aborted, true);
  assert.equal(flow.settle(done), false, 'nobody heard it');
  for (const outcome of await Promise.all(joined)) assert.equal(outcome.kind, 'refused');
  assert.equal((await flow.join(50, AbortSignal.abort())).kind, 'refused');
});

test('CALL-6: a result after 25 s may not have reached the agent', async () => {
  const flow = new Flow();
  const joined = flow.join(50, undefined);
  clock.ahead += 25_000;
  assert.equal(flow.settle(done), false);
  assert.deepEqual(await joined, done, 'it is returned all the same');
  const other = new Flow();
  void other.join(50, undefined);
  clock.ahead += 24_000;
  void other.join(50, undefined);
  clock.ahead += 2_000;
  assert.equal(other.settle(done), true, 'the younger attempt heard it');
});
