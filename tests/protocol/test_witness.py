"""LOG-10: what a witness is asked, in the words of tlog-witness, and when it refuses."""

import pytest

from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.merkle import EMPTY_ROOT, leaf_hash, root
from deputize.protocol.tiles import Tree
from deputize.protocol.witness import AddCheckpoint, refusal

SPECIFIED = (
    "old 20852014\n"
    "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
    "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
    "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n"
    "/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n"
    "\n"
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhc"
    "yv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "\u2014 example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/"
    "V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=\n"
)
LEAVES = [leaf_hash(bytes([n])) for n in range(20)]


def test_the_example_of_the_specification_is_read_and_written() -> None:
    asked = AddCheckpoint.parse(SPECIFIED)
    assert (asked.old, len(asked.proof)) == (20852014, 4)
    assert asked.note.startswith("example.com/behind-the-sofa\n20852163\n")
    assert asked.text() == SPECIFIED


HASH = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"


@pytest.mark.parametrize("proof", [0, 1, 63])
def test_as_many_hashes_as_there_may_be(proof: int) -> None:
    assert len(AddCheckpoint.parse(f"old 0\n{HASH * proof}\nx").proof) == proof


@pytest.mark.parametrize(
    "text",
    [
        "",
        "old 0\n",
        "old 0\nx",
        "old 00\n\nx",
        "old -1\n\nx",
        "old  0\n\nx",
        "Old 0\n\nx",
        "\n\nx",
        "old 0\r\n\r\nx",
        f"old 0\n{HASH * 64}\nx",
        f"old 0\n{HASH[:-2]}\n\nx",
        f"old 0\n{HASH.replace('kaw=', 'kax=')}\nx",
        "old 0\nAAAA\n\nx",
        f"old 0\n {HASH}\nx",
    ],
)
def test_no_other_text_is_such_a_request(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # of base64, or of ours
        AddCheckpoint.parse(text)


def of(size: int, leaves: list[bytes] = LEAVES) -> Checkpoint:
    return Checkpoint("x", size, root(leaves[:size]))


def proof(old: int, size: int) -> tuple[bytes, ...]:
    tree = Tree(size, lambda level, start, count: LEAVES[start : start + count] if level == 0 else [])
    return tuple(tree.consistency(old))


FORKED = [*LEAVES[:3], *LEAVES[10:]]


@pytest.mark.parametrize(
    ("old", "hashes", "new", "latest", "status"),
    [
        (0, (), of(9), None, None),
        (0, (), of(0), None, None),
        (5, proof(5, 9), of(9), of(5), None),
        (8, proof(8, 9), of(9), of(8), None),
        (9, (), of(9), of(9), None),
        (0, (), of(9), of(0), None),
        (10, (), of(9), of(9), 400),
        (5, proof(5, 9), of(9), of(6), 409),
        (5, proof(5, 9), of(9), None, 409),
        (0, (), of(9), of(9), 409),
        (0, (LEAVES[0],), of(9), None, 422),
        (0, (), Checkpoint("x", 0, bytes(32)), None, 422),
        (5, proof(5, 9)[:-1], of(9), of(5), 422),
        (5, proof(6, 9), of(9), of(5), 422),
        (9, (LEAVES[0],), of(9), of(9), 422),
        (9, (), of(9, FORKED), of(9), 422),
        (5, proof(5, 9), of(9, FORKED), of(5), 422),
        (5, proof(5, 9), of(9), of(5, FORKED), 422),
    ],
)
def test_a_witness_refuses_as_the_specification_numbers_it(
    old: int, hashes: tuple[bytes, ...], new: Checkpoint, latest: Checkpoint | None, status: int | None
) -> None:
    assert refusal(AddCheckpoint(old, hashes, "x"), new, latest) == status


def test_the_empty_tree_has_one_root() -> None:
    assert of(0).root == EMPTY_ROOT
