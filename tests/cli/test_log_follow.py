"""LOG-7, LOG-8: `deputize log follow`, against a real site whose owner does to its record what he likes."""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from tests.bank import POLICY, mounted
from typer.testing import CliRunner

from deputize.app import Deputize
from deputize.cli import app
from deputize.crypto.note import Verifier, open_note
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.entry import Entry
from deputize.protocol.merkle import leaf_hash
from deputize.protocol.tiles import WIDTH
from deputize.service.ports import Tx
from deputize.settings import loads
from deputize.store.sqlite import SqliteStore
from deputize.testing.forging import remake, retold
from deputize.testing.server import Site

run = CliRunner().invoke
DATABASE = Path("var/deputize.db")
HEAD = Path("var/checkpoint")


@pytest.fixture(autouse=True)
def _site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("deputize.toml").write_text(POLICY)
    with serving():
        pass
    add(9)


@contextmanager
def serving() -> Iterator[str]:
    """Serve the data as they are now, without what contradicts them (HEAD-2); return the issuer's address."""
    HEAD.unlink(missing_ok=True)
    with Site(lambda _: mounted(Deputize(loads(POLICY.encode()), Path("var"), new_head=True))) as site:
        yield f"{site.url}/deputize"


def add(number: int) -> None:
    def append(tx: Tx) -> None:
        for _ in range(number):
            tx.append(Entry("call.approved", {"call_id": "cal_x"}), 1_700_000_000)

    with closing(SqliteStore(DATABASE)) as store:
        asyncio.run(store.transact(append))


def follow(issuer: str, *options: str) -> tuple[int, str]:
    key = run(app, ["log", "key"]).output.strip()
    result = run(app, ["log", "follow", issuer, "--key", key, "--once", *options])
    return result.exit_code, result.stdout + result.stderr


def looked(*options: str) -> tuple[int, str]:
    with serving() as issuer:
        return follow(issuer, *options)


def test_a_record_that_only_grew_is_said_to_have() -> None:
    assert looked() == (0, "9 entries, 9 of them new: it only grew.\n")
    assert looked() == (0, "9 entries, 0 of them new: it only grew.\n")
    add(WIDTH)
    assert looked() == (0, f"{WIDTH + 9} entries, {WIDTH} of them new: it only grew.\n")
    assert len(Path("followed/leaves").read_bytes()) == (WIDTH + 9) * 32


MORE = WIDTH  # entries beyond the two tiles that are taken at first


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record of three tiles and some, of which one look takes two."""
    monkeypatch.setattr("deputize.cli.follow.LOOK", 2 * WIDTH)
    add(2 * WIDTH + MORE)


@pytest.mark.usefixtures("in_parts")
def test_a_long_record_is_taken_in_parts_by_one_look_after_the_other() -> None:
    size = 2 * WIDTH + MORE + 9
    told = f"{2 * WIDTH} entries, {2 * WIDTH} of them new: it only grew.\n"
    assert looked() == (0, f"{told}The next looks go on with {MORE + 9} more.\n")
    assert not Path("followed/checkpoint").exists()
    add(1)
    assert looked() == (0, f"{size + 1} entries, {MORE + 10} of them new: it only grew.\n")
    assert sorted(each.name for each in Path("followed").iterdir()) == ["checkpoint", "leaves"]
    assert looked() == (0, f"{size + 1} entries, 0 of them new: it only grew.\n")


def test_a_slow_look_ends_and_the_next_one_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deputize.cli.follow.LONGEST", -1)
    add(WIDTH)
    assert looked()[1].endswith("The next looks go on with 9 more.\n")
    assert looked() == (0, f"{WIDTH + 9} entries, 9 of them new: it only grew.\n")


@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize(
    ("first", "told"), [(4, "entries 4 to 511 are not what they were"), (2 * WIDTH + 20, "does not continue")]
)
def test_what_is_rewritten_between_two_parts_is_told_though_it_was_not_taken_yet(
    first: int, told: str
) -> None:
    assert looked()[0] == 0
    rewrite(first)
    code, said = looked()
    assert (code, told in said) == (1, True)


@pytest.mark.usefixtures("in_parts")
def test_what_is_cut_off_between_two_parts_is_told_though_it_was_not_taken_yet() -> None:
    shutil.copy(DATABASE, "older.db")
    add(5)
    assert looked()[0] == 0
    shutil.copy("older.db", DATABASE)
    code, told = looked()
    size = 2 * WIDTH + MORE + 9
    assert (code, f"put back: it had {size + 5} entries, and now has {size}" in told) == (1, True)


@pytest.mark.usefixtures("in_parts")
@pytest.mark.parametrize("spoilt", ["leaves", "part"])
def test_a_part_that_was_kept_must_be_whole(spoilt: str) -> None:
    assert looked()[0] == 0
    Path("followed", spoilt).write_bytes(b"old 256\n")
    code, told = looked()
    assert (code, "begin anew" in told) == (2, True)


def rewrite(first: int) -> None:
    """Make the record anew from an entry on, all hashes and checkpoints included, as whoever has data and keys can."""
    remake(
        Path("var"),
        lambda leaves: [*leaves[:first], *(retold(leaf, call_id="cal_forged") for leaf in leaves[first:])],
    )


def test_history_that_was_rewritten_is_named_though_it_verifies_by_itself() -> None:
    assert looked()[0] == 0
    rewrite(4)
    assert run(app, ["log", "verify"]).exit_code == 0
    code, told = looked()
    assert code == 1
    rewritten = (
        "entries 4 to 8 are not what they were: from there on it is another record; keep followed/contra"
    )
    assert rewritten in told
    add(3)
    assert rewritten in looked()[1]


def test_the_checkpoint_that_contradicts_is_kept_as_evidence() -> None:
    """Both are signed with the one key, over different roots of one size: nobody can have made them but its owner."""
    assert looked()[0] == 0
    rewrite(4)
    assert looked()[0] == looked()[0] == 1
    (evidence,) = Path("followed").glob("contradiction-*")
    verifier = Verifier.parse(run(app, ["log", "key"]).output.strip())
    seen, now = (
        Checkpoint.parse(open_note(file.read_text(), [verifier]))
        for file in (Path("followed/checkpoint"), evidence)
    )
    assert (seen.origin, seen.size) == (now.origin, now.size)
    assert seen.root != now.root


def test_an_older_copy_that_was_put_back_is_named() -> None:
    shutil.copy(DATABASE, "old.db")
    add(5)
    assert looked()[0] == 0
    shutil.copy("old.db", DATABASE)
    for left in ("-wal", "-shm"):
        Path(f"{DATABASE}{left}").unlink(missing_ok=True)
    assert "it had 14 entries, and now has the first 9 of them" in looked()[1]
    add(7)
    code, told = looked()
    assert (code, "entries 9 to 13 are not what they were: from there on" in told) == (1, True)


def test_somebody_with_nothing_but_a_key_and_an_older_checkpoint_finds_what_was_done() -> None:
    with serving() as issuer:
        Path("kept").write_bytes(httpx2.get(f"{issuer}/log/checkpoint").content)
    rewrite(4)
    for _ in range(2):  # what contradicts it is not taken for what was seen
        code, told = looked("--checkpoint", "kept")
        cannot = "the record of bank.example/deputize cannot be right: its first 9 entries are not those that kept is "
        assert (code, cannot in told) == (1, True)
        assert not Path("followed/checkpoint").exists()
    assert looked("--checkpoint", str(next(Path("followed").glob("contradiction-*"))))[0] == 0
    remake(Path("var"), lambda leaves: leaves[:5])
    code, told = looked("--checkpoint", "kept", "--keep", "another")
    assert (code, "not all of it is shown here: kept is of 9 entries, and now it has 5;" in told) == (1, True)
    Path("kept").write_text("?")
    code, told = looked("--checkpoint", "kept", "--keep", "another")
    assert (code, "kept is not a checkpoint of this record: malformed_note" in told) == (2, True)


def test_whoever_is_named_hears_of_it(tmp_path: Path) -> None:
    heard: list[dict[str, str]] = []

    async def hook(request: Request) -> Response:
        heard.append(await request.json())
        return Response(status_code=204)

    assert looked()[0] == 0
    rewrite(0)
    with Site(lambda _: Starlette(routes=[Route("/hook", hook, methods=["POST"])])) as listening:
        assert looked("--webhook", f"{listening.url}/hook")[0] == 1
    (fault,) = heard
    assert fault.keys() == {"record", "fault", "seen", "checkpoint"}
    assert fault["record"] == "bank.example/deputize"
    assert fault["fault"].startswith("entries 0 to 8 are not what they were")
    assert fault["checkpoint"].startswith("bank.example/deputize\n9\n")
    assert fault["seen"] == Path("followed/checkpoint").read_text() != fault["checkpoint"]
    assert "was not told" in looked("--webhook", f"{listening.url}/hook")[1]


def test_who_cannot_be_reached_is_no_liar() -> None:
    with serving() as issuer:
        pass
    code, told = follow(issuer)
    assert (code, told.startswith(f"deputize: {issuer} gives no signed record now: ")) == (2, True)
    assert not Path("followed/checkpoint").exists()


def a_key() -> str:
    return Verifier("bank.example/deputize", Ed25519PrivateKey.generate().public_key()).vkey()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (
            lambda: Path("followed/leaves").write_bytes(b""),
            "followed/leaves is not what followed/checkpoint is over",
        ),
        (
            lambda: Path("followed/checkpoint").write_text("?"),
            "followed/checkpoint is not signed with this key",
        ),
    ],
)
def test_what_was_kept_must_be_whole(spoil: Callable[[], object], told: str) -> None:
    assert looked()[0] == 0
    spoil()
    code, said = looked()
    assert (code, told in said) == (2, True)


def test_what_was_written_before_a_crash_is_written_again() -> None:
    assert looked()[0] == 0
    with Path("followed/leaves").open("ab") as leaves:
        leaves.write(b"of a checkpoint that was not kept")
    add(2)
    assert looked()[0] == 0
    assert looked() == (0, "11 entries, 0 of them new: it only grew.\n")


def test_a_key_that_is_none_is_refused() -> None:
    result = run(app, ["log", "follow", "http://localhost:1", "--key", "x"])
    assert (result.exit_code, "is not a record's key" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("path", "status", "size"),
    [
        ("0/000.p/9", 200, 9),
        ("0/000.p/3", 200, 3),
        ("0/000", 404, None),
        ("0/000.p/10", 404, None),
        ("0/001.p/1", 404, None),
        ("1/000.p/1", 404, None),
        ("0/x000/000.p/9", 404, None),
        ("0/000.p/09", 404, None),
        ("0/000.p/9/", 404, None),
        ("entries/000.p/9", 401, None),
        ("../checkpoint", 404, None),
    ],
)
def test_tiles_are_there_as_far_as_the_record_goes(path: str, status: int, size: int | None) -> None:
    with serving() as issuer:
        there = f"{issuer}/log/tile/{path.replace('..', '%2e%2e')}"
        answer = httpx2.get(there)
    assert answer.status_code == status
    if size is not None:
        assert len(answer.content) == 32 * size
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    "url", ["http://auditor.example/alarm", "ftp://localhost/", "alarm", "http://127.0.0.1.nip.io"]
)
def test_alarms_go_by_https_or_stay_on_this_machine(url: str) -> None:
    result = run(app, ["log", "follow", "http://localhost:1", "--key", a_key(), "--webhook", url])
    assert (result.exit_code, "--webhook is reached by https" in result.stderr) == (2, True)


# The entries, for those who may read them (LOG-8)

ENTRIES = ("--entries", "audited", "--reader", "auditor.jwk")
LINES = Path("audited/entries.jsonl")


@contextmanager
def naming(readers: str) -> Iterator[str]:
    """Serve the data under a policy of this address, for which proofs are made, and with these readers."""

    def build(port: int) -> Starlette:
        here = POLICY.replace("https://bank.example", f"http://localhost:{port}")
        Path("deputize.toml").write_text(f"{here}[record]\n{readers}\n")
        return mounted(Deputize(Path("deputize.toml"), data=Path("var"), new_head=True))

    with Site(build) as site:
        yield f"{site.url}/deputize"


@pytest.fixture
def issuer() -> Iterator[str]:
    """Make an auditor's key, and name it in the policy."""
    line = run(app, ["log", "keygen", "auditor.jwk"])
    assert line.exit_code == 0
    with naming(line.stdout) as issuer:
        yield issuer


def test_who_is_named_keeps_each_entry_once_it_has_the_hash_that_everybody_sees(issuer: str) -> None:
    assert follow(issuer)[0] == 0
    assert follow(issuer, *ENTRIES)[0] == 0
    whole = LINES.read_bytes()
    assert [json.loads(line)["i"] for line in whole.splitlines()] == list(range(9))
    assert LINES.stat().st_mode & 0o077 == 0
    LINES.write_bytes(whole[:-5])  # a crash
    assert follow(issuer, *ENTRIES)[0] == 0
    assert LINES.read_bytes() == whole
    LINES.write_bytes(whole + b"{}\n")  # of a checkpoint that was not kept any more
    add(WIDTH)
    while (
        len(leaves := Path("followed/leaves").read_bytes()) < (WIDTH + 9) * 32
    ):  # a checkpoint is good for a second
        assert follow(issuer, *ENTRIES)[0] == 0
    assert b"".join(leaf_hash(line) for line in LINES.read_bytes().splitlines()) == leaves
    LINES.write_bytes(whole.replace(b"cal_x", b"cal_y", 1))
    code, told = follow(issuer, *ENTRIES)
    assert (code, "has another entry 0 than was seen" in told) == (2, True)


def test_entries_are_taken_in_parts_too(issuer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    add(WIDTH)
    while follow(issuer)[1].startswith("9 entries"):  # a checkpoint is good for a second
        pass
    monkeypatch.setattr("deputize.cli.kept._AT_ONCE", WIDTH)
    monkeypatch.setattr("deputize.cli.follow.LOOK", WIDTH)
    told = f"{WIDTH + 9} entries, 0 of them new: it only grew.\n"
    assert follow(issuer, *ENTRIES) == (0, f"{told}The next looks go on with 9 more.\n")
    assert follow(issuer, *ENTRIES) == (0, told)
    assert len(LINES.read_bytes().splitlines()) == WIDTH + 9


def test_an_entry_that_is_served_with_a_changed_word_is_told(issuer: str) -> None:
    connection = sqlite3.connect(DATABASE)
    with connection:
        connection.execute(
            "UPDATE entries SET leaf = CAST(replace(leaf, 'cal_x', 'cal_y') AS BLOB) WHERE idx = 3"
        )
    connection.close()
    code, told = follow(issuer, *ENTRIES)
    assert (code, "entry 3 is served as another than the one that its hash is of" in told) == (1, True)
    assert not LINES.exists()


def test_whom_the_policy_does_not_name_reads_no_entry() -> None:
    assert run(app, ["log", "keygen", "auditor.jwk"]).exit_code == 0
    with naming("") as issuer:
        code, told = follow(issuer, *ENTRIES)
    assert (code, "403" in told, LINES.exists()) == (2, True, False)


@pytest.mark.parametrize("one", [ENTRIES[:2], ENTRIES[2:]])
def test_entries_need_a_key_and_a_folder(one: tuple[str, ...]) -> None:
    result = run(app, ["log", "follow", "http://localhost:1", "--key", a_key(), *one])
    assert (result.exit_code, "--entries and --reader go together" in result.stderr) == (2, True)


def test_a_readers_key_is_there_and_never_written_over() -> None:
    result = run(app, ["log", "follow", "http://localhost:1", "--key", a_key(), *ENTRIES])
    assert (result.exit_code, "`deputize log keygen auditor.jwk` makes one" in result.stderr) == (2, True)
    assert run(app, ["log", "keygen", "auditor.jwk"]).exit_code == 0
    before = Path("auditor.jwk").read_bytes()
    assert run(app, ["log", "keygen", "auditor.jwk"]).exit_code == 2
    assert Path("auditor.jwk").read_bytes() == before


@pytest.mark.parametrize(
    ("size", "pause", "patience", "fault"), [(2000, 0, 60, "is too long"), (1, 0.01, 0.5, "takes too long")]
)
def test_who_is_watched_neither_fills_nor_holds_up_who_watches(
    monkeypatch: pytest.MonkeyPatch, size: int, pause: float, patience: float, fault: str
) -> None:
    monkeypatch.setattr("deputize.cli.looking.PATIENCE", patience)

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(1000):
            await asyncio.sleep(pause)  # so that each byte comes in time, and all of them do not
            yield b"x" * size

    async def checkpoint(request: Request) -> Response:
        return StreamingResponse(parts())

    with Site(lambda _: Starlette(routes=[Route("/log/checkpoint", checkpoint)])) as site:
        code, told = follow(site.url)
    assert code == 2
    assert f"gives no signed record now: checkpoint {fault}" in told
