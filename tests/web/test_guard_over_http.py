"""A site's API in another process than its authority: its guard redeems over HTTP (GUARD-3 to GUARD-6, PROOF-4)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tests.bank import ISSUER, ORIGIN, POLICY, Bank, opened
from tests.web.agents import new_key, toml

from deputize import settings
from deputize.agent import AgentKey
from deputize.guard import Guard, HttpRedeemer, remote
from deputize.protocol.version import VERSION
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

TRANSFER = {"amount": 250, "name": "Ada"}


@pytest.fixture
def api_key() -> EllipticCurvePrivateKey:
    return new_key()


@pytest.fixture
async def bank(tmp_path: Path, api_key: EllipticCurvePrivateKey) -> AsyncIterator[Bank]:
    text = f"{POLICY}[[api.keys]]\n{toml(AgentKey(api_key))}"
    async with opened(settings.loads(text.encode()), tmp_path / "var") as bank:
        yield bank


class Api:
    """The site's API, guarded; counts what it did."""

    def __init__(
        self, bank: Bank, key: EllipticCurvePrivateKey, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self.done: list[object] = []
        self.ahead = 0

        def clock() -> float:
            return bank.clock() + self.ahead

        client = httpx2.AsyncClient(transport=transport or bank.transport)
        redeemer = HttpRedeemer(ISSUER, key, client=client, clock=clock)
        self.guard = Guard(ISSUER, ORIGIN, redeemer.key_of, redeemer, clock=clock)
        app = Starlette(
            routes=[
                Route("/api/transfers", self.guard.tool("transfer_money")(self.transfer), methods=["POST"])
            ]
        )
        self.http = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app), base_url="https://api.bank.example"
        )

    async def transfer(self, request: Request) -> Response:
        self.done.append(request.state.deputize.arguments)
        return JSONResponse({"sent": True})

    async def post(self, call_token: str, arguments: object) -> httpx2.Response:
        """Send the request that the page's tool would send."""
        headers = {"txn-token": call_token, "content-type": "application/json"}
        return await self.http.post("/api/transfers", content=orjson.dumps(arguments), headers=headers)


async def approved(page: Page) -> str:
    """Let the user approve a transfer; return its call token."""
    call = (await page.call("transfer_money", dict(TRANSFER))).json()
    answer = await page.confirm(f"/calls/{call['call_id']}")
    return str(answer.json()["call_token"])


async def test_runs_what_was_approved_once_and_reports(
    bank: Bank, grace: Page, api_key: EllipticCurvePrivateKey
) -> None:
    api = Api(bank, api_key)
    token = await approved(grace)
    answers = await asyncio.gather(*(api.post(token, TRANSFER) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 9]
    assert api.done == [TRANSFER]
    assert [(e["kind"], e.get("reported_by")) for e in bank.entries()][-1] == ("call.succeeded", "api")


async def test_other_arguments_do_not_run(bank: Bank, grace: Page, api_key: EllipticCurvePrivateKey) -> None:
    api = Api(bank, api_key)
    answer = await api.post(await approved(grace), {**TRANSFER, "amount": 2500})
    assert answer.json()["code"] == "argument_hash_mismatch"
    assert api.done == []


async def test_a_key_that_is_not_registered_redeems_nothing(bank: Bank, grace: Page) -> None:
    api = Api(bank, new_key())
    answer = await api.post(await approved(grace), TRANSFER)
    assert answer.json()["code"] == "redeemer_not_allowed"
    assert api.done == []


async def test_a_guard_of_another_version_redeems_nothing_and_its_owner_reads_both(
    bank: Bank,
    grace: Page,
    api_key: EllipticCurvePrivateKey,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # VERSION-1
    api, token = Api(bank, api_key), await approved(grace)
    monkeypatch.setattr(remote, "VERSION", VERSION + 1)
    answer = await api.post(token, TRANSFER)
    assert (answer.status_code, answer.json()["code"]) == (503, "authority_unavailable")
    assert f"speaks version {VERSION + 1} of the protocol, and the authority version {VERSION}" in caplog.text
    assert api.done == []
    monkeypatch.undo()
    assert (await api.post(token, TRANSFER)).status_code == 200  # nothing was used up


async def test_a_guard_whose_clock_is_wrong_is_told_by_how_much(
    bank: Bank, grace: Page, api_key: EllipticCurvePrivateKey, caplog: pytest.LogCaptureFixture
) -> None:  # PROOF-1, TOKEN-3
    api, token = Api(bank, api_key), await approved(grace)
    api.ahead = 600
    expired = (await api.post(token, TRANSFER)).json()
    assert expired["code"] == "invalid_call_token"
    assert "expired 570 s ago, by the clock here" in expired["detail"]
    api.ahead = -600
    assert (await api.post(token, TRANSFER)).json()["code"] == "authority_unavailable"
    assert "was made 600 s ago by the clock here" in caplog.text
    assert "Set the clock of this machine right." in caplog.text
    assert api.done == []


async def test_a_revoked_grant_stops_it_at_the_last_step(
    bank: Bank, grace: Page, api_key: EllipticCurvePrivateKey
) -> None:  # GUARD-4
    api = Api(bank, api_key)
    token = await approved(grace)
    await bank.revoke(str(grace.tokens["grant_id"]))
    assert (await api.post(token, TRANSFER)).json()["code"] == "grant_revoked"
    assert api.done == []


async def test_nothing_runs_without_the_authority(
    bank: Bank, grace: Page, api_key: EllipticCurvePrivateKey
) -> None:  # GUARD-6
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("nobody is there")

    api = Api(bank, api_key, httpx2.MockTransport(refuse))
    answer = await api.post(await approved(grace), TRANSFER)
    assert (answer.status_code, answer.json()["code"]) == (503, "authority_unavailable")
    assert api.done == []
