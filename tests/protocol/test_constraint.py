"""Constraints: whatever is granted after narrowing was granted before (CONS-1 to CONS-3)."""

import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deputize.protocol.constraint import Constraints
from deputize.protocol.errors import Code, Refused
from deputize.protocol.tool import MUCH

TOOLS = ["pay", "read"]
SCHEMAS: list[dict[str, Any]] = [
    {"properties": {"amount": {"maximum": 50}}},
    {"required": ["name"]},
    {"properties": {"name": {"enum": ["Ada", "Bob"]}}},
]

details: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {"type": st.just("webmcp_tool"), "tool": st.sampled_from(TOOLS)},
    optional={
        "schema": st.sampled_from(SCHEMAS),
        "max_calls": st.integers(1, 5),
        "sum": st.fixed_dictionaries({"/amount": st.one_of(st.integers(1, 200), st.floats(0.5, 200))}),
        "not_before": st.integers(0, 100_000),
        "not_after": st.integers(0, 100_000),
        "hours": st.sampled_from([["09:00", "17:00"], ["22:00", "06:00"]]),
    },
)
constraints = st.lists(details, max_size=4).map(Constraints.parse)
calls = st.tuples(
    st.sampled_from(TOOLS),
    st.fixed_dictionaries(
        {},
        optional={
            "amount": st.one_of(st.integers(-5, 250), st.floats(0, 250)),
            "name": st.sampled_from(["Ada", "Eve"]),
        },
    ),
    st.integers(0, 100_000),
)


def allowed(held: Constraints, walk: list[tuple[str, dict[str, Any], int]]) -> list[bool]:
    """Play calls in order against the limits and counters of one grant."""
    used: dict[str, int] = {}
    results = []
    for tool, arguments, now in walk:
        try:
            uses = held.uses(tool, arguments)
        except Refused:
            results.append(False)
            continue
        yes = held.refuses(tool, arguments, now) is None and all(
            used.get(use.counter, 0) + use.amount <= use.limit for use in uses
        )
        if yes:
            for use in uses:
                used[use.counter] = used.get(use.counter, 0) + use.amount
        results.append(yes)
    return results


@given(constraints, constraints, calls)
def test_narrowing_never_allows_more(held: Constraints, asked: Constraints, call: Any) -> None:  # CONS-2
    narrowed = held.narrow(asked)
    if allowed(narrowed, [call]) == [True]:
        assert allowed(held, [call]) == [True]
        assert allowed(asked, [call]) == [True]


@given(constraints, constraints, st.lists(calls, max_size=8))
def test_a_narrowed_grant_spends_no_more_than_the_wide_one_has(
    held: Constraints, asked: Constraints, walk: Any
) -> None:  # CONS-3
    done = [call for call, yes in zip(walk, allowed(held.narrow(asked), walk), strict=True) if yes]
    assert all(allowed(held, done))


@given(constraints)
def test_the_wire_form_reads_back(held: Constraints) -> None:
    assert Constraints.parse(held.details()).details() == held.details()
    assert held.narrow(held).details() == held.details()
    assert held.widened_by(held) is None


@pytest.mark.parametrize(
    "detail",
    [
        None,
        "webmcp_tool",
        {},
        {"type": "payment", "tool": "pay"},
        {"type": "webmcp_tool"},
        {"type": "webmcp_tool", "tool": "deputize.consent"},
        {"type": "webmcp_tool", "tool": "a b"},
        {"type": "webmcp_tool", "tool": "pay", "unknown": 1},
        {"type": "webmcp_tool", "tool": "pay", "max_calls": 0},
        {"type": "webmcp_tool", "tool": "pay", "max_calls": True},
        {"type": "webmcp_tool", "tool": "pay", "max_calls": 1.5},
        {"type": "webmcp_tool", "tool": "pay", "max_calls": None},
        {"type": "webmcp_tool", "tool": "pay", "sum": {}},
        {"type": "webmcp_tool", "tool": "pay", "sum": {"amount": 5}},
        {"type": "webmcp_tool", "tool": "pay", "sum": {"/amount": 0}},
        {"type": "webmcp_tool", "tool": "pay", "sum": {"/amount": -5}},
        {"type": "webmcp_tool", "tool": "pay", "sum": {"/amount": True}},
        {"type": "webmcp_tool", "tool": "pay", "sum": {"/a~2": 5}},
        {"type": "webmcp_tool", "tool": "pay", "sum": {"/x at most 10 in all, and y": 5}},
        {"type": "webmcp_tool", "tool": "pay", "sum": {"/\u202eamount": 5}},
        {"type": "webmcp_tool", "tool": "pay", "sum": {"/amount": 0.0000001}},
        {"type": "webmcp_tool", "tool": "pay", "sum": {"/amount": 2e9}},
        {"type": "webmcp_tool", "tool": "pay", "max_calls": 10**9 + 1},
        {"type": "webmcp_tool", "tool": "pay", "not_after": 2**53 - 1},
        {"type": "webmcp_tool", "tool": "pay", "hours": ["9:00", "17:00"]},
        {"type": "webmcp_tool", "tool": "pay", "hours": ["09:00", "24:00"]},
        {"type": "webmcp_tool", "tool": "pay", "hours": ["09:00", "09:00"]},
        {"type": "webmcp_tool", "tool": "pay", "schema": True},
        {"type": "webmcp_tool", "tool": "pay", "schema": {"type": 5}},
        {"type": "webmcp_tool", "tool": "pay", "schema": {"$ref": "https://evil.example"}},
        {"type": "webmcp_tool", "tool": "pay", "schema": {"enum": ["x" * 3072]}},
    ],
)
def test_what_is_not_understood_is_refused(detail: Any) -> None:  # CONS-1
    with pytest.raises(Refused) as refused:
        Constraints.parse([detail])
    assert refused.value.refusal.code is Code.INVALID_AUTHORIZATION_DETAILS


def test_the_number_of_details_is_bounded() -> None:  # CONS-1
    detail: dict[str, Any] = {"type": "webmcp_tool", "tool": "pay"}
    one = Constraints.parse([{**detail, "max_calls": n} for n in range(1, 17)])
    with pytest.raises(Refused):
        Constraints.parse([detail] * 17)
    with pytest.raises(Refused):
        one.narrow(Constraints.parse([{**detail, "max_calls": 17}]))


@pytest.mark.parametrize(
    ("amount", "yes"),
    [
        (500, True),
        (500.0, True),
        (500.0000001, False),
        (501, False),
        (-1, False),
        (True, False),
        ("1", False),
        (None, False),
    ],
)
def test_sums_take_amounts_only(amount: Any, yes: bool) -> None:  # CONS-3
    held = Constraints.parse([{"type": "webmcp_tool", "tool": "pay", "sum": {"/amount": 500}}])
    assert allowed(held, [("pay", {"amount": amount}, 0)]) == [yes]
    assert allowed(held, [("pay", {}, 0)]) == [False]


def test_tenths_add_up_without_rounding() -> None:  # CONS-3
    held = Constraints.parse([{"type": "webmcp_tool", "tool": "pay", "sum": {"/amount": 1}}])
    assert allowed(held, [("pay", {"amount": 0.1}, 0)] * 11) == [True] * 10 + [False]


@pytest.mark.parametrize(
    ("hours", "at", "yes"),
    [
        (["09:00", "17:00"], "08:59", False),
        (["09:00", "17:00"], "09:00", True),
        (["09:00", "17:00"], "16:59", True),
        (["09:00", "17:00"], "17:00", False),
        (["22:00", "06:00"], "23:30", True),
        (["22:00", "06:00"], "05:59", True),
        (["22:00", "06:00"], "06:00", False),
    ],
)
def test_a_call_outside_of_the_hours_is_refused(hours: Any, at: str, yes: bool) -> None:
    held = Constraints.parse([{"type": "webmcp_tool", "tool": "pay", "hours": hours}])
    hour, minute = map(int, at.split(":"))
    assert allowed(held, [("pay", {}, hour * 3600 + minute * 60)]) == [yes]


@pytest.mark.parametrize(
    ("held", "asked", "wider"),
    [
        ({"max_calls": 3}, {"max_calls": 4}, "pay"),
        ({"max_calls": 3}, {"max_calls": 3}, None),
        ({"max_calls": 3}, {"sum": {"/amount": 9}}, None),
        ({"sum": {"/amount": 5}}, {"sum": {"/amount": 6}}, "pay"),
        ({"not_after": 5}, {"not_after": 6}, "pay"),
        ({"not_before": 5}, {"not_before": 4}, "pay"),
        ({"hours": ["09:00", "17:00"]}, {"hours": ["09:00", "16:59"]}, None),
        ({"hours": ["09:00", "17:00"]}, {"hours": ["08:59", "12:00"]}, "pay"),
        ({"hours": ["22:00", "06:00"]}, {"hours": ["23:00", "01:00"]}, None),
        ({"hours": ["22:00", "06:00"]}, {"hours": ["21:00", "07:00"]}, "pay"),
        ({"hours": ["09:00", "17:00"]}, {"max_calls": 3}, None),
        ({"max_calls": 3}, {"hours": ["00:00", "23:59"]}, None),
    ],
)
def test_asking_for_more_is_noticed(held: Any, asked: Any, wider: str | None) -> None:  # CONS-2
    base = {"type": "webmcp_tool", "tool": "pay"}
    assert Constraints.parse([{**base, **held}]).widened_by(Constraints.parse([{**base, **asked}])) == wider


LOOSE: dict[str, Any] = {"type": "webmcp_tool", "tool": "pay", "max_calls": 10, "sum": {"/amount": 9}}
TIGHT: dict[str, Any] = {"type": "webmcp_tool", "tool": "pay", "max_calls": 3}


@pytest.mark.parametrize(
    ("asked", "wider"),
    [
        ([LOOSE], "pay"),  # its own limit once, but a tighter one holds by now
        ([LOOSE, TIGHT], None),  # all that it has
        ([TIGHT], None),
        ([LOOSE, {**TIGHT, "max_calls": 4}], "pay"),
        ([{**TIGHT, "tool": "read", "max_calls": 99}], None),
        ([], None),
    ],
)
def test_a_limit_that_was_narrowed_cannot_be_asked_for_again(asked: Any, wider: str | None) -> None:  # CONS-2
    held = Constraints.parse([LOOSE]).narrow(Constraints.parse([TIGHT]))
    assert held.widened_by(Constraints.parse(asked)) == wider


def test_hours_that_have_nothing_in_common_leave_nothing_to_ask_for() -> None:  # CONS-2
    spans: Any = (["09:00", "17:00"], ["22:00", "06:00"], ["11:00", "13:00"])
    details: list[Any] = [[{"type": "webmcp_tool", "tool": "pay", "hours": span}] for span in spans]
    day, night, noon = map(Constraints.parse, details)
    never = day.narrow(night)
    assert never.widened_by(noon) == "pay"
    assert never.widened_by(never) is None


def without_schemas(held: Constraints) -> Constraints:
    return Constraints(tuple(replace(part, schema=None) for part in held.parts))


@given(constraints, constraints, constraints)
def test_what_a_narrowed_grant_has_can_be_asked_for_and_no_more(
    a: Constraints, b: Constraints, asked: Constraints
) -> None:  # CONS-2
    held = a.narrow(b)
    assert held.widened_by(held) is None
    if a.widened_by(asked) is not None:  # narrowing has not made it less
        assert held.widened_by(asked) is not None


@given(constraints, constraints, st.lists(calls, max_size=6))
def test_what_is_not_wider_allows_no_more_in_any_kind_of_limit_that_it_names(
    held: Constraints, asked: Constraints, walk: Any
) -> None:  # CONS-2
    """Schemas aside, which are not compared; kinds that are not named stay as they are."""
    held, asked = without_schemas(held), without_schemas(asked)
    if held.widened_by(asked) is not None:
        return
    kinds = ("max_calls", "sums", "not_before", "not_after", "hours")
    for kind in kinds:
        others: dict[str, Any] = {other: {} if other == "sums" else None for other in kinds if other != kind}
        had, wanted = (Constraints(tuple(replace(p, **others) for p in c.parts)) for c in (held, asked))
        named = {part.tool for part in wanted.parts if getattr(part, kind)}
        played = [call for call in walk if call[0] in named]
        done = [call for call, yes in zip(played, allowed(wanted, played), strict=True) if yes]
        assert all(allowed(had, done))


def test_equal_in_python_is_not_equal_in_json() -> None:  # CONS-2
    base: dict[str, Any] = {"type": "webmcp_tool", "tool": "pay"}
    number, truth = ({**base, "schema": {"properties": {"amount": {"enum": [v]}}}} for v in (1, True))
    narrowed = Constraints.parse([number]).narrow(Constraints.parse([truth]))
    assert len(narrowed.parts) == 2
    assert allowed(narrowed, [("pay", {"amount": 1}, 0)]) == [False]


@pytest.mark.parametrize(
    "limit", [{"anyOf": [{"multipleOf": 0.7}] * 100}, {"not": {"anyOf": [{"const": 1.5}] * 100}}]
)
def test_nobody_waits_while_endless_arguments_are_held_to_endless_limits(
    limit: dict[str, Any],
) -> None:  # CONS-4
    """Agents write both, and they meet in a transaction that all others wait for; it took more than a minute."""
    held = Constraints.parse(
        [{"type": "webmcp_tool", "tool": "pay", "schema": {"properties": {"to": {"items": limit}}}}]
    )
    began = time.thread_time()
    refusal = held.refuses("pay", {"to": [9] * 30_000}, 0)
    assert time.thread_time() - began < 0.2
    assert refusal is not None
    assert refusal.code is Code.CONSTRAINT_VIOLATED
    assert held.refuses("pay", {"to": [1.4] * 90}, 0) is None


def test_the_limits_of_a_tool_count_together() -> None:  # CONS-4
    one: dict[str, Any] = {"type": "webmcp_tool", "tool": "pay", "schema": {"required": ["to"]}}
    three: Any = [one | {"max_calls": number} for number in (1, 2, 3)]
    many: Any = {"to": [9] * (MUCH // 3 - 2)}
    assert Constraints.parse([one]).refuses("pay", many, 0) is None
    assert Constraints.parse(three).refuses("pay", many, 0) is not None
    assert Constraints.parse([one | {"tool": "read"}, *three]).refuses("read", many, 0) is None
    assert (
        Constraints.parse([{"type": "webmcp_tool", "tool": "pay", "max_calls": 1}]).refuses("pay", many, 0)
        is None
    )
