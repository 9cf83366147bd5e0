/** Two texts, one table (SHIM-10): what a person reads is not written for a model, and nothing is said that is not known. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

import { CODES } from '../platform.js';

const { say, wordsFor } = await import('../../src/words/words.js');

const read = (/** @type {string} */ path) => readFileSync(new URL(path, import.meta.url), 'utf8');
/** How one speaks to a model, or of a person to somebody else, and what only programs understand. */
const FOR_MODELS = /call (this|the) tool|\bthe user\b|ask the user|tell the user|\barguments\b|runtime|delegation|correlation|DPoP|[a-z]_[a-z]/i;
/** States in which a call can never run any more (CALL-4). */
const ENDED = ['declined', 'cancelled', 'expired'];

for (const code of [...CODES, 'code_of_a_later_version']) {
  describe(code, () => {
    const { again, model, human } = wordsFor(code);

    test('has a text for each of the two', () => {
      assert.equal(typeof again, 'boolean');
      for (const text of [model, human]) assert.match(text, /^[A-Z].{20,}[.]$/s);
      assert.notEqual(model, human);
    });

    test('people are not spoken to as if they were models', () => {
      assert.doesNotMatch(human, FOR_MODELS);
    });

    test('only what has ended is said not to be done', () => {
      for (const text of [model, human]) {
        assert.doesNotMatch(text, /[Nn]othing (was|has|is)/, 'this page can know of itself only');
        if (!ENDED.includes(code)) assert.doesNotMatch(text, /is not done|did not run/);
      }
    });
  });
}

test('what was taken back may have been by anybody: the user, the owner, the agent itself, whoever handed it on', () => {
  const { model, human } = wordsFor('grant_revoked');
  assert.match(model, /was taken back/);
  assert.doesNotMatch(model, /The user (has )?t[ao]k/);
  assert.doesNotMatch(human, /\b[Yy]ou\b/);
});

test('a link for recovery that is over says so, and what to do', () => {
  const over = say('script-account-recovery-over');
  assert.match(over, /works once.+sign in with that.+ask this site for a new link/);
  assert.doesNotMatch(over, FOR_MODELS);
});

test('no sentence of a server stands where a person reads: each goes by the table', () => {
  for (const path of ['../../src/people/prompt.js', '../../src/calls/gate.js', '../../src/people/notice.js', '../../src/people/dialog.js', '../../src/people/view.js']) {
    assert.doesNotMatch(read(path), /\.detail\b/, path);
  }
});
