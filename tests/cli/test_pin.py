"""`deputize pin`: what is told to the owner of a page, and written (PIN-2); e2e/test_drift.py plays it in Chromium."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deputize.cli import app, changes, pin
from deputize.cli.changes import compared, keep, kept, kept_at, told
from deputize.protocol.definition import Definition
from deputize.settings import load
from deputize.testing import definitions
from deputize.testing.definitions import NotRead, checked, listed

run = CliRunner().invoke
URL = "http://localhost:8000/"
POLICY = """[site] # ours
name = "Bank"
origin = "http://localhost:8000"
[scopes."account:read"]
title = "See your accounts"
writes = false
[tools.get_balance]
scopes = ["account:read"]

# For everybody.
[tools.search_help]
public = true
"""
HONEST = Definition("get_balance", "Tells the balance.", {"type": "object"})
LYING = Definition("get_balance", "Tells\u200b the balance.\nAnd more.", {"type": "object"})


class Page:
    """What the browser would have found."""

    def __init__(self, *gated: Definition, ungated: Sequence[str] = ()) -> None:
        self.gated, self.ungated = [*gated], [*ungated]


@pytest.fixture(autouse=True)
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "deputize.toml"
    path.write_text(POLICY)
    return path


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Page]:
    """The page that is there: the last of these."""
    pages = [Page(HONEST)]
    monkeypatch.setattr(definitions, "read", lambda url, rest, ready: pages[-1])
    return pages


def pins(policy: Path) -> Mapping[str, Sequence[str]]:
    return {name: tool.pinned for name, tool in load(policy).tools.items() if tool.pinned}


def test_nothing_is_written_before_the_owner_says_yes(policy: Path, shown: list[Page]) -> None:
    for answer in ("n\n", "\n", ""):
        result = run(app, ["pin", URL], input=answer)
        assert result.exit_code == 1
        assert "Tells the balance." in result.stdout
        assert policy.read_text() == POLICY
        assert not kept_at(policy).exists()
    assert run(app, ["pin", URL], input="y\n").exit_code == 0
    assert pins(policy) == {"get_balance": (HONEST.s256,)}


def test_what_is_pinned_once_is_told_in_a_word_and_what_has_changed_in_its_lines(
    policy: Path, shown: list[Page]
) -> None:
    policy.chmod(0o640)
    assert run(app, ["pin", URL, "--yes"]).exit_code == 0
    assert policy.stat().st_mode & 0o777 == 0o640
    again = run(app, ["pin", URL])
    assert again.exit_code == 0
    assert "get_balance: as pinned\n" in again.stdout
    assert "nothing to pin" in again.stdout
    assert run(app, ["pin", URL, "--check"]).exit_code == 0
    shown.append(Page(LYING))
    changed = run(app, ["pin", URL, "--check"])
    assert changed.exit_code == 1
    lines = changed.stdout.splitlines()
    assert "  -   Tells the balance." in lines
    assert "  +   Tells\\u{200b} the balance." in lines  # which nobody would see
    assert "  +   And more." in lines
    assert pins(policy) == {"get_balance": (HONEST.s256,)}
    assert run(app, ["pin", URL, "-y"]).exit_code == 0
    assert pins(policy) == {"get_balance": (LYING.s256,)}
    assert [*kept(policy)] == [LYING.s256]


def test_also_keeps_what_was_pinned_until_a_run_without_it(policy: Path, shown: list[Page]) -> None:
    run(app, ["pin", URL, "--yes"])
    shown.append(Page(LYING))
    run(app, ["pin", URL, "--yes", "--also"])
    assert pins(policy) == {"get_balance": (LYING.s256, HONEST.s256)}
    assert {*kept(policy)} == {LYING.s256, HONEST.s256}
    again = run(app, ["pin", URL, "--also"])
    assert (again.exit_code, "get_balance: as pinned, beside 1 other\n" in again.stdout) == (0, True)
    assert run(app, ["pin", URL, "--check"]).exit_code == 0
    assert run(app, ["pin", URL, "--yes"]).exit_code == 0  # what is there now, and nothing else
    assert pins(policy) == {"get_balance": (LYING.s256,)}


def test_check_lets_pass_what_nobody_has_pinned(shown: list[Page]) -> None:
    result = run(app, ["pin", URL, "--check"])
    assert (result.exit_code, "get_balance: not pinned yet" in result.stdout) == (0, True)


def test_check_misses_what_is_pinned_and_on_no_page_that_is_named(
    policy: Path, shown: list[Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each page may have some of the tools: all of them together have what is pinned."""
    assert run(app, ["pin", URL, "--yes"]).exit_code == 0
    pages = {URL: Page(), f"{URL}bare": Page(ungated=["get_balance"]), f"{URL}balance": Page(HONEST)}
    monkeypatch.setattr(definitions, "read", lambda url, rest, ready: pages[url])
    for urls in ([URL], [URL, f"{URL}bare"]):
        gone = run(app, ["pin", *urls, "--check"])
        assert (gone.exit_code, "\nPinned, and on no page: get_balance\n" in gone.stdout) == (1, True)
    assert run(app, ["pin", URL, f"{URL}balance", "--check"]).exit_code == 0
    written = run(app, ["pin", URL])
    assert (written.exit_code, "get_balance: pinned, and not there" in written.stdout) == (0, True)
    assert pins(policy) == {"get_balance": (HONEST.s256,)}


def test_pages_that_describe_a_tool_each_in_its_words_are_pinned_together(
    policy: Path, shown: list[Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = {URL: Page(HONEST), f"{URL}de": Page(LYING)}
    monkeypatch.setattr(definitions, "read", lambda url, rest, ready: pages[url])
    assert run(app, ["pin", *pages, "--yes"]).exit_code == 0
    assert pins(policy) == {"get_balance": (HONEST.s256, LYING.s256)}
    assert "nothing to pin" in run(app, ["pin", *pages]).stdout
    assert run(app, ["pin", *pages, "--check"]).exit_code == 0


def test_what_cannot_be_pinned_is_told_and_left(policy: Path, shown: list[Page]) -> None:
    help_tool, other = Definition("search_help", "Help.", None), Definition("unheard_of", "x", None)
    shown.append(Page(help_tool, other, ungated=["early\x1b[2J"]))
    result = run(app, ["pin", URL, "--yes"])
    assert result.exit_code == 0
    for line in (
        "search_help: it is public, so that nothing is asked; not pinned",
        "unheard_of: the policy does not know it, so that every call is refused; not pinned",
        "early\\u{1b}[2J: runs without the gate, so that no pin holds it",
    ):
        assert line in result.stdout
    assert policy.read_text() == POLICY


def test_a_tool_that_the_file_does_not_have_is_not_written(
    policy: Path, shown: list[Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = load(policy)
    policy.write_text(POLICY.replace("[tools.get_balance]", "[tools.other]"))
    monkeypatch.setattr(pin, "read_policy", lambda path: parsed)
    result = run(app, ["pin", URL, "--yes"])
    assert (result.exit_code, "there is no tool get_balance in this file" in result.stderr) == (1, True)


def test_what_was_seen_is_believed_by_its_digest(policy: Path) -> None:
    keep(policy, {HONEST.s256: HONEST})
    assert kept(policy) == {HONEST.s256: HONEST}
    kept_at(policy).write_text(kept_at(policy).read_text().replace("Tells", "Told"))
    assert HONEST.s256 not in kept(policy)
    for broken in ("", "{", "{}", "[1]", '[{"name": "x"}]', '[{"a": 1, "a": 2}]'):
        kept_at(policy).write_text(broken)
        assert kept(policy) == {}


def test_without_what_was_seen_all_is_told(policy: Path, shown: list[Page]) -> None:
    run(app, ["pin", URL, "--yes"])
    kept_at(policy).unlink()
    (tool,) = compared([LYING], load(policy), kept(policy))
    first, *lines = told(tool)
    assert first.endswith("what it said then is not kept here; this is all that it says now")
    assert "      And more." in lines


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"description": "Something else"}, "says of get_balance one thing, and sends the digest of another"),
        ({"definition_s256": None}, "sends the digest of another"),
        ({"description": "\ud800"}, "what cannot be read"),
        ({"name": 1}, "what cannot be read"),
        ({"inputSchema": {"maximum": 2**53}}, "what cannot be read"),
    ],
)
def test_what_a_page_says_is_hashed_here_too(change: dict[str, Any], reason: str | None) -> None:  # HASH-3
    said = {**HONEST.to_json(), "definition_s256": HONEST.s256, **change}
    if reason is None:
        assert checked(said) == HONEST
    else:
        with pytest.raises(NotRead, match=reason):
            checked(said)


def test_a_file_that_cannot_be_replaced_stays(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("no room")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no room"):
        changes.replace_file(policy, b"")
    assert policy.read_text() == POLICY
    assert [*policy.parent.iterdir()] == [policy]


def test_a_page_that_cannot_be_read_is_no_drift(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unread(*_: object) -> None:
        raise NotRead("there is nobody")

    monkeypatch.setattr(definitions, "read", unread)
    for options in (["--check"], ["--yes"]):
        result = run(app, ["pin", URL, *options])
        assert (result.exit_code, f"{URL}: there is nobody" in result.stderr) == (2, True)
    assert policy.read_text() == POLICY


def test_without_a_policy_there_is_nothing_to_pin_to(policy: Path) -> None:
    policy.unlink()
    assert run(app, ["pin", URL]).exit_code == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "null",
        "{}",
        "[]",
        "[[]]",
        '[[], "x"]',
        "[{}, []]",
        '[[], ["x"]]',
        '"[[], []]"',
        "[" * 100_000,
    ],
)
def test_a_page_that_answers_as_no_shim_does_is_not_read(text: str) -> None:
    """It may have another one in its place."""
    with pytest.raises(NotRead, match="cannot be read"):
        listed(text)


def test_what_a_shim_answers_is_read() -> None:
    assert listed('[[{"name": "a"}], [{"name": null}]]') == ([{"name": "a"}], [{"name": None}])
