"""The official conformance suite of MCP against a site of handlers, in both lives of the protocol (MCP-18, MCP-19).

What the suite has for things that we do not have is named here, with the reason: nothing is left out in silence.
"""

import json
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import TypeAlias

import pytest
from tests.interop import everything
from tests.interop.test_mcp_client import JS, PATIENCE

from deputize.testing.server import Site

VERSIONS = ["2025-11-25", "2026-07-28"]
HELD = [
    *(
        "server-initialize",
        "server-stateless",
        "ping",
        "tools-list",
        "tools-call-simple-text",
        "tools-call-image",
    ),
    *("tools-call-audio", "tools-call-embedded-resource", "tools-call-mixed-content", "tools-call-error"),
    *(
        "tools-call-with-progress",
        "json-schema-2020-12",
        "server-sse-multiple-streams",
        "dns-rebinding-protection",
    ),
    *("caching", "http-header-validation", "http-custom-header-server-validation"),
    *("server-session-lifecycle", "input-required-result-unsupported-methods"),
    "input-required-result-validate-input",
]
LEFT_OUT = {
    "completion-": "there is no completion",
    "prompts-": "there are no prompts",
    "resources-": "there are no resources to list: handlers answer with them",
    "sep-2164-resource-": "there are no resources to list",
    "logging-": "there is no logging, which is deprecated: the site has its own",
    "tools-call-with-logging": "the same",
    "tools-call-sampling": "a handler asks the client for nothing: whoever could answer there is the agent",
    "tools-call-elicitation": "the same",
    "elicitation-": "the same",
    "input-required-result-": "the same",
    "server-sse-polling": "a stream that breaks off is not taken up again",
}
NOT_TESTED = {
    "server-stateless": {
        "sep-2575-server-rejects-undeclared-capability",  # no tool needs one of its client's
        "sep-2575-missing-capability-http-400",
        "sep-2575-http-server-no-independent-requests-on-stream",  # its tool would ask the client
    },
    "server-sse-multiple-streams": {"server-sse-multiple-streams-session"},  # MCP-16: few clients need one
    "caching": {
        *("sep-2549-prompts-list-caching-hints", "sep-2549-resources-list-caching-hints"),
        "sep-2549-resources-templates-list-caching-hints",
    },
}
Results: TypeAlias = dict[tuple[str, str], dict[str, list[str]]]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Run the suite: the names of the checks that had each result, by version and scenario."""
    folder = tmp_path_factory.mktemp("conformance")
    suite = folder / "suite.cjs"  # in one file, for Nodes that are older than the suite wants one
    package = JS / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
    built = ["node_modules/.bin/esbuild", str(package), "--bundle", "--platform=node", f"--outfile={suite}"]
    here = ["--define:import.meta.url=here", "--banner:js=const here = `file://${__filename}`;"]
    subprocess.run([*built, "--format=cjs", "--log-level=error", *here], cwd=JS, check=True, timeout=PATIENCE)
    with Site(lambda port: everything.build(port, folder / "var")) as site:
        run = ["node", str(suite), "server", "--url", f"{site.url}/deputize/mcp", "--suite", "all"]
        told = [folder / version for version in VERSIONS]
        processes = [
            subprocess.Popen([*run, "--spec-version", each.name, "-o", str(each)], stdout=subprocess.DEVNULL)
            for each in told
        ]
        for process in processes:
            assert process.wait(PATIENCE) in (0, 1)  # some is left out
    return {
        (version.name, scenario(path)): checks(path)
        for version in told
        for path in version.glob("*/checks.json")
    }


def scenario(path: Path) -> str:
    """Name what a folder has the result of: `server-<scenario>-<time>`."""
    return path.parent.name.removeprefix("server-").rsplit("-", 6)[0]


def checks(path: Path) -> dict[str, list[str]]:
    """Read the result of each check."""
    found = defaultdict(list)
    for each in json.loads(path.read_text()):
        found[each["status"]].append(each["id"])
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_every_scenario_is_held_or_left_out_for_a_reason(results: Results, version: str) -> None:
    run = {name for of, name in results if of == version}
    assert len(run) > 30
    assert {name for name in run - {*HELD} if not name.startswith((*LEFT_OUT,))} == set()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", HELD)
def test_a_scenario_is_held(results: Results, version: str, name: str) -> None:
    if (version, name) not in results:  # it is not of this version, but of another one
        assert any((other, name) in results for other in VERSIONS)
        return
    found = results[version, name]
    assert {*found["FAILURE"], *found["WARNING"]} <= NOT_TESTED.get(name, set())
    assert found["SUCCESS"] or found["INFO"] or name in NOT_TESTED
