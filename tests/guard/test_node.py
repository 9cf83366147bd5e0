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


HOOKS = """
import {{ Server }} from 'node:net';
const {{ listen }} = Server.prototype;
Server.prototype.listen = function (...given) {{
  const told = given.filter((each) => typeof each === 'function');
  this.once('listening', () => console.log(this.address().port));
  return Reflect.apply(listen, this, [{{ port: 0, host: '127.0.0.1' }}, ...told]);
}};
Date.now = () => {now} * 1000;
"""
SERVED = "import { serve } from '@hono/node-server';\nimport { POST } from './route.mjs';\nserve({ fetch: POST });\n"


@contextmanager
def as_the_page_has_it(folder: Path, bank: LiveBank, framework: str) -> Iterator[str]:
    """Run what docs/guard-node.md has for a framework, in a folder; yield its address."""
    page = (JS.parent / "docs/guard-node.md").read_text()
    made = page.split("```js\n")[1].split("```")[0]
    assert "http://localhost:8000" in made
    block = page.split(f"\n**{framework}**")[1].split("```js\n")[1].split("```")[0]
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "guarded.mjs").write_text(made.replace("http://localhost:8000", bank.origin))
    (folder / "guard.jwk").write_text(json.dumps(jwk(KEY)))
    (folder / "hooks.mjs").write_text(HOOKS.format(now=bank.clock()))
    (folder / "route.mjs").write_text(block)
    (folder / "server.mjs").write_text(SERVED if "export const POST" in block else block)
    (folder / "node_modules").mkdir()
    for module in ("express", "fastify", "hono", "@hono"):
        (folder / "node_modules" / module).symlink_to(JS / "node_modules" / module)
    (folder / "node_modules/deputize").symlink_to(JS)
    command = ["node", "--import", "./hooks.mjs", "server.mjs"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/api/transfers"
        finally:
            process.kill()


@pytest.mark.parametrize("framework", ["Express", "Fastify", "Hono", "Next", "`node:http`"])
async def test_the_page_for_it_runs(bank: LiveBank, grace: Page, tmp_path: Path, framework: str) -> None:
    token = await approved(grace)
    with as_the_page_has_it(tmp_path, bank, framework) as url:
        async with httpx2.AsyncClient(timeout=30) as http:
            bare = await http.post(url, json=TRANSFER)
            sent = await http.post(url, json=TRANSFER, headers={"txn-token": token})
    assert (bare.status_code, bare.json()["code"]) == (401, "missing_call_token")
    assert sent.json() == {"sent": 250}
    call_id = jwt.parse(token).claims["txn"]
    assert (await grace.send("GET", f"/calls/{call_id}")).json()["state"] == "succeeded"
