"""`deputize agent keygen`, `cimd` and `login`; the last one against a site that runs, in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from tests.agent.conftest import Origin, User, client_id, issuer, key, origin, site, user
from typer.testing import CliRunner

from deputize.agent import AgentKey, TokenFile
from deputize.cli import app
from deputize.protocol.client import parse_client

__all__ = ["client_id", "issuer", "key", "origin", "site", "user"]  # fixtures

run = CliRunner().invoke
HERE = "https://agent.example/agent.json"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_keygen_makes_a_key_and_says_its_thumbprint() -> None:
    result = run(app, ["agent", "keygen", "agent.jwk"])
    assert (result.exit_code, result.stdout.strip()) == (0, AgentKey.load("agent.jwk").thumbprint)
    assert Path("agent.jwk").stat().st_mode & 0o777 == 0o600
    private = json.loads(Path("agent.jwk").read_text())["d"]
    assert private not in result.output


def test_keygen_leaves_a_file_alone() -> None:
    Path("agent.jwk").write_text("mine")
    result = run(app, ["agent", "keygen", "agent.jwk"])
    assert (result.exit_code, result.stderr) == (
        2,
        "deputize: agent.jwk is there already, and was left as it is\n",
    )
    assert Path("agent.jwk").read_text() == "mine"


def test_cimd_prints_a_document_that_an_authority_takes() -> None:
    run(app, ["agent", "keygen", "agent.jwk"])
    options = ["--client-id", HERE, "--name", "My Agent", "--scope", "account:read"]
    options += ["--redirect-uri", "http://127.0.0.1/callback", "--redirect-uri", "https://agent.example/cb"]
    result = run(app, ["agent", "cimd", *options, "agent.jwk"])
    client = parse_client(HERE, result.stdout.encode())
    assert (result.exit_code, client.name, str(client.scopes)) == (0, "My Agent", "account:read")
    assert client.redirect_uris == ("http://127.0.0.1/callback", "https://agent.example/cb")
    assert client.keys[0].kid == AgentKey.load("agent.jwk").thumbprint
    assert '"d"' not in result.stdout


@pytest.mark.parametrize(
    ("client_id", "file", "why"),
    [
        ("http://agent.example/a.json", "agent.jwk", "begins with https://"),
        (HERE, "nothing.jwk", "No such file"),
        (HERE, "other.jwk", "other.jwk does not hold a private P-256 key"),
    ],
)
def test_cimd_says_in_one_line_what_is_wrong(client_id: str, file: str, why: str) -> None:
    run(app, ["agent", "keygen", "agent.jwk"])
    Path("other.jwk").write_text("{}")
    result = run(app, ["agent", "cimd", "--client-id", client_id, "--name", "My Agent", file])
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert why in result.stderr


@pytest.fixture
def login(issuer: str, client_id: str, key: AgentKey, tmp_path: Path) -> list[str]:
    """Give the command to log in, but for its last options."""
    key.save(tmp_path / "agent.jwk")
    options = ["--client-id", client_id, "--key", "agent.jwk", "--scope", "account:read payments:write"]
    return ["agent", "login", issuer, *options]


def told(process: "subprocess.Popen[str]") -> str:
    """Return the URL that a command sends its user to."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.strip().startswith("http"):
            return line.strip()
        if "or opens" in line:
            return line.split()[-1]
    raise AssertionError("no URL was told")


def started(command: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "deputize", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_login_through_the_browser_writes_tokens(
    login: list[str], user: User, issuer: str, tmp_path: Path
) -> None:
    limits = [{"type": "webmcp_tool", "tool": "note", "max_calls": 1}]
    (tmp_path / "limits.json").write_text(json.dumps(limits))
    with started([*login, "--no-browser", "--limits", "limits.json", "--tokens", "my.tokens"]) as process:
        user.browses(told(process))
        said, more = process.communicate(timeout=20)
    assert process.returncode == 0, more
    assert said.startswith("usr_")
    assert said.strip().endswith("lets " + login[4] + " have: account:read payments:write")
    tokens = TokenFile("my.tokens").read()
    assert tokens is not None
    assert (tokens.issuer, tokens.authorization_details) == (issuer, limits)
    assert Path("my.tokens").stat().st_mode & 0o777 == 0o600
    assert tokens.refresh_token is not None
    for secret in (tokens.access_token, tokens.refresh_token):
        assert secret not in said + more


def test_login_on_another_device_writes_tokens(login: list[str], user: User) -> None:
    with started([*login, "--device"]) as process:
        user.approves(told(process))
        said, more = process.communicate(timeout=30)
    assert process.returncode == 0, more
    assert "lets" in said
    assert TokenFile("agent.tokens").read() is not None


def test_a_user_who_says_no_is_told_in_one_line(login: list[str], user: User) -> None:
    with started([*login, "--no-browser"]) as process:
        target = user.declines(told(process))
        assert target is not None
        assert httpx2.get(target).status_code == 200
        said, more = process.communicate(timeout=20)
    assert (process.returncode, said) == (1, "")
    assert more.strip().splitlines()[-1] == "deputize: access_denied: The user does not want this."
    assert not Path("agent.tokens").exists()


def test_what_the_authority_refuses_is_told_in_one_line(login: list[str], origin: Origin) -> None:
    login[login.index("account:read payments:write")] = "account:admin"
    result = run(app, [*login, "--no-browser"])
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("deputize: invalid_scope: ")


@pytest.mark.parametrize("content", ["", "{}", "[1]", '[{"a": 1, "a": 2}]'])
def test_limits_that_are_no_list_are_told_in_one_line(login: list[str], tmp_path: Path, content: str) -> None:
    (tmp_path / "limits.json").write_text(content)
    result = run(app, [*login, "--limits", "limits.json"])
    assert (result.exit_code, result.stderr) == (
        1,
        "deputize: limits.json is not a list of authorization_details in JSON\n",
    )
