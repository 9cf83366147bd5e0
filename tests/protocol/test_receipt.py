"""A receipt proves what is in it to whoever has the record's key, and nothing else (LOG-5, LOG-2, APPR-11)."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import orjson
import pytest

from deputize.protocol.canonical import Json, b64u, canonicalize
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.entry import commitment
from deputize.protocol.ids import UserId
from deputize.protocol.merkle import leaf_hash, root
from deputize.protocol.question import Asked, Question, Surface, Text
from deputize.protocol.receipt import Opening, Proven, Receipt
from deputize.protocol.tiles import Tree

ARGUMENTS: Json = {"amount": 250, "name": "Ada"}
SALT, OTHER = bytes(32), bytes([1]) * 32
ASKED = Asked(
    Question(
        {"tool": "pay"},
        UserId("usr_1"),
        1_800_000_000,
        Text("en", ("Send 250?",)),
        ("webauthn",),
        Surface.PAGE,
        1,
    ),
    SALT,
)


def leaf(index: int, **told: Json) -> bytes:
    return orjson.dumps({"i": index, "kind": "call.approved", **told}, option=orjson.OPT_SORT_KEYS)


LEAVES = [
    leaf(0),
    leaf(1, args_commitment=commitment(SALT, canonicalize(ARGUMENTS))),
    leaf(2, question_commitment=b64u(ASKED.question.commitment(SALT))),
    leaf(3),
    leaf(4),
]
HASHES = [leaf_hash(each) for each in LEAVES]
HEAD = Checkpoint("log.example", 5, root(HASHES))
TREE = Tree(5, lambda level, start, count: HASHES[start : start + count] if level == 0 else [])


def proven(index: int) -> Proven:
    return Proven(index, LEAVES[index], tuple(TREE.inclusion(index)))


RECEIPT = Receipt(
    "a note",
    (proven(1), proven(2)),
    Opening(ARGUMENTS, SALT),
    (ASKED,),
    ("the first hand-over", "the second"),
)


@pytest.mark.parametrize("left_out", [{}, {"opening": None}, {"questions": ()}, {"handovers": ()}], ids=str)
def test_it_is_read_as_it_was_written(left_out: dict[str, Any]) -> None:
    receipt = replace(RECEIPT, **left_out)
    written = receipt.to_json()
    assert Receipt.parse(orjson.loads(orjson.dumps(written))) == receipt
    assert not {*left_out} & {*written}


def test_what_the_checkpoint_covers_is_proven_and_all_else_is_named() -> None:
    assert Receipt("", tuple(map(proven, range(5)))).unproven(HEAD) == []
    good = proven(3)
    for wrong in (
        replace(good, leaf=leaf(3, forged=True)),
        replace(good, index=4),
        replace(good, index=4, leaf=LEAVES[4]),
        replace(good, leaf=leaf(4), proof=proven(4).proof),
        replace(good, proof=good.proof[:-1]),
        replace(good, proof=(*good.proof, bytes(32))),
    ):
        assert Receipt("", (proven(1), wrong)).unproven(HEAD) == [wrong.index]
    for other in (replace(HEAD, size=4), replace(HEAD, root=bytes(32))):
        assert Receipt("", (good,)).unproven(other) == [3]


def test_an_entry_that_is_genuine_and_tells_another_index_is_not_proven() -> None:
    lying = [*LEAVES[:3], leaf(2), LEAVES[4]]
    hashes = [leaf_hash(each) for each in lying]
    tree = Tree(5, lambda level, start, count: hashes[start : start + count] if level == 0 else [])
    third = Proven(3, lying[3], tuple(tree.inclusion(3)))
    assert Receipt("", (third,)).unproven(replace(HEAD, root=root(hashes))) == [3]


def test_an_opening_is_what_every_entry_commits_to_that_does() -> None:
    assert RECEIPT.opens()
    assert not replace(RECEIPT, opening=None).opens()
    assert not replace(RECEIPT, entries=(proven(2),)).opens()  # nothing here commits to any
    for opening in (Opening({"amount": 251, "name": "Ada"}, SALT), Opening(ARGUMENTS, OTHER)):
        assert not replace(RECEIPT, opening=opening).opens()
    another = Proven(5, leaf(5, args_commitment=commitment(OTHER, canonicalize(ARGUMENTS))), ())
    assert not replace(RECEIPT, entries=(proven(1), another)).opens()


def test_a_question_that_no_entry_commits_to_is_named() -> None:
    assert RECEIPT.unasked() == []
    for wrong in (replace(ASKED, salt=OTHER), replace(ASKED, question=replace(ASKED.question, until=1))):
        assert replace(RECEIPT, questions=(ASKED, wrong)).unasked() == [wrong]
    assert replace(RECEIPT, entries=(proven(1),)).unasked() == [ASKED]


def _without(name: str) -> Callable[[Any], object]:
    return lambda told: told.pop(name)


@pytest.mark.parametrize(
    "spoil",
    [
        *map(_without, ("v", "checkpoint", "entries")),
        lambda told: told.update({"v": 2}),
        lambda told: told.update({"checkpoint": 1}),
        lambda told: told.update({"entries": []}),
        lambda told: told.update({"entries": {}}),
        lambda told: told.update({"more": 1}),
        lambda told: told.update({"questions": {}}),
        lambda told: told.update({"handovers": "note"}),
        lambda told: told.update({"handovers": [1]}),
        lambda told: told.update({"opening": None}),
        lambda told: told.update({"opening": {"arguments": {}}}),
        lambda told: told.update({"opening": {"arguments": {}, "args_salt": 1}}),
        lambda told: told.update({"opening": {"arguments": {}, "args_salt": "", "more": 1}}),
        lambda told: told["entries"].append({}),
        lambda told: told["entries"][0].update(index="1"),
        lambda told: told["entries"][0].update(leaf="[]"),
        lambda told: told["entries"][0].update(leaf="{"),
        lambda told: told["entries"][0].update(proof=[1]),
        lambda told: told["entries"][0].update(proof=["?"]),
        lambda told: told["entries"][0].update(more=1),
        lambda told: told["questions"][0].update(salt=None),
        lambda told: told["questions"][0].update(more=1),
        lambda told: told["questions"][0].update(question={}),
    ],
)
def test_what_is_no_receipt(spoil: Callable[[Any], object]) -> None:
    told = deepcopy(RECEIPT.to_json())
    spoil(told)
    with pytest.raises(ValueError):  # noqa: PT011 # in the words of whichever part it is
        Receipt.parse(told)


@pytest.mark.parametrize("value", [None, [], "receipt", 1])
def test_what_is_no_object_is_no_receipt(value: Json) -> None:
    with pytest.raises(ValueError, match="not a receipt"):
        Receipt.parse(value)
