"""Finds a Firefox, or installs Debian's: `python -m deputize.testing.firefox`. It has no WebMCP of its own."""

import shutil
import sys

from .installing import apt, major, run

OLDEST = 140
"""The oldest major version, an ESR, in which the stories have been played."""

NAMES = ("firefox-esr", "firefox")


class NoFirefoxError(Exception):
    """No usable Firefox could be installed. The message says what to do."""


def find() -> str | None:
    """Path of a Firefox that starts and is new enough, or None."""
    return next((path for path in map(shutil.which, NAMES) if path and (major(path) or 0) >= OLDEST), None)


def install() -> str:
    """Path of a usable Firefox, installed if need be; says on stdout what it does. NoFirefoxError if that fails."""
    if find() is None:
        run(apt("firefox-esr"))
    if path := find():
        return path
    raise NoFirefoxError(
        f"No Firefox {OLDEST} or newer could be had by apt-get as root or with sudo. Install one by the means of your"
        " system, so that `firefox` is on PATH, and try again."
    )


def main() -> int:
    """Install it; print its path, or on stderr why there is none."""
    try:
        print(install())
    except NoFirefoxError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
