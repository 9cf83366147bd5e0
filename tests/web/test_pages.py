"""The account page: what an agent may do for its reader, as it was given (GRANT-5)."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.bank import Bank
from tests.web.agents import ALL, Client, seen

from deputize.protocol.canonical import Json
from deputize.testing.page import Page
from deputize.web.pages import drawing

pytestmark = pytest.mark.anyio

TEMPLATES = Path(drawing.__file__).with_name("templates")
NOTE = {"type": "webmcp_tool", "tool": "note", "max_calls": 3}


async def account(page: Page) -> str:
    return seen((await page.http.get(f"{page.issuer}/account")).text)


async def test_the_agent_in_the_browser_is_told_as_what_it_is(ada: Page) -> None:
    await ada.deputize("account:read")
    told = await account(ada)
    assert "The agent in a browser of yours" in told
    assert "Any agent or script in that browser profile" in told


async def test_an_attested_agent_has_its_name_and_its_limits(ada: Page, helper: Client) -> None:  # CONS-1
    await helper.deputized(ada, ALL, [NOTE])
    told = await account(ada)
    assert "<h3>Helper</h3>" in told
    assert "Registered by Bank" in told
    assert helper.client_id in told
    assert '<h4 class="named">note</h4>\n<ul><li>At most 3 times</li></ul>' in told
    assert "browser profile" not in told


async def test_nobody_buries_what_was_given_under_what_it_handed_on(
    local: Bank, ada: Page, helper: Client, errand: Client
) -> None:  # CHAIN-3
    await helper.deputized(ada)
    given = helper.tokens["grant_id"]
    for _ in range(3):
        await helper.deputizes(errand)
    told = await account(ada)
    listed = re.findall('data-revoke="([^"]+)"', told)
    assert (listed[0], len(listed)) == (given, 4)
    assert told.count("has handed this on") == 3


async def test_limits_are_said_to_be_of_single_tools(ada: Page, helper: Client) -> None:  # OAUTH-4
    told = seen((await ada.http.get(await helper.page_url(ALL, [NOTE]))).text)
    assert '<h3 class="named tool">note</h3>\n<ul class="limits"><li>At most 3 times</li></ul>' in told
    assert "Each limit is for the tool that it stands under" in told


@pytest.mark.parametrize("template", sorted(TEMPLATES.glob("*.html")), ids=lambda path: path.stem)
def test_what_needs_the_script_cannot_be_pressed_before_it(template: Path) -> None:
    """The script enables every button when it has its listeners; a form with an address needs none."""
    text = re.sub(r"<form [^>]*\bmethod=.*?</form>", "", template.read_text(), flags=re.DOTALL)
    for button in re.findall(r"<button\b[^>]*", text):
        assert button.startswith("<button disabled"), button


class TestHistory:
    """What was done in a user's name: who asked, what became of it, and whether he saw it."""

    async def test_what_a_human_approved_and_what_nobody_was_asked(self, grace: Page) -> None:
        pending = (await grace.call("transfer_money", {"amount": 250, "name": "A<b>da\u202e"})).json()
        assert "Waits for your answer." in await account(grace)
        path = f"/calls/{pending['call_id']}"
        envelope = (await grace.send("POST", f"{path}/challenge")).json()
        assert (await grace.send("POST", f"{path}/approval", grace.evidence(envelope))).status_code == 200
        await grace.call("get_balance")
        told = await account(grace)
        balance, transfer = (
            told.index("get_balance"),
            told.index('EUR to <bdi class="said">“A&lt;b&gt;da\ufffd”</bdi>'),
        )
        assert transfer < balance
        assert "You were not asked: it is within what you allowed." in told[balance:]
        assert "You approved it with a passkey." in told[transfer:balance]
        assert "Allowed, not done yet." in told[transfer:balance]
        assert "Asked for by the agent in a browser of yours." in told[transfer:]
        assert pending["call_id"] in told
        assert '<dd dir="auto"><bdi class="said">A&lt;b&gt;da\ufffd</bdi></dd>' in told

    async def test_no_value_hides_behind_another_whose_name_looks_the_same(self, grace: Page) -> None:
        await grace.call("note", {"to\u200b": "Ada", "to\u200c": "Mallory"})
        told = await account(grace)
        assert told.count("<dt>to\ufffd</dt>") == 2
        assert "Ada</bdi></dd>" in told
        assert "Mallory</bdi></dd>" in told

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
    async def test_no_agent_makes_it_a_page_that_cannot_be_opened(self, grace: Page, arguments: Any) -> None:
        for _ in range(20):
            assert (await grace.call("get_balance", arguments)).status_code == 200
        told = await account(grace)
        assert len(told) < 400_000
        assert told.count("more characters of this are too many for a page. Bank has kept them.") == 20
        if "to" in arguments:  # nothing is out of sight behind what is long
            assert told.count(">Ada</bdi></dd>") == 20

    async def test_many_calls_do_not_hide_what_was_asked(self, grace: Page) -> None:
        await grace.call("transfer_money", {"amount": 250, "name": "Ada"})
        for _ in range(21):
            await grace.call("get_balance")
        told = await account(grace)
        assert 'Send <bdi class="said">250.00</bdi> EUR to <bdi class="said">“Ada”</bdi>' in told
        assert told.count("You were not asked") == 20

    async def test_what_ran_out_is_not_called_waiting(self, bank: Bank, grace: Page) -> None:  # CALL-4
        await grace.call("transfer_money", {"amount": 250, "name": "Ada"})
        bank.clock.forward(601)
        told = await account(grace)
        assert "Not done: it ran out." in told
        assert "Waits for your answer." not in told

    async def test_what_may_still_be_done_can_be_called_off(self, bank: Bank, grace: Page) -> None:  # APPR-6
        """Also where its page is gone: a tab that was closed after the approval."""
        pending = (await grace.call("transfer_money", {"amount": 250, "name": "Ada"})).json()["call_id"]
        assert (await grace.confirm(f"/calls/{pending}")).json()["state"] == "approved"
        assert f'data-call-off="{pending}"' in await account(grace)
        path = f"/calls/{pending}/denial"
        mallory = bank.page()
        await mallory.sign_up("Mallory")
        body: dict[str, Json] = {"reason": "declined"}
        assert (await mallory.send("POST", path, body, page=False)).json()["code"] == "call_unknown"
        forged = await grace.send("POST", path, body, {"deputize-csrf": "x"}, page=False)
        assert forged.json()["code"] == "cross_site_request"
        assert (await grace.send("POST", path, body, page=False)).json()["state"] == "declined"
        assert (await grace.send("POST", path, body, page=False)).json()["code"] == "declined"
        assert "data-call-off" not in await account(grace)
        again = (await grace.call("transfer_money", {"amount": 250, "name": "Ada"})).json()
        assert again["state"] == "pending"

    async def test_an_attested_agent_is_named(self, ada: Page, helper: Client) -> None:
        await helper.deputized(ada)
        assert (await helper.call(ada, "get_balance")).status_code == 200
        assert f"Asked for by Helper ({helper.client_id})." in await account(ada)

    async def test_is_the_users_own(self, bank: Bank, grace: Page) -> None:
        await grace.call("get_balance")
        other = bank.page()
        await other.sign_up("Ada")
        assert "Nothing yet." in await account(other)
