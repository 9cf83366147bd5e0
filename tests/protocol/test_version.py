"""VERSION-1: one number for the contract, wherever it stands, and who speaks another hears both."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from deputize.protocol import version
from deputize.protocol.errors import Code, Refused
from deputize.protocol.version import VERSION

JS = Path(__file__).parents[2] / "js/src/platform/version.js"


def test_it_is_the_one_that_the_contract_begins_with() -> None:
    text = (files("deputize") / "PROTOCOL.md").read_text(encoding="utf-8")
    assert re.findall(r"^Version (\d+)\.", text, re.MULTILINE) == [str(VERSION)]
    assert f'`{{"protocol": {VERSION}, "issuer"' in text


def test_pages_and_guards_on_node_have_the_same() -> None:
    assert f"export const VERSION = {VERSION};" in JS.read_text(encoding="utf-8")


@pytest.mark.parametrize("named", [None, str(VERSION)])
def test_a_guard_of_this_version_goes_on(named: str | None) -> None:
    version.check(named)


@pytest.mark.parametrize("named", ["0", str(VERSION + 1), "", f"0{VERSION}", "x" * 10_000])
def test_a_guard_of_another_hears_both_versions_and_the_cure(named: str) -> None:
    with pytest.raises(Refused) as caught:
        version.check(named)
    told = caught.value.refusal
    assert (told.code, told.facts) == (Code.VERSION_SKEW, {"protocol": VERSION})
    assert (
        f"version {named[:16]} of the protocol, and the authority version {VERSION}: install" in told.detail
    )
    assert len(told.detail) < 200
