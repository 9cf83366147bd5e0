"""The site's own login, where an authority that stands alone learns from it who its users are (PROTOCOL §25)."""

import re
from dataclasses import dataclass
from typing import TypeGuard

from .jwk import Key
from .value import value

DEPARTURE_LIFETIME = 600
"""Seconds within which a browser has to come back from the site's login (SIGNIN-1)."""

_ID = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class SiteLogin:
    """Where users sign in: at the site's page `sign_in_uri`, which answers with tickets that one of `keys` signs.

    With `passkeys` they may also sign up and in at the authority, by passkey alone.
    """

    sign_in_uri: str
    keys: tuple[Key, ...] = ()
    passkeys: bool = False


@value
class Identity:
    """Who somebody is at the site: its id for him, and a name to show; since when he is signed in there (seconds).

    `sid` names his session there, if it has a name, and `ends_at` is the second at which that ends, if it is known.
    """

    external_id: str
    name: str
    auth_time: int
    sid: str | None = None
    ends_at: int | None = None


def is_subject(text: object) -> TypeGuard[str]:
    """Tell whether this can be an id of a user or of a session: 1 to 255 printable ASCII characters, and no space."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None
