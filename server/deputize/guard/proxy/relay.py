"""How a request goes on and its answer comes back, as they come, for as long as they take (PROXY-6)."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from dataclasses import dataclass

from starlette.types import Message, Receive, Scope, Send

from ...protocol.errors import Code, Refused
from ..outcome import Outcome, watched
from . import heads
from .upstream import Lost, NotReached, Upstream

_LOG = logging.getLogger("deputize.guard")


class AnswerLost(Exception):
    """An answer broke off on its way to the client, whose connection has to break off, too."""


class _Gone(Exception):
    """The client went away before its request was whole."""


@dataclass(frozen=True, slots=True)
class Onward:
    """A request as it goes on, up to its body."""

    method: str
    target: str
    headers: heads.Headers


async def stream(upstream: Upstream, request: Onward, receive: Receive, send: Send) -> None:
    """Pass on a request that needs no call, and its answer; both end with the client's connection.

    Refused(upstream_unavailable) if no answer comes, AnswerLost if it does not come to its end.
    """
    taken = asyncio.Event()

    async def parts() -> AsyncIterator[bytes]:
        more = True
        try:
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _Gone
                more = message.get("more_body", False)
                if message.get("body"):
                    yield message["body"]
        finally:
            taken.set()

    with suppress(_Gone):
        await _while_there(_answer(upstream, request, parts(), send), taken, receive)


async def send_call(
    upstream: Upstream,
    request: Onward,
    body: bytes,
    outcome: Outcome,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Pass on the request of a redeemed call, and its answer, as `stream` does; report what became of it (GUARD-5).

    If the client goes away before there is an answer, the call runs all the same, and its outcome is told.
    """
    begun = asyncio.Event()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def seen(message: Message) -> None:
            begun.set()
            await send(message)

        try:
            await _answer(upstream, request, body, seen)
        except Refused as refused:
            if isinstance(refused.__cause__, NotReached):
                await outcome.nothing_ran()
            raise

    await _while_there(watched(outcome.report, answer, scope, receive, send), begun, receive)


async def _answer(
    upstream: Upstream, request: Onward, body: AsyncIterator[bytes] | bytes, send: Send
) -> None:
    begun = False
    try:
        async with upstream.asked(request.method, request.target, request.headers, body) as answer:
            begun, more = True, True
            head = heads.back(answer.headers)
            left = heads.length(head)
            await send({"type": "http.response.start", "status": answer.status, "headers": head})
            async for part in answer.body:
                left -= len(part)
                more = (
                    left != 0
                )  # whoever reads a length has all of it then, and the outcome was told (GUARD-5)
                await send({"type": "http.response.body", "body": part, "more_body": more})
            if more:
                await send({"type": "http.response.body", "body": b""})
    except NotReached as error:
        _LOG.warning("the upstream cannot be reached: %s", error)
        raise Refused(
            Code.UPSTREAM_UNAVAILABLE, "Nothing was done: nobody answers behind this guard. Try again later."
        ) from error
    except Lost as error:
        _LOG.warning("an answer of the upstream was lost: %s", error)
        if begun:
            raise AnswerLost from error
        raise Refused(
            Code.UPSTREAM_UNAVAILABLE,
            "No answer came from behind this guard: whether it was done is not known.",
        ) from error


async def _while_there(work: Coroutine[None, None, None], after: asyncio.Event, receive: Receive) -> None:
    """Do the work, and end it when the client goes away, which is looked for `after` its request was taken."""

    async def gone() -> None:
        await after.wait()
        while (await receive())["type"] != "http.disconnect":
            pass

    working, leaving = asyncio.create_task(work), asyncio.create_task(gone())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        left = not working.done()
    finally:
        leaving.cancel()
        working.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)
    if not left:
        await working
