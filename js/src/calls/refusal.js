/** What an agent sees of a refusal (SHIM-6): a result, in the words for models. */

import { stringify } from '../platform/natives.js';
import { wordsFor } from '../words/words.js';
import { reason } from './outcome.js';

/** @import { Outcome, Problem } from '../types.js' */

const LIMIT = 1500;
const DETAIL_LIMIT = 300;

/**
 * Makes the result that an agent gets instead of the tool's.
 *
 * @param {Problem} problem
 * @param {Record<string, unknown>} [facts] more members for `structuredContent`
 */
export function refusal(problem, facts = {}) {
  const { again, model: text } = wordsFor(problem.code);
  const telling = problem.code === 'invalid_arguments' || problem.code === 'too_many_requests';
  const detail = telling ? tidy(problem.detail) : '';
  const content = [{ type: 'text', text: detail ? `${text} ${detail}` : text }];
  const brief = { code: problem.code, correlation_id: problem.callId, retryable: again };
  const missing = problem.scopes.length > 0 ? { scopes: problem.scopes } : {};
  const result = { isError: true, content, structuredContent: { ...brief, ...missing, ...facts } };
  return stringify(result).length < LIMIT ? result : { isError: true, content, structuredContent: brief };
}

/**
 * Playwright's client calls a second time when it reads "Failed to parse input".
 *
 * @param {string} detail
 */
function tidy(detail) {
  const text = detail.replace(/failed to parse input/gi, 'could not read input');
  return text.length > DETAIL_LIMIT ? `${text.slice(0, DETAIL_LIMIT)}…` : text;
}

/**
 * What an agent is answered.
 *
 * @param {{outcome: Outcome, facts?: Record<string, unknown>}} settled
 * @returns {unknown}
 * @throws what the tool has thrown
 */
export function answerOf({ outcome, facts }) {
  if (outcome.kind === 'thrown') throw outcome.error;
  return outcome.kind === 'result' ? outcome.value : refusal(reason(outcome), facts);
}
