"""Log lines hold nothing up and break nothing, wherever they go (ERR-3): real pipes, full, gone and slow."""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import httpx2
import pytest
from starlette.requests import Request
from tests.bank import ISSUER, opened

from deputize.log.lines import MOST, Lines
from deputize.log.log import MAX_FIELD, Log
from deputize.protocol.errors import Code, Refusal
from deputize.protocol.policy import Policy

pytestmark = pytest.mark.anyio


class Pipe:
    """A pipe of which a test holds both ends."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        self.writer: IO[bytes] = os.fdopen(writing, "wb")

    def read(self, until: bytes) -> bytes:
        """Read until these bytes have come."""
        got = b""
        while until not in got:
            got += os.read(self.reading, 65536)
        return got

    def skip(self, size: int) -> None:
        """Read so many bytes."""
        while size > 0:
            size -= len(os.read(self.reading, 65536))

    def stop_reading(self) -> None:
        os.close(self.reading)
        self.reading = -1

    def close(self) -> None:
        with suppress(OSError):
            os.close(self.reading)
        with suppress(OSError):
            self.writer.close()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def full() -> IO[bytes]:
    """Open a disk that has no room, ever."""
    return Path("/dev/full").open("wb")


def closed() -> IO[bytes]:
    file = io.BytesIO()
    file.close()
    return file


class Counted:
    """Counts what is lost."""

    def __init__(self) -> None:
        self.lines = 0

    def __call__(self, lines: int) -> None:
        self.lines += lines


def request(path: str = "/", **more: Any) -> Request:
    return Request(
        {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b"", **more}
    )


class TestLines:
    def test_are_written_in_their_order(self, pipe: Pipe) -> None:
        lost = Counted()
        lines = Lines(pipe.writer, lost)
        for number in range(1000):
            lines.put(b"%d\n" % number)
        assert lines.flush()
        assert pipe.read(b"999\n") == b"".join(b"%d\n" % number for number in range(1000))
        assert lost.lines == 0

    def test_nobody_waits_where_nobody_reads_and_what_is_lost_is_counted(self, pipe: Pipe) -> None:
        lost = Counted()
        lines = Lines(pipe.writer, lost, most=50)
        big = b"x" * 70_000 + b"\n"  # more than a pipe holds
        for _ in range(200):
            lines.put(big)
        assert not lines.flush(0.01)
        assert 0 < 200 - lost.lines <= 50 + 50  # what waits, and what was taken from there to be written
        written = 200 - lost.lines
        reader = threading.Thread(target=pipe.skip, args=(written * len(big),))
        reader.start()
        assert lines.flush(20)
        reader.join()
        assert lost.lines == 200 - written

    @pytest.mark.parametrize("make", [full, closed, lambda: None])
    def test_where_nothing_can_be_written_all_is_counted(self, make: Any) -> None:
        lost = Counted()
        lines = Lines(make(), lost)
        for _ in range(20):
            lines.put(b"x\n")
        assert lines.flush()
        assert lost.lines == 20

    def test_a_reader_that_went_away_breaks_nothing(self, pipe: Pipe) -> None:
        lost = Counted()
        lines = Lines(pipe.writer, lost)
        lines.put(b"x\n")
        assert lines.flush()
        pipe.stop_reading()
        lines.put(b"x\n")
        assert lines.flush()
        assert lost.lines == 1

    def test_what_was_cut_does_not_spoil_the_next_line(self) -> None:
        class Disk(io.BytesIO):
            room = 8

            def write(self, text: Any) -> int:
                took = min(len(text), self.room)
                if not took:
                    raise OSError("full")
                self.room -= took
                return super().write(bytes(text)[:took])

        disk, lost = Disk(), Counted()
        lines = Lines(disk, lost)
        lines.put(b"first\n")
        assert lines.flush()
        lines.put(b"second\n")
        assert lines.flush()
        disk.room = 100
        lines.put(b"third\n")
        assert lines.flush()
        assert disk.getvalue() == b"first\nse\nthird\n"
        assert lost.lines == 1


class TestFields:
    @pytest.fixture
    def stream(self) -> io.BytesIO:
        return io.BytesIO()

    def said(self, log: Log, stream: io.BytesIO) -> dict[str, Any]:
        assert log.flush()
        line: dict[str, Any] = json.loads(stream.getvalue().splitlines()[-1])
        return line

    @pytest.mark.parametrize("text", ["a" * 100_000, "\ud800" * 1000, "\n" * 1000, '"\\' * 1000, "\x1b[2J"])
    def test_what_strangers_choose_is_cut_and_stays_in_its_line(self, stream: io.BytesIO, text: str) -> None:
        log = Log(stream)
        refusal = Refusal(Code.CALL_UNKNOWN, "No.")
        log.refused(request(path_params={"call_id": text}), refusal)
        assert len(self.said(log, stream)["correlation_id"]) <= 10 * MAX_FIELD
        log.refused(request(method=text), refusal)
        log.failed(request(path=text), ValueError(text))
        assert self.said(log, stream)["event"] in ("failed", "'failed'")
        log.note(text, x=text)
        assert log.flush()
        lines = stream.getvalue().splitlines()
        assert len(lines) == 4
        assert sum(map(len, lines)) < 4 * 30_000

    def test_a_line_has_its_time_level_and_event(self, stream: io.BytesIO) -> None:
        log = Log(stream)
        log.note("something", fact=1)
        line = self.said(log, stream)
        assert (line["event"], line["level"], line["fact"]) == ("something", "info", 1)
        assert line["timestamp"].endswith("Z")


@pytest.fixture(params=["full", "closed", "gone", "unread"])
def stuck(request: pytest.FixtureRequest, pipe: Pipe) -> Log:
    """Make a log that cannot be written."""
    if request.param == "gone":
        pipe.stop_reading()
    if request.param == "unread":
        os.set_blocking(pipe.writer.fileno(), False)
        with suppress(BlockingIOError):
            while True:
                os.write(pipe.writer.fileno(), b"x" * 65536)
        os.set_blocking(pipe.writer.fileno(), True)
    files = {"full": full, "closed": closed}
    return Log(files[request.param]() if request.param in files else pipe.writer)


async def test_what_is_decided_is_answered_wherever_the_log_goes(
    tmp_path: Path, policy: Policy, stuck: Log
) -> None:
    async with opened(policy, tmp_path / "var", stuck) as bank:
        page = bank.page()
        assert (await page.sign_up()).status_code == 200
        assert (await page.deputize("account:read payments:write")).status_code == 200
        for _ in range(3):
            assert (await page.call("get_balance")).status_code == 200
        assert (await page.call("nothing")).json()["code"] == "unknown_tool"
        pending = (await page.call("transfer_money", {"amount": 1, "name": "Ada"})).json()
        assert (await page.confirm(f"/calls/{pending['call_id']}")).status_code == 200
        assert bank.last()["kind"] == "call.approved"
        for _ in range(MOST + 100):  # more than wait
            stuck.note("something")
        assert (await page.call("get_balance")).status_code == 200
        metrics = (await page.http.get(f"{ISSUER}/metrics")).text
    dropped = next(
        line for line in metrics.splitlines() if line.startswith("deputize_log_lines_dropped_total")
    )
    assert float(dropped.split()[1]) > 0


def test_a_process_without_standard_error_serves(tmp_path: Path, policy: Policy) -> None:
    program = (
        "import sys; assert sys.stderr is None\n"
        "from deputize.log.log import Log\n"
        "log = Log(); log.note('x'); print(log.flush(), log._dropped._value.get())"
    )
    ran = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, program], capture_output=True, check=True
    )
    assert ran.stdout == b"True 1.0\n"


def test_a_log_goes_on_after_a_fork(pipe: Pipe) -> None:
    program = (
        "import os\nfrom deputize.log.log import Log\n"
        "log = Log(); log.note('parent'); log.flush()\n"
        "if (child := os.fork()) == 0:\n    log.note('child'); log.flush(); os._exit(0)\n"
        "os.waitpid(child, 0)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert [json.loads(line)["event"] for line in ran.stderr.splitlines()] == ["parent", "child"]


async def test_a_call_of_somebody_is_told(tmp_path: Path, policy: Policy, pipe: Pipe) -> None:
    async with opened(policy, tmp_path / "var", Log(pipe.writer)) as bank:
        page = bank.page()
        await page.sign_up()
        await page.deputize("account:read")
        call: httpx2.Response = await page.call("get_balance")
        lines = [json.loads(line) for line in pipe.read(b'"approved"').splitlines()]
    told = next(line for line in lines if line["event"] == "call")
    assert (told["correlation_id"], told["state"]) == (call.json()["call_id"], "approved")
    assert told["tool"] == "get_balance"
