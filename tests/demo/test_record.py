"""What Harbor shows of the record beside its agent: a customer's own entries, from where she looked last."""

from typing import Any

import httpx2
import pytest
from tests.demo.conftest import browser, customer

from deputize.demo.site import Harbor
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio


async def shown(http: httpx2.AsyncClient, start: int) -> list[dict[str, Any]]:
    answer = await http.get(f"/record?from={start}")
    assert answer.headers["cache-control"] == "no-store"
    entries: list[dict[str, Any]] = answer.json()["entries"]
    return entries


async def test_a_customer_sees_what_was_decided_since(http: httpx2.AsyncClient, grace: Page) -> None:
    begun = (await http.get("/record")).json()
    assert begun["entries"] == []
    called = (await grace.call("get_balance", {})).json()
    after = (await http.get(f"/record?from={begun['next']}")).json()
    assert [(entry["i"], entry["call_id"]) for entry in after["entries"]] == [
        (begun["next"], called["call_id"])
    ]
    assert after["next"] == begun["next"] + 1
    assert (await http.get(f"/record?from={after['next']}")).json() == {"entries": [], "next": after["next"]}


async def test_nobody_sees_what_is_about_others(
    harbor: Harbor, http: httpx2.AsyncClient, grace: Page
) -> None:
    """Nor a move of somebody else's call, whose entry names only that."""
    async with browser(harbor) as other:
        await customer(harbor, other)
        order = {"amount": 1, "iban": "DE89370400440532013000", "name": "Ada Lovelace"}
        await grace.confirm(f"/calls/{(await grace.call('transfer_money', order)).json()['call_id']}")
        mine, theirs = await shown(http, 0), await shown(other, 0)
        assert [entry["kind"] for entry in mine][-2:] == ["call.pending", "call.approved"]
        assert theirs
        assert not {entry["i"] for entry in mine} & {entry["i"] for entry in theirs}
        assert len(mine) + len(theirs) == (await http.get("/record")).json()["next"]


async def test_nobody_who_is_not_signed_in_sees_any(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/record?from=0")
    assert (answer.status_code, answer.json()) == (401, {"detail": "Nobody is signed in."})


@pytest.mark.parametrize("start", ["", "-1", "x", "1e3", "\u0661", "9" * 16])
async def test_where_to_begin_is_an_index(http: httpx2.AsyncClient, grace: Page, start: str) -> None:
    answer = await http.get("/record", params={"from": start})
    assert (answer.status_code, answer.json()) == (422, {"detail": "`from` is the index of an entry."})
