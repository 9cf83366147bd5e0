"""OpenID Connect as far as a relying party has to judge it: metadata of a provider, and what its tokens say (§25)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .canonical import Json
from .errors import Code, Refused
from .ids import Jkt
from .login import Identity, is_subject
from .proof import MARGIN, Proof, is_jti
from .url import Url

LEEWAY = 30
"""Seconds by which the provider's clock may differ from ours (TOKEN-5)."""

_OLDEST = 300
"""Seconds after which a token that was issued for this sign-in is none (OpenID Connect Core §3.1.3.7 rule 10)."""

_BASIC = "client_secret_basic"
_LOGOUT = "http://schemas.openid.net/event/backchannel-logout"


@dataclass(frozen=True, slots=True)
class Metadata:
    """What we need of a provider's metadata (OpenID Connect Discovery §3). `names_itself`: `iss` is in each of its
    answers (RFC 9207). `basic`: a client secret goes into the head of a request, and not into its form."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    names_itself: bool
    basic: bool


def read_metadata(document: Json, issuer: str, local: bool, has_secret: bool = False) -> Metadata:
    """Read the metadata of this issuer; Refused(sign_in_failed) for another's, or where a sign-in could not work.

    `has_secret`: we authenticate by a client secret, and else by our key.
    """
    match document:
        case {
            "issuer": str(named),
            "authorization_endpoint": str(authorization),
            "token_endpoint": str(token),
            "jwks_uri": str(jwks),
            **rest,
        } if named == issuer:
            pass
        case _:
            raise refused(f"its metadata are not those of {issuer}")
    userinfo = rest.get("userinfo_endpoint")
    try:
        for url in (authorization, token, jwks, *([userinfo] if isinstance(userinfo, str) else [])):
            Url.parse(url, local)
    except ValueError as error:
        raise refused(f"one of its addresses cannot be used: {error}") from error
    if "S256" not in _strings(rest.get("code_challenge_methods_supported", ["S256"])):
        raise refused("it does not take S256")
    ours = (_BASIC, "client_secret_post") if has_secret else ("private_key_jwt",)
    taken = _strings(rest.get("token_endpoint_auth_methods_supported", [ours[0]]))
    if not set(ours).intersection(map(str, taken)):
        cure = "" if has_secret else "; get a client secret there, and say where it is, by client_secret_file"
        raise refused(f"it does not take {' or '.join(ours)}{cure}")
    return Metadata(
        authorization,
        token,
        jwks,
        userinfo if isinstance(userinfo, str) else None,
        rest.get("authorization_response_iss_parameter_supported") is True,
        _BASIC in taken,
    )


def _strings(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else ()


def identity_of(claims: Mapping[str, Json], issuer: str, client_id: str, nonce: str, now: int) -> Identity:
    """Judge the claims of an ID Token whose signature was checked (OPENID-3); Refused(sign_in_failed).

    The identity is `iss` and `sub` together, with a space between (OPENID-2).
    """
    _check_from(claims, issuer, client_id, now)
    match claims:
        case {"sub": sub, "nonce": str(said)} if is_subject(sub) and said == nonce:
            pass
        case _:
            raise refused("sub is not an id of at most 255 characters, or nonce is another")
    if claims.get("azp", client_id) != client_id:
        raise refused("azp is another client")
    auth_time, sid, ends_at = claims.get("auth_time", 0), claims.get("sid"), claims.get("session_expiry")
    if type(auth_time) is not int or auth_time > now + LEEWAY:
        raise refused("auth_time is in the future", now=now)
    if not (sid is None or is_subject(sid)) or not (ends_at is None or type(ends_at) is int):
        raise refused("sid is an id, and session_expiry a number of seconds, if they are there")
    return Identity(f"{issuer} {sub}", name_in(claims) or "", auth_time, sid and f"{issuer} {sid}", ends_at)


def name_in(claims: Mapping[str, Json]) -> str | None:
    """Return the name to show that claims have, if they have one."""
    found = (claims.get(each) for each in ("name", "preferred_username"))
    return next((each for each in found if isinstance(each, str) and each.strip()), None)


def _check_from(claims: Mapping[str, Json], issuer: str, audience: str, now: int) -> None:
    if claims.get("iss") != issuer or claims.get("aud") not in (audience, [audience]):
        raise refused(f"iss has to be {issuer}, and aud {audience} alone")
    match claims.get("iat"), claims.get("exp"):
        case int(iat), int(exp) if now - _OLDEST - LEEWAY < iat <= now + LEEWAY and now < exp + LEEWAY:
            return
    raise refused("iat and exp have to be there, and around now", now=now)


@dataclass(frozen=True, slots=True)
class Ended:
    """What a logout token says has ended: a session of the login, or all of a user, each as we name them; and what
    makes it good once."""

    sid: str | None
    external_id: str | None
    proof: Proof


def ended_by(claims: Mapping[str, Json], issuer: str, audience: str, now: int) -> Ended:
    """Judge the claims of a logout token whose signature was checked (SIGNIN-7); Refused(sign_in_failed).

    OpenID Connect Back-Channel Logout §2.6. `sub` is as the token has it; the caller knows whose that is.
    """
    _check_from(claims, issuer, audience, now)
    match claims:
        case {"events": {**events}, "jti": jti} if isinstance(events.get(_LOGOUT), dict) and is_jti(jti):
            pass
        case _:
            raise refused("events has to name the logout, with a jti")
    sid, sub = claims.get("sid"), claims.get("sub")
    if (
        "nonce" in claims
        or not all(each is None or is_subject(each) for each in (sid, sub))
        or sid is sub is None
    ):
        raise refused("there has to be sid or sub, and no nonce")
    proof = Proof(Jkt(issuer), f"logout {jti}", now + _OLDEST + 2 * LEEWAY + MARGIN)
    return Ended(f"{issuer} {sid}" if sid is not None else None, str(sub) if sub is not None else None, proof)


def refused(reason: str, **facts: object) -> Refused:
    """Refuse what a provider, or the site in its place, has said."""
    return Refused(Code.SIGN_IN_FAILED, f"The site's login is not as it has to be: {reason}.", **facts)
