"""A file that others may change at any time: looked at when it is needed, and read when it has changed."""

import errno
import os
import stat
import time
from pathlib import Path

_UNCERTAIN = 1_000_000_000  # nanoseconds in which two changes of a file may look like one

_Look = tuple[int, int, int, int]
"""Times of change, size and inode: if the file changes, so does this, except within `_UNCERTAIN` of the last change."""


class Watched:
    """A regular file. `content` is what was read last, `error` what keeps it from being read now.

    A change is dealt with once the file was read after it. Until a read succeeds, each look tries again: what failed
    may have been a descriptor, a mode or the folder, and not the file.
    """

    def __init__(self, path: Path | str) -> None:
        """Name the file, wherever the process goes from here; links stay links. Nothing is read yet."""
        self._path = str(Path(path).absolute())
        self._dealt_with: _Look | None = None
        self.content: bytes | None = None
        self.error: OSError | None = None

    def changed(self) -> bool:
        """Read the file again if it has changed; tell whether `content` or `error` has.

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
        # What is written after the look shows at the next one, unless it was within the same moment.
        settled = look is not None and abs(time.time_ns() - look[0]) > _UNCERTAIN
        self._dealt_with = look if settled and error is None else None
        before, self.content, self.error = (self.content, repr(self.error)), content, error
        return before != (content, repr(error))

    def forget(self) -> None:
        """Read the file again at the next look, whether it has changed or not."""
        self._dealt_with = self.content = None


def _look(path: str) -> _Look | None:
    """Look at the file; None if it cannot be looked at."""
    try:
        found = os.stat(path)  # noqa: PTH116  # at each request, and Path.stat takes longer
    except OSError:
        return None
    return found.st_ctime_ns, found.st_mtime_ns, found.st_size, found.st_ino


def _read(path: str) -> bytes:
    """Read a regular file; OSError. A pipe is opened without waiting, and refused."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", path)
        return file.read()
