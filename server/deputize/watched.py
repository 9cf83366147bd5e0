"""A file that others may change at any time: looked at when it is needed, and read when it is another than before."""

import errno
import os
import stat
import time
from pathlib import Path

_UNCERTAIN = 1_000_000_000  # nanoseconds in which a file may change twice and look as if it had changed once

_Look = tuple[int, int, int, int]
"""What is another when the file is another, but for changes at (almost) the same time. The first is that time."""


class Watched:
    """A regular file. `content` is what was read last, `error` what keeps it from being read now.

    A look counts as dealt with only once the file was read after it. Whatever kept it from being read (no descriptor
    was left, its mode, its folder) is `error`, and the next look tries again, whether it is the file that has changed
    or not.
    """

    def __init__(self, path: Path | str) -> None:
        """Name the file, wherever the process goes from here; links stay links. Nothing is read yet."""
        self._path = str(Path(path).absolute())
        self._dealt_with: _Look | None = None
        self.content: bytes | None = None
        self.error: OSError | None = None

    def changed(self) -> bool:
        """Look at the file, and read it if it is another than before; tell whether `content` or `error` is.

        It costs one system call where nothing has happened for a second, so it can be asked at each request.
        """
        look = _look(self._path)
        if look is not None and look == self._dealt_with:
            return False
        content, error = self.content, None
        try:
            content = _read(self._path)
        except OSError as failed:
            error = failed
        # What is written after the look is another file at the next one. Within the same moment that may not show.
        settled = look is not None and abs(time.time_ns() - look[0]) > _UNCERTAIN
        self._dealt_with = look if settled and error is None else None
        before, self.content, self.error = (self.content, repr(self.error)), content, error
        return before != (content, repr(error))

    def forget(self) -> None:
        """Take the file for another at the next look: what came of its content was not its own doing."""
        self._dealt_with = self.content = None


def _look(path: str) -> _Look | None:
    """Look at the file; None if it cannot be looked at."""
    try:
        found = os.stat(path)  # noqa: PTH116  # at each request, and Path.stat takes longer
    except OSError:
        return None
    return found.st_ctime_ns, found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: str) -> bytes:
    """Read a regular file; OSError. Nothing else is opened for long: a pipe could keep its reader waiting for ever."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", path)
        return file.read()
