/** The words of the dialogs (SHIM-8, GRANT-1, APPR-2). */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import '../platform.js';

const { bare } = await import('../../src/platform/json.js');
const { visible } = await import('../../src/people/shown.js');
const { argsS256 } = await import('../../src/platform/canonical.js');
const { approvalView, consentView, linesIn } = await import('../../src/people/view.js');

/** @param {string} text @returns {string} without what only sets its parts apart */
const plainly = (text) => text.replace(/[\u2068\u2069]/g, '');

const lines = [
  { part: 'title', line: 'Darf er das für Sie tun?' },
  { part: 'asker', line: 'Der Agent in diesem Browser.' },
  { part: 'heading', line: 'Er darf' },
  { part: 'scope', line: 'Ihre Konten sehen' },
];
const shown = { site: 'Harbor', user: 'Ada', language: 'de', text_s256: await argsS256(lines.map(({ line }) => line)) };
/** @param {object} [text] @param {object} [signed] */
const consent = (text, signed) => consentView(bare({ ...shown, ...signed }), bare({ language: 'de', lines: structuredClone(lines), ...text }));

test('GRANT-2: consent shows the site, who is signed in, and the lines that are signed', async () => {
  const view = await consent();
  assert.deepEqual([view?.site, view?.user, view?.host], ['Harbor', 'Ada', 'bank.example']);
  assert.deepEqual(view?.lines.map((each) => ({ ...each })), lines);
  assert.equal(view?.language, 'de');
  assert.equal(view && linesIn(view), lines.map(({ line }) => line).join('\n'));
  assert.deepEqual([view?.approve, view?.decline], ['Allow with passkey', 'Not now']);
});

test('GRANT-2: nobody is shown other words than those that are signed', async () => {
  const [title, ...others] = lines;
  assert.equal(await consent({ lines: [title, ...others.slice(1)] }), null, 'fewer');
  assert.equal(await consent({ lines: [...lines, { part: 'remark', line: 'And more.' }] }), null, 'more');
  assert.equal(await consent({ lines: [...others, title] }), null, 'in another order');
  assert.equal(await consent({ lines: lines.map(({ line }) => line) }), null, 'no lines');
  assert.equal(await consent({ lines: null }), null);
  assert.equal(await consent({ language: 'en' }), null, 'in another language');
  assert.equal(await consent({}, { text_s256: undefined }), null);
});

test('SHIM-8: approval shows the description as it came, and exactly the values', () => {
  const args = { amount: 250, name: 'Ada', nested: { list: [1, 'x'] }, none: null, empty: '' };
  const view = approvalView({ site: 'Harbor', user: 'Ada', description: 'Send 250.00 EUR\nto Ada', args, caller: { clientId: 'agt_1', assurance: 'opaque', scopes: [] } });
  assert.equal(view.description, 'Send 250.00 EUR\nto Ada');
  assert.deepEqual(view.values, [
    { name: 'amount', value: '250' },
    { name: 'name', value: 'Ada' },
    { name: 'nested', value: '{"list":[1,"x"]}' },
    { name: 'none', value: 'null' },
    { name: 'empty', value: '(empty)' },
  ]);
  assert.match(view.asker, /agent/);
  assert.doesNotMatch(approvalView({ site: 'Harbor', user: 'Ada', description: '', args, caller: null }).asker, /by (the|an) agent/);
});

test('OAUTH-4: an attested agent is told by what is proven first, and what it calls itself stays in quotation marks', () => {
  const clientId = 'https://agent.example/agent.json';
  const asker = (/** @type {string} */ assurance) =>
    approvalView({ site: 'Harbor', user: 'Ada', description: '', args: {}, caller: { clientId, assurance, name: 'Shop\u202Eper', scopes: [] } }).asker;
  assert.equal(
    asker('origin'),
    'Asked for by \u2068an agent that has proved that it belongs to \u2068https://agent.example\u2069 and calls itself \u2068“\u2068Shop\uFFFDper\u2069”\u2069\u2069.',
  );
  assert.equal(plainly(asker('registered')), `Asked for by “Shop\uFFFDper”, an agent that this site has registered as ${clientId}.`);
  const child = { clientId: 'https://child.example/agent.json', assurance: 'origin', scopes: [], handedOnBy: { clientId, assurance: 'registered', name: 'Shopper' } };
  assert.equal(
    plainly(approvalView({ site: 'Harbor', user: 'Ada', description: '', args: {}, caller: child }).asker),
    'Asked for by an agent that has proved that it belongs to https://child.example; this was handed on to it by “Shopper”, ' +
      `an agent that this site has registered as ${clientId}.`,
  );
});

test('APPR-2: what would not be seen in a value is', () => {
  assert.equal(visible('a\u202Eb\u200Bc\u0000d\u2066e\uFEFFf\u00ADg\u2028h\u3164i'), 'a\uFFFDb\uFFFDc\uFFFDd\uFFFDe\uFFFDf\uFFFDg\uFFFDh\uFFFDi');
  assert.equal(visible('a\u{E0100}b\u2800c\u180Bd'), 'a\uFFFDb\uFFFDc\uFFFDd');
  assert.equal(visible('Grüße, 東京, עברית, 👩'), 'Grüße, 東京, עברית, 👩');
});

test('SHIM-8: who handed on is not asked of the page, where nobody did', () => {
  const caller = /** @type {const} */ ({ clientId: 'https://travel.example/agent', assurance: 'self_asserted', name: 'Trip', scopes: [] });
  const show = () => approvalView({ site: 'Harbor', user: 'Ada', description: 'Send 250', args: {}, caller: { ...caller, scopes: [] } });
  const told = show();
  Object.defineProperty(Object.prototype, 'handedOnBy', { configurable: true, get: () => ({ ...caller, name: 'A LIE' }) });
  try {
    assert.deepEqual(show(), told);
  } finally {
    Reflect.deleteProperty(Object.prototype, 'handedOnBy');
  }
});
