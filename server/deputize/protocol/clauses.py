"""A limit on arguments as clauses: what is said of which place, for the person who consents (CONS-4).

JSON Schema says less than it seems to: `maximum` lets pass whatever is not a number, `properties` whatever is absent.
The clauses say so (`if`, `if_given`), unless the tool's own schema, to which every call is held as well, rules it out.
Titles are from that schema, and so the site's words; a `name` without a title is an agent's. A limit that is nested too
deep for a sentence, or would make too many, is shown as it was written (`fits`).

Clauses are JSON, since they are signed (GRANT-2); `words/` makes sentences of them. Each is an object whose member `is`
says of which kind it is:

- `required`, `absent`, `nothing`, `no_values`: as they say.
- `kinds`: the value is of one of these `kinds`.
- `only`, `but`: it is one, or none, of these `values`.
- `bounds`: all these `bounds`, `[keyword, value]`, hold, with `if` only for values of that kind.
- `members`: nothing but these `members` is there.
- `any_of`, `one_of`: statements of which one, or exactly one, holds. `none_of`: statements that do not all hold.
- `fits`: it fits this `schema`.

A statement is `{"place": [step, …], "says": [clause, …]}`; the steps lead from the arguments to a value:

- `member`, a label (below), perhaps with `if_given`; `entry` of a `number`; `entries`, perhaps `after` a number.
- `rest`: whatever is not one of `members`.
- `kind`: whatever stands there, if it is of this `kind`.

A label has the site's `title`, with the `name` beside it where two have the same title, or the `name` alone where the
site has none, which is then `unknown` if the site has named others.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .canonical import Json, canonicalize

Clause = dict[str, Any]
"""What is said of a value: JSON, see above."""

Step = dict[str, Any]
"""One step on the way to a value: JSON, see above."""

Statement = dict[str, Any]
"""A place and what is said of it: JSON, see above."""

MAX_LABEL = 60  # characters of a site's description that can stand for a name
_MAX_SIZE = (
    8000  # bytes of clauses of which anybody would read the sentences; the limit itself may be shorter
)
_MAX_NESTED = 2  # levels of "either … or …" that people can follow
_NOTHING: Clause = {"is": "nothing"}
_KINDS = ("string", "number", "integer", "boolean", "array", "object", "null")
_ANY = frozenset(_KINDS) - {"integer"}
BOUNDS: Mapping[str, tuple[str, ...]] = {
    "number": ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf"),
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems"),
    "object": ("minProperties", "maxProperties"),
}
"""The keywords that bound a value, by the kind of value that they bound."""

_Saying = tuple[tuple[Step, ...], Clause]


def clauses(limit: Json, own: Json) -> list[Statement]:
    """Take a limit apart: one statement for each place in the arguments that it is about.

    `own` is the tool's own schema, or None. The arguments themselves are always an object.
    """
    known: dict[str, Json] = {**(own if isinstance(own, dict) else {}), "type": "object"}
    told = _gathered(_say(limit, known, 0))
    if len(canonicalize([*told])) > _MAX_SIZE:
        return [{"place": [], "says": [_fits(limit)]}]
    return told


def label(own: Json, name: str) -> Step:
    """Call a member as the site does, with its name beside where that could be taken for another's."""
    members = _members(own)
    if name not in members:
        return {"name": name, "unknown": True} if members else {"name": name}
    titles = [_title(member, each) for each, member in members.items()]
    title = _title(members[name], name)
    return {"title": title} if titles.count(title) == 1 else {"title": title, "name": name}


def member(own: Json, name: str) -> Json:
    """Return what the tool's own schema says of a member, which may be nothing."""
    return _members(own).get(name)


def _say(limit: Json, own: Json, nested: int) -> list[_Saying]:
    if limit is True:
        return []
    if not isinstance(limit, dict):
        return [((), _NOTHING)]
    if nested > _MAX_NESTED:
        return [((), _fits(limit))]
    kinds = _kinds(own) & _kinds(limit)
    said: list[_Saying] = [
        ((), clause) for clause in (*_type(limit, own), *_values(limit), *_bounds(limit, kinds))
    ]
    said += _unless(_named(limit, own, nested), kinds, "object")
    said += _unless(_listed(limit, own, nested), kinds, "array")
    known = _narrowed(limit, own, kinds)
    for part in _schemas(limit, "allOf"):
        said += _say(part, known, nested)
    return said + [((), clause) for clause in _combined(limit, known, nested)]


def _narrowed(limit: Mapping[str, Json], own: Json, kinds: frozenset[str]) -> dict[str, Json]:
    """Return what is known of a value that the parts of a limit are about: the tool's own schema, and its siblings."""
    known = own if isinstance(own, dict) else {}
    types: list[Json] = [*sorted(kinds)] if kinds != _kinds(own) else [*_texts(known.get("type"))]
    required: list[Json] = [*_texts(known.get("required")), *_texts(limit.get("required"))]
    return {**known, "type": types, "required": required}


def _type(limit: Mapping[str, Json], own: Json) -> Iterator[Clause]:
    """Say of which types a value is, unless it is of no other anyway."""
    types, known = _texts(limit.get("type")), _texts(own.get("type")) if isinstance(own, dict) else []
    wide = {*types, *(["integer"] if "number" in types else [])}
    if types and not (known and set(known) <= wide):
        yield {"is": "kinds", "kinds": types}


def _values(limit: Mapping[str, Json]) -> Iterator[Clause]:
    if "const" in limit:
        yield {"is": "only", "values": [limit["const"]]}
    values = limit.get("enum")
    if isinstance(values, list):
        yield {"is": "only", "values": values} if values else _NOTHING


def _bounds(limit: Mapping[str, Json], kinds: frozenset[str]) -> Iterator[Clause]:
    for kind, keywords in BOUNDS.items():
        if bounds := [[keyword, limit[keyword]] for keyword in keywords if keyword in limit]:
            yield {"is": "bounds", "bounds": bounds, **({} if kinds <= {kind} else {"if": kind})}


def _named(limit: Mapping[str, Json], own: Json, nested: int) -> list[_Saying]:
    """Say what holds for the members of an object."""
    required = _texts(limit.get("required"))
    sure = {*required, *(_texts(own.get("required")) if isinstance(own, dict) else [])}
    said: list[_Saying] = [((_member(own, name),), {"is": "required"}) for name in required]
    parts = limit.get("properties")
    parts = parts if isinstance(parts, dict) else {}
    for name, part in parts.items():
        unless = {} if name in sure or part is False else {"if_given": True}
        said += _below({**_member(own, name), **unless}, part, member(own, name), nested)
    rest = limit.get("additionalProperties", True)
    others = [label(own, name) for name in parts]
    if rest is False:
        said.append(((), {"is": "members", "members": others} if others else {"is": "no_values"}))
    elif rest is not True:
        said += _below({"is": "rest", "members": others}, rest, None, nested)
    return said


def _member(own: Json, name: str) -> Step:
    return {"is": "member", **label(own, name)}


def _listed(limit: Mapping[str, Json], own: Json, nested: int) -> list[_Saying]:
    """Say what holds for the entries of a list."""
    first = _schemas(limit, "prefixItems")
    said: list[_Saying] = []
    for number, part in enumerate(first, 1):
        said += _below({"is": "entry", "number": number}, part, None, nested)
    if "items" in limit:
        entry = own.get("items") if isinstance(own, dict) and "prefixItems" not in own else None
        after = {"after": len(first)} if first else {}
        said += _below({"is": "entries", **after}, limit["items"], entry, nested)
    return said


def _combined(limit: Mapping[str, Json], own: Json, nested: int) -> Iterator[Clause]:
    def statements(schemas: Iterable[Json]) -> list[list[Statement]]:
        return [_gathered(_say(schema, own, nested + 1)) for schema in schemas]

    if any_of := _schemas(limit, "anyOf"):
        yield {"is": "any_of", "of": statements(any_of)}
    if one_of := _schemas(limit, "oneOf"):
        yield {"is": "one_of", "of": statements(one_of)}
    match limit:
        case {"not": {"const": value, **more}} if not more:
            yield {"is": "but", "values": [value]}
        case {"not": {"enum": [_, *_] as values, **more}} if not more:
            yield {"is": "but", "values": values}
        case {"not": part}:
            yield {"is": "none_of", "of": statements([part])[0]}


def _below(here: Step, limit: Json, own: Json, nested: int) -> list[_Saying]:
    if limit is False:
        return [((here,), {"is": "absent"})]
    return [((here, *way), clause) for way, clause in _say(limit, own, nested)]


def _unless(said: list[_Saying], kinds: frozenset[str], kind: str) -> list[_Saying]:
    """Say the condition where what is said holds for one kind of value only, and another is possible."""
    return (
        said if kinds <= {kind} else [(({"is": "kind", "kind": kind}, *way), clause) for way, clause in said]
    )


def _gathered(said: Sequence[_Saying]) -> list[Statement]:
    """Gather what is said of the same place; what is said twice is said once."""
    places: dict[bytes, Statement] = {}
    for way, clause in said:
        places.setdefault(canonicalize([*way]), {"place": [*way], "says": []})["says"].append(clause)
    for statement in places.values():
        statement["says"] = distinct(statement["says"])
    return [*places.values()]


def distinct(values: Iterable[Step]) -> list[Step]:
    """Leave out what is there already, byte for byte: to Python, true would be 1."""
    return [*{canonicalize(value): value for value in values}.values()]


def _fits(limit: Json) -> Clause:
    return {"is": "fits", "schema": limit}


def _kinds(schema: Json) -> frozenset[str]:
    """Tell which kinds of values a schema can accept, as far as that is plain to see."""
    kinds = _ANY
    if isinstance(schema, dict):
        if types := _texts(schema.get("type")):
            kinds &= {"number" if each == "integer" else each for each in types}
        for values in ([schema["const"]] if "const" in schema else None, schema.get("enum")):
            if isinstance(values, list):
                kinds &= {_kind(value) for value in values}
    return kinds


def _kind(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case int() | float():
            return "number"
        case dict():
            return "object"
    return "array"


def _members(own: Json) -> Mapping[str, Json]:
    members = own.get("properties") if isinstance(own, dict) else None
    return members if isinstance(members, dict) else {}


def _title(schema: Json, name: str) -> str:
    """Return the site's word for a member: a title, a short description, or the name."""
    said = schema if isinstance(schema, dict) else {}
    words = [str(said.get(keyword, "")).strip().rstrip(".") for keyword in ("title", "description")]
    return next((each for each in words if 0 < len(each) <= MAX_LABEL), name)


def _texts(value: Json) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [each for each in listed if isinstance(each, str)]


def _schemas(limit: Mapping[str, Json], keyword: str) -> list[Json]:
    schemas = limit.get(keyword, [])
    return schemas if isinstance(schemas, list) else []
