"""Who wraps the key of the vault, so that a copy of the vault alone opens nothing (SEAL-2)."""

import os
import secrets
import time
from pathlib import Path
from typing import Protocol

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..private import replace_private
from ..protocol.canonical import b64u, unb64u
from ..service.faults import Locked

FILE = "wrapping.json"
"""Where the wrapping keys lie if nothing else was said: in the folder of the database."""
_BYTES = 32
_NONCE = 12


class Wrapping(Protocol):
    """Wraps a few bytes under a wrapping key that lies elsewhere; each generation has a wrapping key of its own."""

    def wrap(self, generation: int, key: bytes) -> bytes:
        """Wrap under the key of a new generation, which is made, to the disk, if it is not there; Locked."""

    def unwrap(self, generation: int, wrapped: bytes) -> bytes:
        """Return what was wrapped for this generation; Locked if that cannot be."""

    def destroy(self, generation: int) -> None:
        """Destroy the wrapping key of a generation for good, if it is there; Locked."""


class FileWrapping:
    """Wrapping keys in a private file of their own. One process at a time changes it: who writes to the vault."""

    def __init__(self, path: Path) -> None:
        """Take its path; nothing is read yet."""
        self.path = path

    def wrap(self, generation: int, key: bytes) -> bytes:
        """Wrap under the key of this generation (`Wrapping`). One that is left of a try before is used."""
        keys = self._read() if self.path.exists() else {}
        if generation not in keys:
            keys[generation] = secrets.token_bytes(_BYTES)
            self._write(keys)
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(keys[generation]).encrypt(nonce, key, _about(generation))

    def unwrap(self, generation: int, wrapped: bytes) -> bytes:
        """Return what was wrapped (`Wrapping`)."""
        key = self._read().get(generation)
        if key is None:
            raise Locked("the file of wrapping keys has not the one that is needed", self.path)
        try:
            return AESGCM(key).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], _about(generation))
        except (InvalidTag, ValueError):
            raise Locked("the wrapping key does not fit the users' keys", self.path) from None

    def destroy(self, generation: int) -> None:
        """Take the key out of the file, and overwrite what the file was (`Wrapping`)."""
        keys = self._read()
        if keys.pop(generation, None) is not None:
            self._write(keys)

    def _read(self) -> dict[int, bytes]:
        for tries_left in (2, 1, 0):  # it may be overwritten between opening and reading
            try:
                content = orjson.loads(self.path.read_bytes())
                keys = {int(generation): unb64u(key) for generation, key in content["keys"].items()}
                if any(len(key) != _BYTES for key in keys.values()):
                    raise ValueError("no key")
                return keys
            except FileNotFoundError:
                raise Locked("the file of wrapping keys is missing", self.path) from None
            except OSError as error:
                raise Locked(
                    f"the file of wrapping keys cannot be read: {error.strerror}", self.path
                ) from error
            except (ValueError, TypeError, LookupError, AttributeError):
                if tries_left:
                    time.sleep(0.01)  # the other one overwrites after it has put the new one in place
        raise Locked("the file of wrapping keys is damaged", self.path)

    def _write(self, keys: dict[int, bytes]) -> None:
        content = {"v": 1, "keys": {str(generation): b64u(key) for generation, key in sorted(keys.items())}}
        real = self.path.resolve()  # a link is not replaced, but what it leads to
        try:
            before = os.open(real, os.O_RDWR) if real.exists() else None
            try:
                replace_private(real, orjson.dumps(content, option=orjson.OPT_INDENT_2))
                _sync(real.parent)
                if before is not None:
                    os.pwrite(before, bytes(os.fstat(before).st_size), 0)
                    os.fsync(before)
            finally:
                if before is not None:
                    os.close(before)
        except OSError as error:
            raise Locked(
                f"the file of wrapping keys cannot be written: {error.strerror}", self.path
            ) from error


def _about(generation: int) -> bytes:
    return b"deputize vault %d" % generation


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
