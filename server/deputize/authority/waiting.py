"""Who waits in this process for what is answered elsewhere, and is woken when that has moved (WAIT-2)."""

import asyncio
from collections import defaultdict
from collections.abc import Collection
from threading import Lock
from typing import TypeAlias

from ..protocol.errors import Refused
from ..protocol.ids import UserId
from ..protocol.quota import Quota, too_many

MOST = 1000
"""Requests that wait at a time in one process: each holds a connection, of which there are 4,096 at most (DOOR-6)."""

AGAIN = 10
"""Seconds after which whoever found no place is told to try again."""

_Bell: TypeAlias = tuple[asyncio.AbstractEventLoop, asyncio.Event]


class Waiting:
    """Places to wait, so many for a user and `most` for all; kept in memory, as long as the connections last."""

    def __init__(self, most: int = MOST) -> None:
        """Nobody waits yet."""
        self._most = most
        self._gate = Lock()  # for all below: commits are told of by the thread of the store
        self._number = 0
        self._of: defaultdict[UserId, int] = defaultdict(int)
        self._bells: defaultdict[str, set[_Bell]] = defaultdict(set)

    def place(self, user_id: UserId, moves: str, most: int | None) -> "Place":
        """Take a place, with a bell that rings when the call or grant of this id has moved.

        Refused(too_many_requests) where this user has `most` already (None: as many as come), or the process is full.
        """
        bell = asyncio.get_running_loop(), asyncio.Event()
        with self._gate:
            if self._number >= self._most or (most is not None and self._of.get(user_id, 0) >= most):
                raise Refused.of(too_many(Quota.WAITS, AGAIN))
            self._number += 1
            self._of[user_id] += 1
            self._bells[moves].add(bell)
        return Place(self, user_id, moves, bell)

    def _leave(self, user_id: UserId, moves: str, bell: _Bell) -> None:
        with self._gate:
            self._number -= 1
            self._of[user_id] -= 1
            if not self._of[user_id]:
                del self._of[user_id]
            self._bells[moves].remove(bell)
            if not self._bells[moves]:
                del self._bells[moves]

    def moved(self, ids: Collection[str]) -> None:
        """Ring for those who wait for one of these; from any thread."""
        if not self._bells:
            return
        with self._gate:
            rung = [bell for each in ids if each in self._bells for bell in self._bells[each]]
        for loop, bell in rung:
            try:
                loop.call_soon_threadsafe(bell.set)
            except RuntimeError:  # closed: nobody waits there any more
                continue

    def __len__(self) -> int:
        """Return how many wait."""
        return self._number


class Place:
    """A place that is taken; it is given back when its block is left."""

    __slots__ = ("_bell", "_moves", "_user_id", "_waiting")

    def __init__(self, waiting: Waiting, user_id: UserId, moves: str, bell: _Bell) -> None:
        self._waiting, self._user_id, self._moves, self._bell = waiting, user_id, moves, bell

    def __enter__(self) -> asyncio.Event:
        return self._bell[1]

    def __exit__(self, *raised: object) -> None:
        self._waiting._leave(self._user_id, self._moves, self._bell)
