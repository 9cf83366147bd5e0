"""Programs that are measured beside us: started on the server's core, and ended with the `with` block."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .. import machine

START_WITHIN = 30.0  # seconds
STOP_WITHIN = 10.0


def free_port() -> int:
    """Return a port of the loopback that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


@contextmanager
def running(command: Sequence[str], at: Path, port: int | Path, folder: Path) -> Iterator[None]:
    """Run a program there, once it listens; RuntimeError with its last words, kept in `folder`, if it does not.

    `port`: of the loopback, or the path of a socket.
    """
    core, words = machine.cores()[0], folder / f"{Path(command[0]).name}.words"
    with words.open("wb") as said:
        process = subprocess.Popen(
            command,
            cwd=at,
            stdout=subprocess.DEVNULL,
            stderr=said,
            env={**os.environ, "NODE_ENV": "production"},
            preexec_fn=lambda: machine.pin(core),
        )
    try:
        until = time.monotonic() + START_WITHIN
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(
                    f"{command[0]} did not start:\n{words.read_text(errors='replace')[-2000:]}"
                )
            time.sleep(0.05)  # between two looks; how long it may take is said above
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()


def _listens(port: int | Path) -> bool:
    family = socket.AF_UNIX if isinstance(port, Path) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as asking:
        return asking.connect_ex(str(port) if isinstance(port, Path) else ("127.0.0.1", port)) == 0
