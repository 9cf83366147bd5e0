"""How values lie in rows: a column for each field of a dataclass, under the field's name, but for what is sealed.

What tells of a user lies together in one column, sealed under his key (KEEP-4).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from enum import StrEnum
from operator import attrgetter, itemgetter
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
from ..service.faults import Locked
from ..service.kept import keeping
from ..service.ports import Session
from .sealing import AS_IT_IS, Column, Opened, Seal, about, key_of
from .user_keys import UserKeys

T = TypeVar("T")


class Table(Generic[T]):
    """A table that holds values of one dataclass, and perhaps columns of its own beside them."""

    def __init__(self, name: str, value: type[T], seal: Seal | None = None, **columns: Column) -> None:
        names = tuple(field.name for field in fields(value))  # type: ignore[arg-type]  # T is a dataclass
        sealed = () if seal is None else tuple(seal.fields)
        plain = tuple(each for each in names if each not in sealed)
        self.holds = value
        self.seal = seal
        self._name = name
        self._names = plain
        self._fields: Callable[[T], tuple[object, ...]] = attrgetter(*plain) if plain else lambda value: ()
        self._encode = [(plain.index(field), write) for field, (write, _) in columns.items()]
        self._decode = [(plain.index(field), read) for field, (_, read) in columns.items()]
        selected = plain
        if seal is not None:
            selected += tuple(each for each in seal.under if each not in plain)
            self._under = itemgetter(*map(selected.index, seal.under))
            self._in_order = itemgetter(*map((plain + sealed).index, names))
            self._sealed = [
                (index, each) for index, each in enumerate(seal.fields.values()) if each is not AS_IT_IS
            ]
            self._to_seal: Callable[[T], tuple[object, ...]] = (
                attrgetter(*sealed) if len(sealed) > 1 else lambda value: (getattr(value, sealed[0]),)
            )
            selected += (seal.column,)
            self._column = f"{name}.{seal.column}"
        self.select = " ".join(("SELECT", ", ".join(selected), "FROM", name))

    def insert(self, *own: str) -> str:
        """Return the statement that stores a row; `own` are columns that are no fields."""
        names = (*self._names, *(() if self.seal is None else (self.seal.column,)), *own)
        marks = ", ".join("?" for _ in names)
        return " ".join(("INSERT INTO", self._name, "(", ", ".join(names), ") VALUES (", marks, ")"))

    def row(self, value: T, keys: UserKeys, opened: Opened | None = None) -> list[Any]:
        """Return the columns that hold `value`, in the order of `insert`; `Locked` where its user has no key."""
        row = [*self._fields(value)]
        for index, write in self._encode:
            row[index] = write(row[index])
        if self.seal is not None:
            row.append(self.sealed(value, [getattr(value, name) for name in self.seal.under], keys, opened))
        return row

    def sealed(
        self, value: T, under: Sequence[Any], keys: UserKeys, opened: Opened | None = None
    ) -> bytes | None:
        """Return what of `value` lies sealed; `under` are the values of the columns of that name; `Locked`."""
        seal = self.seal
        assert seal is not None
        key = key_of(keys, *under[1:])
        if key is None:
            if seal.keyless:
                return None
            raise Locked("there is no key for what is kept of a user")
        values = self._to_seal(value)
        told = [*values]
        for index, (write, _) in self._sealed:
            told[index] = write(told[index])
        place = about(self._column, under[0])
        sealed = key.seal(orjson.dumps(told, default=b64u), place)
        if opened is not None:
            opened.keep(sealed, key, place, values)
        return sealed

    def value(self, row: tuple[Any, ...], keys: UserKeys, opened: Opened | None = None) -> T | None:
        """Return the value that a row of `select` holds; None if without its key there is none. `Locked` if what lies
        there was not sealed there."""
        columns = list(row[: len(self._names)])
        for index, read in self._decode:
            columns[index] = read(columns[index])
        if (seal := self.seal) is None:
            return self.holds(*columns)
        its_key, *whose = self._under(row)
        if row[-1] is None or (key := key_of(keys, *whose)) is None:
            if seal.gone is None:  # KEEP-5
                return None
            return self.holds(**{**dict(zip(self._names, columns, strict=True)), **seal.gone})
        place = about(self._column, its_key)
        if opened is not None and (values := opened.get(row[-1], key, place)) is not None:
            return self.holds(*self._in_order((*columns, *values)))
        try:
            told = orjson.loads(key.open(row[-1], place))
            for index, (_, read) in self._sealed:
                told[index] = read(told[index])
            values = tuple(told)
            in_order = self._in_order((*columns, *values))
        except (ValueError, TypeError, LookupError) as error:
            # KEEP-6
            raise Locked("a row is not what was sealed there: it was changed, or put elsewhere") from error
        if opened is not None:
            opened.keep(row[-1], key, place, values)
        return self.holds(*in_order)


def _one_of(enum: type[StrEnum]) -> Column:
    return attrgetter("value"), {member.value: member for member in enum}.__getitem__


_KEPT = 4 * 2**20  # bytes
_FLAG: Column = (int, bool)
_SCOPES: Column = (str, keeping(ScopeSet.parse, _KEPT))
_NAMES: Column = (lambda names: " ".join(sorted(names)), lambda text: frozenset(text.split()))
JSON: Column = (lambda value: orjson.dumps(value).decode(), orjson.loads)
_HEX: Column = (bytes.hex, bytes.fromhex)
_HEX_IF_ANY: Column = (lambda value: value and value.hex(), lambda text: text and bytes.fromhex(text))

_CONSTRAINTS: Column = (
    lambda constraints: orjson.dumps(constraints.details()).decode(),
    # What is made of limits takes ten times what is made of other texts.
    keeping(lambda text: Constraints.parse(orjson.loads(text)), _KEPT // 8),
)

_SUBJECT: Column = (lambda subject: subject, read_subject)
_MEMBERS = ("what", "approver", "until", "language", "lines", "methods", "surface", "approvals")
_QUESTION: Column = (  # without the names of its members, which would be a third of it
    lambda question: [*map(question.to_json().get, _MEMBERS)],
    lambda told: Question.parse(dict(zip(_MEMBERS, told, strict=True))),
)
_DESCRIPTION: Column = (
    lambda description: description and description.kept,
    lambda text: text and Description.read(text),
)
_EMPTY: Column = (lambda value: value or "", lambda text: text or None)

TABLES: Mapping[type, Table[Any]] = {
    each.holds: each
    for each in (
        Table(
            "users",
            User,
            Seal(
                ("user_id", "user_id"),
                {"name": AS_IT_IS, "external_id": AS_IT_IS},
                {"name": "", "external_id": None},
            ),
        ),
        Table("sessions", Session),
        Table(
            "credentials",
            Credential,
            Seal(("credential_id", "user_id"), {"label": AS_IT_IS}, None),
            transports=_NAMES,
            active=_FLAG,
        ),
        Table("agents", Agent, assurance=_one_of(Assurance)),
        Table(
            "grants",
            Grant,
            Seal(
                ("grant_id", "user_id"),
                {"shown": AS_IT_IS, "constraints": _CONSTRAINTS},
                # What allows nothing has no limits that could be missing.
                {"shown": {}, "constraints": Constraints(), "state": GrantState.REVOKED},
            ),
            scopes=_SCOPES,
            state=_one_of(GrantState),
            definitions=JSON,
        ),
        Table(
            "requests",
            AuthorizationRequest,
            Seal(
                ("request_id", "user_id", "expires_at"),
                {"constraints": _CONSTRAINTS, "state": AS_IT_IS},
                None,
            ),
            assurance=_one_of(Assurance),
            scopes=_SCOPES,
            status=_one_of(Status),
        ),
        Table("blocks", Block, user_id=_EMPTY, client_id=_EMPTY),
        Table("declines", Decline),
        Table("quiets", Quiet),
        Table("phones", Phone),
        Table(
            "challenges",
            Challenge,
            Seal(
                ("challenge_id", "owner", "expires_at"),
                {"subject": _SUBJECT, "action_hash": _HEX, "salt": _HEX},
                None,
            ),
            purpose=_one_of(Purpose),
        ),
        Table(
            "challenges",
            Asked,
            Seal(
                ("challenge_id", "owner", "expires_at"),
                {"question": _QUESTION, "salt": _HEX},
                None,
                column="question",
            ),
        ),
        Table(
            "calls",
            Call,
            Seal(
                ("call_id", "user_id"),
                {
                    "arguments": AS_IT_IS,
                    "args_s256": AS_IT_IS,
                    "description": _DESCRIPTION,
                    "salt": _HEX,
                    "match_key": _HEX_IF_ANY,
                },
                {"arguments": None, "args_s256": "", "description": None, "salt": b"", "match_key": None},
                keyless=True,
            ),
            state=_one_of(State),
            scopes=_SCOPES,
            authenticator_class=_one_of(AuthenticatorClass),
            delivered=_FLAG,
        ),
    )
}
"""The tables, by what they hold."""
