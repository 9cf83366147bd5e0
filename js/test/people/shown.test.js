/** Text of strangers as people are shown it (APPR-2): the same here and at the authority. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import '../platform.js';

const { mixed, partsOf, plain, visible } = await import('../../src/people/shown.js');
/** @param {string} text */
const isolated = (text) => `\u2068${text}\u2069`;
const { alphabet } = await import('../../src/words/dialogs.js');

const { rows } = JSON.parse(readFileSync(new URL('../../../tests/vectors/shown-text.json', import.meta.url), 'utf8'));

/** @param {string[]} scripts what is warned of, in English */
const warning = (scripts) => (scripts.length > 0 ? ` (mixed alphabets: ${scripts.map(alphabet).join(' and ')})` : '');

test('APPR-2: every vector', () => {
  assert.ok(rows.length > 300);
  for (const { text, ...told } of rows) {
    assert.deepEqual({ plain: plain(text), visible: visible(text), warning: warning(mixed(text)) }, told, JSON.stringify(text));
  }
});

test('a text is taken apart at its isolates', () => {
  assert.deepEqual(partsOf(`Send ${isolated('“Ada”')} ${isolated('2')}`), [
    { text: 'Send ', said: false },
    { text: '“Ada”', said: true },
    { text: ' ', said: false },
    { text: '2', said: true },
  ]);
  assert.deepEqual(partsOf(isolated(`a${isolated('b')}c`)), [{ text: `a${isolated('b')}c`, said: true }]);
  assert.deepEqual(partsOf('\u2069a'), [{ text: '\u2069a', said: false }]);
  assert.deepEqual(partsOf('a\u2068b'), [{ text: 'a', said: false }, { text: 'b', said: true }]);
});
