"""How often people are asked: for whom a question counts, and when there is quiet (PROTOCOL §21)."""

from collections.abc import Sequence
from dataclasses import dataclass

from .agent import is_opaque_id
from .errors import Code, Refusal
from .grant import Grant
from .ids import ClientId, UserId
from .quota import Rate
from .url import origin_of

BROWSERS = "browsers"
"""The agents in all of a user's browsers, and the pages there: who is only a key could make another."""
UNPROVEN = "unproven"
"""All who came over OAuth and proved nothing (BEARER-2): each could say another name."""

_DECLINES = Rate(3, 600)


@dataclass(frozen=True, slots=True)
class Prompts:
    """What the policy allows of questions (PROMPT-2, PROMPT-3); None is without end.

    After as many `declines` as that in that time there is quiet for `quiet` seconds. `at_once` is how many questions of
    one asker can be answered at the same time.
    """

    declines: Rate | None = _DECLINES
    quiet: int = 3600
    at_once: int | None = 1


@dataclass(frozen=True, slots=True)
class Decline:
    """A no of a user to a question of this asker, which counts until `until`."""

    user_id: UserId
    asker: str
    at: int
    until: int


@dataclass(frozen=True, slots=True)
class Quiet:
    """This user is asked nothing by this asker until `until`."""

    user_id: UserId
    asker: str
    since: int
    until: int


def asker_of(client_id: ClientId | None, unproven: bool = False) -> str:
    """Return for whom the questions of an agent count, of a page itself with None (PROMPT-1): no new key or name of
    its own makes it another."""
    if client_id is None or is_opaque_id(client_id):
        return BROWSERS
    return UNPROVEN if unproven else origin_of(client_id)


def askers_of(lineage: Sequence[Grant]) -> tuple[str, ...]:
    """Return the askers behind a call, by the grant that it is made under and those that this was handed on from; for
    none, the page: whoever hands on answers for what comes of it."""
    found = dict.fromkeys(asker_of(grant.client_id, grant.unproven) for grant in lineage)
    return tuple(found) or (BROWSERS,)


ASKED_TOO_OFTEN = Refusal(
    Code.ASKED_TOO_OFTEN,
    "The user was asked too often and said no. Do not ask again: only the user can end that, on the account page.",
    told="asked-too-often",
)
"""It tells neither whose questions they were nor until when: that is the user's (PROMPT-3)."""

QUESTION_OPEN = Refusal(
    Code.QUESTION_OPEN,
    "Another question is being answered just now. Finish that one, or try again in a minute.",
)

PAUSED = Refusal(
    Code.PAUSED,
    "The user has paused all agents, and can let them go on, on the account page. Do not try again before that.",
    told="paused",
)
