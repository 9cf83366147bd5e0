"""What a guard needs of an authority in the same process: no HTTP, the same transactions (GUARD-3, GUARD-5)."""

from ..protocol.call import State
from ..protocol.errors import or_refuse
from ..protocol.ids import CallId
from ..protocol.token import CallToken
from ..service.calls import redemptions
from .authority import Current


class InProcess:
    """The guard's way to the authority."""

    def __init__(self, current: Current) -> None:
        """Redeem with this authority, under the policy that is in force at each call."""
        self._current = current

    async def redeem(self, token: CallToken, text: str, args_s256: str) -> str | None:
        """Redeem a verified call token for these arguments, and return the site's own id of its user.

        Refused if it may not run.
        """
        authority = self._current()
        at = authority.moment()
        redeemed = or_refuse(
            await authority.store.transact(lambda tx: redemptions.redeem(tx, at, None, token, args_s256))
        )
        return redeemed.user.external_id if redeemed.user else None

    async def report(self, call_id: CallId, outcome: State) -> None:
        """Note the outcome."""
        authority = self._current()
        at = authority.moment()
        or_refuse(await authority.store.transact(lambda tx: redemptions.note(tx, at, call_id, outcome)))
