"""A folder that only one process changes at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import local

_held = local()  # descriptors of the folders that this thread is alone in


@contextmanager
def alone_in(folder: Path) -> Iterator[int]:
    """Keep other processes, and threads, from doing this in a folder meanwhile; yields a descriptor of it.

    Within, it may be asked for again.
    """
    held: dict[tuple[int, int], int] = _held.__dict__.setdefault("folders", {})
    descriptor = os.open(folder, os.O_RDONLY)
    found = os.fstat(descriptor)
    name = found.st_dev, found.st_ino
    if name in held:
        os.close(descriptor)
        yield held[name]
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        held[name] = descriptor
        yield descriptor
    finally:
        held.pop(name, None)
        os.close(descriptor)
