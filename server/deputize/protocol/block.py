"""Who is kept out for a while or for good, by a user or by the owner (PROTOCOL §4)."""

from dataclasses import dataclass

from .errors import Code, Refusal
from .ids import ClientId, GrantId, UserId

SHORTEST, LONGEST = 60, 3660 * 86400
"""Bounds, in seconds, of a block that ends by itself."""


@dataclass(frozen=True, slots=True)
class Block:
    """A user's block of an agent; without `user_id` the owner's of an agent, without `client_id` of a user.

    It ends at `until`, or never by itself. `grant_id` names the grant at which the user said so.
    """

    user_id: UserId | None
    client_id: ClientId | None
    since: int
    until: int | None = None
    grant_id: GrantId | None = None

    def refusal(self) -> Refusal:
        """Say who is kept out by whom (BLOCK-1)."""
        facts = {} if self.until is None else {"until": self.until}
        if self.client_id is None:
            return Refusal(Code.USER_BLOCKED, "The owner of this site has blocked this account.", facts)
        if self.user_id is None:
            return Refusal(Code.AGENT_BLOCKED, "The owner of this site has blocked this agent.", facts)
        detail = "The user has blocked this agent, and can end that on the account page. Do not ask for it."
        return Refusal(Code.AGENT_BLOCKED, detail, facts, told="blocked-by-you")
