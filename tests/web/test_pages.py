"""The account page: what an agent may do for its reader, as it was given (GRANT-5)."""

import re
from pathlib import Path

import pytest
from tests.bank import Bank
from tests.web.agents import ALL, Client, seen

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
    assert "The agent in your browser" in told
    assert "Any agent or script in that browser profile" in told


async def test_an_attested_agent_has_its_name_and_its_limits(ada: Page, helper: Client) -> None:  # CONS-1
    await helper.deputized(ada, ALL, [NOTE])
    told = await account(ada)
    assert ">Helper</h3>" in told
    assert "registered by Bank" in told
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
    _, _, below = told.partition("note</h3>")
    assert "At most 3 times" in below.partition("</ul>")[0]
    assert "Each limit is for the tool that it stands under" in told


@pytest.mark.parametrize("template", sorted(TEMPLATES.glob("*.html")), ids=lambda path: path.stem)
def test_what_needs_the_script_cannot_be_pressed_before_it(template: Path) -> None:
    """The script enables every button when it has its listeners; a form with an address needs none."""
    text = re.sub(r"<form [^>]*\bmethod=.*?</form>", "", template.read_text(), flags=re.DOTALL)
    for button in re.findall(r"<button\b[^>]*", text):
        assert button.startswith("<button disabled"), button
