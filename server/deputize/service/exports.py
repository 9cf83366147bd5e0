"""Everything that is kept of one user, for him, as JSON (KEEP-2).

It is made piece by piece, each of one snapshot: a history may be long, and whoever reads it slow.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import orjson

from ..protocol.agent import Agent
from ..protocol.block import Block
from ..protocol.call import Call
from ..protocol.canonical import b64u
from ..protocol.constraint import Constraints
from ..protocol.credential import Credential
from ..protocol.description import Description
from ..protocol.errors import Refusal
from ..protocol.grant import Grant
from ..protocol.ids import CallId, ClientId, UserId
from ..protocol.prompt import Decline, Quiet
from ..protocol.quota import DOWNLOADS, Quota, too_many
from ..protocol.request import AuthorizationRequest
from ..protocol.scope import ScopeSet
from . import reading
from .moment import Moment
from .ports import Reader, Session, Tx, Wanted
from .reading import Sought

_PAGE = 100
_SECRET = frozenset({"digest", "secret_digest", "match_key", "user_code", "code_challenge"})
"""What proves that one is this user, or is made of the rest for looking it up; it tells him nothing."""
_MOMENTS = frozenset(
    {"created_at", "expires_at", "auth_time", "refreshed_at", "since", "until", "at", "deadline"}
)

Piece = Callable[[Reader], bytes | None]
"""Returns the next bytes, by the snapshot that it is given; None at the end."""


def begin(tx: Tx, at: Moment, user_id: UserId) -> Piece | Refusal:
    """Begin a download by this user, or refuse one too many: each reads much."""
    wait = tx.take_quota(f"{Quota.DOWNLOADS.value} {user_id}", DOWNLOADS, at.now)
    return too_many(Quota.DOWNLOADS, wait) if wait else export(user_id, at.now)


def export(user_id: UserId, now: int) -> Piece:
    """Return what makes the export of a user; of one that there is not, an export of nothing."""
    pieces = _pieces(user_id, now)
    next(pieces)

    def piece(reader: Reader) -> bytes | None:
        try:
            return pieces.send(reader)
        except StopIteration:
            return None

    return piece


def _pieces(user_id: UserId, now: int) -> Generator[bytes, Reader, None]:
    reader = yield b""
    head = _written(_all_but_the_long(reader, user_id, now))
    reader = yield head[:-1] + b',"calls":['
    before: CallId | None = None
    between = b""
    while True:
        listed = reader.calls(user_id, Wanted(before=before), _PAGE, now)
        written = [_written(_call(reader, call)) for call in listed.calls]
        reader = yield (between if written else b"") + b",\n".join(written)
        between, before = b",\n" if written else between, listed.more
        if before is None:
            break
    opens, between, start = b'],"record":[', b"", 0
    while True:
        page = reading.newer(reader, Sought(user=user_id), start)
        leaves = b",\n".join(line.entry.leaf for line in page.lines)
        reader = yield opens + (between if leaves else b"") + leaves
        opens, between = b"", b",\n" if leaves else between
        if page.next in (start, None):
            break
        start = page.next or start
    yield b"]}\n"


def _all_but_the_long(reader: Reader, user_id: UserId, now: int) -> dict[str, object]:
    user = reader.user(user_id)
    grants = reader.of_user(Grant, user_id)
    kinds: Mapping[str, type[Any]] = {
        "passkeys": Credential,
        "sessions": Session,
        "agents": Agent,
        "requests": AuthorizationRequest,
        "blocked": Block,
        "declined": Decline,
        "quiet": Quiet,
    }
    return {
        "v": 1,
        "made_at": _moment(now),
        "user": user and _row(user),
        **{name: [_row(each) for each in reader.of_user(kind, user_id)] for name, kind in kinds.items()},
        "delegations": [{**_row(grant), "used": reader.used(grant.grant_id)} for grant in grants],
        "deputies": [_row(agent) for agent in _agents(reader, grants)],
    }


def _agents(reader: Reader, grants: list[Grant]) -> list[Agent]:
    """Find the agents of others that a user has deputized: those of his browsers are his own."""
    ids: dict[ClientId, None] = dict.fromkeys(grant.client_id for grant in grants)
    return [agent for each in ids if (agent := reader.agent(each)) is not None and agent.user_id is None]


def _call(reader: Reader, call: Call) -> dict[str, object]:
    asked = reader.asked(call.challenge_id) if call.challenge_id is not None else None
    shown = asked and {"question": asked.question.to_json(), "salt": asked.salt}
    return {**_row(call), "shown": shown}


def _row(value: Any) -> dict[str, object]:
    row = {field.name: getattr(value, field.name) for field in fields(value) if field.name not in _SECRET}
    return {
        name: _moment(each) if name in _MOMENTS and type(each) is int and each else each
        for name, each in row.items()
    }


def _moment(seconds: int) -> str | int:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):  # beyond the year 9999: a clock went wrong
        return seconds


def _written(told: dict[str, object]) -> bytes:
    return orjson.dumps(told, default=_told, option=orjson.OPT_PASSTHROUGH_DATACLASS)


def _told(value: object) -> object:
    """Write what JSON has no form for, and what is a dataclass as the rest of the protocol writes it."""
    match value:
        case bytes():
            return b64u(value)
        case frozenset():
            return sorted(value)
        case Constraints():
            return value.details()
        case ScopeSet():
            return str(value)
        case Description():
            return {"headline": value.headline, "rows": [[row.title, *row.values] for row in value.rows]}
    raise TypeError(type(value).__name__)
