"""Redemption and outcome over HTTP (PROTOCOL §7)."""

import asyncio
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from tests.bank import ISSUER, Bank

from deputize.crypto import dpop
from deputize.protocol.canonical import Json
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio


async def called(page: Page, tool: str = "note") -> dict[str, Any]:
    """Make a call that is approved at once."""
    call: dict[str, Any] = (await page.call(tool)).json()
    assert call["state"] == "approved", call
    return call


async def redeem(page: Page, call: dict[str, Any], **headers: str) -> tuple[int, str]:
    """Redeem as the page."""
    path = f"/calls/{call['call_id']}/redemption"
    answer = await page.send("POST", path, {"call_token": call["call_token"]}, headers or None)
    return answer.status_code, answer.json().get("code") or answer.json()["state"]


class TestRedemption:
    async def test_happens_once_for_twenty_who_come_at_once(self, bank: Bank, grace: Page) -> None:  # GUARD-3
        call = await called(grace)
        results = await asyncio.gather(*(redeem(grace, call) for _ in range(20)))
        assert sorted(results) == [(200, "redeemed"), *[(409, "call_redeemed")] * 19]
        assert [e["kind"] for e in bank.entries()].count("call.redeemed") == 1

    async def test_what_runs_at_the_api_is_not_redeemed_by_the_page(self, bank: Bank, grace: Page) -> None:
        call = await called(grace, "get_balance")  # GUARD-3
        assert await redeem(grace, call) == (403, "redeemer_not_allowed")

    async def test_a_guard_needs_a_registered_key(self, bank: Bank, grace: Page) -> None:  # PROOF-4, GUARD-3
        call = await called(grace, "get_balance")
        path = f"{ISSUER}/calls/{call['call_id']}/redemption"
        proof = dpop.make(generate_private_key(SECP256R1()), "POST", path, int(bank.clock()), "j")
        assert await redeem(grace, call, **{"deputize-guard": proof}) == (403, "redeemer_not_allowed")

    @pytest.mark.parametrize(("wait", "result"), [(29, "redeemed"), (30, "invalid_call_token")])
    async def test_a_call_token_lives_30_seconds(
        self, bank: Bank, grace: Page, wait: int, result: str
    ) -> None:
        call = await called(grace)  # TOKEN-3, TOKEN-5
        bank.clock.forward(wait)
        assert (await redeem(grace, call))[1] == result

    async def test_a_delegation_token_does_not_redeem(self, bank: Bank, grace: Page) -> None:  # TOKEN-3
        call = await called(grace)
        call["call_token"] = grace.tokens["access_token"]
        assert await redeem(grace, call) == (401, "invalid_call_token")

    async def test_a_token_of_another_call_does_not_redeem(self, bank: Bank, grace: Page) -> None:
        first, second = await called(grace), await called(grace, "get_balance")
        first["call_token"] = second["call_token"]
        assert await redeem(grace, first) == (401, "invalid_call_token")

    async def test_a_pending_call_has_no_token_and_a_declined_one_does_not_run(
        self, bank: Bank, grace: Page
    ) -> None:
        call = await called(grace)
        await grace.send("POST", f"/calls/{call['call_id']}/denial", {"reason": "declined"})
        assert await redeem(grace, call) == (409, "declined")
        assert bank.last()["kind"] == "redemption.refused"


class TestOutcome:
    async def report(self, page: Page, call: dict[str, Any], body: Json) -> tuple[int, str]:
        answer = await page.send("POST", f"/calls/{call['call_id']}/outcome", body)
        return answer.status_code, answer.json().get("code") or answer.json()["state"]

    @pytest.mark.parametrize("outcome", ["succeeded", "failed", "unknown"])
    async def test_is_recorded_with_who_says_so(
        self, bank: Bank, grace: Page, outcome: str
    ) -> None:  # GUARD-5
        call = await called(grace)
        await redeem(grace, call)
        assert await self.report(grace, call, {"outcome": outcome}) == (200, outcome)
        assert (bank.last()["kind"], bank.last()["reported_by"]) == (f"call.{outcome}", "page")
        assert (await self.report(grace, call, {"outcome": "succeeded"}))[1] == "call_state"

    async def test_is_one_of_three_words(self, bank: Bank, grace: Page) -> None:
        assert await self.report(grace, await called(grace), {"outcome": "approved"}) == (
            400,
            "invalid_request",
        )

    async def test_of_the_api_is_not_the_pages_to_tell(self, bank: Bank, grace: Page) -> None:  # GUARD-5
        call = await called(grace, "get_balance")
        assert await self.report(grace, call, {"outcome": "succeeded"}) == (403, "redeemer_not_allowed")
