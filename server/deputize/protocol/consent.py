"""What a consent is about, as structure: `words/` makes of it what the user reads (GRANT-2, OAUTH-4)."""

from collections.abc import Mapping
from typing import Any

from .agent import Agent
from .canonical import Json, canonicalize
from .clauses import Step, clauses, distinct, label, member
from .constraint import Constraint, Constraints, amount_of
from .credential import User
from .definition import Definitions, Described
from .grant import Grant
from .policy import Policy
from .tool import Tool


def consent_structure(
    asked: Grant, agent: Agent, user: User, policy: Policy, expires_in: int, before: Grant | None = None
) -> dict[str, Json]:
    """Build what is signed, except for the words, whose language and digest are added later (GRANT-2, BEARER-6).

    An agent that names no key has proved nothing. Limits are in it twice, as the agent wrote them and as the user reads
    them, so that neither can be disputed. Where this takes the place of the grant `before`, what is more is `new`, and
    limits that would hold no longer are `gone`.
    """
    limited: dict[str, Json] = {}
    limits = limits_of(asked.constraints, policy.tools)
    if asked.constraints.parts:
        limited = {"authorization_details": asked.constraints.details(), "constraints": limits}
    if before is not None:
        held = limits_of(before.constraints, policy.tools)
        gone = _without(held, limits)
        limited |= {"constraints": _marked(limits, held)} if limits else {}
        limited |= {"gone": gone} if gone else {}
    return {
        "agent": {
            "client_id": agent.client_id,
            "assurance": agent.assurance.value,
            **({"name": agent.name} if agent.name else {}),
        },
        **({"unproven": True} if asked.bearer else {}),
        **limited,
        "expires_in": expires_in,
        "grant_id": asked.grant_id,
        "scopes": [
            {
                "scope": name,
                "title": policy.scopes[name].title,
                **({} if before is None or name in before.scopes else {"new": True}),
            }
            for name in asked.scopes
        ],
        "site": policy.site.name,
        "user": user.name,
    }


def definitions_of(named: Mapping[str, str], known: Definitions, tools: Mapping[str, Tool]) -> list[Json]:
    """Return `[{"definition_s256", "title", "tool", "changed"?: True}]`, by name: how the page describes its tools, and
    whether the user has consented to other descriptions only (GRANT-8).
    """
    told: list[Json] = []
    for name, digest in sorted(named.items()):
        changed = Described(name, digest, by_page=True).differs(known)
        each: dict[str, Json] = {"definition_s256": digest, "title": tools[name].title, "tool": name}
        told.append({**each, "changed": True} if changed else each)
    return told


def limits_of(constraints: Constraints, tools: Mapping[str, Tool]) -> list[Any]:
    """Return `[{"limits": [limit, …], "title", "tool"}]`: for each tool that is limited, every limit once.

    The `title` is the site's; it is empty for a tool that has none. A limit is an object whose member `is` is `calls`
    (at `most`), `sum` (at `most` in all, of what the `place`, a list of labels, names), `not_before` or `not_after`
    (`at` a second), `hours` (`from`, `to`, in UTC), or `arguments`, which is a statement of `clauses`.
    """
    told: dict[str, list[Any]] = {}
    for part in constraints.parts:
        tool = tools.get(part.tool)
        own = tool.input_schema.source if tool is not None and tool.input_schema is not None else None
        told.setdefault(part.tool, []).extend(_limits(part, own))
    return [
        {"limits": [*distinct(limits)], "title": tools[name].title if name in tools else "", "tool": name}
        for name, limits in told.items()
    ]


def _without(told: list[Any], others: list[Any]) -> list[Any]:
    """Return of these limits those that are not among others."""
    known = {_spelled(each["tool"], limit) for each in others for limit in each["limits"]}
    left = (
        {**each, "limits": [limit for limit in each["limits"] if _spelled(each["tool"], limit) not in known]}
        for each in told
    )
    return [each for each in left if each["limits"]]


def _marked(told: list[Any], before: list[Any]) -> list[Json]:
    """Mark those limits that were not there before."""
    new = {_spelled(each["tool"], limit) for each in _without(told, before) for limit in each["limits"]}
    return [
        {
            **each,
            "limits": [
                {**limit, "new": True} if _spelled(each["tool"], limit) in new else limit
                for limit in each["limits"]
            ],
        }
        for each in told
    ]


def _spelled(tool: str, limit: Json) -> bytes:
    return canonicalize([tool, limit])


def _limits(part: Constraint, own: Json) -> list[dict[str, Any]]:
    limits: list[dict[str, Any]] = []
    if part.max_calls is not None:
        limits.append({"is": "calls", "most": part.max_calls})
    for pointer, limit in sorted(part.sums.items()):
        limits.append({"is": "sum", "place": _place(pointer, own), "most": amount_of(limit)})
    if part.not_before is not None:
        limits.append({"is": "not_before", "at": part.not_before})
    if part.not_after is not None:
        limits.append({"is": "not_after", "at": part.not_after})
    if part.hours is not None:
        limits.append({"is": "hours", "from": part.hours[0], "to": part.hours[1]})
    if part.schema is not None:
        limits += [{"is": "arguments", **each} for each in clauses(part.schema.source, own)]
    return limits


def _place(pointer: str, own: Json) -> list[Step]:
    """Call the place of a sum as the site does."""
    way = []
    for name in pointer.split("/")[1:]:
        way.append(label(own, name))
        own = member(own, name)
    return way
