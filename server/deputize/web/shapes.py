"""What our values look like on the wire, as JSON Schemas by name: for the OpenAPI document (`openapi.py`)."""

from collections.abc import Mapping
from typing import TypeAlias

from ..crypto.client_assertion import ASSERTION_TYPE
from ..crypto.jwt import MAX_TOKEN
from ..protocol.agent import Assurance
from ..protocol.block import LONGEST, SHORTEST
from ..protocol.call import OUTCOMES, State
from ..protocol.canonical import Json
from ..protocol.client import DEVICE_CODE, TOKEN_EXCHANGE
from ..protocol.constraint import MAX_DETAILS, TYPE
from ..protocol.credential import AuthenticatorClass
from ..protocol.errors import Code
from ..protocol.grant import GrantState
from ..protocol.tool import Executes
from ..words.consent import PARTS
from .calls import MAX_DELIVERED
from .oauth.exchange import ACCESS_TOKEN, JWT_TYPE

Schema: TypeAlias = dict[str, Json]


def ref(name: str) -> Schema:
    """Point to a schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: Mapping[str, Schema], **optional: Schema) -> Schema:
    """Describe an object with these members and no other (JSON-3)."""
    return {**_open(required, **optional), "additionalProperties": False}


def _open(required: Mapping[str, Schema], **optional: Schema) -> Schema:
    """Describe an object that may have others: what other standards extend."""
    properties: dict[str, Json] = {**required, **optional}
    return {"type": "object", "required": list(required), "properties": properties}


def _form(required: Mapping[str, Schema], **optional: Schema) -> Schema:
    """Describe a form: texts, each once but for targets, and what is not known is ignored (RFC 6749 §3.2)."""
    return {**_open(required, **optional), "additionalProperties": _TEXT}


def _one_of(*values: str) -> Schema:
    return {"enum": [*values]} if len(values) > 1 else {"const": values[0]}


def _list(item: Schema, **limits: Json) -> Schema:
    return {"type": "array", "items": item, **limits}


def an_id(prefix: str) -> Schema:
    """Describe an identifier (`protocol/ids.py`)."""
    return {"type": "string", "pattern": f"^{prefix}_[A-Za-z0-9_-]{{22}}$"}


_TEXT: Schema = {"type": "string"}
_WORD: Schema = {"type": "string", "minLength": 1}
_FLAG: Schema = {"type": "boolean"}
_ANY: Schema = {"type": "object"}
_MESSAGE_ID: Schema = {"type": ["string", "integer", "null"]}
_SECONDS: Schema = {"type": "integer", "minimum": 0}
_URI: Schema = {"type": "string", "format": "uri"}
BASE64URL: Schema = {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}
HASH: Schema = {"type": "string", "pattern": "^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$"}
_USER: Schema = _object({"id": an_id("usr"), "name": _TEXT})
_AGENT: dict[str, Schema] = {"client_id": _TEXT, "assurance": _one_of(*Assurance)}
_CALL: dict[str, Schema] = {
    "call_id": an_id("cal"),
    "state": _one_of(*State),
    "tool": ref("ToolName"),
    "scopes": _list(_TEXT),
    "executes": _one_of(*Executes),
    "agent": {"anyOf": [ref("Agent"), {"type": "null"}]},
}
_MINTED: dict[str, Schema] = {
    "challengeId": an_id("chl"),
    "displayText": _TEXT,
    "expiresAt": {"type": "string", "format": "date-time"},
}
_REQUEST: dict[str, Schema] = {  # of passkeys the first, of another method of approval the others (APPR-9)
    "requestOptions": _ANY,
    "method": _WORD,
    "challenge": BASE64URL,
    "request": _ANY,
}
_ENROLLED: dict[str, Schema] = {"credential_id": _TEXT, "state": _one_of("active", "pending")}
_CLIENT: dict[str, Schema] = {
    "client_assertion_type": _one_of(ASSERTION_TYPE),
    "client_assertion": {**ref("Jwt"), "description": "Needed, unless the request is signed (OAUTH-14)."},
}
_DETAILS: Schema = {
    "type": "string",
    "contentMediaType": "application/json",
    "contentSchema": ref("AuthorizationDetails"),
}
_TARGET = _list(_URI)  # one parameter for each (RFC 8707 §2)
_ASKED: dict[str, Schema] = {
    "client_id": _TEXT,
    "authorization_details": _DETAILS,
    "dpop_jkt": HASH,
    "resource": _TARGET,
}


def _token_form(grant_type: str, required: Mapping[str, Schema], **optional: Schema) -> Schema:
    common = {"client_id": _TEXT, "resource": _TARGET}
    return _form({"grant_type": _one_of(grant_type), **required}, **{**common, **optional})


SCHEMAS: Mapping[str, Schema] = {
    "Jwt": {
        "type": "string",
        "pattern": r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$",
        "maxLength": MAX_TOKEN,
    },
    "ToolName": {"type": "string", "pattern": r"^(?!deputize\.)[A-Za-z0-9_.-]{1,128}$"},
    "Scope": {
        "type": "string",
        "pattern": r"^[\x21\x23-\x5b\x5d-\x7e]{1,128}( [\x21\x23-\x5b\x5d-\x7e]{1,128}){0,31}$",
    },
    "Problem": _open(
        {
            "type": _one_of("about:blank"),
            "title": _TEXT,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": _TEXT,
            "code": _one_of(*Code),
        }
    ),
    "OAuthError": _open({"error": _one_of(*Code), "error_description": _TEXT}),
    "Nothing": _object({}),
    "Agent": _object(_AGENT, name=_TEXT, handed_on_by=_object(_AGENT, name=_TEXT)),
    "CallRequest": _object(
        {"tool": ref("ToolName"), "arguments": _ANY, "definition_s256": HASH},
        delivered=_list(an_id("cal"), maxItems=MAX_DELIVERED),
    ),
    "Call": _object(_CALL, description=_TEXT, expires_at=_SECONDS),
    "RedeemedCall": _object(
        _CALL, description=_TEXT, expires_at=_SECONDS, external_id={"type": ["string", "null"]}
    ),
    "ApprovedCall": _object(
        {**_CALL, "call_token": ref("Jwt"), "expires_in": _SECONDS, "expires_at": _SECONDS}, description=_TEXT
    ),
    "Challenge": _object(_MINTED, **_REQUEST),
    "Evidence": _open({"method": _TEXT, "challengeId": _TEXT}, response=ref("Assertion")),
    "Assertion": {**_open({"id": _TEXT}), "description": "AuthenticationResponseJSON (WebAuthn L3 §5.1)"},
    "Denial": _object({"reason": _one_of("declined", "cancelled")}),
    "Event": _object({"type": _one_of("delivered")}),
    "Redemption": _object({"call_token": ref("Jwt")}),
    "Outcome": _object({"outcome": _one_of(*sorted(OUTCOMES))}),
    "OpaqueAgent": _object({"client_id": an_id("agt"), "assurance": _one_of("opaque"), "jkt": HASH}),
    "GrantRequest": _object({"scope": ref("Scope")}, expires_in={"type": "integer", "minimum": 1}),
    "PendingGrant": _object(
        {
            "grant_id": an_id("grt"),
            "state": _one_of(GrantState.PENDING),
            "expires_at": _SECONDS,
            "shown": _ANY,
            "text": _object(
                {
                    "language": _TEXT,
                    "lines": _list(_object({"part": _one_of(*PARTS), "line": _TEXT})),
                }
            ),
        }
    ),
    "Grant": _object({"grant_id": an_id("grt"), "state": _one_of(*GrantState)}),
    "GrantNow": _object(
        {"grant_id": an_id("grt"), "state": _one_of(*GrantState, "expired"), "expires_at": _SECONDS}
    ),
    "BlockFor": _object({}, seconds={"type": "integer", "minimum": SHORTEST, "maximum": LONGEST}),
    "Block": _object({"client_id": _TEXT, "until": {"anyOf": [_SECONDS, {"type": "null"}]}}),
    "Tokens": _object(
        {
            "access_token": ref("Jwt"),
            "token_type": _one_of("DPoP", "Bearer"),
            "expires_in": _SECONDS,
            "refresh_token": _WORD,
            "scope": ref("Scope"),
            "grant_id": an_id("grt"),
            "client_id": _TEXT,
            "sub": an_id("usr"),
        },
        authorization_details=ref("AuthorizationDetails"),
        issued_token_type=_one_of(ACCESS_TOKEN),
    ),
    "Handoff": _object(
        {
            "access_token": ref("Jwt"),
            "issued_token_type": _one_of(JWT_TYPE),
            "token_type": _one_of("N_A"),
            "expires_in": _SECONDS,
            "scope": ref("Scope"),
        }
    ),
    "TokenAnswer": {"oneOf": [ref("Tokens"), ref("Handoff")]},
    "SignUp": _object({"name": {"type": "string", "pattern": r"^ *[^\p{C}\p{Z}]([^\p{C}\p{Z}]| ){0,63} *$"}}),
    "Creation": _object({"challengeId": an_id("chl"), "creationOptions": _ANY}),
    "SignIn": _object({"challengeId": an_id("chl"), "requestOptions": _ANY}),
    "Ceremony": _object({"response": _ANY}),
    "SignedIn": _object({"user": _USER}),
    "Enrollment": _object({}, recovery=_TEXT),
    "NewCredential": _object({"response": _ANY}, label=_TEXT),
    "EnrolledCredential": {
        "oneOf": [_object(_ENROLLED, recovered=_FLAG), _object({**_ENROLLED, **_MINTED}, **_REQUEST)]
    },
    "Window": _object({"open_until": _SECONDS}),
    "Redirect": _object({"redirect_to": {"anyOf": [_URI, {"type": "null"}]}}),
    "PushedRequest": _form(
        {
            "response_type": _one_of("code"),
            "redirect_uri": _URI,
            "scope": ref("Scope"),
            "code_challenge": HASH,
            "code_challenge_method": _one_of("S256"),
        },
        **_CLIENT,
        **_ASKED,
        state=_TEXT,
        response_mode=_one_of("query"),
    ),
    "Pushed": _object({"request_uri": _TEXT, "expires_in": _SECONDS}),
    "DeviceRequest": _form({"scope": ref("Scope")}, **_CLIENT, **_ASKED),
    "Device": _object(
        {
            "device_code": _WORD,
            "user_code": {"type": "string", "pattern": "^[B-DF-HJ-NP-TV-XZ]{4}-[B-DF-HJ-NP-TV-XZ]{4}$"},
            "verification_uri": _URI,
            "verification_uri_complete": _URI,
            "expires_in": _SECONDS,
            "interval": _SECONDS,
        }
    ),
    "TokenRequest": {
        "oneOf": [
            _token_form(
                "authorization_code",
                {"code": _WORD, "redirect_uri": _URI, "code_verifier": _WORD},
                **_CLIENT,
            ),
            _token_form("refresh_token", {"refresh_token": _WORD}, scope=ref("Scope"), **_CLIENT),
            _token_form(DEVICE_CODE, {"device_code": _WORD}, **_CLIENT),
            _token_form(
                TOKEN_EXCHANGE,
                {
                    "subject_token": ref("Jwt"),
                    "subject_token_type": _one_of(ACCESS_TOKEN),
                    "requested_actor": _WORD,
                    "dpop_jkt": HASH,
                },
                **_CLIENT,
                requested_token_type=_one_of(JWT_TYPE),
                scope=ref("Scope"),
                authorization_details=_DETAILS,
                audience=_TARGET,
            ),
            _token_form(
                TOKEN_EXCHANGE,
                {"subject_token": ref("Jwt"), "subject_token_type": _one_of(JWT_TYPE)},
                **_CLIENT,
                requested_token_type=_one_of(ACCESS_TOKEN),
                scope=ref("Scope"),
                authorization_details=_DETAILS,
                audience=_TARGET,
            ),
        ]
    },
    "AuthorizationDetails": _list(
        _object(
            {"type": _one_of(TYPE), "tool": ref("ToolName")},
            schema=_ANY,
            max_calls={"type": "integer", "minimum": 1},
            sum={"type": "object", "additionalProperties": {"type": "number", "exclusiveMinimum": 0}},
            not_before=_SECONDS,
            not_after=_SECONDS,
            hours=_list(
                {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}, minItems=2, maxItems=2
            ),
        ),
        maxItems=MAX_DETAILS,
    ),
    "TokenQuestion": _form({"token": _WORD}, client_id=_TEXT, token_type_hint=_TEXT, **_CLIENT),
    "Introspection": _open({"active": _FLAG}),
    "ServerMetadata": _open({"issuer": _URI, "token_endpoint": _URI, "jwks_uri": _URI}),
    "ResourceMetadata": _open({"resource": _URI, "authorization_servers": _list(_URI)}),
    "Keys": _object(
        {
            "keys": _list(
                _open({"kty": _one_of("EC"), "crv": _one_of("P-256"), "x": HASH, "y": HASH, "kid": _TEXT})
            )
        }
    ),
    "Tools": _object(
        {
            "issuer": _URI,
            "site": _object({"name": _TEXT}),
            "wait_s": _SECONDS,
            "api_origins": _list(_URI),
            "api_audience": _TEXT,
            "sign_in_uri": _URI,
            "scopes": {
                "type": "object",
                "additionalProperties": _object({"title": _TEXT, "writes": _FLAG}),
            },
            "tools": {"type": "object", "additionalProperties": ref("Tool")},
            "now": _SECONDS,
            "user": {"anyOf": [_USER, {"type": "null"}]},
            "csrf": {"type": ["string", "null"]},
        }
    ),
    "Tool": _object(
        {
            "scopes": _list(_TEXT),
            "public": _FLAG,
            "approval": _one_of("never", "always", "when"),
            "authenticator_class": _one_of(*AuthenticatorClass),
            "executes": _one_of(*Executes),
            "direct": _FLAG,
            "opaque": _FLAG,
        },
        input_schema=_ANY,
    ),
    "Message": _object(
        {"jsonrpc": _one_of("2.0"), "method": _TEXT},
        id={"type": ["string", "integer"]},
        params=_ANY,
    ),
    "Reply": {
        "oneOf": [
            _object({"jsonrpc": _one_of("2.0"), "id": _MESSAGE_ID, "result": _ANY}),
            _object({"jsonrpc": _one_of("2.0"), "id": _MESSAGE_ID, "error": ref("RpcError")}),
        ]
    },
    "RpcError": _object({"code": {"type": "integer"}, "message": _TEXT}, data={}),
    "OpenApi": _open({"openapi": _TEXT, "info": _ANY, "paths": _ANY}),
}
