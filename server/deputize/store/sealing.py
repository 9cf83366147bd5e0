"""What is kept of a user lies sealed under his key: which columns, under whose, and about which row (KEEP-4)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..protocol.ids import UserId
from .user_keys import UserKey, UserKeys

Column = tuple[Callable[[Any], object], Callable[[Any], object]]
"""How a field becomes what is written, and back."""
AS_IT_IS: Column = (lambda value: value, lambda value: value)
"""For what is JSON already."""


@dataclass(frozen=True, slots=True)
class Seal:
    """The fields of a row that lie in one `column`, sealed.

    `under` names the columns of the row's own key, of its owner, and, where it may have none, of the second at which it
    passes. `gone` is what there is in place of these fields, and of others, once the owner's key is destroyed, or they
    are kept no longer; None if the row counts for nothing then. A `keyless` row may be written so from the start: an
    agent goes on calling for who was forgotten, and is refused with a reason.
    """

    under: tuple[str, ...]
    fields: Mapping[str, Column]
    gone: Mapping[str, object] | None
    column: str = "sealed"
    keyless: bool = False


_MOST, _LARGEST = 256, 4096


class Opened:
    """What one connection has sealed or opened last: a call is read again by each step that it takes.

    It is asked with the key in hand, so nothing is found in it of whose key is destroyed. For one thread at a time; at
    most 256 values of 4 KiB.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self._found: dict[bytes, tuple[UserKey, bytes, tuple[Any, ...]]] = {}

    def get(self, sealed: bytes, key: UserKey, place: bytes) -> tuple[Any, ...] | None:
        """Return what lies in these bytes, if it was this key that sealed them for this place."""
        found = self._found.get(sealed)
        return found[2] if found is not None and found[0] is key and found[1] == place else None

    def keep(self, sealed: bytes, key: UserKey, place: bytes, values: tuple[Any, ...]) -> None:
        """Keep it."""
        if len(sealed) > _LARGEST:
            return
        if len(self._found) >= _MOST:
            self._found.clear()  # what is read again is read soon
        self._found[sealed] = key, place, values

    def clear(self) -> None:
        """Forget all of it."""
        self._found.clear()


def key_of(keys: UserKeys, owner: UserId | None, until: int = 0) -> UserKey | None:
    """Return the key of whoever owns a row, of nobody's that of its hour; None once it is destroyed."""
    return keys.of(owner) if owner is not None else keys.until(until)


def about(column: str, key: str) -> bytes:
    """Name one place in the database, by `table.column` and the row's key: what was sealed for it opens in no other."""
    return f"{column} {key}".encode()
