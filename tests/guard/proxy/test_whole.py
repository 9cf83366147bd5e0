"""A proxy between a page and an API, with a real authority over HTTP (PROXY-5, PROXY-6)."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from tests.web.agents import HELPER, LOCAL, new_key, toml
from tests.web.mcp.conftest import POLICY, LiveBank
from tests.web.mcp.conftest import serving as authority

from deputize.agent import AgentKey
from deputize.cli.passing import Passing
from deputize.cli.serving import Limits, server
from deputize.crypto import jwt
from deputize.guard import Guard, HttpRedeemer
from deputize.guard.proxy.app import Proxy
from deputize.guard.proxy.facts import Facts
from deputize.guard.proxy.upstream import Upstream
from deputize.settings import loads
from deputize.testing.page import Page

from .conftest import Site, behind, serving

pytestmark = pytest.mark.anyio

KEY = new_key()
TRANSFER = {"amount": 250, "name": "Ada"}


@dataclass
class Guarded:
    bank: LiveBank
    site: Site
    url: str

    async def post(self, token: str, path: str = "/api/transfers") -> httpx2.Response:
        async with httpx2.AsyncClient(trust_env=False, timeout=30) as http:
            return await http.post(self.url + path, json=TRANSFER, headers={"Txn-Token": token})


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    text = f"{POLICY}[[api.keys]]\n{toml(AgentKey(KEY))}"
    folder: Path = tmp_path_factory.mktemp("bank")
    with authority(folder, HELPER, policy=text) as bank:
        named = text.replace(
            "[tools.transfer_money]\n", '[tools.transfer_money]\nendpoint = "POST /api/transfers"\n'
        )
        policy = loads(
            named.replace("https://bank.example", bank.origin).replace(LOCAL, bank.origin).encode()
        )
        issuer, audience = policy.site.issuer, policy.api.audience
        redeemer = HttpRedeemer(issuer, KEY, clock=bank.clock)
        guard = Guard(issuer, audience, redeemer.key_of, redeemer, clock=bank.clock)
        site, api, listener = Site(), *(socket.create_server(("127.0.0.1", 0)) for _ in range(2))
        upstream = Upstream.parse(f"http://127.0.0.1:{api.getsockname()[1]}")
        proxy = Proxy(lambda: policy, guard, Facts(KEY, audience), upstream, close=redeemer.aclose)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with (
            behind(site, api),
            serving(lambda: server(proxy, Limits(100), Passing, dated=False), listener),
        ):
            yield Guarded(bank, site, url)


@pytest.fixture
async def grace(guarded: Guarded) -> AsyncIterator[Page]:
    page = await guarded.bank.user()
    await page.deputize("payments:write")
    guarded.site.came.clear()
    yield page
    await guarded.bank.stack.aclose()


async def approved(page: Page) -> str:
    call = (await page.call("transfer_money", dict(TRANSFER))).json()
    answer = await page.confirm(f"/calls/{call['call_id']}")
    return str(answer.json()["call_token"])


async def test_what_was_approved_runs_once_and_its_outcome_is_recorded(guarded: Guarded, grace: Page) -> None:
    token = await approved(grace)
    answers = await asyncio.gather(*(guarded.post(token) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"call_redeemed"}
    (came,) = guarded.site.came
    facts = jwt.parse(came.header("deputize-facts") or "").claims
    assert (facts["arguments"], facts["tool"]) == (TRANSFER, "transfer_money")
    call_id = jwt.parse(token).claims["txn"]
    assert facts["txn"] == call_id
    assert (await grace.send("GET", f"/calls/{call_id}")).json()["state"] == "succeeded"


async def test_another_spelling_redeems_nothing(guarded: Guarded, grace: Page) -> None:  # PROXY-2
    token = await approved(grace)
    for path in ("/API/transfers", "/api/transfers/", "/api/transfers.json", "/index.php/api/transfers"):
        assert (await guarded.post(token, path)).json()["code"] == "invalid_request"
    assert guarded.site.came == []
    assert (await guarded.post(token)).status_code == 200
