"""The npm package's guard against a real authority: under each framework, in its own server (GUARD-1 to GUARD-6)."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.interop.test_mcp_client import jwk
from tests.web.agents import HELPER, new_key, toml
from tests.web.mcp.conftest import POLICY, LiveBank, serving

from deputize.agent import AgentKey
from deputize.crypto import jwt
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio
JS = Path(__file__).parent.parent.parent / "js"
KEY = new_key()
TRANSFER = {"amount": 250, "name": "Ada"}
FRAMEWORKS = ["node", "express", "hono", "fastify"]
"""The first has no router of its own."""


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveBank]:
    """A bank that knows the guard's key."""
    policy = f"{POLICY}[[api.keys]]\n{toml(AgentKey(KEY))}"
    with serving(tmp_path_factory.mktemp("bank"), HELPER, policy=policy) as bank:
        yield bank


class Api:
    """The API in its process of Node, under one framework after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._ports = self.ran()

    def ran(self) -> Any:
        """Return what it says next."""
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())

    async def post(self, framework: str, path: str, token: str, arguments: object) -> httpx2.Response:
        """Send the request that the page's tool would send."""
        url = f"http://127.0.0.1:{self._ports[framework]}{path}"
        async with httpx2.AsyncClient(timeout=30) as http:
            return await http.post(url, json=arguments, headers={"txn-token": token})


@contextmanager
def running(bank: LiveBank, key: object) -> Iterator[Api]:
    issuer, audience = f"{bank.origin}/deputize", bank.origin
    options = {"issuer": issuer, "audience": audience, "key": key, "now": bank.clock()}
    command = ["node", "interop/guarded.js", json.dumps(options)]
    with subprocess.Popen(command, cwd=JS, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Api(process)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def api(bank: LiveBank) -> Iterator[Api]:
    with running(bank, jwk(KEY)) as api:
        yield api


@pytest.fixture
async def grace(bank: LiveBank) -> AsyncIterator[Page]:
    """Somebody who lets the agent in their browser pay."""
    page = await bank.user()
    await page.deputize("payments:write")
    yield page
    await bank.stack.aclose()


async def approved(page: Page) -> str:
    """Let the user approve a transfer; return its call token."""
    call = (await page.call("transfer_money", dict(TRANSFER))).json()
    answer = await page.confirm(f"/calls/{call['call_id']}")
    return str(answer.json()["call_token"])


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_runs_what_was_approved_once_and_reports(
    bank: LiveBank, grace: Page, api: Api, framework: str
) -> None:
    token = await approved(grace)
    answers = await asyncio.gather(*(api.post(framework, "/transfers", token, TRANSFER) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 4]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"call_redeemed"}
    call_id = jwt.parse(token).claims["txn"]
    assert api.ran() == {"callId": call_id, "externalId": None, "args": TRANSFER, "body": TRANSFER}
    assert (await grace.send("GET", f"/calls/{call_id}")).json()["state"] == "succeeded"


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_arguments_of_the_path_are_named_by_the_developer(
    grace: Page, api: Api, framework: str
) -> None:
    token = await approved(grace)
    other = await api.post(framework, "/named/Ada", token, {"amount": 2500})
    assert other.json()["code"] == "argument_hash_mismatch"
    answer = await api.post(framework, "/named/Ada", token, {"amount": 250})
    assert answer.json() == {"sent": True}


@pytest.mark.parametrize(
    ("path", "told"), [("/bare/Ada", "path parameters"), ("/read", "Put the guard in front of")]
)
@pytest.mark.parametrize("framework", FRAMEWORKS[1:])
async def test_a_guard_that_cannot_see_the_arguments_runs_nothing_and_says_so(
    grace: Page, api: Api, framework: str, path: str, told: str
) -> None:
    answer = await api.post(framework, path, await approved(grace), TRANSFER)
    assert (answer.status_code, told in answer.json()["message"]) == (500, True)


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_other_arguments_do_not_run(grace: Page, api: Api, framework: str) -> None:
    answer = await api.post(framework, "/transfers", await approved(grace), {**TRANSFER, "amount": 2500})
    assert (answer.status_code, answer.json()["code"]) == (403, "argument_hash_mismatch")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_key_that_is_not_registered_redeems_nothing(bank: LiveBank, grace: Page) -> None:
    token = await approved(grace)
    with running(bank, jwk(new_key())) as api:
        for framework in FRAMEWORKS:
            answer = await api.post(framework, "/transfers", token, TRANSFER)
            assert answer.json()["code"] == "redeemer_not_allowed"
