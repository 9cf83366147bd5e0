"""What the tools of a page say of themselves, read in a browser by asking the shim (PIN-2)."""

import json
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Error, Page, sync_playwright

from ..protocol.canonical import Json, JsonError, parse
from ..protocol.definition import Definition
from . import browser, chromium
from .waiting import PATIENCE, TooLong, until

_ASK = """async () => {
  const shim = document[Symbol.for("deputize")];
  return shim ? JSON.stringify([await shim.definitions(), (await shim.unguarded()).tools]) : null;
}"""

_LOOKS = 20


class NotRead(Exception):
    """A page does not say how it describes its tools. The message says why."""


def read(url: str, rest: float, ready: Callable[[], object] | None = None) -> "Described":
    """Open a page in a Chromium of its own and read it, as `Described` does; NotRead where that cannot be.

    With `ready` it has a window, and is read when that returns.
    """
    with sync_playwright() as playwright:
        try:
            started = browser.launch(playwright, headless=ready is None)
        except chromium.NoChromiumError as error:
            raise NotRead(str(error)) from error
        try:
            page = started.new_page()
            page.goto(url)
            if ready is not None:
                ready()
            return Described(page, rest)
        except Error as error:
            raise NotRead(error.message.splitlines()[0]) from error
        finally:
            started.close()


class Described:
    """The gated tools of a page, and the names of those that run without the gate (SHIM-9)."""

    def __init__(self, page: Page, rest: float, within: float = PATIENCE) -> None:
        """Read it once nothing has come to it for `rest` seconds; NotRead where no shim has come `within` so many, or
        one that lies."""
        said, ungated = _at_rest(page, rest, within)
        self.gated = [checked(each) for each in said]
        self.ungated = sorted({str(each.get("name")) for each in ungated})


def _at_rest(page: Page, rest: float, within: float) -> tuple[list[Any], list[dict[str, Any]]]:
    found = _said(page, within)
    for _ in range(_LOOKS):
        page.wait_for_timeout(rest * 1000)  # what a page does next, nothing announces
        later = _said(page, within)
        if later == found:
            return later
        found = later
    raise NotRead(f"its tools said something else each of the {_LOOKS} times that they were asked")


def _said(page: Page, within: float) -> tuple[list[Any], list[dict[str, Any]]]:
    try:
        text: str = until(page, lambda: page.evaluate(_ASK), "a shim of deputize in this page", within)
    except (Error, TooLong) as error:
        raise NotRead(str(error).splitlines()[0]) from error
    return listed(text)


def listed(text: str) -> tuple[list[Any], list[dict[str, Any]]]:
    """Take apart what a page answers, which may have put another shim in the place of ours; NotRead for what is none
    of its answers."""
    try:
        match json.loads(text):
            case [[*gated], [*ungated]] if all(isinstance(each, dict) for each in ungated):
                return gated, ungated
    except (TypeError, ValueError, RecursionError):
        pass
    raise NotRead("the page says of its tools what cannot be read")


def checked(said: dict[str, Json]) -> Definition:
    """Read what a shim says of a tool, hashed here, too: the owner pins what he has read (HASH-3). Else NotRead."""
    try:
        definition = Definition.parse(parse(json.dumps(said).encode()))
        same = definition.s256 == said.get("definition_s256")
    except (JsonError, ValueError) as error:
        raise NotRead(f"the page says of a tool what cannot be read: {error}") from error
    if not same:
        raise NotRead(f"the page says of {definition.name} one thing, and sends the digest of another")
    return definition
