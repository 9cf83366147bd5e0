/** The snapshot of the arguments, and answers without prototypes (SHIM-2). */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { bare, snapshot } from '../../src/platform/json.js';

/** @param {unknown} input */
function taken(input) {
  const found = snapshot(input);
  assert.ok(found);
  return found;
}

/** @type {any} any: a test that pollutes what must not be relied on */
const polluted = Object.prototype;
afterEach(() => {
  for (const name of ['toJSON', 'public', 'user']) delete polluted[name];
});

test('SHIM-2: getters run once, and what they said then is what runs', () => {
  let reads = 0;
  const input = {
    get amount() {
      reads += 1;
      return reads;
    },
  };
  const { text, value } = taken(input);
  assert.equal(reads, 1);
  assert.equal(text, '{"amount":1}');
  assert.deepEqual(value, { amount: 1 });
});

test('SHIM-2: it is another object, frozen to the ground', () => {
  const input = { list: [{ deep: [1] }], text: 'a' };
  const { value } = taken(input);
  input.list.push({ deep: [2] });
  const list = /** @type {typeof input.list} */ (value.list);
  assert.deepEqual(value, { list: [{ deep: [1] }], text: 'a' });
  for (const part of [value, list, list[0], list[0]?.deep]) assert.ok(Object.isFrozen(part));
});

test('SHIM-2: the value is what the text says, also for "__proto__" and -0', () => {
  const { text, value } = taken(JSON.parse('{"__proto__": {"a": 1}, "zero": -0, "ü": "\\u0000"}'));
  assert.equal(text, JSON.stringify(JSON.parse('{"__proto__": {"a": 1}, "zero": 0, "ü": "\\u0000"}')));
  assert.ok(Object.hasOwn(value, '__proto__'));
  assert.ok(Object.is(value.zero, 0));
});

test('SHIM-2: a toJSON on a prototype changes nothing silently', () => {
  polluted.toJSON = () => ({ amount: 1 });
  assert.equal(snapshot({ amount: 2 }), null);
});

test('nothing passed is an empty object', () => {
  assert.equal(taken(undefined).text, '{}');
  assert.equal(taken(null).text, '{}');
});

for (const [what, input] of Object.entries({
  'a list': [1],
  'a text': 'text',
  'a number': 5,
  'not a number': { a: NaN },
  'a date': { a: new Date(0) },
  'a map': { a: new Map() },
  'undefined inside': { a: undefined },
  'a function': { a: () => 1 },
  'a big integer': { a: 2n },
  'beyond 2^53': { a: 2 ** 53 },
  'a lone surrogate': { a: '\ud800' },
  'a getter that throws': {
    get a() {
      throw new Error('no');
    },
  },
})) {
  test(`JSON-1, JSON-2: refuses ${what}`, () => assert.equal(snapshot(input), null));
}

test('JSON-1: refuses a cycle and too great a depth', () => {
  /** @type {Record<string, unknown>} */
  const round = {};
  round.round = round;
  assert.equal(snapshot(round), null);
  assert.equal(snapshot(JSON.parse(`${'{"a":'.repeat(65)}1${'}'.repeat(65)}`)), null);
});

test('an answer of the authority has no members but its own', () => {
  polluted.public = true;
  const answer = bare(JSON.parse('{"tools": {"transfer_money": {}}, "list": [{"a": 1}]}'));
  const { tools, list } = /** @type {any} any: read as a careless caller would */ (answer);
  assert.equal(tools.transfer_money.public, undefined);
  assert.equal(tools.constructor, undefined);
  assert.equal(list[0].public, undefined);
});
