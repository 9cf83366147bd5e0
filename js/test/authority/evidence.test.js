/** Evidence in the input (EVID-1): taken out before anything else, never mistaken for none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import '../platform.js';

const { declareEvidence, MEMBER, moveEvidence, scopeOf, takeEvidence, withoutEvidence } = await import('../../src/authority/evidence.js');
const { snapshot } = await import('../../src/platform/json.js');

const TOKEN = 'eyJ0.eyJzY29wZSI6ImEgYiJ9.c2ln';
const PROOF = 'eyJ0.eyJqdGkiOiJ4In0.c2ln';
const args = { amount: 1, name: 'Ada' };

test('EVID-1: good evidence is taken out, and the arguments are as if it had never been there', () => {
  const taken = takeEvidence({ ...args, [MEMBER]: `${TOKEN}~${PROOF}` });
  assert.ok(taken);
  assert.deepEqual(taken.evidence, { token: TOKEN, proof: PROOF });
  assert.equal(taken.bad, false);
  assert.equal(taken.args.text, snapshot(args)?.text);
  assert.deepEqual(taken.args.value, args);
  assert.ok(Object.isFrozen(taken.args.value));
});

for (const [how, input] of /** @type {Array<[string, (args: object) => unknown]>} */ ([
  ['in the input', (args) => JSON.parse(JSON.stringify({ ...args, [MEMBER]: `${TOKEN}~${PROOF}` }))],
  ['in the options', (args) => moveEvidence(args, { [MEMBER]: `${TOKEN}~${PROOF}` })],
  ['in the options, beside text', (args) => JSON.parse(String(moveEvidence(JSON.stringify(args), { [MEMBER]: `${TOKEN}~${PROOF}` })))],
])) {
  test(`EVID-1: an argument named "__proto__" is an argument like any other, with evidence ${how}`, () => {
    const odd = JSON.parse('{"__proto__": {"amount": 2}, "amount": 1}');
    const taken = takeEvidence(input(odd));
    assert.equal(taken?.args.text, '{"__proto__":{"amount":2},"amount":1}');
    assert.deepEqual(Object.keys(taken?.args.value ?? {}).sort(), ['__proto__', 'amount']);
    assert.deepEqual(taken?.evidence, { token: TOKEN, proof: PROOF });
    assert.deepEqual(Object.keys(/** @type {object} */ (withoutEvidence({ ...odd, [MEMBER]: 'x' }))).sort(), ['__proto__', 'amount']);
  });
}

for (const none of [undefined, null, '']) {
  test(`EVID-1: ${JSON.stringify(none)} is no evidence`, () => {
    const input = none === undefined ? args : { ...args, [MEMBER]: none };
    assert.deepEqual(takeEvidence(input), { args: snapshot(args), evidence: null, bad: false });
  });
}

for (const bad of ['~', 'x', `${TOKEN}~`, `~${PROOF}`, `${TOKEN}~${PROOF}~`, `${TOKEN} ~${PROOF}`, `${TOKEN}~a.b`, `${TOKEN}\r\n~${PROOF}`, 5, true, {}, [`${TOKEN}~${PROOF}`]]) {
  test(`EVID-1: ${JSON.stringify(bad)} is bad evidence, and not none`, () => {
    const taken = takeEvidence({ ...args, [MEMBER]: bad });
    assert.equal(taken?.bad, true);
    assert.equal(taken.evidence, null);
  });
}

test('EVID-1: only the arguments’ own member counts, deeper ones are arguments', () => {
  const nested = { inner: { [MEMBER]: `${TOKEN}~${PROOF}` } };
  assert.deepEqual(takeEvidence(nested), { args: snapshot(nested), evidence: null, bad: false });
});

test('EVID-1: a public tool does not see it either', () => {
  assert.deepEqual(withoutEvidence({ ...args, [MEMBER]: 'x' }), args);
  assert.equal(withoutEvidence(args), args);
  assert.equal(withoutEvidence('text'), 'text');
  assert.equal(withoutEvidence(null), null);
});

test('EVID-1: the member is declared, optional, and the page’s schema stays as it was', () => {
  const schema = { type: 'object', required: ['amount'], properties: { amount: { type: 'number' } }, additionalProperties: false };
  const before = JSON.stringify(schema);
  const declared = /** @type {any} any: a JSON Schema */ (declareEvidence(schema));
  assert.equal(declared.properties[MEMBER].type, 'string');
  assert.deepEqual(declared.required, ['amount']);
  assert.deepEqual(declared.properties.amount, { type: 'number' });
  assert.equal(JSON.stringify(schema), before);
  assert.equal(/** @type {any} any: a JSON Schema */ (declareEvidence(undefined)).properties[MEMBER].type, 'string');
});

test('EVID-1: what is no schema of an object is left to the platform', () => {
  const loop = {};
  Object.assign(loop, { loop });
  for (const odd of [null, 'text', 5, true, [], { type: 'array' }, loop]) assert.equal(declareEvidence(odd), odd);
});

test('the scopes of a token are those that its claims name', () => {
  assert.equal(scopeOf(TOKEN), 'a b');
});
