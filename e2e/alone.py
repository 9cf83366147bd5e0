"""`make test`: a story that failed beside everything else is told once more, alone.

A machine that has too much to do can break a story that is right; so can a fault that only such a machine shows. One
failure does not tell which it was, so both outcomes are printed. What fails alone has failed.
"""

import json
import subprocess
import sys
from pathlib import Path

CACHE = Path(".venv/stories")  # not pytest's usual one, into which the tests write that run beside
MOST = 3
"""More than that is no chance, and not looked at again."""


def beside(arguments: list[str]) -> int:
    """Tell all stories that are wanted; return pytest's exit code, or 0 if as few failed as can be told again."""
    status = _told("--cache-clear", *arguments)
    failed = len(_failed())
    if status == 1 and 0 < failed <= MOST:
        print(f"{failed} failed beside others: to be told again, alone.")
        return 0
    return status


def alone() -> int:
    """Tell those again that have failed, one after the other; return 1 if one fails again, else 0."""
    before = _failed()
    if not before:
        return 0
    status = _told("--numprocesses=0", "--last-failed", "--last-failed-no-failures=none")
    after = _failed()
    for story in before:
        print(f"failed beside others, {'and' if story in after else 'passed'} alone: {story}")
    return 1 if status or after else 0


def _told(*arguments: str) -> int:
    command = ["pytest", "-o", f"cache_dir={CACHE}", *arguments, "e2e"]
    return subprocess.run(command, check=False).returncode


def _failed() -> list[str]:
    """Return the stories that failed when they were told last."""
    kept = CACHE / "v/cache/lastfailed"
    return [*json.loads(kept.read_text(encoding="utf-8"))] if kept.exists() else []


if __name__ == "__main__":
    sys.exit(beside(sys.argv[2:]) if sys.argv[1:2] == ["beside"] else alone())
