"""A limit on arguments in sentences, for the person who consents (CONS-4).

JSON Schema says less than it seems to: a `maximum` lets everything pass that is no number, `properties` everything
that is not there. The sentences say so ("if given", "if it is a number"), unless the tool's own schema, which is
asked at each call as well, leaves no such way out. That schema's titles are the site's words, and stand as they are;
whatever an agent has made up stands in quotation marks, which it cannot leave. What is nested too deep for a sentence,
or would make too many, is shown as it was written.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from .canonical import Json
from .shown import plain, quoted, spelled

MAX_LABEL = 60  # characters of a site's description that can stand for a name
_MAX_WORDS = 4000  # characters of sentences that anybody would read; JSON may be shorter
_MAX_NESTED = 2  # levels of "either … or …" that people can follow
_ABOVE = " › "
_NEVER = "nothing at all"
_COMPOUND = re.compile(r"\A(?:exactly|not) |, | and | or ")
_KINDS = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a group of values",
    "null": "null",
}
_ANY = frozenset(_KINDS) - {"integer"}
# Keyword to words, for values of one kind; what counts things names one and many of them.
_BOUNDS: Mapping[str, tuple[tuple[str, str, tuple[str, str] | None], ...]] = {
    "number": (
        ("minimum", "at least", None),
        ("exclusiveMinimum", "more than", None),
        ("maximum", "at most", None),
        ("exclusiveMaximum", "less than", None),
        ("multipleOf", "a multiple of", None),
    ),
    "string": (
        ("minLength", "at least", ("character", "characters")),
        ("maxLength", "at most", ("character", "characters")),
    ),
    "array": (("minItems", "at least", ("entry", "entries")), ("maxItems", "at most", ("entry", "entries"))),
    "object": (
        ("minProperties", "at least", ("value", "values")),
        ("maxProperties", "at most", ("value", "values")),
    ),
}

Saying = tuple[tuple[str, ...], str]
"""What is said of one place in the arguments: the way there, and the words."""


def sentences(limit: Json, own: Json) -> list[str]:
    """Say a limit in sentences, one for each place in the arguments that it is about.

    `own` is the tool's own schema, or None. The arguments themselves are always an object.
    """
    known: dict[str, Json] = {**(own if isinstance(own, dict) else {}), "type": "object"}
    told: list[str] = []
    for way, words in _gathered(_say(limit, known, 0)):
        told += (
            [": ".join((_ABOVE.join(way), ", ".join(words)))] if way else [_capital(each) for each in words]
        )
    if sum(map(len, told)) > _MAX_WORDS:
        told = [f"Only with arguments that fit {spelled(limit)}"]
    return [plain(each) for each in told]


def label(own: Json, name: str) -> str:
    """Call a member as the site does, with its name beside where that could be taken for another's."""
    members = _members(own)
    if name not in members:
        return f"{quoted(name)}, unknown to the site" if members else quoted(name)
    titles = [_title(member, each) for each, member in members.items()]
    title = _title(members[name], name)
    return title if titles.count(title) == 1 else f"{title} {quoted(name)}"


def member(own: Json, name: str) -> Json:
    """Return what the tool's own schema says of a member, which may be nothing."""
    return _members(own).get(name)


def _say(limit: Json, own: Json, nested: int) -> list[Saying]:
    if limit is True:
        return []
    if not isinstance(limit, dict):
        return [((), _NEVER)]
    if nested > _MAX_NESTED:
        return [((), f"fitting {spelled(limit)}")]
    kinds = _kinds(own) & _kinds(limit)
    said: list[Saying] = [
        ((), words) for words in (*_type(limit, own), *_values(limit), *_bounds(limit, kinds))
    ]
    said += _unless(_named(limit, own, nested), kinds, "object")
    said += _unless(_listed(limit, own, nested), kinds, "array")
    known = _narrowed(limit, own, kinds)
    for part in _schemas(limit, "allOf"):
        said += _say(part, known, nested)
    return said + [((), words) for words in _combined(limit, known, nested)]


def _narrowed(limit: Mapping[str, Json], own: Json, kinds: frozenset[str]) -> dict[str, Json]:
    """Return what is known of a value that the parts of a limit are about: the tool's own schema, and its siblings."""
    known = own if isinstance(own, dict) else {}
    types: list[Json] = [*sorted(kinds)] if kinds != _kinds(own) else [*_texts(known.get("type"))]
    required: list[Json] = [*_texts(known.get("required")), *_texts(limit.get("required"))]
    return {**known, "type": types, "required": required}


def _type(limit: Mapping[str, Json], own: Json) -> Iterator[str]:
    """Say of which types a value is, unless it is of no other anyway."""
    types, known = _texts(limit.get("type")), _texts(own.get("type")) if isinstance(own, dict) else []
    wide = {*types, *(["integer"] if "number" in types else [])}
    if types and not (known and set(known) <= wide):
        yield _or(_KINDS[each] for each in types)


def _values(limit: Mapping[str, Json]) -> Iterator[str]:
    if "const" in limit:
        yield f"only {_value(limit['const'])}"
    values = limit.get("enum")
    if isinstance(values, list):
        yield f"only {_or(map(_value, values))}" if values else _NEVER


def _bounds(limit: Mapping[str, Json], kinds: frozenset[str]) -> Iterator[str]:
    for kind, keywords in _BOUNDS.items():
        words = []
        for keyword, how, things in keywords:
            if keyword in limit:
                count = spelled(limit[keyword])
                words.append(f"{how} {count}" + (f" {things[count != '1']}" if things else ""))
        if words:
            yield _and(words) + ("" if kinds <= {kind} else f" (if it is {_KINDS[kind]})")


def _named(limit: Mapping[str, Json], own: Json, nested: int) -> list[Saying]:
    """Say what holds for the members of an object."""
    required = _texts(limit.get("required"))
    sure = {*required, *(_texts(own.get("required")) if isinstance(own, dict) else [])}
    said: list[Saying] = [((label(own, name),), "must be given") for name in required]
    parts = limit.get("properties")
    parts = parts if isinstance(parts, dict) else {}
    for name, part in parts.items():
        unless = "" if name in sure or part is False else " (if given)"
        said += _below(label(own, name) + unless, part, member(own, name), nested)
    rest = limit.get("additionalProperties", True)
    others = [label(own, name) for name in parts]
    if rest is False:
        said.append(((), f"nothing but {_and(others)}" if others else "no values"))
    elif rest is not True:
        said += _below(f"whatever is not {_or(others)}" if others else "each value", rest, None, nested)
    return said


def _listed(limit: Mapping[str, Json], own: Json, nested: int) -> list[Saying]:
    """Say what holds for the entries of a list."""
    first = _schemas(limit, "prefixItems")
    said: list[Saying] = []
    for number, part in enumerate(first, 1):
        said += _below(f"entry {number} (if given)", part, None, nested)
    if "items" in limit:
        entry = own.get("items") if isinstance(own, dict) and "prefixItems" not in own else None
        here = f"each entry after entry {len(first)}" if first else "each entry"
        said += _below(here, limit["items"], entry, nested)
    return said


def _combined(limit: Mapping[str, Json], own: Json, nested: int) -> Iterator[str]:
    def clauses(schemas: Iterable[Json]) -> list[str]:
        return [_clause(_say(schema, own, nested + 1)) for schema in schemas]

    if any_of := _schemas(limit, "anyOf"):
        yield _or(clauses(any_of), "either " if len(any_of) > 1 else "")
    if one_of := _schemas(limit, "oneOf"):
        yield f"exactly one of these: {_or(clauses(one_of))}"
    match limit:
        case {"not": {"const": value, **more}} if not more:
            yield f"anything but {_value(value)}"
        case {"not": {"enum": [_, *_] as values, **more}} if not more:
            yield f"anything but {_or(map(_value, values))}"
        case {"not": part}:
            yield f"not {clauses([part])[0]}"


def _below(here: str, limit: Json, own: Json, nested: int) -> list[Saying]:
    if limit is False:
        return [((here,), "must not be given")]
    return [((here, *way), words) for way, words in _say(limit, own, nested)]


def _unless(said: list[Saying], kinds: frozenset[str], kind: str) -> list[Saying]:
    """Say the condition where what is said holds for one kind of value only, and another is possible."""
    return said if kinds <= {kind} else [((f"if it is {_KINDS[kind]}", *way), words) for way, words in said]


def _gathered(said: Iterable[Saying]) -> list[tuple[tuple[str, ...], list[str]]]:
    """Gather what is said of the same place; what is said twice is said once."""
    places: dict[tuple[str, ...], dict[str, None]] = {}
    for way, words in said:
        places.setdefault(way, {})[words] = None
    return [(way, list(words)) for way, words in places.items()]


def _clause(said: Sequence[Saying]) -> str:
    """Say all of it within another sentence: in brackets, unless it is a single thing."""
    if not said:
        return "anything"
    way, words = said[0]
    if len(said) == 1 and not way and _COMPOUND.search(words) is None:
        return words
    gathered = _gathered(said)
    return f"({'; '.join((f'{_ABOVE.join(way)}: ' if way else '') + ', '.join(words) for way, words in gathered)})"


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


def _value(value: Json) -> str:
    return quoted(value) if isinstance(value, str) else spelled(value)


def _texts(value: Json) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [each for each in listed if isinstance(each, str)]


def _schemas(limit: Mapping[str, Json], keyword: str) -> list[Json]:
    schemas = limit.get(keyword, [])
    return schemas if isinstance(schemas, list) else []


def _and(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _or(words: Iterable[str], before: str = "") -> str:
    *most, last = words
    return before + (f"{', '.join(most)} or {last}" if most else last)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
