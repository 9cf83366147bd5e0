"""LOG-12: the record's key hands over to a new one, and whoever holds the old one goes on with that."""

import json
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.bank import POLICY, mounted
from tests.cli.test_log_follow import DATABASE, add, run, serving
from typer.testing import CliRunner

from deputize.app import Deputize, PutBack
from deputize.cli import app, handing_over
from deputize.cli.kept import HashesKept
from deputize.crypto.keys import KeyRing
from deputize.crypto.note import NoteError, Verifier, sign
from deputize.crypto.succession import hand_over
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.handover import joined
from deputize.protocol.merkle import root
from deputize.service.following import Broken
from deputize.settings import loads
from deputize.testing.server import Site

ROTATE = ("keys", "rotate", "record")
NAME = "bank.example/deputize"


@pytest.fixture
def _site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("deputize.toml").write_text(POLICY)
    served()
    add(9)
    served()


def site() -> Site:
    return Site(lambda _: mounted(Deputize(loads(POLICY.encode()), Path("var"))))


def served() -> None:
    """Start and stop: the newest checkpoint is kept, and what is wrong with it would be told."""
    with site():
        pass


def told(*command: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, command)
    return result.exit_code, result.stdout + result.stderr


def key() -> str:
    return run(app, ["log", "key"]).output.strip()


def look(held: str, folder: str = "followed") -> tuple[int, str]:
    with site() as there:
        return told("log", "follow", f"{there.url}/deputize", "--key", held, "--once", "--keep", folder)


def receipt(name: str) -> None:
    Path(name).write_text(run(app, ["log", "receipt", "cal_x"]).stdout)


def checks(name: str, held: str) -> int:
    return told("log", "check", name, "--key", held)[0]


@pytest.mark.usefixtures("_site")
def test_who_follows_with_the_old_key_goes_on_and_so_do_receipts() -> None:
    old = key()
    assert look(old) == (0, "9 entries, 9 of them new: it only grew.\n")
    receipt("before.json")
    secret = json.loads(Path("var/keys.json").read_text())["record"]
    code, said = told(*ROTATE)
    new = key()
    assert (code, said.splitlines()[0], new != old) == (0, new, True)
    assert "signs the record from entry 9 on; the one before is kept no more. Give it to whoever" in said
    assert secret not in Path("var/keys.json").read_text()
    assert look(old) == (0, "10 entries, 1 of them new: it only grew.\n")
    assert told(*ROTATE)[0] == 0
    newest = key()
    add(2)
    assert look(old) == (0, "13 entries, 3 of them new: it only grew.\n")
    assert look(newest, "with-the-newest") == (0, "13 entries, 13 of them new: it only grew.\n")
    receipt("after.json")
    assert [checks("after.json", held) for held in (old, new, newest)] == [0, 0, 0]
    assert [checks("before.json", held) for held in (old, new, newest)] == [0, 1, 1]
    assert told("log", "verify")[0] == 0
    kinds = [
        json.loads(line)["kind"] for line in told("log", "export")[1].splitlines() if line.startswith("{")
    ]
    assert kinds.count("record.handed_over") == 2


@pytest.mark.usefixtures("_site")
def test_the_old_key_signs_nothing_more_of_a_receipt_and_no_chain_is_made_up() -> None:
    old = key()
    stolen = KeyRing(Path("var/keys.json")).record_key()
    told(*ROTATE)
    receipt("after.json")
    made = json.loads(Path("after.json").read_text())
    body = made["checkpoint"].partition("\n\n")[0] + "\n"
    for forged in (
        {**made, "checkpoint": sign(body, NAME, stolen)},
        {**made, "handovers": []},
        {**made, "handovers": [made["handovers"][0].replace("\n9\n", "\n8\n")]},
    ):
        Path("forged.json").write_text(json.dumps(forged))
        assert checks("forged.json", old) == 1
    Path("forged.json").write_text(json.dumps({**made, "handovers": [9]}))
    assert "is not a receipt" in told("log", "check", "forged.json", "--key", old)[1]


@pytest.mark.usefixtures("_site")
def test_a_record_that_goes_on_under_the_old_key_is_told_to_who_follows() -> None:
    old, file = key(), Path("var/keys.json")
    secret = json.loads(file.read_text())["record"]
    told(*ROTATE)
    assert look(old)[0] == 0
    file.write_text(json.dumps({**json.loads(file.read_text()), "record": secret}))
    with serving() as issuer:
        code, said = told("log", "follow", issuer, "--key", old, "--once")
    assert (code, "signed by a key whose turn it is not" in said) == (1, True)


@pytest.mark.usefixtures("_site")
def test_the_server_is_stopped_for_it() -> None:
    before = Path("var/keys.json").read_bytes()
    with site():
        code, said = told(*ROTATE)
    assert (code, "stop the server first" in said) == (1, True)
    assert Path("var/keys.json").read_bytes() == before


@pytest.mark.usefixtures("_site")
@pytest.mark.parametrize("wrong", ["missing", "behind"])
def test_a_record_that_may_be_put_back_is_not_handed_over(wrong: str) -> None:
    if wrong == "missing":
        Path("var/checkpoint").unlink()
    else:
        shutil.copy(DATABASE, "old.db")
        add(3)
        served()
        shutil.copy("old.db", DATABASE)
    before = Path("var/keys.json").read_bytes()
    code, said = told(*ROTATE)
    assert (code, "see `deputize restore`" in said) == (1, True)
    assert Path("var/keys.json").read_bytes() == before


@pytest.mark.usefixtures("_site")
@pytest.mark.parametrize("at", ["operator", "HeadFile.replace"])
def test_what_a_crash_leaves_undone_is_done_the_next_time(at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    old = key()
    assert look(old)[0] == 0
    with monkeypatch.context() as broken:
        broken.setattr(f"{handing_over.__name__}.{at}", crash)
        assert told(*ROTATE)[0] != 0
    new = key()
    assert new != old
    with pytest.raises(PutBack, match="no checkpoint that this record's own key has signed"):
        Deputize(loads(POLICY.encode()), Path("var"))
    assert told(*ROTATE)[0] == 0
    assert key() == new
    assert look(old) == (0, "10 entries, 1 of them new: it only grew.\n")
    assert told("log", "verify")[0] == 0


@pytest.mark.usefixtures("_site")
def test_a_backup_from_before_does_not_bring_the_old_key_back() -> None:
    assert told("backup", "copy")[0] == 0
    told(*ROTATE)
    new = key()
    served()
    assert told("restore", "copy")[0] == 1  # the hand-over would be lost
    assert told("restore", "copy", "--accept-rollback")[0] == 0
    assert key() == new
    served()
    code, said = told("log", "verify")
    assert code == 0, said
    assert told(*ROTATE)[0] == 0
    assert look(new)[0] == 0


@pytest.mark.usefixtures("_site")
def test_a_backup_from_after_keeps_the_chain() -> None:
    old = key()
    told(*ROTATE)
    served()
    assert told("backup", "copy")[0] == 0
    add(1)
    served()
    assert told("restore", "copy", "--accept-rollback")[0] == 0
    assert look(old)[0] == 0
    assert told("log", "verify")[0] == 0


A, B, THIEF = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in range(3))
LEAVES = [bytes([n]) * 32 for n in range(12)]


def head(size: int) -> Checkpoint:
    return Checkpoint(NAME, size, root(LEAVES[:size]))


class TestWhoKnowsAHandover:
    """What a follower has seen is not unsaid by whoever finds the old key."""

    @pytest.fixture
    def kept(self, tmp_path: Path) -> HashesKept:
        kept = HashesKept(tmp_path, Verifier(NAME, A.public_key()))
        self.see(kept, 5, A)
        return kept

    def see(self, kept: HashesKept, size: int, signer: Ed25519PrivateKey, served: str = "") -> None:
        note = sign(head(size).body(), NAME, signer).encode()
        keys = kept.handed_over(served.encode())
        kept.go_on(keys.opened(note), note, lambda _: b"".join(LEAVES[:size]), keys)

    def test_it_refuses_another_by_the_same_key(self, kept: HashesKept, tmp_path: Path) -> None:
        first = hand_over(head(7), A, B.public_key())
        self.see(kept, 9, B, first)
        again = HashesKept(tmp_path, Verifier(NAME, A.public_key()))
        for follower in (kept, again):
            for size in (6, 7, 10):
                with pytest.raises(Broken, match="has handed over to another one"):
                    self.see(follower, 11, THIEF, hand_over(head(size), A, THIEF.public_key()))
            with pytest.raises(NoteError, match="bad_handover"):
                self.see(follower, 11, THIEF, joined((first, hand_over(head(10), A, THIEF.public_key()))))
            with pytest.raises(NoteError, match="key_handed_over"):
                self.see(follower, 11, A, first)

    def test_it_refuses_one_after_fewer_entries_than_it_has_seen_the_key_sign(self, kept: HashesKept) -> None:
        with pytest.raises(Broken, match="handed over after 4 entries"):
            self.see(kept, 9, THIEF, hand_over(head(4), A, THIEF.public_key()))

    def test_it_refuses_one_after_other_entries(self, kept: HashesKept) -> None:
        other = Checkpoint(NAME, 7, bytes(32))
        with pytest.raises(Broken, match="handed over after 7 other entries"):
            self.see(kept, 9, THIEF, hand_over(other, A, THIEF.public_key()))

    def test_it_needs_no_site_for_what_it_has_seen(self, kept: HashesKept) -> None:
        self.see(kept, 9, B, hand_over(head(7), A, B.public_key()))
        self.see(kept, 10, B)

    def test_it_takes_a_handover_only_with_the_entries_before_it(self, kept: HashesKept) -> None:
        self.see(kept, 6, A, hand_over(Checkpoint(NAME, 7, bytes(32)), A, THIEF.public_key()))
        assert not kept.keys.handovers

    @pytest.mark.parametrize("text", [b"\xff", b"words", b"words\n\nmore\n"])
    def test_what_is_no_list_of_handovers_is_refused(self, kept: HashesKept, text: bytes) -> None:
        with pytest.raises(NoteError, match="bad_handover"):
            kept.handed_over(text)
