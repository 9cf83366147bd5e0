"""Tools that are declared from Python: whose words a function writes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypedDict

from .canonical import Json
from .credential import AuthenticatorClass
from .definition import pins
from .description import Description, Row
from .endpoint import Endpoint
from .policy import approval_policy
from .question import Surface
from .scope import ScopeSet
from .shown import as_said, marked
from .tool import Describe, Executes, Schema, Tool, answers


class Declaration(TypedDict, total=False):
    """What is said of a tool; each means what it means in the policy file, and has the same default."""

    scopes: Iterable[str]
    name: str
    public: bool
    approval: Json
    authenticator_class: str
    executes: str
    direct: bool
    input_schema: Mapping[str, Json]
    output_schema: Mapping[str, Json]
    opaque: bool
    summary: str
    title: str
    endpoint: str
    elsewhere: bool
    direct_when_closed: bool
    pinned: str | Sequence[str]
    surface: str


_READ: dict[str, Callable[[Any], object]] = {
    "scopes": ScopeSet.of,
    "approval": approval_policy,
    "authenticator_class": AuthenticatorClass,
    "executes": Executes,
    "endpoint": Endpoint.parse,
    "input_schema": Schema,
    "output_schema": answers,
    "pinned": pins,
    "surface": Surface,
}


def declared(describe: Describe, declaration: Declaration) -> Tool:
    """Make the tool that a function describes, named as it is unless `name` says otherwise; ValueError if it cannot be.

    Text stands in quotation marks where the function writes it with an f-string (APPR-2).
    """
    given: dict[str, Any] = {**declaration}
    given |= {name: read(given[name]) for name, read in _READ.items() if name in given}
    return Tool(
        **{"name": describe.__name__, **given},
        describe=lambda arguments: _in_lines(describe(as_said(arguments))),
    )


def _in_lines(made: str | Description) -> str | Description:
    """Return what a function has written, of which no row begins another one."""
    if isinstance(made, str):
        return f"{made}"  # it may be an argument as it came
    rows = [Row(marked(f"{row.title}"), tuple(marked(f"{each}") for each in row.values)) for row in made.rows]
    return Description(f"{made.headline}", tuple(rows))
