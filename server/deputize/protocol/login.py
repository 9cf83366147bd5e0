"""The site's own login, where an authority that stands alone learns from it who its users are (PROTOCOL §25)."""

import re
from dataclasses import dataclass
from typing import TypeGuard

from .jwk import Key
from .proof import Proof
from .value import value

DEPARTURE_LIFETIME = 600
"""Seconds within which a browser has to come back from the site's login (SIGNIN-1)."""

_ID = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Tickets:
    """A page of the site, `where`, that answers with tickets, which one of `keys` signs (SIGNIN-3)."""

    where: str
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class OpenId:
    """An OpenID provider of the site, `where` being its issuer, that knows us by this `client_id` (OPENID-1).

    The client secret, if it wants one, is in a file or in a variable of the environment, and never in a policy.
    """

    where: str
    client_id: str
    secret_file: str | None = None
    secret_env: str | None = None

    @property
    def has_secret(self) -> bool:
        """Tell whether we prove who we are by a secret, and not by our key."""
        return self.secret_file is not None or self.secret_env is not None


@dataclass(frozen=True, slots=True)
class SiteLogin:
    """Where users sign in. With `passkeys` they may also sign up and in at the authority, by passkey alone."""

    by: Tickets | OpenId
    passkeys: bool = False


@value
class Identity:
    """Who somebody is at the site: its id for him, and a name to show; since when he is signed in there (seconds, 0 if
    that is not known).

    `sid` names his session there, if it has a name, and `ends_at` is the second at which that ends, if it is known.
    """

    external_id: str
    name: str
    auth_time: int
    sid: str | None = None
    ends_at: int | None = None


@value
class Ticket:
    """What a ticket of the site says: who has signed in, and in answer to which state; and what makes it good once."""

    known: Identity
    state: str
    proof: Proof


def is_subject(text: object) -> TypeGuard[str]:
    """Tell whether this can be an id of a user or of a session: 1 to 255 printable ASCII characters, and no space."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None
