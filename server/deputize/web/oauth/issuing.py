"""The answer that issues a delegation (RFC 6749 §5.1)."""

from collections.abc import Callable

from starlette.responses import Response

from ...protocol.errors import Refusal, or_refuse
from ...service.grants import Renewable
from ...service.ports import Tx
from ..ask import Ask
from ..problems import answer
from .parties import Party


async def issue(
    ask: Ask, collect: Callable[[Tx], Renewable | Refusal], asking: Party | None = None, **more: str
) -> Response:
    """Issue what is collected; what an attested agent may not renew comes without a refresh token (OAUTH-13)."""
    renewable = or_refuse(await ask.authority.store.transact(collect))
    refreshable = asking is None or "refresh_token" in asking.document.grant_types
    return answer({**ask.authority.token_response(renewable, ask.now, refreshable), **more})
