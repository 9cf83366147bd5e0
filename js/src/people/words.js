/**
 * What is said of a refusal: to a model, so that it knows what to do next (SHIM-6), and to a human, who must never have to read
 * that (SHIM-10). One table; it imports nothing, since the authority's own pages read it too.
 *
 * `again` says whether the same call can succeed later, perhaps after what the sentence asks for. Nothing here says that nothing
 * was done but where that is known: of a call that ended before it could run, or of this page, which then has run nothing.
 */

const ASK_AGAIN = 'then call this tool again with the same arguments';
const LOOK = 'Your account page shows what became of it.';

/** @typedef {{again: boolean, model: string, human: string}} Words */

/** @type {Record<string, Words>} */
const TABLE = {
  __proto__: /** @type {any} any: the only way to write an object without prototype */ (null),
  // who asks
  login_required: {
    again: true,
    model: `Nobody is signed in on this site. Ask the user to sign in at the address in sign_in_uri, ${ASK_AGAIN}.`,
    human: 'You are not signed in here any more. Sign in, then try again.',
  },
  wrong_user: {
    again: true,
    model: `Another user has signed in on this site meanwhile. Ask the user who should be signed in, ${ASK_AGAIN}.`,
    human: 'Somebody else has signed in here meanwhile. Sign in as yourself, then try again.',
  },
  invalid_token: {
    again: false,
    model: 'The delegation that came with this call is not good, so this page has run nothing. The agent’s runtime has to renew it; a model cannot mend it.',
    human: 'The agent could not show that it may act for you. Let it try again.',
  },
  invalid_dpop_proof: {
    again: false,
    model: 'The proof that came with this call is not good for it: it is too old, was used before, or was made for other arguments. This page has run nothing. The agent’s runtime has to make a new one for each call.',
    human: 'This page could not prove to the site who it is. Reload it, then try again.',
  },
  // the agent's rights
  consent_pending: {
    again: true,
    model: `The user is being asked, in a dialog on this page, to let you use this tool. This page has run nothing yet. Tell the user to look at the page, wait until they have answered, ${ASK_AGAIN}.`,
    human: 'You are being asked, in a dialog on this page, whether the agent may do this.',
  },
  consent_required: {
    again: true,
    model: `The user has not let you use this tool yet. Tell the user that the site will ask them, ${ASK_AGAIN}.`,
    human: 'You have not allowed this yet. The site asks you when the agent tries again.',
  },
  consent_declined: {
    again: false,
    model: 'The user declined to let you use this tool. Do not call it again unless the user asks you to.',
    human: 'You did not allow this.',
  },
  grant_expired: {
    again: true,
    model: `The user let you use this tool for a limited time, which has run out. Tell the user that the site will ask them again, ${ASK_AGAIN}.`,
    human: 'The time for which you allowed this has run out. The site asks you when the agent tries again.',
  },
  grant_revoked: {
    again: false,
    model: 'Your permission to act on this site was taken back. Do not call this tool again unless the user asks you to; the site will then ask the user for permission.',
    human: 'What the agent may do was taken back, so this request is over.',
  },
  grant_unknown: {
    again: true,
    model: `This site does not know of the permission under which you called. Tell the user that the site will ask them, ${ASK_AGAIN}.`,
    human: 'This request is not open any more: it has run out, or was answered already. Let the agent ask again.',
  },
  insufficient_scope: {
    again: true,
    model: `The user has not allowed you enough for this tool; what is missing is in scopes. The user has been asked for it in a dialog on this page. Tell the user to look at the page, wait until they have answered, ${ASK_AGAIN}.`,
    human: 'You have not allowed the agent enough for this. The site asks you when it tries again.',
  },
  agent_not_allowed: {
    again: false,
    model: 'This site does not let agents like you use this tool, whatever the user allows. Tell the user to do it on the site themselves.',
    human: 'This site does not let agents of this kind do this. You can do it on the site yourself.',
  },
  constraint_violated: {
    again: false,
    model: 'The user has set limits to what you may do here, and this call goes beyond them. Do not repeat it; stay within the limits, or ask the user.',
    human: 'This goes beyond a limit that you set for the agent, so this request is over.',
  },
  constraint_exhausted: {
    again: false,
    model: 'What the user allowed you here is used up. Do not repeat this call; ask the user.',
    human: 'What you allowed the agent here is used up, so this request is over.',
  },
  unknown_agent: {
    again: false,
    model: 'This site does not know you, or has shut you out. Tell the user to look at their agents on the account page of this site.',
    human: 'The site does not know this agent, or has shut it out. Your account page shows your agents.',
  },
  // this call
  unknown_tool: {
    again: false,
    model: 'This site does not let agents use this tool. Do not call it again; do without it, or ask the user to do it themselves.',
    human: 'This site does not let agents do this. You can do it on the site yourself.',
  },
  invalid_arguments: {
    again: false,
    model: 'The arguments do not fit what this tool takes. Correct them and call the tool again.',
    human: 'The site cannot take this as it was filled in. Check it, then try again.',
  },
  headers_too_large: {
    again: false,
    model: 'This browser sends more cookies or headers than this site takes, so this page has run nothing. Tell the user to delete the cookies of this site and of its domain, then to sign in again.',
    human: 'Your browser sends more cookies than this site takes. Delete the cookies of this site and of its domain, then sign in again.',
  },
  request_timeout: {
    again: true,
    model: 'This call took too long to reach the site, so this page has run nothing. Wait a little, then call this tool again with the same arguments.',
    human: 'It took too long to reach the site. This page has not done anything. Please try again in a moment.',
  },
  payload_too_large: {
    again: false,
    model: 'The arguments are too large. Call the tool with less.',
    human: 'This is too long for the site. Make it shorter.',
  },
  approval_pending: {
    again: true,
    model: `The user is being asked, in a dialog on this page, to approve exactly this call. This page has run nothing yet. Tell the user to look at the page, wait until they have answered, ${ASK_AGAIN}; it will not run twice.`,
    human: 'You are being asked, in a dialog on this page, whether this may be done.',
  },
  approval_unknown: {
    again: false,
    model: 'The user answered, but the connection broke, and it is not known whether the answer arrived. This page has run nothing. If it arrived as a yes, calling again with the same arguments within 5 minutes runs it without asking. So ask the user before you call this tool again.',
    human: `The connection broke, so it is not known whether your answer arrived. ${LOOK}`,
  },
  consent_unknown: {
    again: true,
    model: `The user answered whether you may use this tool, but the connection broke, and it is not known whether the answer arrived. This page has run nothing. Tell the user, ${ASK_AGAIN}; the site asks them again where it must.`,
    human: 'The connection broke, so it is not known whether your answer arrived. Your account page shows what agents may do, and takes it back.',
  },
  declined: {
    again: false,
    model: 'The user declined this call. This page has run nothing. Do not repeat it; ask the user what they want instead.',
    human: 'You said no to this, so it is not done.',
  },
  cancelled: {
    again: true,
    model: 'This call was called off before it ran. Ask the user before you call the tool again.',
    human: 'This was called off, so it is not done.',
  },
  expired: {
    again: true,
    model: `This call ran out before it was approved and run. Ask the user whether they still want it, ${ASK_AGAIN}.`,
    human: 'This request was open for too long, so it is not done.',
  },
  no_eligible_credential: {
    again: true,
    model: `The user has no passkey on this site that may approve this. Ask the user to add one on the account page of this site, ${ASK_AGAIN}.`,
    human: 'You have no passkey here that can confirm this. You can add one on your account page.',
  },
  already_executed: {
    again: false,
    model: 'This very call has just run. Do not repeat it. Check the result with another tool, or ask the user; if it is meant to happen a second time, call the tool again in two minutes.',
    human: `Exactly this was started a moment ago. ${LOOK} To have it a second time, wait two minutes.`,
  },
  outcome_unknown: {
    again: false,
    model: 'This very call may have started, and how it ended is not known. Do not repeat it. Check with another tool what happened, or ask the user.',
    human: 'This may have been started, and how it ended is not known. Check before you do it again.',
  },
  call_redeemed: {
    again: false,
    model: 'This very call has already been started. Do not repeat it. Check the result with another tool, or ask the user.',
    human: `This was approved and started already, perhaps in another window. ${LOOK}`,
  },
  call_state: {
    again: true,
    model: 'This call was decided elsewhere meanwhile. This page has run nothing. Look whether it has happened already; if not, call this tool again with the same arguments.',
    human: `This was answered already, perhaps in another window. ${LOOK}`,
  },
  call_unknown: {
    again: true,
    model: 'The site does not know this call any more. Look whether it has happened already; if not, call this tool again with the same arguments.',
    human: `The site does not know this request as one of yours. ${LOOK}`,
  },
  tool_is_public: {
    again: false,
    model: 'This tool is for everybody and is called without asking. Tell the user that the page has a fault.',
    human: 'This needs no approval. The page has a fault: it asked for one.',
  },
  // passkeys
  challenge_unknown: {
    again: true,
    model: `The approval took too long. Ask the user whether they still want it, ${ASK_AGAIN}.`,
    human: 'That took too long. Please try again.',
  },
  challenge_expired: {
    again: true,
    model: `The approval took too long. Ask the user whether they still want it, ${ASK_AGAIN}.`,
    human: 'That took too long. Please try again.',
  },
  challenge_consumed: {
    again: true,
    model: `The approval was used already, or failed too often. Look whether it has happened already; if not, ${ASK_AGAIN}.`,
    human: 'That was used already, or failed too often. Please start again.',
  },
  unknown_credential: {
    again: true,
    model: `The user tried a passkey that is not theirs on this site. Ask the user for another one, ${ASK_AGAIN}.`,
    human: 'That passkey does not belong to your account here. Please use another one.',
  },
  authenticator_class_mismatch: {
    again: true,
    model: `This needs another kind of passkey, such as a security key or a phone. Tell the user, ${ASK_AGAIN}.`,
    human: 'This needs another kind of passkey, such as a security key or your phone.',
  },
  signature_verification_failed: {
    again: true,
    model: `The user’s passkey could not be verified. Tell the user, ${ASK_AGAIN}.`,
    human: 'That passkey could not be verified. Please try again.',
  },
  signature_counter_regression: {
    again: true,
    model: `The user’s passkey seems to have been copied, so it was not accepted. Tell the user, ${ASK_AGAIN}.`,
    human: 'That passkey seems to have been copied, so it was not accepted. Please use another one.',
  },
  verification_failed: {
    again: true,
    model: `The user’s passkey could not be verified. Tell the user, ${ASK_AGAIN}.`,
    human: 'That passkey could not be verified. Please try again.',
  },
  missing_evidence: {
    again: true,
    model: `The user’s passkey gave no answer. Tell the user, ${ASK_AGAIN}.`,
    human: 'The passkey gave no answer. Please try again.',
  },
  enrollment_not_allowed: {
    again: false,
    model: 'No passkey can be added now. The user has to allow it on their account page.',
    human: 'No passkey can be added now. Sign out and in again, then try once more. An app can add one only while you allow that on your account page.',
  },
  credential_already_enrolled: {
    again: false,
    model: 'The user has this passkey already.',
    human: 'This device or security key already holds a passkey for your account here.',
  },
  no_pending_enrollment: {
    again: false,
    model: 'No passkey is being added: that ran out, or was finished already.',
    human: 'Adding this passkey took too long, or was finished already. Please start again.',
  },
  too_many_requests: {
    again: true,
    model: `You ask for more than this site takes at a time, so this page has run nothing. Wait as long as this says, ${ASK_AGAIN}; do not try more often.`,
    human: 'This was asked for too often in a short time. Please wait a little, then try again.',
  },
  agent_blocked: {
    again: false,
    model: 'You are blocked on this site: by the user, who can end that on the account page, or by the site. This page has run nothing. Do not call this tool again, and do not ask the user to let you.',
    human: 'This agent is blocked: by you, which you can end on your account page, or by the site.',
  },
  user_blocked: {
    again: false,
    model: 'The owner of this site has blocked the account of this user. This page has run nothing. Do not call this tool again; only the owner of the site can help the user.',
    human: 'The owner of this site has blocked your account. Only they can end that.',
  },
  // what is broken
  authority_unavailable: {
    again: true,
    model: 'The site gave no answer when it was to check this call, so this page has run nothing. Wait a little, then call this tool again with the same arguments.',
    human: 'The site gave no answer. This page has not done anything. Please try again in a moment.',
  },
  record_unavailable: {
    again: true,
    model: 'The site could not record this call, so this page has run nothing. Wait a little, then call this tool again with the same arguments.',
    human: 'The site could not write down what was asked. This page has not done anything. Please try again in a moment.',
  },
  server_error: {
    again: true,
    model: 'The site had an error while it checked this call, so this page has run nothing. Wait a little, then call this tool again with the same arguments.',
    human: 'Something went wrong on the site. This page has not done anything. Please try again in a moment.',
  },
  cross_site_request: {
    again: false,
    model: 'The site does not take this from the page that sent it. Tell the user to reload the page.',
    human: 'This page is out of date. Reload it, then try again.',
  },
  invalid_request: {
    again: false,
    model: 'The site could not read this call, so this page has run nothing. Tell the user.',
    human: 'The site could not use this. Check what was filled in, or start again.',
  },
};

/** @type {Words} */
const OTHER = {
  again: false,
  model: 'The site refused this call, so this page has run nothing. Tell the user.',
  human: 'The site did not accept this.',
};

/** What is said of a link for recovery (CRED-5) that adds no passkey, which shares its code with other reasons. */
export const RECOVERY_OVER =
  'This link does not work any more, or a part of it is missing. It works once, for fifteen minutes. If you have added a new passkey with it already, sign in with that. If not, ask this site for a new link.';

/** The codes that have words of their own. */
export const CODES = Object.keys(TABLE);

/**
 * The words for a code.
 *
 * @param {string} code
 * @returns {Words}
 */
export const wordsFor = (code) => TABLE[code] ?? OTHER;
