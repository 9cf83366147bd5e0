"""The README's own site, to its finish line: the button on its page calls the tool, and something happens."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Dialog, Page
from starlette.types import ASGIApp
from tests.test_readme import APPS, blocks

from deputize.testing.human import Human
from deputize.testing.passkeys import Passkeys
from deputize.testing.server import Site


@pytest.fixture
def site(serve: Callable[..., Site], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The site as it stands there, but for its port."""

    def build(port: int) -> ASGIApp:
        (policy,), (page,) = blocks("toml"), blocks("html")
        (tmp_path / "deputize.toml").write_text(policy.replace(":8000", f":{port}"))
        (tmp_path / "bank.py").write_text(APPS["decorator"])
        (tmp_path / "public").mkdir()
        (tmp_path / "public/index.html").write_text(page)
        monkeypatch.chdir(tmp_path)
        spec = importlib.util.spec_from_file_location("bank", tmp_path / "bank.py")
        assert spec
        assert spec.loader
        bank = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(bank)
        app: ASGIApp = bank.app
        return app

    return serve(build)


def test_the_button_sends_what_was_approved(site: Site, tab: Page, passkeys: Passkeys, human: Human) -> None:
    said: list[str] = []

    def hear(dialog: Dialog) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    tab.on("dialog", hear)
    passkeys.add()
    tab.goto(f"{site.url}/deputize/account?return_to=/")
    tab.get_by_label("Your name").fill("Grace Hopper")
    tab.get_by_role("button", name="Create an account with a passkey").click()
    tab.get_by_role("button", name="Let an agent send 5 EUR").click()
    assert "act for you" in human.approve().text
    with tab.expect_event("dialog"):
        assert {"Send 5.00 EUR?", "To", "“Ada”"} <= set(human.approve().lines)
    assert said == ['{"sent":5}']
    # The shim has a tool of its own by now, which stands first. The transfer is asked for each time.
    tab.get_by_role("button", name="Let an agent send 5 EUR").click()
    with tab.expect_event("dialog"):
        assert {"Send 5.00 EUR?", "To", "“Ada”"} <= set(human.approve().lines)
    assert said == 2 * ['{"sent":5}']
