"""Finds a Chromium that speaks WebMCP, or installs one: `python -m deputize.testing.chromium`.

The browser on PATH comes first, since a distribution keeps that one up to date; then Playwright's own
download; then the Debian package.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

OLDEST = 156
"""The oldest major version in which the stories have been played: WebMCP still changes every few releases."""

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class NoChromiumError(Exception):
    """No usable Chromium could be installed. The message says what was tried and what to do."""


def find() -> str | None:
    """Path of a Chromium that starts and is new enough, or None."""
    return next((path for path in _candidates() if (_major(path) or 0) >= OLDEST), None)


def install() -> str:
    """Path of a usable Chromium that Playwright can drive, installed if need be; says on stdout what it does.

    Raises:
        NoChromiumError: nothing worked.
    """
    playwright = [sys.executable, "-m", "playwright"]
    if not _output([*playwright, "--version"]):
        _run(_apt("libatomic1"))  # what Playwright's own Node needs and a bare Debian lacks
        if not _output([*playwright, "--version"]):
            raise NoChromiumError(
                f"Playwright does not start; `{' '.join(playwright)} --version` says why. If it lacks a"
                " library, install that by the means of your system (libatomic1 on Debian) and try again."
            )
    for commands in ([[*playwright, "install", "--no-shell", "chromium"]], _apt("chromium")):
        if path := find():
            return path
        _run(commands)
    if path := find():
        return path
    found = [f"{path}: version {_major(path) or 'unknown, it does not start'}" for path in _candidates()]
    raise NoChromiumError(
        f"No Chromium {OLDEST} or newer could be had, neither from Playwright nor by apt-get as root or with"
        f" sudo (found: {', '.join(found) or 'none'}). Install Chromium or Chrome by the means of your"
        " system, so that `chromium` or `google-chrome` is on PATH, and try again."
    )


def _candidates() -> Iterator[str]:
    yield from filter(None, map(shutil.which, NAMES))
    # Asked of Playwright in a process of its own: its synchronous face refuses to run inside an event loop.
    ask = "import playwright.sync_api as a\nwith a.sync_playwright() as p: print(p.chromium.executable_path)"
    path = _output([sys.executable, "-c", ask]).strip()
    if os.access(path, os.X_OK):
        yield path


def _major(path: str) -> int | None:
    """The major version that a program prints; None if it does not start, as when a library is missing."""
    version = re.search(r"(\d+)\.\d+\.\d+", _output([path, "--version"]))
    return int(version[1]) if version else None


def _output(command: list[str]) -> str:
    """A command's standard output; empty if it fails or takes half a minute."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def _apt(package: str) -> list[list[str]]:
    """The commands that install a Debian package; none where apt or the right to use it is lacking."""
    if shutil.which("apt-get") is None:
        return []
    if os.geteuid() == 0:
        root = []
    elif shutil.which("sudo"):
        root = ["sudo", "-n"]  # never asks for a password: there may be nobody to answer
    else:
        return []
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    return [[*apt, "update"], [*apt, "install", "--yes", "--no-install-recommends", package]]


def _run(commands: list[list[str]]) -> None:
    """Run the commands in sight of the user, up to the first that fails."""
    for command in commands:
        print(f"Running `{' '.join(command)}`", flush=True)
        if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:
            return


def main() -> int:
    """Install if need be and print the path; exit code 1 if there is none."""
    try:
        print(install())
    except NoChromiumError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
