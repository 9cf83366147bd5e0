"""A pytest plugin that notes which tests come by which lines of what MUTANTS_ROOMS names, in a file per process."""

import os
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import orjson
import pytest

PACKAGE = str(Path(__file__).parents[2] / "server" / "deputize")
PLACES = tuple(f"{PACKAGE}/{room}" for room in os.environ.get("MUTANTS_ROOMS", "").split())

_covered: dict[str, set[str]] = defaultdict(set)
_failed: set[str] = set()
_lines: set[tuple[str, int]] = set()


def _line(frame: FrameType, event: str, argument: object) -> Any:
    if event == "line":
        _lines.add((frame.f_code.co_filename, frame.f_lineno))
    return _line


def _call(frame: FrameType, event: str, argument: object) -> Any:
    return _line if frame.f_code.co_filename.startswith(PLACES) else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Watch one test, with its fixtures and the threads that it starts."""
    _lines.clear()
    threading.settrace(_call)
    sys.settrace(_call)
    try:
        return (yield)
    finally:
        sys.settrace(None)
        threading.settrace(None)
        for path, line in _lines.copy():
            _covered[f"{path.removeprefix(PACKAGE)[1:]}:{line}"].add(item.nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note what fails already, as a test of how long something takes may while it is watched."""
    if report.failed:
        _failed.add(report.nodeid)


def pytest_sessionfinish() -> None:
    """Write down what was seen, but for tests that fail."""
    if folder := os.environ.get("MUTANTS_MAP"):
        found = {place: sorted(tests - _failed) for place, tests in _covered.items()}
        (Path(folder) / f"{os.getpid()}.json").write_bytes(orjson.dumps(found))
