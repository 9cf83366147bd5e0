"""The page that waits: it hears at once that its question was answered elsewhere (WAIT-1, WAIT-2).

A streamed answer: empty lines as long as the question is open, which keep the connection alive and are nothing but
space in front of JSON, then how it stands. So whoever reads it to its end has an answer like any other's.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, suppress
from time import monotonic
from typing import TypeAlias

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from ..protocol.call import State
from ..protocol.errors import Refused
from ..protocol.grant import GrantState
from ..protocol.ids import UserId
from ..service import consents
from ..service.calls import endings
from ..service.calls.request import PageCall
from ..service.grants import PageRequest
from ..service.moment import Moment
from ..service.ports import Reader
from . import calls, grants
from .access import Who
from .answers import answer
from .context import Context

LONGEST = 50
"""Seconds after which it ends, whatever has become of the question; the page asks again."""

BEAT = 2
"""Seconds after which another line is sent, and another look taken: what another process has moved is not heard."""


async def call(context: Context, page: Who[PageCall]) -> Response:
    """Wait until a call is pending no more, and answer as CALL-9."""
    made = await page.run(endings.look)

    def look(tx: Reader, at: Moment) -> tuple[bool, object]:
        page.find(tx)  # the session may have ended meanwhile
        found = endings.as_it_is(tx, at, made.call.call_id) or made
        return found.call.state is State.PENDING, calls.told(context, found)

    return await _wait(context, made.call.user_id, made.call.call_id, look)


async def grant(context: Context, page: Who[PageRequest]) -> Response:
    """Wait until a request for consent is pending no more, and answer as GRANT-7."""
    asked = await page.run(consents.look, context.named("grant_id"))

    def look(tx: Reader, at: Moment) -> tuple[bool, object]:
        page.find(tx)
        now = grants.now_of(tx, tx.grant(asked.grant_id) or asked, at.now)
        return now.state == GrantState.PENDING, now

    return await _wait(context, asked.user_id, asked.grant_id, look)


Look: TypeAlias = Callable[[Reader, Moment], tuple[bool, object]]
"""Tells whether something is open still, and what is answered of it."""


async def _wait(context: Context, user_id: UserId, moves: str, look: Look) -> Response:
    authority = context.authority

    async def now() -> tuple[bool, bytes]:
        at = authority.moment(language=context.at.language)
        is_open, told = await authority.store.read(lambda tx: look(tx, at))
        return is_open, bytes(answer(told).body)

    with ExitStack() as place:
        bell = place.enter_context(authority.waiting.place(user_id, moves, authority.policy.quotas.waits))
        first = await now()  # before anything is sent: who is not signed in any more is told that
        places = place.pop_all()

    async def lines() -> AsyncIterator[bytes]:
        ends = monotonic() + LONGEST
        is_open, told = first
        while is_open and monotonic() < ends:
            yield b"\n"
            with suppress(TimeoutError):
                await asyncio.wait_for(bell.wait(), BEAT)
            bell.clear()
            try:
                is_open, told = await now()
            except Refused:  # who waits is not signed in any more: how it stood is all that is told
                break
        yield told

    return Streamed(lines(), places, "application/json")


class Streamed(StreamingResponse):
    """A streamed answer, which gives its place back whenever and however it ends."""

    def __init__(self, lines: AsyncIterator[bytes], places: ExitStack, media_type: str) -> None:
        """Send these, as they come."""
        super().__init__(lines, media_type=media_type, headers={"x-accel-buffering": "no"})
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, to its end or the client's."""
        with self._places:
            await super().__call__(scope, receive, send)
