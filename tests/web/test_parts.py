"""SHIM-14: the second files, each at an address of its own text."""

import base64
import hashlib
import re

import pytest
from tests.bank import ISSUER, Bank

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("first", "second"),
    [("shim.js", "asking"), ("shim.mjs", "asking"), ("shim.js", "developers"), ("mcp.mjs", "mcp-asking")],
)
async def test_what_the_first_file_asks_for_is_kept_for_ever(bank: Bank, first: str, second: str) -> None:
    http = bank.page().http
    found = re.search(
        rf'"\./(parts/{second}\.([\w-]{{43}})\.mjs)"', (await http.get(f"{ISSUER}/{first}")).text
    )
    assert found
    answer = await http.get(f"{ISSUER}/{found[1]}?1")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["content-type"].startswith("text/javascript")
    function = answer.text[answer.text.index("function(take") : answer.text.rindex("}") + 1]
    digest = hashlib.sha256(function.encode()).digest()
    assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == found[2]


@pytest.mark.parametrize(
    "part",
    [
        f"asking.{'A' * 43}.mjs",
        "asking.mjs",
        "asking..mjs",
        "asking.Apache-2.0.mjs",
        "shim.A.mjs",
        "..%2fshim.js",
        "x",
    ],
)
async def test_there_is_nothing_at_the_address_of_another_text(bank: Bank, part: str) -> None:
    answer = await bank.page().http.get(f"{ISSUER}/parts/{part}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
