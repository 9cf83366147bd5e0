/**
 * What an agent sees of a refusal (SHIM-6): a result, in words that tell a model what to do next. One table.
 *
 * `again` says whether the same call can succeed later, perhaps after what the sentence asks for.
 */

import { stringify } from './natives.js';

/** @import { Problem } from './types.js' */

const LIMIT = 1500;
const DETAIL_LIMIT = 300;
const ASK_AGAIN = 'then call this tool again with the same arguments';

/** @type {Record<string, {again: boolean, text: string}>} */
const TABLE = {
  __proto__: /** @type {any} any: the only way to write an object without prototype */ (null),
  // who asks
  login_required: { again: true, text: `Nobody is signed in on this site. Ask the user to sign in at the address in sign_in_uri, ${ASK_AGAIN}.` },
  wrong_user: { again: true, text: `Another user has signed in on this site meanwhile. Ask the user who should be signed in, ${ASK_AGAIN}.` },
  invalid_token: { again: false, text: 'The delegation that came with this call is not good, so nothing has run. The agent’s runtime has to renew it; a model cannot mend it.' },
  invalid_dpop_proof: { again: false, text: 'The proof that came with this call is not good for it: it is too old, was used before, or was made for other arguments. Nothing has run. The agent’s runtime has to make a new one for each call.' },
  // the agent's rights
  consent_pending: { again: true, text: `The user is being asked, in a dialog on this page, to let you use this tool. Nothing has run yet. Tell the user to look at the page, wait until they have answered, ${ASK_AGAIN}.` },
  consent_required: { again: true, text: `The user has not let you use this tool yet. Tell the user that the site will ask them, ${ASK_AGAIN}.` },
  consent_declined: { again: false, text: 'The user declined to let you use this tool. Do not call it again unless the user asks you to.' },
  grant_expired: { again: true, text: `The user let you use this tool for a limited time, which has run out. Tell the user that the site will ask them again, ${ASK_AGAIN}.` },
  grant_revoked: { again: false, text: 'The user has taken back your permission to act on this site. Do not call this tool again unless the user asks you to; the site will then ask the user for permission.' },
  insufficient_scope: { again: true, text: `The user has not allowed you enough for this tool; what is missing is in scopes. The user has been asked for it in a dialog on this page. Tell the user to look at the page, wait until they have answered, ${ASK_AGAIN}.` },
  agent_not_allowed: { again: false, text: 'This site does not let agents like you use this tool, whatever the user allows. Tell the user to do it on the site themselves.' },
  constraint_violated: { again: false, text: 'The user has set limits to what you may do here, and this call goes beyond them. Do not repeat it; stay within the limits, or ask the user.' },
  constraint_exhausted: { again: false, text: 'What the user allowed you here is used up. Do not repeat this call; ask the user.' },
  unknown_agent: { again: false, text: 'This site does not know you, or has shut you out. Tell the user to look at their agents on the account page of this site.' },
  // this call
  unknown_tool: { again: false, text: 'This site does not let agents use this tool. Do not call it again; do without it, or ask the user to do it themselves.' },
  invalid_arguments: { again: false, text: 'The arguments do not fit what this tool takes. Correct them and call the tool again.' },
  headers_too_large: { again: false, text: 'This browser sends more cookies or headers than this site takes, so nothing has run. Tell the user to delete the cookies of this site and of its domain, then to sign in again.' },
  request_timeout: { again: true, text: 'This call took too long to reach the site, so nothing has run. Wait a little, then call this tool again with the same arguments.' },
  payload_too_large: { again: false, text: 'The arguments are too large. Call the tool with less.' },
  approval_pending: { again: true, text: `The user is being asked, in a dialog on this page, to approve exactly this call. Nothing has run yet. Tell the user to look at the page, wait until they have answered, ${ASK_AGAIN}; it will not run twice.` },
  declined: { again: false, text: 'The user declined this call. Nothing has run. Do not repeat it; ask the user what they want instead.' },
  cancelled: { again: true, text: 'This call was cancelled before the user answered. Nothing has run. Ask the user before you call the tool again.' },
  expired: { again: true, text: `The user did not answer in time. Nothing has run. Ask the user whether they still want it, ${ASK_AGAIN}.` },
  no_eligible_credential: { again: true, text: `The user has no passkey on this site that may approve this. Ask the user to add one on the account page of this site, ${ASK_AGAIN}.` },
  already_executed: { again: false, text: 'This very call has just run. Do not repeat it. Check the result with another tool, or ask the user; if it is meant to happen a second time, call the tool again in two minutes.' },
  outcome_unknown: { again: false, text: 'Whether this very call has run, and how it ended, is not known. Do not repeat it. Check with another tool what happened, or ask the user.' },
  call_redeemed: { again: false, text: 'This very call has already run. Do not repeat it. Check the result with another tool, or ask the user.' },
  call_state: { again: true, text: `This call was decided elsewhere meanwhile. Nothing has run here. Look whether it has happened already; if not, call this tool again with the same arguments.` },
  // what is broken
  authority_unavailable: { again: true, text: 'The site could not be reached to check this call, so nothing has run. Wait a little, then call this tool again with the same arguments.' },
  record_unavailable: { again: true, text: 'The site could not record this call, so nothing has run. Wait a little, then call this tool again with the same arguments.' },
  server_error: { again: true, text: 'The site had an error while it checked this call, so nothing has run. Wait a little, then call this tool again with the same arguments.' },
};

const OTHER = { again: false, text: 'The site refused this call. Nothing has run. Tell the user.' };

/** The codes that have a sentence of their own. */
export const CODES = Object.keys(TABLE);

/**
 * Makes the result that an agent gets instead of the tool's.
 *
 * @param {Problem} problem
 * @param {Record<string, unknown>} [facts] more members for `structuredContent`
 */
export function refusal(problem, facts = {}) {
  const { again, text } = TABLE[problem.code] ?? OTHER;
  const detail = problem.code === 'invalid_arguments' ? tidy(problem.detail) : '';
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
