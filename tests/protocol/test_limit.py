"""Limits that agents write: bounded work, and nothing in them that is not a limit (CONS-4)."""

import time
from typing import Any

import pytest

from deputize.protocol.canonical import Json
from deputize.protocol.constraint import Constraint
from deputize.protocol.errors import Code, Refused
from deputize.protocol.limit import limit_schema


def unfolding(levels: int) -> dict[str, Any]:
    """Make a schema of which each level is asked twice as often as the one above it."""
    definitions: dict[str, Any] = {str(levels): {"type": "string"}}
    for level in range(levels):
        definitions[str(level)] = {"anyOf": [{"$ref": f"#/$defs/{level + 1}"}] * 2}
    return {"$defs": definitions, "$ref": "#/$defs/0"}


@pytest.mark.parametrize(
    "schema",
    [
        unfolding(24),
        {"$ref": "#"},
        {"$dynamicAnchor": "x", "$dynamicRef": "#x"},
        {"properties": {"iban": {"pattern": "^(a|aa)+$"}}},
        {"patternProperties": {"a": True}},
        {"description": "never more than 10 EUR"},
        {"$comment": "never more than 10 EUR"},
        {"properties": {"amount": {"maximun": 10}}},
        {"items": {"anyOf": [{"not": {"format": "email"}}]}},
        {"prefixItems": [{"unevaluatedProperties": False}]},
        {"additionalProperties": {"default": 1}},
    ],
)
def test_what_is_no_limit_is_refused(schema: dict[str, Any]) -> None:  # CONS-4
    with pytest.raises(Refused) as refused:
        Constraint.parse({"type": "webmcp_tool", "tool": "pay", "schema": schema})
    assert refused.value.refusal.code is Code.INVALID_AUTHORIZATION_DETAILS


def test_what_is_a_limit_is_one() -> None:  # CONS-4
    schema = limit_schema(
        {
            "type": "object",
            "required": ["amount"],
            "properties": {
                "amount": {"allOf": [{"minimum": 1}, {"maximum": 50}]},
                "tags": {"items": {"enum": ["a", "b"]}, "maxItems": 2},
            },
            "additionalProperties": False,
        }
    )
    assert schema.accepts({"amount": 50, "tags": ["a"]})
    wrong: list[Json] = [{"amount": 51}, {"amount": 5, "tags": ["c"]}, {"amount": 5, "more": 1}, {}]
    for arguments in wrong:
        assert not schema.accepts(arguments)


@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "oneOf", "not"])
def test_depth_costs_no_more_than_its_length(keyword: str) -> None:  # CONS-4
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(30 if keyword == "not" else 15):  # a list is a level, too
        schema = {keyword: schema if keyword == "not" else [schema]}
    with pytest.raises(ValueError, match="at most 32 deep"):
        limit_schema({"not": {"not": schema}})
    limit = limit_schema(schema)
    started = time.process_time()
    limit.fault({"amount": 1})
    assert time.process_time() - started < 0.5
