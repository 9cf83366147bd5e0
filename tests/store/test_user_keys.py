"""The keys of users, apart from the data (SEAL-1)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deputize.protocol.ids import UserId
from deputize.service.faults import Locked
from deputize.store.user_keys import HOUR, OVER, UserKey, UserKeys
from deputize.store.wrapping import FileWrapping

ADA, BOB = UserId("usr_ada"), UserId("usr_bob")
NOW = 1_700_000_000


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[UserKeys]:
    keys = UserKeys.beside(tmp_path / "deputize.db")
    yield keys
    keys.close()


@pytest.fixture
def others(tmp_path: Path, keys: UserKeys) -> Iterator[UserKeys]:
    """The same file, as another process has it."""
    others = UserKeys.beside(tmp_path / "deputize.db")
    yield others
    others.close()


def in_files(folder: Path, secret: bytes) -> list[str]:
    """Return the names of the files that have these bytes."""
    return [file.name for file in folder.rglob("*") if file.is_file() and secret in file.read_bytes()]


def wrapping_name(keys: UserKeys) -> str:
    assert keys._vault is not None
    return keys._vault.name()


def wrapped(keys: UserKeys, user_id: UserId) -> bytes:
    vault = keys._vault
    assert vault is not None
    return bytes(vault._file.rows("SELECT wrapped FROM users WHERE user_id = ?", [user_id])[0][0])


def test_what_a_key_has_sealed_opens_about_the_same_only() -> None:
    key = UserKey(bytes(32))
    sealed = key.seal(b"Ada", b"users usr_ada")
    assert key.open(sealed, b"users usr_ada") == b"Ada"
    assert sealed != key.seal(b"Ada", b"users usr_ada")
    for wrong in (sealed[:-1], sealed[1:], b"\x02" + sealed[1:], sealed + b"\0", b"\x01", b""):
        with pytest.raises(ValueError, match=r"not (what|sealed)"):
            key.open(wrong, b"users usr_ada")
    with pytest.raises(ValueError, match="not what"):
        key.open(sealed, b"users usr_bob")
    with pytest.raises(ValueError, match="not what"):
        UserKey(b"\1" * 32).open(sealed, b"users usr_ada")


def test_digests_differ_by_key() -> None:
    one, other = UserKey(bytes(32)), UserKey(b"\1" * 32)
    assert one.digest(b"iban") == UserKey(bytes(32)).digest(b"iban") != other.digest(b"iban")
    assert len(one.digest(b"")) == 32


def test_opening_costs_nothing_and_asking_makes_nothing(tmp_path: Path, keys: UserKeys) -> None:
    assert keys.user_of("ada@harbor") is None
    assert keys.destroyed() == frozenset()
    keys.require()
    with pytest.raises(Locked, match="missing"):  # not as if it had been destroyed
        keys.of(ADA)
    keys.sweep(NOW)
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_the_same_in_every_process_and_after_a_start(keys: UserKeys, others: UserKeys) -> None:
    sealed = keys.make(ADA).seal(b"Ada", b"")
    assert (there := others.of(ADA)) is not None
    assert there.open(sealed, b"") == b"Ada"
    keys.close()
    assert (again := keys.of(ADA)) is not None
    assert again.open(sealed, b"") == b"Ada"
    assert keys.make(ADA).open(sealed, b"") == b"Ada"
    assert keys.of(BOB) is None


def test_a_key_that_was_destroyed_is_gone_and_is_never_made_again(keys: UserKeys, others: UserKeys) -> None:
    keys.make(ADA, "ada@harbor")
    keys.make(BOB)
    assert others.of(ADA)
    assert others.user_of("ada@harbor") == ADA
    keys.destroy(ADA)
    keys.destroy(ADA)
    assert keys.of(ADA) is None
    assert keys.of(BOB) is not None
    assert keys.destroyed() == others.destroyed() == {ADA}
    assert others.user_of("ada@harbor") is None
    with pytest.raises(Locked, match="not made again"):
        others.make(ADA)
    assert others.make_missing({ADA: "ada@harbor", BOB: None}) == 0
    assert others.user_of("ada@harbor") is None
    others._looked_at = 0  # as after LOOKED
    assert others.of(ADA) is None


def test_nothing_of_a_destroyed_key_is_left_in_the_files(tmp_path: Path, keys: UserKeys) -> None:
    users = [UserId(f"usr_{number}") for number in range(200)]
    assert keys.make_missing({user: f"{user}@harbor" for user in users}) == 200
    gone = {user: wrapped(keys, user) for user in users[::20]}
    assert all(in_files(tmp_path, key) == ["user-keys.db"] for key in gone.values())
    for user in gone:
        keys.destroy(user)
    assert not any(in_files(tmp_path, key) for key in gone.values())
    assert all(keys.of(user) for user in users[1::20])


def test_an_id_at_the_site_is_in_no_file_and_goes_over_to_who_is_made_later(
    tmp_path: Path, keys: UserKeys
) -> None:
    keys.make(ADA, "ada@harbor")
    keys.make(BOB, "ada@harbor")  # the first was rolled back
    assert keys.user_of("ada@harbor") == BOB
    assert not in_files(tmp_path, b"ada@harbor")
    keys.destroy(ADA)
    keys.make_missing({ADA: "ada@harbor"})
    assert keys.user_of("ada@harbor") == BOB


def test_what_passes_has_a_key_for_each_hour_which_goes(keys: UserKeys, others: UserKeys) -> None:
    now = NOW // HOUR * HOUR
    key, same, next_one = keys.until(now), others.until(now + HOUR - 1), keys.until(now + HOUR)
    assert key is not None
    assert same is not None
    assert next_one is not None
    sealed = key.seal(b"", b"")
    assert same.open(sealed, b"") == b""
    with pytest.raises(ValueError, match="not what"):
        next_one.open(sealed, b"")
    keys.sweep(now + HOUR + OVER - 1)
    assert keys.until(now) is not None
    keys.sweep(now + HOUR + OVER)
    assert keys.until(now) is None
    assert keys.until(now + HOUR) is not None
    others._looked_at = 0
    assert others.until(now) is None


def test_both_files_are_their_owners_alone(tmp_path: Path, keys: UserKeys) -> None:
    keys.make(ADA)
    assert {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {
        "user-keys.db": 0o600,
        "user-keys.db-journal": 0o600,
        "wrapping.json": 0o600,
    }


def test_no_key_opens_without_the_wrapping_key(tmp_path: Path, keys: UserKeys, others: UserKeys) -> None:
    keys.make(ADA)
    (tmp_path / "wrapping.json").rename(tmp_path / "away")
    with pytest.raises(Locked, match="wrapping keys is missing"):
        others.of(ADA)
    assert keys.of(ADA) is not None  # which has opened it before
    FileWrapping(tmp_path / "wrapping.json").wrap("another", b"")
    with pytest.raises(Locked, match="has not the one"):
        others.of(ADA)
    text = (tmp_path / "wrapping.json").read_text()
    (tmp_path / "wrapping.json").write_text(text.replace("another", wrapping_name(keys)))
    with pytest.raises(Locked, match="does not fit"):
        others.of(ADA)
    (tmp_path / "wrapping.json").write_text("{}")
    with pytest.raises(Locked, match="damaged"):
        others.of(ADA)


def test_a_file_that_went_away_is_not_written_any_more(tmp_path: Path, keys: UserKeys) -> None:
    keys.make(ADA)
    keys.path.rename(tmp_path / "away")
    with pytest.raises(Locked, match="users' keys is missing"):
        keys.make(BOB)
    keys.path.write_bytes((tmp_path / "away").read_bytes())
    with pytest.raises(Locked, match="replaced"):
        keys.make(BOB)
    with pytest.raises(Locked, match="replaced"):
        keys.destroy(ADA)


def test_where_keys_have_to_be_none_are_made(tmp_path: Path) -> None:
    keys = UserKeys(tmp_path / "user-keys.db", FileWrapping(tmp_path / "wrapping.json"), new=False)
    with pytest.raises(Locked, match="missing"):
        keys.make(ADA)
    keys.path.touch()
    with pytest.raises(Locked, match="empty"):
        keys.of(ADA)
    keys.path.write_bytes(b"no database" * 100)
    with pytest.raises(Locked, match="damaged"):
        keys.of(ADA)
