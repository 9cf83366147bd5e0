"""HEAD-4: what commands make of a newest checkpoint that only witnesses keep."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send
from tests.bank import POLICY
from typer.testing import CliRunner

from deputize.app import Deputize
from deputize.cli import app
from deputize.cli.witness import app_of
from deputize.cli.witnessing import Witness
from deputize.crypto.note import Verifier
from deputize.protocol.entry import Entry, Kind
from deputize.service.faults import PutBack
from deputize.store.sqlite import SqliteStore
from deputize.testing.server import Site

VAR = Path("var")


def told(*command: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, command)
    return result.exit_code, result.stdout + result.stderr


def served(entries: int = 0) -> None:
    """Start, record so much, and end."""
    site = Deputize("deputize.toml", "var")

    async def record() -> None:
        for _ in range(entries):
            await site.store.transact(lambda tx: tx.append(Entry(Kind.CALL_REFUSED, {}), 1))
        await site.aclose()

    asyncio.run(record())


class Keeping:
    """A witness, the site whose newest checkpoint it keeps, and a backup of four of its nine entries."""

    def __init__(self) -> None:
        Path("deputize.toml").write_text(POLICY)
        served()
        (VAR / "checkpoint").unlink()
        self.know(self.key())

    def key(self) -> str:
        return told("log", "key")[1].strip()

    def know(self, *keys: str) -> None:
        self.witness = Witness("w.example/1", Path("w"), map(Verifier.parse, keys))
        self.app = app_of(self.witness)

    def name(self, url: str) -> None:
        key = self.witness.verifier.vkey()
        more = f'[record]\nhead = "witnesses"\n[[record.witnesses]]\nkey = "{key}"\nurl = "{url}"\n'
        Path("deputize.toml").write_text(POLICY + more)


@pytest.fixture
def keeping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keeping]:
    monkeypatch.chdir(tmp_path)
    keeping = Keeping()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await keeping.app(scope, receive, send)

    with Site(lambda _: answer) as site:
        keeping.name(site.url)
        served(4)
        assert told("backup", "copy")[0] == 0
        served(5)
        yield keeping


@pytest.mark.usefixtures("keeping")
def test_the_record_is_compared_with_what_they_show() -> None:
    assert told("log", "verify")[1].endswith(
        "It goes on from the 9 entries of the newest checkpoint that its witnesses show.\n"
    )
    shutil.copy("copy/deputize.db", VAR)
    code, said = told("log", "verify")
    assert (code, "the newest checkpoint that its witnesses show is of 9 entries" in said) == (1, True)


def test_one_that_shows_nothing_leaves_it_unknown_to_verify_and_is_asked_by_restore(keeping: Keeping) -> None:
    keeping.app.routes.pop()  # what shows
    code, said = told("log", "verify")
    assert (code, "is not known: its witnesses show no checkpoint of this record" in said) == (0, True)
    assert told("restore") == (
        0,
        "Nothing is missing here: the database goes on from its newest checkpoint.\n",
    )
    shutil.copy("copy/deputize.db", VAR)
    code, said = told("restore")
    assert (code, "it has seen 9 entries of this record, which has 4 now" in said) == (1, True)


def test_restore_2_going_back_says_that_they_have_to_forget_and_they_do(keeping: Keeping) -> None:
    code, said = told("restore", "copy")
    assert (code, "has 4 entries where 9 were recorded" in said) == (1, True)
    code, said = told("restore", "copy", "--accept-rollback")
    assert (code, "have each witness forget this record" in said) == (0, True)
    with pytest.raises(PutBack):
        served()
    shutil.rmtree("w")
    keeping.know(keeping.key())
    keeping.name(next(line for line in Path("deputize.toml").read_text().splitlines() if "url" in line)[7:-1])
    served(1)


def test_log_12_they_are_asked_before_the_key_is_handed_over_and_need_both(keeping: Keeping) -> None:
    old, knowing = keeping.key(), keeping.app
    keeping.app = app_of(Witness("w.example/2", Path("x"), []))
    code, said = told("keys", "rotate", "record")
    assert (code, "too few witnesses say" in said, keeping.key()) == (1, True, old)
    keeping.app = knowing
    assert told("keys", "rotate", "record")[0] == 0
    with pytest.raises(PutBack, match="it does not know the key of this record"):
        served()
    keeping.know(old, keeping.key())
    served(1)
    with closing(SqliteStore(VAR / "deputize.db")) as store:
        assert store.look(lambda tx: tx.head()).size == 11


def test_log_12_what_a_crash_leaves_untold_is_told_the_next_time(
    keeping: Keeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(BaseException):
        pass

    def crash(*_: object) -> None:
        raise Crash

    old = keeping.key()
    with monkeypatch.context() as patched:
        patched.setattr(SqliteStore, "transact", crash)
        with pytest.raises(Crash):
            CliRunner().invoke(app, ["keys", "rotate", "record"], catch_exceptions=False)
    new = keeping.key()
    assert new != old
    with pytest.raises(PutBack, match="give `deputize keys rotate record` again"):
        served()
    assert told("keys", "rotate", "record")[0] == 0
    assert keeping.key() == new
    keeping.know(old, new)
    served(1)
