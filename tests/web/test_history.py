"""What was done in a user's name: who asked, what became of it, whether he saw it; all of it, and nothing buried."""

import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from tests.bank import Bank
from tests.web.agents import Client, seen

from deputize.protocol.canonical import Json
from deputize.testing.page import Page
from deputize.web.pages.history import _cut

pytestmark = pytest.mark.anyio


async def history(page: Page, query: str = "") -> str:
    """Read what stands below the filters."""
    answer = await page.http.get(f"{page.issuer}/account/history{query}")
    return seen(answer.text).partition("</form>")[2]


def calls_of(told: str) -> list[str]:
    """Return the ids of the calls on a page, as they stand there."""
    return re.findall(r"<code>(cal_[^<]+)</code>", told)


async def account(page: Page) -> str:
    return seen((await page.http.get(f"{page.issuer}/account")).text)


async def test_what_a_human_approved_and_what_nobody_was_asked(grace: Page) -> None:
    pending = (await grace.call("transfer_money", {"amount": 250, "name": "A<b>da\u202e"})).json()
    assert "Waits for your answer." in await history(grace)
    path = f"/calls/{pending['call_id']}"
    envelope = (await grace.send("POST", f"{path}/challenge")).json()
    assert (await grace.send("POST", f"{path}/approval", grace.evidence(envelope))).status_code == 200
    await grace.call("get_balance")
    told = await history(grace)
    balance, transfer = (
        told.index("get_balance"),
        told.index('EUR to <bdi class="said">“A&lt;b&gt;da\ufffd”</bdi>'),
    )
    assert balance < transfer
    assert "You were not asked: it is within what you allowed." in told[balance:transfer]
    assert "You approved it with a passkey." in told[transfer:]
    assert "Allowed, not done yet." in told[transfer:]
    assert "Asked by <strong>The agent in your browser</strong> ·" in told[transfer:]
    assert pending["call_id"] in told
    assert '<dd dir="auto"><bdi class="said">“A&lt;b&gt;da\ufffd”</bdi></dd>' in told


async def test_no_value_hides_behind_another_whose_name_looks_the_same(grace: Page) -> None:
    await grace.call("note", {"to\u200b": "Ada", "to\u200c": "Mallory"})
    told = await history(grace)
    assert told.count("“to\ufffd”</bdi></dt>") == 2
    assert "“Ada”</bdi></dd>" in told
    assert "“Mallory”</bdi></dd>" in told


async def test_what_is_cut_in_a_line_shows_it(grace: Page) -> None:
    await grace.call("get_balance", {"to": "A" * 41, "for": "B" * 40})
    told = await history(grace)
    line, values = told.partition("</summary>")[::2]
    assert f">{'A' * 40}…</bdi>" in line
    assert f">{'B' * 40}</bdi>" in line
    assert f">“{'A' * 41}”</bdi>" in values


def test_a_name_that_is_cut_is_none_of_the_sites() -> None:
    own: Json = {"properties": {"n" * 40: {"title": "Amount"}}}
    titles = [_cut(own, "n" * size, "1", 40).title for size in (40, 41)]
    assert titles == ["Amount", f"\u2068“{'n' * 40}”\u2069"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"x": "\ua98f" * 20_000, "to": "Ada"},
        {f"{n:04}": n for n in range(4000)},
        {"n" * 60_000: "Ada"},
        {"deep": [["Ada"] * 100] * 60},
    ],
    ids=["a long text", "many", "a long name", "a long list"],
)
async def test_no_agent_makes_it_a_page_that_cannot_be_opened(grace: Page, arguments: Any) -> None:
    for _ in range(20):
        assert (await grace.call("get_balance", arguments)).status_code == 200
    told = await history(grace)
    assert len(told) < 400_000
    assert told.count("more characters of this are too many for a page. Bank has kept them.") == 20
    if "to" in arguments:  # nothing is out of sight behind what is long
        assert told.count(">Ada</bdi></dd>") == 20


async def test_nothing_is_buried(bank: Bank, grace: Page) -> None:
    """HIST-1, HIST-2: what was refused, declined and called off is there; what was approved is found at once."""
    transfer = (await grace.call("transfer_money", {"amount": 250, "name": "Ada"})).json()["call_id"]
    await grace.confirm(f"/calls/{transfer}")
    made = [transfer]
    for number in range(60):
        answer = await grace.call("open_vault" if number % 2 else "note", {"n": number})
        made.append(answer.json()["call_id"])
    seen_first = await account(grace)
    assert (calls_of(seen_first), "open_vault" in seen_first) == ([transfer], False)
    pages, query = [], ""
    while True:
        told = await history(grace, query)
        pages.append(calls_of(told))
        found = re.search(r'rel="next" href="[^"?]*([^"]*)"', told)
        if found is None:
            break
        query = unescape(found[1])
    assert [len(each) for each in pages] == [25, 25, 11]
    assert [call for each in pages for call in each] == made[::-1]
    assert calls_of(await history(grace, "?state=by-you")) == [transfer]
    assert calls_of(await history(grace, "?tool=transfer_money&agent=browsers&state=&month=")) == [transfer]
    refused = await history(grace, "?state=denied&tool=open_vault")
    assert calls_of(refused) == made[:11:-2]
    assert "Refused." in refused
    assert '<bdi class="said">59</bdi></span><br>' in refused  # the amounts, where the site has no words
    older = await history(grace, f"?state=denied&before={made[2]}")
    assert calls_of(older) == []
    assert "There is nothing of this kind." in older
    assert calls_of(await history(grace, "?agent=nobody")) == []


async def test_months_are_those_of_the_calendar(bank: Bank, grace: Page) -> None:
    now = datetime.fromtimestamp(bank.clock(), UTC)
    first = (await grace.call("note", {"n": 1})).json()["call_id"]
    following = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    bank.clock.forward(int(following.timestamp() - bank.clock()) - 1)
    await grace.sign_in()
    await grace.deputize("account:read payments:write")
    last = (await grace.call("note", {"n": 2})).json()["call_id"]
    bank.clock.forward(1)
    new = (await grace.call("note", {"n": 3})).json()["call_id"]
    assert calls_of(await history(grace, f"?month={now:%Y-%m}")) == [last, first]
    assert calls_of(await history(grace, f"?month={following:%Y-%m}")) == [new]
    whole = (await grace.http.get(f"{grace.issuer}/account/history")).text
    months = [f"{following:%Y-%m}", f"{now:%Y-%m}"]
    assert re.findall(r"<option value=\"([0-9-]+)\">", whole) == months
    assert f">{now:%B %Y}</option>" in whole


@pytest.mark.parametrize(
    "query",
    [
        "?tool=a+b",
        "?agent=browser",
        "?agent=https://stranger.example/agent.json",
        "?state=done",
        "?month=2027-13",
        "?month=2027-1",
        "?before=cal_x",
        "?before=cal_AAAAAAAAAAAAAAAAAAAAAA",
        "?state=denied&state=declined",
        "?page=2",
        "?state",
    ],
)
async def test_a_filter_that_there_is_not_is_told(grace: Page, query: str) -> None:
    """HIST-2: nobody is shown less than he asked for without being told."""
    answer = await grace.http.get(f"{grace.issuer}/account/history{query}")
    assert (
        answer.status_code,
        "There is no such list" in answer.text or "cannot be shown" in answer.text,
    ) == (
        400,
        True,
    )


async def test_nobody_goes_on_from_a_call_of_another(bank: Bank, grace: Page) -> None:
    call = (await grace.call("get_balance")).json()["call_id"]
    other = bank.page()
    await other.sign_up("Eve")
    answer = await other.http.get(f"{other.issuer}/account/history?before={call}")
    assert answer.status_code == 400
    assert (await grace.http.get(f"{grace.issuer}/account/history?before={call}")).status_code == 200


async def test_it_is_for_who_is_signed_in(bank: Bank) -> None:
    answer = await bank.page().http.get(f"{bank.issuer}/account/history")
    assert (answer.status_code, "Sign in first" in answer.text) == (401, True)


async def test_what_waits_is_on_the_account_page_until_it_is_called_off(bank: Bank, grace: Page) -> None:
    """HIST-3."""
    call = (await grace.call("transfer_money", {"amount": 250, "name": "Ada"})).json()["call_id"]
    asked = (await grace.send("POST", "/grants", {"scope": "account:admin"})).json()["grant_id"]
    told = await account(grace)
    waiting = told[told.index('id="waiting"') : told.index('id="deputies"')]
    assert f'data-call-off="{call}"' in waiting
    assert 'Send <bdi class="said">250.00</bdi> EUR to <bdi class="said">“Ada”</bdi>' in waiting
    assert "Asked by <strong>The agent in your browser</strong> ·" in waiting
    assert f'data-revoke="{asked}"' in waiting
    assert "wants to act for you" in waiting
    assert waiting.count("It waits until") == 2
    assert (await grace.send("DELETE", f"/grants/{asked}", page=False)).status_code == 204
    await grace.send("POST", f"/calls/{call}/denial", {"reason": "declined"}, page=False)
    assert 'id="waiting"' not in await account(grace)
    await grace.call("transfer_money", {"amount": 250, "name": "Ada"})
    bank.clock.forward(600)
    assert 'id="waiting"' not in await account(grace)


async def test_what_ran_out_is_not_called_waiting(bank: Bank, grace: Page) -> None:  # CALL-4
    await grace.call("transfer_money", {"amount": 250, "name": "Ada"})
    bank.clock.forward(601)
    told = await history(grace)
    assert "Not done: it ran out." in told
    assert "Waits for your answer." not in told


async def test_what_may_still_be_done_can_be_called_off(bank: Bank, grace: Page) -> None:  # APPR-6
    """Also where its page is gone: a tab that was closed after the approval."""
    pending = (await grace.call("transfer_money", {"amount": 250, "name": "Ada"})).json()["call_id"]
    assert (await grace.confirm(f"/calls/{pending}")).json()["state"] == "approved"
    assert f'data-call-off="{pending}"' in await history(grace)
    path = f"/calls/{pending}/denial"
    mallory = bank.page()
    await mallory.sign_up("Mallory")
    body: dict[str, Json] = {"reason": "declined"}
    assert (await mallory.send("POST", path, body, page=False)).json()["code"] == "call_unknown"
    forged = await grace.send("POST", path, body, {"deputize-csrf": "x"}, page=False)
    assert forged.json()["code"] == "cross_site_request"
    assert (await grace.send("POST", path, body, page=False)).json()["state"] == "declined"
    assert (await grace.send("POST", path, body, page=False)).json()["code"] == "declined"
    assert "data-call-off" not in await history(grace)
    again = (await grace.call("transfer_money", {"amount": 250, "name": "Ada"})).json()
    assert again["state"] == "pending"


async def test_an_attested_agent_is_named(ada: Page, helper: Client) -> None:
    await helper.deputized(ada)
    assert (await helper.call(ada, "get_balance")).status_code == 200
    assert "Asked by <strong>Helper</strong> · " in await history(ada)


async def test_is_the_users_own(bank: Bank, grace: Page) -> None:
    await grace.call("get_balance")
    other = bank.page()
    await other.sign_up("Ada")
    assert "Nothing yet." in await history(other)


async def test_why_something_was_refused_is_said_in_words(bank: Bank, grace: Page) -> None:
    """CALL-9 tells its page the same by the code, also of what ended while it waited."""
    waits = [(await grace.call("transfer_money", {"amount": n, "name": "Ada"})).json() for n in range(1, 5)]
    for each in waits[:3]:
        await grace.send("POST", f"/calls/{each['call_id']}/denial", {"reason": "declined"})
    last = (await grace.send("GET", f"/calls/{waits[3]['call_id']}")).json()
    assert (last["state"], last["code"]) == ("denied", "asked_too_often")
    told = await history(grace)
    assert "Refused." in told
    assert "You said no several times, so nobody asks you for a while." in told
    await grace.call("open_vault", {"n": 1})
    assert "This site does not let agents of this kind do this." in await history(grace)


async def test_arguments_are_called_as_the_schema_does(grace: Page) -> None:
    await grace.call("transfer_money", {"amount": 250, "name": "Ada"})
    told = await history(grace)
    assert '<dt dir="auto">Amount in EUR</dt><dd dir="auto"><bdi class="said">250</bdi></dd>' in told
    assert '<dt dir="auto">name</dt>' in told
    page = await grace.http.get(f"{grace.issuer}/account/history")
    assert ">Waits for your answer</option>" in page.text
