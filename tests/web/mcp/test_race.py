"""SEP-2672 §4.8 step 13: a challenge is consumed atomically, also by several processes on one database (MCP-9)."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.bank import Visited
from tests.web.agents import HELPER, new_key, with_agents
from tests.web.mcp.conftest import ALL, ANNOTATION, POLICY, TRANSFER

from deputize.agent import AgentKey

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[3]
PROCESSES, CLIENTS, ROUNDS = 3, 50, 4


@dataclass(kw_only=True)
class Crowd(Visited):
    """A bank of one issuer and several doors."""

    folder: Path
    ports: list[int]

    def done(self) -> list[str]:
        path = self.folder / "done"
        return path.read_text().split() if path.exists() else []


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    """Serve one bank by several processes."""
    folder, key = tmp_path_factory.mktemp("crowd"), new_key()
    text = with_agents(POLICY, {HELPER: AgentKey(key)}, scopes=ALL.split())
    (folder / "policy.toml").write_text(text)
    ports: list[int] = []
    with ExitStack() as stack:
        for _ in range(PROCESSES):
            command = [sys.executable, "-m", "tests.web.mcp.serving", str(folder), *map(str, ports[:1])]
            process = stack.enter_context(
                subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            )
            stack.callback(process.terminate)
            assert process.stdout is not None
            ports.append(int(process.stdout.readline()))
        origin = f"http://localhost:{ports[0]}"
        yield Crowd(origin=origin, keys={HELPER: key}, folder=folder, ports=ports)


async def test_fifty_clients_race_one_challenge_and_one_wins(crowd: Crowd) -> None:
    page, agent = crowd.page(), crowd.agent(HELPER)
    limits = httpx2.Limits(max_connections=CLIENTS)
    http = httpx2.AsyncClient(limits=limits, timeout=60)  # a busy machine may take its time
    async with crowd.stack, http:
        assert (await page.sign_up()).status_code == 200
        await agent.deputized(page, ALL)

        async def send(number: int, message: dict[str, Any]) -> dict[str, Any]:
            token = agent.tokens["access_token"]
            headers = {"authorization": f"DPoP {token}", "dpop": agent.proof("/mcp", token)}
            headers["accept"] = "application/json"
            url = f"http://localhost:{crowd.ports[number % PROCESSES]}/deputize/mcp"
            answer = await http.post(url, json={"jsonrpc": "2.0", "id": number, **message}, headers=headers)
            body: dict[str, Any] = answer.json()
            return body

        for turn in range(1, ROUNDS + 1):
            params = {"toolName": "transfer_money", "arguments": TRANSFER}
            minted = await send(turn, {"method": "approval/challenge/create", "params": params})
            evidence = page.evidence(minted["result"])
            meta = {"name": "transfer_money", "arguments": TRANSFER, "_meta": {ANNOTATION: evidence}}
            call = {"method": "tools/call", "params": meta}
            answers = await asyncio.gather(*(send(number, call) for number in range(CLIENTS)))
            won = [answer["result"] for answer in answers if "result" in answer]
            lost = {answer["error"]["data"]["reason"] for answer in answers if "error" in answer}
            assert len(won) == 1
            assert lost == {"challenge_consumed"}
            assert won[0]["_meta"]["dev.deputize/call"]["call_id"] == crowd.done()[-1]
            assert len(crowd.done()) == turn
