"""A file that is read when it is another: whatever keeps it from being read is told, and is not the last word."""

import os
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from tests.starving import KEEPING, no_descriptors

from deputize.watched import Watched


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    return path


def old(path: Path) -> None:
    """Wait until the last change is so long ago that a look is enough; no process can set that time back."""
    end = time.monotonic() + 10
    while time.time() - path.stat().st_ctime <= 1.1:
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("settled", [False, True])
@pytest.mark.parametrize("keeping", KEEPING.values(), ids=KEEPING)
def test_what_could_not_be_read_is_read_as_soon_as_it_can(file: Path, keeping: Any, settled: bool) -> None:
    watched = Watched(file)
    assert watched.changed()
    file.write_bytes(b"two")
    if settled:
        old(file)  # so that nothing but the failure makes it look again
    held: AbstractContextManager[None] = keeping(file)
    with held:
        assert watched.changed()
        assert (watched.content, watched.error is not None) == (b"one", True)
        assert not watched.changed()  # told once
    assert watched.changed()
    assert (watched.content, watched.error) == (b"two", None)
    assert not watched.changed()


def test_a_file_that_stays_is_looked_at_and_not_read(file: Path) -> None:
    watched = Watched(file)
    old(file)
    assert watched.changed()
    with no_descriptors():
        assert not any(watched.changed() for _ in range(1000))


def test_what_was_forgotten_is_read_again(file: Path) -> None:
    watched = Watched(file)
    assert watched.changed()
    watched.forget()
    assert watched.changed()
    assert watched.content == b"one"


def test_a_name_is_that_of_the_place_where_it_was_given(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    watched = Watched(file.name)
    monkeypatch.chdir("/")
    assert watched.changed()
    assert watched.content == b"one"


def test_a_pipe_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    watched = Watched(tmp_path / "pipe")
    assert watched.changed()
    assert watched.content is None
    assert watched.error is not None
