"""docs/agents.md is true: its commands and every line of its code run, against a site that runs."""

import asyncio
import re
import shlex
import tomllib
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from tests.agent.conftest import Origin, User
from typer.testing import CliRunner

from deputize import agent as package
from deputize.agent import AgentError, AgentKey
from deputize.cli import app

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/agents.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
CODE = [text for language, text in BLOCKS if language == "python"]


class Tab:
    """A page that is open in Playwright, but for the browser: the stories in e2e/ have one."""

    def __init__(self, user: User) -> None:
        self.answers: list[httpx2.Response] = []
        self.user = user
        self.webmcp = SimpleNamespace(call_tool=self.call_tool)

    def call_tool(self, tool: str, input: dict[str, Any]) -> int:
        evidence = {"deputize_delegation": input.pop("deputize_delegation")}
        self.answers.append(self.user.call(evidence, tool, input))
        return self.answers[-1].status_code


@pytest.fixture
def names(
    issuer: str, origin: Origin, user: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Any]]:
    """Run the first block with this site and this origin in place of the examples, and give what it defines."""
    monkeypatch.chdir(tmp_path)

    def open_browser(url: str, *_: object) -> bool:
        user.browses(url)
        return True

    monkeypatch.setattr(webbrowser, "_tryorder", ["test"])
    monkeypatch.setattr(webbrowser, "_browsers", {"test": [None, SimpleNamespace(open=open_browser)]})
    for name in ("agent", "errand"):
        key = AgentKey.generate()
        key.save(f"{name}.jwk")
        origin.publish(f"{name}.json", key)
    names: dict[str, Any] = {"site": issuer, "origin": origin.url}
    run(CODE[0], names)
    yield names
    names["agent"].close()


def run(code: str, names: dict[str, Any]) -> None:
    here = code.replace("https://bank.example/deputize", names["site"])
    exec(here.replace("https://agent.example", names["origin"]), names)  # noqa: S102  # our own page


def test_twenty_lines_are_a_working_agent(names: dict[str, Any], user: User) -> None:
    assert len(CODE[0].strip().splitlines()) <= 20
    tab = Tab(user)
    assert names["call"](tab, "get_balance", {}) == 200
    assert names["call"](tab, "transfer_money", {"amount": 5, "name": "Ada"}) == 202
    names["agent"].revoke()
    assert names["call"](tab, "get_balance", {}) == 200  # the user was asked again


def test_the_limits_of_the_page_hold(names: dict[str, Any], user: User) -> None:
    run(CODE[1], names)
    tab = Tab(user)
    names["call"](tab, "transfer_money", {"amount": 501, "name": "Ada"})
    names["call"](tab, "transfer_money", {"amount": 5, "name": "Eve"})
    assert names["call"](tab, "transfer_money", {"amount": 500, "name": "Ada"}) == 202
    codes = [answer.json().get("code") for answer in tab.answers]
    assert codes == ["constraint_exhausted", "constraint_violated", None]


def test_the_device_flow_of_the_page_works(
    names: dict[str, Any], user: User, issuer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def show(text: str) -> None:
        user.approves(f"{issuer}/device?user_code={text.split()[-1]}")

    monkeypatch.setitem(names, "print", show)
    monkeypatch.setattr(names["agent"], "_sleep", lambda seconds: None)
    run(CODE[2], names)
    assert names["call"](Tab(user), "get_balance", {}) == 200


def test_handing_on_works_as_the_page_shows(names: dict[str, Any], user: User) -> None:
    names["agent"].login("account:read payments:write")
    run(CODE[3], names)
    assert user.call(names["child"].evidence("get_balance", {}), "get_balance").status_code == 200
    names["child"].close()


def test_the_asyncio_client_of_the_page_works(names: dict[str, Any], user: User) -> None:
    names["agent"].login("account:read")
    run(CODE[4], names)
    tab = Tab(user)

    async def call_tool(tool: str, input: dict[str, Any]) -> dict[str, Any]:
        return {"tool": tool, **input}

    tab.webmcp.call_tool = call_tool
    called = asyncio.run(names["balance"](tab))
    assert user.call({"": called["deputize_delegation"]}, called["tool"]).status_code == 200
    assert len(CODE) == 5  # every block is run by a test


def test_the_commands_of_the_page_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (console,) = [text for language, text in BLOCKS if language == "console"]
    for line in console.splitlines():
        program, *arguments = shlex.split(line.removeprefix("$ ").partition(" > ")[0])
        if program == "deputize":
            assert CliRunner().invoke(app, arguments).exit_code == 0, line
    (policy,) = [text for language, text in BLOCKS if language == "toml"]
    assert tomllib.loads(policy)["agents"]["origin"]["allow"] == ["https://agent.example"]


def test_every_error_is_in_the_table() -> None:
    named = set(re.findall(r"^\| `(\w+)`", TEXT, re.MULTILINE))
    errors = {name for name in package.__all__ if isinstance(getattr(package, name), type)}
    errors = {name for name in errors if issubclass(getattr(package, name), AgentError)}
    assert named == errors - {"AgentError"}
