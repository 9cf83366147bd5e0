"""What the page's own scripts read: those of `js/interop` that answer lines, as processes to ask."""

import atexit
import subprocess
from functools import cache
from pathlib import Path

JS = Path(__file__).parents[2] / "js"


class Node:
    """One process, which ends with this one."""

    def __init__(self, script: str) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(["node", f"interop/{script}.js"], cwd=JS, stdin=pipe, stdout=pipe)
        atexit.register(self._process.communicate)

    def ask(self, text: bytes) -> str:
        """Return what it answers to a text."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(text.hex().encode() + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().decode()
        assert answer.endswith("\n"), "it has ended"
        return answer.strip()


node = cache(Node)
