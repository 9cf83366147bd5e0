"""Connections that keep a server waiting end, each after its time, and honest ones do not notice (DOOR-6)."""

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from deputize.cli.serving import Limits, ToLog, server
from deputize.log.log import Log

LIMITS = Limits(8, head=0.3, request=0.6, idle=1, stop=1, head_size=4096)
HEAD = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\n"
LARGE = b"x" * 30_000_000  # more than the kernel takes for a reader who does not read


class Running:
    """A server in a thread, and the connections of a test to it."""

    def __init__(self, limits: Limits) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.go_on = threading.Event()
        self.told: list[bytes] = []
        self.server = server(self._app, limits)
        self.thread = threading.Thread(target=self.server.run, args=([self.listener],), daemon=True)
        self.thread.start()

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError("no lifespan")
        path = scope["path"]
        body, more = b"", path != "/early"
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.told.append(body)
        while path == "/work" and not self.go_on.is_set():  # noqa: ASYNC110  # another thread sets it
            await asyncio.sleep(0.01)
        answer = LARGE if path == "/large" else repr(sorted(dict(scope["headers"]))).encode()
        headers = [(b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.settimeout(20)
        return connection

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(20)


@contextmanager
def running(limits: Limits = LIMITS) -> Iterator[Running]:
    site = Running(limits)
    try:
        yield site
    finally:
        site.go_on.set()
        site.stop()
        assert not site.thread.is_alive()


def ends(connection: socket.socket) -> bytes:
    """Return what still comes until the other side ends the connection; TimeoutError if it does not."""
    got = b""
    with suppress(ConnectionError):
        while more := connection.recv(65536):
            got += more
    return got


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\r\n",
        b"G",
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\na: b",
        HEAD,
        HEAD + b"1234",
        HEAD.replace(b"content-length: 5", b"transfer-encoding: chunked") + b"1\r\na\r\n",
        HEAD.replace(b"content-length: 5", b"transfer-encoding: chunked") + b"0\r\na: b\r\n",
    ],
)
@pytest.mark.parametrize("before", [b"", b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"])
def test_what_does_not_come_is_not_waited_for(sent: bytes, before: bytes) -> None:
    with running() as site, site.connect() as connection:
        connection.sendall(before)
        if before:
            assert b"200 OK" in connection.recv(65536)
        connection.sendall(sent)
        assert b"200" not in ends(connection)


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\r\n", HEAD.replace(b": 5", b": 999")])
def test_what_comes_byte_by_byte_is_not_either(start: bytes) -> None:
    with running() as site, site.connect() as connection:
        connection.sendall(start)
        connection.settimeout(0.05)
        with suppress(ConnectionError):
            while True:
                connection.sendall(b"a")
                with suppress(TimeoutError):
                    if not connection.recv(1):
                        break


def test_a_body_that_goes_on_behind_its_answer_is_not_either() -> None:
    with running() as site, site.connect() as connection:
        connection.sendall(HEAD.replace(b"POST /", b"POST /early").replace(b": 5", b": 999"))
        assert b"200 OK" in connection.recv(65536)
        connection.settimeout(0.05)
        with suppress(ConnectionError):
            while True:
                connection.sendall(b"a")
                with suppress(TimeoutError):
                    if not connection.recv(65536):
                        break


def test_an_answer_that_is_not_taken_is_dropped() -> None:
    with running() as site, site.connect() as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n")
        first = connection.recv(1)  # and no more, for as long as the server has it
        while site.server.server_state.connections:
            threading.Event().wait(0.05)
        assert first
        assert len(ends(connection)) < len(LARGE)


def test_work_that_takes_longer_is_waited_for() -> None:
    with running() as site, site.connect() as connection, site.connect() as other:
        connection.sendall(b"GET /work HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert ends(other) == b""  # a time has passed
        with site.connect() as third:
            assert ends(third) == b""  # and again
        site.go_on.set()
        assert b"200 OK" in connection.recv(65536)


@pytest.mark.parametrize("line", [b"a: b\r\n", b"a" * 1000, b"a: " + b"b" * 1000])
def test_a_head_without_end_is_not_read_to_its_end(line: bytes) -> None:
    with running() as site, site.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        with suppress(ConnectionError):
            for _ in range(100_000):
                connection.sendall(line)
        assert b"200" not in ends(connection)
        assert site.told == []


def test_what_comes_behind_a_body_is_no_header() -> None:
    with running() as site, site.connect() as connection:
        head = (
            b"POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        connection.sendall(head + b"1\r\na\r\n0\r\ntxn-token: x\r\n\r\n")
        answer = ends(connection)
        assert b"200 OK" in answer
        assert b"txn-token" not in answer


def test_among_too_many_that_wait_an_honest_one_is_answered() -> None:
    slow = Limits(8, head=30, request=30, idle=30, stop=1)
    with running(slow) as site, ExitStack() as stack:
        held = [stack.enter_context(site.connect()) for _ in range(40)]
        for connection in held:
            with suppress(ConnectionError):
                connection.sendall(b"GET /")
        answer = httpx2.get(f"http://127.0.0.1:{site.port}/")
        assert answer.status_code == 200
        assert ends(held[0]) == b""  # the oldest
        assert len(site.server.server_state.connections) <= slow.connections


def test_who_sends_one_byte_has_not_come_later_for_it() -> None:
    slow = Limits(5, head=30, request=30, idle=30, stop=1)
    with running(slow) as site, ExitStack() as stack:
        other = stack.enter_context(site.connect())

        def all_is_read() -> None:  # what was sent before the second request, when that is answered
            for _ in range(2):
                other.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
                assert b"200 OK" in other.recv(65536)

        held = [stack.enter_context(site.connect()) for _ in range(3)]
        honest = stack.enter_context(site.connect())
        all_is_read()
        for connection in held:
            connection.sendall(b"GET /")
        all_is_read()
        stack.enter_context(site.connect())
        assert ends(held[0]) == b""
        honest.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        assert b"200 OK" in ends(honest)


def test_work_is_never_given_up_for_somebody_who_waits() -> None:
    slow = Limits(4, head=30, request=30, idle=30, stop=1)
    with running(slow) as site, ExitStack() as stack:
        working = stack.enter_context(site.connect())
        working.sendall(b"GET /work HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        held = [stack.enter_context(site.connect()) for _ in range(20)]
        assert ends(held[0]) == b""
        site.go_on.set()
        assert b"200 OK" in ends(working)


@pytest.mark.parametrize(
    "sent", [b"", b"GET /", HEAD, HEAD + b"12", b"GET /work HTTP/1.1\r\nhost: a\r\n\r\n"]
)
def test_a_stop_has_an_end(sent: bytes) -> None:
    slow = Limits(8, head=60, request=60, idle=60, stop=1)
    site = Running(slow)
    with site.connect() as connection:
        connection.sendall(sent)
        httpx2.get(f"http://127.0.0.1:{site.port}/")  # by now the other one has been read
        site.stop()
        assert not site.thread.is_alive()


def test_what_libraries_say_goes_the_way_of_all_lines() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as file, os.fdopen(reading, "rb") as lines:
        log = Log(file)
        handler, logger = ToLog(log), logging.getLogger("uvicorn.error")
        logger.addHandler(handler)
        logger.info("no")
        logger.warning("Invalid %s", "x" * 1000)
        logger.error("broken", exc_info=ValueError("why"))  # there is one
        logger.removeHandler(handler)
        record = {"name": "uvicorn.error", "levelno": logging.WARNING, "levelname": "WARNING"}
        handler.handle(logging.makeLogRecord({**record, "msg": "%d", "args": ("no number",)}))
        assert log.flush()
        said = [json.loads(lines.readline()) for _ in range(3)]
    assert [line["event"] for line in said] == ["uvicorn.error"] * 3
    assert said[0]["message"] == ("Invalid " + "x" * 1000)[:200]
    assert said[1]["exception"].endswith("ValueError: why\n")
    assert (said[2]["message"], said[2]["level"]) == ("%d", "warning")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    subprocess.run([sys.executable, "-m", "deputize", "init"], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


def serve(folder: Path, shell: str = 'exec "$0" "$@"') -> tuple[subprocess.Popen[bytes], int]:
    """Serve, with a shell that prepares the process; return it and its port."""
    command = ["/bin/sh", "-c", shell, sys.executable, "-m", "deputize", "serve", "--port", "0"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said = process.stderr.readline().decode()
    assert "answers on" in said, said
    return process, int(said.split()[-1].rstrip("."))


def test_nobody_reads_standard_error_and_it_serves_and_ends(folder: Path) -> None:
    """More lines than a pipe holds: an event loop that writes them itself stops for good."""
    process, port = serve(folder)
    with process, httpx2.Client(base_url=f"http://localhost:{port}/deputize") as http:
        for _ in range(700):
            assert http.post("/calls", json={}).status_code == 400
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(b"no HTTP at all\r\n\r\n" * 3)  # of which uvicorn itself writes lines
        assert http.get("/healthz").status_code == 200
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def test_many_idle_connections_take_no_descriptor_from_an_honest_one(folder: Path) -> None:
    """64 of them and 80 connections: honest requests are answered, and a change of the policy bites."""
    process, port = serve(folder, 'ulimit -n 64; exec "$0" "$@"')
    with process, ExitStack() as stack:
        for _ in range(80):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        url = f"http://localhost:{port}/deputize/tools"
        assert "search_help" in httpx2.get(url).json()["tools"]
        path = folder / "deputize.toml"
        path.write_text(path.read_text().replace("[tools.search_help]", "[tools.find_help]"))
        assert "find_help" in httpx2.get(url).json()["tools"]
        process.terminate()
        process.wait(20)
