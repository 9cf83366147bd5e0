"""Answers that go out whole are those that uvicorn sends, to the byte."""

import asyncio
import logging
from typing import Any

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from deputize.cli.answering import Http

GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
TYPE = (b"content-type", b"text/plain")
LONG = (b"content-length", b"4")


def start(*headers: tuple[bytes, bytes], status: int = 200) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(text: bytes = b"text", more: bool = False) -> Message:
    return {"type": "http.response.body", "body": text, "more_body": more}


class Wire(asyncio.Transport):
    """What a protocol writes, and whether it hangs up."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.writes: list[bytes] = []
        self.closed = self.handed_over = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.handed_over = True

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def connected(kind: type[HttpToolsProtocol], app: Any) -> tuple[HttpToolsProtocol, Wire, ServerState]:
    """Serve an app on one connection."""
    config = uvicorn.Config(app, http=kind, ws="none", access_log=False)
    config.load()
    state = ServerState()
    state.default_headers = [(b"date", b"today")]
    wire, protocol = Wire(), kind(config=config, server_state=state, app_state={})
    protocol.access_log = False
    protocol.connection_made(wire)
    return protocol, wire, state


async def whole(scope: Scope, receive: Receive, send: Send) -> None:
    for message in ANSWERS["whole"]:
        await send(message)


class Socket(asyncio.Protocol):
    """What a connection can become."""

    def __init__(self, **others: Any) -> None: ...


async def answered(kind: type[HttpToolsProtocol], request: bytes, said: list[Message]) -> Wire:
    """Have an app that says this answer a request."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in said:
            await send(message)
        await receive()  # nothing comes any more

    protocol, wire, state = connected(kind, app)
    protocol.data_received(request)
    while state.tasks:
        await asyncio.wait(state.tasks, timeout=0.2)
        if state.tasks and not protocol.cycle.response_complete:  # it waits for what it was not told
            protocol.connection_lost(None)
    protocol._unset_keepalive_if_required()
    return wire


ANSWERS = {
    "whole": [start(TYPE, LONG), body()],
    "empty": [start((b"content-length", b"0")), body(b"")],
    "of any status": [start(TYPE, LONG, status=599), body()],
    "with bytes in a header": [start(LONG, (b"a", b"\xe4\t b ")), body()],
    "with two cookies": [start(LONG, (b"set-cookie", b"a"), (b"set-cookie", b"b")), body()],
    "named in capitals": [start((b"Content-Length", b"4"), (b"Connection", b"close")), body()],
    "with a capital in one name": [start(LONG, (b"Connection", b"close")), body()],
    "the last": [start(LONG, (b"connection", b"close")), body()],
    "without a body": [start((b"content-length", b"4"), status=304), body(b"")],
    "no content": [start(status=204), body(b"")],
    "of no known length": [start(TYPE), body()],
    "in parts": [start(LONG), body(b"te", more=True), body(b"xt")],
    "in parts of no known length": [start(), body(b"te", more=True), body(b"xt")],
    "chunked": [start((b"transfer-encoding", b"chunked")), body()],
    "too long": [start(LONG), body(b"texts")],
    "too short": [start(LONG), body(b"tex")],
    "with a line break in a header": [start(LONG, (b"a", b"b\r\nc: d")), body()],
    "with a line break in a name": [start(LONG, (b"a\r\nb", b"c")), body()],
    "with a value in a name": [start(LONG, (b"transfer-encoding: chunked, a", b"b")), body()],
    "with lines that are lists": [{**start(), "headers": [[b"content-length", b"4"]]}, body()],
    "with lines in no list": [{**start(), "headers": {b"content-length": b"4"}.items()}, body()],
    "without lines": [{"type": "http.response.start", "status": 200}, body()],
    "with something in place of a body": [
        start((b"content-length", b"0")),
        {"type": "http.response.trailers", "headers": []},
    ],
    "with two bodies": [start(LONG), body(), body()],
    "without a head": [body()],
    "with two lengths": [start((b"content-length", b"9"), LONG), body()],
}
REQUESTS = {
    "GET": GET,
    "HEAD": GET.replace(b"GET", b"HEAD"),
    "HTTP/1.0": GET.replace(b"1.1", b"1.0"),
    "close": GET.replace(b"host", b"connection: close\r\nhost"),
    "expecting": b"POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n",
    "pipelined": GET + GET,
}


@pytest.mark.anyio
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS.keys())
@pytest.mark.parametrize("said", ANSWERS.values(), ids=ANSWERS.keys())
async def test_an_answer_is_what_uvicorn_makes_of_it(said: list[Message], request_: bytes) -> None:
    ours, theirs = [await answered(kind, request_, said) for kind in (Http, HttpToolsProtocol)]
    assert (b"".join(ours.writes), ours.closed) == (b"".join(theirs.writes), theirs.closed)


_BYTES = st.one_of(
    st.sampled_from(
        [b"", b"a", b"Connection", b"content-length", b"close", b"4", b"transfer-encoding", b"chunked"]
    ),
    st.lists(st.sampled_from([*b'aZ4:;,-_ \t\r\n\0\x0b\x1f\x7f\x80\x85\xff()[]/"\\']), max_size=6).map(bytes),
)


@pytest.mark.anyio
@given(st.lists(st.tuples(_BYTES, _BYTES), max_size=3))
async def test_a_header_is_what_uvicorn_makes_of_it(headers: list[tuple[bytes, bytes]]) -> None:
    said = [start(LONG, *headers), body()]
    ours, theirs = [await answered(kind, GET, said) for kind in (Http, HttpToolsProtocol)]
    assert (b"".join(ours.writes), ours.closed) == (b"".join(theirs.writes), theirs.closed)


@pytest.mark.anyio
async def test_a_whole_answer_is_one_write() -> None:
    for request, writes in ((GET, 1), (GET + GET, 2)):
        assert len((await answered(Http, request, ANSWERS["whole"])).writes) == writes


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [Http, HttpToolsProtocol])
class TestAsUvicornDoes:
    """What an answer means to others than its reader."""

    async def test_who_does_not_read_is_written_nothing_more(self, kind: type[HttpToolsProtocol]) -> None:
        protocol, wire, state = connected(kind, whole)
        protocol.pause_writing()
        protocol.data_received(GET)
        await asyncio.wait(state.tasks, timeout=0.05)
        assert wire.writes == []
        protocol.resume_writing()
        await asyncio.wait(state.tasks)
        assert wire.writes != []

    async def test_who_has_gone_is_written_nothing(self, kind: type[HttpToolsProtocol]) -> None:
        protocol, wire, state = connected(kind, whole)
        protocol.data_received(GET)
        protocol.connection_lost(None)
        await asyncio.wait(state.tasks)
        assert wire.writes == []

    async def test_an_access_log_that_is_wanted_has_its_line(
        self, kind: type[HttpToolsProtocol], caplog: pytest.LogCaptureFixture
    ) -> None:
        protocol, _, state = connected(kind, whole)
        protocol.access_log, protocol.access_logger = True, logging.getLogger("access")
        with caplog.at_level(logging.INFO, "access"):
            protocol.data_received(GET)
            await asyncio.wait(state.tasks)
        assert len(caplog.records) == 1

    async def test_who_waits_for_the_end_hears_of_it(self, kind: type[HttpToolsProtocol]) -> None:
        heard: list[Message] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await receive()
            end = asyncio.ensure_future(receive())
            await asyncio.sleep(0)
            await whole(scope, receive, send)
            heard.append(await end)

        protocol, _, state = connected(kind, app)
        protocol.data_received(GET)
        await asyncio.wait(state.tasks, timeout=10)
        assert heard == [{"type": "http.disconnect"}]

    async def test_a_connection_that_becomes_another_is_handed_over(
        self, kind: type[HttpToolsProtocol]
    ) -> None:
        protocol, wire, _ = connected(kind, whole)
        protocol.ws_protocol_class = Socket
        protocol.data_received(UPGRADE)
        assert (wire.handed_over, wire.writes) == (True, [])
