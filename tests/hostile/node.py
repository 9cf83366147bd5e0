"""What the page's own script reads: `js/interop/hostile.js`, as a process to ask."""

import subprocess
from functools import cache
from pathlib import Path

JS = Path(__file__).parents[2] / "js"


class Node:
    """One process, which ends with this one."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", "interop/canonical.js"], cwd=JS, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    @staticmethod
    @cache
    def shared() -> "Node":
        """Return the one of this process."""
        return Node()

    def canonical(self, text: bytes) -> bytes | None:
        """Return the canonical form that JavaScript makes of a text, None if it refuses."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(text.hex().encode() + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().decode()
        assert answer.endswith("\n"), "it has ended"
        try:
            return bytes.fromhex(answer)
        except ValueError:
            return None
