"""A disk that fails when it is told to: a VFS around SQLite's own (https://sqlite.org/vfs.html), by ctypes.

Whatever opens a database in this process while a `FaultyDisk` is in use goes through it. It also knows what is on the
platter: what a loss of power would leave is what was synced, and any part of what was not.
"""

import ctypes
import ctypes.util
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int64, c_void_p
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECTOR = 512
_METHODS = 19  # of sqlite3_io_methods, the version in the first place included
_WRITE, _TRUNCATE, _SYNC, _CLOSE = 3, 4, 5, 1
_OK = 0


class _Vfs(ctypes.Structure):
    """The beginning of sqlite3_vfs: only `xOpen` and `xDelete` are ours."""

    _fields_ = [  # ctypes wants a plain list
        ("iVersion", c_int),
        ("szOsFile", c_int),
        ("mxPathname", c_int),
        ("pNext", c_void_p),
        ("zName", c_char_p),
        ("pAppData", c_void_p),
        ("xOpen", c_void_p),
        ("xDelete", c_void_p),
        ("others", c_void_p * 14),
    ]


# The name is an address, not a text: SQLite keeps it, and reads on behind its end.
_OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
_WRITES = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_TRUNCATES = CFUNCTYPE(c_int, c_void_p, c_int64)
_SYNCS = CFUNCTYPE(c_int, c_void_p, c_int)


def sqlite_library() -> Any:
    """Return the SQLite that Python's `sqlite3` uses, or None where it is linked into Python itself, out of reach."""
    for name in (None, ctypes.util.find_library("sqlite3")):
        try:
            library = ctypes.CDLL(name)
            library.sqlite3_libversion.restype = c_char_p
        except (OSError, AttributeError):
            continue
        if library.sqlite3_libversion().decode() == sqlite3.sqlite_version:
            library.sqlite3_vfs_find.restype = POINTER(_Vfs)
            library.sqlite3_vfs_find.argtypes = [c_char_p]
            library.sqlite3_vfs_register.argtypes = [c_void_p, c_int]
            library.sqlite3_vfs_unregister.argtypes = [c_void_p]
            return library
    return None


@dataclass
class Fault:
    """What happens to one operation: part of it is done, or all, or nothing; then it fails with SQLite's `code`."""

    code: int
    done: float = 0.0


@dataclass
class Platter:
    """A file as the disk has it: what was synced, and what was written since, in order."""

    synced: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(
        default_factory=list
    )  # an offset and bytes, or a new length

    def sync(self) -> None:
        for change in self.pending:
            _apply(self.synced, *change)
        self.pending.clear()

    def after_power_loss(self, chance: random.Random) -> bytes:
        """Return what may be left: any of the sectors that were not synced may have come to the disk, or not."""
        left = bytearray(self.synced)
        for at, data in self.pending:
            if data is None:
                if chance.random() < 0.5:
                    _apply(left, at, None)
                continue
            for start in range(0, len(data), SECTOR):
                if chance.random() < 0.5:
                    _apply(left, at + start, data[start : start + SECTOR])
        return bytes(left)


def _apply(content: bytearray, at: int, data: bytes | None) -> None:
    if data is None:
        content[at:] = b""
        return
    if len(content) < at:
        content.extend(bytes(at - len(content)))
    content[at : at + len(data)] = data


class FaultyDisk:
    """Does what it is asked; but each write, truncation and sync is put to `judge` first, which may let it fail."""

    def __init__(self) -> None:
        self.judge: Callable[[str, str], Fault | None] = lambda operation, file: None
        self.platters: dict[str, Platter] = {}
        self._names: dict[int, str] = {}
        self._tables: dict[int, Any] = {}
        self._keep: list[Any] = []

    def write(self, file: int, data: int, amount: int, at: int, real: Any) -> int:
        name, content = self._names[file], ctypes.string_at(data, amount)
        fault = self.judge("write", name)
        done = content if fault is None else content[: int(amount * fault.done)]
        code = real(file, data, len(done), at) if done else _OK
        if done and code == _OK:
            self._platter(name).pending.append((at, done))
        return fault.code if fault else code

    def truncate(self, file: int, size: int, real: Any) -> int:
        name = self._names[file]
        if fault := self.judge("truncate", name):
            return fault.code
        code = int(real(file, size))
        if code == _OK:
            self._platter(name).pending.append((size, None))
        return code

    def sync(self, file: int, flags: int, real: Any) -> int:
        name = self._names[file]
        fault = self.judge("sync", name)
        if fault is None or fault.done:
            code = int(real(file, flags))
            self._platter(name).sync()
            return fault.code if fault else code
        return fault.code

    def _platter(self, name: str) -> Platter:
        return self.platters.setdefault(name, Platter())

    def opened(self, name: str, file: int) -> None:
        """Put our methods in the place of the file's own."""
        self._names[file] = name
        methods = ctypes.cast(file, POINTER(c_void_p))
        own = methods[0]
        if own is None:
            return
        if own not in self._tables:
            table = (c_void_p * _METHODS)(*ctypes.cast(own, POINTER(c_void_p))[:_METHODS])
            for slot, kind, ours in (
                (_WRITE, _WRITES, self.write),
                (_TRUNCATE, _TRUNCATES, self.truncate),
                (_SYNC, _SYNCS, self.sync),
            ):
                real = kind(table[slot])  # type: ignore[arg-type]  # ctypes takes an address
                callback = kind(lambda *given, ours=ours, real=real: ours(*given, real))
                self._keep.append((real, callback))
                table[slot] = ctypes.cast(callback, c_void_p).value
            self._tables[own] = table
        methods[0] = ctypes.addressof(self._tables[own])


@contextmanager
def faulty_disk() -> Iterator[FaultyDisk]:
    """Have all that is opened meanwhile, and closed again, go through a disk that can be told to fail."""
    library, disk = sqlite_library(), FaultyDisk()
    own = library.sqlite3_vfs_find(None)
    wrapped = _Vfs.from_buffer_copy(own.contents)
    open_really = _OPEN(wrapped.xOpen)

    def open_(vfs: int, name: int | None, file: int, flags: int, out: int) -> int:
        code = int(open_really(ctypes.addressof(own.contents), name, file, flags, out))
        if code == _OK:
            disk.opened(Path(ctypes.string_at(name).decode()).name if name else "", file)
        return code

    callback = _OPEN(open_)
    wrapped.xOpen = ctypes.cast(callback, c_void_p).value
    wrapped.zName = b"faulty"
    library.sqlite3_vfs_register(ctypes.addressof(wrapped), 1)
    try:
        yield disk
    finally:
        library.sqlite3_vfs_register(ctypes.addressof(own.contents), 1)
        library.sqlite3_vfs_unregister(ctypes.addressof(wrapped))
