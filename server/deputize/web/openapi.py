"""`/openapi.json`: every request that the authority takes, as OpenAPI 3.1.

One entry for each route of `routes.py`. What goes over the wire is in `shapes.py`, what it means in PROTOCOL.md.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.responses import Response

from ..protocol.canonical import Json
from ..protocol.problem import MEDIA_TYPE
from .ask import Ask
from .problems import answer
from .session import COOKIE
from .shapes import BASE64URL, HASH, SCHEMAS, Schema, an_id, ref

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
HTML, SCRIPT, TEXT = "text/html", "text/javascript", "text/plain"
_PARAMETER = re.compile(r"{(\w+)}")
_HEADERS: Mapping[str, tuple[Schema, str]] = {
    "DPoP": (ref("Jwt"), "The proof of the agent's key for this request (PROOF-1)."),
    "Deputize-Page": (ref("Jwt"), "The proof of the page's key for this request (PROOF-3)."),
    "Deputize-Guard": (ref("Jwt"), "The proof of a guard's key for this request (PROOF-4)."),
    "Deputize-CSRF": ({"type": "string"}, "The session's token, as `GET /tools` gives it (SESSION-2)."),
    "Signature-Input": ({"type": "string"}, "What a client covers that signs the request (OAUTH-14)."),
    "Signature": ({"type": "string"}, "The client's signature, in place of a `client_assertion` (OAUTH-14)."),
    "Signature-Agent": ({"type": "string"}, "The client's document, `jwks_uri` or origin (OAUTH-15)."),
    "Content-Digest": ({"type": "string"}, "The digest of the body, which a signature covers (RFC 9530)."),
}
_NAMES: Mapping[str, Schema] = {
    "call_id": an_id("cal"),
    "challenge_id": an_id("chl"),
    "grant_id": an_id("grt"),
    "id": BASE64URL,  # of a passkey or, where one is added, of the challenge for it
    "name": {"type": "string", "pattern": r"^[a-z]+\.(css|js)$"},
    "request_id": HASH,
}
_SECURITY: Schema = {
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
    "delegation": {"type": "http", "scheme": "DPoP"},
    "bearer": {"type": "http", "scheme": "Bearer"},  # where the owner lets it be (BEARER-1)
}


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends a request: the headers that it needs, those that it may have, and how it may be signed in."""

    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    security: tuple[tuple[str, ...], ...] = ()


# What may be in the address in place of `request_uri` (BEARER-3).
_UNPUSHED = (
    *("response_type", "response_mode", "redirect_uri", "scope", "state"),
    *("code_challenge", "code_challenge_method", "authorization_details", "resource"),
)

_ANYONE = Sender()
_VISITOR = Sender(security=((), ("session",)))
_USER = Sender(needs=("Deputize-CSRF",), security=(("session",),))
_SESSION = Sender(security=(("session",),))
_OWNER = Sender(may=("Deputize-CSRF", "Deputize-Page"), security=(("session",),))
_PAGE = Sender(needs=("Deputize-Page",), security=(("session",),))
_GUARD = Sender(may=("Deputize-Guard", "Deputize-Page"), security=((), ("session",)))
_CALLER = Sender(may=("DPoP", "Deputize-Page"), security=(("session", "delegation"), ("session",)))
_CLIENT = Sender(may=("DPoP",), security=(("delegation",), ("session", "delegation"), ("bearer",), ()))
_SIGNED = ("Signature-Input", "Signature", "Signature-Agent", "Content-Digest")
_PARTY = Sender(may=_SIGNED)
_AGENT = Sender(may=("DPoP", *_SIGNED))  # or `dpop_jkt` (OAUTH-2), or no key (BEARER-5)


@dataclass(frozen=True, slots=True)
class Operation:
    """One request. Bodies and answers are schemas by name; an answer may be a media type, or nothing."""

    summary: str
    sender: Sender
    answers: Mapping[int, str | None]
    body: str | None = None
    form: str | None = None
    query: Mapping[str, bool] = field(default_factory=dict)
    """The parameters in the address, and whether they have to be there."""


OPERATIONS: Mapping[str, Operation] = {
    "POST /calls": Operation(
        "Decide a call (CALL-1)", _CALLER, {200: "ApprovedCall", 202: "Call"}, "CallRequest"
    ),
    "GET /calls/{call_id}": Operation("Look at a call (CALL-9)", _PAGE, {200: "Call"}),
    "POST /calls/{call_id}/challenge": Operation("Ask for a challenge (APPR-1)", _PAGE, {200: "Challenge"}),
    "POST /calls/{call_id}/approval": Operation("Approve (APPR-3)", _PAGE, {200: "ApprovedCall"}, "Evidence"),
    "POST /calls/{call_id}/denial": Operation("End a call (APPR-6)", _OWNER, {200: "Call"}, "Denial"),
    "POST /calls/{call_id}/events": Operation("Tell of a delivery (CALL-10)", _PAGE, {200: "Call"}, "Event"),
    "POST /calls/{call_id}/redemption": Operation(
        "Redeem (GUARD-3)", _GUARD, {200: "RedeemedCall"}, "Redemption"
    ),
    "POST /calls/{call_id}/outcome": Operation(
        "Tell the outcome (GUARD-5)", _GUARD, {200: "Call"}, "Outcome"
    ),
    "POST /mcp": Operation("One message of MCP (MCP-1)", _CLIENT, {200: "Reply", 202: None}, "Message"),
    "GET /tools": Operation("Read the policy, and who is signed in (SHIM-3)", _VISITOR, {200: "Tools"}),
    "POST /token": Operation(
        "Get tokens (OAUTH-5, GRANT-6, CHAIN-1)", _AGENT, {200: "TokenAnswer"}, form="TokenRequest"
    ),
    "POST /par": Operation("Push a request (OAUTH-3)", _AGENT, {201: "Pushed"}, form="PushedRequest"),
    "POST /device_authorization": Operation(
        "Get a code for the user (OAUTH-7)", _AGENT, {200: "Device"}, form="DeviceRequest"
    ),
    "POST /introspect": Operation(
        "Ask what a token is worth (OAUTH-8)", _PARTY, {200: "Introspection"}, form="TokenQuestion"
    ),
    "POST /revoke": Operation("Give a grant back (OAUTH-9)", _PARTY, {200: None}, form="TokenQuestion"),
    "GET /authorize": Operation(
        "Show who asks for what (OAUTH-4)",
        _VISITOR,
        {200: HTML, 303: None},
        query={"client_id": True, **dict.fromkeys(("request_uri", *_UNPUSHED), False)},
    ),
    "GET /device": Operation(
        "Take a user's code (OAUTH-7)",
        _VISITOR,
        {200: HTML, 303: None},
        query={"user_code": False},
    ),
    "POST /authorize/{request_id}/challenge": Operation("Ask for a challenge", _USER, {200: "Challenge"}),
    "POST /authorize/{request_id}/approval": Operation("Consent", _USER, {200: "Redirect"}, "Evidence"),
    "POST /authorize/{request_id}/denial": Operation("Decline", _USER, {200: "Redirect"}),
    "POST /agents": Operation("Register the page's key (AGENT-1)", _PAGE, {200: "OpaqueAgent"}, "Nothing"),
    "POST /grants": Operation("Ask for consent (GRANT-1)", _PAGE, {201: "PendingGrant"}, "GrantRequest"),
    "POST /grants/{grant_id}/challenge": Operation(
        "Ask for a challenge (GRANT-2)", _PAGE, {200: "Challenge"}
    ),
    "POST /grants/{grant_id}/approval": Operation("Consent (GRANT-2)", _PAGE, {200: "Tokens"}, "Evidence"),
    "POST /grants/{grant_id}/denial": Operation("Decline (GRANT-4)", _PAGE, {200: "Grant"}),
    "GET /grants/{grant_id}": Operation("Look at a grant (GRANT-7)", _SESSION, {200: "GrantNow"}),
    "DELETE /grants/{grant_id}": Operation("Revoke (GRANT-5)", _USER, {204: None}),
    "POST /grants/{grant_id}/block": Operation("Block an agent (BLOCK-1)", _USER, {200: "Block"}, "BlockFor"),
    "DELETE /grants/{grant_id}/block": Operation("Let it ask again (BLOCK-1)", _USER, {204: None}),
    "POST /account/sign-up": Operation("Begin to sign up", _ANYONE, {200: "Creation"}, "SignUp"),
    "POST /account/sign-up/{challenge_id}": Operation("Sign up", _ANYONE, {200: "SignedIn"}, "Ceremony"),
    "POST /account/sign-in": Operation("Begin to sign in", _ANYONE, {200: "SignIn"}, "Nothing"),
    "POST /account/sign-in/{challenge_id}": Operation("Sign in", _ANYONE, {200: "SignedIn"}, "Ceremony"),
    "POST /account/sign-out": Operation("Sign out", _USER, {204: None}),
    "POST /account/enrollment-window/challenge": Operation(
        "Ask for a challenge (CRED-7)", _USER, {200: "Challenge"}
    ),
    "POST /account/enrollment-window/approval": Operation(
        "Open the window (CRED-7)", _USER, {200: "Window"}, "Evidence"
    ),
    "DELETE /account/enrollment-window": Operation("Close the window (CRED-7)", _USER, {204: None}),
    "POST /credentials": Operation(
        "Begin to add a passkey (CRED-2, CRED-5)",
        Sender(may=("Deputize-CSRF",), security=((), ("session",))),
        {200: "Creation"},
        "Enrollment",
    ),
    "POST /credentials/{id}": Operation(
        "Add a passkey (CRED-3)",
        Sender(may=("Deputize-CSRF",), security=((), ("session",))),
        {200: "EnrolledCredential"},
        "NewCredential",
    ),
    "POST /credentials/{id}/approval": Operation(
        "Confirm a passkey (CRED-3)", _USER, {200: "EnrolledCredential"}, "Evidence"
    ),
    "DELETE /credentials/{id}": Operation("Remove a passkey", _USER, {204: None}),
    "GET /account": Operation("The user's page", _VISITOR, {200: HTML}),
    "GET /static/{name}": Operation("Script and style of the pages", _ANYONE, {200: "text/*"}),
    "GET /shim.js": Operation("The shim", _ANYONE, {200: SCRIPT}),
    "GET /shim.mjs": Operation("The shim as a module", _ANYONE, {200: SCRIPT}),
    "GET /words.mjs": Operation("What people and models are told (SHIM-10)", _ANYONE, {200: SCRIPT}),
    "GET /mcp.mjs": Operation("The module for MCP clients in a page", _ANYONE, {200: SCRIPT}),
    "GET /log/checkpoint": Operation("The signed head of the record (LOG-3)", _ANYONE, {200: TEXT}),
    "GET /jwks.json": Operation("The public keys (RFC 7517)", _ANYONE, {200: "Keys"}),
    "GET /openapi.json": Operation("This document", _ANYONE, {200: "OpenApi"}),
    "GET /healthz": Operation("Whether the process runs", _ANYONE, {200: TEXT}),
    "GET /readyz": Operation("Whether a decision could be recorded", _ANYONE, {200: TEXT}),
    "GET /metrics": Operation("Counts and times", _ANYONE, {200: TEXT}),
}

WELL_KNOWN: Mapping[str, Operation] = {
    "oauth-authorization-server{}": Operation("RFC 8414 metadata", _ANYONE, {200: "ServerMetadata"}),
    "oauth-protected-resource{}": Operation("RFC 9728 metadata", _ANYONE, {200: "ResourceMetadata"}),
    "oauth-protected-resource{}/mcp": Operation(
        "RFC 9728 metadata for MCP (MCP-2)", _ANYONE, {200: "ResourceMetadata"}
    ),
}
"""What only the root of the host can answer; the path of the issuer takes the place of the braces."""


async def show(ask: Ask) -> Response:
    """Answer the document."""
    return answer(document(ask.authority.policy.site.issuer))


def document(issuer: str) -> dict[str, Json]:
    """Describe the authority at this issuer (OpenAPI 3.1.1)."""
    paths: dict[str, dict[str, Json]] = {}
    for name, operation in OPERATIONS.items():
        method, _, path = name.partition(" ")
        paths.setdefault(path, {})[method.lower()] = _operation(path, operation)
    scheme, _, host, *path_of_issuer = issuer.split("/")
    for name, operation in WELL_KNOWN.items():
        path = "/.well-known/" + name.format("".join(f"/{step}" for step in path_of_issuer))
        paths[path] = {"servers": [{"url": f"{scheme}//{host}"}], "get": _operation(path, operation)}
    return {
        "openapi": "3.1.1",
        "info": {"title": "deputize", "version": "1", "summary": "An authority for agents on a site"},
        "servers": [{"url": issuer}],
        "paths": {**paths},
        "components": {"schemas": {**SCHEMAS}, "securitySchemes": _SECURITY},
    }


def _operation(path: str, operation: Operation) -> dict[str, Json]:
    sender, names = operation.sender, _PARAMETER.findall(path)
    parameters = [_parameter(name, "path", True, _NAMES[name]) for name in names]
    parameters += [
        _parameter(name, "query", needed, {"type": "string"}) for name, needed in operation.query.items()
    ]
    for name in (*sender.needs, *sender.may):
        schema, text = _HEADERS[name]
        parameters.append({**_parameter(name, "header", name in sender.needs, schema), "description": text})
    told: dict[str, Json] = {"summary": operation.summary, "parameters": [*parameters]}
    if operation.body or operation.form:
        content = _content(JSON, operation.body) if operation.body else _content(FORM, operation.form)
        told["requestBody"] = {"required": True, "content": content}
    told["responses"] = {
        **{str(status): _answer(status, said) for status, said in operation.answers.items()},
        **_refusals(operation, bool(names)),
    }
    if sender.security:
        told["security"] = [{name: [] for name in proved} for proved in sender.security]
    return told


def _parameter(name: str, place: str, needed: bool, schema: Schema) -> dict[str, Json]:
    return {"name": name, "in": place, "required": needed, "schema": schema}


def _answer(status: int, said: str | None) -> Json:
    if said is None:
        return {"description": HTTPStatus(status).phrase}
    content: Json = {said: {}} if "/" in said else _content(JSON, said)
    return {"description": HTTPStatus(status).phrase, "content": content}


def _refusals(operation: Operation, named: bool) -> dict[str, Json]:
    """Describe every no: RFC 6749 §5.2 where a form is sent, else RFC 9457 (ERR-1, ERR-2)."""
    if operation.form:
        refused: Schema = {"description": "No", "content": _content(JSON, "OAuthError")}
        if operation.sender is _AGENT:  # OAUTH-2
            refused["headers"] = {"DPoP-Nonce": {"schema": {"type": "string"}}}
        challenge: Schema = {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}}  # OAUTH-1
        return {"400": refused, "401": {**refused, "headers": challenge}, "5XX": refused}
    if HTML in operation.answers.values():
        page: Json = {"description": "No", "content": {HTML: {}}}
        return {"4XX": page, "5XX": page}
    said = (JSON, "Reply") if operation.body == "Message" else (MEDIA_TYPE, "Problem")  # MCP-7
    refused = {"description": "No", "content": _content(*said)}
    if operation.sender.needs or operation.sender.may:
        who: Json = {
            "WWW-Authenticate": {"required": True, "schema": {"type": "string", "pattern": "^(Bearer|DPoP) "}}
        }
        return {"401": {**refused, "headers": who}, "4XX": refused, "5XX": refused}
    return {"4XX": refused, "5XX": refused} if operation.body or named else {"5XX": refused}


def _content(media_type: str, name: str | None) -> Json:
    return {media_type: {"schema": ref(str(name))}}
