/** How a call ends on this page. */

import { problem } from '../authority/authority.js';
import { among } from '../platform/among.js';
import { inert } from '../platform/natives.js';

/** @import { Outcome, Problem } from '../types.js' */

/** The configuration has changed since it was fetched: look again, once. */
const STALE = ['login_required', 'wrong_user', 'unknown_tool', 'tool_is_public'];

/**
 * A refusal of the shim's own.
 *
 * @param {string} code
 * @param {string | null} [callId]
 * @returns {Outcome}
 */
export const refused = (code, callId = null) => inert({ kind: 'refused', problem: problem(code, { callId }) });

/**
 * A refusal by the authority.
 *
 * @param {Problem} found
 * @returns {Outcome}
 */
export const ruled = (found) => inert({ kind: among(found.code, STALE) ? 'stale' : 'refused', problem: found });

/**
 * Why a call has no result.
 *
 * @param {Outcome} outcome
 * @returns {Problem}
 */
export const reason = (outcome) => ('problem' in outcome ? outcome.problem : problem('server_error'));
