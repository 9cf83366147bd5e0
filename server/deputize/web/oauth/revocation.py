"""An agent gives a grant back: `/revoke` (OAUTH-9; RFC 7009)."""

from ...protocol.errors import Refusal, Refused
from ...protocol.ids import GrantId
from ...service import grants
from ...service.clients import Client, spend
from ...service.moment import Moment
from ...service.ports import Tx
from ..context import Context
from .parameters import Form, needed


async def revoke(context: Context, client: Client, form: Form) -> None:
    """`/revoke`: an agent gives its grant back (OAUTH-9; RFC 7009). A token that is nobody's is no error."""
    grant_id = _grant_of(context, needed(form, "token"))

    def give_back(tx: Tx, at: Moment) -> Refusal | None:
        if refusal := spend(tx, at, client):
            return refusal
        grant = tx.grant(grant_id) if grant_id else None
        if grant is not None and grant.client_id == client.agent.client_id:
            grants.revoke_grant(tx, grant, at.now, by="agent")
        return None

    await context.run(give_back)


def _grant_of(context: Context, text: str) -> GrantId | None:
    """Find the grant that a refresh or delegation token names, or None."""
    try:
        return GrantId(context.authority.refresh_token(text, context.now)[0])
    except Refused:
        pass
    try:
        return context.authority.delegation(text, context.now, over_mcp=True).grant_id
    except Refused:
        return None
