"""Where an upstream may be, and what becomes of a call if it misbehaves (PROXY-6, PROXY-7)."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deputize.guard.proxy.upstream import Upstream
from deputize.protocol.call import State
from deputize.protocol.ids import CallId
from deputize.protocol.token import CallToken

from ..conftest import Authority, text_of
from .conftest import Site, before
from .test_two_readings import request

Behaviour = Callable[[socket.socket, int], None]
"""What is done with a connection, the first, second, … of all."""


def head_of(connection: socket.socket) -> bytes:
    """Read a request's head, and nothing behind it."""
    read = b""
    while not read.endswith(b"\r\n\r\n") and (byte := connection.recv(1)):
        read += byte
    return read


@contextmanager
def misbehaving(behave: Behaviour, authority: Authority | None = None) -> Iterator[tuple[Site, list[int]]]:
    """Put a proxy in front of sockets that behave like this; yields the connections that there were, too."""
    listener = socket.create_server(("127.0.0.1", 0))
    count: list[int] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            count.append(len(count))
            with connection:
                behave(connection, count[-1])

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with before(Site(authority or Authority()), f"http://127.0.0.1:{listener.getsockname()[1]}") as site:
            yield site, count
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def saying(answer: bytes) -> Behaviour:
    """Read a head, give this answer, and close."""

    def behave(connection: socket.socket, _: int) -> None:
        head_of(connection)
        connection.sendall(answer)

    return behave


def transfer(token: CallToken) -> bytes:
    """Write the request of a call by hand."""
    lines = [f"Txn-Token: {text_of(token)}", "Content-Type: application/json", "Connection: close"]
    return request("POST /api/transfers HTTP/1.1", *lines, body=b'{"amount":1}')


@dataclass
class Telling(Authority):
    """An authority that says when it was asked."""

    redeemed: threading.Event = field(default_factory=threading.Event)
    told: threading.Event = field(default_factory=threading.Event)

    async def redeem(self, token: CallToken, text: str, args_s256: str) -> str | None:
        external_id = await super().redeem(token, text, args_s256)
        self.redeemed.set()
        return external_id

    async def report(self, call_id: CallId, outcome: State) -> None:
        await super().report(call_id, outcome)
        self.told.set()


NO_ANSWERS = {
    "nothing": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "no HTTP": b"220 mail.example ESMTP\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello",
    "a status that is none": b"HTTP/1.1 999 Blocked\r\nContent-Length: 0\r\n\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 300_000,
}


@pytest.mark.parametrize("answer", NO_ANSWERS.values(), ids=NO_ANSWERS.keys())
def test_where_no_answer_comes_the_outcome_is_unknown_and_the_client_is_told(answer: bytes) -> None:
    """PROXY-6, GUARD-5"""
    with misbehaving(saying(answer)) as (site, _):
        told = site.transfer()
        assert (told.status_code, told.json()["code"]) == (502, "upstream_unavailable")
        assert "not known" in told.json()["detail"]
        assert site.send("GET", "/other").status_code == 502
    assert list(site.authority.states.values()) == [State.UNKNOWN]


BROKEN = {
    "dies before its length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
    "dies between chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    "chunks that are none": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN.keys())
def test_an_answer_that_breaks_off_does_not_look_whole(answer: bytes) -> None:  # PROXY-6, GUARD-5
    with misbehaving(saying(answer)) as (site, _):
        token = site.authority.call("transfer_money", {"amount": 1})
        told = site.raw(transfer(token))
        assert token.call_id in site.authority.states
        assert b"200 OK" in told
        assert not told.endswith(b"0\r\n\r\n")
        assert told.partition(b"\r\n\r\n")[2].count(b"half") <= 1
        assert b"100" in told or b"chunked" in told  # so whoever reads it knows that there should be more
    assert list(site.authority.states.values()) == [State.UNKNOWN]


def test_what_an_upstream_says_behind_an_answer_is_nobodys(
    caplog: pytest.LogCaptureFixture,
) -> None:  # PROXY-6
    """A second answer on the same connection would be the next client's."""
    poison = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned"
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n{}"
    with misbehaving(saying(answer + poison)) as (site, count):
        answers = [site.send("GET", "/other").text, site.transfer().text, site.send("GET", "/other").text]
    assert answers == ["{}", "{}", "{}"]
    assert len(count) == 3  # each has its own connection
    assert list(site.authority.states.values()) == [State.SUCCEEDED]


def test_an_answer_that_comes_before_the_body_was_read_goes_back() -> None:  # PROXY-6
    answer = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

    def behave(connection: socket.socket, _: int) -> None:
        head_of(connection)
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    with misbehaving(behave) as (site, _):
        assert site.send("POST", "/upload", content=b"x" * 3_000_000).status_code == 413


def test_what_comes_before_an_answer_is_not_taken_for_it() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    with misbehaving(saying(hints + b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")) as (site, _):
        assert site.transfer().status_code == 201
    assert list(site.authority.states.values()) == [State.SUCCEEDED]


def test_an_answer_cannot_put_fields_into_a_head_by_connection_or_line_feeds() -> None:  # PROXY-4
    answer = (
        b"HTTP/1.1 200 OK\r\nConnection: X-Secret, close\r\nX-Secret: 1\r\nKeep-Alive: timeout=5\r\n"
        b"X-Kept: 2\r\nContent-Length: 0\r\n\r\n"
    )
    with misbehaving(saying(answer)) as (site, _):
        told = site.send("GET", "/other")
    assert told.headers["x-kept"] == "2"
    assert not {"x-secret", "keep-alive"} & told.headers.keys()


def test_an_answer_has_one_length() -> None:  # PROXY-4
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
    with misbehaving(saying(head + b"5\r\nwhole\r\n0\r\n\r\n")) as (site, _):
        told = site.send("GET", "/other")
    assert (told.text, "content-length" in told.headers) == ("whole", False)


def test_a_socket_that_is_not_there_is_nobody_who_listens(tmp_path: Path) -> None:  # PROXY-6
    with before(Site(), f"unix:{tmp_path}/none.sock") as site:
        assert site.transfer().json()["code"] == "upstream_unavailable"
    assert list(site.authority.states.values()) == [State.FAILED]


def test_a_call_goes_on_when_its_client_does_not_wait_for_the_answer() -> None:  # PROXY-6
    gone, answered, authority = threading.Event(), threading.Event(), Telling()

    def behave(connection: socket.socket, _: int) -> None:
        head_of(connection)
        gone.wait(10)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        answered.set()

    with misbehaving(behave, authority) as (site, _):
        token = site.authority.call("transfer_money", {"amount": 1})
        with socket.create_connection(("127.0.0.1", site.port), 10) as client:
            client.sendall(transfer(token))
            assert authority.redeemed.wait(10)
        gone.set()
        assert answered.wait(10)
        assert authority.told.wait(10)
    assert site.authority.states[token.call_id] is State.SUCCEEDED


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:3000",
        "http://127.0.0.2:3000",
        "http://localhost:3000/",
        "http://[::1]:3000",
        "http://127.0.0.1",
        "unix:/run/api.sock",
        "unix:///run/api.sock",
    ],
)
def test_an_upstream_is_on_this_machine(text: str) -> None:  # PROXY-7
    found = Upstream.parse(text)
    assert found.socket == "/run/api.sock" if "unix" in text else found.port in (80, 3000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1:3000",
        "https://127.0.0.1:3000",
        "http://10.0.0.1:3000",
        "http://0.0.0.0:3000",
        "http://[::]:3000",
        "http://192.168.1.1",
        "http://169.254.169.254",
        "http://example.com",
        "http://localhost.example.com:3000",
        "http://api.localhost:3000",
        "http://127.0.0.1.example.com",
        "http://127.1:3000",
        "http://2130706433:3000",
        "http://0x7f.1",
        "http://user@127.0.0.1:3000",
        "http://127.0.0.1:3000@example.com",
        "http://127.0.0.1:3000/api",
        "http://127.0.0.1:3000?x",
        "http://127.0.0.1:3000#x",
        "http://127.0.0.1:0",
        "http://127.0.0.1:65536",
        "http://127.0.0.1:3000\n",
        "http://[::ffff:10.0.0.1]:80",
        "unix:",
        "unix:run/api.sock",
        "ftp://127.0.0.1",
    ],
)
def test_an_upstream_elsewhere_is_refused(text: str) -> None:  # PROXY-7
    with pytest.raises(ValueError, match="on this machine"):
        Upstream.parse(text)
