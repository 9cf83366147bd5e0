"""LOG-5: what the record has of a call is told in words, and proven to somebody who has nothing but a key."""

import asyncio
import json
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.bank import POLICY, opened
from typer.testing import CliRunner

from deputize import settings
from deputize.cli import app
from deputize.protocol.call import Call
from deputize.protocol.description import Description
from deputize.protocol.entry import Entry, Kind
from deputize.protocol.errors import Code
from deputize.protocol.ids import CallId
from deputize.service import record
from deputize.service.ports import Tx
from deputize.store.sqlite import SqliteStore
from deputize.store.tables import TABLES
from deputize.store.transaction import Transaction
from deputize.testing.page import Page

TRANSFER = {"amount": 250, "name": "Ada"}
run = CliRunner().invoke


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Make a record with a call that was approved, one that was declined, and one that ran unasked."""
    monkeypatch.chdir(tmp_path)
    Path("deputize.toml").write_text(POLICY)
    return asyncio.run(_history())


async def _history() -> dict[str, str]:
    async with opened(settings.load(Path("deputize.toml")), Path("var")) as bank:
        grace = bank.page()
        assert (await grace.sign_up()).status_code == 200
        assert (await grace.deputize("account:read payments:write")).status_code == 200
        calls = {}
        for name, arguments in (("approved", TRANSFER), ("declined", {**TRANSFER, "amount": 9})):
            pending = await grace.call("transfer_money", arguments)
            calls[name] = str(pending.json()["call_id"])
        await _approve(grace, calls["approved"])
        denial = await grace.send("POST", f"/calls/{calls['declined']}/denial", {"reason": "declined"})
        assert denial.status_code == 200
        calls["unasked"] = str((await grace.call("get_balance")).json()["call_id"])
        for named in (
            calls["approved"],
            grace.tokens["grant_id"],
            grace.tokens["sub"],
        ):  # as if these were tools
            calls[f"called {named}"] = str((await grace.call(named)).json()["call_id"])
        return {**calls, "grant": grace.tokens["grant_id"], "user": grace.tokens["sub"]}


async def _approve(page: Page, call_id: str) -> None:
    envelope = (await page.send("POST", f"/calls/{call_id}/challenge")).json()
    answer = await page.send("POST", f"/calls/{call_id}/approval", page.evidence(envelope))
    assert answer.status_code == 200, answer.text


def shown(about: str) -> str:
    result = run(app, ["log", "show", about])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_log_show_tells_who_did_it_who_let_them_and_who_saw_it(calls: dict[str, str]) -> None:
    lines = shown(calls["approved"]).splitlines()
    assert lines[0] == "what          transfer_money: approved"
    assert lines[1].startswith("who did it    agt_")
    assert lines[1].endswith(f", for {calls['user']} “Grace Hopper”")
    assert lines[2].startswith(
        f"who let them  {calls['user']} “Grace Hopper”, with a passkey, "
        "2027-01-15T08:00:00Z: account:read payments:write for agt_"
    )
    assert (
        lines[3] == f"who saw it    {calls['user']} “Grace Hopper”, with a passkey, 2027-01-15T08:00:00Z: "
        "Send \u2068250.00\u2069 EUR to \u2068“Ada”\u2069"
    )
    kinds = [line.split()[2] for line in lines[6:]]
    assert kinds == ["grant.requested", "grant.active", "call.pending", "call.approved"]


def test_log_show_tells_by_which_method_it_was_seen(calls: dict[str, str]) -> None:  # APPR-9
    facts = {"call_id": calls["approved"], "method": "code", "evidence_s256": "x"}
    with closing(SqliteStore(Path("var/deputize.db"))) as store:
        asyncio.run(store.transact(lambda tx: tx.append(Entry("call.approved", facts), 1_800_000_009)))
    assert (
        shown(calls["approved"])
        .splitlines()[3]
        .startswith(f"who saw it    {calls['user']} “Grace Hopper”, by the method code, ")
    )


def test_log_show_tells_that_digits_were_typed(calls: dict[str, str]) -> None:  # PHONE-3, APPR-11
    facts = {"call_id": calls["approved"], "method": "webauthn", "evidence_s256": "x", "digits_typed": True}
    with closing(SqliteStore(Path("var/deputize.db"))) as store:
        asyncio.run(store.transact(lambda tx: tx.append(Entry("call.approved", facts), 1_800_000_009)))
    saw = shown(calls["approved"]).splitlines()[3]
    assert saw.startswith(
        f"who saw it    {calls['user']} “Grace Hopper”, with a passkey and the two digits of the page that asked, "
    )


@pytest.mark.parametrize("kind", [Kind.REDEMPTION_REFUSED, Kind.CALL_REFUSED, Kind.APPROVAL_REFUSED])
def test_what_is_refused_afterwards_is_not_what_became_of_it(calls: dict[str, str], kind: Kind) -> None:
    """GUARD-3, CALL-6: whoever sends a call token twice, or asks for the same again, rewrites nothing."""
    with closing(SqliteStore(Path("var/deputize.db"))) as store:
        late = Entry(kind, {"call_id": calls["approved"], "code": Code.CALL_REDEEMED})
        asyncio.run(store.transact(lambda tx: tx.append(late, 1_800_000_009)))
    told = shown(calls["approved"])
    assert told.startswith("what          transfer_money: approved\n")
    assert f"{kind} " in told


@pytest.mark.parametrize(
    ("which", "what"),
    [("declined", "transfer_money: declined"), ("unasked", "get_balance: approved")],
)
def test_log_show_says_that_nobody_saw_it(calls: dict[str, str], which: str, what: str) -> None:
    lines = shown(calls[which]).splitlines()
    assert lines[0] == f"what          {what}"
    assert lines[3] == "who saw it    nobody"


def test_a_grant_and_a_user_have_a_history_too(calls: dict[str, str]) -> None:
    assert shown(calls["grant"]).count("call.") == 8
    assert "user.signed_up" in shown(calls["user"])


def test_no_agent_talks_itself_into_the_history_of_another(calls: dict[str, str]) -> None:
    """What an agent may choose, such as the name of a tool that it tries, is not what an entry is about."""
    approved, noise = calls["approved"], calls[f"called {calls['approved']}"]
    assert noise not in shown(approved)
    assert shown(approved).startswith("what          transfer_money: approved\n")
    assert noise not in json.dumps(receipt(approved))
    assert check(receipt(approved, "--arguments"))[0] == 0
    assert calls[f"called {calls['user']}"] in shown(calls["user"])  # in whose name it was, all the same


def test_words_that_were_changed_are_not_told(calls: dict[str, str]) -> None:  # LOG-2
    def change(tx: Tx) -> None:
        assert isinstance(tx, Transaction)
        call = tx.call(CallId(calls["approved"]))
        assert call is not None
        changed = replace(call, description=Description("Send 1.00 EUR to Ada"))
        sealed = TABLES[Call].row(changed, tx._keys)[-1]  # whoever has all keys can do so
        tx._execute("UPDATE calls SET sealed = ? WHERE call_id = ?", [sealed, call.call_id])

    with closing(SqliteStore(Path("var/deputize.db"))) as store:
        asyncio.run(store.transact(change))
    assert "1.00" not in shown(calls["approved"])


def test_keep_6_a_row_that_was_put_elsewhere_is_told_as_that(calls: dict[str, str]) -> None:
    with closing(sqlite3.connect("var/deputize.db")) as connection, connection:
        connection.execute("UPDATE calls SET sealed = (SELECT sealed FROM users LIMIT 1)")
    told = run(app, ["log", "show", calls["approved"]])
    assert (told.exit_code, told.stdout) == (1, "")
    assert "a row is not what was sealed there" in told.stderr


@pytest.mark.parametrize("command", ["show", "receipt"])
def test_of_what_is_not_there_nothing_is_told(calls: dict[str, str], command: str) -> None:
    result = run(app, ["log", command, "cal_AAAAAAAAAAAAAAAAAAAAAA"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "deputize: the record tells nothing of cal_AAAAAAAAAAAAAAAAAAAAAA\n"


def receipt(about: str, *options: str) -> dict[str, Any]:
    result = run(app, ["log", "receipt", about, *options])
    assert result.exit_code == 0, result.output
    made: dict[str, Any] = json.loads(result.stdout)
    return made


def check(made: object, key: str | None = None) -> tuple[int, str]:
    """Check as somebody would who has the receipt and the key."""
    Path("receipt.json").write_text(json.dumps(made))
    key = key or run(app, ["log", "key"]).stdout.strip()
    result = run(app, ["log", "check", "receipt.json", "--key", key])
    return result.exit_code, result.stderr


def test_a_receipt_is_checked_with_nothing_but_the_key(calls: dict[str, str]) -> None:
    made = receipt(calls["approved"])
    assert check(made) == (0, "All 4 are in the record of bank.example/deputize; it had 12.\n")
    assert "opening" not in made
    assert "Ada" not in re.split(r"\W", json.dumps(made))  # as a word: digests have any letters


def test_a_receipt_may_open_the_arguments(calls: dict[str, str]) -> None:
    made = receipt(calls["approved"], "--arguments")
    assert made["opening"]["arguments"] == TRANSFER
    code, told = check(made)
    assert (code, "with these arguments" in told) == (0, True)
    made["opening"]["arguments"]["amount"] = 251
    code, told = check(made)
    assert (code, "not the arguments that the record commits to" in told) == (1, True)


def test_what_was_shown_is_told_line_by_line_as_it_was_read(calls: dict[str, str]) -> None:
    made = receipt(calls["approved"], "--arguments")
    check(made)
    key = run(app, ["log", "key"]).stdout.strip()
    told = run(app, ["log", "check", "receipt.json", "--key", key]).stdout
    for each in made["questions"]:
        lines = "".join(f"  {line}\n" for line in each["question"]["lines"])
        assert f"{calls['user']} was shown:\n{lines}" in told


def test_appr_11_a_receipt_may_open_what_was_shown(calls: dict[str, str]) -> None:
    made = receipt(calls["approved"], "--arguments")
    consent, call = (each["question"] for each in made["questions"])
    assert call["lines"][:2] == ["Send \u2068250.00\u2069 EUR to \u2068“Ada”\u2069", "Asked by"]
    assert (call["what"]["kind"], call["what"]["subject"]) == ("call", calls["approved"])
    assert (consent["what"]["kind"], consent["what"]["subject"]) == ("consent", calls["grant"])
    assert check(made)[0] == 0
    for member, other in (
        ("lines", ["Send \u20681.00\u2069 EUR"]),
        ("approver", "usr_other"),
        ("language", "de"),
    ):
        forged = json.loads(json.dumps(made))
        forged["questions"][1]["question"][member] = other
        assert check(forged) == (1, "deputize: receipt.json: the record does not commit to these words\n")
    made["questions"][0]["salt"], made["questions"][1]["salt"] = (
        made["questions"][1]["salt"],
        made["questions"][0]["salt"],
    )
    assert check(made)[0] == 1
    assert "questions" not in receipt(calls["approved"])


def test_a_receipt_sends_no_control_characters_to_the_terminal(calls: dict[str, str]) -> None:
    """Whoever checks does not trust whoever made the record."""
    with closing(SqliteStore(Path("var/deputize.db"))) as store:
        entry = Entry("call.approved", {"call_id": "cal_BBBBBBBBBBBBBBBBBBBBBB", "tool": "\x9b2J\u202eyap"})
        asyncio.run(store.transact(lambda tx: tx.append(entry, 1_800_000_000)))
    Path("receipt.json").write_text(json.dumps(receipt("cal_BBBBBBBBBBBBBBBBBBBBBB")))
    key = run(app, ["log", "key"]).stdout.strip()
    result = run(app, ["log", "check", "receipt.json", "--key", key])
    assert (result.exit_code, '"tool":"\ufffd2J\ufffdyap"' in result.stdout) == (0, True)


def test_nobody_who_decides_calls_waits_for_a_receipt(
    calls: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record may be long: while it is read, a server that runs can write."""

    def while_somebody_writes(name: str) -> None:
        of_the_record = getattr(record, name)

        def slow(*args: Any) -> Any:
            with closing(sqlite3.connect("var/deputize.db", timeout=0.1)) as connection:
                connection.execute("BEGIN IMMEDIATE")
            return of_the_record(*args)

        monkeypatch.setattr(record, name, slow)

    while_somebody_writes("trail")
    while_somebody_writes("prove")
    assert len(receipt(calls["approved"], "--arguments")["entries"]) == 4


def changed_leaf(made: dict[str, Any]) -> None:
    made["entries"][3]["leaf"] = made["entries"][3]["leaf"].replace("call.approved", "call.succeeded")


def changed_proof(made: dict[str, Any]) -> None:
    made["entries"][0]["proof"].pop()


def moved(made: dict[str, Any]) -> None:
    made["entries"][0]["index"] += 1


def another_root(made: dict[str, Any]) -> None:
    origin, size, _, *rest = made["checkpoint"].split("\n")
    made["checkpoint"] = "\n".join([origin, size, "A" * 43 + "=", *rest])


@pytest.mark.parametrize("forge", [changed_leaf, changed_proof, moved, another_root])
def test_a_forged_receipt_shows(calls: dict[str, str], forge: Any) -> None:
    made = receipt(calls["approved"])
    forge(made)
    code, told = check(made)
    assert (code, told.count("\n")) == (1, 1)


@pytest.mark.parametrize(
    "made",
    [
        {},
        [],
        {"v": 1, "checkpoint": "", "entries": []},
        {"v": 1, "checkpoint": "", "entries": [{"index": 0, "leaf": "{}", "proof": []}], "questions": {}},
        {"v": 1, "checkpoint": "", "entries": [{"index": 0, "leaf": "{}", "proof": []}],
         "questions": [{"question": {}, "salt": ""}]},
        {"v": 2, "checkpoint": "", "entries": [{"index": 0, "leaf": "{}", "proof": []}]},
        {"v": 1, "checkpoint": "", "entries": [{"index": 0, "leaf": "[]", "proof": []}]},
        {"v": 1, "checkpoint": "", "entries": [{"index": 0, "leaf": "{", "proof": []}]},
        {"v": 1, "checkpoint": "", "entries": [{"index": 0, "leaf": "{}", "proof": ["?"]}]},
        {"v": 1, "checkpoint": "", "entries": [{"index": 0, "leaf": "{}", "proof": [1]}]},
        {"v": 1, "checkpoint": "", "entries": [{"index": 0, "leaf": "{}", "proof": []}], "more": 1},
        {"v": 1, "checkpoint": "", "entries": [{"index": 0, "leaf": "{}", "proof": []}], "opening": {"args_salt": ""}},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_receipt_is_told_in_one_line(calls: dict[str, str], made: object) -> None:
    assert check(made) == (1, "deputize: receipt.json is not a receipt\n")


def test_a_receipt_is_not_good_by_another_records_key(
    calls: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    made = receipt(calls["grant"])
    own = run(app, ["log", "key"]).stdout.strip()
    for key, status in (("x", 2), (own[:-4] + "AAAA", 2), (own.replace("bank", "bonk"), 2)):
        code, told = check(made, key)
        assert (code, told.count("\n")) == (status, 1), key
