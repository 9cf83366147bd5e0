"""A site that mounts the authority: it starts with all its guards in order, or not at all (GUARD-7, GUARD-8)."""

import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx2
import orjson
import pytest
from fastapi import Depends, FastAPI
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from tests.bank import ISSUER, ORIGIN, Clock
from tests.web.agents import new_key

from deputize import settings
from deputize.app import Deputize, SiteUser, build
from deputize.crypto import dpop
from deputize.guard import GuardedCall, Unguarded
from deputize.log.log import Log
from deputize.protocol.canonical import b64u
from deputize.testing.authenticator import SoftAuthenticator
from deputize.testing.page import Page, browser_cookies

pytestmark = pytest.mark.anyio

POLICY = """
[site]
name = "Bank"
origin = "https://bank.example"
[scopes."payments:write"]
title = "Send money"
[agents.opaque]
scopes = ["payments:write"]
[tools.transfer_money]
scopes = ["payments:write"]
approval = "always"
describe = "Send {{ amount }} EUR to {{ name }}"
[tools.pin_note]
scopes = ["payments:write"]
executes = "page"
[tools.search_help]
public = true
"""
TRANSFER = {"amount": 250, "name": "Ada"}


class Transfer(BaseModel):
    amount: float
    name: str


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Callable[..., Deputize]]:
    """Open authorities, and close them after the test."""
    made: list[Deputize] = []

    def make(policy: str = POLICY, **more: Any) -> Deputize:
        path = tmp_path / "deputize.toml"
        path.write_text(policy)
        made.append(Deputize(path, tmp_path / f"var{len(made)}", **more))
        return made[-1]

    yield make
    for each in made:
        await each.aclose()


def site(authority: Deputize, *routes: BaseRoute) -> Starlette:
    there = [*authority.well_known_routes(), Mount("/deputize", authority), *routes]
    return Starlette(routes=there)


async def transfer(request: Request) -> Response:
    return JSONResponse({"sent": request.state.deputize.arguments["amount"]})


def guarded(authority: Deputize) -> Route:
    return Route("/api/transfers", authority.guard.tool("transfer_money")(transfer), methods=["POST"])


@asynccontextmanager
async def visiting(app: Any) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN, cookies=browser_cookies()) as http:
        yield http


async def refused(authority: Deputize, *routes: BaseRoute) -> str:
    """Find that a site with these routes does not start, nor answer anything; return why."""
    app = site(authority, *routes)
    with pytest.raises(Unguarded) as caught:
        async with authority.lifespan(app):
            raise AssertionError("it has started")
    async with visiting(app) as http:
        for path in ("/", "/deputize/tools", "/api/transfers", "/.well-known/oauth-authorization-server"):
            with pytest.raises(Unguarded):
                await http.post(path)
    return str(caught.value)


async def starts(authority: Deputize, *routes: BaseRoute) -> None:
    """Find that a site with these routes answers, and that it starts."""
    app = site(authority, *routes)
    async with visiting(app) as http:
        assert (await http.get("/deputize/tools")).status_code == 200
    async with authority.lifespan(app):
        pass


class TestStart:
    """Each tool that the API executes has a guard, or somebody has said where it is."""

    async def test_a_site_whose_tools_are_guarded_starts(self, opened: Callable[..., Deputize]) -> None:
        authority = opened()
        await starts(authority, guarded(authority))

    async def test_without_one_nothing_is_answered(self, opened: Callable[..., Deputize]) -> None:
        told = await refused(opened(), Route("/api/transfers", transfer, methods=["POST"]))
        assert "transfer_money: the policy says" in told
        assert "(there are POST /api/transfers)" in told
        assert "pin_note" not in told
        assert "search_help" not in told

    async def test_a_tool_with_a_handler_needs_no_route(self, opened: Callable[..., Deputize]) -> None:
        authority = opened()
        authority.handler("transfer_money")(lambda arguments, call: "sent")
        await starts(authority)

    @pytest.mark.parametrize(
        "said",
        [
            ("[tools.transfer_money]", "[tools.transfer_money]\nelsewhere = true"),
            ("[scopes", "[api]\nelsewhere = true\n[scopes"),
            (
                "[scopes",
                '[api]\norigins = ["https://api.example"]\n[scopes',
                "[tools.transfer_money]",
                '[tools.transfer_money]\nendpoint = "POST https://api.example/transfers"',
            ),
        ],
        ids=["the tool", "the API", "an endpoint"],
    )
    async def test_a_tool_that_is_elsewhere_needs_no_guard_here(
        self, opened: Callable[..., Deputize], said: tuple[str, ...]
    ) -> None:
        text = POLICY
        for before, after in zip(said[::2], said[1::2], strict=True):
            text = text.replace(before, after, 1)
        await starts(opened(text))

    async def test_an_endpoint_at_the_site_itself_is_here(self, opened: Callable[..., Deputize]) -> None:
        here = '[tools.transfer_money]\nendpoint = "POST https://bank.example/api/transfers"'
        assert "transfer_money" in await refused(opened(POLICY.replace("[tools.transfer_money]", here)))

    async def test_the_authority_alone_has_no_api(self, tmp_path: Path) -> None:
        app = build(settings.loads(POLICY.encode()), tmp_path / "var")
        async with visiting(app) as http:
            assert (await http.get("/deputize/tools")).status_code == 200

    async def test_what_stands_in_front_of_what_is_logged(self, opened: Callable[..., Deputize]) -> None:
        stream = io.BytesIO()
        authority = opened(log=Log(stream))
        await starts(authority, guarded(authority))
        (line,) = [
            each for each in map(orjson.loads, stream.getvalue().splitlines()) if each["event"] == "guards"
        ]
        assert line["standing"] == ["transfer_money: POST /api/transfers (decorator)"]

    async def test_a_tool_that_comes_later_is_told_of(
        self, opened: Callable[..., Deputize], tmp_path: Path
    ) -> None:
        """POLICY-1: nothing of it runs, since nobody redeems its calls; but the owner hears why."""
        stream = io.BytesIO()
        authority = opened(log=Log(stream))
        async with visiting(site(authority, guarded(authority))) as http:
            assert (await http.get("/deputize/tools")).status_code == 200
            more = '[tools.pay_bill]\nscopes = ["payments:write"]\n'
            (tmp_path / "deputize.toml").write_text(POLICY + more)
            assert "pay_bill" in (await http.get("/deputize/tools")).json()["tools"]
        assert authority.log.flush()
        (line,) = [
            each for each in map(orjson.loads, stream.getvalue().splitlines()) if each["event"] == "unguarded"
        ]
        assert line["level"] == "error"
        assert line["faults"][0].startswith("pay_bill: the policy says")

    async def test_a_tool_of_python_is_declared_before_it_is_guarded(
        self, opened: Callable[..., Deputize]
    ) -> None:
        authority = opened()
        with pytest.raises(ValueError, match="Declare it before"):
            authority.guard.tool("greet")
        authority.tool(name="greet", scopes=["payments:write"])(lambda arguments: "Greet")
        authority.guard.tool("greet")
        authority.tool(name="far", scopes=["payments:write"], elsewhere=True)(lambda arguments: "")
        assert "greet: " in await refused(authority, guarded(authority))

    async def test_call_7_a_tool_of_python_that_is_direct_is_not_closed(
        self, opened: Callable[..., Deputize]
    ) -> None:
        authority = opened()
        with pytest.raises(ValueError, match="`direct_when_closed = true` as well"):
            authority.tool(name="greet", scopes=["payments:write"], direct=True, opaque=False)(str)
        assert "greet" not in authority.policy.tools

    @pytest.mark.parametrize("kind", ["public = true", 'scopes = ["payments:write"]\nexecutes = "page"'])
    async def test_what_the_api_does_not_execute_is_nowhere_else(
        self, opened: Callable[..., Deputize], kind: str
    ) -> None:
        with pytest.raises(
            settings.PolicyError, match="`elsewhere` is for tools that execute at the site's API"
        ):
            opened(f"{POLICY}[tools.other]\n{kind}\nelsewhere = true\n")


class Customers:
    """A site with a login of its own, in FastAPI."""

    def __init__(self, open: Callable[..., Deputize], policy: str = POLICY) -> None:
        self.clock = Clock()
        self.saw: list[Any] = []
        self.authority = authority = open(policy, current_user=self.who, clock=self.clock)
        self.app = app = FastAPI(
            routes=[*authority.well_known_routes(), Mount("/deputize", authority)],
            lifespan=authority.lifespan,
        )

        @app.post("/api/transfers")
        def pay(
            order: Transfer, call: Annotated[GuardedCall, Depends(authority.guard("transfer_money"))]
        ) -> dict[str, Any]:
            self.saw.append((order.model_dump(), call.arguments, call.external_id))
            return {"sent": order.amount}

    def who(self, request: Request) -> SiteUser | None:
        return SiteUser("customer-7", "Ada Lovelace", int(self.clock()))

    async def page(self, http: httpx2.AsyncClient) -> Page:
        """Let a customer come, enroll a passkey and deputize the agent in her browser."""
        page = Page(http, ISSUER, ORIGIN, SoftAuthenticator(ORIGIN), self.clock)
        await page.configure()
        begun = (await page.send("POST", "/credentials", page=False)).json()
        response = page.authenticator.create(begun["creationOptions"])
        path = f"/credentials/{begun['challengeId']}"
        assert (await page.send("POST", path, {"response": response}, page=False)).status_code == 200
        assert (await page.deputize("payments:write")).status_code == 200
        return page


async def approved(page: Page) -> dict[str, Any]:
    call = (await page.call("transfer_money", dict(TRANSFER))).json()
    answer: dict[str, Any] = (await page.confirm(f"/calls/{call['call_id']}")).json()
    return answer


async def test_a_call_in_fastapi_from_approval_to_outcome(opened: Callable[..., Deputize]) -> None:
    """GUARD-3: the handler learns whose call it is, by the site's own id."""
    customers = Customers(opened)
    async with visiting(customers.app) as http:
        page = await customers.page(http)
        call = await approved(page)
        assert (await http.post("/api/transfers", json=TRANSFER)).status_code == 401
        headers = {"txn-token": call["call_token"]}
        answer = await http.post("/api/transfers", json=TRANSFER, headers=headers)
        assert (answer.status_code, answer.json()) == (200, {"sent": 250})
        assert customers.saw == [(TRANSFER, TRANSFER, "customer-7")]
        entries = customers.authority.store.look(lambda tx: tx.entries(0, 100))
        assert orjson.loads(entries[-1].leaf)["kind"] == "call.succeeded"
        assert (await http.post("/api/transfers", json=TRANSFER, headers=headers)).status_code == 409


async def test_a_guard_elsewhere_learns_the_users_id_at_the_site_and_a_page_does_not(
    opened: Callable[..., Deputize],
) -> None:  # GUARD-3, PROOF-4
    key = new_key()
    numbers = key.public_key().public_numbers()
    x, y = (b64u(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    api = f'[[api.keys]]\nkty = "EC"\ncrv = "P-256"\nx = "{x}"\ny = "{y}"\n'
    customers = Customers(opened, POLICY + api)
    async with visiting(customers.app) as http:
        page = await customers.page(http)
        call = await approved(page)
        path = f"/calls/{call['call_id']}/redemption"
        proof = dpop.make(key, "POST", ISSUER + path, int(customers.clock()), "once")
        body = {"call_token": call["call_token"]}
        told = (await page.send("POST", path, body, {"deputize-guard": proof}, page=False)).json()
        assert (told["state"], told["external_id"]) == ("redeemed", "customer-7")
        pinned = (await page.call("pin_note")).json()
        path, body = f"/calls/{pinned['call_id']}/redemption", {"call_token": pinned["call_token"]}
        told = (await page.send("POST", path, body)).json()
        assert told["state"] == "redeemed"
        assert "external_id" not in told
