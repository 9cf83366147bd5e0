"""What was done in a user's name, as pages tell it: what, when, by whom, and whether he saw it."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import orjson

from ...protocol.agent import Agent
from ...protocol.call import Call, State
from ...protocol.grant import acting
from ...protocol.policy import Policy
from ...protocol.shown import mixed, visible
from ...service.ports import Reader

_MOST, _LEAST = 4000, 40
"""Characters of all arguments of a call that the page shows, shared out evenly, and of each name and value at least."""

_GIST = 40
"""Characters of a name and a value where few stand for all."""

_RAN = frozenset({State.APPROVED, State.REDEEMED, State.SUCCEEDED, State.FAILED, State.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Done:
    """One call. `agent` is None if none named itself.

    `became` is its state, `seen` the message that says whether he saw it, empty if there was nothing to see. It can
    still be called off until `open_until`, in seconds. Of a call without words of its own, `gist` has a few values.
    `values` are the arguments, as APPR-2 shows them, each with the alphabets that are mixed in it, and without the
    `unshown` characters that are too many.
    """

    call: Call
    what: str
    agent: Agent | None
    became: State
    seen: str
    gist: list[tuple[str, str]]
    values: list[tuple[str, str, list[str]]]
    unshown: int
    open_until: int | None


def told(tx: Reader, calls: Iterable[Call], policy: Policy, now: int) -> list[Done]:
    """Tell of calls."""
    return [_done(tx, call, policy, now) for call in calls]


def _done(tx: Reader, call: Call, policy: Policy, now: int) -> Done:
    tool = policy.tools.get(call.tool)
    state = call.overdue(now) or call.state
    agent = tx.agent(call.client_id) if call.client_id else None
    grant = tx.grant(call.grant_id) if call.grant_id else None
    seen = ""
    if call.challenge_id is not None:
        seen = "done-seen.webauthn" if call.method == "webauthn" else "done-seen"
    elif state in _RAN:
        seen = "done-not-asked"
    values, unshown = _values(call)
    return Done(
        call,
        what=call.description.headline if call.description else (tool.title if tool else "") or call.tool,
        agent=acting(agent, grant) if agent and grant else agent,
        became=state,
        seen=seen,
        gist=[] if call.description else [(_short(name), _short(value)) for name, value, _ in values[:3]],
        values=values,
        unshown=unshown,
        open_until=call.deadline if state in (State.PENDING, State.APPROVED) else None,
    )


def _short(text: str) -> str:
    """Cut what is long, and show that it is."""
    return text if len(text) <= _GIST else f"{text[:_GIST]}…"


def _values(call: Call) -> tuple[list[tuple[str, str, list[str]]], int]:
    """List names and values, and count the characters that are left out.

    Names that differ in what is hidden only look the same, and all are there. Each has its share, so that a long one
    puts none out of sight, and nobody makes a page that cannot be opened any more.
    """
    arguments = call.arguments if isinstance(call.arguments, dict) else {}
    texts = {
        name: value if isinstance(value, str) else orjson.dumps(value).decode()
        for name, value in arguments.items()
    }
    share = max(_MOST // max(len(texts), 1), _LEAST)
    cut = [(name[:share], text[:share]) for name, text in islice(texts.items(), _MOST // _LEAST)]
    left_out = _characters(texts.items()) - _characters(cut)
    return [(visible(name), visible(text), mixed(text)) for name, text in cut], left_out


def _characters(texts: Iterable[tuple[str, str]]) -> int:
    return sum(len(name) + len(text) for name, text in texts)
