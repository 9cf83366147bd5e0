"""A file that others may change at any time: it is read again when a look finds it changed."""

import errno
import os
import stat
import time
from pathlib import Path

_UNCERTAIN = 1_000_000_000  # nanoseconds in which two changes of a file may look like one

_Look = tuple[int, int, int, int]
"""ctime, mtime, size and inode. A change of the file shows here, unless it is within `_UNCERTAIN` of the one before."""


class Watched:
    """A regular file. `content` is what was read last; `error` is why it cannot be read now, None if it can.

    While it cannot, each look tries again: without a change of the file, a descriptor may be free, or a folder be back.
    """

    def __init__(self, path: Path | str) -> None:
        """Take a path, absolute from now on, with its links as they are. Nothing is read yet."""
        self._path = str(Path(path).absolute())
        self._dealt_with: _Look | None = None
        self.content: bytes | None = None
        self.error: OSError | None = None

    def changed(self) -> bool:
        """Read the file again if it has changed; tell whether `content` or `error` is another now.

        It costs one system call if the file has not changed for a second, so it can be called at each request.
        """
        look = _look(self._path)
        if look is not None and look == self._dealt_with:
            return False
        content, error = self.content, None
        try:
            content = _read(self._path)
        except OSError as failed:
            error = failed
        # What is written after this look shows at the next one, unless the last change was a moment ago.
        settled = look is not None and abs(time.time_ns() - look[0]) > _UNCERTAIN
        self._dealt_with = look if settled and error is None else None
        before, self.content, self.error = (self.content, repr(self.error)), content, error
        return before != (content, repr(error))

    def read(self) -> bytes:
        """Return `content`; OSError if the file cannot be read now, which is `error`."""
        if self.error is not None:
            raise self.error
        return self.content or b""

    def forget(self) -> None:
        """Forget the content, and read the file again at the next look, changed or not."""
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
