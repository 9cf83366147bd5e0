"""Who stands before an OAuth endpoint: an attested agent that proves itself, or an API (OAUTH-1, OAUTH-2)."""

from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qsl

from starlette.datastructures import ImmutableMultiDict

from ..crypto import client_assertion, http_signature, jwt
from ..crypto.http_signature import Signed
from ..crypto.keys import thumbprint
from ..protocol.agent import Agent, Assurance
from ..protocol.client import AuthMethod, ClientDocument
from ..protocol.errors import Code, Refused
from ..protocol.ids import NO_KEY, Jkt
from ..protocol.jwk import Key
from ..protocol.request import is_code_challenge
from ..service.authorizations import Caller
from ..service.ports import Proof
from .ask import Ask

NONCE_LIFETIME = 300  # seconds (OAUTH-2)
_RIGHTS = frozenset({"scope", "authorization_details"})  # who narrows to nothing does not mean everything
_TARGETS = frozenset({"resource", "audience"})  # the only ones of which there may be several (RFC 8707 §2)
_SCHEMES = {scheme.lower(): scheme for scheme in ("Basic", "Bearer", "DPoP")}
Form: TypeAlias = ImmutableMultiDict[str, str]


@dataclass(frozen=True, slots=True)
class Party:
    """An attested agent at an endpoint: its document, and what its transaction has to spend."""

    document: ClientDocument
    caller: Caller


async def read_form(ask: Ask) -> Form:
    """Read a form: each parameter once but for targets, and none that is without a value (RFC 6749 §3.2).

    Refused(invalid_request), and for whoever authenticates by an `Authorization` header Refused(invalid_client) with
    the `scheme` of that (OAUTH-1; RFC 6749 §5.2).
    """
    if (
        ask.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        != "application/x-www-form-urlencoded"
    ):
        raise Refused(Code.INVALID_REQUEST, "Send application/x-www-form-urlencoded.")
    try:
        form = parse_form((await ask.bytes()).decode("ascii"))
    except UnicodeDecodeError as error:
        raise Refused(Code.INVALID_REQUEST, "The form cannot be read.") from error
    if ask.has("authorization"):
        if "client_assertion" in form:  # RFC 6749 §2.3
            raise Refused(Code.INVALID_REQUEST, "Authenticate in one way: send no Authorization header.")
        scheme = ask.request.headers["authorization"].partition(" ")[0]
        raise Refused(
            Code.INVALID_CLIENT,
            "Authenticate with private_key_jwt: send a client_assertion, and no Authorization header.",
            scheme=_SCHEMES.get(
                scheme.lower(), "Basic"
            ),  # never what was sent: it could be the secret itself
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


def check_target(ask: Ask, form: Form, *names: str) -> None:
    """Refuse, with Refused(invalid_target), to issue anything for use elsewhere (OAUTH-11).

    `names` are the parameters that say where; several values are good if each of them is (RFC 8707 §2).
    """
    issuer = ask.authority.policy.site.issuer
    here = (issuer, f"{issuer}/mcp")
    if any(value not in here for name in names for value in form.getlist(name)):
        raise Refused(
            Code.INVALID_TARGET, f"What is issued here is good at {here[0]} and {here[1]}, and nowhere else."
        )


async def party(ask: Ask, form: Form, since: int = 0, keyless: bool = False) -> Party:
    """Know an attested agent by its assertion or signature, and its DPoP proof with a nonce (OAUTH-1, OAUTH-2).

    Its document was fetched at `since` or later; with `keyless`, one that says that it proves nothing needs neither
    assertion nor signature. Refused(invalid_client), Refused(invalid_dpop_proof), or
    Refused(use_dpop_nonce) with the `nonce` to use.
    """
    document, agent, assertion = await _client(ask, form, since, keyless)
    sealer = ask.authority.sealer

    def known(nonce: object) -> bool:
        return isinstance(nonce, str) and sealer.open("nonce", nonce, NONCE_LIFETIME) is True

    try:
        proof = ask.proof("dpop", nonce=known)
    except Refused as refused:
        if refused.refusal.code is not Code.USE_DPOP_NONCE:
            raise
        raise Refused(
            Code.USE_DPOP_NONCE, refused.refusal.detail, nonce=sealer.seal("nonce", True)
        ) from refused
    return Party(document, Caller(agent, document.document_s256, assertion, proof, proof.jkt))


async def collector(ask: Ask, form: Form, since: int = 0) -> Party:
    """Know an agent that comes with a code or a refresh token: as `party` or, where the policy takes such, as one that
    proves nothing of itself, with a proof of a key or without (BEARER-5, BEARER-7).
    """
    policy = ask.authority.policy
    if not policy.bearer:
        return await party(ask, form, since)
    if ask.has("dpop"):
        asking = await party(ask, form, since, keyless=True)
    else:
        document, agent, assertion = await _client(ask, form, since, keyless=True)
        if document.dpop_bound_access_tokens:  # RFC 9449 §5.2
            raise Refused(
                Code.INVALID_DPOP_PROOF, "By its document all of this agent's tokens are bound to a key."
            )
        asking = Party(document, Caller(agent, document.document_s256, assertion, None, NO_KEY))
    unproven = asking.caller.assertion is None or asking.caller.proof is None
    if unproven and any(target != policy.mcp for target in form.getlist("resource")):
        raise Refused(Code.INVALID_TARGET, f"For an agent that proves nothing there is only {policy.mcp}.")
    return asking


async def visitor(ask: Ask, form: Form) -> Party:
    """Take the word of whoever sent the browser here about which agent it is that asks (BEARER-3).

    Refused(invalid_client), Refused(invalid_client_metadata).
    """
    document = (await ask.authority.clients.find(form.get("client_id", ""), keyless=True)).document
    agent = Agent(document.client_id, Assurance.OPAQUE, None, None, ask.now, document.name)  # BEARER-2
    return Party(document, Caller(agent, document.document_s256, None, None, NO_KEY))


async def asker(ask: Ask, form: Form) -> Party:
    """Know an attested agent that asks its user: as `party`, or without a proof where `dpop_jkt` names the key.

    The key proves itself when the grant is collected (OAUTH-2; RFC 9449 §10.1).
    """
    if "dpop_jkt" not in form:
        return await party(ask, form)
    jkt = thumbprint_in(form)
    if not ask.has("dpop"):
        document, agent, assertion = await _client(ask, form)
        return Party(document, Caller(agent, document.document_s256, assertion, None, jkt))
    proved = await party(ask, form)
    if proved.caller.jkt != jkt:
        raise Refused(Code.INVALID_DPOP_PROOF, "dpop_jkt is not the key of the proof.")
    return proved


def thumbprint_in(form: Form) -> Jkt:
    """Read `dpop_jkt`; Refused(invalid_request)."""
    if not is_code_challenge(form.get("dpop_jkt", "")):  # a SHA-256 in base64url as well
        raise Refused(Code.INVALID_REQUEST, "dpop_jkt is the RFC 7638 thumbprint of a key.")
    return Jkt(form["dpop_jkt"])


async def client_alone(ask: Ask, form: Form, keyless: bool = False) -> tuple[Agent, Proof | None]:
    """Know an agent without a proof, as introspection and revocation do; Refused(invalid_client).

    With `keyless`, one without any, if its document says that it has none.
    """
    _, agent, assertion = await _client(ask, form, keyless=keyless)
    return agent, assertion


def api(ask: Ask, form: Form) -> Proof | None:
    """Know an API of the site by a client assertion under its audience and a key of the policy; None if it is none.

    Where there are several keys, `kid` is the thumbprint of the one.
    """
    policy = ask.authority.policy
    if form.get("client_id", _issuer_of(form)) != policy.api.audience:
        return None
    _signature(ask, form)
    keys = tuple(
        Key(str(key["x"]), str(key["y"]), str(key.get("kid") or thumbprint(key))) for key in policy.api.keys
    )
    return _assertion(ask, form, keys, policy.api.audience)


async def _client(
    ask: Ask, form: Form, since: int = 0, keyless: bool = False
) -> tuple[ClientDocument, Agent, Proof | None]:
    signed = _signature(ask, form)
    client_id = form.get("client_id", _issuer_of(form))
    if not client_id:
        detail = "Authenticate with private_key_jwt, by a client_assertion, or sign the request and send client_id."
        raise Refused(Code.INVALID_CLIENT, detail)
    authority = ask.authority
    client = await authority.clients.find(client_id, since, keyless)
    document = client.document
    agent = Agent(document.client_id, client.assurance, None, None, ask.now, document.name)
    if document.auth_method is AuthMethod.NONE:
        if "client_assertion" in form or signed is not None:
            detail = "By its document this agent has no key: send neither a client_assertion nor a signature."
            raise Refused(Code.INVALID_CLIENT, detail)
        return document, agent, None
    if signed is None:
        kid = jwt.parse(form.get("client_assertion", ""), code=Code.INVALID_CLIENT).header.get("kid")
        keys = await authority.clients.keys(document, lambda key: kid in (None, key.kid), ask.now)
        proof = _assertion(ask, form, keys, client_id)
    else:
        proof = await _by_signature(ask, document, signed)
    return document, agent, proof


async def _by_signature(ask: Ask, document: ClientDocument, signed: Signed) -> Proof:
    if not document.is_at(signed.agent, signed.kind):  # OAUTH-15
        detail = "The Signature-Agent is not the client that client_id names, or its type is not known here."
        raise Refused(Code.INVALID_CLIENT, detail)
    keys = await ask.authority.clients.keys(
        document, lambda key: thumbprint(key.jwk) == signed.keyid, ask.now
    )
    return http_signature.verify(signed, keys)


def _signature(ask: Ask, form: Form) -> Signed | None:
    """Read the signature of a request, if it has one, good but for its key (OAUTH-14); Refused(invalid_client).

    Refused(invalid_request) for one beside an assertion (RFC 6749 §2.3), and for one of a page's request: a
    browser that signs whatever it sends would be led by any page to speak for its owner.
    """
    headers, query = ask.request.headers, ask.request.url.query
    url = ask.url + (f"?{query}" if query else "")
    signed = http_signature.read(
        http_signature.Request(ask.request.method, url, headers.getlist, ask.body), ask.now
    )
    if signed is None:
        return None
    if {"client_assertion", "client_assertion_type"} & form.keys():
        raise Refused(Code.INVALID_REQUEST, "Authenticate in one way: by an assertion or by a signature.")
    if ask.has("origin") or headers.get("sec-fetch-site", "none") != "none":
        raise Refused(Code.INVALID_REQUEST, "A signature proves nothing here of a request that a page made.")
    return signed


def _assertion(ask: Ask, form: Form, keys: tuple[Key, ...], client_id: str) -> Proof:
    return client_assertion.verify(
        form.get("client_assertion", ""),
        form.get("client_assertion_type", ""),
        keys,
        client_id,
        ask.authority.policy.site.issuer,
        ask.now,
    )


def _issuer_of(form: Form) -> str:
    """Read who an assertion says that it is from; whether that is so is checked after (RFC 7521 §4.2)."""
    if "client_assertion" not in form:
        return ""
    return str(jwt.parse(form["client_assertion"], code=Code.INVALID_CLIENT).claims.get("iss", ""))
