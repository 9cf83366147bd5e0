"""Who wraps the key of the vault, so that a copy of the vault alone opens nothing (SEAL-2)."""

import os
import secrets
import time
from pathlib import Path
from typing import Protocol

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..alone import alone_in
from ..private import replace_private
from ..protocol.canonical import b64u, unb64u
from ..service.faults import Locked

FILE = "wrapping.json"
"""Where the wrapping keys lie if nothing else was said: in the folder of the database."""
_BYTES = 32
_NONCE = 12


class Wrapping(Protocol):
    """Wraps a few bytes under wrapping keys that lie elsewhere, each of a name that no other one has anywhere."""

    def wrap(self, name: str, key: bytes) -> bytes:
        """Wrap under the key of this name, which is made, durably, if there is none; Locked."""

    def unwrap(self, name: str, wrapped: bytes) -> bytes:
        """Return what was wrapped under the key of this name; Locked if that cannot be."""

    def require(self, name: str) -> None:
        """Locked if the key of this name is missing, as far as that can be told at no cost."""

    def destroy(self, name: str) -> None:
        """Destroy the key of this name for good, if there is one; Locked."""


class FileWrapping:
    """Wrapping keys in a private file of their own."""

    def __init__(self, path: Path) -> None:
        """Take its path; nothing is read yet."""
        self.path = path

    def wrap(self, name: str, key: bytes) -> bytes:
        """Wrap under the key of this name (`Wrapping`)."""
        try:
            with alone_in(self.path.resolve().parent) as folder:
                keys = self._read() if self.path.exists() else {}
                if name not in keys:
                    keys[name] = secrets.token_bytes(_BYTES)
                    self._write(keys, folder)
        except OSError as error:
            raise self._unusable(error) from error
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(keys[name]).encrypt(nonce, key, name.encode())

    def unwrap(self, name: str, wrapped: bytes) -> bytes:
        """Return what was wrapped (`Wrapping`)."""
        self.require(name)
        try:
            return AESGCM(self._read()[name]).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], name.encode())
        except (InvalidTag, ValueError, LookupError):
            raise Locked("the wrapping key does not fit the users' keys", self.path) from None

    def require(self, name: str) -> None:
        """See that the key of this name is there (`Wrapping`)."""
        if name not in self._read():
            raise Locked("the file of wrapping keys has not the one that is needed", self.path)

    def destroy(self, name: str) -> None:
        """Take the key out of the file, and overwrite what the file was (`Wrapping`)."""
        try:
            with alone_in(self.path.resolve().parent) as folder:
                keys = self._read()
                if keys.pop(name, None) is not None:
                    self._write(keys, folder)
        except OSError as error:
            raise self._unusable(error) from error

    def _read(self) -> dict[str, bytes]:
        for tries_left in (2, 1, 0):
            try:
                content = orjson.loads(self.path.read_bytes())
                keys = {str(name): unb64u(key) for name, key in content["keys"].items()}
                if content["v"] != 1 or any(len(key) != _BYTES for key in keys.values()):
                    raise ValueError("not what was written here")
                return keys
            except FileNotFoundError:
                raise Locked("the file of wrapping keys is missing", self.path) from None
            except OSError as error:
                raise self._unusable(error) from error
            except (ValueError, TypeError, LookupError, AttributeError):
                if tries_left:
                    time.sleep(0.01)  # it was replaced, and overwritten, between opening and reading
        raise Locked("the file of wrapping keys is damaged", self.path)

    def _write(self, keys: dict[str, bytes], folder: int) -> None:
        content = {"v": 1, "keys": {name: b64u(key) for name, key in keys.items()}}
        real = self.path.resolve()  # a link is not replaced, but what it leads to
        before = os.open(real, os.O_RDWR) if real.exists() else None
        try:
            replace_private(real, orjson.dumps(content, option=orjson.OPT_INDENT_2))
            os.fsync(folder)
            if before is not None:
                os.pwrite(before, bytes(os.fstat(before).st_size), 0)
                os.fsync(before)
        finally:
            if before is not None:
                os.close(before)

    def _unusable(self, error: OSError) -> Locked:
        return Locked(f"the file of wrapping keys cannot be used: {error.strerror}", self.path)
