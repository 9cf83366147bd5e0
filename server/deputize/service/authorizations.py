"""How an attested agent gets a grant: push, ask the user, collect (PROTOCOL §11). Each function is one transaction."""

import hashlib
from dataclasses import replace

from ..protocol.agent import Agent
from ..protocol.canonical import Json
from ..protocol.errors import Code, Refusal, Refused
from ..protocol.grant import Grant, GrantState
from ..protocol.ids import GrantId, UserId
from ..protocol.prompt import asker_of
from ..protocol.quota import WRONG_CODES, Quota, too_many
from ..protocol.request import CODE_LIFETIME, OPEN_LIFETIME, AuthorizationRequest, Status, verifies
from ..words.consent import text_of
from . import consents, grants, quotas
from .approvals import Minted, Verdict
from .blocks import barred
from .clients import Client, spend
from .grants import PageRequest, Renewable, Renewal
from .moment import Moment
from .ports import Reader, Tx

_GONE = Refusal(
    Code.INVALID_REQUEST,
    "This request has run out or was answered already. Let the agent ask again.",
    told="gone",
)
UNKNOWN = Refusal(
    Code.GRANT_UNKNOWN,
    "This request has run out or was answered already. Go back to the agent and let it ask again.",
)
"""What the page hears of a request that is not there."""
_BAD_CODE = Refusal(
    Code.INVALID_GRANT, "This code is not good: it ran out, was used, or is another client's."
)


def push(
    tx: Tx,
    at: Moment,
    client: Client,
    request: AuthorizationRequest,
    user_id: UserId | None = None,
) -> Refusal | None:
    """Store what an agent asks for, for the code or the device flow (OAUTH-3, OAUTH-7, BEARER-3).

    It counts for the agent or, if that has proved nothing, for the user in whose browser it asks.
    """
    if refusal := spend(tx, at, client):
        return refusal
    quota = Quota.PUSHED_REQUESTS if request.user_code is None else Quota.DEVICE_CODES
    if limited := quotas.take(tx, at, quota, user_id or client.agent.client_id):
        return limited
    if refusal := consents.askable(request.scopes, at.policy.ceiling.of(client.agent), at.policy):
        return Refusal(Code.INVALID_SCOPE, refusal.detail)
    if unknown := [part.tool for part in request.constraints.parts if part.tool not in at.policy.tools]:
        detail = f"authorization_details: the site has no tool {unknown[0]}."
        return Refusal(Code.INVALID_AUTHORIZATION_DETAILS, detail)
    tx.add(request)
    return None


def show(tx: Tx, at: Moment, looked: AuthorizationRequest, user_id: UserId) -> Grant | Refusal:
    """Turn a request into the grant that the page shows to this user; looking twice shows the same one (OAUTH-4)."""
    # as it is by now: another worker may have shown it since it was read
    user, request = tx.user(user_id), tx.request(looked.request_id)
    if request is None or request.status is not Status.REQUESTED or at.now >= request.expires_at:
        return _GONE
    if user is None or (request.unproven and not at.policy.bearer):  # BEARER-5
        return _GONE
    agent = Agent(request.client_id, request.assurance, None, None, at.now, request.name)
    if consents.askable(request.scopes, at.policy.ceiling.of(agent), at.policy) is not None:  # POLICY-3
        return _GONE
    if request.grant_id is not None and request.user_id == user_id:
        known = tx.grant(request.grant_id)
        open_still = known is not None and known.state is GrantState.PENDING and at.now < known.expires_at
        if known is not None and open_still and text_of(known.shown) is not None:  # GRANT-2
            return known
    if out := barred(tx, user_id, request.client_id, at.now):
        return out
    if out := consents.unwelcome(tx, at, user_id, asker_of(request.client_id, request.unproven)):
        return out
    if limited := quotas.entry(tx, at, user_id, request.client_id) or quotas.pending(
        tx, at, Quota.PENDING_CONSENTS, user_id, request.client_id
    ):
        return limited
    # the same document may be known with a key
    keyed = tx.agent(agent.client_id) if request.unproven else None
    tx.put(agent if keyed is None else replace(agent, assurance=keyed.assurance))
    seconds = at.policy.grant_lifetime
    grant = consents.ask(tx, at, user, agent, request.jkt, request.scopes, request.constraints, seconds)
    first = request.grant_id is None and request.redirect_uri is not None
    until = at.now + OPEN_LIFETIME if first else request.expires_at  # a device was told when its code ends
    if not tx.move_request(replace(request, user_id=user_id, grant_id=grant.grant_id, expires_at=until)):
        return _GONE
    return grant


def typed(tx: Tx, at: Moment, user_id: UserId, user_code: str) -> AuthorizationRequest | Refusal | None:
    """Find what the code asks for that a user has typed, unless he was wrong too often (OAUTH-7; RFC 8628 §5.1).

    What is wrong is counted where every process sees it.
    """
    name = f"{Quota.WRONG_CODES.value} {user_id}"
    if wait := tx.spent(name, WRONG_CODES, at.now):
        return too_many(Quota.WRONG_CODES, wait)
    request = tx.request_by_user_code(user_code, at.now)
    if request is None:
        tx.take_quota(name, WRONG_CODES, at.now)
    return request


def challenge(tx: Tx, at: Moment, user_id: UserId, request_id: str) -> Minted | Refusal:
    """Mint the challenge over what the page shows this user (GRANT-2)."""
    request = tx.request(request_id)
    if request is None or request.grant_id is None or request.user_id != user_id:
        return UNKNOWN
    return consents.challenge(tx, at, PageRequest(user_id, None), request.grant_id)


def check(reader: Reader, at: Moment, user_id: UserId, request_id: str, evidence: Json) -> Verdict:
    """Verify a consent assertion, before the transaction; Refused if nothing is asked there."""
    request = reader.request(request_id)
    if request is None or request.grant_id is None:
        raise Refused.of(UNKNOWN)
    return consents.check(reader, at, PageRequest(user_id, None), request.grant_id, evidence)


def agree(
    tx: Tx, at: Moment, user_id: UserId, request_id: str, verdict: Verdict, code: str
) -> tuple[AuthorizationRequest, str | None] | Refusal:
    """Act on the user's consent: activate the grant, and let the agent collect it (OAUTH-4, OAUTH-5).

    Return the request and the code to collect by; None instead of `code` for a device, which has its own.
    """
    request = _open(tx, request_id, user_id, at.now)
    if isinstance(request, Refusal):
        return request
    assert request.grant_id is not None
    renewable = consents.agree(tx, at, PageRequest(user_id, None), request.grant_id, verdict)
    if isinstance(renewable, Refusal):
        return renewable
    granted, given = replace(request, status=Status.GRANTED), None
    if request.redirect_uri is not None:
        given, digest = code, hashlib.sha256(code.encode()).digest()
        granted = replace(granted, secret_digest=digest, expires_at=at.now + CODE_LIFETIME)
    if not tx.move_request(granted):
        raise Refused.of(_GONE)  # answered meanwhile: there is no grant either
    return granted, given


def decline(
    tx: Tx, at: Moment, user_id: UserId, request_id: str, block: bool = False
) -> AuthorizationRequest | Refusal:
    """Note that the user does not want this (OAUTH-4), nor, with `block`, anything else of this agent (BLOCK-1)."""
    if tx.request(request_id) is None:
        return UNKNOWN
    request = _open(tx, request_id, user_id, at.now)
    if isinstance(request, Refusal):
        return request
    assert request.grant_id is not None
    consents.decline(tx, at, PageRequest(user_id, None), request.grant_id, block=block)
    denied = replace(request, status=Status.DENIED)
    tx.move_request(denied)
    return denied


def redeem_code(
    tx: Tx, at: Moment, client: Client, digest: bytes, redirect_uri: str, code_verifier: str
) -> Renewable | Refusal:
    """Exchange a code, once: the client, its document, its key, the redirect URI and PKCE must be those of `/par`.

    A second use revokes what the first one got (OAUTH-5); a document that changed means asking again (OAUTH-6).
    """
    if refusal := spend(tx, at, client):
        return refusal
    request = tx.request_by_secret(digest)
    if request is None or request.client_id != client.agent.client_id:
        return _BAD_CODE
    if not (at.policy.bearer if request.unproven else request.jkt == client.jkt):  # BEARER-5
        return _BAD_CODE
    if request.redirect_uri != redirect_uri or not verifies(code_verifier, request.code_challenge or ""):
        return _BAD_CODE
    return _collect(tx, request, client, at.now)


def poll(tx: Tx, at: Moment, client: Client, digest: bytes) -> Renewable | Refusal:
    """Answer a device that waits (OAUTH-7; RFC 8628 §3.5)."""
    if refusal := spend(tx, at, client):
        return refusal
    request = tx.request_by_secret(digest)
    if request is None or request.client_id != client.agent.client_id or request.jkt != client.jkt:
        return _BAD_CODE
    if request.code_challenge is not None:
        return _BAD_CODE
    if at.now >= request.expires_at:
        return Refusal(Code.EXPIRED_TOKEN, "The user did not answer in time. Start again.")
    if request.status is Status.DENIED:
        return Refusal(Code.ACCESS_DENIED, "The user does not want this.")
    if request.status is Status.REQUESTED:
        # a clock that went back keeps no device waiting
        hasty = abs(at.now - request.polled_at) < request.interval
        tx.note_poll(request.request_id, at.now, request.interval + (5 if hasty else 0))
        if hasty:
            return Refusal(Code.SLOW_DOWN, "Ask less often: five seconds more between two requests.")
        return Refusal(Code.AUTHORIZATION_PENDING, "The user has not answered yet.")
    return _collect(tx, request, client, at.now)


def _collect(tx: Tx, request: AuthorizationRequest, client: Client, now: int) -> Renewable | Refusal:
    grant = tx.grant(request.grant_id) if request.grant_id is not None else None
    used = request.status is Status.REDEEMED
    if grant is None or (now >= request.expires_at and not used):
        return _BAD_CODE
    if request.document_s256 != client.document.document_s256:  # OAUTH-6
        grants.revoke_grant(tx, grant, now, by="authority", code=Code.INVALID_CLIENT)
        return Refusal(
            Code.INVALID_CLIENT, "The agent's document changed after the user was asked. Ask again."
        )
    if not tx.move_request(replace(request, status=Status.REDEEMED)):  # OAUTH-5
        grants.revoke_grant(tx, grant, now, by="authority", code=Code.INVALID_GRANT)
        return _BAD_CODE
    agent = tx.agent(grant.client_id)
    if agent is None or grant.dead(now) is not None:
        return _BAD_CODE
    if grant.bearer and client.proof is not None:  # BEARER-7
        older = tx.active_grant(grant.user_id, grant.client_id, client.jkt)
        if older is not None:
            grants.supersede(tx, older, grant, now)
        if not tx.bind_grant(grant.grant_id, client.jkt):
            raise Refused.of(_BAD_CODE)
        grant = replace(grant, jkt=client.jkt)
    return Renewable(grant, agent)


def renew(tx: Tx, at: Moment, client: Client, asked: Renewal) -> Renewable | Refusal:
    """Renew what an agent has, for its key or, where there is none, for whoever has the token (GRANT-6, BEARER-5)."""
    if refusal := spend(tx, at, client):
        return refusal
    grant = tx.grant(asked.grant_id)
    if grant is not None and not (at.policy.bearer if grant.unproven else client.assertion):  # BEARER-5
        return Refusal(Code.INVALID_GRANT, "Nobody comes this way who does not prove who it is.")
    return grants.renew(tx, at, client.jkt, replace(asked, client_id=client.agent.client_id))


def give_back(tx: Tx, at: Moment, client: Client, grant_id: GrantId | None) -> Refusal | None:
    """Revoke a grant as the agent whose it is (OAUTH-9); what is not, or is none, is no error."""
    if refusal := spend(tx, at, client):
        return refusal
    grant = tx.grant(grant_id) if grant_id else None
    if grant is not None and grant.client_id == client.agent.client_id:
        grants.revoke_grant(tx, grant, at.now, by="agent")
    return None


def _open(tx: Tx, request_id: str, user_id: UserId, now: int) -> AuthorizationRequest | Refusal:
    request = tx.request(request_id)
    if request is None or request.user_id != user_id or request.grant_id is None:
        return _GONE
    return request if request.status is Status.REQUESTED and now < request.expires_at else _GONE
