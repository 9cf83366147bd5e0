"""LOG-10: a witness keeps one history of each log, and who follows a record can want cosignatures."""

import asyncio
import hashlib
import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tests.bank import POLICY, mounted
from typer.testing import CliRunner

from deputize.app import Deputize
from deputize.cli import app
from deputize.cli.witness import app_of
from deputize.cli.witnessing import Answer, Witness
from deputize.crypto.note import Verifier, sign, signers
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.entry import Entry
from deputize.protocol.merkle import leaf_hash, root
from deputize.protocol.tiles import Tree
from deputize.protocol.witness import AddCheckpoint
from deputize.service.ports import Tx
from deputize.settings import loads
from deputize.store.sqlite import SqliteStore
from deputize.testing.forging import remake
from deputize.testing.server import Site

run = CliRunner().invoke
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
LOG = Verifier("log.example", KEY.public_key())
LEAVES = [leaf_hash(bytes([n])) for n in range(20)]
NOW = 1_800_000_000


def note(
    size: int, key: Ed25519PrivateKey = KEY, origin: str = "log.example", leaves: list[bytes] = LEAVES
) -> str:
    return sign(Checkpoint(origin, size, root(leaves[:size])).body(), origin, key)


def asked(old: int, size: int, text: str = "") -> bytes:
    tree = Tree(size, lambda level, start, count: LEAVES[start : start + count] if level == 0 else [])
    return AddCheckpoint(old, tuple(tree.consistency(old)), text or note(size)).text().encode()


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness("w.example/1", tmp_path / "witnessed", [LOG])


def test_what_continues_is_cosigned_and_outlives_the_process(witness: Witness, tmp_path: Path) -> None:
    for old, size in ((0, 5), (5, 5), (5, 12)):
        assert witness.add(asked(old, size), NOW).status == 200
    answer = witness.add(asked(12, 12), NOW)
    assert signers(note(12) + answer.text, [witness.verifier])[1] == [witness.verifier]
    again = Witness("w.example/1", tmp_path / "witnessed", [LOG])
    assert again.verifier == witness.verifier
    assert again.add(asked(5, 13), NOW) == Answer(409, "12\n")
    assert again.newest(hashlib.sha256(b"log.example").hexdigest()) == note(12) + answer.text
    assert again.newest("witness.key") is None
    assert (tmp_path / "witnessed/witness.key").stat().st_mode & 0o077 == 0


def test_a_second_history_is_refused_and_nothing_is_forgotten(witness: Witness) -> None:
    assert witness.add(asked(0, 9), NOW).status == 200
    forked = note(9, leaves=LEAVES[::-1])
    assert witness.add(AddCheckpoint(9, (), forked).text().encode(), NOW).status == 422
    longer = note(12, leaves=LEAVES[::-1])
    assert witness.add(asked(9, 12, longer), NOW).status == 422
    assert witness.add(AddCheckpoint(0, (), forked).text().encode(), NOW) == Answer(409, "9\n")
    assert witness.add(AddCheckpoint(9, (), note(5)).text().encode(), NOW).status == 400
    assert witness.add(asked(9, 12), NOW).status == 200


def test_log_12_a_witness_that_has_both_keys_goes_on_after_a_hand_over(tmp_path: Path) -> None:
    new = Ed25519PrivateKey.generate()
    after = asked(9, 12, note(12, new))
    for keys, status in (([LOG], 403), ([LOG, Verifier("log.example", new.public_key())], 200)):
        witness = Witness("w.example/1", tmp_path / "witnessed", keys)
        witness.add(asked(0, 9), NOW)
        assert witness.add(after, NOW).status == status


def test_only_checkpoints_of_known_logs_by_their_keys_are_looked_at(witness: Witness) -> None:
    other = Ed25519PrivateKey.generate()
    bad = note(9).replace("\n9\n", "\n8\n")
    for body, status in (
        (b"\xff", 400),
        (b"old 0\n\n", 404),
        (asked(0, 9, note(9, origin="other.example")), 404),
        (asked(0, 9, note(9, other)), 403),
        (asked(0, 9, bad), 403),
        (asked(0, 9, sign("log.example\n9\n", "log.example", KEY)), 400),
    ):
        assert witness.add(body, NOW).status == status
    assert witness.newest(hashlib.sha256(b"log.example").hexdigest()) is None


def test_what_a_stranger_adds_to_a_genuine_note_is_not_kept(witness: Witness, tmp_path: Path) -> None:
    forged = "".join(f"\u2014 log.example {b64encode(bytes([n]) * 68).decode()}\n" for n in range(99))
    line = witness.add(asked(0, 9, note(9) + forged), NOW).text
    assert witness.newest(hashlib.sha256(b"log.example").hexdigest()) == note(9) + line
    assert witness.add(asked(9, 12), NOW).status == 200


def test_it_speaks_http_as_specified(witness: Witness) -> None:
    with Site(lambda _: app_of(witness)) as site:
        hashed = hashlib.sha256(b"log.example").hexdigest()
        assert httpx2.get(f"{site.url}/{hashed}/checkpoint").status_code == 404
        added = httpx2.post(f"{site.url}/add-checkpoint", content=asked(0, 7))
        conflict = httpx2.post(f"{site.url}/add-checkpoint", content=asked(0, 7))
        newest = httpx2.get(f"{site.url}/{hashed}/checkpoint")
        long = httpx2.post(f"{site.url}/add-checkpoint", content=b"x" * 65_537)
    assert added.status_code == 200
    assert added.text.startswith("\u2014 w.example/1 ")
    assert (conflict.status_code, conflict.text) == (409, "7\n")
    assert conflict.headers["content-type"] == "text/x.tlog.size"
    assert newest.text == note(7) + added.text
    assert long.status_code == 413


def test_the_command_tells_the_key_and_wants_logs_to_serve(tmp_path: Path) -> None:
    kept = ("--name", "w.example/1", "--keep", str(tmp_path / "w"))
    first, second = (run(app, ["witness", *kept]) for _ in "12")
    assert first.exit_code == 0
    assert first.stdout == second.stdout
    assert first.stdout.startswith("w.example/1+")
    for options, told in (
        (("--serve",), "say whose records"),
        (("--log", "x"), "--log is not a record's key"),
        (("--name", "a b"), "has a space or a plus"),
    ):
        result = run(app, ["witness", *kept, *options])
        assert (result.exit_code, told in result.stderr) == (2, True)
    (tmp_path / "w/witness.key").write_bytes(b"?")
    assert run(app, ["witness", *kept]).exit_code == 2


# A site that has witnesses


@contextmanager
def bank(*witnesses: tuple[str, str], quorum: int | None = None) -> Iterator[str]:
    text = POLICY + "[record]\n" + ("" if quorum is None else f"quorum = {quorum}\n")
    text += "".join(f'[[record.witnesses]]\nkey = "{key}"\nurl = "{url}"\n' for key, url in witnesses)
    Path("deputize.toml").write_text(text)
    with Site(lambda _: mounted(Deputize(loads(text.encode()), Path("var"), new_head=True))) as site:
        yield f"{site.url}/deputize"


def key() -> str:
    return run(app, ["log", "key"]).output.strip()


def follow(issuer: str, *options: str) -> tuple[int, str]:
    result = run(app, ["log", "follow", issuer, "--key", key(), "--once", *options])
    return result.exit_code, result.stdout + result.stderr


def add(number: int) -> None:
    def append(tx: Tx) -> None:
        for _ in range(number):
            tx.append(Entry("call.approved", {"call_id": "cal_x"}), NOW)

    with closing(SqliteStore(Path("var/deputize.db"))) as store:
        asyncio.run(store.transact(append))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with bank():
        pass
    add(9)


@pytest.mark.usefixtures("here")
def test_checkpoints_and_receipts_are_cosigned_and_who_checks_can_want_that(tmp_path: Path) -> None:
    known = Verifier.parse(key())
    one, two = (Witness(f"w.example/{n}", tmp_path / f"w{n}", [known]) for n in "12")
    with Site(lambda _: app_of(one)) as first, Site(lambda _: app_of(two)) as second:
        named = ((one.verifier.vkey(), first.url), (two.verifier.vkey(), second.url))
        with bank(*named) as issuer:
            text = httpx2.get(f"{issuer}/log/checkpoint").text
            assert signers(text, [known, one.verifier, two.verifier])[1] == [
                known,
                one.verifier,
                two.verifier,
            ]
            wanted = run(app, ["log", "witnesses"]).stdout.split()
            assert wanted == ["--witness", named[0][0], "--witness", named[1][0], "--quorum", "2"]
            assert follow(issuer, *wanted)[0] == 0
        add(4)  # to a proof from what they have seen
        with bank(*named) as issuer:
            assert follow(issuer, *wanted) == (0, "13 entries, 4 of them new: it only grew.\n")
    Path("receipt").write_text(run(app, ["log", "receipt", "cal_x"]).stdout)
    assert json.loads(Path("receipt").read_text())["checkpoint"].count("\u2014") == 3
    assert run(app, ["log", "check", "receipt", "--key", key(), *wanted]).exit_code == 0
    assert run(app, ["log", "verify"]).exit_code == 0
    add(1)
    Path("receipt").write_text(run(app, ["log", "receipt", "cal_x"]).stdout)
    result = run(app, ["log", "check", "receipt", "--key", key(), *wanted])
    assert (result.exit_code, "fewer than 2 of the witnesses have cosigned" in result.stderr) == (1, True)


@pytest.mark.usefixtures("here")
def test_a_cosignature_that_is_withheld_is_missed_by_who_wants_it_and_by_nobody_else(tmp_path: Path) -> None:
    one = Witness("w.example/1", tmp_path / "w1", [Verifier.parse(key())])
    with Site(lambda _: app_of(one)) as there:
        gone = there.url
        with bank((one.verifier.vkey(), there.url)) as issuer:
            assert follow(issuer, "--witness", one.verifier.vkey())[0] == 0
    add(1)
    with bank((one.verifier.vkey(), gone)) as issuer:
        code, told = follow(issuer, "--witness", one.verifier.vkey())
        assert (code, "is not cosigned by w.example/1" in told) == (2, True)
        assert follow(issuer) == (0, "10 entries, 1 of them new: it only grew.\n")


@pytest.mark.usefixtures("here")
def test_a_history_that_was_made_anew_gets_no_cosignature(tmp_path: Path) -> None:
    one = Witness("w.example/1", tmp_path / "w1", [Verifier.parse(key())])
    with Site(lambda _: app_of(one)) as there:
        named = one.verifier.vkey(), there.url
        with bank(named) as issuer:
            httpx2.get(f"{issuer}/log/checkpoint")
        remake(Path("var"), lambda leaves: [])
        add(12)
        with bank(named) as issuer:
            code, told = follow(issuer, "--witness", one.verifier.vkey())
    assert (code, "is not cosigned by w.example/1" in told) == (2, True)


@pytest.mark.usefixtures("here")
def test_no_decision_waits_for_a_witness_that_does_not_answer() -> None:
    """What needs a checkpoint waits; what decides, and is durable, does not."""
    reached, let_go = Event(), Event()

    async def hang(request: Request) -> Response:
        reached.set()
        await asyncio.to_thread(let_go.wait, 30)
        return Response(status_code=500)

    silent = Starlette(routes=[Route("/add-checkpoint", hang, methods=["POST"])])
    vkey = Witness("w.example/1", Path("w1"), []).verifier.vkey()
    with Site(lambda _: silent) as there, bank((vkey, there.url)) as issuer, httpx2.Client() as http:
        asking = http.build_request("GET", f"{issuer}/log/checkpoint")

        async def both() -> tuple[int, bool, int]:
            async with httpx2.AsyncClient(timeout=30) as client:
                checkpoint = asyncio.create_task(client.send(asking))
                await asyncio.to_thread(reached.wait, 30)
                sign_up = await client.post(
                    f"{issuer}/account/sign-up",
                    json={"name": "Ada"},
                    headers={"origin": "https://bank.example"},
                )
                waits = not checkpoint.done()
                let_go.set()
                return sign_up.status_code, waits, (await checkpoint).status_code

        assert asyncio.run(both()) == (200, True, 200)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--witness", "x"), "--witness is not the key of a witness"),
        (("--quorum", "1"), "--quorum is 1, more than the witnesses, who are 0"),
    ],
)
def test_what_cannot_be_wanted_is_refused(options: tuple[str, ...], told: str) -> None:
    result = run(app, ["log", "follow", "http://localhost:1", "--key", LOG.vkey(), *options])
    assert (result.exit_code, told in result.stderr) == (2, True)
