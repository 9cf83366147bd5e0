"""LOG-10: why a witness has not cosigned is told to the owner, and what it says is believed by its key only."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deputize.authority import witnesses
from deputize.authority.witnesses import Witnesses
from deputize.cli.witness import app_of
from deputize.cli.witnessing import Witness
from deputize.crypto.note import Verifier, cosign, sign, signers
from deputize.protocol import policy
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.merkle import leaf_hash, root
from deputize.protocol.tiles import Tree
from deputize.service.record import Signed
from deputize.testing.server import Site

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
LOG = Verifier("log.example", KEY.public_key())
LEAVES = [leaf_hash(bytes([n])) for n in range(20)]


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness("w.example/1", tmp_path / "w", [LOG])


def body(size: int, leaves: Sequence[bytes] = LEAVES) -> str:
    return Checkpoint("log.example", size, root(leaves[:size])).body()


def cosigned(asking: Witnesses, size: int, leaves: list[bytes] = LEAVES) -> Signed:
    tree = Tree(size, lambda level, start, count: leaves[start : start + count] if level == 0 else [])

    async def prove(old: int) -> list[bytes]:
        return tree.consistency(old)

    return asyncio.run(asking.cosign(Signed(size, sign(body(size, leaves), "log.example", KEY)), prove))


def asking(witness: Witness, url: str) -> Witnesses:
    return Witnesses((policy.Witness(witness.verifier.vkey(), url),))


def test_it_is_asked_from_what_it_has_seen_and_learns_of_that_once(witness: Witness) -> None:
    with Site(lambda _: app_of(witness)) as site:
        first, again = asking(witness, site.url), asking(witness, site.url)
        for each, size in ((first, 5), (first, 9), (again, 12), (first, 15)):
            note = cosigned(each, size).note
            assert signers(note, [LOG, witness.verifier])[1] == [LOG, witness.verifier]
            assert (each.faults, each.seen) == ((), {site.url: size})


def test_a_record_that_was_put_back_or_made_anew_is_told(witness: Witness) -> None:
    with Site(lambda _: app_of(witness)) as site:
        cosigned(asking(witness, site.url), 12)
        for known in (asking(witness, site.url), Witnesses(asking(witness, site.url).named, {site.url: 12})):
            assert signers(cosigned(known, 9).note, [witness.verifier])[1] == []
            assert known.faults == (
                f"the witness at {site.url} has not cosigned: it has seen 12 entries of this record, which has 9 now",
            )
        other = asking(witness, site.url)
        cosigned(other, 14, LEAVES[::-1])
        assert "this is not the record that it has seen before" in other.faults[0]


@pytest.mark.parametrize(
    ("status", "answer", "fault"),
    [
        (200, "", "its answer has no cosignature by its key"),
        (200, "\u2014 w.example/1 AAAA\n", "its answer has no cosignature by its key"),
        (200, "x" * 20_000, "its answer is too long"),
        (404, "", "it answers 404"),
        (302, "", "it answers 302"),
        (409, "many", "it does not say what it has seen"),
        (409, "9" * 30, "it does not say what it has seen"),
        (409, "3\n", "it answers 409"),
    ],
)
def test_what_is_no_answer_is_told_and_leaves_the_checkpoint_as_it_is(
    witness: Witness, status: int, answer: str, fault: str
) -> None:
    async def add(request: Request) -> Response:
        return Response(answer, status, {"location": "/add-checkpoint"})

    app = Starlette(routes=[Route("/add-checkpoint", add, methods=["POST"])])
    with Site(lambda _: app) as site:
        asked = asking(witness, site.url)
        signed = cosigned(asked, 9)
    assert signed.note == sign(body(9), "log.example", KEY)
    assert asked.faults == (f"the witness at {site.url} has not cosigned: {fault}",)


def test_only_its_own_line_of_an_answer_counts(witness: Witness) -> None:
    other = cosign(body(9), 1, "other.example", KEY)

    async def add(request: Request) -> Response:
        return Response(other + witness.add(await request.body(), 1).text)

    with Site(lambda _: Starlette(routes=[Route("/add-checkpoint", add, methods=["POST"])])) as site:
        note = cosigned(asking(witness, site.url), 9).note
    assert "other.example" not in note
    assert signers(note, [witness.verifier])[1] == [witness.verifier]


def test_one_that_is_not_there_or_says_nothing_holds_up_no_other(
    witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witnesses, "PATIENCE", 0.3)

    async def silent(request: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError

    with (
        Site(lambda _: app_of(witness)) as site,
        Site(lambda _: Starlette(routes=[Route("/add-checkpoint", silent, methods=["POST"])])) as mute,
    ):
        key = witness.verifier.vkey()
        urls = ("http://localhost:1", mute.url, site.url)
        asked = Witnesses(tuple(policy.Witness(key, url) for url in urls))
        signed = cosigned(asked, 9)
    assert signers(signed.note, [witness.verifier])[1] == [witness.verifier]
    assert [fault.split()[3] for fault in asked.faults] == list(urls[:2])
