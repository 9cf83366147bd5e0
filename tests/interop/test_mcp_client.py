"""The official TypeScript client against a real authority: what SEP-2672 asks of clients (MCP-13).

The tests are those of `js/interop/mcp.js`, which run in one process of Node; each is told here under its own name.
"""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from tests.web.agents import HELPER
from tests.web.mcp.conftest import ALL, LiveBank, answers, serving

from deputize.protocol.canonical import b64u
from deputize.testing.page import Page

JS = Path(__file__).parent.parent.parent / "js"
SOURCE = (JS / "interop/mcp.js").read_text()
NAMES = re.findall(r"^test\('(.+?)', ", SOURCE, re.MULTILINE)
PATIENCE = 300  # seconds for all of them, on a machine that has other things to do


class Users:
    """What users do in their browsers, when the process of Node wants it done."""

    def __init__(self, bank: LiveBank) -> None:
        self.bank = bank
        self.pages: list[Page] = []

    async def answer(self, request: Request) -> Response:
        said = json.loads(await request.body())
        verb = getattr(self, request.path_params["verb"])
        return JSONResponse(await verb(**said))

    async def deputy(self, transports: list[str]) -> object:
        """Sign somebody up, who deputizes the helper; its token and key are what a client has."""
        page = await self.bank.user(transports=tuple(transports))
        agent = await self.bank.agent(HELPER).deputized(page, ALL)
        self.pages.append(page)
        token = agent.tokens["access_token"]
        return {"id": len(self.pages) - 1, "token": token, "jwk": jwk(agent.private)}

    async def window(self, id: int) -> object:
        """Open the window for enrollment."""
        page, path = self.pages[id], "/account/enrollment-window"
        minted = (await page.send("POST", f"{path}/challenge", page=False)).json()
        opened = await page.send("POST", f"{path}/approval", page.evidence(minted), page=False)
        return opened.json()

    async def passkey(self, id: int, ceremony: str, options: dict[str, Any]) -> object:
        """Answer WebAuthn options, as the user's authenticator."""
        return getattr(self.pages[id].authenticator, ceremony)(options)

    async def answers(self, id: int, url: str, yes: bool) -> object:
        """Go to an address that a host has shown, and answer there."""
        answer = await answers(self.pages[id], url, yes)
        return answer.json()

    async def forward(self, seconds: float) -> object:
        """Let time pass at the authority."""
        self.bank.clock.forward(seconds)
        return {}

    async def done(self) -> object:
        """Tell what the tools have done, and forget it."""
        done, self.bank.ledger.done = self.bank.ledger.done, []
        return done

    async def leave(self) -> object:
        """Close all browsers."""
        await self.bank.stack.aclose()
        return {}


def jwk(key: EllipticCurvePrivateKey) -> dict[str, str]:
    """Write a private key down as Node reads it."""
    numbers = key.private_numbers()
    public = numbers.public_numbers
    parts = {"x": public.x, "y": public.y, "d": numbers.private_value}
    return {
        "kty": "EC",
        "crv": "P-256",
        **{name: b64u(part.to_bytes(32, "big")) for name, part in parts.items()},
    }


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Serve a bank and run all tests against it: what became of each, by its name."""
    return ran("interop/mcp.js", tmp_path_factory.mktemp("bank"))


def ran(script: str, folder: Path, users: Callable[[LiveBank], Users] = Users) -> dict[str, str]:
    """Run the tests of a script against a bank of their own: what became of each, by its name."""

    def control(bank: LiveBank) -> list[BaseRoute]:
        return [Route("/control/{verb}", users(bank).answer, methods=["POST"])]

    with serving(folder, HELPER, also=control) as bank:
        command = ["node", "--test", "--test-reporter=tap", script]
        environment = {**os.environ, "DEPUTIZE_BANK": bank.origin}
        process = subprocess.run(
            command, cwd=JS, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        httpx2.post(f"{bank.origin}/control/leave", json={})
    assert "\n# tests " in process.stdout, process.stdout + process.stderr
    return results(process.stdout)


def results(tap: str) -> dict[str, str]:
    """Read the Test Anything Protocol: the result of each test, and what it says of it."""
    found = {}
    for part in re.split(r"^ *# Subtest: ", tap, flags=re.MULTILINE)[1:]:
        name, _, rest = part.partition("\n")
        found[name.replace("\\#", "#")] = rest.strip()
    return found


def test_each_test_has_a_name_of_its_own() -> None:
    assert len(NAMES) == len(set(NAMES)) == SOURCE.count("\ntest(") > 20


@pytest.mark.parametrize("name", NAMES)
def test_the_client_does_what_is_asked_of_it(told: dict[str, str], name: str) -> None:
    assert told[name].startswith("ok "), told[name]
