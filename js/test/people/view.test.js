/** The words of the dialogs (SHIM-8, GRANT-1, APPR-2). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import '../platform.js';

const { bare } = await import('../../src/platform/json.js');
const { visible } = await import('../../src/people/shown.js');
const { argsS256 } = await import('../../src/platform/canonical.js');
const { approvalView, askedIn, consentView, detailsOf, linesFrom, linesIn } = await import('../../src/people/view.js');

/** @type {{rows: Array<{lines: import('../../src/wire.js').Line[], text: string}>}} */
const { rows: texts } = JSON.parse(readFileSync(new URL('../../../tests/vectors/question-text.json', import.meta.url), 'utf8'));

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

test('APPR-2: approval shows the lines as they came, and what they leave out', () => {
  const asked = [
    { part: 'headline', line: 'Send \u2068250.00 EUR\u2069?' },
    { part: 'row', line: 'To' },
    { part: 'value', line: '\u2068“Ada”\u2069' },
    { part: 'value', line: '\u2068“Grace”\u2069' },
    { part: 'row', line: 'Asked by' },
    { part: 'asker', line: '\u2068travel.example\u2069' },
    { part: 'claim', line: 'calls itself “Trip”' },
  ];
  const details = [{ title: 'Memo', values: ['\u2068“x”\u2069'] }];
  const body = bare({ text: { language: 'de', lines: asked }, details });
  const view = approvalView({ site: 'Harbor', user: 'Ada', agent: true, ...askedIn(body) });
  assert.equal(JSON.stringify(view.lines.map(({ part, line }) => ({ part, line }))), JSON.stringify(asked));
  assert.equal(plainly(linesIn(view)), 'Send 250.00 EUR?\nTo: “Ada”, “Grace”\nAsked by: travel.example · calls itself “Trip”');
  assert.equal(JSON.stringify(view.details), JSON.stringify(details));
  assert.equal(view.approve, 'Approve with passkey');
  assert.equal(view.language, 'de');
  assert.deepEqual([askedIn(bare({})).lines, askedIn(bare({ text: { lines: 'x' }, details: 5 })).details], [[], []]);
});

test('CALL-9: the button says what approves, where not every passkey does', () => {
  const button = (/** @type {object} */ body) => approvalView({ site: 'Harbor', user: 'Ada', agent: true, ...askedIn(bare(body)) }).approve;
  assert.equal(button({ authenticator_class: 'cross-platform' }), 'Approve with a security key or phone');
  for (const kind of ['platform', 'Approve with your blood', 7, null, ['cross-platform'], undefined]) {
    assert.equal(button({ authenticator_class: kind }), 'Approve with passkey');
  }
});

for (const { lines: told, text } of texts) {
  test(`GRANT-2: the lines of a question are the text that the vectors say: ${JSON.stringify(text)}`, () => {
    assert.equal(linesIn({ lines: told }), text);
  });
}

test('MCP-13: of what comes in one text, the first line is what is asked, and nothing is left out', () => {
  for (const text of ['Send', '', 'a\nb\n\nc\n', '\n']) assert.equal(linesIn({ lines: linesFrom(bare({ displayText: text })) }), text);
  assert.deepEqual(linesFrom(bare({ displayText: 'a\nb' })).map(({ part }) => part), ['headline', 'remark']);
});

/** @param {unknown} lines @param {string} displayText @param {import('../../src/wire.js').Line[]} [asker] */
const drawn = (lines, displayText, asker) => {
  const envelope = bare(structuredClone({ displayText, text: { language: 'en', lines } }));
  return linesFrom(envelope, asker).map(({ part, line }) => ({ part, line }));
};
/** @param {string} text */
const asText = (text) => linesFrom(bare({ displayText: text }));
const rows = /** @type {import('../../src/wire.js').Line[]} */ ([
  { part: 'headline', line: 'Send \u2068250.00 EUR\u2069?' },
  { part: 'row', line: 'To' },
  { part: 'value', line: '\u2068“Ada”\u2069' },
  { part: 'value', line: '\u2068“Grace”\u2069' },
  { part: 'row', line: 'Asked by' },
  { part: 'asker', line: '\u2068travel.example\u2069' },
  { part: 'claim', line: 'calls itself “Trip”' },
]);
const told = linesIn({ lines: rows });

test('APPR-1: an envelope is drawn in rows, where these come to exactly its text', () => {
  assert.deepEqual(drawn(rows, told), rows);
  assert.deepEqual(drawn(rows.slice(0, 1), rows[0]?.line ?? ''), rows.slice(0, 1));
});

test('APPR-1: where one character of it is another, the envelope is drawn as its text', () => {
  for (let i = 0; i < told.length; i++) {
    const other = `${told.slice(0, i)}#${told.slice(i + 1)}`;
    assert.deepEqual(drawn(rows, other), asText(other), other);
  }
  for (const other of [`${told} `, told.slice(1), told.slice(0, -1), `${told}\n`, '']) assert.deepEqual(drawn(rows, other), asText(other));
});

test('APPR-1: lines that hide one another, or are put together in another way, are not drawn', () => {
  const [headline, ...others] = /** @type {[typeof rows[0], ...typeof rows]} */ (rows);
  const row = { part: 'row', line: 'To' };
  for (const lines of /** @type {Array<import('../../src/wire.js').Line[]>} */ ([
    [headline, { ...headline, line: 'Send 1 EUR?' }], // it would take the place of the first
    [{ ...headline, part: 'title' }, ...others],
    [...others, headline],
    [headline, { part: 'remark', line: 'x' }],
    [headline, { part: 'unread', line: 'x' }], // a class of our own sheet
    [headline, { part: '__proto__', line: 'x' }],
    [headline, { part: 'value', line: 'x' }],
    [headline, { part: 'asker', line: 'x' }],
    [headline, row, { part: 'claim', line: 'x' }],
    [headline, { part: 'row', line: 'To\nAsked by' }],
    [headline, row, { part: 'value', line: 'x\u2028y' }],
  ])) {
    const text = linesIn({ lines });
    assert.deepEqual(drawn(lines, text), asText(text), JSON.stringify(lines));
  }
  for (const lines of [[], null, 7, 'Send', {}, [null], [7], ['Send'], [{ part: 'headline' }], { length: 1, 0: headline }]) {
    assert.deepEqual(drawn(lines, 'Send'), asText('Send'));
  }
});

test('MCP-13: how a server draws that is none of ours, nobody believes', () => {
  const asker = /** @type {typeof rows} */ ([{ part: 'row', line: 'Asked by' }, { part: 'asker', line: 'The agent' }]);
  assert.deepEqual(drawn(rows, told, asker), [...asText(told), ...asker]);
});

test('SHIM-8: where nobody says more of the arguments, they are shown exactly', () => {
  const args = { amount: 250, name: 'Ada', nested: { list: [1, 'x'] }, none: null, empty: '' };
  assert.deepEqual(
    detailsOf(args).map(({ title, values }) => [title, plainly(values.join('|'))]),
    [['amount', '250'], ['name', 'Ada'], ['nested', '{"list":[1,"x"]}'], ['none', 'null'], ['empty', '(empty)']],
  );
});

test('APPR-2: what would not be seen in a value is', () => {
  assert.equal(visible('a\u202Eb\u200Bc\u0000d\u2066e\uFEFFf\u00ADg\u2028h\u3164i'), 'a\uFFFDb\uFFFDc\uFFFDd\uFFFDe\uFFFDf\uFFFDg\uFFFDh\uFFFDi');
  assert.equal(visible('a\u{E0100}b\u2800c\u180Bd'), 'a\uFFFDb\uFFFDc\uFFFDd');
  assert.equal(visible('Grüße, 東京, עברית, 👩'), 'Grüße, 東京, עברית, 👩');
});
