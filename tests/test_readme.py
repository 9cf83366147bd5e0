"""The README is true: its commands exist, and its site runs as it stands there."""

import asyncio
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def block(language: str) -> str:
    """Return the one block in this language."""
    found: list[str] = [text for name, text in BLOCKS if name == language]
    assert len(found) == 1
    return found[0]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Lay the README's site out in a folder, as a reader would."""
    (tmp_path / "deputize.toml").write_text(block("toml"))
    (tmp_path / "bank.py").write_text(block("python"))
    (tmp_path / "public").mkdir()
    (tmp_path / "public/index.html").write_text(block("html"))
    return tmp_path


def test_make_has_every_target_that_it_names() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake (\w+)", README))
    assert named
    assert named <= targets


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_policy_has_no_fault(site: Path) -> None:
    check = [sys.executable, "-m", "deputize", "check", "deputize.toml"]
    told = subprocess.run(check, cwd=site, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 0, told.stdout + told.stderr


def test_the_site_runs_and_its_api_does_nothing_without_a_call(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site)
    spec = importlib.util.spec_from_file_location("bank", site / "bank.py")
    assert spec
    assert spec.loader
    bank = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bank)

    async def visit() -> None:
        transport = httpx2.ASGITransport(bank.app)
        async with (
            bank.authority.lifespan(),
            httpx2.AsyncClient(transport=transport, base_url="http://localhost:8000") as client,
        ):
            page = await client.get("/")
            assert "registerTool" in page.text
            assert (await client.get("/deputize/account")).status_code == 200
            tools = (await client.get("/deputize/tools")).json()["tools"]
            assert tools["transfer_money"]["approval"] == "always"
            told = await client.post("/api/transfers", json={"amount": 1, "name": "Ada"})
            assert (told.status_code, told.json()["code"]) == (401, "missing_call_token")

    asyncio.run(visit())
    assert ((site / "var").stat().st_mode & 0o077) == 0
