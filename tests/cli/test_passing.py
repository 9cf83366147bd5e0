"""What goes through the proxy takes its time, and what has stalled ends (PROXY-6, DOOR-6)."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from deputize.cli import passing, serving
from deputize.cli.passing import Passing
from deputize.cli.serving import Limits

from .test_answering import Wire, connected

pytestmark = pytest.mark.anyio

HEAD = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\n"


class Ending(Wire):
    def abort(self) -> None:
        self.closed = True

    def is_open(self) -> bool:
        return not self.closed


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the time, in a list, for a test to change."""
    now = [0.0]
    for module in (passing, serving):
        monkeypatch.setattr(module, "monotonic", lambda: now[0])
    return now


def connection(app: Any) -> tuple[Any, Ending, Any]:
    kind = type("Limited", (Passing,), {"limits": Limits(10, request=60)})
    protocol, _, state = connected(kind, app)
    wire = Ending()
    protocol.transport = wire
    protocol.flow._transport = wire
    return protocol, wire, state


async def read(scope: Scope, receive: Receive, send: Send) -> None:
    while (message := await receive()).get("more_body", False):
        pass
    assert message["type"] in ("http.request", "http.disconnect")


async def test_a_body_that_goes_on_may_take_hours(clock: list[float]) -> None:
    protocol, wire, state = connection(read)
    protocol.data_received(HEAD)
    for _ in range(999):
        clock[0] += 50
        protocol.data_received(b"x")
        protocol.look(clock[0])
    assert wire.is_open()
    clock[0] += 61
    protocol.look(clock[0])
    assert not wire.is_open()
    protocol.connection_lost(None)
    await asyncio.gather(*state.tasks)


async def test_an_answer_that_is_taken_may_take_hours(clock: list[float]) -> None:
    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {"type": "http.response.start", "status": 200, "headers": []}
        await send(start)
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    protocol, wire, state = connection(endless)
    protocol.data_received(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    await asyncio.sleep(0)  # it answers
    for _ in range(100):  # its peer takes a little, and then a little
        protocol.pause_writing()
        clock[0] += 50
        protocol.look(clock[0])
        protocol.resume_writing()
    clock[0] += 5000  # nothing is sent: it is not the peer's turn
    protocol.look(clock[0])
    assert wire.is_open()
    protocol.pause_writing()
    clock[0] += 61
    protocol.look(clock[0])
    assert not wire.is_open()
    protocol.connection_lost(None)
    await asyncio.gather(*state.tasks)
