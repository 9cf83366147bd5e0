"""Tickets: JWTs by which the site says who has signed in there (SIGNIN-3)."""

from collections.abc import Mapping, Sequence

from ..protocol.canonical import Json
from ..protocol.errors import Code, Refused
from ..protocol.jwk import Key, named, thumbprint
from ..protocol.login import Identity, Ticket, is_subject
from ..protocol.openid import Ended, ended_by
from ..protocol.proof import MARGIN, Proof, is_jti
from . import jwt

TYP = "sign-in-ticket+jwt"
LOGOUT_TYP = "logout+jwt"
LIFETIME = 60
"""Seconds that a ticket may live."""

LEEWAY = 30
"""Seconds by which the site's clock may differ from ours (TOKEN-5)."""


def verify(ticket: str, keys: Sequence[Key], site: str, issuer: str, now: int) -> Ticket:
    """Check that the site has made this ticket, for this authority and just now; Refused(sign_in_failed).

    1. It is a well-formed JWT, signed with ES256 (TOKEN-1), whose `typ` is `sign-in-ticket+jwt`.
    2. `kid` names one of the site's keys, or there is only one of them and no `kid`; the signature is by that key.
    3. `iss` is the origin of the `site`, and `aud` the issuer, as one string.
    4. `iat` and `exp` are there, at most 60 s apart; `exp` has not passed; `iat` has come, and `nbf` if it is there.
       The clocks may differ by 30 s (TOKEN-5).
    5. `jti` is 1 to 128 printable ASCII characters, and `state` a text.
    6. `sub` is the site's id of the user: 1 to 255 printable ASCII characters without a space, and no e-mail address,
       which may be somebody else's one day. `name` is a text.
    7. `auth_time` is there, and is not in the future. `sid` and `session_expiry` may be there.

    The transaction that signs in ensures that state and `jti` are used once.
    """
    claims, key = _signed(ticket, TYP, keys)  # 1, 2
    if claims.get("iss") != site or claims.get("aud") != issuer:  # 3
        raise _refused(f"iss has to be {site}, and aud {issuer}, one string")
    exp, jti, state = claims.get("exp"), claims.get("jti"), claims.get("state")
    _check_dates(claims, now)  # 4
    if not is_jti(jti) or not isinstance(state, str):  # 5
        raise _refused("jti has to be 1 to 128 printable characters, and state the one in the address")
    assert isinstance(exp, int)
    proof = Proof(thumbprint(key.jwk), f"ticket {jti}", exp + LEEWAY + MARGIN)
    return Ticket(_identity(claims, now), state, proof)


def ended(token: str, keys: Sequence[Key], site: str, issuer: str, now: int) -> Ended:
    """Check a logout token of the site, which is as those of OpenID providers are (SIGNIN-7); Refused(sign_in_failed).

    `iss` is the origin of the `site`, and `aud` the issuer.
    """
    claims, _ = _signed(token, LOGOUT_TYP, keys)
    return ended_by(claims, site, issuer, now)


def _signed(token: str, typ: str, keys: Sequence[Key]) -> tuple[Mapping[str, Json], Key]:
    unverified = jwt.parse(token, code=Code.SIGN_IN_FAILED)
    if unverified.header.get("typ") != typ:
        raise _refused(f"its typ has to be {typ}")
    key = named(keys, unverified.header.get("kid"))
    if key is None:
        raise _refused("kid has to name one of the keys in [users]")
    return jwt.check(unverified, jwt.public_key(key.x, key.y or ""), code=Code.SIGN_IN_FAILED), key


def _check_dates(claims: Mapping[str, Json], now: int) -> None:
    match claims:
        case {"iat": int(iat), "exp": int(exp)} if (
            max(iat, _nbf(claims)) - LEEWAY <= now < exp + LEEWAY and 0 < exp - iat <= LIFETIME
        ):
            return
    raise _refused(f"iat and exp have to be there, around now and at most {LIFETIME} seconds apart", now=now)


def _nbf(claims: Mapping[str, Json]) -> int:
    nbf = claims.get("nbf")
    return nbf if isinstance(nbf, int) else 0


def _identity(claims: Mapping[str, Json], now: int) -> Identity:
    match claims:
        case {"sub": sub, "name": str(name), "auth_time": int(auth_time)} if (
            is_subject(sub) and "@" not in sub and auth_time <= now + LEEWAY
        ):
            pass
        case _:
            raise _refused(
                "sub has to be the site's own id of the user, no e-mail address, with a name, and auth_time not later "
                "than now",
                now=now,
            )
    sid, ends_at = claims.get("sid"), claims.get("session_expiry")
    if not (sid is None or is_subject(sid)) or not (ends_at is None or type(ends_at) is int):
        raise _refused("sid is an id, and session_expiry a number of seconds, if they are there")
    return Identity(sub, name, auth_time, sid and f"{claims['iss']} {sid}", ends_at)


def _refused(reason: str, **facts: object) -> Refused:
    return Refused(Code.SIGN_IN_FAILED, f"The ticket is not good: {reason}.", **facts)
