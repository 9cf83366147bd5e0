"""Harbor, and a customer of it who let the agent in her browser act for her."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from deputize.demo import site
from deputize.demo.site import Harbor
from deputize.testing.authenticator import SoftAuthenticator
from deputize.testing.page import Page, browser_cookies


@pytest.fixture
async def harbor(tmp_path: Path) -> AsyncIterator[Harbor]:
    harbor = site.build(tmp_path, 8123)
    yield harbor
    await harbor.deputize.aclose()
    harbor.bank.close()


@pytest.fixture
async def http(harbor: Harbor) -> AsyncIterator[httpx2.AsyncClient]:
    async with browser(harbor) as http:
        yield http


def browser(harbor: Harbor) -> httpx2.AsyncClient:
    """Make a browser profile that visits this site."""
    transport = httpx2.ASGITransport(harbor.app)
    return httpx2.AsyncClient(transport=transport, base_url=harbor.url, cookies=browser_cookies())


@pytest.fixture
async def grace(harbor: Harbor, http: httpx2.AsyncClient) -> Page:
    return await customer(harbor, http)


async def customer(harbor: Harbor, http: httpx2.AsyncClient) -> Page:
    """Sign somebody up who lets the agent in this browser act."""
    page = Page(http, f"{harbor.url}/deputize", harbor.url, SoftAuthenticator(harbor.url))
    assert (await page.sign_up()).status_code == 200
    assert (await page.deputize("account:read payments:write")).status_code == 200
    return page
