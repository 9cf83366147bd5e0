"""The pytest plugin: fixtures to test WebMCP tools, passkeys and dialogs of a site in a real Chromium.

It is not built on pytest-playwright, which starts whatever browser the command line names, without WebMCP. Both may be
used in one run: the fixtures have other names than its `page`, `context` and `browser`, and share its Playwright, of
which a thread can have one only.

A project changes one of these by defining a fixture of the same name.
"""

# Playwright is imported in the fixtures only: pytest loads this module in every run, also where there is no Playwright.

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from ..extras import needing

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Playwright
    from starlette.types import ASGIApp

    from .agent import Agent
    from .clock import HeldClock
    from .human import Human
    from .passkeys import Passkeys
    from .server import Site


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--show-chromium`."""
    parser.getgroup("deputize").addoption(
        "--show-chromium", action="store_true", help="let the tests' Chromium have windows"
    )


@pytest.fixture(scope="session")
def webmcp_playwright(request: pytest.FixtureRequest) -> Iterator[Playwright]:
    """Playwright: that of pytest-playwright where it is installed, since a thread can have one only."""
    if request.config.pluginmanager.hasplugin("playwright"):
        yield request.getfixturevalue("playwright")
        return
    with needing("testing"):
        from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def start_chromium(
    webmcp_playwright: Playwright, request: pytest.FixtureRequest
) -> Iterator[Callable[[], Browser]]:
    """A function that returns the run's Chromium, and starts it if it does not run: at first, and after a crash."""
    from . import browser

    headless = not request.config.getoption("--show-chromium")
    started: list[Browser] = []

    def running() -> Browser:
        if not started or not started[-1].is_connected():
            started.append(browser.launch(webmcp_playwright, headless))
        return started[-1]

    yield running
    if started:
        started[-1].close()


@pytest.fixture
def chromium(start_chromium: Callable[[], Browser]) -> Browser:
    """A Chromium with WebMCP, one for the whole run."""
    return start_chromium()


@pytest.fixture(scope="session")
def tab_options() -> dict[str, Any]:
    """Arguments of Playwright's `Browser.new_context` for each new tab; none unless a project overrides this."""
    return {}


@pytest.fixture
def new_tab(chromium: Browser, tab_options: dict[str, Any]) -> Iterator[Callable[..., Page]]:
    """Open tabs, each in a browser profile of its own: `new_tab(**options of Browser.new_context)`."""
    with ExitStack() as stack:

        def open_tab(**options: Any) -> Page:
            context = chromium.new_context(**{**tab_options, **options})
            stack.callback(context.close)
            return context.new_page()

        yield open_tab


@pytest.fixture
def tab(new_tab: Callable[..., Page]) -> Page:
    """A tab in a fresh browser profile."""
    return new_tab()


@pytest.fixture
def passkeys(tab: Page) -> Passkeys:
    """The authenticators of `tab`: none yet; `passkeys.add()` adds this device's own."""
    from .passkeys import Passkeys

    return Passkeys(tab)


@pytest.fixture
def agent(tab: Page) -> Agent:
    """An agent that calls tools of `tab`: Playwright's own client."""
    from .agent import PlaywrightAgent

    return PlaywrightAgent(tab)


@pytest.fixture
def human(tab: Page) -> Human:
    """The human before `tab`, who reads the dialogs and answers them."""
    from .human import Human

    return Human(tab)


@pytest.fixture
def held_clock() -> HeldClock:
    """A clock that stands still until the test moves it: `Deputize(…, clock=held_clock)`."""
    from .clock import HeldClock

    return HeldClock()


@pytest.fixture
def serve() -> Iterator[Callable[..., Site]]:
    """Run sites: `serve(lambda port: app)` starts an ASGI app on a free port and returns its `Site`."""
    from .server import Site

    with ExitStack() as stack:

        def run(build: Callable[[int], ASGIApp], host: str = "localhost") -> Site:
            return stack.enter_context(Site(build, host))

        yield run
