/**
 * Handlers, by the official TypeScript client in both lives: any content, progress, and calls that are called off.
 * Run by tests/interop/test_handlers.py, which serves the bank: one test there for each here.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { control, Deputy, LIVES } from './bank.js';

/** @import { Json } from './bank.js' */

/** @type {Deputy[]} */
const open = [];
after(() => Promise.all(open.map(({ client }) => client.close())));

const [OLD, NEW] = LIVES;

/** @param {typeof LIVES[number]} life */
async function deputy(life) {
  const made = new Deputy();
  open.push(made);
  await made.connect({ life });
  await made.client.listTools(); // from here on it holds results to their schema
  return made;
}

/** @param {Deputy} ada @param {Record<string, unknown>} args @param {object} [options] @returns {Promise<Json>} */
const show = (ada, args, options) => ada.client.callTool({ name: 'show', arguments: args }, options);

test('content of every kind arrives (2025-11-25)', () => content(OLD));
test('content of every kind arrives (2026-07-28)', () => content(NEW));

/** @param {typeof LIVES[number]} life */
async function content(life) {
  const ada = await deputy(life);
  const result = await show(ada, { what: 'everything' });
  const kinds = result.content.map((/** @type {Json} */ block) => block.type);
  assert.deepEqual(kinds, ['text', 'image', 'audio', 'resource_link', 'resource']);
  assert.deepEqual(result.structuredContent, { shown: 5 });
}

test('what does not fit the schema is an error that arrives (2025-11-25)', () => misfit(OLD));
test('what does not fit the schema is an error that arrives (2026-07-28)', () => misfit(NEW));

/** @param {typeof LIVES[number]} life */
async function misfit(life) {
  const ada = await deputy(life);
  const result = await show(ada, { what: 'nothing' });
  assert.equal(result.isError, true);
  assert.equal(result._meta['dev.deputize/error'].code, 'outcome_unknown');
}

test('progress is heard while it goes on (2025-11-25)', () => progress(OLD));
test('progress is heard while it goes on (2026-07-28)', () => progress(NEW));

/** @param {typeof LIVES[number]} life */
async function progress(life) {
  const ada = await deputy(life);
  /** @type {Json[]} */
  const heard = [];
  const onprogress = (/** @type {Json} */ said) => {
    heard.push(said);
    void control('go_on'); // so it is heard before the answer
  };
  const result = await show(ada, { what: 'progress' }, { onprogress });
  assert.deepEqual(heard, [{ progress: 1, total: 2, message: 'half' }]);
  assert.deepEqual(result.structuredContent, { shown: 1 });
}

test('a call that is called off is unknown (2025-11-25)', () => calledOff(OLD));
test('a call that is called off is unknown (2026-07-28)', () => calledOff(NEW));

/** @param {typeof LIVES[number]} life */
async function calledOff(life) {
  const ada = await deputy(life);
  const abort = new AbortController();
  const called = show(ada, { what: 'for ever' }, { signal: abort.signal });
  await control('began');
  abort.abort();
  await assert.rejects(called);
  assert.equal(await control('became'), 'call.unknown');
}
