"""`deputize guard`: its key, what it refuses to start with, and a call through it, from a page to an API (PROXY-7)."""

import json
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from tests.guard.proxy.conftest import POLICY as PROXIED
from tests.guard.proxy.conftest import Site, behind
from typer.testing import CliRunner

from deputize.cli import app
from deputize.crypto import jwk_file

run = CliRunner().invoke
SEVERAL = PROXIED.replace(
    "[api]\n", '[api]\norigins = ["https://bank.example", "https://b.example"]\n'
).replace("DELETE /", "DELETE https://b.example/")
UPSTREAM = ["--upstream", "http://127.0.0.1:3000"]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def keygen() -> str:
    return run(app, ["guard", "keygen"]).stdout.strip()


def with_key(policy: str, line: str) -> str:
    return policy.replace("[api]\n", f"[api]\n{line}\n")


def test_keygen_makes_a_private_file_and_prints_the_line_for_the_policy() -> None:
    line = keygen()
    assert Path("guard.jwk").stat().st_mode & 0o777 == 0o600
    private = json.loads(Path("guard.jwk").read_text())
    (said,) = tomllib.loads(line)["keys"]
    assert said == {name: private[name] for name in ("kty", "crv", "x", "y")}
    assert private["d"] not in line
    Path("deputize.toml").write_text(with_key(PROXIED, line))
    assert run(app, ["check"]).exit_code == 0


def test_keygen_leaves_a_file_alone() -> None:
    Path("guard.jwk").write_text("mine")
    result = run(app, ["guard", "keygen"])
    assert (result.exit_code, result.stderr) == (
        2,
        "deputize: guard.jwk is there already, and was left as it is\n",
    )
    assert Path("guard.jwk").read_text() == "mine"


def test_public_prints_what_a_handler_verifies_with() -> None:
    keygen()
    printed = json.loads(run(app, ["guard", "public", "guard.jwk"]).stdout)
    assert printed == jwk_file.public(jwk_file.load("guard.jwk"))
    assert "d" not in printed


@pytest.mark.parametrize(
    ("options", "policy", "told"),
    [
        ([], PROXIED, "say where the API is"),
        (["--upstream", "http://10.0.0.1:3000"], PROXIED, "the upstream is on this machine"),
        (["--upstream", "https://example.com"], PROXIED, "the upstream is on this machine"),
        (
            [*UPSTREAM, "--key", "other.jwk"],
            PROXIED,
            "there is no other.jwk; `deputize guard keygen other.jwk`",
        ),
        ([*UPSTREAM, "--policy", "other.toml"], PROXIED, "there is no other.toml"),
        (
            [*UPSTREAM, "--origin", "https://other.example"],
            PROXIED,
            "names no endpoint at https://other.example",
        ),
        (UPSTREAM, SEVERAL, "say by --origin which of them this is"),
        (UPSTREAM, "nonsense", "deputize.toml has 1 fault; `deputize check deputize.toml` names them"),
        (UPSTREAM, PROXIED.replace("endpoint =", "# endpoint ="), 'write: endpoint = "POST /api/transfers"'),
        (
            UPSTREAM,
            PROXIED.replace("keys =", "# keys ="),
            "the authority does not know guard.jwk; under [api]",
        ),
    ],
)
def test_it_does_not_start_with_what_would_guard_nothing(options: list[str], policy: str, told: str) -> None:
    line = keygen()
    known = "keys =" not in policy and "does not know" not in told
    Path("deputize.toml").write_text(with_key(policy, line) if known else policy)
    result = run(app, ["guard", *options])
    assert (result.exit_code in (1, 2), result.stderr.count("\n")) == (True, 1), result.output
    assert told in result.stderr


@contextmanager
def proxying(*options: str) -> Iterator[str]:
    """Run the command; yields the URL of the proxy."""
    command = [sys.executable, "-m", "deputize", "guard", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        try:
            said = process.stderr.readline()
            assert " is guarded at 127.0.0.1 port " in said, said + process.stderr.read()
            yield f"http://127.0.0.1:{said.split()[-1].rstrip('.')}"
        finally:
            process.terminate()
            _, told = process.communicate(timeout=20)
            assert "Traceback" not in told


@contextmanager
def upstream() -> Iterator[tuple[Site, str]]:
    site, listener = Site(), socket.create_server(("127.0.0.1", 0))
    with behind(site, listener):
        yield site, f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_it_guards_passes_on_and_follows_its_policy() -> None:
    """PROXY-7: while the authority cannot be reached, nothing that is guarded runs (GUARD-6)."""
    policy = Path("deputize.toml")
    policy.write_text(with_key(PROXIED.replace("https://bank.example", "http://localhost:9"), keygen()))
    with upstream() as (site, url), proxying("--upstream", url) as at:
        with httpx2.Client(base_url=at, trust_env=False, timeout=30) as http:
            assert http.post("/api/transfers", json={}).json()["code"] == "missing_call_token"
            assert http.get("/other").status_code == 200
            assert http.post("/api/cards").status_code == 200
            changed = policy.read_text()
            policy.write_text(changed.replace('"POST /api/transfers"', '"POST /api/cards"'))
            assert http.post("/api/cards", json={}).json()["code"] == "missing_call_token"
            policy.write_text("nonsense")
            assert http.post("/api/cards", json={}).json()["code"] == "missing_call_token"
        assert [came.target for came in site.came] == ["/other", "/api/cards"]


def test_it_says_what_it_guards_and_what_no_proxy_can() -> None:
    more = '\n[tools.secret]\nscopes = ["pay"]\n'
    Path("deputize.toml").write_text(with_key(PROXIED, keygen()) + more)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = run(app, ["guard", *UPSTREAM, "--port", port])
    assert "transfer_money     POST /api/transfers" in result.stdout
    assert "Without an endpoint, so no proxy guards it: secret" in result.stdout
    assert result.stderr.startswith(
        f"deputize: cannot listen on 127.0.0.1 port {port}: Address already in use"
    )
