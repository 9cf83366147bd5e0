"""Limits on arguments in sentences: nothing that limits is left out, and equal words mean equal limits (CONS-4)."""

from copy import deepcopy
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.size import tries

from deputize.protocol.canonical import Json
from deputize.protocol.clauses import clauses
from deputize.protocol.limit import limit_schema
from deputize.protocol.shown import FSI, PDI
from deputize.protocol.tool import Schema
from deputize.words.catalogue import words
from deputize.words.limits import limits as limits_said

OWN: dict[str, Any] = {
    "type": "object",
    "required": ["amount"],
    "additionalProperties": False,
    "properties": {
        "amount": {"type": "number", "title": "Amount in EUR"},
        "name": {"type": "string", "title": "Recipient"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "more": {"description": "Whatever else there is."},
    },
}


def said(limit: Json, own: Json) -> list[str]:
    """Say a limit in English, as it is read: what is set apart is drawn so, and is not looked at here."""
    told = [{"is": "arguments", **each} for each in clauses(limit, own)]
    lines = limits_said(words("en"), told) if told else []
    return [line.replace(FSI, "").replace(PDI, "") for line in lines]


NAMES = ["amount", "name", "tags", "more", "Amount"]
VALUES: list[Any] = [1, 2.5, 0, "a", "1", "", True, None, ["a"], [], {"name": "a"}, {"name": 1}, {}]
CALLS = [
    {"amount": amount, **({"name": name} if name is not None else {}), **tags, **more}
    for amount, name, tags, more in product(
        [0, 1, 2.5, 7],
        [None, "", "a", "abc"],
        [{}, {"tags": []}, {"tags": ["a", "b"]}],
        [{}, *({"more": value} for value in VALUES)],
    )
]

numbers = st.sampled_from([0, 1, 2, 2.5])
counts = st.integers(0, 2)
keywords: dict[str, Any] = {
    "type": st.sampled_from(
        ["string", "number", "integer", "object", ["string", "null"], ["array", "boolean"]]
    ),
    "enum": st.lists(st.sampled_from(VALUES), max_size=2, unique_by=repr),
    "const": st.sampled_from(VALUES),
    "required": st.lists(st.sampled_from(NAMES), max_size=2, unique=True),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), numbers),
    "multipleOf": st.sampled_from([1, 2.5]),
    **{f"{end}{kind}": counts for end in ("min", "max") for kind in ("Length", "Items", "Properties")},
}


def extended(inner: Any) -> Any:
    several = st.lists(inner, min_size=1, max_size=2)
    parts: dict[str, Any] = {
        "properties": st.dictionaries(st.sampled_from(NAMES), inner, max_size=2),
        "prefixItems": several,
        **dict.fromkeys(("additionalProperties", "items", "not"), inner),
        **dict.fromkeys(("allOf", "anyOf", "oneOf"), several),
    }
    every = {**keywords, **parts}
    return st.lists(st.sampled_from(sorted(every)), min_size=1, max_size=3, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: every[name] for name in names})
    )


schemas: Any = st.recursive(st.one_of(st.booleans(), extended(st.booleans())), extended, max_leaves=5)
at_a_place = st.sampled_from(NAMES).flatmap(
    lambda name: st.fixed_dictionaries({"properties": st.fixed_dictionaries({name: schemas})})
)
limits = st.one_of(schemas.filter(lambda schema: isinstance(schema, dict)), at_a_place, at_a_place)


def places(schema: Any) -> list[tuple[dict[str, Any], str]]:
    """List every keyword of a schema, and of the schemas in it."""
    if not isinstance(schema, dict):
        return []
    found = [(schema, keyword) for keyword in schema]
    for keyword, value in schema.items():
        if keyword == "properties":
            inner = list(value.values())
        elif keyword in ("allOf", "anyOf", "oneOf", "prefixItems"):
            inner = value
        elif keyword in ("additionalProperties", "items", "not"):
            inner = [value]
        else:
            inner = []
        found += [place for each in inner for place in places(each)]
    return found


def allowed(schema: dict[str, Any]) -> list[bool]:
    compiled = limit_schema(schema)
    return [compiled.accepts(call) for call in CALLS]


def test_the_calls_are_calls() -> None:
    own = Schema(OWN)
    assert all(own.accepts(call) for call in CALLS)


@settings(max_examples=tries(100, 500))
@given(limits, st.data())
def test_every_keyword_that_limits_is_told(schema: dict[str, Any], data: Any) -> None:  # CONS-4
    """Without a keyword that makes a difference, the words are other ones."""
    index = data.draw(st.integers(0, len(places(schema)) - 1))
    without = deepcopy(schema)
    holder, keyword = places(without)[index]
    del holder[keyword]
    if allowed(without) != allowed(schema):
        assert said(without, OWN) != said(schema, OWN)


@settings(max_examples=tries(100, 500))
@given(limits, schemas, st.data())
def test_equal_words_are_equal_limits(schema: dict[str, Any], other: Any, data: Any) -> None:  # CONS-4
    """With another value of a keyword that makes a difference, the words are other ones."""
    changed = deepcopy(schema)
    index = data.draw(st.integers(0, len(places(schema)) - 1))
    holder, keyword = places(changed)[index]
    drawn = places(other) if isinstance(other, dict) else []
    taken = [(where, name) for where, name in drawn if type(where[name]) is type(holder[keyword])]
    if taken:
        where, name = data.draw(st.sampled_from(taken))
        del holder[keyword]
        holder[name] = where[name]
    else:
        holder[keyword] = data.draw(keywords[keyword]) if keyword in keywords else holder[keyword]
    if said(changed, OWN) == said(schema, OWN):
        assert allowed(changed) == allowed(schema)


@given(limits)
def test_a_tool_without_a_schema_has_its_words_too(schema: dict[str, Any]) -> None:  # CONS-4
    schemas: list[Any] = [None, True, {}, {"properties": True, "required": 5, "type": 5}]
    for own in schemas:
        told = said(schema, own)
        assert bool(told) or allowed(schema) == [True] * len(CALLS)
        assert all(told)


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ({"properties": {"amount": {"maximum": 250}}}, ["Amount in EUR: at most 250"]),
        (
            {"properties": {"name": {"enum": ["Ada Lovelace", "Grace Hopper"]}}, "required": ["name"]},
            ["Recipient: must be given, only “Ada Lovelace” or “Grace Hopper”"],
        ),
        ({"properties": {"name": {"const": "Ada"}}}, ["Recipient (if given): only “Ada”"]),
        (
            {
                "properties": {
                    "amount": {"type": "integer", "minimum": 1, "exclusiveMaximum": 5, "multipleOf": 2}
                }
            },
            ["Amount in EUR: a whole number, at least 1, less than 5 and a multiple of 2"],
        ),
        ({"properties": {"amount": {"exclusiveMinimum": 0.5}}}, ["Amount in EUR: more than 0.5"]),
        (
            {"properties": {"name": {"minLength": 1, "maxLength": 20}}},
            ["Recipient (if given): at least 1 character and at most 20 characters"],
        ),
        (
            {"properties": {"tags": {"minItems": 1, "maxItems": 2, "items": {"enum": ["a", "b"]}}}},
            [
                "tags (if given): at least 1 entry and at most 2 entries",
                "tags (if given) › each entry: only “a” or “b”",
            ],
        ),
        (
            {"properties": {"tags": {"prefixItems": [{"const": "a"}], "items": False}}},
            [
                "tags (if given) › entry 1 (if given): only “a”",
                "tags (if given) › each entry after entry 1: must not be given",
            ],
        ),
        (
            {"type": "object", "properties": {"name": False}, "minProperties": 1, "maxProperties": 2},
            ["As a whole: at least 1 value and at most 2 values", "Recipient: must not be given"],
        ),
        (
            {"properties": {"amount": True, "name": True}, "additionalProperties": False},
            ["As a whole: nothing but Amount in EUR and Recipient"],
        ),
        ({"additionalProperties": False}, ["As a whole: no values"]),
        (
            {"properties": {"amount": True}, "additionalProperties": {"type": "string"}},
            ["whatever is not Amount in EUR: text"],
        ),
        (
            {"properties": {"more": {"maximum": 5, "required": ["a"], "items": {"const": 1}}}},
            [
                "Whatever else there is (if given): at most 5 (if it is a number)",
                "Whatever else there is (if given) › if it is a group of values › “a”: must be given",
                "Whatever else there is (if given) › if it is a list › each entry: only 1",
            ],
        ),
        (
            {
                "properties": {
                    "amount": {"anyOf": [{"maximum": 5}, {"enum": [100, 200]}], "not": {"const": 3}}
                }
            },
            ["Amount in EUR: either at most 5 or (only 100 or 200), anything but 3"],
        ),
        (
            {"oneOf": [{"required": ["name"]}, {"properties": {"amount": {"maximum": 5}}}]},
            ["As a whole: exactly one of these: (Recipient: must be given) or (Amount in EUR: at most 5)"],
        ),
        ({"not": {"required": ["name"]}}, ["As a whole: not (Recipient: must be given)"]),
        (
            {
                "allOf": [
                    {"properties": {"amount": {"minimum": 1}}},
                    {"properties": {"amount": {"maximum": 5}}},
                ]
            },
            ["Amount in EUR: at least 1, at most 5"],
        ),
        ({"enum": []}, ["As a whole: nothing at all"]),
        (
            {"anyOf": [True, {"required": ["name"]}]},
            ["As a whole: either anything or (Recipient: must be given)"],
        ),
        ({"properties": {"amount": {"type": ["number", "null"]}}}, []),  # it is a number anyway
    ],
)
def test_a_limit_is_said_in_these_words(limit: dict[str, Any], words: list[str]) -> None:  # CONS-4
    assert said(limit, OWN) == words


def test_a_way_out_is_told_where_the_tool_leaves_one() -> None:  # CONS-4
    """A `maximum` says nothing of what is left out, or is no number."""
    limit: dict[str, Any] = {"properties": {"amount": {"maximum": 250}}}
    assert said(limit, None) == ["“amount” (if given): at most 250 (if it is a number)"]
    sure: dict[str, Any] = {
        "required": ["amount"],
        "properties": {"amount": {"type": "number", "maximum": 250}},
    }
    assert said(sure, None) == ["“amount”: must be given, a number, at most 250"]


def test_what_is_too_deep_for_a_sentence_is_shown_as_it_is() -> None:  # CONS-4
    limit: dict[str, Any] = {"maximum": 5}
    for _ in range(3):
        limit = {"anyOf": [limit, {"const": 7}]}
    told = said({"properties": {"amount": limit}}, OWN)
    assert told == [
        'Amount in EUR: either (either (either fitting {"maximum":5} or fitting {"const":7}) or only 7) or only 7'
    ]


def test_what_would_be_too_much_to_read_is_shown_as_it_is() -> None:  # CONS-4
    """A short limit can unfold: each rest is told by all that it is not."""
    names: dict[str, Any] = {f"n{number}": True for number in range(100)}
    parts = {f"m{number}": {"const": 1} for number in range(80)}
    limit: Any = {"properties": names, "additionalProperties": {"properties": parts}}
    (told,) = said(limit, OWN)
    assert told.startswith('As a whole: fitting {"additionalProperties":{"properties":{"m0":{"const":1}')
    assert len(told) < 4000


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Amount in EUR", "“Amount in EUR”, unknown to the site (if given): only 1"),
        ("x”: anything; “y", '"x\\u201d: anything; \\u201cy", unknown to the site (if given): only 1'),
        ("\u202eamount", "“\ufffdamount”, unknown to the site (if given): only 1"),
        ("a\u200bb", "“a\ufffdb”, unknown to the site (if given): only 1"),
    ],
)
def test_an_agent_cannot_speak_as_the_site(name: str, told: str) -> None:  # CONS-4
    assert said({"properties": {name: {"const": 1}}}, OWN) == [told]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("Ada” or “Eve", 'Recipient (if given): only "Ada\\u201d or \\u201cEve"'),
        ('"', 'Recipient (if given): only "\\""'),
        ("1", "Recipient (if given): only “1”"),
        (1, "Recipient (if given): only 1"),
        (True, "Recipient (if given): only true"),
        ({"b": "”", "a": None}, 'Recipient (if given): only {"a":null,"b":"\\u201d"}'),
        ("\u2066x", "Recipient (if given): only “\ufffdx”"),
    ],
)
def test_a_value_cannot_leave_its_quotation_marks(value: Any, told: str) -> None:  # CONS-4
    assert said({"properties": {"name": {"const": value}}}, OWN) == [told]


def test_two_members_of_one_title_are_told_apart() -> None:  # CONS-4
    own: dict[str, Any] = {"properties": {"from": {"title": "Account"}, "to": {"title": "Account"}}}
    assert said({"required": ["to"]}, own) == ["Account “to”: must be given"]
    bare: dict[str, Any] = {"properties": {"Account": {}, "to": {"title": "Account"}}}
    assert said({"required": ["Account"]}, bare) == ["Account “Account”: must be given"]
