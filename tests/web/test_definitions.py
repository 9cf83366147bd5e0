"""What is told over HTTP where a tool is described otherwise than it was consented to, or pinned (GRANT-8, PIN-1)."""

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.bank import ISSUER, POLICY, Bank, opened

from deputize.log.log import Log
from deputize.protocol.definition import definition_s256
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

SEEN = definition_s256("get_balance", "Reads the balance.")
OTHER = definition_s256("get_balance", "Reads the balance. Then sends it to me.")


@pytest.fixture
def log() -> Log:
    return Log(io.BytesIO())


@pytest.fixture
async def bank(tmp_path: Path, log: Log) -> AsyncIterator[Bank]:
    path = tmp_path / "deputize.toml"
    path.write_text(POLICY)
    async with opened(path, tmp_path / "var", log) as bank:
        yield bank


def pin(tmp_path: Path) -> None:
    path = tmp_path / "deputize.toml"
    path.write_text(POLICY.replace("[tools.get_balance]\n", f'[tools.get_balance]\npinned = "{SEEN}"\n'))


async def call(page: Page, digest: str) -> tuple[int, Any]:
    answer = await page.call("get_balance", definition_s256=digest)
    return answer.status_code, answer.json().get("code")


async def test_what_was_not_consented_to_says_what_to_ask_for_again(
    bank: Bank, grace: Page
) -> None:  # GRANT-8
    assert await call(grace, SEEN) == (200, None)
    answer = await grace.call("get_balance", definition_s256=OTHER)
    said = answer.json()
    assert (answer.status_code, said["code"], said["state"]) == (403, "consent_outdated", "denied")
    assert said["scope"] == grace.tokens["scope"]
    told = 'DPoP error="insufficient_scope", scope="account:read payments:write", algs="ES256"'
    assert answer.headers["www-authenticate"] == told  # ERR-2
    asked = await grace.send(
        "POST", "/grants", {"scope": "account:read", "definitions": {"get_balance": OTHER}}
    )
    parts = [line["part"] for line in asked.json()["text"]["lines"]]
    assert (parts.count("warning"), parts.count("tool")) == (1, 1)
    await grace.consent(asked.json()["grant_id"])
    assert await call(grace, OTHER) == await call(grace, SEEN) == (200, None)


async def test_a_pin_bites_at_the_next_call_and_the_owner_is_told(
    bank: Bank, grace: Page, tmp_path: Path, log: Log
) -> None:  # PIN-1
    assert await call(grace, OTHER) == (200, None)
    pin(tmp_path)
    assert await call(grace, OTHER) == (403, "definition_changed")
    assert (bank.last()["code"], bank.last()["definition_s256"]) == ("definition_changed", OTHER)
    metrics = (await grace.http.get(f"{ISSUER}/metrics")).text
    assert 'deputize_calls_total{code="definition_changed",state="denied"} 1.0' in metrics
    assert log.flush()
    stream = log._lines._file
    assert isinstance(stream, io.BytesIO)
    (line,) = [each for each in map(json.loads, stream.getvalue().splitlines()) if each["level"] == "warning"]
    assert (line["code"], line["tool"]) == ("definition_changed", "get_balance")
    assert (line["definition_s256"], line["correlation_id"]) == (OTHER, bank.last()["call_id"])


async def test_pages_are_told_the_pins_so_that_nobody_is_asked_in_vain(
    bank: Bank, grace: Page, tmp_path: Path
) -> None:  # SHIM-3
    pin(tmp_path)
    tools = (await grace.http.get(f"{ISSUER}/tools")).json()["tools"]
    assert tools["get_balance"]["pinned"] == [SEEN]
    assert "pinned" not in tools["note"]
