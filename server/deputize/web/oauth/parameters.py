"""The parameters of a request, each read strictly (RFC 6749 §3.1, §3.2)."""

from typing import TypeAlias
from urllib.parse import parse_qsl

from starlette.datastructures import ImmutableMultiDict

from ...protocol.canonical import JsonError, parse
from ...protocol.constraint import Constraints
from ...protocol.errors import Code, Refused
from ...protocol.ids import Jkt
from ...protocol.request import is_code_challenge
from ...protocol.scope import ScopeSet
from ..bodies import media_type
from ..context import Context

_RIGHTS = frozenset({"scope", "authorization_details"})  # who narrows to nothing does not mean everything
_TARGETS = frozenset({"resource", "audience"})  # the only ones of which there may be several (RFC 8707 §2)
_SCHEMES = {scheme.lower(): scheme for scheme in ("Basic", "Bearer", "DPoP")}
Form: TypeAlias = ImmutableMultiDict[str, str]


async def read_form(context: Context) -> Form:
    """Read a form: each parameter once but for targets, and none that is without a value (RFC 6749 §3.2).

    Refused(invalid_request), and for whoever authenticates by an `Authorization` header Refused(invalid_client) with
    the `scheme` of that (OAUTH-1; RFC 6749 §5.2).
    """
    if media_type(context) != "application/x-www-form-urlencoded":
        raise Refused(Code.INVALID_REQUEST, "Send application/x-www-form-urlencoded.")
    try:
        form = parse_form((await context.bytes()).decode("ascii"))
    except UnicodeDecodeError as error:
        raise Refused(Code.INVALID_REQUEST, "The form cannot be read.") from error
    if context.has("authorization"):
        if "client_assertion" in form:  # RFC 6749 §2.3
            raise Refused(Code.INVALID_REQUEST, "Authenticate in one way: send no Authorization header.")
        # One that we know, never what was sent: it could be the secret itself.
        scheme = context.request.headers["authorization"].partition(" ")[0]
        raise Refused(
            Code.INVALID_CLIENT,
            "Authenticate with private_key_jwt: send a client_assertion, and no Authorization header.",
            scheme=_SCHEMES.get(scheme.lower(), "Basic"),
        )
    return form


def parse_form(text: str) -> Form:
    """Read the parameters of a form, or of an address, under the same rules (RFC 6749 §3.1, §3.2).

    Refused(invalid_request).
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError as error:
        raise Refused(Code.INVALID_REQUEST, "The form cannot be read.") from error
    names = [name for name, _ in pairs if name not in _TARGETS]
    if len(set(names)) != len(names):
        raise Refused(Code.INVALID_REQUEST, "A parameter is repeated.")
    return ImmutableMultiDict([(name, value) for name, value in pairs if value or name in _RIGHTS])


def check_target(context: Context, form: Form, *names: str) -> None:
    """Refuse, with Refused(invalid_target), to issue anything for use elsewhere (OAUTH-11).

    `names` are the parameters that say where; several values are good if each of them is (RFC 8707 §2).
    """
    issuer = context.authority.policy.site.issuer
    here = (issuer, f"{issuer}/mcp")
    if any(value not in here for name in names for value in form.getlist(name)):
        raise Refused(
            Code.INVALID_TARGET, f"What is issued here is good at {here[0]} and {here[1]}, and nowhere else."
        )


def needed(form: Form, name: str) -> str:
    """Read a parameter that has to be there; Refused(invalid_request)."""
    if not form.get(name):
        raise Refused(Code.INVALID_REQUEST, f"The parameter {name} is missing.")
    return form[name]


def scopes_in(form: Form) -> ScopeSet:
    """Read `scope`; Refused(invalid_scope)."""
    try:
        return ScopeSet.parse(form.get("scope", ""))
    except ValueError as error:
        raise Refused(Code.INVALID_SCOPE, "scope is a list of names separated by single spaces.") from error


def constraints_in(form: Form) -> Constraints:
    """Read `authorization_details`, none if it is not there; Refused(invalid_authorization_details)."""
    text = form.get("authorization_details")
    if text is None:
        return Constraints()
    try:
        return Constraints.parse(parse(text.encode()))
    except JsonError as error:
        detail = f"authorization_details is not strict JSON: {error.reason}."
        raise Refused(Code.INVALID_AUTHORIZATION_DETAILS, detail) from error


def thumbprint_in(form: Form) -> Jkt:
    """Read `dpop_jkt`; Refused(invalid_request)."""
    if not is_code_challenge(form.get("dpop_jkt", "")):  # a SHA-256 in base64url as well
        raise Refused(Code.INVALID_REQUEST, "dpop_jkt is the RFC 7638 thumbprint of a key.")
    return Jkt(form["dpop_jkt"])
