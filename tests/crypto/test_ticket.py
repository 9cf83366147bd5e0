"""Tickets of the site: what each claim has to be (SIGNIN-3)."""

import hmac
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from tests.tickets import TicketSite, new_key

from deputize.crypto import jwt, ticket
from deputize.protocol.canonical import b64u
from deputize.protocol.errors import Code, Refused
from deputize.protocol.jwk import Key
from deputize.protocol.login import Identity, Ticket

NOW = 1_800_000_000
SITE, ISSUER = "https://bank.example", "https://auth.bank.example"


@pytest.fixture(scope="module")
def site() -> TicketSite:
    return TicketSite(SITE, ISSUER, lambda: NOW)


def keys_of(*sites: tuple[TicketSite, str | None]) -> list[Key]:
    jwks = [(jwt.jwk_of(each.key.public_key()), kid) for each, kid in sites]
    return [Key(str(jwk["x"]), str(jwk["y"]), kid) for jwk, kid in jwks]


def verified(site: TicketSite, text: str, now: int = NOW) -> Ticket:
    return ticket.verify(text, keys_of((site, "site")), SITE, ISSUER, now)


def refused(site: TicketSite, text: str, now: int = NOW) -> str:
    with pytest.raises(Refused) as raised:
        verified(site, text, now)
    assert raised.value.refusal.code is Code.SIGN_IN_FAILED
    return raised.value.refusal.detail


def test_says_who_has_signed_in(site: TicketSite) -> None:
    told = verified(site, site.ticket("chl_x", sid="s1", session_expiry=NOW + 9, auth_time=NOW - 5))
    assert told.known == Identity("7", "Ada Lovelace", NOW - 5, f"{SITE} s1", NOW + 9)
    assert told.state == "chl_x"
    assert verified(site, site.ticket("x")).known.sid is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://evil.example"},
        {"iss": f"{SITE}/"},
        {"aud": "https://auth.other.example"},  # one that is meant for another authority of the same site
        {"aud": [ISSUER]},
        {"aud": f"{ISSUER}/mcp"},
        {"aud": SITE},
        {"sub": "ada@bank.example"},
        {"sub": ""},
        {"sub": "a b"},
        {"sub": "x" * 256},
        {"sub": "ö"},
        {"sub": 7},
        {"name": 7},
        {"auth_time": NOW + 31},
        {"auth_time": True},
        {"auth_time": "now"},
        {"auth_time": NOW + 0.5},
        {"jti": ""},
        {"jti": "x" * 129},
        {"state": 7},
        {"sid": "a b"},
        {"sid": 7},
        {"session_expiry": "soon"},
        {"session_expiry": True},
        {"nbf": NOW + 31},
        *({name: None} for name in ("iss", "aud", "sub", "name", "iat", "exp", "jti", "auth_time", "state")),
    ],
    ids=str,
)
def test_each_claim_has_to_be_right(site: TicketSite, wrong: dict[str, Any]) -> None:
    refused(site, site.ticket(**{"state": "chl_x", **wrong}))


@pytest.mark.parametrize(
    ("iat", "exp", "good"),
    [
        (NOW, NOW + 60, True),
        (NOW, NOW + 61, False),
        (NOW - 89, NOW - 29, True),  # 30 s for clocks that differ
        (NOW - 90, NOW - 30, False),
        (NOW + 30, NOW + 90, True),
        (NOW + 31, NOW + 91, False),
        (NOW, NOW, False),
        (NOW + 1, NOW, False),
    ],
)
def test_lives_sixty_seconds(site: TicketSite, iat: int, exp: int, good: bool) -> None:
    text = site.ticket("chl_x", iat=iat, exp=exp)
    if good:
        verified(site, text)
    else:
        refused(site, text)


def test_is_of_its_own_type(site: TicketSite) -> None:
    """A token that the same key has signed for something else is none: a guard's proof, a logout token."""
    for typ in ("JWT", "dpop+jwt", "logout+jwt", "application/sign-in-ticket+jwt", ""):
        refused(site, jwt.sign(site.claims("chl_x"), typ, "site", site.key))


def test_is_signed_by_a_key_of_the_site(site: TicketSite) -> None:
    claims = site.claims("chl_x")
    refused(site, jwt.sign(claims, ticket.TYP, "site", new_key()))
    refused(site, jwt.sign(claims, ticket.TYP, "other", site.key))
    public = site.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for alg, signature in (("none", b""), ("HS256", b"x" * 32), ("HS256", b"x" * 64)):
        header = b64u(orjson.dumps({"typ": ticket.TYP, "kid": "site", "alg": alg}))
        signing_input = f"{header}.{b64u(orjson.dumps(claims))}"
        if len(signature) == 32:
            signature = hmac.digest(public, signing_input.encode(), "sha256")
        refused(site, f"{signing_input}.{b64u(signature)}")


def test_of_several_keys_kid_names_one(site: TicketSite) -> None:
    other = TicketSite(SITE, ISSUER, lambda: NOW)
    both = keys_of((site, "one"), (other, "two"))
    for each, kid, good in ((site, "one", True), (other, "two", True), (site, "two", False)):
        text = jwt.sign(each.claims("x"), ticket.TYP, kid, each.key)
        if good:
            ticket.verify(text, both, SITE, ISSUER, NOW)
        else:
            with pytest.raises(Refused):
                ticket.verify(text, both, SITE, ISSUER, NOW)
