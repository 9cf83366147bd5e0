"""The authority's pages at an origin that is not the policy's, as after a slip in its port: they say where they are."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.sync_api import Page

from deputize.app import build
from deputize.testing.server import Site

POLICY = (files("deputize.settings") / "template.toml").read_text()


@pytest.mark.parametrize("right", [True, False], ids=["at its origin", "elsewhere"])
def test_a_page_that_cannot_work_says_where_it_does(
    right: bool, serve: Callable[..., Site], tab: Page, tmp_path: Path
) -> None:
    def at(port: int) -> object:
        here = f"http://localhost:{port if right else 1}"
        (tmp_path / "deputize.toml").write_text(POLICY.replace("http://localhost:8000", here))
        return build(tmp_path / "deputize.toml", tmp_path / "var")

    site = serve(at)
    tab.goto(f"{site.url}/deputize/account")
    tab.get_by_role("heading", name="Sign in to Example").wait_for()
    assert tab.get_by_text("This page works at").is_visible() is not right
    if not right:
        link = tab.get_by_role("link", name="http://localhost:1/deputize/account")
        assert link.get_attribute("href") == "http://localhost:1/deputize/account"
