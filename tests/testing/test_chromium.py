"""Which Chromium is taken, and what is said when there is none."""

from pathlib import Path

import pytest

from deputize.testing import chromium


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of one empty folder, and a Playwright that has downloaded nothing."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "downloads"))
    return folder


def program(folder: Path, name: str, script: str) -> str:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return str(file)


def test_one_that_is_too_old_is_none(path: Path) -> None:
    program(path, "chromium", f"echo Chromium {chromium.OLDEST - 1}.0.7000.1")
    assert chromium.find() is None


def test_one_that_is_just_new_enough_is_taken(path: Path) -> None:
    wanted = program(path, "chromium", f"echo Chromium {chromium.OLDEST}.0.8000.1 built on some Linux")
    assert chromium.find() == wanted


def test_a_newer_one_under_another_name_is_found_behind_an_old_one(path: Path) -> None:
    program(path, "chromium", "echo Chromium 99.0.4844.51")
    wanted = program(path, "google-chrome", f"echo Google Chrome {chromium.OLDEST + 2}.0.9000.1")
    assert chromium.find() == wanted


@pytest.mark.parametrize("script", ["exit 127", "echo no version here", "echo Chromium 200.0.1.1; exit 1"])
def test_one_that_does_not_start_is_none(path: Path, script: str) -> None:
    program(path, "chromium", script)
    assert chromium.find() is None


def test_none_at_all_is_none(path: Path) -> None:
    assert chromium.find() is None


def test_where_nothing_can_be_installed_the_message_says_what_was_found(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = program(path, "chromium", "echo Chromium 99.0.4844.51")
    # Nothing is downloaded: tests stay on this machine.
    monkeypatch.setattr(chromium, "run", lambda commands: None)
    with pytest.raises(chromium.NoChromiumError, match=r"^No Chromium") as found:
        chromium.install()
    assert f"{old}: version 99" in str(found.value)
