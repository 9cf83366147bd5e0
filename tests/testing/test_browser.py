"""What Chromium is started with."""

import re
from pathlib import Path

import playwright

from deputize.testing import browser


def test_what_playwright_switches_off_stays_off() -> None:
    """Ours is the last switch of its kind, which is the only one that counts."""
    bundle = (Path(playwright.__file__).parent / "driver/package/lib/coreBundle.js").read_text("utf-8")
    listed = re.search(r"^ +disabledFeatures = \[(.*?)\]", bundle, re.MULTILINE | re.DOTALL)
    assert listed is not None
    theirs = set(re.findall(r'^ *"(\w+)",?$', listed[1], re.MULTILINE))
    assert len(theirs) > 10
    assert theirs <= set(browser.SWITCHED_OFF)
