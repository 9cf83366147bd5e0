"""A guard elsewhere knows each key by the time that something is signed with it, whatever it is asked (TOKEN-6)."""

from pathlib import Path

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deputize.crypto.keys import KeyRing
from deputize.guard import HttpRedeemer

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("strangers_from", [*range(10), None])
async def test_no_token_is_turned_away_after_a_rotation(tmp_path: Path, strangers_from: int | None) -> None:
    now = [1_800_000_000.0]
    ring = KeyRing.open(tmp_path / "keys.json", lambda: now[0])

    async def jwks(request: Request) -> Response:
        return JSONResponse(ring.jwks())

    app = Starlette(routes=[Route("/jwks.json", jwks)])
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app))
    guard = HttpRedeemer(
        "https://bank.example", generate_private_key(SECP256R1()), client, clock=lambda: now[0]
    )
    for second in range(60):
        if strangers_from is not None and second >= strangers_from:  # before the honest one, each second
            assert await guard.key_of(f"nobody's {second}") is None
        assert await guard.key_of(ring.signing_key()[0]) is not None
        if second in (8, 30, 33):
            ring.rotate(int(now[0]))
        now[0] += 1
    await guard.aclose()
