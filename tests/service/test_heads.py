"""A database that is behind the newest checkpoint that has left it, or that is another one, is told (HEAD-2)."""

from typing import Any

import pytest
from tests.service.kit import Desk

from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.entry import Entry, Kind
from deputize.protocol.merkle import EMPTY_ROOT
from deputize.service.heads import gone, judged


def head(desk: Desk) -> Checkpoint:
    frontier = desk.store.look(lambda tx: tx.head())
    return Checkpoint("bank.example/deputize", frontier.size, frontier.root())


def add(desk: Desk, entries: int) -> None:
    for _ in range(entries):
        desk.do(lambda tx: tx.append(Entry(Kind.CALL_REFUSED, {}), desk.now))


def said(desk: Desk, newest: Checkpoint) -> Any:
    return desk.store.look(lambda tx: gone(tx, newest))


@pytest.mark.parametrize("more", [0, 1, 300])
def test_what_goes_on_from_its_checkpoint_is_right(desk: Desk, more: int) -> None:
    add(desk, 5)
    newest = head(desk)
    add(desk, more)
    assert said(desk, newest) is None
    assert desk.store.look(lambda tx: judged(tx, newest)) == (desk.store.look(lambda tx: tx.head()), None)


def test_an_older_copy_is_told_with_what_is_missing(desk: Desk) -> None:
    add(desk, 3)
    there = head(desk)
    newest = Checkpoint(there.origin, there.size + 8, there.root)
    assert said(desk, newest) == (
        f"the database has {there.size} entries where {there.size + 8} were recorded: it is an older copy"
    )


def test_one_that_is_as_long_and_another_is_told(desk: Desk) -> None:
    add(desk, 3)
    there = head(desk)
    add(desk, 2)
    other = Checkpoint(there.origin, there.size, EMPTY_ROOT)
    assert (
        said(desk, other)
        == f"the first {there.size} entries of the database are not those that were recorded"
    )
