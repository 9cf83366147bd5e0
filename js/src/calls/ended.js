/** What is told of a call that is over. */

import { reason } from './outcome.js';

/** @import { Outcome } from '../types.js' */

/**
 * @typedef {object} Ended a call that is over
 * @property {string} tool
 * @property {number} at milliseconds since the epoch
 * @property {boolean} direct the user's own (CALL-7)
 * @property {'result' | 'thrown' | 'refused' | 'public'} kind
 * @property {string | null} code why it was refused
 * @property {string | null} callId
 */

/**
 * @param {Outcome | undefined} outcome none of what is public
 * @param {string} tool
 * @param {boolean} direct
 * @param {number} at milliseconds since the epoch
 * @returns {Ended}
 */
export function endedBy(outcome, tool, direct, at) {
  const call = { tool, at, direct, code: null, callId: null };
  if (!outcome) return { ...call, kind: 'public' };
  if (outcome.kind === 'result' || outcome.kind === 'thrown') return { ...call, kind: outcome.kind, callId: outcome.callId ?? null };
  const { code, callId } = reason(outcome);
  return { ...call, kind: 'refused', code, callId };
}
