"""The one number in the header of a SQLite file that is the application's: what may be written for writing's sake.

Its lowest bit says that the database was left behind open and nobody has looked through it since (READY-5). The others
count what was written only to see whether it can be, or to take a place in the write-ahead file.
"""

from collections.abc import Callable
from typing import Any

Execute = Callable[[str], Any]

_UNCHECKED = 1
_LAST = 0x7FFF_FFFF  # of 32 bits with a sign


def beat(execute: Execute) -> None:
    """Write the next number, in the open transaction."""
    _write(execute, (_read(execute) + 2) & _LAST)


def is_unchecked(execute: Execute) -> bool:
    """Tell whether the database was left behind open, and was not looked through since."""
    return bool(_read(execute) & _UNCHECKED)


def note_unchecked(execute: Execute, unchecked: bool) -> None:
    """Note whether it still has to be looked through, in the open transaction."""
    _write(execute, _read(execute) & ~_UNCHECKED | unchecked)


def _read(execute: Execute) -> int:
    return int(execute("PRAGMA user_version").fetchone()[0])


def _write(execute: Execute, number: int) -> None:
    execute(f"PRAGMA user_version = {number}")
