"""The README is true: its commands exist, and its site runs as it stands there."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from deputize.guard import Unguarded

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def blocks(language: str, count: int = 1) -> list[str]:
    """Return the blocks in this language, of which there are so many."""
    found: list[str] = [text for name, text in BLOCKS if name == language]
    assert len(found) == count
    return found


APPS = dict(zip(["decorator", "dependency"], blocks("python", 2), strict=True))
"""The two ways to write the site, by how their guard stands before the effect."""


@pytest.fixture(params=APPS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Lay the README's site out in a folder, as a reader would."""
    (tmp_path / "deputize.toml").write_text(*blocks("toml"))
    (tmp_path / "bank.py").write_text(APPS[request.param])
    (tmp_path / "public").mkdir()
    (tmp_path / "public/index.html").write_text(*blocks("html"))
    return tmp_path


def deputize(folder: Path, *words: str) -> str:
    """Run a command as a reader would, and return what it says; it must end well."""
    command = [sys.executable, "-m", "deputize", *words]
    told = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    return told.stdout


def test_make_has_every_target_that_it_names() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake (\w+)", README))
    assert named
    assert named <= targets


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 140


def test_the_policy_has_no_fault_and_its_guard_stands(site: Path, request: pytest.FixtureRequest) -> None:
    (command,) = re.findall(r"`deputize (check \S+ --app \S+)`", README)
    told = deputize(site, *command.split())
    how = request.node.callspec.params["site"]
    assert re.search(rf"^transfer_money +{how} +POST /api/transfers$", told, re.MULTILINE)


def test_the_site_runs_and_its_api_does_nothing_without_a_call(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site)
    spec = importlib.util.spec_from_file_location("bank", site / "bank.py")
    assert spec
    assert spec.loader
    bank = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bank)
    with TestClient(bank.app, base_url="http://localhost:8000") as client:
        assert "registerTool" in client.get("/").text
        assert client.get("/deputize/account").status_code == 200
        tools = client.get("/deputize/tools").json()["tools"]
        assert tools["transfer_money"]["approval"] == "always"
        told = client.post("/api/transfers", json={"amount": 1, "name": "Ada"})
        assert (told.status_code, told.json()["code"]) == (401, "missing_call_token")
    assert ((site / "var").stat().st_mode & 0o077) == 0


def test_it_does_not_start_without_its_guard(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (site / "bank.py").read_text()
    for guard in ('@authority.guard.tool("transfer_money")\n', 'Depends(authority.guard("transfer_money"))'):
        text = text.replace(guard, "" if guard.startswith("@") else "None")
    monkeypatch.chdir(site)
    bank: dict[str, Any] = {"__name__": "bank"}
    exec(text, bank)  # noqa: S102  # the README's own
    with pytest.raises(Unguarded, match="transfer_money"), TestClient(bank["app"]):
        pass
