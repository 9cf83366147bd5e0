"""The page that waits hears at once of what is answered elsewhere (WAIT-1, WAIT-2)."""

import asyncio
from dataclasses import replace

import pytest
from tests.bank import Bank
from tests.web.test_ask import another, answered, pending

from deputize.authority.waiting import Waiting
from deputize.protocol.errors import Code, Refused
from deputize.protocol.ids import UserId
from deputize.service.calls import endings
from deputize.testing.page import Page
from deputize.web import waiting

pytestmark = pytest.mark.anyio


async def somebody_waits(bank: Bank, number: int = 1) -> None:
    """Let the other tasks run until so many wait."""
    while len(bank.deputize.authority.waiting) < number:  # noqa: ASYNC110  # it has no event for tests
        await asyncio.sleep(0)


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody look by himself: who goes on was woken."""
    monkeypatch.setattr(waiting, "BEAT", 3600)


@pytest.mark.usefixtures("unhurried")
async def test_a_call_that_is_approved_elsewhere_wakes_its_page(bank: Bank, grace: Page) -> None:
    call_id, device = await pending(grace), await another(bank, grace)
    waits = asyncio.ensure_future(grace.send("GET", f"/calls/{call_id}/wait"))
    await somebody_waits(bank)
    await answered(device, call_id)
    answer = await waits
    assert answer.text.startswith("\n")
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert (told["state"], told["answered_on"]) == ("approved", "authority")
    assert "call_token" not in told
    assert len(bank.deputize.authority.waiting) == 0


@pytest.mark.usefixtures("unhurried")
async def test_so_does_a_no_and_a_consent(bank: Bank, grace: Page) -> None:
    call_id = await pending(grace)
    asked = (await grace.send("POST", "/grants", {"scope": "account:admin"})).json()["grant_id"]
    waits = [
        asyncio.ensure_future(grace.send("GET", path))
        for path in (f"/calls/{call_id}/wait", f"/grants/{asked}/wait")
    ]
    await somebody_waits(bank, 2)
    await grace.send("POST", f"/ask/{call_id}/denial", {}, page=False)
    await grace.send("POST", f"/ask/{asked}/denial", {}, page=False)
    assert [(await each).json()["state"] for each in waits] == ["declined", "declined"]


async def test_what_another_process_has_moved_is_found_by_looking(
    bank: Bank, grace: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "BEAT", 0.01)
    monkeypatch.setattr(bank.deputize.authority.waiting, "moved", lambda ids: None)
    bank.deputize.store.listen(lambda ids: None)
    call_id = await pending(grace)
    waits = asyncio.ensure_future(grace.send("GET", f"/calls/{call_id}/wait"))
    await somebody_waits(bank)
    await answered(grace, call_id)
    assert (await waits).json()["state"] == "approved"


async def test_it_ends_after_a_while_with_how_it_stands(
    bank: Bank, grace: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "BEAT", 0.01)
    monkeypatch.setattr(waiting, "LONGEST", 0.05)
    answer = await grace.send("GET", f"/calls/{await pending(grace)}/wait")
    assert answer.json()["state"] == "pending"
    assert answer.text.count("\n") >= 2


async def test_it_ends_with_the_session(bank: Bank, grace: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "BEAT", 0.01)
    waits = asyncio.ensure_future(grace.send("GET", f"/calls/{await pending(grace)}/wait"))
    await somebody_waits(bank)
    await grace.send("POST", "/account/sign-out", page=False)
    assert (await waits).json()["state"] == "pending"


async def test_what_is_over_is_answered_at_once(bank: Bank, grace: Page) -> None:
    call_id = await pending(grace)
    await answered(grace, call_id)
    assert (await grace.send("GET", f"/calls/{call_id}/wait")).json()["state"] == "approved"


async def test_a_user_has_so_many_places(bank: Bank, grace: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "BEAT", 0.01)
    authority = bank.deputize.authority
    authority.policy = replace(authority.policy, quotas=replace(authority.policy.quotas, waits=1))
    call_id = await pending(grace)
    first = asyncio.ensure_future(grace.send("GET", f"/calls/{call_id}/wait"))
    await somebody_waits(bank)
    refused = await grace.send("GET", f"/calls/{call_id}/wait")
    assert (refused.status_code, refused.json()["quota"]) == (429, "waits")
    await answered(grace, call_id)
    await first
    assert (await grace.send("GET", f"/calls/{call_id}/wait")).status_code == 200


async def test_a_process_has_so_many_places_for_all() -> None:
    places, one, other = Waiting(most=1), UserId("usr_one"), UserId("usr_other")
    with places.place(one, "cal_x", None), pytest.raises(Refused), places.place(other, "cal_x", None):
        raise AssertionError
    with places.place(other, "cal_x", 1) as bell:
        places.moved(["cal_y"])
        places.moved(["cal_x"])
        await bell.wait()
    assert len(places) == 0


async def test_whose_session_ends_before_the_first_line_is_refused_and_has_no_place(
    bank: Bank, grace: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    call_id = await pending(grace)

    def gone(*_: object) -> None:
        raise Refused(Code.LOGIN_REQUIRED, "Nobody is signed in.")

    monkeypatch.setattr(endings, "as_it_is", gone)
    assert (await grace.send("GET", f"/calls/{call_id}/wait")).json()["code"] == "login_required"
    assert len(bank.deputize.authority.waiting) == 0
