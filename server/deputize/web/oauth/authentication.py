"""Client authentication (RFC 6749 §2.3): how an agent, or an API, proves who it is (OAUTH-1, OAUTH-2)."""

from dataclasses import replace

from ...crypto import client_assertion, http_signature, jwt
from ...crypto.http_signature import Signed
from ...protocol.agent import Agent, Assurance
from ...protocol.client import AuthMethod, ClientDocument
from ...protocol.errors import Code, Refused
from ...protocol.jwk import Key, thumbprint
from ...protocol.proof import Proof
from ...service.clients import Client
from ..access import Access
from ..context import Context
from .parameters import Form, thumbprint_in

NONCE_LIFETIME = 300  # seconds (OAUTH-2)


async def authenticate(context: Context, form: Form, since: int = 0, keyless: bool = False) -> Client:
    """Know an attested agent by its assertion or signature, and its DPoP proof with a nonce (OAUTH-1, OAUTH-2).

    Its document was fetched at `since` or later. With `keyless`, an agent whose document says that it has no key needs
    neither assertion nor signature. Refused(invalid_client), Refused(invalid_dpop_proof), or Refused(use_dpop_nonce)
    with the `nonce` to use.
    """
    client = await _client(context, form, since, keyless)
    sealer = context.authority.sealer

    def known(nonce: object) -> bool:
        return isinstance(nonce, str) and sealer.open("nonce", nonce, NONCE_LIFETIME) is True

    try:
        proof = context.proof("dpop", nonce=known)
    except Refused as refused:
        if refused.refusal.code is not Code.USE_DPOP_NONCE:
            raise
        raise Refused(
            Code.USE_DPOP_NONCE, refused.refusal.detail, nonce=sealer.seal("nonce", True)
        ) from refused
    return replace(client, proof=proof, jkt=proof.jkt)


async def authenticate_or_public(context: Context, form: Form, since: int = 0) -> Client:
    """Know an agent as `authenticate` does or, where the policy allows it, as a public client (RFC 6749 §2.1).

    A public client may prove a key, or none (BEARER-5, BEARER-7).
    """
    policy = context.authority.policy
    if not policy.bearer:
        return await authenticate(context, form, since)
    if context.has("dpop"):
        client = await authenticate(context, form, since, keyless=True)
    else:
        client = await _client(context, form, since, keyless=True)
        if client.document.dpop_bound_access_tokens:  # RFC 9449 §5.2
            raise Refused(
                Code.INVALID_DPOP_PROOF, "By its document all of this agent's tokens are bound to a key."
            )
    unproven = client.assertion is None or client.proof is None
    if unproven and any(target != policy.mcp for target in form.getlist("resource")):
        raise Refused(Code.INVALID_TARGET, f"For an agent that proves nothing there is only {policy.mcp}.")
    return client


async def identify(context: Context, form: Form) -> Client:
    """Believe whoever sent the browser here which agent asks: nothing proves it (BEARER-3).

    Refused(invalid_client), Refused(invalid_client_metadata).
    """
    clients = context.authority.clients
    client = await clients.find(form.get("client_id", ""), context.now, keyless=True)
    return replace(client, agent=replace(client.agent, assurance=Assurance.OPAQUE))  # BEARER-2


async def authenticate_or_name_key(context: Context, form: Form) -> Client:
    """Know an attested agent as `authenticate` does, or without a DPoP proof where `dpop_jkt` names its key.

    It then proves the key when it collects the grant (OAUTH-2; RFC 9449 §10.1).
    """
    if "dpop_jkt" not in form:
        return await authenticate(context, form)
    jkt = thumbprint_in(form)
    if not context.has("dpop"):
        return replace(await _client(context, form), jkt=jkt)
    client = await authenticate(context, form)
    if client.jkt != jkt:
        raise Refused(Code.INVALID_DPOP_PROOF, "dpop_jkt is not the key of the proof.")
    return client


def must_name(client: Client, grant_type: str) -> None:
    """Hold an agent to the grant types of its document (OAUTH-13); Refused(unauthorized_client)."""
    if grant_type not in client.document.grant_types:
        raise Refused(Code.UNAUTHORIZED_CLIENT, "The agent's document does not name this grant type.")


async def client_or_public(context: Context, form: Form) -> Client:
    """Know an agent, without a DPoP proof; also one that has no key, where the policy allows that."""
    return await _client(context, form, keyless=context.authority.policy.bearer)


async def client_or_api(context: Context, form: Form) -> tuple[Agent | None, Proof | None]:
    """Know an API of the site by a client assertion under its audience and a key of the policy, else an agent.

    Neither gives a DPoP proof. Where an API has several keys, `kid` is the thumbprint of the one.
    """
    api = context.authority.policy.api
    if form.get("client_id", _issuer_of(form)) != api.audience:
        client = await _client(context, form)
        return client.agent, client.assertion
    _signature(context, form)
    keys = tuple(
        Key(str(key["x"]), str(key["y"]), str(key.get("kid") or thumbprint(key))) for key in api.keys
    )
    return None, _assertion(context, form, keys, api.audience)


async def _client(context: Context, form: Form, since: int = 0, keyless: bool = False) -> Client:
    """Know an agent by its assertion or signature, or one that has no key by its word; without a DPoP proof."""
    signed = _signature(context, form)
    client_id = form.get("client_id", _issuer_of(form))
    if not client_id:
        detail = "Authenticate with private_key_jwt, by a client_assertion, or sign the request and send client_id."
        raise Refused(Code.INVALID_CLIENT, detail)
    clients = context.authority.clients
    client = await clients.find(client_id, context.now, since, keyless)
    document = client.document
    if document.auth_method is AuthMethod.NONE:
        if "client_assertion" in form or signed is not None:
            detail = "By its document this agent has no key: send neither a client_assertion nor a signature."
            raise Refused(Code.INVALID_CLIENT, detail)
        return client
    if signed is not None:
        return replace(client, assertion=await _by_signature(context, document, signed))
    kid = jwt.parse(form.get("client_assertion", ""), code=Code.INVALID_CLIENT).header.get("kid")
    keys = await clients.keys(document, lambda key: kid in (None, key.kid), context.now)
    return replace(client, assertion=_assertion(context, form, keys, client_id))


async def _by_signature(context: Context, document: ClientDocument, signed: Signed) -> Proof:
    if not document.is_at(signed.agent, signed.kind):  # OAUTH-15
        detail = "The Signature-Agent is not the client that client_id names, or its type is not known here."
        raise Refused(Code.INVALID_CLIENT, detail)
    keys = await context.authority.clients.keys(
        document, lambda key: thumbprint(key.jwk) == signed.keyid, context.now
    )
    return http_signature.verify(signed, keys)


def _signature(context: Context, form: Form) -> Signed | None:
    """Read the signature of a request, None if it has none; its key is still to be checked (OAUTH-14).

    Refused(invalid_client). Refused(invalid_request) beside an assertion (RFC 6749 §2.3), and for a page's request: a
    browser that signs whatever it sends would be led by any page to speak for its owner.
    """
    headers, query = context.request.headers, context.request.url.query
    url = context.url + (f"?{query}" if query else "")
    lines: dict[str, list[str]] = {}  # looked through once, however many components are covered
    for name, value in headers.items():
        lines.setdefault(name, []).append(value)
    signed = http_signature.read(
        http_signature.Request(context.request.method, url, lambda name: lines.get(name, []), context.body),
        context.now,
    )
    if signed is None:
        return None
    if {"client_assertion", "client_assertion_type"} & form.keys():
        raise Refused(Code.INVALID_REQUEST, "Authenticate in one way: by an assertion or by a signature.")
    if context.has("origin") or headers.get("sec-fetch-site", "none") != "none":
        raise Refused(Code.INVALID_REQUEST, "A signature proves nothing here of a request that a page made.")
    return signed


def _assertion(context: Context, form: Form, keys: tuple[Key, ...], client_id: str) -> Proof:
    return client_assertion.verify(
        form.get("client_assertion", ""),
        form.get("client_assertion_type", ""),
        keys,
        client_id,
        context.authority.policy.site.issuer,
        context.now,
    )


def _issuer_of(form: Form) -> str:
    """Read the issuer that an assertion claims, empty without one; it is not verified yet (RFC 7521 §4.2)."""
    if "client_assertion" not in form:
        return ""
    return str(jwt.parse(form["client_assertion"], code=Code.INVALID_CLIENT).claims.get("iss", ""))


_SIGNED = ("Signature-Input", "Signature", "Signature-Agent", "Content-Digest")

CLIENT = Access(by=authenticate_or_name_key, may=("DPoP", *_SIGNED))
BY_GRANT_TYPE = Access(may=("DPoP", *_SIGNED))  # it says who has to prove what
CLIENT_OR_API = Access(by=client_or_api, may=_SIGNED)
CLIENT_OR_PUBLIC = Access(by=client_or_public, may=_SIGNED)
