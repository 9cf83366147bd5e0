"""An agent gives a grant back: `/revoke` (OAUTH-9; RFC 7009)."""

from contextlib import suppress

from ...protocol.errors import Refused
from ...protocol.ids import GrantId
from ...service import authorizations
from ...service.clients import Client
from ..context import Context
from .parameters import Form, needed


async def revoke(context: Context, client: Client, form: Form) -> None:
    """`/revoke`: an agent gives its grant back (OAUTH-9; RFC 7009). A token that is nobody's is no error."""
    grant_id = _grant_of(context, needed(form, "token"))
    await context.run(authorizations.give_back, client, grant_id)


def _grant_of(context: Context, text: str) -> GrantId | None:
    """Find the grant that a refresh or delegation token names, or None."""
    with suppress(Refused):
        return GrantId(context.authority.refresh_token(text, context.now)[0])
    with suppress(Refused):
        return context.authority.delegation(text, context.now, over_mcp=True).grant_id
    return None
