"""What the guard for ASGI apps without visible routes does beyond `tests/vectors/guard.json` (GUARD-9, GUARD-10)."""

from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from starlette.types import Message, Receive, Scope, Send

from deputize.crypto import jwt
from deputize.guard.asgi import GuardMiddleware, guarded_call
from deputize.guard.start import Unguarded
from deputize.guard.wsgi import CALL
from deputize.settings import loads

pytestmark = pytest.mark.anyio

POLICY = """
[site]
name = "Bank"
origin = "https://bank.example"
[api]
elsewhere = true
keys = [{{ kty = "EC", crv = "P-256", x = "{x}", y = "{y}" }}]
[scopes."pay"]
title = "Pay"
[tools.pay]
scopes = ["pay"]
endpoint = "POST /api/payments"
"""


class Site:
    """An app that notes what came to it."""

    def __init__(self, more_of_tool: str = "", **more: Any) -> None:
        self.came: list[Scope] = []
        key = generate_private_key(SECP256R1())
        policy = POLICY.format_map(jwt.jwk_of(key.public_key())) + more_of_tool
        self.app = GuardMiddleware(self.run, loads(policy.encode()), key, **more)

    async def run(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.came.append(scope)
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ran"})

    async def post(self, path: str, root_path: str = "", **headers: str) -> httpx2.Response:
        transport = httpx2.ASGITransport(self.app, root_path=root_path)
        async with httpx2.AsyncClient(transport=transport, base_url="https://api.example") as client:
            return await client.post(path, headers=headers)


async def test_a_prefix_is_what_its_owner_says_and_never_what_a_request_says() -> None:
    mounted, bare = Site(root_path="/shop"), Site()
    for site, root_path in ((mounted, ""), (mounted, "/other"), (bare, "/api")):
        answer = await site.post("/elsewhere", root_path)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
        assert site.came == []
    assert (await mounted.post("/elsewhere", "/shop")).text == "ran"


async def test_what_an_app_makes_an_endpoint_of_by_the_prefix_is_refused() -> None:
    """Servers put the prefix before the path, or do not; Django takes it off where it is."""
    for root_path, path in (("/shop", "/shop/api/payments"), ("/api", "/payments"), ("/api", "/Payments/")):
        site = Site(root_path=root_path)
        answer = await site.post(path, root_path)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
        assert site.came == []


async def test_an_argument_in_the_path_that_is_not_utf_8_is_refused() -> None:
    """Of what cannot be decoded one sign is left: whoever approves that would approve any of it."""
    site = Site("""
[tools.read]
scopes = ["pay"]
endpoint = "POST /api/payments/{name}"
input_schema = { type = "object", required = ["name"], properties = { name = { type = "string" } } }
""")
    for path, code in (("/api/payments/%FF", "invalid_request"), ("/api/payments/a", "missing_call_token")):
        assert (await site.post(path)).json()["code"] == code
    assert site.came == []


@pytest.mark.parametrize("header", ["x-http-method-override", "x-http-method", "x-method-override"])
async def test_a_method_in_a_header_is_refused_beside_a_guarded_address_only(header: str) -> None:
    site = Site()
    assert (await site.post("/api/Payments/", **{header: "POST"})).json()["code"] == "invalid_request"
    assert site.came == []
    assert (await site.post("/else", **{header: "PUT"})).text == "ran"


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
async def test_what_is_no_request_passes_untouched(kind: str) -> None:
    site = Site()

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        raise AssertionError

    scope = {"type": kind, "path": "/api/payments"}
    await site.app(scope, receive, send)
    assert site.came == [scope]


async def test_a_call_that_a_scope_has_from_before_is_none_of_this_request() -> None:
    site = Site()
    inner = site.app

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        await inner({**scope, CALL: "a call"}, receive, send)

    site.app = outer  # type: ignore[assignment] # as a server would call it
    assert (await site.post("/else")).text == "ran"
    assert CALL not in site.came[0]
    with pytest.raises(Unguarded, match="came around its guard"):
        guarded_call(site.came[0], "pay")


async def test_the_pages_of_the_site_may_read_why_it_was_refused_and_no_others() -> None:
    for origin, allowed in (("https://bank.example", True), ("https://evil.example", False)):
        answer = await Site().post("/api/payments", origin=origin)
        assert answer.json()["code"] == "missing_call_token"
        assert answer.headers.get("access-control-allow-origin") == (origin if allowed else None)
