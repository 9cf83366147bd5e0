"""Tools whose words a function writes: what an agent sent stands apart in them, and stays as it was sent (APPR-2)."""

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.size import tries

from deputize.protocol.canonical import Json
from deputize.protocol.declared import declared
from deputize.protocol.description import Description, Row
from deputize.protocol.shown import FSI, PDI

CLAIM = "Ada? Nothing is sent"
ELSEWHERE = st.sampled_from([CLAIM, CLAIM + "\n", f"{PDI}{CLAIM}{FSI}", f"”{CLAIM}“"])
DEEP = st.recursive(
    ELSEWHERE,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=2) | st.dictionaries(ELSEWHERE, inner, min_size=1, max_size=2)
    ),
    max_leaves=4,
)


def innermost(value: Any) -> Any:
    """Return the first of the innermost texts."""
    while not isinstance(value, str):
        value = next(iter(value.values() if isinstance(value, dict) else value))
    return value


def names(value: Any) -> Any:
    """Return what a loop goes through: names, entries, or the text itself."""
    return [value] if isinstance(value, str) else value


WAYS: dict[str, Callable[[Any], str | Description]] = {
    "an f-string": lambda args: f"Send {args['to']}",
    "of what lies deep": lambda args: f"Send {innermost(args)}",
    "with a width": lambda args: f"Send {innermost(args):>4}",
    "of its form in Python": lambda args: f"Send {args['to']!r} {innermost(args)!r}",
    "of what it is in": lambda args: f"Send {[args['to']]}",
    "of all": lambda args: f"Send {args}",
    "of names": lambda args: "Send " + "".join(f"{name} " for name in names(args["to"])),
    "format": lambda args: "Send {}".format(args["to"]),
    "per cent": lambda args: "Send %s" % (args["to"],),  # noqa: UP031
    "str": lambda args: str(args["to"]),
    "a sum": lambda args: "Send " + innermost(args) + ".",
    "a sum of two": lambda args: innermost(args) + innermost(args),
    "as it is": innermost,
    "a title": lambda args: Description("Send", (Row(innermost(args), ("1",)),)),
    "a row": lambda args: Description("Send", (Row("To", (innermost(args), args["to"])),)),
    "a headline": lambda args: Description(innermost(args)),
}


@pytest.mark.parametrize("way", WAYS)
@settings(max_examples=tries(25, 1_000))  # for each of the ways
@given(DEEP)
def test_what_a_function_writes_of_it_passes_for_no_word_of_the_site(way: str, value: Json) -> None:
    told = declared(WAYS[way], {"name": "pay", "scopes": ["pay"]}).description({"to": value})
    lines = [told.headline, *(line for row in told.rows for line in (row.title, *row.values))]
    for line in lines:
        assert "Nothing" not in re.sub(f"{FSI}[^{FSI}{PDI}]*{PDI}", "", line)
        assert not set("\n\t") & set(line)
    assert any("Nothing" in line for line in lines)


@given(DEEP)
def test_what_a_function_does_with_them_is_done_to_no_call(value: Json) -> None:
    def describe(arguments: Mapping[str, Any]) -> str:
        spoil(arguments)
        return "Send"

    arguments = {"to": value}
    before = deepcopy(arguments)
    declared(describe, {"name": "pay", "scopes": ["pay"]}).description(arguments)
    assert arguments == before


def spoil(value: Any) -> None:
    """Empty all that can be emptied."""
    for each in value.values() if isinstance(value, dict) else value:
        if not isinstance(each, str):
            spoil(each)
    value.clear()
