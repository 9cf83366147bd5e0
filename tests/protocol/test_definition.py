"""The digest of what a tool says of itself, by vectors that JavaScript reads too, and what a consent keeps (HASH-3)."""

import json
from pathlib import Path
from typing import Any

import pytest

from deputize.protocol.canonical import JsonError, s256
from deputize.protocol.definition import MOST, Described, definition_s256, is_digest, joined
from deputize.protocol.ids import Jkt

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "definitions.json").read_text())
A, B, C = (s256(letter) for letter in (b"a", b"b", b"c"))


@pytest.mark.parametrize("case", VECTORS["definitions"], ids=lambda case: case["name"])
def test_a_definition_has_one_digest(case: dict[str, Any]) -> None:  # HASH-3
    tool = case["tool"]
    digest = definition_s256(tool["name"], tool.get("description", ""), tool.get("inputSchema"))
    assert digest == case["definition_s256"]
    assert is_digest(digest)


def test_no_two_of_them_are_equal_that_say_something_else() -> None:
    digests = [case["definition_s256"] for case in VECTORS["definitions"] if "same_as" not in case]
    assert len(digests) == len({*digests})


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["name"])
def test_what_is_not_json_has_none(case: dict[str, Any]) -> None:
    tool = case["tool"]
    with pytest.raises(JsonError):
        definition_s256(tool["name"], tool.get("description", ""), tool.get("inputSchema"))


@pytest.mark.parametrize(
    "text", ["", "x", "A" * 42, "A" * 44, "=" * 43, "A" * 42 + "B", "A" * 43 + "\n", "+" * 43, "ä" * 43]
)
def test_what_is_no_digest_is_known(text: str) -> None:
    assert not is_digest(text)


def test_a_page_and_mcp_are_remembered_apart() -> None:  # GRANT-8
    page, mcp = Described.of("t", A, Jkt("k")), Described.of("t", A, None)
    assert page.place != mcp.place
    assert page.is_new({mcp.place: [A]})
    assert not page.is_new({"t": [B]})


def test_another_consent_adds_what_the_page_says_now() -> None:  # GRANT-8
    known = {"t": [A], "u": [B], "mcp/t": [C]}
    assert joined(known, {"t": B, "v": C}) == {"t": [B, A], "u": [B], "v": [C]}
    assert joined({"t": [B, A]}, {"t": A}) == {"t": [A, B]}
    assert joined({}, {}) == {}
    assert known == {"t": [A], "u": [B], "mcp/t": [C]}  # which others read, too


def test_a_consent_keeps_the_newest_of_many() -> None:  # GRANT-8
    digests = [s256(bytes([number])) for number in range(MOST + 1)]
    known: dict[str, list[str]] = {}
    for digest in digests:
        known = joined(known, {"t": digest})
    assert known["t"] == digests[:0:-1]
