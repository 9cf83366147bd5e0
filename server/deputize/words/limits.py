"""Limits of a grant in sentences: nothing that limits is left out, and equal words are equal limits (CONS-4)."""

from collections.abc import Sequence
from typing import Any

from ..protocol.clauses import Clause, Statement, Step
from .catalogue import Worded, Words

_SIMPLE = frozenset({"required", "absent", "nothing", "no_values", "fits"})


def limits(words: Words, told: Sequence[Any]) -> list[Worded]:
    """Say the limits on one tool, one sentence each, as `limits_of` lists them."""
    return [_limit(words, each) for each in told] or [words("limit-none")]


def tool_name(words: Words, title: str, name: str) -> Worded:
    """Call a tool, or a scope, by the site's title for it, if there is one, and by its name."""
    return words("named-beside", title=title, name=name) if title else words("as-it-is", text=name)


def _limit(words: Words, limit: dict[str, Any]) -> Worded:
    match limit["is"]:
        case "calls":
            return words("limit-calls", most=limit["most"])
        case "sum":
            place = words.joined("place-steps", (_label(words, each) for each in limit["place"]))
            return words("limit-sum", place=place, most=limit["most"])
        case "not_before":
            return words("limit-not-before", moment=words.moment(limit["at"]))
        case "not_after":
            return words("limit-not-after", moment=words.moment(limit["at"]))
        case "hours":
            spans = "limit-hours" if limit["from"] < limit["to"] else "limit-hours-overnight"
            return words(spans, **{"from": words.clock(limit["from"]), "to": words.clock(limit["to"])})
    place = _place(words, limit["place"]) if limit["place"] else words("place-all")
    return words("limit-arguments", place=place, clauses=_clauses(words, limit["says"]))


def _place(words: Words, way: Sequence[Step]) -> Worded:
    return words.joined("place-steps", (_step(words, each) for each in way))


def _step(words: Words, step: Step) -> Worded:
    match step["is"]:
        case "entry":
            return words("place-entry", number=step["number"])
        case "entries" if "after" in step:
            return words("place-entries-after", number=step["after"])
        case "entries":
            return words("place-entries")
        case "rest" if step["members"]:
            return words("place-rest", members=words.one_of(_label(words, each) for each in step["members"]))
        case "rest":
            return words("place-each")
        case "kind":
            return words("place-if-kind", kind=words(f"kind-{step['kind']}"))
    place = _label(words, step)
    return words("place-if-given", place=place) if "if_given" in step else place


def _label(words: Words, label: Step) -> Worded:
    if "title" not in label:
        name = words.json(label["name"])
        return words("label-unknown", name=name) if "unknown" in label else name
    if "name" in label:
        return words("label-beside", title=label["title"], name=words.json(label["name"]))
    return words("as-it-is", text=label["title"])


def _clauses(words: Words, said: Sequence[Clause]) -> Worded:
    return words.joined("clauses", (_clause(words, each) for each in said))


def _clause(words: Words, clause: Clause) -> Worded:
    match clause["is"]:
        case "kinds":
            return words.one_of(words(f"kind-{each}") for each in clause["kinds"])
        case "only" | "but" as which:
            return words(f"clause-{which}", values=words.one_of(map(words.json, clause["values"])))
        case "bounds":
            bounds = words.all_of(
                words(f"bound-{keyword}", number=value) for keyword, value in clause["bounds"]
            )
            if "if" not in clause:
                return bounds
            return words("clause-bounds-if", bounds=bounds, kind=words(f"kind-{clause['if']}"))
        case "members":
            return words(
                "clause-members", members=words.all_of(_label(words, each) for each in clause["members"])
            )
        case "any_of":
            said = words.one_of(_within(words, each) for each in clause["of"])
            return words("clause-either", statements=said) if len(clause["of"]) > 1 else said
        case "one_of":
            said = words.one_of(_within(words, each) for each in clause["of"])
            return words("clause-one-of", statements=said)
        case "none_of":
            return words("clause-none-of", statements=_within(words, clause["of"]))
        case "fits":
            return words("clause-fits", schema=Worded(words.json(clause["schema"])))
    return words(f"clause-{clause['is'].replace('_', '-')}")


def _within(words: Words, said: Sequence[Statement]) -> Worded:
    """Say statements within another sentence: in brackets, unless it is a single thing."""
    match said:
        case []:
            return words("clause-anything")
        case [{"place": [], "says": [clause]}] if _is_simple(clause):
            return _clause(words, clause)
    statements = (
        words("limit-arguments", place=_place(words, each["place"]), clauses=_clauses(words, each["says"]))
        if each["place"]
        else _clauses(words, each["says"])
        for each in said
    )
    return words("clause-group", statements=words.joined("statements", statements))


def _is_simple(clause: Clause) -> bool:
    """Tell whether a clause is a single thing, so that what stands beside it cannot be taken for part of it."""
    match clause:
        case {"is": "kinds", "kinds": [_]} | {"is": "only", "values": [_]}:
            return True
        case {"is": "bounds", "bounds": [_]}:
            return "if" not in clause
        case {"is": "members", "members": [_]}:
            return True
    return clause["is"] in _SIMPLE
