"""Files that only their owner can read: keys and tokens."""

import os
import secrets
from pathlib import Path


def create_private(path: Path, data: bytes) -> None:
    """Write a new file with mode 0600, to the disk; FileExistsError if there is one, which stays as it is."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_alone(path: Path, data: bytes, folder: int) -> None:
    """Replace a file in one step: after a crash there is either the old one or the new one, whole, with mode 0600.

    `folder` is what `alone_in` yields for the folder of the file: only one process does this there at a time.
    """
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    create_private(new, data)
    new.replace(path)
    os.fsync(folder)


def replace_private(path: Path, data: bytes) -> None:
    """Write a file with mode 0600 in one step: whoever reads it sees the old one or the new one, whole."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        create_private(new, data)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
