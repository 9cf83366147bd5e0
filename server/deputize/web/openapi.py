"""`/openapi.json`: the table of endpoints as OpenAPI 3.1. What goes over the wire means, PROTOCOL.md says."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from inspect import cleandoc
from typing import Annotated, Any, TypeAlias, cast

import msgspec
from msgspec import Struct

from ..protocol.canonical import Json
from ..protocol.problem import MEDIA_TYPE
from .endpoint import HTML, JSON, Answer, Endpoint, Kind
from .mcp.types import ReplyError
from .refusals import Dialect
from .session import COOKIE
from .types import (
    REF,
    Base64Url,
    CallIdText,
    ChallengeIdText,
    GrantIdText,
    Hash,
    Jwt,
    OAuthError,
    Problem,
    said,
)

Schema: TypeAlias = dict[str, Json]

FORM = "application/x-www-form-urlencoded"
_PARAMETER = re.compile(r"{(\w+)}")
_TEXT: Schema = {"type": "string"}
_HEADERS: Mapping[str, tuple[object, str]] = {
    "DPoP": (Jwt, "The proof of the agent's key for this request (PROOF-1)."),
    "Deputize-Page": (Jwt, "The proof of the page's key for this request (PROOF-3)."),
    "Deputize-Guard": (Jwt, "The proof of a guard's key for this request (PROOF-4)."),
    "Deputize-Reader": (Jwt, "The proof of the key of somebody who may read the record (LOG-8)."),
    "Deputize-CSRF": (str, "The session's token, as `GET /tools` gives it (SESSION-2)."),
    "Signature-Input": (str, "What a client covers that signs the request (OAUTH-14)."),
    "Signature": (str, "The client's signature, in place of a `client_assertion` (OAUTH-14)."),
    "Signature-Agent": (str, "The client's document, `jwks_uri` or origin (OAUTH-15)."),
    "Content-Digest": (str, "The digest of the body, which a signature covers (RFC 9530)."),
}
_NAMES: Mapping[str, object] = {
    "asked_id": Annotated[str, said(pattern="^(cal|grt)_[A-Za-z0-9_-]{22}$")],
    "call_id": CallIdText,
    "challenge_id": ChallengeIdText,
    "grant_id": GrantIdText,
    "id": Base64Url,  # of a passkey or, where one is added, of the challenge for it
    "name": Annotated[str, said(pattern=r"^[a-z]+\.(css|js)$")],
    "words": Annotated[str, said(pattern=r"^[A-Za-z0-9-]+(\.[A-Za-z0-9_-]+)?\.json$")],
    "part": Annotated[str, said(pattern=r"^[a-z-]+\.[A-Za-z0-9_-]{43}\.mjs$")],
    "path": Annotated[str, said(pattern=r"^[0-7]/(x[0-9]{3}/)*[0-9]{3}(\.p/[1-9][0-9]{0,2})?$")],  # of a tile
    "request_id": Hash,
}
_SECURITY: Schema = {
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
    "delegation": {"type": "http", "scheme": "DPoP"},
    "bearer": {"type": "http", "scheme": "Bearer"},  # where the owner lets it be (BEARER-1)
}


class OpenApi(Struct):
    """This document."""

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]


def schemas(endpoints: tuple[Endpoint, ...]) -> Mapping[str, Schema]:
    """Return what goes over the wire at these endpoints, as JSON Schemas by name."""
    kinds: set[Kind] = {Problem, OAuthError}
    for each in endpoints:
        bodies = (each.body, *each.form)
        kinds.update(kind for part in (*bodies, *each.answers.values()) for kind in _kinds(part))
    ordered = sorted(kinds, key=lambda kind: kind.__name__)
    components = cast("dict[str, Schema]", msgspec.json.schema_components(ordered, ref_template=REF)[1])
    for component in components.values():
        component["description"] = cleandoc(str(component.get("description", "")))
    for each in endpoints:
        for form in each.form:  # a form may have others, which are ignored (RFC 6749 §3.2)
            components[form.__name__]["additionalProperties"] = _TEXT
    return components


@lru_cache
def document(issuer: str, endpoints: tuple[Endpoint, ...], well_known: tuple[Endpoint, ...]) -> Schema:
    """Describe the authority at this issuer (OpenAPI 3.1.1)."""
    paths: dict[str, Schema] = {}
    for each in endpoints:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    scheme, _, host, *path_of_issuer = issuer.split("/")
    for each in well_known:
        path = "/.well-known/" + each.path.format("".join(f"/{step}" for step in path_of_issuer))
        paths[path] = {"servers": [{"url": f"{scheme}//{host}"}], "get": _operation(each)}
    return {
        "openapi": "3.1.1",
        "info": {"title": "deputize", "version": "1", "summary": "An authority for agents on a site"},
        "servers": [{"url": issuer}],
        "paths": {**paths},
        "components": {"schemas": {**schemas((*endpoints, *well_known))}, "securitySchemes": _SECURITY},
    }


def _kinds(told: Answer) -> Sequence[Kind]:
    """Return the types of an answer, of which there may be none."""
    if isinstance(told, tuple):
        return [each for each in told if isinstance(each, type)]
    return (told,) if isinstance(told, type) else ()


def _operation(endpoint: Endpoint) -> Schema:
    access, names = endpoint.access, _PARAMETER.findall(endpoint.path)
    parameters = [_parameter(name, "path", True, _NAMES[name]) for name in names]
    parameters += [_parameter(name, "query", needed, str) for name, needed in endpoint.query.items()]
    for name in (*access.needs, *access.may):
        kind, text = _HEADERS[name]
        parameters.append({**_parameter(name, "header", name in access.needs, kind), "description": text})
    told: Schema = {"summary": endpoint.summary, "parameters": [*parameters]}
    if endpoint.body or endpoint.form:
        content = _content(JSON, _kinds(endpoint.body)) if endpoint.body else _content(FORM, endpoint.form)
        told["requestBody"] = {"required": True, "content": content}
    told["responses"] = {
        **{str(status): _answer(status, part) for status, part in endpoint.answers.items()},
        **_refusals(endpoint, bool(names)),
    }
    if access.security:
        told["security"] = [{name: [] for name in proved} for proved in access.security]
    return told


def _parameter(name: str, place: str, needed: bool, kind: object) -> Schema:
    (schema,), _ = msgspec.json.schema_components([kind])
    return {"name": name, "in": place, "required": needed, "schema": cast("Json", schema)}


def _answer(status: int, told: Answer) -> Json:
    if told is None:
        return {"description": HTTPStatus(status).phrase}
    kinds = _kinds(told)
    others: Schema = {
        each: {} for each in (told if isinstance(told, tuple) else (told,)) if isinstance(each, str)
    }
    content: Json = {**(_content(JSON, kinds) if kinds else {}), **others}
    return {"description": HTTPStatus(status).phrase, "content": content}


def _refusals(endpoint: Endpoint, named: bool) -> Schema:
    """Describe every no: RFC 6749 §5.2 where a form is sent, else RFC 9457 (ERR-1, ERR-2)."""
    if endpoint.dialect is Dialect.OAUTH:
        refused: Schema = {"description": "No", "content": _content(JSON, (OAuthError,))}
        if "DPoP" in endpoint.access.may:  # OAUTH-2
            refused["headers"] = {"DPoP-Nonce": {"schema": _TEXT}}
        challenge: Schema = {"WWW-Authenticate": {"required": True, "schema": _TEXT}}  # OAUTH-1
        return {"400": refused, "401": {**refused, "headers": challenge}, "5XX": refused}
    if endpoint.dialect is Dialect.PAGE:
        page: Json = {"description": "No", "content": {HTML: {}}}
        if named:  # what cannot be such a name, a line break in it, say, is no address of ours
            page = {"description": "No", "content": {HTML: {}, **_content(MEDIA_TYPE, (Problem,))}}
        return {"4XX": page, "5XX": page}
    as_rpc = endpoint.dialect is Dialect.RPC  # MCP-7
    content = _content(JSON, (ReplyError,)) if as_rpc else _content(MEDIA_TYPE, (Problem,))
    refused = {"description": "No", "content": content}
    if endpoint.access.needs or endpoint.access.may:
        who: Json = {
            "WWW-Authenticate": {"required": True, "schema": {"type": "string", "pattern": "^(Bearer|DPoP) "}}
        }
        return {"401": {**refused, "headers": who}, "4XX": refused, "5XX": refused}
    may_be_a_no = endpoint.body or named or endpoint.access.before
    return {"4XX": refused, "5XX": refused} if may_be_a_no else {"5XX": refused}


def _content(media_type: str, kinds: Sequence[Kind]) -> Schema:
    refs: list[Json] = [{"$ref": REF.format(name=kind.__name__)} for kind in kinds]
    return {media_type: {"schema": refs[0] if len(refs) == 1 else {"oneOf": refs}}}
