"""Databases as older versions left them, with rows as these wrote them."""

import sqlite3
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from deputize.protocol.agent import Agent
from deputize.protocol.call import Call
from deputize.protocol.canonical import b64u
from deputize.protocol.challenge import Challenge
from deputize.protocol.credential import Credential, User
from deputize.protocol.grant import Grant
from deputize.protocol.question import Question
from deputize.protocol.request import AuthorizationRequest
from deputize.service.ports import Session
from deputize.store import migrations

SEALED = "0010"
"""The first version in which what tells of users lies sealed."""


_MEMBERS = ("what", "approver", "until", "language", "lines", "methods", "surface", "approvals")


def made(path: Path, version: str) -> None:
    """Make an empty database of a version."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for number, script in migrations._SCRIPTS.items():
            if number <= version:
                connection.executescript(script.read_text("utf-8"))
        connection.execute(migrations._TABLE)
        with connection:
            connection.execute("INSERT INTO alembic_version VALUES (?)", [version])


def insert(path: Path, *rows: tuple[str, dict[str, Any]]) -> None:
    """Put rows into tables; of their values those of which the version has a column."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for table, row in rows:
            columns = [each[1] for each in connection.execute(f"PRAGMA table_info({table})")]
            there = {name: value for name, value in row.items() if name in columns}
            marks = ", ".join("?" for _ in there)
            statement = f"INSERT INTO {table} ({', '.join(there)}) VALUES ({marks})"  # noqa: S608  # of our own
            connection.execute(statement, [*there.values()])


def row_of(value: Any) -> tuple[str, dict[str, Any]]:
    """Write a value as version 0009 did, and name its table."""
    match value:
        case User():
            return "users", asdict(value)
        case Session():
            return "sessions", asdict(value)
        case Credential():
            return "credentials", {**asdict(value), "transports": " ".join(sorted(value.transports))}
        case Agent():
            return "agents", asdict(value)
        case Grant():
            constraints = orjson.dumps(value.constraints.details()).decode()
            shown = orjson.dumps(value.shown).decode()
            told = {"shown": shown, "constraints": constraints, "scopes": str(value.scopes), "was_active": 1}
            return "grants", {**_plain(value), **told, "definitions": "{}"}
        case AuthorizationRequest():
            constraints = orjson.dumps(value.constraints.details()).decode()
            return "requests", {**_plain(value), "scopes": str(value.scopes), "constraints": constraints}
        case Challenge():
            subject = orjson.dumps(value.subject, default=b64u).decode()
            return "challenges", {**_plain(value), "subject": subject}
        case Call():
            description = value.description and value.description.kept
            told = {"arguments": orjson.dumps(value.arguments), "scopes": str(value.scopes)}
            return "calls", {**_plain(value), **told, "description": description}
    raise TypeError(type(value).__name__)


def asked(challenge: Challenge, question: Question) -> tuple[str, dict[str, Any]]:
    """Write a challenge with its question."""
    table, row = row_of(challenge)
    return table, {**row, "question": orjson.dumps([question.to_json()[name] for name in _MEMBERS]).decode()}


def _plain(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}
