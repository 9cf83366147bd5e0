"""What runs over MCP, runs and is told of, whatever becomes of the log and of who asked (MCP-9, MCP-11)."""

import asyncio
from contextlib import suppress

import pytest
from tests.web.mcp.conftest import CHAIN, TRANSFER, Deputy, LiveBank
from tests.web.test_log import stuck  # noqa: F401  # a fixture

from deputize.log.log import Log
from deputize.web.mcp import handling

pytestmark = pytest.mark.anyio


@pytest.fixture
async def deputy(live: LiveBank) -> Deputy:
    return await live.deputy()


async def test_a_handler_runs_wherever_the_log_goes(
    live: LiveBank,
    deputy: Deputy,
    stuck: Log,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After the commit nothing optional fails: full, closed, gone or unread, what was redeemed is done, and told."""
    monkeypatch.setattr(live.deputize.log, "_lines", stuck._lines)
    for text, outcome in (("hello", "succeeded"), ("refuse", "failed"), ("crash", "unknown")):
        result = await deputy.call("note", {"text": text})
        assert result.meta is not None
        assert result.meta[CHAIN]["state"] == outcome
        assert live.last()["kind"] == f"call.{outcome}"
    paid = await deputy.approved("transfer_money", TRANSFER)
    assert live.ledger.done == [("transfer_money", TRANSFER)]
    assert paid.meta is not None
    assert paid.meta[CHAIN]["state"] == "succeeded"


async def test_a_handler_that_is_cancelled_is_told_of_at_once(
    live: LiveBank, deputy: Deputy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a server that cancels when the client goes, or by a time that ran out: nobody knows, and that is told."""

    async def cancelled(*_: object) -> handling.Ran:
        raise asyncio.CancelledError

    monkeypatch.setattr(handling, "run", cancelled)
    with suppress(Exception):  # whatever the server makes of it
        async with asyncio.timeout(10):
            await deputy.call("note", {"text": "hello"})
    await live.until("call.unknown")
