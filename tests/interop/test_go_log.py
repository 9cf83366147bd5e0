"""Go's libraries for logs, `sumdb/note` and `sumdb/tlog`, follow the record of a real site (LOG-3, LOG-5, LOG-7)."""

import random
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.bank import POLICY, mounted
from tests.cli.test_log_follow import DATABASE, add, rewrite
from typer.testing import CliRunner

from deputize.app import Deputize
from deputize.cli import app
from deputize.crypto.note import Verifier
from deputize.protocol.tiles import WIDTH, tile_path
from deputize.settings import loads
from deputize.testing.server import Site

from ..golang import ROOT, go_of_debian, needs_go, needs_modules

pytestmark = [needs_go, needs_modules]
run = CliRunner().invoke


@pytest.fixture(scope="module")
def monitor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("go") / "monitor"
    go_of_debian(ROOT / "tests" / "interop" / "go-log", "build", "-o", str(program), ".")
    return program


@contextmanager
def serving() -> Iterator[str]:
    """Serve the data as they are now, by an owner who takes away what they are held against (HEAD-1)."""
    Path("var/checkpoint").unlink(missing_ok=True)
    with Site(lambda _: mounted(Deputize(loads(POLICY.encode()), Path("var"), new_head=True))) as site:
        yield f"{site.url}/deputize"


@pytest.fixture(autouse=True)
def _site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("deputize.toml").write_text(POLICY)
    Path("kept").mkdir()
    with serving():
        pass
    add(9)


def looked(monitor: Path, *receipts: str, key: str = "") -> tuple[int, str]:
    key = key or run(app, ["log", "key"]).output.strip()
    with serving() as issuer:
        command = [str(monitor), issuer, key, "kept", *receipts]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def receipt() -> str:
    result = run(app, ["log", "receipt", "cal_x"])
    assert result.exit_code == 0, result.output
    Path("receipt.json").write_text(result.stdout)
    return "receipt.json"


def test_a_record_that_only_grew_is_said_to_have(monitor: Path) -> None:
    assert looked(monitor) == (0, "9 entries, 9 of them new, 0 proven\n")
    assert looked(monitor) == (0, "9 entries, 0 of them new, 0 proven\n")
    sizes = [WIDTH - 9, 1, 1, WIDTH, 300]  # up to a tile, beyond it, and tiles above tiles
    for number in sizes:
        add(number)
        code, told = looked(monitor)
        assert (code, f"{number} of them new" in told) == (0, True), told
    made = receipt()
    assert looked(monitor, made) == (0, f"{9 + sum(sizes)} entries, 0 of them new, {9 + sum(sizes)} proven\n")


def test_a_receipt_stays_true_while_the_record_grows(monitor: Path) -> None:
    made = receipt()
    add(WIDTH)
    assert looked(monitor, made) == (0, f"{WIDTH + 9} entries, {WIDTH + 9} of them new, 9 proven\n")


def test_history_that_was_rewritten_is_named(monitor: Path) -> None:
    made = receipt()
    assert looked(monitor)[0] == 0
    rewrite(4)
    assert looked(monitor) == (1, "entry 4 is not what it was\n")
    add(3)
    assert looked(monitor) == (1, "entry 4 is not what it was\n")
    Path("kept/checkpoint").unlink()  # and whoever has a receipt only
    code, told = looked(monitor, made)
    assert (code, "entry 4 is not what its receipt says" in told) == (1, True)


def test_an_older_copy_that_was_put_back_is_named(monitor: Path) -> None:
    shutil.copy(DATABASE, "old.db")
    add(5)
    assert looked(monitor)[0] == 0
    shutil.copy("old.db", DATABASE)
    for left in ("-wal", "-shm"):
        Path(f"{DATABASE}{left}").unlink(missing_ok=True)
    assert looked(monitor) == (1, "it had 14 entries, and now has the first 9 of them\n")


def test_tiles_that_are_not_those_of_the_checkpoint_are_named(monitor: Path) -> None:
    with sqlite3.connect(DATABASE) as connection:
        connection.execute("UPDATE entries SET leaf_hash = zeroblob(32) WHERE idx = 3")
    connection.close()
    code, told = looked(monitor)
    assert (code, told.startswith("its tiles are not those of its checkpoint")) == (1, True)


def test_what_another_key_has_signed_is_no_record(monitor: Path) -> None:
    key = Verifier("bank.example/deputize", Ed25519PrivateKey.generate().public_key()).vkey()
    code, told = looked(monitor, key=key)
    assert (code, "no verifiable signatures" in told) == (2, True), told


def test_tiles_stand_where_the_library_looks_for_them(monitor: Path) -> None:
    numbers = [0, 1, 999, 1000, 999_999, 1_000_000, *(random.randrange(10**9) for _ in range(200))]
    tiles = [(level, number, width) for number in numbers for level in (0, 7) for width in (1, 255, WIDTH)]
    command = [str(monitor), "paths", *("{} {} {}".format(*tile) for tile in tiles)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert told == [f"tile/{tile_path(*tile)}" for tile in tiles]
