"""Where a log may go: a pipe that nobody reads, a disk without room, a file that is closed."""

import io
import os
from contextlib import suppress
from pathlib import Path
from typing import IO


class Pipe:
    """A pipe of which a test holds both ends."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        self.writer: IO[bytes] = os.fdopen(writing, "wb")

    def read(self, until: bytes) -> bytes:
        """Read until these bytes have come."""
        got = b""
        while until not in got:
            got += os.read(self.reading, 65536)
        return got

    def skip(self, size: int) -> None:
        """Read so many bytes."""
        while size > 0:
            size -= len(os.read(self.reading, 65536))

    def stop_reading(self) -> None:
        os.close(self.reading)
        self.reading = -1

    def close(self) -> None:
        with suppress(OSError):
            os.close(self.reading)
        with suppress(OSError):
            self.writer.close()


def full() -> IO[bytes]:
    """Open a disk that has no room, ever."""
    return Path("/dev/full").open("wb")


def closed() -> IO[bytes]:
    file = io.BytesIO()
    file.close()
    return file
