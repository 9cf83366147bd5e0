"""HEAD-4: where only witnesses keep the newest checkpoint, enough of them have to say that nothing is missing."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.bank import POLICY

from deputize.authority.head_at_witnesses import AtWitnesses, WitnessedHead
from deputize.cli.witness import app_of
from deputize.cli.witnessing import Witness
from deputize.crypto.keys import KeyRing
from deputize.crypto.note import Verifier, sign
from deputize.crypto.succession import hand_over
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.entry import Entry, Kind
from deputize.protocol.policy import Policy
from deputize.service.faults import PutBack
from deputize.settings import loads
from deputize.store.copying import copy
from deputize.store.sqlite import SqliteStore
from deputize.testing.server import Site

NOBODY = Starlette()


class Place:
    """Where three witnesses answer, each below a path of its own: what stands there can be changed."""

    def __init__(self) -> None:
        self.apps: list[ASGIApp] = [NOBODY] * 3
        self.url = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        number, _, path = scope["path"][1:].partition("/")
        await self.apps[int(number)]({**scope, "path": f"/{path}", "root_path": ""}, receive, send)


@pytest.fixture(scope="module")
def served() -> Iterator[Place]:
    place = Place()
    with Site(lambda _: place) as site:
        place.url = site.url
        yield place


class Bank:
    """A site whose three witnesses keep its newest checkpoint, of whom two have to."""

    def __init__(self, folder: Path, place: Place) -> None:
        self.folder, self.place = folder, place
        self.data = folder / "var"
        self.data.mkdir()
        self.keys = KeyRing.open(self.data / "keys.json")
        self.notes: list[dict[str, Any]] = []
        self.witnesses = [Witness(f"w.example/{n}", folder / f"w{n}", [self.key()]) for n in range(3)]
        place.apps[:] = [app_of(each) for each in self.witnesses]
        text = POLICY + '[record]\nhead = "witnesses"\nquorum = 2\n'
        for number, each in enumerate(self.witnesses):
            text += f'[[record.witnesses]]\nkey = "{each.verifier.vkey()}"\nurl = "{place.url}/{number}"\n'
        self.policy: Policy = loads(text.encode())

    @property
    def origin(self) -> str:
        return self.policy.site.record_origin

    def key(self) -> Verifier:
        return Verifier(loads(POLICY.encode()).site.record_origin, self.keys.record_key().public_key())

    def started(self, data: Path | None = None, **how: bool) -> tuple[WitnessedHead, SqliteStore]:
        store = SqliteStore((data or self.data) / "deputize.db")
        head = WitnessedHead(
            AtWitnesses(self.policy, self.keys), store, lambda event, **facts: self.notes.append(facts)
        )
        try:
            head.start(**how)
        except BaseException:
            store.close()
            raise
        return head, store

    def again(self, **how: bool) -> WitnessedHead:
        """Start, and stop as after kill -9."""
        head, store = self.started(None, **how)
        store.close()
        return head

    def served(self, entries: int) -> None:
        """Start, record so much, and end."""
        head, store = self.started()
        add(store, entries)
        asyncio.run(head.end())
        store.close()

    def put_back(self, to: Path) -> None:
        shutil.copy(to, self.data / "deputize.db")


def add(store: SqliteStore, entries: int) -> None:
    async def append() -> None:
        for _ in range(entries):
            await store.transact(lambda tx: tx.append(Entry(Kind.CALL_REFUSED, {}), 1))

    asyncio.run(append())


@pytest.fixture
def bank(tmp_path: Path, served: Place) -> Bank:
    return Bank(tmp_path, served)


@pytest.fixture
def older(bank: Bank) -> Path:
    """A copy of four entries, of a record that has gone on to nine."""
    bank.served(4)
    copy(bank.data / "deputize.db", bank.folder / "older.db")
    bank.served(5)
    return bank.folder / "older.db"


def silent(witness: Witness) -> ASGIApp:
    """A witness that shows nothing, and answers what C2SP tlog-witness wants of each."""
    return Starlette(routes=app_of(witness).routes[:1])


def test_what_was_recorded_last_is_known_elsewhere_when_it_ends(bank: Bank) -> None:
    bank.served(3)
    shown = bank.witnesses[0].newest(sha256(bank.origin.encode()).hexdigest()) or ""
    assert shown.split("\n")[1] == "3"
    assert bank.again().fault is None


@pytest.mark.parametrize("more", [0, 7])
def test_an_older_copy_is_refused_whatever_was_added_to_it(bank: Bank, older: Path, more: int) -> None:
    bank.put_back(older)
    with closing(SqliteStore(bank.data / "deputize.db")) as store:
        add(store, more)
    what = "are not those that were recorded" if more else "has 4 entries where 9 were recorded"
    for how in ({}, {"new": True}):  # the flag is for witnesses that do not answer
        with pytest.raises(PutBack, match=rf"{what}.*have each witness forget this record"):
            bank.again(**how)


def test_it_is_refused_by_witnesses_that_show_nothing_but_for_the_flag(bank: Bank, older: Path) -> None:
    bank.place.apps[:] = map(silent, bank.witnesses)
    bank.put_back(older)
    told = r"is missing \(0, where 2 have to\): .* it has seen 9 entries of this record, which has 4"
    with pytest.raises(PutBack, match=rf"{told}.* by --new-head"):
        bank.again()
    head = bank.again(new=True)
    assert head.fault is not None
    assert bank.notes == [{"fault": head.fault}]


def test_one_witness_that_shows_more_is_enough(bank: Bank, older: Path) -> None:
    bank.place.apps[:] = [NOBODY, app_of(bank.witnesses[1]), NOBODY]
    bank.put_back(older)
    with pytest.raises(PutBack, match="has 4 entries where 9 were recorded"):
        bank.again(new=True)


async def claims(request: Request) -> PlainTextResponse:
    return PlainTextResponse("999\n", 409)


LIAR = Starlette(routes=[Route("/add-checkpoint", claims, methods=["POST"])])


@pytest.mark.parametrize("third", [NOBODY, LIAR], ids=["one is away", "one lies"])
def test_one_of_three_stops_nobody(bank: Bank, third: ASGIApp) -> None:
    bank.served(4)
    bank.place.apps[2] = third
    assert bank.again().fault is None


@pytest.mark.parametrize("others", [NOBODY, LIAR], ids=["away", "lying"])
def test_too_few_who_say_so_are_no_start_but_for_the_flag(bank: Bank, others: ASGIApp) -> None:
    bank.served(4)
    bank.place.apps[1:] = [others, others]
    with pytest.raises(PutBack, match=r"\(1, where 2 have to\): the witness at "):
        bank.again()
    assert bank.again(new=True).fault is not None


def test_what_another_key_has_signed_counts_nothing(bank: Bank) -> None:
    bank.served(4)
    forged = sign(Checkpoint(bank.origin, 99, bytes(32)).body(), bank.origin, Ed25519PrivateKey.generate())

    async def shows(request: Request) -> PlainTextResponse:
        return PlainTextResponse(forged)

    bank.place.apps[2] = Starlette(routes=[Route("/{hashed}/checkpoint", shows)])
    assert bank.again().fault is None


def test_a_new_record_begins_before_its_witnesses_know_its_key_and_goes_on_when_they_do(bank: Bank) -> None:
    knowing = bank.place.apps[:]
    bank.place.apps[:] = [app_of(Witness(f"w.example/{n}", bank.folder / f"x{n}", [])) for n in range(3)]
    head, store = bank.started()
    add(store, 1)
    store.close()
    assert head.fault is None
    with pytest.raises(PutBack, match="it answers 404"):
        bank.again()
    bank.place.apps[:] = knowing
    assert bank.again().fault is None


def test_a_new_record_under_the_name_of_one_that_they_have_seen_is_refused(bank: Bank, older: Path) -> None:
    for app in (app_of, silent):
        bank.place.apps[:] = map(app, bank.witnesses)
        (bank.data / "deputize.db").unlink()
        with pytest.raises(PutBack, match=r"0 entries where 9 were|which has 0 now"):
            bank.again(anew=True)


def test_of_two_nodes_the_one_that_is_old_stops_and_the_other_goes_on(bank: Bank) -> None:
    newest, store = bank.started()
    add(store, 4)
    (bank.folder / "old").mkdir()
    copy(bank.data / "deputize.db", bank.folder / "old" / "deputize.db")
    old, its_store = bank.started(bank.folder / "old")
    add(store, 5)
    asyncio.run(newest._at.compare(store))
    for head in (newest, old):
        asyncio.run(head.witnessed(9, 1, 2))
    assert newest.gone is None
    assert "has 4 entries where 9 were recorded" in str(old.gone)
    assert bank.notes == [{"fault": old.gone}]
    asyncio.run(newest.witnessed(9, 2, 2))
    assert newest.fault is None
    asked: list[str] = []

    async def heard(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["path"])
        await NOBODY(scope, receive, send)

    bank.place.apps[:] = [heard] * 3
    add(its_store, 1)
    asyncio.run(old.end())
    assert asked == []  # of what was put back nothing more is to be cosigned
    add(store, 1)
    asyncio.run(newest.end())
    assert asked
    store.close()
    its_store.close()


def test_log_12_a_key_signs_nothing_before_the_record_tells_that_it_was_handed_over(bank: Bank) -> None:
    bank.served(4)
    with closing(SqliteStore(bank.data / "deputize.db")) as store:
        head = store.look(lambda tx: tx.head())
    last = Checkpoint(bank.origin, head.size, head.root())
    bank.keys.hand_over(lambda old, new: hand_over(last, old, new))
    with pytest.raises(PutBack, match="give `deputize keys rotate record` again"):
        bank.again()
