"""Keeps this process from reading a file in every way that happens, and lets it again."""

import errno
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Let this process open nothing more: EMFILE, from the kernel."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def somebody_else() -> Iterator[None]:
    """Be a user whom modes bind: root is bound by none."""
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def out_of_descriptors(path: Path) -> AbstractContextManager[None]:
    """Have none left while the file is well."""
    return no_descriptors()


@contextmanager
def moved(path: Path, put: Callable[[Path], object] = lambda path: None) -> Iterator[None]:
    """Put something else in the place of the file for a while, or nothing."""
    away = path.with_name("away")
    path.rename(away)
    put(path)
    try:
        yield
    finally:
        if path.is_dir():
            path.rmdir()
        away.replace(path)


@contextmanager
def unreadable(path: Path) -> Iterator[None]:
    """Take its mode away."""
    if os.geteuid() != 0:
        path.chmod(0)
        yield
        path.chmod(0o600)
        return
    above = {folder: folder.stat().st_mode for folder in path.parents if folder != Path("/")}
    for folder in above:
        folder.chmod(0o755)
    path.chmod(0)
    try:
        with somebody_else():
            yield
    finally:
        path.chmod(0o600)
        for folder, mode in above.items():
            folder.chmod(mode)


def failing(code: int) -> Callable[[Path], AbstractContextManager[None]]:
    """Have the kernel's answer be one that no test can bring about."""

    @contextmanager
    def fails(path: Path) -> Iterator[None]:
        opened = os.open

        def refuse(name: Any, *how: Any, **more: Any) -> int:
            if str(name) == str(path):
                raise OSError(code, os.strerror(code), str(name))
            return opened(name, *how, **more)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "open", refuse)
            yield

    return fails


KEEPING: dict[str, Callable[[Path], AbstractContextManager[None]]] = {
    "out of descriptors": out_of_descriptors,
    "its mode": unreadable,
    "gone": moved,
    "a folder": lambda path: moved(path, Path.mkdir),
    "a pipe": lambda path: moved(path, os.mkfifo),
    "a device": lambda path: moved(path, lambda place: place.symlink_to("/dev/zero")),
    "a link to itself": lambda path: moved(path, lambda place: place.symlink_to(place)),
    "a link to nothing": lambda path: moved(path, lambda place: place.symlink_to(place.parent / "nothing")),
    **{
        errno.errorcode[code]: failing(code)
        for code in (errno.ENFILE, errno.EIO, errno.ENOMEM, errno.ESTALE, errno.EINTR)
    },
}
"""What keeps a file from being read, by name; each is over when its context ends."""
