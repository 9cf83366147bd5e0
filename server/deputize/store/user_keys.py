"""The keys under which it is kept what is kept of people: one for each user, apart from the data (SEAL-1)."""

import hmac
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import RLock
from typing import TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..protocol.ids import UserId
from ..service.faults import KeysMissing, Locked
from ..service.ports import WhoseKeys
from .vault import Vault
from .vault_settings import Configured, Settings
from .wrapping import Wrapping

REMEMBERED = 10_000
"""Keys that a process has in memory at most."""
LOOKED = 0.1
"""Seconds for which a key that is in memory is used without a look whether another process has destroyed it."""
HOUR = 3600
OVER = 2 * HOUR
"""Seconds after its end when the key of an hour is destroyed."""

_SEALED = b"\x01"
_NONCE = 12

K = TypeVar("K")
V = TypeVar("V")


class UserKey:
    """The key of one user, for what is kept of him."""

    __slots__ = ("_aead", "_digests")

    def __init__(self, key: bytes) -> None:
        """Take 32 random bytes; what seals, and what makes digests, is derived from them."""
        self._aead = AESGCM(hmac.digest(key, b"deputize seal", "sha256"))
        self._digests = hmac.digest(key, b"deputize digest", "sha256")

    def seal(self, plain: bytes, about: bytes) -> bytes:
        """Encrypt by AES-256-GCM. `about` says which row it is for: it is authenticated, and has to be said again."""
        nonce = os.urandom(_NONCE)
        return _SEALED + nonce + self._aead.encrypt(nonce, plain, about)

    def open(self, sealed: bytes, about: bytes) -> bytes:
        """Return what was sealed; ValueError if it is not what this key has sealed about that."""
        start = len(_SEALED)
        if sealed[:start] != _SEALED:
            raise ValueError("not sealed in a way that is known here")
        try:
            return self._aead.decrypt(sealed[start : start + _NONCE], sealed[start + _NONCE :], about)
        except (InvalidTag, ValueError):  # of another nonce than there can be
            raise ValueError("not what this key has sealed about that") from None

    def digest(self, value: bytes) -> bytes:
        """Return 32 bytes by which a value is found again, and guessed by nobody who has not the key."""
        return hmac.digest(self._digests, value, "sha256")


class UserKeys:
    """The keys of users in a file of their own, each wrapped. Opened, or made, at first need.

    For several threads, and several processes at once on one file. What keeps it from being used is Locked.
    """

    def __init__(self, path: Path, wrapped_by: Wrapping, new: bool = True) -> None:
        """Take where it lies and what wraps it. Unless it may be `new`, it is there, or it was lost."""
        self.path = path
        self._wrapping = wrapped_by
        self._new = new
        self._lock = RLock()
        self._vault: Vault | None = None
        self._users: dict[UserId, UserKey] = {}
        self._hours: dict[int, UserKey] = {}
        self._externals: dict[str, UserId] = {}
        self._looked_at = float("-inf")

    @classmethod
    def beside(cls, database: Path) -> "UserKeys":
        """Return those of a database, at their default place or where its folder says; Locked if nobody can tell."""
        folder = database.parent
        return cls(Settings.read(folder).keys, Configured(folder))

    def make(self, user_id: UserId, external_id: str | None = None) -> UserKey:
        """Make the key of a new user; durable when it returns.

        An id at the site's login that another user has here goes over to this one: whoever calls has made sure that
        nobody has it, but for a sign-up that was rolled back.
        """
        self.make_missing({user_id: external_id})
        self._looked_at = float("-inf")  # another process may have destroyed it a moment ago
        made = self.of(user_id)
        if made is None:
            raise Locked("the key of this user was destroyed, and is not made again")
        return made

    def make_missing(self, users: Mapping[str, str | None]) -> int:
        """Make the keys of many, with their ids at the site's login, in one step; return how many had none.

        Whose key was destroyed gets no other.
        """
        with self._lock:
            self._externals.clear()  # they may go over
            return self._opened().make(users)

    def of(self, user_id: UserId) -> UserKey | None:
        """Return the key of a user; None if it was destroyed, or never made. Locked where there is no file of keys."""
        if time.monotonic() - self._looked_at < LOOKED and (known := self._users.get(user_id)) is not None:
            return known
        with self._lock:
            self._look()
            known = self._users.get(user_id)
            if known is None and (key := self._existing().key_of(user_id)):
                known = _remember(self._users, user_id, UserKey(key))
            return known

    def until(self, moment: int) -> UserKey | None:
        """Return the key for what passes at a moment, in seconds since the epoch; None once it was destroyed."""
        hour = moment // HOUR
        if time.monotonic() - self._looked_at < LOOKED and (known := self._hours.get(hour)) is not None:
            return known
        with self._lock:
            self._look()
            known = self._hours.get(hour)
            if known is None and (key := self._opened().key_of_hour(hour)):
                known = _remember(self._hours, hour, UserKey(key))
            return known

    def user_of(self, external_id: str) -> UserId | None:
        """Return whose id at the site's login that is, as it is now; only a keyed digest of it is in the file."""
        with self._lock:
            self._look()
            known = self._externals.get(external_id)
            if known is None and (vault := self._found()) and (found := vault.user_of(external_id)):
                known = _remember(self._externals, external_id, found)
            return known

    def destroy(self, user_id: UserId) -> None:
        """Destroy the key of a user for good, durably; a tombstone stays. Again is as good as once."""
        with self._lock:
            self._externals.clear()
            self._opened().destroy(user_id)
            self._users.pop(user_id, None)

    def destroyed(self) -> frozenset[UserId]:
        """Return those whose keys were destroyed."""
        with self._lock:
            vault = self._found()
            return vault.destroyed() if vault else frozenset()

    def sweep(self, now: int, archived: int | None = None) -> None:
        """Destroy the keys of the hours that ended long enough ago, and renew what wraps (SEAL-4).

        Every half of the seconds `archived` all keys are wrapped anew, and as long after it the wrapping key of before
        is destroyed: no copy of the file opens for longer than that. Without it, they stay as they are. What takes long
        is waited for by nobody else.
        """
        with self._lock:
            if (vault := self._found()) is None:
                return
            first = (now - OVER) // HOUR
            vault.sweep(first)
            for hour in [hour for hour in self._hours if hour < first]:
                del self._hours[hour]
            before = None if archived is None else now - archived // 2
            due = before is not None and (vault.made_at() <= before or bool(vault.replaced(before)))
            if not due and not vault.is_behind:
                return

        def renew(vault: Vault) -> None:
            if before is not None:
                if vault.made_at() <= before:
                    vault.rotate(now)
                vault.destroy_replaced(before)

        self._renew(renew)

    def rotate(self, now: int) -> None:
        """Wrap all keys anew, under a new wrapping key. The one of before opens copies until `sweep` destroys it."""
        self._renew(lambda vault: vault.rotate(now))

    def _renew(self, renew: Callable[[Vault], None]) -> None:
        fresh = Vault(self.path, self._wrapping, new=False)  # a command of the owner's may take its time
        try:
            renew(fresh)
        except BaseException:
            fresh.close()
            raise
        with self._lock:
            if self._vault is not None:
                self._vault.close()
            self._vault = fresh
            self._forget()

    def require(self) -> None:
        """Locked if keys could not be had, or made, now; a file that is to be made yet is no fault."""
        with self._lock:
            self._look()
            self._found()

    def wrapping_fault(self) -> Locked | None:
        """Return why what wraps the keys would not open them at the next start, as far as that is told at no cost.

        None where nothing is wrong with it, and where no keys are open (`require`).
        """
        with self._lock:
            if self._vault is None:
                return None
            try:
                name = self._vault.name()
            except Locked:  # of the file of keys itself, of which `require` tells
                return None
        try:
            self._wrapping.require(name)
        except Locked as locked:
            return locked
        return None

    def compared(self, users: Mapping[str, bool]) -> WhoseKeys:
        """Compare users with the keys; True is of whom nobody forgets now. From now on no file of keys is made."""
        with self._lock:
            stay = [UserId(user_id) for user_id, stays in users.items() if stays]
            if users:
                self._new = False
            elif self._found() is None:
                return WhoseKeys(0)
            if self._vault is None and not self.path.exists():
                return WhoseKeys(len(stay), lost=tuple(stay))
            keyed, destroyed = self._opened().known()
            lost = tuple(user_id for user_id in stay if user_id not in keyed and user_id not in destroyed)
            left = tuple(UserId(user_id) for user_id in keyed if user_id not in users)
            return WhoseKeys(
                len(stay), lost, tuple(user_id for user_id in stay if user_id in destroyed), left
            )

    def close(self) -> None:
        """Close the file, and forget what was read of it."""
        with self._lock:
            if self._vault is not None:
                self._vault.close()
                self._vault = None
            self._forget()

    def _look(self) -> None:
        """Forget what is in memory and another process has destroyed."""
        if self._vault is not None and (gone := self._vault.news()) is not None:
            self._hours.clear()
            self._externals.clear()
            for user_id in gone:
                self._users.pop(user_id, None)
        self._looked_at = time.monotonic()

    def _forget(self) -> None:
        self._users.clear()
        self._externals.clear()
        self._hours.clear()

    def _found(self) -> Vault | None:
        """Return the vault; None if there is none yet, and that may be."""
        if self._vault is None and self._new and not (self.path.exists() and self.path.stat().st_size):
            return None
        return self._opened()

    def _existing(self) -> Vault:
        if (vault := self._found()) is None:
            raise KeysMissing(self.path)
        return vault

    def _opened(self) -> Vault:
        if self._vault is None:
            self._vault = Vault(self.path, self._wrapping, self._new)
        return self._vault


def _remember(known: dict[K, V], name: K, value: V) -> V:
    if len(known) >= REMEMBERED:
        known.pop(next(iter(known)))
    known[name] = value
    return value
