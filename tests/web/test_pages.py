"""The account page: what an agent may do for its reader, as it was given (GRANT-5)."""

import re

import pytest
from tests.web.agents import ALL, Client
from tests.web.conftest import Bank

from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

NOTE = {"type": "webmcp_tool", "tool": "note", "max_calls": 3}


async def account(page: Page) -> str:
    return (await page.http.get(f"{page.issuer}/account")).text


async def test_the_agent_in_the_browser_is_told_as_what_it_is(ada: Page) -> None:
    await ada.deputize("account:read")
    told = await account(ada)
    assert "The agent in a browser of yours" in told
    assert "Any agent or script in that browser profile" in told


async def test_an_attested_agent_has_its_name_and_its_limits(ada: Page, helper: Client) -> None:  # CONS-1
    await helper.deputized(ada, ALL, [NOTE])
    told = await account(ada)
    assert "<h3>Helper</h3>" in told
    assert helper.client_id in told
    assert "note: at most 3 times" in told
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
    told = (await ada.http.get(await helper.page_url(ALL, [NOTE]))).text
    assert "note: at most 3 times" in told
    assert "for the tools that they name" in told
