"""A policy file that is followed: what counts as a change, and what stays in force when there is none (POLICY-2)."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from tests.starving import KEEPING

from deputize.protocol.scope import ScopeSet
from deputize.protocol.tool import Tool
from deputize.settings import PolicyError, following, loads
from deputize.settings.following import Followed

SITE = '[site]\nname = "Bank"\norigin = "http://localhost:8000"\n'
READ = '[scopes."account:read"]\ntitle = "See your accounts"\n'
TOOL = '[tools.get_balance]\nscopes = ["account:read"]\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "deputize.toml"
    path.write_text(SITE + READ + TOOL)
    return path


class Raises:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self, data: bytes) -> Any:
        raise self.error


def until_it_is_old(path: Path) -> None:
    """Wait until the last change is so long ago that a look is enough; no process can set that time back."""
    end = time.monotonic() + 10
    while time.time() - path.stat().st_ctime <= 1.1:
        assert time.monotonic() < end
        time.sleep(0.02)


class TestChanges:
    def test_a_file_that_stays_is_read_once(self, file: Path) -> None:
        followed = Followed(file)
        before = followed.policy
        assert not any(followed.changed() for _ in range(3))
        assert followed.policy is before

    def test_each_change_shows_at_once(self, file: Path) -> None:
        """Also of the same length, in place, and within one tick of the kernel's clock."""
        followed = Followed(file)
        for index in range(200):
            file.write_text(SITE.replace("Bank", f"B{index:03}") + READ + TOOL)
            assert followed.changed()
            assert followed.policy.site.name == f"B{index:03}"
            assert not followed.changed()

    def test_a_change_after_a_while_shows_too(self, file: Path) -> None:
        followed = Followed(file)
        until_it_is_old(file)
        assert not followed.changed()
        assert not followed.changed()  # from here on it is one look
        modified = file.stat()
        file.write_text(SITE.replace("Bank", "Bonk") + READ + TOOL)
        os.utime(file, ns=(modified.st_atime_ns, modified.st_mtime_ns))  # as if it were the old one
        assert followed.changed()
        assert followed.policy.site.name == "Bonk"

    def test_another_file_in_its_place_shows(self, file: Path, tmp_path: Path) -> None:
        followed = Followed(file)
        new = tmp_path / "new.toml"
        new.write_text(SITE + READ)
        new.replace(file)
        assert followed.changed()
        assert not followed.policy.tools

    def test_a_link_that_leads_elsewhere_shows(self, file: Path, tmp_path: Path) -> None:
        link = tmp_path / "link.toml"
        link.symlink_to(file)
        followed = Followed(link)
        new = tmp_path / "new.toml"
        new.write_text(SITE + READ)
        link.unlink()
        link.symlink_to(new)
        assert followed.changed()
        assert not followed.policy.tools

    def test_the_same_words_are_no_change(self, file: Path) -> None:
        followed = Followed(file)
        before = followed.policy
        file.write_bytes(file.read_bytes())
        assert not followed.changed()
        assert followed.policy is before

    def test_it_is_followed_wherever_the_process_goes(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(file.parent)
        followed = Followed(file.name)
        monkeypatch.chdir("/")
        file.write_text(SITE + READ)
        assert followed.changed()
        assert followed.fault is None


class TestFaults:
    """Nothing but a good file takes the place of a good file (POLICY-2)."""

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("", "site: missing"),
            (SITE + "[tools.get_balance]\nscopes = 1\n", "tools.get_balance.scopes"),
            ("\0", "1"),
            (SITE.replace("8000", "8001"), "site.origin cannot change"),
            (SITE + 'issuer = "http://localhost:8000/other"\n', "site.issuer cannot change"),
            (SITE + '[api]\naudience = "other"\n', "api.audience cannot change"),
            (SITE + "[agents]\ndevelopment = true\n", "agents.development cannot change"),
            (SITE + '[mcp]\nsingle_user = "Ada"\n', "mcp.single_user cannot change"),
            (SITE + '[record]\nhead = "/mnt/other/head"\n', "record.head cannot change"),
        ],
    )
    def test_leave_the_policy_in_force_as_it_was(self, file: Path, text: str, fault: str) -> None:
        followed = Followed(file)
        before = followed.policy
        file.write_text(text)
        assert followed.changed()
        assert followed.policy is before
        assert fault in str(followed.fault)
        assert not followed.changed()  # told once
        file.write_text(SITE + READ + TOOL)
        assert followed.changed()
        assert (followed.policy, followed.fault) == (before, None)

    def test_a_file_that_is_gone_leaves_the_policy_in_force(self, file: Path) -> None:
        followed = Followed(file)
        before, text = followed.policy, file.read_text()
        file.unlink()
        assert followed.changed()
        assert (followed.policy, followed.fault) == (before, "it cannot be read: No such file or directory")
        assert not followed.changed()
        file.mkdir()
        assert followed.changed()
        assert followed.policy is before
        file.rmdir()
        file.write_text(text.replace("Bank", "Bonk"))
        assert followed.changed()
        assert (followed.policy.site.name, followed.fault) == ("Bonk", None)

    @pytest.mark.parametrize("keeping", KEEPING.values(), ids=KEEPING)
    def test_a_file_that_cannot_be_read_leaves_the_policy_in_force(self, file: Path, keeping: Any) -> None:
        """Whatever it is, it is told, and what was tightened meanwhile bites at the first look after it."""
        followed = Followed(file)
        before = followed.policy
        file.write_text(SITE)
        until_it_is_old(file)
        with keeping(file):
            assert followed.changed()
            assert followed.policy is before
            assert str(followed.fault).startswith("it cannot be read: ")
            assert not followed.changed()
        assert followed.changed()
        assert (followed.policy.scopes, followed.fault) == ({}, None)

    def test_what_is_needed_to_read_it_is_missing(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Not the file's own fault, so the file is read again, though it stays as it is."""
        followed = Followed(file)
        before = followed.policy
        file.write_text(SITE)
        until_it_is_old(file)
        for error in (MemoryError(), ImportError("a module"), OSError(24, "Too many open files")):
            with monkeypatch.context() as patch:
                patch.setattr(following, "loads", Raises(error))
                followed.changed()
                assert followed.policy is before
                assert str(followed.fault).startswith("it cannot be read: ")
                assert not followed.changed()
        assert followed.changed()
        assert (followed.policy.scopes, followed.fault) == ({}, None)

    def test_a_file_that_is_nested_without_end_leaves_the_policy_in_force(self, file: Path) -> None:
        followed = Followed(file)
        file.write_text(SITE + "x = " + 50_000 * "[")
        assert followed.changed()
        assert followed.fault is not None
        file.write_text(SITE)
        assert followed.changed()
        assert followed.fault is None

    def test_a_file_that_is_written_bit_by_bit_counts_once_it_is_whole(self, file: Path) -> None:
        """Each look finds what is there, and the last one finds the whole."""
        followed = Followed(file)
        whole = SITE.replace("Bank", "Bonk") + READ + TOOL
        with file.open("w") as half:
            for character in whole:
                half.write(character)
                half.flush()
                followed.changed()
        followed.changed()
        assert (followed.policy.site.name, followed.fault) == ("Bonk", None)
        assert set(followed.policy.tools) == {"get_balance"}

    def test_to_begin_with_there_is_no_policy_before(self, file: Path) -> None:
        file.write_text("")
        with pytest.raises(PolicyError):
            Followed(file)
        file.unlink()
        with pytest.raises(FileNotFoundError):
            Followed(file)


GREET = Tool("greet", ScopeSet.of(["account:read"]))


class TestDeclared:
    """What Python declared stays declared, if it still can be."""

    def test_what_python_declared_stays(self, file: Path) -> None:
        followed = Followed(file)
        followed.declare(GREET)
        for name in ("Bonk", "Bunk"):
            file.write_text(SITE.replace("Bank", name) + READ)
            assert followed.changed()
            assert set(followed.policy.tools) == set(followed.policy.declared) == {"greet"}

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            (SITE, "greet: the policy declares no scope account:read"),
            (SITE + READ + TOOL.replace("get_balance", "greet"), "greet: this tool is declared already"),
        ],
    )
    def test_a_file_that_what_python_declared_does_not_fit_has_a_fault(
        self, file: Path, text: str, fault: str
    ) -> None:
        followed = Followed(file)
        followed.declare(GREET)
        before = followed.policy
        file.write_text(text)
        assert followed.changed()
        assert (followed.policy, followed.fault) == (before, fault)


def test_the_hash_is_that_of_the_file() -> None:  # LOG-6
    assert loads(SITE.encode()).file_s256 == loads(SITE.encode()).file_s256
    assert loads(SITE.encode()).file_s256 != loads((SITE + READ).encode()).file_s256
