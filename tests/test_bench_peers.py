"""The command that measures peers is there, and starts: its figures are for a quiet machine, which no test has."""

import json
import re
import subprocess
import sys
from pathlib import Path

from bench.peers import suite

ROOT = Path(__file__).parent.parent
PEERS = ROOT / "bench" / "peers"
COMMAND = [sys.executable, str(PEERS / "run.py")]


def test_what_a_machine_lacks_is_left_out_and_said_so(tmp_path: Path) -> None:
    ran = subprocess.run(
        [*COMMAND, "--sep", str(tmp_path)], env={"PATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    for who in (suite.PROVIDER, suite.PROPOSAL):
        assert f"{who} is left out:" in ran.stdout
    assert "redis-server" in ran.stdout


def test_the_proposals_server_has_to_be_named_and_built(tmp_path: Path) -> None:
    assert "SEP=" in suite.lacking(None)[suite.PROPOSAL]
    assert suite.PROPOSAL in suite.lacking(tmp_path)


def test_versions_of_peers_are_pinned() -> None:
    versions = json.loads((PEERS / "package.json").read_text())["dependencies"]
    assert "oidc-provider" in versions
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions.values())


def test_the_provider_can_be_read_by_node() -> None:
    subprocess.run(["node", "--check", str(PEERS / "issuer.mjs")], check=True)


def test_make_knows_the_command() -> None:
    listed = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "make bench-peers" in listed.stdout
    assert "bench/peers" not in "".join(
        path.read_text() for path in (ROOT / ".ci").rglob("*") if path.is_file()
    )
