"""Who is forgotten is in nothing that is left: searched for with all that a thief could ever hold (KEEP-3 to KEEP-5).

He holds yesterday's backup, today's files byte by byte, and every key there is: the authority's own, what wraps the
keys of users, the file of these, and the keys of everybody else.
"""

import asyncio
import base64
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.store import values as v
from tests.store.contract import do
from tests.store.test_sealing import (
    CALL,
    CHALLENGE,
    CREDENTIAL,
    EXTERNAL,
    OTHER,
    OTHERS,
    SECRET,
    USER,
    everything,
    fill,
)
from tests.store.values import NOW

from deputize.crypto.keys import KeyRing
from deputize.opening import copy_store
from deputize.protocol.call import State
from deputize.protocol.ids import UserId
from deputize.service.ports import Tx
from deputize.store.sealing import about
from deputize.store.sqlite import SqliteStore
from deputize.store.user_keys import HOUR, OVER, UserKey, UserKeys

LATER = NOW + 24 * HOUR
WORDS = (SECRET, USER.name, EXTERNAL, CREDENTIAL.label)
ARGUMENTS = {"amount": 250.0, "iban": "DE89 3704 0044 0532 0130 00", "note": "für Großmutter ✂"}


def live(tx: Tx) -> None:
    """Let a user have and do everything, and another one a little."""
    fill(tx, OTHER, replace(OTHERS, args_s256="of other arguments"))
    for number, state in enumerate(State):
        tx.add(v.call(number, state, arguments=ARGUMENTS, challenge_id=CHALLENGE.challenge_id))
    tx.add(v.call("over MCP", State.SUCCEEDED, page_jkt=None, arguments=ARGUMENTS, match_key=v.digest("MCP")))
    tx.append(v.entry(), NOW)


def spelled(text: str) -> Iterator[bytes]:
    """Spell a word in each way in which it might lie in a file, with the digests that whoever guesses it can make."""
    raw = text.encode()
    escaped = json.dumps(text)[1:-1].encode()
    for each in (raw, hashlib.sha256(raw).digest(), hashlib.blake2b(raw, digest_size=8).digest()):
        yield from (each, each.hex().encode(), base64.urlsafe_b64encode(each).rstrip(b"="))
    yield from (escaped, hashlib.sha256(text.encode() + b"\n").digest())
    for before in (b"x", b"xx"):  # in the middle of what is written in base64
        yield base64.urlsafe_b64encode(before + raw)[4:-4]


def needles(keys: UserKeys) -> set[bytes]:
    """Return all that would tell of him."""
    assert CALL.match_key is not None
    words = [*WORDS, *(each for each in ARGUMENTS.values() if isinstance(each, str)), CALL.args_s256]
    found = {spelling for word in words for spelling in spelled(word)}
    for digest in (CALL.match_key, v.digest("MCP"), CHALLENGE.action_hash, CALL.salt, CHALLENGE.salt):
        found |= {digest, digest.hex().encode(), base64.urlsafe_b64encode(digest).rstrip(b"=")}
    vault = keys._found()
    assert vault is not None
    return found | {vault._digest(EXTERNAL)}  # whoever has the file of keys can make it


def rows(database: Path) -> Iterator[tuple[str, str, bytes]]:
    """Yield all that is sealed in a database: in which column, of which row, and what lies there."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro&immutable=0", uri=True)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            columns = [each[1] for each in connection.execute(f"PRAGMA table_info({table})")]
            key = next((each for each in columns if each.endswith("_id") or each == "digest"), columns[0])
            for column in {"sealed", "question"} & {*columns}:
                statement = f"SELECT {key}, {column} FROM {table} WHERE {column} IS NOT NULL"  # noqa: S608  # of our own
                yield from ((f"{table}.{column}", *row) for row in connection.execute(statement))


def all_keys(keys: UserKeys, users: set[UserId]) -> list[UserKey]:
    hours = [keys.until(NOW + ahead) for ahead in range(-HOUR, 3 * HOUR, HOUR)]
    return [key for key in [*map(keys.of, users), *hours] if key is not None]


def stolen(keys: UserKeys, *folders: Path) -> bytes:
    """Return every byte of every file, and all that any key opens, wherever it may have lain before."""
    found = [file.read_bytes() for folder in folders for file in sorted(folder.iterdir())]
    there = [row for folder in folders for row in rows(folder / "deputize.db")]
    for key in all_keys(keys, {USER.user_id, OTHER.user_id}):
        for column, row, sealed in there:
            try:
                found.append(key.open(sealed, about(column, row)))
            except ValueError:
                continue
    return b"\0".join(found)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    (tmp_path / "data").mkdir()
    KeyRing.open(tmp_path / "data" / "keys.json", new=True)
    with closing(SqliteStore(tmp_path / "data" / "deputize.db")) as store:
        do(store, live)
        yield store


def test_keep_3_with_all_that_is_left_nobody_finds_anything_of_who_is_forgotten(
    store: SqliteStore, tmp_path: Path
) -> None:
    keys, data, yesterday = store._keys, tmp_path / "data", tmp_path / "yesterday"
    yesterday.mkdir()
    copy_store(data, yesterday)
    (yesterday / "keys.json").write_bytes((data / "keys.json").read_bytes())
    sought = needles(keys)
    before = {needle for needle in sought if needle in stolen(keys, yesterday, data)}
    assert {word.encode() for word in WORDS} < before  # this finds him for as long as his key is there
    assert CALL.args_s256.encode() in before
    assert not any(word.encode() in file.read_bytes() for word in WORDS for file in data.iterdir())

    do(store, lambda tx: tx.hide(USER.user_id, LATER))
    while do(store, lambda tx: tx.forget(USER.user_id)):
        pass
    do(store, lambda tx: tx.sweep(LATER))
    keys.sweep(NOW + 2 * HOUR + OVER)  # with the hour in which he signed up
    assert asyncio.run(store.scrub())

    left = stolen(keys, yesterday, data)
    assert not {needle for needle in sought if needle in left}
    assert OTHER.name.encode() in left  # everybody else is there, and the thief does read them


def test_keep_5_yesterdays_data_beside_todays_keys_tell_nothing_and_allow_nothing(
    store: SqliteStore, tmp_path: Path
) -> None:
    yesterday = tmp_path / "yesterday"
    yesterday.mkdir()
    copy_store(tmp_path / "data", yesterday)
    store._keys.destroy(USER.user_id)
    for file in ("user-keys.db", "wrapping.json"):
        (yesterday / file).write_bytes((tmp_path / "data" / file).read_bytes())
    with closing(SqliteStore(yesterday / "deputize.db")) as put_back:
        told = repr(put_back.look(everything)[:-3])  # the last three are nobody's, of this hour
        assert put_back.look(lambda tx: tx.user(USER.user_id)) == replace(USER, name="", external_id=None)
    assert not any(word in told for word in WORDS)
    assert "ACTIVE" not in told
