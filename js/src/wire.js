/**
 * What goes over the wire between the shim and the authority. Written from the table of endpoints by
 * `make types`, and not by hand. Types only: nothing here runs.
 *
 * @template T
 * @typedef {{readonly [name in keyof T]?: unknown}} Said what somebody has answered who should have answered a `T`
 */

/**
 * @typedef {object} ApprovedCall A call that may run, with its token (TOKEN-3).
 * @property {string} call_id
 * @property {State} state
 * @property {string} tool
 * @property {Array<string>} scopes
 * @property {Executes} executes
 * @property {Agent | null} agent
 * @property {string} [description]
 * @property {Text} [text]
 * @property {Array<Row>} [details]
 * @property {number} [expires_at]
 * @property {AuthenticatorClass} [authenticator_class]
 * @property {Surface} [surface]
 * @property {'page' | 'authority'} [answered_on]
 * @property {Code} [code]
 * @property {string} call_token
 * @property {number} expires_in
 */

/** @typedef {'approved' | 'cancelled' | 'declined' | 'denied' | 'expired' | 'failed' | 'pending' | 'redeemed' | 'succeeded' | 'unknown'} State Where a call is. */

/** @typedef {'api' | 'page'} Executes Where the effect of a tool happens, and so who redeems its calls (GUARD-3). */

/**
 * @typedef {object} Agent Who calls, under the name that the user consented to; one that it was handed on to has none.
 * @property {string} client_id
 * @property {Assurance} assurance
 * @property {string} [name]
 * @property {HandedOn} [handed_on_by]
 */

/** @typedef {'opaque' | 'origin' | 'registered'} Assurance How well an agent is known. */

/**
 * @typedef {object} HandedOn The agent that has handed its grant on, under the name that the user consented to.
 * @property {string} client_id
 * @property {Assurance} assurance
 * @property {string} [name]
 */

/**
 * @typedef {object} Text What is read by whoever is asked (GRANT-2, APPR-2).
 * @property {string} language
 * @property {Array<Line>} lines
 */

/**
 * @typedef {object} Line One line of a text, and how it is drawn.
 * @property {'title' | 'headline' | 'row' | 'value' | 'asker' | 'claim' | 'warning' | 'heading' | 'scope' | 'tool' | 'limit' | 'new' | 'remark'} part
 * @property {string} line
 */

/**
 * @typedef {object} Row An argument that is shown besides: what it is called, and its value, or of a list those of its entries.
 * @property {string} title
 * @property {Array<string>} values
 */

/** @typedef {'cross-platform' | 'platform'} AuthenticatorClass Which credentials a tool accepts (SEP-2672 §4.7). */

/** @typedef {'authority' | 'either' | 'page'} Surface Where a question may be answered: in the site's page that asks, on the authority's own, or on either. */

/** @typedef {'access_denied' | 'agent_blocked' | 'agent_not_allowed' | 'already_executed' | 'argument_hash_mismatch' | 'asked_too_often' | 'authenticator_class_mismatch' | 'authority_unavailable' | 'authorization_pending' | 'call_redeemed' | 'call_state' | 'call_unknown' | 'call_wrong_tool' | 'cancelled' | 'challenge_consumed' | 'challenge_expired' | 'challenge_unknown' | 'challenge_wrong_tool' | 'consent_declined' | 'consent_outdated' | 'consent_required' | 'constraint_exhausted' | 'constraint_violated' | 'credential_already_enrolled' | 'cross_site_request' | 'declined' | 'definition_changed' | 'enrollment_not_allowed' | 'expired' | 'expired_token' | 'grant_expired' | 'grant_revoked' | 'grant_unknown' | 'headers_too_large' | 'insufficient_scope' | 'invalid_arguments' | 'invalid_authorization_details' | 'invalid_call_token' | 'invalid_client' | 'invalid_client_metadata' | 'invalid_dpop_proof' | 'invalid_grant' | 'invalid_request' | 'invalid_scope' | 'invalid_target' | 'invalid_token' | 'login_required' | 'method_not_allowed' | 'missing_call_token' | 'missing_digits' | 'missing_evidence' | 'no_eligible_credential' | 'no_pending_enrollment' | 'not_found' | 'outcome_unknown' | 'paused' | 'payload_too_large' | 'question_open' | 'reader_not_allowed' | 'record_unavailable' | 'redeemer_not_allowed' | 'request_timeout' | 'server_error' | 'sign_in_failed' | 'signature_counter_regression' | 'signature_verification_failed' | 'slow_down' | 'too_many_requests' | 'tool_is_public' | 'tool_not_approved_required' | 'unauthorized_client' | 'unknown_agent' | 'unknown_credential' | 'unknown_tool' | 'unsupported_grant_type' | 'unsupported_media_type' | 'unsupported_method' | 'unsupported_response_type' | 'upstream_unavailable' | 'uri_too_long' | 'url_elicitation_required' | 'use_dpop_nonce' | 'user_blocked' | 'verification_failed' | 'version_skew' | 'wrong_digits' | 'wrong_surface' | 'wrong_user'} Code The reason codes: each is what stands on the wire, and has an HTTP status (ERR-1). */

/**
 * @typedef {object} Block An agent that is blocked, and until when.
 * @property {string} client_id
 * @property {number | null} until
 */

/**
 * @typedef {object} BlockFor For how long an agent is blocked: until that is ended, if nothing is said (BLOCK-1).
 * @property {number} [seconds]
 */

/**
 * @typedef {object} Call A call, as its page sees it (CALL-3, CALL-9); `agent` is null for the user himself.
 * @property {string} call_id
 * @property {State} state
 * @property {string} tool
 * @property {Array<string>} scopes
 * @property {Executes} executes
 * @property {Agent | null} agent
 * @property {string} [description]
 * @property {Text} [text]
 * @property {Array<Row>} [details]
 * @property {number} [expires_at]
 * @property {AuthenticatorClass} [authenticator_class]
 * @property {Surface} [surface]
 * @property {'page' | 'authority'} [answered_on]
 * @property {Code} [code]
 */

/**
 * @typedef {object} CallRequest A call that is to be decided (CALL-1).
 * @property {string} tool
 * @property {Record<string, unknown>} arguments
 * @property {string} definition_s256
 * @property {Array<string>} [delivered]
 */

/**
 * @typedef {object} Challenge A challenge, as SEP-2672 §4.4.3 has it (APPR-1).
 * @property {string} challengeId
 * @property {string} displayText
 * @property {Text} text
 * @property {string} expiresAt
 * @property {Record<string, unknown>} [requestOptions]
 * @property {string} [method]
 * @property {string} [challenge]
 * @property {Record<string, unknown>} [request]
 */

/**
 * @typedef {object} Denial The end of a call (APPR-6); with `block`, of its agent, too (BLOCK-1).
 * @property {'cancelled' | 'declined'} reason
 * @property {boolean} [block]
 */

/**
 * @typedef {object} Event What has happened to a call (CALL-10).
 * @property {'delivered'} type
 */

/**
 * @typedef {object} Evidence The evidence of an approval (SEP-2672 §4.5), with what else its method reads (APPR-9).
 * @property {string} challengeId
 * @property {string} method
 * @property {Record<string, unknown>} [response]
 */

/**
 * @typedef {object} Findings What a page has found; `page` is the path of its address.
 * @property {string} page
 * @property {Array<Found>} findings
 */

/**
 * @typedef {object} Found What is wrong, and where: with a tool, in a context, a form or a frame (PAGE-1).
 * @property {Finding} finding
 * @property {string | null} [name]
 * @property {string | null} [where]
 */

/** @typedef {'blocked' | 'definition_changed' | 'form' | 'frame' | 'not_gated' | 'unchangeable' | 'unknown_tool' | 'untold' | 'version_skew' | 'wrong_origin'} Finding What is wrong, under the name by which page, console, log and metric know it (PAGE-1). */

/**
 * @typedef {object} Grant How a grant stands now.
 * @property {string} grant_id
 * @property {GrantState} state
 */

/** @typedef {'active' | 'declined' | 'pending' | 'revoked' | 'superseded' | 'suspended'} GrantState Where a grant is. Only an active one grants, and only until it expires. A suspended one waits for its user (GRANT-10). */

/**
 * @typedef {object} GrantDenial The end of a request for consent: the user's no, if nothing else is said; with `block`, of its agent, too.
 * @property {'cancelled' | 'declined'} [reason]
 * @property {boolean} [block]
 */

/**
 * @typedef {object} GrantNow How a grant stands, and until when (GRANT-7).
 * @property {string} grant_id
 * @property {'pending' | 'active' | 'suspended' | 'declined' | 'revoked' | 'superseded' | 'expired'} state
 * @property {number} expires_at
 * @property {'wrong_digits'} [code]
 */

/**
 * @typedef {object} GrantRequest What an agent asks its user for (GRANT-1).
 * @property {string} scope
 * @property {number} [expires_in]
 * @property {Record<string, string>} [definitions]
 */

/**
 * @typedef {object} Nothing Nothing is said.
 */

/**
 * @typedef {object} OAuthError A no of OAuth (RFC 6749 §5.2, ERR-1).
 * @property {Code} error
 * @property {string} error_description
 */

/**
 * @typedef {object} OpaqueAgent The page's key as an agent (AGENT-1).
 * @property {string} client_id
 * @property {'opaque'} assurance
 * @property {string} jkt
 */

/**
 * @typedef {object} Outcome What became of a call (GUARD-5).
 * @property {'failed' | 'succeeded' | 'unknown'} outcome
 */

/**
 * @typedef {object} PendingGrant A request for consent (GRANT-1); `shown` is what is shown and signed.
 * @property {string} grant_id
 * @property {GrantState} state
 * @property {number} expires_at
 * @property {Record<string, unknown>} shown
 * @property {Text} text
 * @property {Surface} surface
 */

/**
 * @typedef {object} PhoneQuestion Where a question is answered on another device, and what is typed there (PHONE-1); no code of an address that is too long for one.
 * @property {string} uri
 * @property {string} digits
 * @property {QrCode | null} code
 */

/**
 * @typedef {object} QrCode A code of ISO/IEC 18004 without its quiet zone: `size` rows of as many modules, `1` where one is dark.
 * @property {number} size
 * @property {string} modules
 */

/**
 * @typedef {object} Problem A no (RFC 9457, ERR-1), with facts of its own.
 * @property {'about:blank'} type
 * @property {string} title
 * @property {number} status
 * @property {string} detail
 * @property {Code} code
 */

/**
 * @typedef {object} RedeemedCall A call that was redeemed; a guard is told the site's own id of its user as well (GUARD-3).
 * @property {string} call_id
 * @property {State} state
 * @property {string} tool
 * @property {Array<string>} scopes
 * @property {Executes} executes
 * @property {Agent | null} agent
 * @property {string} [description]
 * @property {Text} [text]
 * @property {Array<Row>} [details]
 * @property {number} [expires_at]
 * @property {AuthenticatorClass} [authenticator_class]
 * @property {Surface} [surface]
 * @property {'page' | 'authority'} [answered_on]
 * @property {Code} [code]
 * @property {string | null} [external_id]
 */

/**
 * @typedef {object} Redemption A call token that is to be redeemed (GUARD-3).
 * @property {string} call_token
 */

/**
 * @typedef {object} Tokens A delegation token and, where it may be renewed, a refresh token (GRANT-3).
 * @property {string} access_token
 * @property {'Bearer' | 'DPoP'} token_type
 * @property {number} expires_in
 * @property {string} [refresh_token]
 * @property {string} scope
 * @property {Array<AuthorizationDetail>} [authorization_details]
 * @property {string} grant_id
 * @property {string} client_id
 * @property {string} sub
 * @property {'urn:ietf:params:oauth:token-type:access_token'} [issued_token_type]
 */

/**
 * @typedef {object} AuthorizationDetail A limit on what a grant lets an agent do (CONS-1).
 * @property {'webmcp_tool'} type
 * @property {string} tool
 * @property {Record<string, unknown>} [schema]
 * @property {number} [max_calls]
 * @property {Record<string, number>} [sum]
 * @property {number} [not_before]
 * @property {number} [not_after]
 * @property {Array<string>} [hours]
 */

/**
 * @typedef {object} Tools What everybody may know of the policy, and who is signed in (SHIM-3).
 * @property {number} protocol
 * @property {string} issuer
 * @property {SiteName} site
 * @property {number} wait_s
 * @property {Array<string>} api_origins
 * @property {string} api_audience
 * @property {string} sign_in_uri
 * @property {Record<string, ScopeTitle>} scopes
 * @property {Record<string, Tool>} tools
 * @property {number} now
 * @property {User | null} user
 * @property {string | null} csrf
 * @property {string} words
 */

/**
 * @typedef {object} SiteName The site, as people call it, and how it looks.
 * @property {string} name
 * @property {SiteLook} [look]
 */

/**
 * @typedef {object} SiteLook The site's own look (LOOK-1); the radius in CSS pixels.
 * @property {string} accent
 * @property {string} accent_dark
 * @property {number} radius
 * @property {string} logo
 */

/**
 * @typedef {object} ScopeTitle A scope, in the site's words.
 * @property {string} title
 * @property {boolean} writes
 */

/**
 * @typedef {object} Tool What the shim and an HTTP guard need to know of a tool; `direct`, whether the page may call it.
 * @property {Array<string>} scopes
 * @property {boolean} public
 * @property {'always' | 'never' | 'when'} approval
 * @property {AuthenticatorClass} authenticator_class
 * @property {Executes} executes
 * @property {boolean} direct
 * @property {boolean} opaque
 * @property {Array<string>} [pinned]
 * @property {Record<string, unknown>} [input_schema]
 */

/**
 * @typedef {object} User Who is signed in.
 * @property {string} id
 * @property {string} name
 */

export {};
