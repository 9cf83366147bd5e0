"""Which methods of approval there are: those whose modules are in the folder, in the order of their ranks (APPR-9)."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.bank import POLICY

from deputize import methods as folder
from deputize import settings
from deputize.methods import methods
from deputize.methods.webauthn import Passkeys

SITE = settings.loads(POLICY.encode())
MODULE = """
from tests.codes import Codes
RANK = {rank}
def method(policy, secret):
    return Codes(secret, name="{name}")
"""

Add = Callable[..., None]


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Add:
    """Put modules into the folder."""
    monkeypatch.setattr(folder, "__path__", [*folder.__path__, str(tmp_path)])

    def write(module: str, rank: int, name: str | None = None) -> None:
        monkeypatch.delitem(sys.modules, f"deputize.methods.{module}", raising=False)
        (tmp_path / f"{module}.py").write_text(MODULE.format(rank=rank, name=name or module))

    return write


def test_passkeys_are_the_only_one() -> None:
    """Whoever adds another one says so here."""
    assert methods(SITE, bytes(32)).names == ("webauthn",)


def test_passkeys_are_of_this_site() -> None:
    found = methods(SITE, bytes(32)).named("webauthn")
    assert isinstance(found, Passkeys)
    for surface, ceremonies in found.ceremonies.items():
        assert (ceremonies.rp_id, ceremonies.origins) == (SITE.site.rp_id, SITE.origins(surface))


def test_one_is_found_by_being_there_and_asked_for_by_its_rank(add: Add) -> None:
    before = methods(SITE, bytes(32)).names
    add("early", 1002)
    add("anything", 1003)
    add("another", 1001)
    assert methods(SITE, bytes(32)).names == (*before, "another", "early", "anything")


def test_each_has_a_secret_of_its_own(add: Add) -> None:
    add("one", 1001)
    add("two", 1002)
    # The methods are those that `add` has written, so mypy does not know their attributes.
    secrets = [each.telephones for wire in (bytes(32), b"1" * 32) for each in list(methods(SITE, wire))[-2:]]  # type: ignore[attr-defined]
    assert len({*secrets, bytes(32), b"1" * 32}) == 6
    assert {len(secret) for secret in secrets} == {32}


def test_one_whose_module_has_another_name_does_not_start(add: Add) -> None:
    add("honest", 1, name="webauthn")
    with pytest.raises(ValueError, match="the module honest has the method of approval webauthn"):
        methods(SITE, bytes(32))


def test_two_of_one_rank_do_not_start(add: Add) -> None:
    add("rival", 0)
    with pytest.raises(ValueError, match="rival and webauthn have one rank"):
        methods(SITE, bytes(32))
