"""How values lie in rows: a column for each field of a dataclass, under the field's name."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from enum import StrEnum
from operator import attrgetter
from typing import Any, Generic, TypeVar

import orjson

from ..protocol.agent import Agent, Assurance
from ..protocol.block import Block
from ..protocol.call import Call, State
from ..protocol.canonical import b64u
from ..protocol.challenge import Challenge, Purpose, read_subject
from ..protocol.constraint import Constraints
from ..protocol.credential import AuthenticatorClass, Credential, User
from ..protocol.description import Description
from ..protocol.grant import Grant, GrantState
from ..protocol.phone import Phone
from ..protocol.prompt import Decline, Quiet
from ..protocol.question import Asked, Question
from ..protocol.request import AuthorizationRequest, Status
from ..protocol.scope import ScopeSet
from ..service.kept import keeping
from ..service.ports import Session

T = TypeVar("T")
Column = tuple[Callable[[Any], object], Callable[[Any], object]]
"""How a field becomes what the database holds, and back. Fields without one are held as they are."""


class Table(Generic[T]):
    """A table that holds values of one dataclass, and perhaps columns of its own beside them."""

    def __init__(self, name: str, value: type[T], **columns: Column) -> None:
        names = tuple(field.name for field in fields(value))  # type: ignore[arg-type]  # T is a dataclass
        self.holds = value
        self.select = " ".join(("SELECT", ", ".join(names), "FROM", name))
        self._name = name
        self._names = names
        self._fields: Callable[[T], tuple[object, ...]] = attrgetter(*names)
        self._encode = [(names.index(field), write) for field, (write, _) in columns.items()]
        self._decode = [(names.index(field), read) for field, (_, read) in columns.items()]

    def insert(self, *own: str) -> str:
        """Return the statement that stores a row; `own` are columns that are no fields."""
        names = (*self._names, *own)
        marks = ", ".join("?" for _ in names)
        return " ".join(("INSERT INTO", self._name, "(", ", ".join(names), ") VALUES (", marks, ")"))

    def row(self, value: T) -> list[Any]:
        """Return the columns that hold `value`, in the order of `insert`."""
        row = [*self._fields(value)]
        for index, write in self._encode:
            row[index] = write(row[index])
        return row

    def value(self, row: tuple[Any, ...]) -> T:
        """Return the value that a row of `select` holds."""
        columns = list(row)
        for index, read in self._decode:
            columns[index] = read(columns[index])
        return self.holds(*columns)


def _one_of(enum: type[StrEnum]) -> Column:
    return attrgetter("value"), {member.value: member for member in enum}.__getitem__


_KEPT = 4 * 2**20  # bytes
_FLAG: Column = (int, bool)
_SCOPES: Column = (str, keeping(ScopeSet.parse, _KEPT))
_NAMES: Column = (lambda names: " ".join(sorted(names)), lambda text: frozenset(text.split()))
JSON: Column = (lambda value: orjson.dumps(value).decode(), orjson.loads)
_BYTES: Column = (orjson.dumps, orjson.loads)

_CONSTRAINTS: Column = (
    lambda constraints: orjson.dumps(constraints.details()).decode(),
    keeping(lambda text: Constraints.parse(orjson.loads(text)), _KEPT),
)

_SUBJECT: Column = (
    lambda subject: orjson.dumps(subject, default=b64u).decode(),
    lambda text: read_subject(orjson.loads(text)),
)
_MEMBERS = ("what", "approver", "until", "language", "lines", "methods", "surface", "approvals")
QUESTION: Column = (  # without the names of its members, which would be a third of it
    lambda question: orjson.dumps([*map(question.to_json().get, _MEMBERS)]).decode(),
    lambda text: Question.parse(dict(zip(_MEMBERS, orjson.loads(text), strict=True))),
)
_DESCRIPTION: Column = (
    lambda description: description and description.kept,
    lambda text: text and Description.read(text),
)
_EMPTY: Column = (lambda value: value or "", lambda text: text or None)

TABLES: Mapping[type, Table[Any]] = {
    each.holds: each
    for each in (
        Table("users", User),
        Table("sessions", Session),
        Table("credentials", Credential, transports=_NAMES, active=_FLAG),
        Table("agents", Agent, assurance=_one_of(Assurance)),
        Table(
            "grants",
            Grant,
            scopes=_SCOPES,
            state=_one_of(GrantState),
            shown=JSON,
            constraints=_CONSTRAINTS,
            definitions=JSON,
        ),
        Table(
            "requests",
            AuthorizationRequest,
            assurance=_one_of(Assurance),
            scopes=_SCOPES,
            constraints=_CONSTRAINTS,
            status=_one_of(Status),
        ),
        Table("blocks", Block, user_id=_EMPTY, client_id=_EMPTY),
        Table("declines", Decline),
        Table("quiets", Quiet),
        Table("phones", Phone),
        Table("challenges", Challenge, purpose=_one_of(Purpose), subject=_SUBJECT),
        Table("challenges", Asked, question=QUESTION),
        Table(
            "calls",
            Call,
            state=_one_of(State),
            scopes=_SCOPES,
            arguments=_BYTES,
            authenticator_class=_one_of(AuthenticatorClass),
            delivered=_FLAG,
            description=_DESCRIPTION,
        ),
    )
}
"""The tables, by what they hold."""
