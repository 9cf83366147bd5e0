"""Wrapping by a command of the owner's, so that a key management service fits (SEAL-3)."""

import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress

from ..protocol.canonical import b64u, unb64u
from ..service.faults import Locked

PATIENCE = 30.0
"""Seconds that a command may take; it is killed then, with all that it has started."""
MOST = 4096
"""Bytes that it may answer: a pipe takes as many without anybody reading, when they are handed back to it."""


class CommandWrapping:
    """Runs `command wrap|unwrap|destroy NAME`: what it is to work on is its standard input, its output the answer."""

    def __init__(self, command: Sequence[str], patience: float = PATIENCE) -> None:
        """Take the program and its first arguments; no shell comes between."""
        self.command = tuple(command)
        self._patience = patience

    def wrap(self, name: str, key: bytes) -> bytes:
        """Have a key wrapped, of which the command gets the base64url (`Wrapping`)."""
        wrapped = self._run("wrap", name, b64u(key).encode())
        if not wrapped:
            raise self._wrong("printed nothing")
        return wrapped

    def unwrap(self, name: str, wrapped: bytes) -> bytes:
        """Have a key unwrapped; white space around it does no harm (`Wrapping`)."""
        try:
            return unb64u(self._run("unwrap", name, wrapped).strip().decode())
        except ValueError:
            raise self._wrong("printed something else than the key that it was given") from None

    def require(self, name: str) -> None:
        """See that its program is there; it is not run (`Wrapping`)."""
        if shutil.which(self.command[0]) is None:
            raise self._wrong("is not there, or cannot be run")

    def destroy(self, name: str) -> None:
        """Have a key destroyed (`Wrapping`)."""
        self._run("destroy", name, b"")

    def _run(self, verb: str, name: str, given: bytes) -> bytes:
        """Return what the command prints; Locked if it fails, hangs or prints too much."""
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(
                [*self.command, verb, name], stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
            )
        except OSError as error:
            raise self._wrong(f"cannot be run: {error.strerror}") from error
        with process:
            try:
                said, complaint = self._exchange(process, given)
            except BaseException:
                with suppress(ProcessLookupError):  # nobody has waited for it yet: the number is its group's
                    os.killpg(process.pid, signal.SIGKILL)
                raise
        if process.returncode != 0:
            raise self._wrong(f"ended with exit code {process.returncode} at {verb!r}", complaint)
        return said

    def _exchange(self, process: subprocess.Popen[bytes], given: bytes) -> tuple[bytes, bytes]:
        """Return what a command prints on its output and as errors, once it has ended."""
        late = self._wrong(f"took longer than {self._patience:g} s")
        deadline = time.monotonic() + self._patience
        said, complaint = bytearray(), bytearray()
        with selectors.DefaultSelector() as selector:
            for pipe, printed in ((process.stdout, said), (process.stderr, complaint)):
                if pipe is not None:
                    selector.register(pipe, selectors.EVENT_READ, printed)
            if process.stdin is not None:
                with suppress(BrokenPipeError):  # who destroys need not read
                    process.stdin.write(given)
                    process.stdin.close()
            while selector.get_map():
                ready = selector.select(left) if (left := deadline - time.monotonic()) > 0 else []
                if not ready:
                    raise late
                for key, _ in ready:
                    if not (piece := os.read(key.fd, MOST)):
                        selector.unregister(key.fileobj)
                    elif len(key.data) <= MOST:
                        key.data.extend(piece)
                if len(said) > MOST:
                    raise self._wrong(f"printed more than {MOST} bytes")
        try:
            process.wait(max(0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise late from None
        return bytes(said), bytes(complaint)

    def _wrong(self, what: str, complaint: bytes = b"") -> Locked:
        where = " ".join(self.command)
        if complaint:
            where += f": {' '.join(complaint.decode(errors='replace').split())[:300]}"
        return Locked(f"the command that wraps the users' keys {what}", where)
