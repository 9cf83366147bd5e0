"""What wraps the keys of users, how that is renewed, and where it is said (SEAL-2, SEAL-3, SEAL-4)."""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from deputize.protocol.ids import UserId
from deputize.service.faults import Locked
from deputize.store.owning import UsersKeys
from deputize.store.user_keys import UserKeys
from deputize.store.vault_settings import FILE, Settings
from deputize.store.wrapping import FileWrapping
from deputize.store.wrapping_command import MOST, CommandWrapping

ADA, BOB = UserId("usr_ada"), UserId("usr_bob")
ARCHIVED = 30 * 86400

SERVICE = """
import pathlib, sys
folder, verb, name = sys.argv[1:]
key, given = pathlib.Path(folder) / name, sys.stdin.buffer.read()
if verb == "destroy":
    key.unlink(missing_ok=True)
elif verb == "wrap":
    key.write_bytes(given)
    print("wrapped", name)
else:
    assert given.decode() == f"wrapped {name}\\n"
    print(key.read_text())
"""
"""Stands for a key management service: it keeps what it wraps, in a folder."""

FORGETFUL = (sys.executable, "-c", "import sys; sys.stdin.read(); print('A' * 43)")
"""Gives back a key, and not the one that it was given."""


@pytest.fixture
def service(tmp_path: Path) -> tuple[str, ...]:
    (tmp_path / "service").mkdir()
    (tmp_path / "service.py").write_text(SERVICE)
    return sys.executable, str(tmp_path / "service.py"), str(tmp_path / "service")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def opened(data: Path) -> Iterator[Callable[[], UserKeys]]:
    """Open the keys once more, as another process does."""
    all_keys: list[UserKeys] = []

    def open_() -> UserKeys:
        all_keys.append(UserKeys.beside(data / "deputize.db"))
        return all_keys[-1]

    yield open_
    for keys in all_keys:
        keys.close()


def name_in(keys: UserKeys) -> str:
    """Name the wrapping key that is in use."""
    assert keys._vault is not None
    return keys._vault.name()


def test_a_command_wraps_and_is_asked_by_verb_and_name(service: tuple[str, ...], tmp_path: Path) -> None:
    command = CommandWrapping(service)
    wrapped = command.wrap("one", b"k" * 32)
    assert wrapped == b"wrapped one\n"
    assert command.unwrap("one", wrapped) == b"k" * 32
    command.destroy("one")
    command.destroy("one")
    with pytest.raises(Locked, match="exit code 1 at 'unwrap'"):
        command.unwrap("one", wrapped)


@pytest.mark.parametrize(
    ("script", "patience", "told"),
    [
        ("exit 3", 30, "ended with exit code 3"),
        ("kill -9 $$", 30, "ended with exit code -9"),
        ("true", 30, "printed nothing"),
        (f"head -c {MOST + 1} /dev/zero", 30, "printed more than 4096 bytes"),
        ("yes", 30, "printed more than 4096 bytes"),
        ("yes >&2", 0.1, "took longer than 0.1 s"),
        ("sleep 60 & sleep 60", 0.1, "took longer than 0.1 s"),
        ("exec >&- 2>&-; sleep 60", 0.1, "took longer than 0.1 s"),
    ],
)
def test_a_command_that_does_not_do_it_is_told_of(
    tmp_path: Path, script: str, patience: float, told: str
) -> None:
    command = CommandWrapping(["/bin/sh", "-c", script], patience)
    begun = time.monotonic()
    with pytest.raises(Locked, match=told) as refused:
        command.wrap("one", b"k" * 32)
    assert "/bin/sh" not in str(refused.value)
    assert str(refused.value.where).startswith("/bin/sh -c ")
    assert time.monotonic() - begun < 30


def test_nothing_that_a_command_has_started_outlives_its_time(tmp_path: Path) -> None:
    os.mkfifo(path := tmp_path / "open while it runs")
    open_there = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        script = f"exec 9>'{path}'; sleep 60 & cat"  # which ends, and leaves the other one its output
        with pytest.raises(Locked, match="took longer"):
            CommandWrapping(["/bin/sh", "-c", script], 1).wrap("one", b"k" * 32)
        os.set_blocking(open_there, True)
        begun = time.monotonic()
        assert os.read(open_there, 1) == b""
        assert time.monotonic() - begun < 30
    finally:
        os.close(open_there)


def test_what_a_command_complains_of_and_one_that_there_is_not_are_told_to_the_owner(tmp_path: Path) -> None:
    with pytest.raises(Locked, match="exit code 4") as refused:
        CommandWrapping(["/bin/sh", "-c", "printf 'no access\n to the key\n' >&2; exit 4"]).destroy("one")
    assert str(refused.value.where).endswith(": no access to the key")
    with pytest.raises(Locked, match="cannot be run: No such file"):
        CommandWrapping([str(tmp_path / "none")]).destroy("one")


@pytest.mark.parametrize("printed", ["", "AAAA", "!" * 43, "b" * 44, "\\377"])
def test_a_command_that_gives_another_key_back_opens_nothing(
    opened: Callable[[], UserKeys], data: Path, service: tuple[str, ...], printed: str
) -> None:
    Settings(data / "user-keys.db", service).write(data)
    opened().make(ADA)
    Settings(data / "user-keys.db", ("/bin/sh", "-c", f"printf '{printed}'")).write(data)
    with pytest.raises(Locked, match=r"does not fit|something else than the key"):
        opened().of(ADA)


def test_wrapped_by_a_command_no_wrapping_key_is_in_the_folder(
    opened: Callable[[], UserKeys], data: Path, service: tuple[str, ...], tmp_path: Path
) -> None:
    Settings(tmp_path / "elsewhere.db", service).write(data)
    sealed = opened().make(ADA).seal(b"Ada", b"")
    assert [file.name for file in data.iterdir()] == [FILE]
    assert (key := opened().of(ADA)) is not None
    assert key.open(sealed, b"") == b"Ada"
    (kept,) = (tmp_path / "service").iterdir()
    assert kept.read_text() not in (tmp_path / "elsewhere.db").read_bytes().decode("latin-1")


def test_after_a_rotation_all_keys_are_as_they_were_in_every_process(opened: Callable[[], UserKeys]) -> None:
    keys, others = opened(), opened()
    sealed = keys.make(ADA, "ada@harbor").seal(b"Ada", b"")
    passing = keys.until(3600)
    assert passing is not None
    soon = passing.seal(b"soon", b"")
    assert others.of(ADA) is not None
    keys.rotate(100)
    for each in (keys, others, opened()):
        each._looked_at = 0
        each._forget()
        assert (key := each.of(ADA)) is not None
        assert key.open(sealed, b"") == b"Ada"
        assert (hour := each.until(3600)) is not None
        assert hour.open(soon, b"") == b"soon"
        assert each.user_of("ada@harbor") == ADA
    others.make(BOB)
    assert keys.of(BOB) is not None


def test_copies_from_before_a_rotation_open_until_the_wrapping_key_is_destroyed(
    opened: Callable[[], UserKeys], data: Path, tmp_path: Path
) -> None:
    keys = opened()
    keys.make(ADA)
    shutil.copy(data / "user-keys.db", archived := tmp_path / "archived.db")
    now = int(time.time())

    def opens() -> bool:
        copy = UserKeys(archived, FileWrapping(data / "wrapping.json"), new=False)
        try:
            return copy.of(ADA) is not None
        except Locked:
            return False
        finally:
            copy.close()

    keys.sweep(now + ARCHIVED // 2 - 60, ARCHIVED)
    assert len(orjson.loads((data / "wrapping.json").read_bytes())["keys"]) == 1
    keys.sweep(now + ARCHIVED // 2 + 60, ARCHIVED)
    assert len(orjson.loads((data / "wrapping.json").read_bytes())["keys"]) == 2
    assert opens()
    keys.sweep(now + ARCHIVED - 120, ARCHIVED)
    assert opens()
    with (data / "wrapping.json").open("rb") as before:
        keys.sweep(now + ARCHIVED + 120, ARCHIVED)
        assert not before.read().strip(b"\0")  # whoever finds its place on the disk finds zeros
    assert not opens()
    assert keys.of(ADA) is not None
    assert opened().of(ADA) is not None
    keys.sweep(now + 100 * ARCHIVED)
    assert opened().of(ADA) is not None


def test_without_a_time_nothing_is_rotated(opened: Callable[[], UserKeys]) -> None:
    keys = opened()
    keys.make(ADA)
    before = name_in(keys)
    keys.sweep(2**40)
    assert name_in(keys) == before


@pytest.mark.parametrize("broken", [("/bin/false",), ("/bin/echo", "some"), ("/bin/cat",), FORGETFUL])
def test_a_rotation_that_fails_changes_nothing(
    opened: Callable[[], UserKeys], data: Path, broken: tuple[str, ...]
) -> None:
    keys = opened()
    keys.make(ADA)
    settings = Settings.read(data)
    settings.wrapped_by(broken, [name_in(keys)]).write(data)
    with pytest.raises(Locked, match=r"the command that wraps|gives back another"):
        keys.rotate(100)
    assert opened().of(ADA) is not None
    settings.write(data)
    assert opened().of(ADA) is not None


def test_what_gives_back_another_key_is_not_taken(opened: Callable[[], UserKeys], data: Path) -> None:
    """SEAL-3: else nobody could open any more what is kept of all users."""
    opened().make(ADA)
    before = {file.name: file.read_bytes() for file in data.iterdir()}
    with pytest.raises(Locked, match="what is to wrap the users' keys gives back another key"):
        UsersKeys(data).wrap_by(FORGETFUL, 100)
    assert {file.name: file.read_bytes() for file in data.iterdir()} == before


def test_what_wraps_can_be_changed_and_what_did_before_is_needed_no_more_in_the_end(
    opened: Callable[[], UserKeys], data: Path, service: tuple[str, ...], tmp_path: Path
) -> None:
    keys = opened()
    keys.make(ADA)
    keys.rotate(100)
    UsersKeys(data).wrap_by(tmp_path / "second.json", 200)
    UsersKeys(data).wrap_by(service, 300)
    assert [
        each.get("keys") and len(each["keys"])
        for each in files(data / "wrapping.json", tmp_path / "second.json")
    ] == [2, 1]
    assert keys.of(ADA) is not None
    assert opened().of(ADA) is not None
    keys.sweep(300 + ARCHIVED, ARCHIVED)
    assert [each["keys"] for each in files(data / "wrapping.json", tmp_path / "second.json")] == [{}, {}]
    assert Settings.read(data).former == {}
    (data / "wrapping.json").unlink()
    assert opened().of(ADA) is not None
    assert len(UsersKeys(data).state().replaced) == 1  # which was made by the command at 300


@pytest.mark.parametrize("wraps", ["command", "file"])
def test_seal_2_what_wraps_is_noted_again_where_only_the_settings_were_lost(
    opened: Callable[[], UserKeys], data: Path, service: tuple[str, ...], tmp_path: Path, wraps: str
) -> None:
    opened().make(ADA)
    by = service if wraps == "command" else tmp_path / "second.json"
    UsersKeys(data).wrap_by(by, 200)
    said, before = Settings.read(data), UsersKeys(data).state()
    (data / FILE).unlink()
    with pytest.raises(Locked, match=r"has not the one .*; nor does this open them: .* has not the one"):
        UsersKeys(data).wrap_by(tmp_path / "another.json", 300)
    assert not (data / FILE).exists()
    UsersKeys(data).wrap_by(by, 300)
    assert UsersKeys(data).state() == before  # not wrapped anew
    assert Settings.read(data) == said  # with the wrapping key of before, which the default file has
    (keys := opened()).sweep(200 + ARCHIVED, ARCHIVED)
    assert keys.of(ADA) is not None
    assert orjson.loads((data / "wrapping.json").read_bytes())["keys"] == {}


def test_without_settings_what_opens_the_keys_is_left_for_something_else_as_ever(
    opened: Callable[[], UserKeys], data: Path, tmp_path: Path
) -> None:
    opened().make(ADA)
    shutil.copy(data / "wrapping.json", tmp_path / "second.json")
    UsersKeys(data).wrap_by(tmp_path / "second.json", 200)
    assert UsersKeys(data).state().since == 200
    assert opened().of(ADA) is not None


def files(*paths: Path) -> list[Any]:
    return [orjson.loads(path.read_bytes()) for path in paths]


@pytest.mark.parametrize("broken", [("/bin/false",), ("/bin/echo", "some"), ("/bin/cat",)])
def test_what_does_not_wrap_is_not_taken(
    opened: Callable[[], UserKeys], data: Path, broken: tuple[str, ...]
) -> None:
    with pytest.raises(Locked) as refused:
        UsersKeys(data).wrap_by(broken, 100)
    assert str(refused.value.where).startswith(" ".join(broken))
    assert list(data.iterdir()) == []
    opened().make(ADA)
    with pytest.raises(Locked):
        UsersKeys(data).wrap_by(broken, 100)
    assert not (data / FILE).exists()
    assert opened().of(ADA) is not None


def test_keys_are_moved_and_nothing_is_left_of_them(
    opened: Callable[[], UserKeys], data: Path, tmp_path: Path
) -> None:
    opened().make(ADA)
    with (data / "user-keys.db").open("rb") as before:
        UsersKeys(data).move(tmp_path / "elsewhere.db")
        assert not before.read().strip(b"\0")
    assert sorted(each.name for each in data.iterdir()) == [FILE, "wrapping.json"]
    assert opened().of(ADA) is not None
    with pytest.raises(Locked, match="File exists"):
        UsersKeys(data).move(tmp_path / "elsewhere.db")


def test_several_authorities_may_wrap_in_one_file(tmp_path: Path) -> None:
    shared = FileWrapping(tmp_path / "wrapping.json")
    one, other = (UserKeys(tmp_path / name, shared) for name in ("one.db", "other.db"))
    one.make(ADA)
    other.make(BOB)
    for _ in range(2):
        one.rotate(100)
    one.sweep(200 + ARCHIVED, ARCHIVED)
    again = UserKeys(tmp_path / "other.db", shared, new=False)
    assert again.of(BOB) is not None
    for keys in (one, other, again):
        keys.close()


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"keys":"k","by":{"file":1},"former":{}}', '{"by":{"command":[]},"former":{}}']
)
def test_settings_that_are_damaged_are_refused(data: Path, text: str) -> None:
    (data / FILE).write_text(text)
    (data / FILE).chmod(0o600)
    with pytest.raises(Locked, match="damaged"):
        UserKeys.beside(data / "deputize.db")


def test_settings_that_others_may_write_are_refused(data: Path) -> None:
    Settings(data / "user-keys.db", ("/bin/true",)).write(data)
    assert (data / FILE).stat().st_mode & 0o777 == 0o600
    (data / FILE).chmod(0o620)
    with pytest.raises(Locked, match="may be written by others"):
        UserKeys.beside(data / "deputize.db")


def test_files_may_be_links_but_none_is_made_where_one_leads_nowhere(
    opened: Callable[[], UserKeys], data: Path, tmp_path: Path
) -> None:
    (data / "user-keys.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(Locked, match="missing"):
        opened().make(ADA)
    (tmp_path / "elsewhere.db").touch()
    (data / "wrapping.json").symlink_to(tmp_path / "elsewhere.json")
    keys = opened()
    keys.make(ADA)
    keys.rotate(100)
    assert (data / "wrapping.json").is_symlink()
    assert (tmp_path / "elsewhere.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "elsewhere.db").stat().st_mode & 0o777 == 0o600
    assert opened().of(ADA) is not None


def test_seal_5_a_command_that_is_gone_is_missed_and_none_is_run_for_that(
    opened: Callable[[], UserKeys], data: Path, tmp_path: Path
) -> None:
    (program := tmp_path / "wraps").write_text(f"#!/bin/sh\necho $1 >>{tmp_path}/asked\nexec cat\n")
    program.chmod(0o700)
    UsersKeys(data).wrap_by((str(program),), 100)
    keys = opened()
    keys.make(ADA)
    asked = (tmp_path / "asked").read_bytes()
    assert keys.wrapping_fault() is None
    program.chmod(0o600)
    assert "the command that wraps the users' keys is not there" in str(keys.wrapping_fault())
    assert (tmp_path / "asked").read_bytes() == asked
    assert keys.of(ADA) is not None


def test_a_folder_may_move_and_be_named_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: tuple[str, ...]
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    keys = UserKeys.beside(Path("here/deputize.db"))
    keys.make(ADA)
    UsersKeys(Path("here")).wrap_by(Path("here/second.json"), 100)
    UsersKeys(Path("here")).move(Path("here/moved.db"))
    keys.close()
    (tmp_path / "here").rename(tmp_path / "there")
    monkeypatch.chdir("/")
    again = UserKeys.beside(tmp_path / "there" / "deputize.db")
    assert again.of(ADA) is not None
    again.sweep(100 + ARCHIVED, ARCHIVED)
    assert orjson.loads((tmp_path / "there/wrapping.json").read_bytes())["keys"] == {}
    again.close()


def test_a_clone_leaves_a_file_of_keys_elsewhere_to_the_first_one(
    opened: Callable[[], UserKeys], data: Path, tmp_path: Path
) -> None:
    opened().make(ADA)
    UsersKeys(data).move(tmp_path / "elsewhere.db")
    before = (tmp_path / "elsewhere.db").read_bytes()
    shutil.copytree(data, tmp_path / "clone")
    UsersKeys(tmp_path / "clone").begin_anew()
    assert (tmp_path / "elsewhere.db").read_bytes() == before
    clone = UserKeys.beside(tmp_path / "clone/deputize.db")
    assert clone.of(ADA) is not None
    assert clone.path == tmp_path / "clone/user-keys.db"
    clone.close()
    assert opened().of(ADA) is not None


def test_what_a_file_has_wrapped_opens_after_it_has_wrapped_more(tmp_path: Path) -> None:
    wrapping = FileWrapping(tmp_path / "wrapping.json")
    keys = {
        name: [(key, wrapping.wrap(name, key)) for key in (b"k" * 32, b"l" * 32)] for name in ("one", "two")
    }
    for name, wrapped in keys.items():
        assert [wrapping.unwrap(name, sealed) for _, sealed in wrapped] == [key for key, _ in wrapped]
