"""All that is kept of a user is in one file, however much that is, and nothing that proves who he is (KEEP-2)."""

from typing import Any

import orjson
import pytest
from tests.service.agents import Attested
from tests.service.kit import ALL, TRANSFER, Desk, Person

from deputize.protocol.canonical import Json
from deputize.protocol.grant import Grant
from deputize.protocol.ids import UserId
from deputize.protocol.quota import DOWNLOADS
from deputize.service import exports, reading


def export(desk: Desk, user_id: UserId) -> dict[str, Any]:
    piece = exports.export(user_id, desk.now)
    parts = list(iter(lambda: desk.look(piece), None))
    assert desk.look(piece) is None
    told: dict[str, Any] = orjson.loads(b"".join(parts))
    return told


def names(told: object) -> set[str]:
    """Return all names of members, however deep."""
    if isinstance(told, dict):
        return {*told}.union(*map(names, told.values()))
    return set[str]().union(*map(names, told)) if isinstance(told, list) else set()


@pytest.mark.parametrize("calls", [0, 1, 2, 3, 4, 5])
def test_a_long_history_is_whole(
    desk: Desk, grace: Person, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each page the last line, and the first of the next, have one comma between them."""
    monkeypatch.setattr(exports, "_PAGE", 2)
    monkeypatch.setattr(reading, "PAGE", 3)
    held, ada = desk.deputize(grace), desk.person()
    theirs = desk.deputize(ada)
    made = []
    for number in range(calls):
        made.append(desk.allowed(grace, held, "note", {"n": number}).call.call_id)
        desk.allowed(ada, theirs, "note", {"n": number})
    told = export(desk, grace.user.user_id)
    assert [call["call_id"] for call in told["calls"]] == made[::-1]
    assert [call["arguments"]["n"] for call in told["calls"]] == [*range(calls)][::-1]
    assert told["record"] == [each for each in desk.entries() if each.get("sub") == grace.user.user_id]
    assert [each["used"] for each in told["delegations"]] == [{}]


def test_what_proves_that_one_is_this_user_is_left_out(desk: Desk, grace: Person) -> None:
    helper = Attested.make(desk)
    assert isinstance(helper.show(grace, helper.pushed()), Grant)
    desk.allowed(grace, desk.deputize(grace), "note")
    told = export(desk, grace.user.user_id)
    assert [len(told[kind]) for kind in ("requests", "calls", "deputies")] == [1, 1, 1]
    assert not names(told) & {"digest", "secret_digest", "match_key", "user_code", "code_challenge"}


def test_scopes_limits_and_descriptions_are_as_the_protocol_writes_them(desk: Desk, grace: Person) -> None:
    limit: Json = {"type": "webmcp_tool", "tool": "transfer_money", "max_calls": 3}
    made = desk.allowed(grace, desk.deputize(grace, details=[limit]), "transfer_money", TRANSFER)
    told = export(desk, grace.user.user_id)
    (given,), (call,) = told["delegations"], told["calls"]
    assert (given["scopes"], given["constraints"]) == (" ".join(sorted(ALL.split())), [limit])
    described = made.call.description
    assert described is not None
    assert (call["scopes"], call["description"]) == (
        "payments:write",
        {"headline": described.headline, "rows": [[row.title, *row.values] for row in described.rows]},
    )


def test_a_clock_that_went_wrong_spoils_nothing(desk: Desk, grace: Person) -> None:
    desk.deputize(grace, expires_at=10**12)
    (given,) = export(desk, grace.user.user_id)["delegations"]
    assert (given["expires_at"], given["created_at"]) == (10**12, "2027-01-15T08:00:00Z")


def test_of_somebody_who_is_not_there_there_is_nothing(desk: Desk) -> None:
    told = export(desk, UserId("usr_nobody"))
    assert {name: each for name, each in told.items() if each} == {"v": 1, "made_at": "2027-01-15T08:00:00Z"}


def test_whoever_downloads_all_the_time_waits(desk: Desk, grace: Person) -> None:
    begun = [
        desk.do(lambda tx: exports.begin(tx, desk.at, grace.user.user_id)) for _ in range(DOWNLOADS.most + 1)
    ]
    assert [callable(each) for each in begun] == [True] * DOWNLOADS.most + [False]
