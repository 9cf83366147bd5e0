"""What a token is worth, and its end: `/introspect` and `/revoke` (OAUTH-8, OAUTH-9)."""

from starlette.responses import Response

from ...crypto import jwt
from ...protocol.errors import Refusal, Refused, or_refuse
from ...protocol.grant import dead_link
from ...protocol.ids import GrantId
from ...service import authorizations, grants
from ...service.calls import redemptions
from ...service.ports import Tx
from ..ask import Ask
from ..problems import answer
from .form import needed, read_form
from .parties import api, client_alone


async def introspect(ask: Ask) -> Response:
    """`/introspect`: what a token is worth now, to those whom it concerns (OAUTH-8; RFC 7662)."""
    form = await read_form(ask)
    text = needed(form, "token")
    own = api(ask, form)
    agent, assertion = (None, own) if own is not None else await client_alone(ask, form)
    or_refuse(
        await ask.authority.store.transact(
            lambda tx: authorizations.authenticate(tx, assertion, agent, ask.now)
        )
    )
    authority = ask.authority
    try:
        if agent is None:
            call_token = authority.read_call_token(text, ask.now)
            active = await authority.store.read(lambda tx: redemptions.is_redeemable(tx, ask.at, call_token))
            claims = call_token.claims(authority.policy.site.issuer, authority.policy.api.audience)
            return answer({"active": True, "token_type": "N_A", **claims} if active else {"active": False})
        delegation = authority.delegation(text, ask.now)
        lineage = await authority.store.read(lambda tx: tx.lineage(delegation.grant_id))
        if delegation.client_id == agent.client_id and lineage and dead_link(lineage, ask.now) is None:
            claims = dict(jwt.parse(text).claims)
            return answer({"active": True, "token_type": "DPoP", **claims})
    except Refused:
        pass  # whatever is wrong with it: not active (RFC 7662 §2.2)
    return answer({"active": False})


async def revoke(ask: Ask) -> Response:
    """`/revoke`: an agent gives its grant back (OAUTH-9; RFC 7009). A token that is nobody's is no error."""
    form = await read_form(ask)
    text = needed(form, "token")
    agent, assertion = await client_alone(ask, form, keyless=ask.authority.policy.bearer)
    grant_id = _grant_of(ask, text)

    def give_back(tx: Tx) -> Refusal | None:
        if refusal := authorizations.authenticate(tx, assertion, agent, ask.now):
            return refusal
        grant = tx.grant(grant_id) if grant_id else None
        if grant is not None and grant.client_id == agent.client_id:
            grants.revoke_grant(tx, grant, ask.now, by="agent")
        return None

    or_refuse(await ask.authority.store.transact(give_back))
    return Response(status_code=200)


def _grant_of(ask: Ask, text: str) -> GrantId | None:
    """Find the grant that a refresh or delegation token names, or None."""
    try:
        return GrantId(ask.authority.refresh_token(text, ask.now)[0])
    except Refused:
        pass
    try:
        return ask.authority.delegation(text, ask.now, over_mcp=True).grant_id
    except Refused:
        return None
