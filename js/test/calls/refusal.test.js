/** The one table of what an agent sees (SHIM-6). */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

import { problem } from '../../src/authority/authority.js';
import { refusal } from '../../src/calls/refusal.js';
import { CODES } from '../platform.js';

const errors = readFileSync(new URL('../../../server/deputize/protocol/errors.py', import.meta.url), 'utf8');
const known = new Set([...errors.matchAll(/^ {4}[A-Z_]+ = "(\w+)", \d{3}(?:, _REASON)?$/gm)].map(([, code]) => code));
/** Codes of the shim's own (SHIM-7). */
const OWN = ['consent_pending', 'approval_pending', 'consent_unknown', 'approval_unknown', 'form_changed', 'part_unavailable', 'misconfigured'];

describe('SHIM-6: a refusal is a short result that tells a model what to do', () => {
  for (const code of [...CODES, 'of_a_newer_authority']) {
    test(`for ${code}`, () => {
      const long = 'x'.repeat(4000);
      const scopes = Array.from({ length: 100 }, (_, i) => `scope:${i}`);
      for (const facts of [{}, { detail: long }, { detail: `Failed to PARSE input ${long}` }, { scopes, callId: 'cal_1' }]) {
        const result = refusal(problem(code, facts), { sign_in_uri: 'https://bank.example/deputize/account' });
        const text = JSON.stringify(result);
        assert.ok(text.length < 1500, `${text.length} characters`);
        assert.doesNotMatch(text, /failed to parse input/i);
        assert.equal(result.isError, true);
        assert.equal(result.structuredContent.code, code);
        assert.equal(result.structuredContent.correlation_id, facts.callId ?? null);
        assert.equal(typeof result.structuredContent.retryable, 'boolean');
        assert.match(result.content[0]?.text ?? '', /^[A-Z].{30,}/);
      }
    });
  }
});

test('the codes are those of the one table of the protocol (ERR-1)', () => {
  assert.ok(known.size > 40, 'the table was read');
  assert.deepEqual(CODES.filter((code) => !known.has(code) && !OWN.includes(code)), []);
});

test('every refusal of a call has a sentence (CALL-1 to CALL-6)', () => {
  const decisions = ['wrong_user', 'login_required', 'unknown_tool', 'unknown_agent', 'consent_required', 'grant_expired',
    'grant_revoked', 'agent_not_allowed', 'insufficient_scope', 'invalid_arguments', 'no_eligible_credential', 'outcome_unknown',
    'already_executed', 'declined', 'cancelled', 'expired', 'record_unavailable', 'authority_unavailable', 'too_many_requests', 'agent_blocked', 'user_blocked', ...OWN];
  for (const code of decisions) assert.ok(CODES.includes(code), code);
});

test('what is missing, where to sign in, and what is wrong with the arguments is told', () => {
  const scopes = refusal(problem('insufficient_scope', { scopes: ['payments:write'], callId: 'cal_1' }));
  assert.deepEqual(scopes.structuredContent, { code: 'insufficient_scope', correlation_id: 'cal_1', retryable: true, scopes: ['payments:write'] });
  const uri = { sign_in_uri: 'https://bank.example/deputize/account' };
  assert.deepEqual(refusal(problem('login_required'), uri).structuredContent, { code: 'login_required', correlation_id: null, retryable: true, ...uri });
  assert.match(refusal(problem('invalid_arguments', { detail: 'amount is too large' })).content[0]?.text ?? '', /amount is too large/);
  const wait = problem('too_many_requests', { detail: 'There were too many calls that were refused. Wait 37 seconds, then try again.' });
  assert.match(refusal(wait).content[0]?.text ?? '', /then call this tool again .* Wait 37 seconds/);
});

test('a code from a prototype is not in the table', () => {
  assert.match(refusal(problem('constructor')).content[0]?.text ?? '', /The site refused this call/);
});
