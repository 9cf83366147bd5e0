"""Every request that the authority takes, on one screen: who may send it, what is in it, what is answered, and by what.

Routing, reading, 405, CORS, the OpenAPI document and the types of the shim come from here. The busiest come first.
"""

from ..protocol.quota import Quota
from . import (
    accounts,
    ask,
    calls,
    enrollments,
    findings,
    grants,
    health,
    kept,
    logins,
    pages,
    phone,
    prompts,
    record,
    shim,
    waiting,
)
from .access import (
    ANYONE,
    AT_OURS,
    BRINGER,
    CALLS_PAGE,
    DEPUTY,
    ENROLLED,
    ENROLLING,
    GUARD,
    LEAVER,
    LOGIN,
    MCP,
    NEWCOMER,
    OWN_USER,
    PAGE,
    READER,
    RECEIVER,
    RETURNER,
    SESSION,
    SITE_PAGE,
    USER,
    USER_OR_PAGE,
    VISITOR,
)
from .ask import Became
from .calls import ApprovedCall, Call, Denial, Event, Outcome, RedeemedCall, Redemption
from .context import Context
from .endpoint import BYTES, HTML, JSON, SCRIPT, TEXT, delete, get, oauth, post
from .enrollments import Window
from .findings import Findings
from .grants import Block, BlockFor, Grant, GrantDenial, GrantNow, GrantRequest, OpaqueAgent, PendingGrant
from .mcp.line import EVENTS
from .mcp.types import Message, Reply, ReplyError
from .oauth import authorize, forms, introspection, metadata, requests, revocation, token
from .oauth.authentication import BY_GRANT_TYPE, CLIENT, CLIENT_OR_API, CLIENT_OR_PUBLIC
from .oauth.authorize import Redirect
from .oauth.exchange import Handoff
from .oauth.introspection import Introspection
from .oauth.issuing import Tokens
from .oauth.metadata import Keys, ResourceMetadata, ServerMetadata
from .oauth.requests import Device, Pushed
from .openapi import OpenApi, document
from .pages import everything
from .phone import PhoneQuestion, Typed, TypedEvidence
from .shim import Tools, Words
from .types import CallRequest, Challenge, Enrollment, Evidence, No, Nothing

_TOKEN = (forms.ByCode, forms.ByRefreshToken, forms.ByDeviceCode, forms.HandOn, forms.TakeOver)
_ADDED = (accounts.ActiveCredential, accounts.PendingCredential)
_CODE = {"user_code": False}
_THERE = {303: None, 200: HTML}
_ASKED = {  # what may be in the address in place of `request_uri`, too (BEARER-3)
    "client_id": True,
    **dict.fromkeys(("request_uri", "response_type", "response_mode", "redirect_uri", "scope"), False),
    **dict.fromkeys(("state", "code_challenge", "code_challenge_method", "authorization_details"), False),
    "resource": False,
}


async def describe(context: Context) -> object:
    """Answer this table, as OpenAPI."""
    return document(context.authority.policy.site.issuer, ENDPOINTS, WELL_KNOWN)


# fmt: off
ENDPOINTS = (
    post("/calls", DEPUTY, CallRequest, {200: ApprovedCall, 202: Call}, calls.create, "Decide a call (CALL-1)"),
    post("/calls/{call_id}/redemption", GUARD, Redemption, RedeemedCall, calls.redeem, "Redeem (GUARD-3)"),
    post("/calls/{call_id}/outcome", GUARD, Outcome, Call, calls.report, "Tell the outcome (GUARD-5)"),
    post("/calls/{call_id}/challenge", CALLS_PAGE, None, Challenge, calls.challenge, "Ask for a challenge (APPR-1)"),
    post("/calls/{call_id}/phone", CALLS_PAGE, None, PhoneQuestion, phone.put_call, "Put it on a phone (PHONE-1)"),
    post("/calls/{call_id}/approval", CALLS_PAGE, Evidence, ApprovedCall, calls.approve, "Approve (APPR-3)"),
    post("/calls/{call_id}/denial", USER_OR_PAGE, Denial, Call, calls.deny, "End a call (APPR-6)"),
    post("/calls/{call_id}/events", CALLS_PAGE, Event, Call, calls.events, "Tell of a delivery (CALL-10)"),
    get("/calls/{call_id}", CALLS_PAGE, Call, calls.show, "Look at a call (CALL-9)"),
    get("/calls/{call_id}/wait", CALLS_PAGE, Call, waiting.call, "Wait until it was answered (WAIT-1)"),
    post("/calls/{call_id}/resumption", CALLS_PAGE, None, ApprovedCall, calls.resume, "Go on with a call (CALL-11)"),
    get("/calls/{call_id}/receipt", RECEIVER, JSON, record.receipt, "Prove what was recorded of a call (LOG-9)",
        query={"arguments": False}),
    post("/mcp", MCP, Message, {200: (Reply, ReplyError, EVENTS), 202: None}, None, "One message of MCP (MCP-1)"),
    get("/mcp", MCP, EVENTS, None, "Listen for what was answered (MCP-17)"),
    get("/tools", VISITOR, Tools, shim.configuration, "Read the policy, and who is signed in (SHIM-3)"),
    oauth("/token", BY_GRANT_TYPE, _TOKEN, (Tokens, Handoff), token.token, "Get tokens (OAUTH-5, GRANT-6, CHAIN-1)"),
    oauth("/par", CLIENT, forms.PushedRequest, {201: Pushed}, requests.push, "Push a request (OAUTH-3)",
          limit=Quota.PUSHED_REQUESTS),
    oauth("/device_authorization", CLIENT, forms.DeviceRequest, Device, requests.device_authorization,
          "Get a code for the user (OAUTH-7)", limit=Quota.DEVICE_CODES),
    oauth("/introspect", CLIENT_OR_API, forms.TokenQuestion, Introspection, introspection.introspect,
          "Ask what a token is worth (OAUTH-8)"),
    oauth("/revoke", CLIENT_OR_PUBLIC, forms.TokenQuestion, None, revocation.revoke, "Give a grant back (OAUTH-9)"),
    get("/authorize", VISITOR, {200: HTML, 303: None}, authorize.page, "Show who asks what (OAUTH-4)", query=_ASKED),
    post("/authorize/{request_id}/challenge", USER, None, Challenge, authorize.challenge, "Ask for a challenge"),
    post("/authorize/{request_id}/approval", USER, Evidence, Redirect, authorize.approve, "Consent (OAUTH-4)"),
    post("/authorize/{request_id}/denial", USER, No, Redirect, authorize.deny, "Decline (OAUTH-4)"),
    get("/device", VISITOR, {200: HTML, 303: None}, authorize.device, "Take a user's code (OAUTH-7)", query=_CODE),
    post("/agents", PAGE, Nothing, OpaqueAgent, grants.register_agent, "Register the page's key (AGENT-1)"),
    post("/grants", PAGE, GrantRequest, {201: PendingGrant}, grants.request_grant, "Ask for consent (GRANT-1)"),
    post("/grants/{grant_id}/challenge", PAGE, None, Challenge, grants.challenge, "Ask for a challenge (GRANT-2)"),
    post("/grants/{grant_id}/phone", PAGE, None, PhoneQuestion, phone.put_consent, "Put it on a phone (PHONE-1)"),
    post("/grants/{grant_id}/approval", PAGE, Evidence, Tokens, grants.consent, "Consent (GRANT-2)"),
    post("/grants/{grant_id}/denial", PAGE, GrantDenial, Grant, grants.decline, "Decline (GRANT-4)"),
    get("/grants/{grant_id}/wait", PAGE, GrantNow, waiting.grant, "Wait until it was answered (WAIT-1)"),
    post("/grants/{grant_id}/resumption", PAGE, None, Tokens, grants.resume, "Go on with a consent (GRANT-9)"),
    get("/grants/{grant_id}", SESSION, GrantNow, grants.show, "Look at a grant (GRANT-7)"),
    delete("/grants/{grant_id}", USER_OR_PAGE, grants.revoke, "Revoke (GRANT-5)"),
    post("/grants/{grant_id}/block", USER, BlockFor, Block, grants.block, "Block an agent (BLOCK-1)"),
    delete("/grants/{grant_id}/block", USER, grants.unblock, "Let it ask again (BLOCK-1)"),
    get("/ask/{asked_id}", VISITOR, {200: HTML, 303: None}, ask.page, "Show a question to its user (APPR-12)"),
    post("/ask/{asked_id}/challenge", AT_OURS, Typed, Challenge, ask.challenge, "Ask for a challenge (APPR-12)"),
    post("/ask/{asked_id}/approval", AT_OURS, TypedEvidence, Became, ask.approve, "Answer yes (APPR-12)"),
    post("/ask/{asked_id}/denial", AT_OURS, No, Became, ask.deny, "Answer no (APPR-12)"),
    post("/account/sign-up", NEWCOMER, accounts.SignUp, accounts.Creation, accounts.begin_sign_up, "Begin to sign up",
         limit=Quota.SIGN_UPS),
    post("/account/sign-up/{challenge_id}", NEWCOMER, accounts.Ceremony, accounts.SignedIn, accounts.finish_sign_up,
         "Sign up"),
    post("/account/sign-in", NEWCOMER, Nothing, accounts.SignInOptions, accounts.begin_sign_in, "Begin to sign in",
         limit=Quota.SIGN_INS),
    post("/account/sign-in/{challenge_id}", NEWCOMER, accounts.Ceremony, accounts.SignedIn, accounts.finish_sign_in,
         "Sign in"),
    post("/account/sign-out", OWN_USER, None, {204: None}, accounts.sign_out, "Sign out (SESSION-1)"),
    post("/account/enrollment-window/challenge", USER, None, Challenge, enrollments.challenge,
         "Ask for a challenge (CRED-7)"),
    post("/account/enrollment-window/approval", USER, Evidence, Window, enrollments.approve, "Open it (CRED-7)"),
    delete("/account/enrollment-window", USER, enrollments.close, "Close it (CRED-7)"),
    post("/credentials", ENROLLING, Enrollment, accounts.Creation, accounts.begin_enrollment,
         "Begin to add a passkey (CRED-2, CRED-5)"),
    post("/credentials/{id}", ENROLLED, accounts.NewCredential, _ADDED, accounts.finish_enrollment,
         "Add a passkey (CRED-3)"),
    post("/credentials/{id}/approval", USER, Evidence, accounts.ActiveCredential, accounts.approve_enrollment,
         "Confirm a passkey (CRED-3)"),
    delete("/credentials/{id}", USER, accounts.remove, "Remove a passkey"),
    post("/account/pause", USER, None, {204: None}, prompts.pause, "Pause all agents (PROMPT-5)"),
    delete("/account/pause", USER, prompts.resume, "Let them go on (PROMPT-5)"),
    post("/account/questions", USER, prompts.Asker, {204: None}, prompts.let_ask, "Let somebody ask again (PROMPT-4)"),
    get("/account/sign-in", LEAVER, _THERE, logins.leave, "Go to the site's login (SIGNIN-1)",
        limit=Quota.SIGN_INS, query={"return_to": False, "anew": False}),
    post("/account/ticket", BRINGER, None, _THERE, logins.bring, "Come back with a ticket (SIGNIN-2)",
         form=(logins.TicketForm,), limit=Quota.SIGN_INS),
    get("/account/openid", RETURNER, _THERE, logins.come_back, "Come back from the site's provider (OPENID-2)",
        limit=Quota.SIGN_INS, query=dict.fromkeys(("state", "code", "iss", "error"), False)),
    post("/account/logout", LOGIN, None, {200: None}, logins.end, "End what has ended at the site (SIGNIN-7)",
         form=(logins.LogoutForm,)),
    get("/account", VISITOR, HTML, pages.account, "The user's page"),
    get("/account/history", SESSION, HTML, everything.show, "Everything that was done in the user's name",
        query=dict.fromkeys(everything.FILTERS, False)),
    post("/account/forgetting/challenge", USER, None, Challenge, kept.challenge, "Ask for a challenge (KEEP-3)"),
    post("/account/forgetting/approval", USER, Evidence, kept.Forgotten, kept.forget, "Delete the account (KEEP-3)"),
    get("/account/export", SESSION, JSON, kept.download, "Everything that is kept of the user (KEEP-2)"),
    get("/static/{name}", ANYONE, "text/*", pages.static, "Script and style of the pages"),
    get("/shim.js", ANYONE, SCRIPT, shim.script("shim.js"), "The shim"),
    get("/shim-polyfill.js", ANYONE, SCRIPT, shim.script("shim-polyfill.js"), "The shim with a WebMCP of its own"),
    get("/shim.mjs", ANYONE, SCRIPT, shim.script("shim.mjs"), "The shim as a module"),
    get("/mcp.mjs", ANYONE, SCRIPT, shim.script("mcp.mjs"), "The module for MCP clients in a page"),
    post("/findings", SITE_PAGE, Findings, {204: None}, findings.take, "Tell what is wrong with a page (PAGE-3)"),
    get("/blocked.mjs", SITE_PAGE, SCRIPT, findings.blocked, "Tell that a page may send nothing (PAGE-5)"),
    get("/parts/{part}", ANYONE, SCRIPT, shim.part, "What a call needs, which comes second (SHIM-14)", shared=True),
    get("/words.mjs", ANYONE, SCRIPT, shim.script("words.mjs"), "How the pages speak (SHIM-10)"),
    get("/words/{words}", ANYONE, Words, shim.words, "What people and models are told (SHIM-12)"),
    get("/log/checkpoint", ANYONE, TEXT, record.checkpoint, "The signed head of the record (LOG-3)"),
    get("/log/handovers", ANYONE, TEXT, record.handovers, "By which the record's keys follow one another (LOG-12)"),
    get("/log/tile/entries/{path}", READER, BYTES, record.bundle, "Entries of the record, for its readers (LOG-8)"),
    get("/log/tile/{path}", ANYONE, BYTES, record.tile, "Hashes of the record's tree (LOG-7)"),
    get("/jwks.json", ANYONE, Keys, metadata.jwks, "The public keys (RFC 7517)", shared=True),
    get("/openapi.json", ANYONE, OpenApi, describe, "This document"),
    get("/healthz", ANYONE, TEXT, health.healthz, "Whether the process runs"),
    get("/readyz", ANYONE, TEXT, health.readyz, "Whether a decision could be recorded"),
    get("/metrics", ANYONE, TEXT, health.metrics, "Counts and times"),
)
"""What is below the issuer."""

WELL_KNOWN = (
    get("oauth-authorization-server{}", ANYONE, ServerMetadata, metadata.server, "RFC 8414 metadata", shared=True),
    get("oauth-protected-resource{}", ANYONE, ResourceMetadata, metadata.resource, "RFC 9728 metadata", shared=True),
    get("oauth-protected-resource{}/mcp", ANYONE, ResourceMetadata, metadata.mcp, "RFC 9728 metadata for MCP (MCP-2)",
        shared=True),
)
"""What only the root of the host can answer; the path of the issuer takes the place of the braces."""
# fmt: on
