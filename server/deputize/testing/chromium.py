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
    """Path of a usable Chromium, installed if need be; says on stdout what it does.

    Raises:
        NoChromiumError: nothing worked.
    """
    tried = []
    download = [sys.executable, "-m", "playwright", "install", "--no-shell", "chromium"]
    for way, commands in (("Playwright's download", [download]), ("the system's package", _apt())):
        if path := find():
            return path
        if not commands:
            tried.append(f"{way}: not to be had here")
        for command in commands:
            print(f"No Chromium {OLDEST} or newer yet; running `{' '.join(command)}`", flush=True)
            if code := subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:
                tried.append(f"{way}: `{' '.join(command)}` exited {code}")
                break
    if path := find():
        return path
    tried += [f"{path}: version {_major(path) or 'unknown, it does not start'}" for path in _candidates()]
    raise NoChromiumError(
        f"No Chromium {OLDEST} or newer was found or could be installed ({'; '.join(tried)}). Install"
        " Chromium or Chrome by the means of your system, so that `chromium` or `google-chrome` is on PATH,"
        " and try again."
    )


def _candidates() -> Iterator[str]:
    yield from filter(None, map(shutil.which, NAMES))
    # Asked of Playwright in a process of its own: its synchronous face refuses to run inside an event loop.
    ask = "import playwright.sync_api as a\nwith a.sync_playwright() as p: print(p.chromium.executable_path)"
    path = _output([sys.executable, "-c", ask]).strip()
    if os.access(path, os.X_OK):
        yield path


def _major(path: str) -> int | None:
    """The major version that the program tells; None if it does not start, as when a library is missing."""
    version = re.search(r"(\d+)\.\d+\.\d+", _output([path, "--version"]))
    return int(version[1]) if version else None


def _output(command: list[str]) -> str:
    """What a command says on its standard output; nothing if it fails or takes half a minute."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def _apt() -> list[list[str]]:
    """The commands that install Debian's package; none where apt or the right to use it is lacking."""
    if shutil.which("apt-get") is None:
        return []
    if os.geteuid() == 0:
        root = []
    elif shutil.which("sudo"):
        root = ["sudo", "-n"]  # never asks for a password: there may be nobody to answer
    else:
        return []
    env = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    return [[*root, *env, "update"], [*root, *env, "install", "--yes", "--no-install-recommends", "chromium"]]


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
