"""Calls: one invocation of one tool with one set of arguments, and the table of what may become of it (CALL-4)."""

from collections.abc import Mapping
from enum import StrEnum

from .canonical import Json
from .credential import AuthenticatorClass
from .definition import Described
from .description import Description
from .errors import Code
from .ids import CallId, ChallengeId, ClientId, GrantId, Jkt, UserId
from .scope import ScopeSet
from .value import changed, value

CALL_TOKEN_LIFETIME = 30  # seconds
REDELIVERY_WINDOW = 120  # seconds in which an undelivered execution is `already_executed` (CALL-6)


class State(StrEnum):
    """Where a call is."""

    PENDING = "pending"
    APPROVED = "approved"
    REDEEMED = "redeemed"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    DENIED = "denied"
    DECLINED = "declined"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


STOPPED = frozenset({State.DENIED, State.EXPIRED, State.CANCELLED, State.DECLINED})
"""Where calls are that came to nothing."""
OUTCOMES = frozenset({State.SUCCEEDED, State.FAILED, State.UNKNOWN})

TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.PENDING: STOPPED | {State.APPROVED},
    State.APPROVED: STOPPED | {State.REDEEMED},
    State.REDEEMED: OUTCOMES,
    **{state: frozenset() for state in STOPPED | OUTCOMES},
}

LIFETIME: Mapping[State, int] = {State.PENDING: 600, State.APPROVED: 300, State.REDEEMED: 600}
"""Seconds that a call stays in a state before the state in OVERDUE takes its place."""

OVERDUE: Mapping[State, State] = {
    State.PENDING: State.EXPIRED,
    State.APPROVED: State.EXPIRED,
    State.REDEEMED: State.UNKNOWN,
}

STOPPED_CODE: Mapping[State, Code] = {
    State.DECLINED: Code.DECLINED,
    State.CANCELLED: Code.CANCELLED,
    State.EXPIRED: Code.EXPIRED,
    State.REDEEMED: Code.CALL_REDEEMED,
    **dict.fromkeys(OUTCOMES, Code.CALL_REDEEMED),
}
"""What a late request for a call in this state hears; any other state is `call_state`."""


@value
class Call:
    """One call. `client_id` and `grant_id` are None for the user's own (CALL-7). `salt` hides the arguments (LOG-2).

    `method` is the one that `challenge_id` was answered by. `match_key` is None for a safe call, which never meets an
    earlier one (CALL-6).
    `deadline` is the second at which OVERDUE applies; for a state that ends, the second it was reached.
    """

    call_id: CallId
    state: State
    user_id: UserId
    client_id: ClientId | None
    grant_id: GrantId | None
    page_jkt: Jkt | None
    tool: str
    scopes: ScopeSet
    arguments: Json
    args_s256: str
    definition_s256: str
    match_key: bytes | None
    salt: bytes
    description: Description | None
    authenticator_class: AuthenticatorClass
    executes: str
    created_at: int
    deadline: int
    entry: int
    challenge_id: ChallengeId | None = None
    delivered: bool = False
    method: str | None = None

    @property
    def tells(self) -> bool:
        """Tell whether its arguments, and what was shown of them, are kept still (KEEP-1)."""
        return bool(self.salt)

    @property
    def described(self) -> Described:
        """Return how its agent was told of the tool."""
        return Described.of(self.tool, self.definition_s256, self.page_jkt)

    @property
    def approval(self) -> dict[str, str] | None:
        """Tell over which challenge and by which method somebody approved it; None if nobody did (TOKEN-3)."""
        if self.challenge_id is None or self.method is None:
            return None
        return {"challenge_id": self.challenge_id, "method": self.method}

    def moved(self, state: State, now: int, entry: int) -> "Call":
        """Return this call in another state, with its deadline there; ValueError where TRANSITIONS does not lead."""
        if state not in TRANSITIONS[self.state]:  # CALL-4
            raise ValueError(f"no call moves from {self.state} to {state}")
        return changed(self, state=state, deadline=now + LIFETIME.get(state, 0), entry=entry)

    def overdue(self, now: int) -> State | None:
        """Return the state that this call has fallen into by `now`, or None if it stays where it is (TOKEN-5)."""
        return OVERDUE.get(self.state) if now >= self.deadline else None
