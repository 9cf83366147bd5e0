"""The pages for people are true as far as they name things: commands, links, and what docs/operating.md lists."""

import asyncio
import inspect
import json
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from starlette.testclient import TestClient
from typer.testing import CliRunner

import deputize
from deputize.app import Deputize, build
from deputize.authority.waiting import MOST
from deputize.cli import app
from deputize.log.log import Log
from deputize.protocol.agent import Agent, Assurance
from deputize.protocol.canonical import b64u
from deputize.protocol.credential import Credential, User
from deputize.protocol.finding import Finding
from deputize.protocol.grant import Grant, GrantState
from deputize.protocol.ids import ClientId, CredentialId, GrantId, Jkt, UserId, make_id
from deputize.protocol.quota import Quotas
from deputize.protocol.scope import ScopeSet
from deputize.service.faults import Locked
from deputize.service.ports import Tx
from deputize.store.sqlite import SqliteStore
from deputize.store.wrapping_command import CommandWrapping
from deputize.web import health, waiting
from deputize.web.mcp import contents, handling, holding, listening, progress
from deputize.web.mcp.endpoint import LISTENING

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "SECURITY.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
OPERATING = (ROOT / "docs/operating.md").read_text()
USER, AGENT, GRANT = (make_id(kind, bytes(16)) for kind in ("usr", "agt", "grt"))
PASSKEY = b64u(bytes(16))
URL = "https://agent.example/agent.json"


def table(heading: str) -> dict[str, str]:
    """Return the first two columns of the table whose first column has this heading."""
    (found,) = re.findall(rf"^\| {re.escape(heading)} \|.*\n\| ---.*\n((?:\|.*\n)+)", OPERATING, re.MULTILINE)
    rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in found.splitlines()]
    return {row[0]: row[1] for row in rows}


def script(heading: str) -> list[str]:
    """Return the lines of the shell block in this section, without remarks."""
    section = OPERATING.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]


def commands() -> Iterator[tuple[str, str]]:
    """Find each command of ours that a page names, and the page."""
    for page in PAGES:
        text = page.read_text()
        for span in re.findall(r"`(deputize [a-z][^`]*)`", text):
            yield page.name, " ".join(span.split())
        for block in re.findall(r"^```(?:sh|console)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            for line in re.findall(r"^(?:\$ )?(deputize .*)", block, re.MULTILINE):
                yield page.name, line.split("  #")[0].strip()


NAMED = sorted(set(commands()))


@pytest.mark.parametrize(("page", "line"), NAMED, ids=[f"{page}: {line}" for page, line in NAMED])
def test_a_command_that_a_page_names_is_there(page: str, line: str) -> None:
    command: Any = typer.main.get_command(app)
    options = False
    for word in line.split()[1:]:
        if word.startswith("--"):
            options = True
            assert word in {name for each in command.params for name in each.opts}, f"{page}: {line}"
        elif not options and (below := getattr(command, "commands", None)):
            assert set(word.split("|")) <= below.keys(), f"{page}: {line}"
            command = below[word.split("|")[0]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text()):
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", there.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteStore]:
    """Lay out what an owner has, with a user, a passkey, an agent and a grant, and serve it."""
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["init"]).exit_code == 0
    with TestClient(build("deputize.toml"), base_url="http://localhost:8000"):
        store = SqliteStore(Path("var/deputize.db"))

        def populate(tx: Tx) -> None:
            user, agent = UserId(USER), ClientId(AGENT)
            tx.add(User(user, "Ada", b"handle", 1))
            tx.add(Credential(CredentialId(PASSKEY), user, b"k", 0, frozenset({"usb"}), "Key", 1, True))
            tx.add(Agent(agent, Assurance.OPAQUE, Jkt("k"), user, 1))
            scopes = ScopeSet.of(["account:read"])
            grant = Grant(GrantId(GRANT), user, agent, scopes, GrantState.PENDING, {}, 1, 10**10, Jkt("k"))
            tx.add(grant)
            tx.move_grant(grant.grant_id, GrantState.ACTIVE, 1, 10**10)

        asyncio.run(store.transact(populate))
        yield store
        store.close()


def test_the_quotas_are_those_of_the_policy() -> None:
    def written(value: object) -> str:
        rate = value if isinstance(value, dict) else None
        return f'`"{rate["most"]} in {_time(rate["within"])}"`' if rate else f"`{value}`"

    assert table("`[quotas]`") == {f"`{name}`": written(value) for name, value in asdict(Quotas()).items()}


def test_what_waits_is_as_long_and_as_much() -> None:
    rows = re.findall(r"^\| `(?:GET|POST) .*\| ([0-9]+) \| (.*) \|$", OPERATING, re.MULTILINE)
    assert rows == [
        (f"{waiting.LONGEST}", f"`waits` of `[quotas]` for each user, {MOST:,} in all"),
        (f"{listening.LONGEST}", f"{listening.EACH} for each user, {LISTENING} in all"),
        (f"{holding.PATIENCE}", "counts as the first; where there is no place, it is answered at once"),
    ]


def _time(seconds: int) -> str:
    return f"{seconds // 3600}h" if seconds % 3600 == 0 else f"{seconds // 60}m"


def test_what_readyz_says_is_all_there() -> None:
    said = r'^ +f?"([^"]+)": (?:authority|health|wrapping)'
    told = re.findall(said, inspect.getsource(health.readyz), re.MULTILINE)
    assert sorted(table("after `ready, but`")) == sorted(each.replace("{wrapping}", "…") for each in told)


def test_the_findings_are_all_there() -> None:
    """PAGE-1."""
    title, *rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/developing.md").read_text(), re.MULTILINE)
    assert title == "finding"
    assert sorted(rows) == sorted([*Finding, "no_answer"])  # of which the authority hears nothing


def test_the_metrics_are_all_there() -> None:
    def exposed(name: str, kind: str) -> str:
        return f"`{name}_total`" if kind == "counter" else f"`{name}`"

    families = Log().registry.collect()
    assert sorted(table("metric")) == sorted(exposed(each.name, each.type) for each in families)


def test_the_events_are_all_there() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "server/deputize").rglob("*.py"))
    noted = re.findall(
        r'\b(?:_?note|_tell|alarm)\(\s*"(\w+)"|\b_write\(\s*"(?:error|warning)",\s*"(\w+)"', sources
    )
    told = re.findall(r"`(\w+)`", " ".join(table("`event`")))
    assert sorted(told) == sorted({a or b for a, b in noted})


def test_keeping_somebody_out_goes_as_it_says(folder: SqliteStore) -> None:
    lines = script("Keeping somebody out, and letting somebody in")
    assert len(lines) > 10
    for line in lines:
        for name, real in (("usr_…", USER), ("agt_…", AGENT), ("grt_…", GRANT), ("PASSKEY", PASSKEY)):
            line = line.replace(name, real)
        result = CliRunner().invoke(app, line.split()[1:])
        assert result.exit_code == 0, f"{line}: {result.output}"


def test_an_api_elsewhere_is_guarded_and_checked_as_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    section = OPERATING.split("\n## An API in another process\n")[1].split("\n## ")[0]
    blocks = dict(re.findall(r"^```(\w+)\n(.*?)^```", section, re.MULTILINE | re.DOTALL))
    made = CliRunner().invoke(app, ["guard", "keygen", "guard.jwk"])
    policy, keys = re.subn(r"^keys = .*", made.stdout.strip(), blocks["toml"], flags=re.MULTILINE)
    assert keys == 1
    Path("deputize.toml").write_text(
        '[site]\nname = "Harbor"\norigin = "https://harbor.example"\nissuer = "https://id.harbor.example"\n'
        f'{policy}[scopes."payments:write"]\ntitle = "Send money"\n'
        '[tools.transfer_money]\nscopes = ["payments:write"]\napproval = "always"\ndescribe = "Send money"\n'
        'endpoint = "POST /api/transfers"\n'
    )
    Path("api.py").write_text(blocks["python"])
    command = [sys.executable, "-m", "deputize", "check", "deputize.toml", "--app", "api:app"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    assert re.search(r"^transfer_money +decorator +POST /api/transfers$", told.stdout, re.MULTILINE)
    with TestClient(runpy.run_path("api.py")["app"]) as client:
        answer = client.post("/api/transfers", json={"amount": 1})
    assert (answer.status_code, answer.json()["code"]) == (401, "missing_call_token")


def test_a_backup_is_made_as_it_says_and_is_whole(folder: SqliteStore) -> None:
    made, verified = [CliRunner().invoke(app, line.split()[1:]) for line in script("Backups")]
    assert (made.exit_code, verified.exit_code) == (0, 0), made.output + verified.output
    assert "whole" in verified.stdout
    again = ["restore", "backup", "--data", "again", "--accept-rollback"]
    Path("again").mkdir()
    shutil.copy("var/wrapping.json", "again")
    assert CliRunner().invoke(app, again).exit_code == 0
    with TestClient(build("deputize.toml", "again"), base_url="http://localhost:8000") as client:
        assert client.get("/deputize/readyz").text.startswith("ready")
    assert USER in CliRunner().invoke(app, ["users", "list", "--data", "again"]).stdout


def test_the_command_that_wraps_does_as_it_says(tmp_path: Path) -> None:
    """SEAL-3."""
    (text,) = re.findall(
        r"```sh\n(#!/bin/sh -e\n.*?)```", (ROOT / "docs/operating.md").read_text(), re.DOTALL
    )
    (tmp_path / "keys").mkdir()
    (tmp_path / "wrap").write_text(text.replace("/mnt/keys", str(tmp_path / "keys")))
    (tmp_path / "wrap").chmod(0o700)
    command = CommandWrapping([str(tmp_path / "wrap")])
    wrapped = {name: command.wrap(name, name.encode() * 32) for name in ("a", "b")}
    assert command.unwrap("a", wrapped["a"]) == b"a" * 32
    command.destroy("a")
    command.destroy("a")
    with pytest.raises(Locked):
        command.unwrap("a", wrapped["a"])
    assert command.unwrap("b", wrapped["b"]) == b"b" * 32


def test_a_handler_is_taken_as_the_page_for_mcp_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (policy,) = re.findall(r"^```toml\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    Path("deputize.toml").write_text(policy)
    (handler,) = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "docs/mcp.md").read_text(), re.MULTILINE | re.DOTALL
    )
    authority = Deputize("deputize.toml", data="var")
    exec(handler, {"authority": authority})  # noqa: S102  # the page's own
    with pytest.raises(ValueError, match="transfer_money"):  # now it has one
        exec(handler, {"authority": authority})  # noqa: S102
    asyncio.run(authority.aclose())


@pytest.fixture
def handlers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Serve the site that docs/handlers.md has, to a program on this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("asyncio.sleep", lambda seconds, sleep=asyncio.sleep: sleep(0))
    Path("deputize.toml").write_text(_handlers("toml")[0])
    Path("bank.py").write_text(_handlers("python")[0])
    app = runpy.run_path("bank.py")["app"]
    with TestClient(app, base_url="http://localhost:8000", client=("127.0.0.1", 50_000)) as client:
        yield client


def _handlers(language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", (ROOT / "docs/handlers.md").read_text(), re.MULTILINE | re.DOTALL
    )


def test_the_handlers_of_their_page_answer_as_it_says(handlers: TestClient) -> None:
    def call(name: str, token: str | None = None, **arguments: object) -> Any:
        params = {"name": name, "arguments": arguments, "_meta": {"progressToken": token} if token else {}}
        return send({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})

    def send(message: object) -> Any:
        accept = {"accept": "application/json, text/event-stream"}
        return handlers.post("/deputize/mcp", json=message, headers=accept)

    (asked,) = re.findall(r"^curl (\S+) --json '(.*)'$", _handlers("sh")[0], re.MULTILINE)
    assert asked[0] == "http://localhost:8000/deputize/mcp"
    result = send(json.loads(asked[1])).json()["result"]
    assert (result["isError"], result["structuredContent"]) == (False, {"balance": 1000})
    kinds = [each["type"] for each in call("show_statement").json()["result"]["content"]]
    assert kinds == ["text", "image"]
    failed = call("close_month").json()["result"]
    assert failed["content"][0]["text"] == "Which month? Nothing was done."
    assert failed["_meta"]["dev.deputize/call"]["state"] == "failed"
    told = call("close_month", "t", month="May")
    assert told.headers["content-type"] == "text/event-stream"
    assert "notifications/progress" in told.text
    assert "May is closed." in told.text


def test_a_handler_that_is_called_off_says_so_as_its_page_has_it() -> None:
    @dataclass
    class Book:
        undone: bool

        async def commit(self) -> None:
            raise asyncio.CancelledError

        async def undo(self) -> bool:
            return self.undone

    names: dict[str, Any] = {"asyncio": asyncio, "deputize": deputize}
    exec(_handlers("python")[1], names)  # noqa: S102  # the page's own
    for undone, raised in ((True, deputize.ToolFailed), (False, asyncio.CancelledError)):
        with pytest.raises(raised):
            asyncio.run(names["moved"](Book(undone), None))


def test_the_limits_of_handlers_are_those_that_their_page_tells() -> None:
    page = (ROOT / "docs/handlers.md").read_text()
    for told in (
        f"{contents.MOST // 2**20} MiB at most, of which {contents.MOST_JSON // 2**10} KiB may be JSON",
        f"within {handling.PATIENCE:.0f} seconds",
        f"{handling.TASKS_EACH} of this user's run already ({handling.THREADS_EACH}, if they are not async)",
        f"more than {1 / progress.INTERVAL:.0f} in a second",
    ):
        assert told in page
