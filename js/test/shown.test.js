/** Text of strangers as people are shown it (APPR-2): the same here and at the authority. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { isolated, partsOf, plain, visible, warning } from '../src/people/shown.js';

const { rows } = JSON.parse(readFileSync(new URL('../../tests/vectors/shown-text.json', import.meta.url), 'utf8'));

test('APPR-2: every vector', () => {
  assert.ok(rows.length > 300);
  for (const { text, ...told } of rows) {
    assert.deepEqual({ plain: plain(text), visible: visible(text), warning: warning(text) }, told, JSON.stringify(text));
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
