"""A provider that does not do as it should, over HTTP (OPENID-1 to OPENID-3)."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tests.bank import POLICY, Bank, opened
from tests.tickets import new_key
from tests.web.agents import LOCAL

from deputize import settings
from deputize.authority.openid import Provider
from deputize.crypto import jwt
from deputize.protocol.canonical import s256
from deputize.protocol.errors import Code, Refused
from deputize.protocol.login import Identity, OpenId
from deputize.testing.server import Site

pytestmark = pytest.mark.anyio
SECRET = bytes(range(32))
NONCE = s256(b"nonce" + SECRET)


@dataclass
class Stranger:
    """What the provider answers, and what it was asked."""

    url: str = ""
    kid: str = "one"
    key: Any = field(default_factory=new_key)
    tokens: dict[str, Any] | None = None
    userinfo: dict[str, Any] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, list[str]]]] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        path, body = request.url.path, (await request.body()).decode()
        self.asked.append((path, request.headers.get("authorization", ""), parse_qs(body)))
        told: Any = {
            "/.well-known/openid-configuration": {
                "issuer": self.url,
                **{
                    f"{each}_endpoint": f"{self.url}/{each}"
                    for each in ("authorization", "token", "userinfo")
                },
                "jwks_uri": f"{self.url}/jwks",
                **self.metadata,
            },
            "/jwks": {"keys": [{**jwt.jwk_of(self.key.public_key()), "kid": self.kid}]},
            "/token": self.tokens,
            "/userinfo": self.userinfo,
        }[path]
        return JSONResponse(told, 400 if told is None else 200)

    def id_token(self, now: float, **others: Any) -> str:
        told = {
            "iss": self.url,
            "aud": "x",
            "sub": "7",
            "nonce": NONCE,
            "iat": int(now),
            "exp": int(now) + 60,
        }
        return jwt.sign({**told, **others}, "JWT", self.kid, self.key)

    def paths(self) -> list[str]:
        return [path for path, *_ in self.asked]


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[Site, list[Stranger]]]:
    now: list[Stranger] = []

    async def answer(request: Request) -> Response:
        return await now[-1].answer(request)

    routes = [Route("/{path:path}", answer, methods=["GET", "POST"])]
    with Site(lambda port: Starlette(routes=routes)) as site:
        yield site, now


@pytest.fixture
def stranger(site: tuple[Site, list[Stranger]]) -> Stranger:
    running, now = site
    now.append(Stranger(running.url))
    return now[-1]


@pytest.fixture
async def bank(tmp_path: Path, stranger: Stranger) -> AsyncIterator[Bank]:
    text = POLICY.replace("https://bank.example", LOCAL)
    text = text.replace("[agents.opaque]", "[agents]\ndevelopment = true\n[agents.opaque]")
    async with opened(settings.loads(text.encode()), tmp_path / "var") as bank:
        stranger.tokens = {"id_token": stranger.id_token(bank.clock()), "access_token": "secret"}
        yield bank


def provider(bank: Bank, stranger: Stranger) -> Provider:
    return Provider(bank.deputize.authority, OpenId(stranger.url, "x"), int(bank.clock()))


async def refused(bank: Bank, stranger: Stranger) -> str:
    with pytest.raises(Refused) as raised:
        await provider(bank, stranger).identity("code", SECRET)
    assert raised.value.refusal.code is Code.SIGN_IN_FAILED
    return raised.value.refusal.detail


async def test_a_code_is_redeemed_with_what_proves_who_asks(bank: Bank, stranger: Stranger) -> None:
    """OPENID-1: PKCE's verifier, and an assertion that is for this provider."""
    stranger.userinfo = {"sub": "7", "name": "Ada"}
    known = await provider(bank, stranger).identity("code", SECRET)
    assert known == Identity(f"{stranger.url} 7", "Ada", 0)
    ((_, _, form),) = [each for each in stranger.asked if each[0] == "/token"]
    (assertion,) = form.pop("client_assertion")
    assert s256(form.pop("code_verifier")[0].encode()) in await provider(bank, stranger).authorization(
        "chl_x", SECRET, anew=False
    )
    assert form == {
        "grant_type": ["authorization_code"],
        "code": ["code"],
        "redirect_uri": [f"{LOCAL}/deputize/account/openid"],
        "client_id": ["x"],
        "client_assertion_type": ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"],
    }
    claims = jwt.verify(assertion, "JWT", bank.deputize.authority.keys.public_key)
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("x", "x", stranger.url)


async def test_a_name_of_somebody_else_is_none(bank: Bank, stranger: Stranger) -> None:
    """OPENID-2; OpenID Connect Core §5.3.2: and one in the ID Token needs no asking."""
    for told in ({"sub": "8", "name": "Eve"}, {"name": "Eve"}, {"sub": "7", "name": 7}):
        stranger.userinfo = told
        assert (await provider(bank, stranger).identity("code", SECRET)).name == ""
    assert ("/userinfo", "Bearer secret", {}) in stranger.asked
    stranger.asked.clear()
    named = stranger.id_token(bank.clock(), name="Ada")
    stranger.tokens = {"id_token": named, "access_token": "secret"}
    assert (await provider(bank, stranger).identity("code", SECRET)).name == "Ada"
    assert "/userinfo" not in stranger.paths()


async def test_a_new_key_is_looked_for_and_not_too_often(bank: Bank, stranger: Stranger) -> None:  # OPENID-3
    stranger.userinfo = {"sub": "7", "name": "Ada"}
    await provider(bank, stranger).identity("code", SECRET)
    stranger.key, stranger.kid = new_key(), "two"
    stranger.tokens = {"id_token": stranger.id_token(bank.clock()), "access_token": "secret"}
    assert "none of its keys" in await refused(bank, stranger)  # it was asked in this second
    assert stranger.paths().count("/jwks") == 1
    bank.clock.forward(11)
    await provider(bank, stranger).identity("code", SECRET)
    assert stranger.paths().count("/jwks") == 2


@pytest.mark.parametrize(
    "tokens", [None, {}, [], {"id_token": 7, "access_token": "x"}, {"id_token": "x"}], ids=str
)
async def test_without_an_id_token_nobody_is_signed_in(bank: Bank, stranger: Stranger, tokens: Any) -> None:
    stranger.tokens = tokens
    await refused(bank, stranger)


async def test_an_id_token_of_another_sign_in_is_none(bank: Bank, stranger: Stranger) -> None:
    """OPENID-3: who has stolen a code has no nonce of this browser's."""
    stolen = stranger.id_token(bank.clock(), nonce=s256(b"another"))
    stranger.tokens = {"id_token": stolen, "access_token": "x"}
    assert "nonce" in await refused(bank, stranger)


async def test_metadata_of_another_are_none_and_are_not_kept(bank: Bank, stranger: Stranger) -> None:
    """OPENID-1: nothing is sent where they lead."""
    stranger.metadata = {"issuer": "https://evil.example"}
    assert "are not those of" in await refused(bank, stranger)
    assert "/token" not in stranger.paths()
    stranger.metadata, stranger.userinfo = {}, {"sub": "7", "name": "Ada"}
    assert (await provider(bank, stranger).identity("code", SECRET)).name == "Ada"
