"""A guard in Go, `examples/go-guard`, written from PROTOCOL.md and the vectors: by these, and with a real authority."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
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

from ..golang import ROOT, go, needs_go
from .conformance import CASES, GUARD_KEY, VECTORS, Guarded, StubAuthority

pytestmark = needs_go
EXAMPLE = ROOT / "examples" / "go-guard"
TRANSFER = {"amount": 250, "name": "Ada"}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site of the vectors."""
    built = tmp_path_factory.mktemp("go") / "conformance"
    go(EXAMPLE, "build", "-o", str(built), "./conformance")
    return built


@contextmanager
def running(program: Path, **told: Any) -> Iterator[int]:
    """Run that site; yield its port."""
    told["schemas"] = {name: tool["input_schema"] for name, tool in VECTORS["tools"].items()}
    told["endpoints"] = {name: tool["endpoint"] for name, tool in VECTORS["tools"].items()}
    with subprocess.Popen([str(program), json.dumps(told)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield json.loads(process.stdout.readline())["port"]
        finally:
            process.kill()


@pytest.fixture(scope="module")
def guarded(program: Path) -> Iterator[Guarded]:
    told = {"audience": VECTORS["audience"], "key": jwk(GUARD_KEY)}
    with StubAuthority().serving() as authority, running(program, issuer=authority.issuer, **told) as port:
        yield Guarded(port, authority)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_guard_in_go_does_what_the_vectors_say(guarded: Guarded, case: dict[str, Any]) -> None:
    guarded.play(case)


def test_the_guard_in_go_reads_json_as_the_vectors_say_and_bodies_in_one_way() -> None:
    go(EXAMPLE, "vet", "./...")
    go(EXAMPLE, "test", "-count=1", "./...")


@pytest.mark.anyio
async def test_a_real_authority_redeems_once_for_it_and_hears_what_became_of_it(
    program: Path, tmp_path: Path
) -> None:
    policy = f"{POLICY}[[api.keys]]\n{toml(AgentKey(GUARD_KEY))}"
    with serving(tmp_path, HELPER, policy=policy) as bank:
        async with bank.stack:
            page = await bank.user()
            await page.deputize("payments:write")
            token = await approved(page)
            with api(program, bank, jwk(new_key())) as url:
                stranger = await post(url, token, TRANSFER)
            with api(program, bank, jwk(GUARD_KEY)) as url:
                other = await post(url, token, {**TRANSFER, "amount": 2500})
                answers = await asyncio.gather(*(post(url, token, TRANSFER) for _ in range(5)))
            ended = (await page.send("GET", f"/calls/{jwt.parse(token).claims['txn']}")).json()["state"]
    assert (other.status_code, other.json()["code"]) == (403, "argument_hash_mismatch")
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 4]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"call_redeemed"}
    assert (stranger.status_code, stranger.json()["code"]) == (403, "redeemer_not_allowed")
    assert ended == "succeeded"


@contextmanager
def api(program: Path, bank: LiveBank, key: object) -> Iterator[str]:
    told = {"issuer": f"{bank.origin}/deputize", "audience": bank.origin, "now": int(bank.clock())}
    with running(program, key=key, **told) as port:
        yield f"http://127.0.0.1:{port}/api/transfers"


async def approved(page: Page) -> str:
    """Let the user approve a transfer; return its call token."""
    call = (await page.call("transfer_money", dict(TRANSFER))).json()
    answer = await page.confirm(f"/calls/{call['call_id']}")
    return str(answer.json()["call_token"])


async def post(url: str, token: str, arguments: object) -> httpx2.Response:
    async with httpx2.AsyncClient(timeout=30) as http:
        return await http.post(url, json=arguments, headers={"txn-token": token})
