"""What is kept of a user lies sealed under his key: which columns, under whose, and about which row (KEEP-4)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..protocol.ids import UserId
from .user_keys import UserKey, UserKeys

Column = tuple[Callable[[Any], object], Callable[[Any], object]]
"""How a field becomes what is written, and back."""


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


def key_of(keys: UserKeys, owner: UserId | None, until: int = 0) -> UserKey | None:
    """Return the key of whoever owns a row, of nobody's that of its hour; None once it is destroyed."""
    return keys.of(owner) if owner is not None else keys.until(until)


def about(column: str, key: str) -> bytes:
    """Name one place in the database, by `table.column` and the row's key: what was sealed for it opens in no other."""
    return f"{column} {key}".encode()
