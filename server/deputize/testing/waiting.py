"""Waiting for something in a page while Playwright's events go on. Nothing sleeps for a fixed time."""

import time
from collections.abc import Callable
from typing import TypeVar

from playwright.sync_api import Page

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds after which waiting is given up, unless the caller says otherwise."""

_STEP = 10  # milliseconds between two looks


class TooLong(AssertionError):
    """What was waited for did not come. The message says what it was, and what there is instead."""


def until(
    page: Page,
    look: Callable[[], T | None],
    what: str,
    timeout: float = PATIENCE,
    instead: Callable[[], object] = lambda: "",
) -> T:
    """Call `look` until its result is neither None nor False, and return that.

    Raises:
        TooLong: `timeout` seconds have passed without `what`; `instead` tells what there is.
    """
    deadline = time.monotonic() + timeout
    while True:
        found = look()
        if found is not None and found is not False:
            return found
        if time.monotonic() >= deadline:
            raise TooLong(f"{what}: not within {timeout:g} s. {instead()}".rstrip())
        page.wait_for_timeout(_STEP)
