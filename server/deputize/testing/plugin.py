"""The pytest plugin: fixtures to test WebMCP tools, passkeys and dialogs of a site in a real Chromium.

It stands beside pytest-playwright and is not built on it: that plugin starts whatever browser the command
line names, which need not be a Chromium, and without WebMCP. Its fixtures `page`, `context` and `browser`
stay its own; ours have other names, and both may be used in one run, where they share the one Playwright that
a thread can have.

A project that wants one of these otherwise defines a fixture of the same name, which then takes its place
everywhere.
"""

# Playwright is imported in the fixtures only: pytest loads this module in every run, also where nobody has
# Playwright.

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
    """Playwright. A thread can have one only, so that of pytest-playwright is taken where it is installed."""
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
    """Return the run's Chromium, started when it is first needed, and again should it have crashed."""
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
    """What new tabs are like: arguments of Playwright's `Browser.new_context`. Made to be overridden."""
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
