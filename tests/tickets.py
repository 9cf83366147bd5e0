"""A site that has a login of its own, and answers with tickets (PROTOCOL §25)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)

from deputize.crypto import jwt
from deputize.crypto.ticket import LOGOUT_TYP, TYP

LOGIN = "/login/deputize"


def new_key() -> EllipticCurvePrivateKey:
    return generate_private_key(SECP256R1())


def users_table(
    origin: str, *keys: tuple[EllipticCurvePrivateKey, str | None], passkeys: bool = False
) -> str:
    """Write the table of a policy that takes tickets by these keys."""
    text = f'[users]\nsign_in_uri = "{origin}{LOGIN}"\npasskeys = {str(passkeys).lower()}\n'
    for key, kid in keys:
        jwk = jwt.jwk_of(key.public_key()) | ({"kid": kid} if kid else {})
        text += "[[users.keys]]\n" + "".join(f'{name} = "{value}"\n' for name, value in jwk.items())
    return text


@dataclass
class TicketSite:
    """The site's side: its origin, the authority that its tickets are for, its clock and its key."""

    origin: str
    issuer: str
    clock: Callable[[], float]
    key: EllipticCurvePrivateKey = field(default_factory=new_key)
    serial: "count[int]" = field(default_factory=count)

    @property
    def table(self) -> str:
        return users_table(self.origin, (self.key, "site"))

    def claims(self, state: str, sub: str = "7", **others: Any) -> dict[str, Any]:
        """Say who is signed in, as it should be said; `others` are put in place, and left out where they are None."""
        now = int(self.clock())
        told = {
            "iss": self.origin,
            "aud": self.issuer,
            "sub": sub,
            "name": "Ada Lovelace",
            "iat": now,
            "exp": now + 60,
            "jti": f"ticket-{next(self.serial)}",
            "auth_time": now,
            "state": state,
        }
        return {name: value for name, value in {**told, **others}.items() if value is not None}

    def ticket(self, state: str, sub: str = "7", **others: Any) -> str:
        return jwt.sign(self.claims(state, sub, **others), TYP, "site", self.key)

    def logout(self, **others: Any) -> str:
        """Say that somebody has signed out."""
        now = int(self.clock())
        told = {
            "iss": self.origin,
            "aud": self.issuer,
            "iat": now,
            "exp": now + 120,
            "jti": f"logout-{next(self.serial)}",
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        }
        return jwt.sign({**told, **others}, LOGOUT_TYP, "site", self.key)


def state_in(answer: httpx2.Response) -> str:
    """Return the state that a browser is sent to the site with."""
    (state,) = parse_qs(urlsplit(answer.headers["location"]).query)["state"]
    return state
