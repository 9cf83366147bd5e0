"""Constraints in words: every part of every constraint has its sentence, in the site's words where it has some."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deputize.protocol.consent import limits_of
from deputize.protocol.constraint import Constraints
from deputize.protocol.scope import ScopeSet
from deputize.protocol.shown import FSI, PDI
from deputize.protocol.tool import Schema, Tool
from deputize.words import catalogue
from deputize.words.limits import limits

OWN = Schema(
    {
        "type": "object",
        "required": ["amount"],
        "properties": {
            "amount": {"type": "number", "title": "Amount in EUR"},
            "to": {"type": "object", "title": "Recipient", "properties": {"fee": {"title": "Fee"}}},
        },
    }
)
TOOLS = {
    "pay": Tool("pay", ScopeSet.of(["a"]), input_schema=OWN, title="Send money"),
    "read": Tool("read", ScopeSet.of(["a"])),
}


def words(*parts: dict[str, Any]) -> Any:
    details: Any = [{"type": "webmcp_tool", "tool": "pay", **part} for part in parts]
    told: Any = limits_of(Constraints.parse(details), TOOLS)
    english = catalogue.words("en")
    return [
        {
            **each,
            "limits": [line.replace(FSI, "").replace(PDI, "") for line in limits(english, each["limits"])],
        }
        for each in told
    ]


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"max_calls": 1}, "At most once"),
        ({"max_calls": 2}, "At most twice"),
        ({"max_calls": 30}, "At most 30 times"),
        ({"sum": {"/amount": 500}}, "Amount in EUR: at most 500 in all"),
        ({"sum": {"/to/fee": 0.5}}, "Recipient › Fee: at most 0.5 in all"),
        ({"sum": {"/price": 9}}, "“price”, unknown to the site: at most 9 in all"),
        ({"not_before": 1800000000}, "Not before 15 Jan 2027, 08:00 UTC"),
        ({"not_after": 1800000001}, "Only until 15 Jan 2027, 08:00:01 UTC"),
        ({"not_after": 253402300799}, "Only until 31 Dec 9999, 23:59:59 UTC"),
        ({"hours": ["09:00", "17:00"]}, "Every day from 09:00 to 17:00 UTC"),
        ({"hours": ["22:00", "06:00"]}, "Every day from 22:00 to 06:00 of the next day, UTC"),
        ({"schema": {"properties": {"amount": {"maximum": 250}}}}, "Amount in EUR: at most 250"),
        ({}, "Without limits of its own"),
    ],
)
def test_a_limit_on_calls_is_said_in_these_words(part: dict[str, Any], said: str) -> None:  # CONS-4
    assert words(part) == [{"limits": [said], "title": "Send money", "tool": "pay"}]


def test_one_list_for_each_tool() -> None:  # OAUTH-4
    told = words(
        {"max_calls": 3}, {"tool": "read", "max_calls": 1}, {"max_calls": 3}, {"sum": {"/amount": 5}}
    )
    assert told == [
        {
            "limits": ["At most 3 times", "Amount in EUR: at most 5 in all"],
            "title": "Send money",
            "tool": "pay",
        },
        {"limits": ["At most once"], "title": "", "tool": "read"},
    ]


def test_a_tool_that_is_no_more_is_told_by_its_name() -> None:
    assert words({"tool": "gone", "max_calls": 1}) == [
        {"limits": ["At most once"], "title": "", "tool": "gone"}
    ]


EVERY: dict[str, Any] = {
    "schema": st.sampled_from([{"required": ["to"]}, {"properties": {"amount": {"maximum": 50}}}]),
    "max_calls": st.integers(1, 5),
    "sum": st.dictionaries(st.sampled_from(["/amount", "/to/fee"]), st.integers(1, 200), min_size=1),
    "not_before": st.integers(0, 10**9),
    "not_after": st.integers(0, 10**9),
    "hours": st.sampled_from([["09:00", "17:00"], ["22:00", "06:00"]]),
}


@given(st.fixed_dictionaries({}, optional=EVERY), st.sampled_from(sorted(EVERY)), st.data())
def test_every_part_is_told(part: dict[str, Any], member: str, data: Any) -> None:  # CONS-1, CONS-4
    """Another value of any member, or none, makes other words."""
    changed = {name: value for name, value in part.items() if name != member}
    if data.draw(st.booleans()):
        changed[member] = data.draw(EVERY[member])
    same = changed.get(member) == part.get(member)
    assert (words(changed) == words(part)) is same
