"""Log lines hold nothing up and break nothing, wherever they go (ERR-3): real pipes, full, gone and slow."""

import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from starlette.requests import Request
from tests.log.files import Pipe, closed, full

from deputize.log.lines import Lines
from deputize.log.log import MAX_FIELD, Log
from deputize.protocol.errors import Code, Refusal


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    with closing(Pipe()) as pipe:
        yield pipe


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


class TestLevels:
    """What the owner has to look into stands out, and is counted."""

    @pytest.fixture
    def stream(self) -> io.BytesIO:
        return io.BytesIO()

    def levels(self, log: Log, stream: io.BytesIO) -> list[str]:
        assert log.flush()
        return [json.loads(line)["level"] for line in stream.getvalue().splitlines()]

    def test_a_page_that_changes_what_is_pinned_is_no_mere_refusal(self, stream: io.BytesIO) -> None:  # PIN-1
        log = Log(stream)
        for code in (Code.UNKNOWN_TOOL, Code.DEFINITION_CHANGED):
            log.denied("cal_1", Refusal(code, "No.", {"tool": "pay"}))
        assert self.levels(log, stream) == ["info", "warning"]
        assert json.loads(stream.getvalue().splitlines()[1])["tool"] == "pay"

    @pytest.mark.parametrize("part", ["keys", "clock", "head", "wrapping"])
    def test_a_fault_is_told_with_its_end(self, stream: io.BytesIO, part: str) -> None:
        log, seen = Log(stream), []
        for fault in ("It is broken.", None):
            log.fault(part, fault)
            seen.append(log.registry.get_sample_value("deputize_faulty", {"part": part}))
        for fault in ("line 3: no such key", None):
            log.policy("digest", fault)
            seen.append(log.registry.get_sample_value("deputize_policy_faulty"))
        assert seen == [1, 0, 1, 0]
        assert self.levels(log, stream) == ["error", "info", "error", "info"]

    def test_a_refusal_is_counted_also_where_no_line_tells_of_it(self, stream: io.BytesIO) -> None:  # QUOTA-1
        log = Log(stream)
        refusal = Refusal(Code.TOO_MANY_REQUESTS, "Later.", {"quota": "entries"})
        for quietly in (True, False):
            log.refused(request(path_params={}), refusal, quietly)
        labels: dict[str, dict[str, str]] = {
            "deputize_refusals": {"code": refusal.code},
            "deputize_quota_refusals": {"quota": "entries"},
        }
        for name, label in labels.items():
            assert log.registry.get_sample_value(f"{name}_total", label) == 2
        assert self.levels(log, stream) == ["info"]
        assert json.loads(stream.getvalue())["quota"] == "entries"


def test_a_process_without_standard_error_serves() -> None:
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
