"""`deputize init` and `deputize check`."""

from pathlib import Path

import pytest
from tests.tickets import TicketSite
from typer.testing import CliRunner

from deputize.cli import app

run = CliRunner().invoke


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_what_init_writes_passes_check() -> None:
    assert run(app, ["init"]).exit_code == 0
    result = run(app, ["check"])
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["search_help", "anybody", "page"] in rows
    assert ["get_balance", "agent", "never", "api", "account:read"] in rows
    assert ["transfer_money", "nobody", "each", "call", "any", "api", "payments:write"] in rows
    assert "Any other tool is refused." in result.stdout
    assert '"nobody": no agent that it is open to may have all of its scopes, see [agents].' in result.stdout
    assert [
        "account:read",
        "yes",
        "no",
        "See",
        "your",
        "accounts",
        "and",
        "what",
        "moved",
        "on",
        "them",
    ] in rows


def test_check_calls_no_tool_open_that_is_closed_to_every_agent_there_may_be() -> None:  # AGENT-3
    run(app, ["init"])
    open_tool = '[tools.get_balance]\nscopes = ["account:read"]\n'
    text = Path("deputize.toml").read_text()
    assert text.count(open_tool) == 1
    text = text.replace(open_tool, f"{open_tool}opaque = false\n")
    attested = '[agents.origin]\nallow = ["https://agent.example"]\n'
    for more, who in (("", "nobody"), (attested, "agent")):
        Path("deputize.toml").write_text(text + more)
        rows = [line.split() for line in run(app, ["check"]).stdout.splitlines()]
        assert ["get_balance", who, "never", "api", "account:read"] in rows


def test_check_says_which_agents_may_have_what() -> None:  # AGENT-2
    run(app, ["init"])
    agent = "https://known.example/agent.json"
    text = Path("deputize.toml").read_text()
    text += f"""
[agents.origin]
allow = ["https://agent.example"]
scopes = ["payments:write"]
[agents.registered."{agent}"]
name = "Known"
[[agents.registered."{agent}".keys]]
kty = "EC"
crv = "P-256"
x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
"""
    Path("deputize.toml").write_text(text)
    rows = [" ".join(line.split()) for line in run(app, ["check"]).stdout.splitlines()]
    assert "any in a user's browser that browser account:read" in rows
    assert "any of https://agent.example keys at that origin payments:write" in rows
    assert not any("not at all" in row for row in rows)
    text = text.replace(
        'scopes = ["payments:write"]\n[',
        'scopes = ["account:read", "payments:write"]\n[mcp]\nbearer = true\n[',
    )
    Path("deputize.toml").write_text(text)
    rows = [" ".join(line.split()) for line in run(app, ["check"]).stdout.splitlines()]
    assert "any that says it is of https://agent.example not at all account:read" in rows  # BEARER-2
    assert f"{agent} keys in this file account:read" in rows
    assert "transfer_money agent each call any api payments:write" in rows
    assert "payments:write yes yes Send money, each time with your passkey" in rows


def test_check_says_where_users_sign_in() -> None:  # SIGNIN-1, OPENID-1
    run(app, ["init"])
    assert "users sign in" not in run(app, ["check"]).stdout
    text = Path("deputize.toml").read_text()
    for users, told in (
        (
            TicketSite("http://localhost:8000", "", lambda: 0).table,
            "tickets of http://localhost:8000/login/deputize.",
        ),
        (
            '[users]\npasskeys = true\n[users.openid]\nissuer = "https://login.example"\nclient_id = "x"\n',
            "the OpenID provider https://login.example, or by passkey alone.",
        ),
    ):
        Path("deputize.toml").write_text(text + users)
        said = " ".join(run(app, ["check"]).stdout.split())
        assert f"Where it stands alone, users sign in by {told}" in said


def test_init_leaves_a_file_alone() -> None:
    Path("mine.toml").write_text("mine")
    result = run(app, ["init", "mine.toml"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "deputize: mine.toml is there already, and was left as it is\n"
    assert Path("mine.toml").read_text() == "mine"


def test_check_names_all_faults_with_file_and_line() -> None:
    Path("deputize.toml").write_text(
        "[site]\nnam = 'x'\norigin = 'http://localhost'\n[lifetimes]\nwait = 26\n"
    )
    result = run(app, ["check"])
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        'deputize.toml:1: site.name: missing; write name = "Harbor"',
        'deputize.toml:2: site.nam: no such key; did you mean "name"?',
        "deputize.toml:5: lifetimes.wait: 26 seconds are out of range; write 0 to 25",
    ]


@pytest.mark.parametrize("command", [["check", "x.toml"], ["serve", "--policy", "x.toml"]])
def test_a_policy_that_is_not_there_is_told_in_one_line(command: list[str]) -> None:
    result = run(app, command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "deputize: there is no x.toml; `deputize init x.toml` writes one\n"


def test_a_policy_that_cannot_be_read_is_told_in_one_line() -> None:
    result = run(app, ["check", "."])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert "Is a directory" in result.stderr


def test_serve_does_not_start_on_faults() -> None:
    Path("deputize.toml").write_text("[site]\n")
    result = run(app, ["serve"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert (
        result.stderr == "deputize: deputize.toml has 2 faults; `deputize check deputize.toml` names them\n"
    )
    assert not Path("var").exists()


READ = 'scopes = ["read"]\ndescribe = "x"\n'
RULES = {
    "public = true": "anybody page",
    READ: "agent never api read",
    'scopes = ["read", "write"]\nexecutes = "page"': "nobody never page read write",
    READ
    + 'approval = "always"\nauthenticator_class = "cross-platform"': "agent each call phone or key api read",
    READ + "approval = { when = {} }": "agent some calls any api read",
    READ + "direct = true": "agent, user own calls any api read",
    READ + "direct = true\napproval = { when = {} }": "agent, user own, some others any api read",
    READ + 'direct = true\napproval = "always"': "agent, user each call any api read",
}


@pytest.mark.parametrize(("rules", "row"), RULES.items())
def test_check_says_who_may_do_what(rules: str, row: str) -> None:
    Path("deputize.toml").write_text(
        "[site]\nname = 'x'\norigin = 'http://localhost'\n[scopes.read]\ntitle = 'r'\nwrites = false\n"
        f"[scopes.write]\ntitle = 'w'\n[tools.t]\n{rules}\n"
    )
    result = run(app, ["check"])
    assert result.exit_code == 0, result.stdout
    assert ["t", *row.split()] in [line.split() for line in result.stdout.splitlines()]


KEY = '{ kty = "EC", crv = "P-256", x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", \
y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" }'


@pytest.mark.parametrize(
    ("rules", "api", "missing"),
    [
        (READ, "elsewhere = true", True),
        (READ, f"elsewhere = true\nkeys = [{KEY}]", False),
        (READ + "elsewhere = true", "", True),
        (READ, "", False),
        (READ + 'executes = "page"', "elsewhere = true", False),
        ("public = true", "elsewhere = true", False),
    ],
    ids=["none", "one", "of one tool", "in the app", "in the page", "public"],
)
def test_check_says_that_a_guard_elsewhere_has_no_key_yet(rules: str, api: str, missing: bool) -> None:
    Path("deputize.toml").write_text(
        "[site]\nname = 'x'\norigin = 'http://localhost'\n[scopes.read]\ntitle = 'r'\nwrites = false\n"
        f"[tools.t]\n{rules}\n[api]\n{api}\n"
    )
    result = run(app, ["check"])
    assert result.exit_code == 0, result.stdout
    said = (
        "[api] has no keys, so no guard in another process lets a call through: see `deputize guard keygen`."
    )
    assert (said in result.stdout.splitlines()) is missing


@pytest.mark.parametrize(
    "command", ["", "init", "check", "serve", "demo", "users", "agents", "grants", "keys", "log"]
)
def test_every_command_explains_itself(command: str) -> None:
    result = run(app, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.stdout
