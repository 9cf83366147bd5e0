"""`/agents` and `/grants`: who may act for the user, and what (PROTOCOL §4)."""

from starlette.responses import Response

from ..protocol.block import LONGEST, SHORTEST
from ..protocol.errors import Code, Refused, or_refuse
from ..protocol.grant import GrantState
from ..protocol.scope import ScopeSet
from ..service import blocks, grants
from ..service.grants import PageRequest
from . import wire
from .ask import Ask
from .problems import answer


async def register_agent(ask: Ask) -> Response:
    """Register the page's key as this user's opaque agent (AGENT-1)."""
    request = await _page(ask)
    await ask.json({})
    authority = ask.authority
    agent = or_refuse(await authority.store.transact(lambda tx: grants.register_agent(tx, ask.at, request)))
    return answer({"client_id": agent.client_id, "assurance": agent.assurance.value, "jkt": agent.jkt})


async def request_grant(ask: Ask) -> Response:
    """Ask for consent (GRANT-1)."""
    request = await _page(ask)
    body = await ask.json({"scope": str}, {"expires_in": int})
    try:
        scopes = ScopeSet.parse(str(body["scope"]))
    except ValueError as error:
        raise Refused(Code.INVALID_SCOPE, "`scope` is a list of scope names separated by spaces.") from error
    expires_in = body.get("expires_in")
    if expires_in is not None and (not isinstance(expires_in, int) or expires_in < 1):
        raise Refused(Code.INVALID_REQUEST, "`expires_in` is a positive number of seconds.")
    authority = ask.authority
    grant = or_refuse(
        await authority.store.transact(
            lambda tx: grants.request_grant(tx, ask.at, request, scopes, expires_in)
        )
    )
    return answer(wire.grant_request(grant), 201)


async def challenge(ask: Ask) -> Response:
    """Mint the challenge over the grant as it is shown (GRANT-2)."""
    request = await _page(ask)
    authority = ask.authority
    grant_id = _grant_id(ask)
    minted = or_refuse(
        await authority.store.transact(lambda tx: grants.consent_challenge(tx, ask.at, request, grant_id))
    )
    return answer(wire.envelope(minted, ask.now))


async def consent(ask: Ask) -> Response:
    """Take the consent assertion and answer the token response (GRANT-2, GRANT-3)."""
    request = await _page(ask)
    evidence = await ask.evidence()
    authority = ask.authority
    grant_id = _grant_id(ask)
    verdict = await authority.store.read(
        lambda tx: grants.check_consent(tx, ask.at, request, grant_id, evidence)
    )
    renewable = or_refuse(
        await authority.store.transact(lambda tx: grants.consent(tx, ask.at, request, grant_id, verdict))
    )
    return answer(authority.token_response(renewable, ask.now))


async def decline(ask: Ask) -> Response:
    """Note that the user does not want this (GRANT-4)."""
    request = await _page(ask)
    grant_id = _grant_id(ask)
    grant = or_refuse(
        await ask.authority.store.transact(lambda tx: grants.decline(tx, request, grant_id, ask.now))
    )
    return answer({"grant_id": grant.grant_id, "state": grant.state.value})


async def show(ask: Ask) -> Response:
    """Tell its user how a grant stands, so that nobody has to guess after a lost answer (GRANT-7)."""
    who = await ask.must_be_signed_in()
    grant_id = _grant_id(ask)
    grant = or_refuse(await ask.authority.store.read(lambda tx: grants.look(tx, grant_id, who.user_id)))
    open_ones = (GrantState.PENDING, GrantState.ACTIVE)
    over = grant.state in open_ones and ask.now >= grant.expires_at
    state = "expired" if over else grant.state.value
    return answer({"grant_id": grant.grant_id, "state": state, "expires_at": grant.expires_at})


async def revoke(ask: Ask) -> Response:
    """Take a grant back; no passkey is asked for (GRANT-5)."""
    if ask.has("deputize-page"):  # SESSION-2: it stands in for the CSRF token
        who, proof = await ask.page()
        await ask.use_once(proof)
    else:
        who = await ask.must_be_here()
    grant_id = _grant_id(ask)
    refusal = await ask.authority.store.transact(lambda tx: grants.revoke(tx, grant_id, ask.now, who.user_id))
    or_refuse(refusal)
    return Response(status_code=204)


async def block(ask: Ask) -> Response:
    """Take back what an agent has, and keep it from asking: for so many seconds, or until that is ended (BLOCK-1)."""
    who = await ask.must_be_here()
    seconds = (await ask.json({}, {"seconds": int})).get("seconds")
    if isinstance(seconds, int) and not SHORTEST <= seconds <= LONGEST:
        raise Refused(Code.INVALID_REQUEST, f"`seconds` is from {SHORTEST} to {LONGEST}.")
    until = ask.now + seconds if isinstance(seconds, int) else None
    grant_id = _grant_id(ask)
    blocked = or_refuse(
        await ask.authority.store.transact(lambda tx: blocks.block(tx, who.user_id, grant_id, until, ask.now))
    )
    return answer({"client_id": blocked.client_id, "until": blocked.until})


async def unblock(ask: Ask) -> Response:
    """Let an agent ask again (BLOCK-1)."""
    who = await ask.must_be_here()
    grant_id = _grant_id(ask)
    or_refuse(
        await ask.authority.store.transact(lambda tx: blocks.unblock(tx, who.user_id, grant_id, ask.now))
    )
    return Response(status_code=204)


async def _page(ask: Ask) -> PageRequest:
    who, proof = await ask.page()
    return PageRequest(who.user_id, proof)


def _grant_id(ask: Ask) -> str:
    return str(ask.request.path_params["grant_id"])
