"""Finds a Chromium that speaks WebMCP, or installs one: `python -m deputize.testing.chromium`.

The browser on PATH comes first, since a distribution keeps that one up to date; then Playwright's own
download; then the Debian package.
"""

import os
import shutil
import sys
from collections.abc import Iterator

from .installing import apt, major, output, run

OLDEST = 156
"""The oldest major version in which the stories have been played: WebMCP still changes every few releases."""

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class NoChromiumError(Exception):
    """No usable Chromium could be installed. The message says what was tried and what to do."""


def find() -> str | None:
    """Path of a Chromium that starts and is new enough, or None."""
    return next((path for path in _candidates() if (major(path) or 0) >= OLDEST), None)


def install() -> str:
    """Path of a usable Chromium that Playwright can drive, installed if need be; says on stdout what it does.

    Raises:
        NoChromiumError: nothing worked.
    """
    playwright = [sys.executable, "-m", "playwright"]
    if not output([*playwright, "--version"]):
        run(apt("libatomic1"))  # what Playwright's own Node needs and a bare Debian lacks
        if not output([*playwright, "--version"]):
            raise NoChromiumError(
                f"Playwright does not start; `{' '.join(playwright)} --version` says why. If it lacks a"
                " library, install that by the means of your system (libatomic1 on Debian) and try again."
            )
    for commands in ([[*playwright, "install", "--no-shell", "chromium"]], apt("chromium")):
        if path := find():
            return path
        run(commands)
    if path := find():
        return path
    found = [f"{path}: version {major(path) or 'unknown, it does not start'}" for path in _candidates()]
    raise NoChromiumError(
        f"No Chromium {OLDEST} or newer could be had, neither from Playwright nor by apt-get as root or with"
        f" sudo (found: {', '.join(found) or 'none'}). Install Chromium or Chrome by the means of your"
        " system, so that `chromium` or `google-chrome` is on PATH, and try again."
    )


def _candidates() -> Iterator[str]:
    yield from filter(None, map(shutil.which, NAMES))
    # Asked of Playwright in a process of its own: its synchronous face refuses to run inside an event loop.
    ask = "import playwright.sync_api as a\nwith a.sync_playwright() as p: print(p.chromium.executable_path)"
    path = output([sys.executable, "-c", ask]).strip()
    if os.access(path, os.X_OK):
        yield path


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
