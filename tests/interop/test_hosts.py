"""MCP hosts of today, by the official TypeScript client, in both lives (MCP-15, MCP-16).

The tests are those of `js/interop/hosts.js`, which run in one process of Node; each is told here under its own name.
The official client in Python is in tests/web/mcp/test_asking.py.
"""

import re

import pytest
from tests.interop.test_mcp_client import JS, ran

SOURCE = (JS / "interop/hosts.js").read_text()
NAMES = re.findall(r"^test\('(.+?)', ", SOURCE, re.MULTILINE)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Serve a bank and run all tests against it: what became of each, by its name."""
    return ran("interop/hosts.js", tmp_path_factory.mktemp("bank"))


def test_each_test_has_a_name_of_its_own() -> None:
    assert len(NAMES) == len(set(NAMES)) == SOURCE.count("\ntest(") == 9


@pytest.mark.parametrize("name", NAMES)
def test_the_host_gets_on(told: dict[str, str], name: str) -> None:
    assert told[name].startswith("ok "), told[name]
