"""What an agent may write as a limit on arguments: a part of JSON Schema that means what it says (CONS-4).

Agents are strangers. References could make each call cost hours. Regular expressions, and keywords that validators
ignore, would look like limits to whoever consents, and limit nothing.
"""

from collections.abc import Mapping

from .canonical import Json
from .clauses import BOUNDS
from .tool import Schema

MAX_DEPTH = 32
"""How deep a limit may be nested: what is signed has it within other structure (GRANT-2)."""

_NAMED = frozenset({"properties"})
_LISTED = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SINGLE = frozenset({"additionalProperties", "items", "not"})
_VALUES = frozenset({"const", "enum", "required", "type"}).union(*BOUNDS.values())


def limit_schema(source: Json) -> Schema:
    """Compile the schema of a limit; ValueError for what is none, or says more than CONS-4 allows."""
    if not isinstance(source, dict):
        raise ValueError("a limit is a JSON Schema object")
    if _depth(source) > MAX_DEPTH:
        raise ValueError(f"a limit is nested at most {MAX_DEPTH} deep")
    _check(source)
    return Schema(source)


def _check(schema: Json) -> None:
    """Refuse every keyword that is not known here, before anything is compiled."""
    if not isinstance(schema, Mapping):  # true and false say what they mean
        return
    for keyword, value in schema.items():
        if keyword in _NAMED and isinstance(value, dict):
            inner = list(value.values())
        elif keyword in _LISTED and isinstance(value, list):
            inner = value
        elif keyword in _SINGLE:
            inner = [value]
        elif keyword in _VALUES:
            inner = []
        else:
            raise ValueError(f"the keyword {keyword[:64]!r} cannot be part of a limit")
        for each in inner:
            _check(each)


def _depth(value: Json) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)
