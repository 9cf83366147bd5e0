"""A call that is not safe meets an earlier one that equals it (CALL-6)."""

from dataclasses import replace
from typing import Any

import pytest
from tests.service.kit import TRANSFER, Desk, Person, outcome
from tests.store import values as v

from deputize.protocol.call import State
from deputize.protocol.canonical import s256
from deputize.protocol.errors import Refusal
from deputize.protocol.grant import GrantState
from deputize.protocol.token import Delegation
from deputize.service.calls import endings, moves, redemptions
from deputize.service.calls.answers import Answered
from deputize.service.calls.request import MCP

Standing = tuple[Person, Delegation]
ANOTHER = s256(b"another")


@pytest.fixture
def ada(desk: Desk) -> Standing:
    person = desk.person("internal")
    return person, desk.deputize(person)


def ran(desk: Desk, made: Answered, outcome: State | None = State.SUCCEEDED) -> None:
    """Let a call run and, if it is to, tell its outcome."""
    desk.redeemed(made)
    if outcome is not None:
        desk.do(lambda tx: redemptions.note(tx, desk.at, made.call.call_id, outcome))


def test_a_pending_call_is_resumed(desk: Desk, ada: Standing) -> None:
    first = desk.allowed(*ada, "transfer_money", TRANSFER)
    before = len(desk.entries())
    again = desk.allowed(*ada, "transfer_money", TRANSFER)
    assert (again.call.call_id, again.call.state) == (first.call.call_id, State.PENDING)
    assert len(desk.entries()) == before  # nothing was decided that is not there already


@pytest.mark.parametrize(
    "changed",
    ["arguments", "definition", "page key", "agent", "user"],
    ids=lambda name: name.replace(" ", "_"),
)
def test_another_call_is_a_new_one(desk: Desk, ada: Standing, changed: str) -> None:
    person = ada[0]
    delegation = desk.deputize(person, definitions={"transfer_money": [s256(b"transfer_money"), ANOTHER]})
    first = desk.allowed(person, delegation, "transfer_money", TRANSFER)
    if changed == "user":
        person = desk.person("internal")
        person.page_jkt = ada[0].page_jkt
    if changed in ("agent", "user"):
        delegation = desk.deputize(person)
    arguments = {**TRANSFER, "amount": 251} if changed == "arguments" else TRANSFER
    others: dict[str, dict[str, Any]] = {
        "definition": {"definition_s256": ANOTHER},
        "page key": {"page_jkt": desk.person().page_jkt},
    }
    other = desk.allowed(person, delegation, "transfer_money", arguments, **others.get(changed, {}))
    assert other.call.call_id != first.call.call_id


def test_an_approved_call_is_resumed_and_its_entry_says_so(desk: Desk, ada: Standing) -> None:
    first = desk.allowed(*ada, "note")
    again = desk.allowed(*ada, "note")
    assert (again.call.call_id, again.call.entry) == (first.call.call_id, desk.last()["i"])
    assert desk.last()["resumed"] is True


def test_one_that_ends_an_earlier_one_names_its_own_entry(desk: Desk, ada: Standing) -> None:  # TOKEN-3
    first = desk.allowed(*ada, "note")
    desk.now += 600
    again = desk.allowed(*ada, "note")
    ended, own = desk.entries()[-2:]
    assert (ended["kind"], ended["call_id"]) == ("call.expired", first.call.call_id)
    assert (own["kind"], own["call_id"]) == ("call.approved", again.call.call_id)
    stored = desk.look(lambda tx: tx.call(again.call.call_id))
    assert stored is not None
    assert stored.entry == again.call.entry == own["i"]


def test_another_delegation_of_the_agent_asks_for_itself_while_the_first_lives(
    desk: Desk, ada: Standing
) -> None:
    person, first = ada
    held = desk.look(lambda tx: tx.grant(first.grant_id))
    assert held is not None
    second = replace(held, grant_id=v.grant_id("second"), jkt=v.jkt("second"))
    desk.do(lambda tx: tx.add(second))
    by_second = replace(first, grant_id=second.grant_id, jkt=second.jkt)
    waits, other = (desk.allowed(person, by, "transfer_money", TRANSFER).call for by in (first, by_second))
    assert other.call_id != waits.call_id
    assert desk.look(lambda tx: tx.call(waits.call_id)) == waits
    desk.revoke(second.grant_id)
    desk.now += 1
    newest = desk.allowed(person, first, "transfer_money", TRANSFER).call
    left = desk.look(lambda tx: tx.call(other.call_id))
    assert left is not None
    assert (left.state, newest.call_id == other.call_id) == (State.CANCELLED, False)


def test_resuming_decides_again(desk: Desk, ada: Standing) -> None:
    desk.allowed(*ada, "note")
    desk.do(lambda tx: tx.move_grant(ada[1].grant_id, GrantState.REVOKED, desk.now))
    assert outcome(desk.call(*ada, "note")) == "grant_revoked"


def test_a_running_one_is_not_repeated(desk: Desk, ada: Standing) -> None:
    ran(desk, desk.allowed(*ada, "note"), None)
    assert outcome(desk.call(*ada, "note")) == "outcome_unknown"
    assert desk.last()["kind"] == "call.refused"


@pytest.mark.parametrize("how", [State.SUCCEEDED, State.FAILED, State.UNKNOWN])
def test_an_executed_one_is_not_repeated_at_once(desk: Desk, ada: Standing, how: State) -> None:
    ran(desk, desk.allowed(*ada, "note"), how)
    desk.now += 119
    assert outcome(desk.call(*ada, "note")) == "already_executed"
    desk.now += 1
    assert outcome(desk.call(*ada, "note")) == "approved"


@pytest.mark.parametrize("way", ["of its own", "with the next call"])
def test_a_delivered_one_may_be_repeated(desk: Desk, ada: Standing, way: str) -> None:  # CALL-10
    made = desk.allowed(*ada, "note")
    ran(desk, made)
    if way == "of its own":
        asked = desk.page_call(ada[0], made)
        desk.do(lambda tx: endings.deliver(tx, desk.at, asked))
        again = desk.allowed(*ada, "note")
    else:
        again = desk.allowed(*ada, "note", delivered=(made.call.call_id,))
    assert (again.call.state, again.call.call_id == made.call.call_id) == (State.APPROVED, False)


def test_nobody_else_marks_it_delivered(desk: Desk, ada: Standing) -> None:  # CALL-10
    made = desk.allowed(*ada, "note")
    ran(desk, made)
    mallory = desk.person()
    desk.allowed(mallory, desk.deputize(mallory), "note", delivered=(made.call.call_id,))
    assert outcome(desk.call(*ada, "note")) == "already_executed"


def test_safe_calls_are_always_new(desk: Desk, ada: Standing) -> None:
    assert len({desk.allowed(*ada, "get_balance").call.call_id for _ in range(4)}) == 4


def test_over_mcp_all_calls_are_new(desk: Desk, ada: Standing) -> None:  # MCP-11
    first = desk.allowed(*ada, "note", way=MCP)
    ran(desk, first, None)
    assert desk.allowed(*ada, "note", way=MCP).call.call_id != first.call.call_id


class TestTime:
    """CALL-4, TOKEN-5: what has run out has, at that second."""

    @pytest.mark.parametrize(
        ("tool", "state", "seconds", "then"),
        [
            ("transfer_money", State.PENDING, 600, State.EXPIRED),
            ("note", State.APPROVED, 300, State.EXPIRED),
            ("note", State.REDEEMED, 600, State.UNKNOWN),
        ],
    )
    def test_a_call_stays_so_long(
        self, desk: Desk, ada: Standing, tool: str, state: State, seconds: int, then: State
    ) -> None:
        made = desk.allowed(*ada, tool, TRANSFER if tool == "transfer_money" else {})
        if state is State.REDEEMED:
            ran(desk, made, None)
        for wait, expected in ((seconds - 1, state), (1, then)):
            desk.now += wait
            asked = desk.page_call(ada[0], made)
            # mypy cannot infer a lambda with a default, which binds the value of this turn
            assert outcome(desk.do(lambda tx, it=asked: endings.look(tx, desk.at, it))) == expected  # type: ignore[misc]
        assert (desk.last()["kind"], desk.last()["call_id"]) == (f"call.{then}", made.call.call_id)

    def test_what_nobody_asks_for_expires_all_the_same(self, desk: Desk, ada: Standing) -> None:
        made = desk.allowed(*ada, "note")
        desk.now += 300
        while desk.do(lambda tx: moves.expire(tx, desk.now)):
            pass
        told = [entry["kind"] for entry in desk.entries() if entry.get("call_id") == made.call.call_id]
        assert told == ["call.approved", "call.expired"]


class TestOwnership:
    """CALL-2: somebody else's call is unknown, and so is that of another page."""

    @pytest.mark.parametrize("who", ["another user", "another page"])
    def test_somebody_elses_call_is_unknown(self, desk: Desk, ada: Standing, who: str) -> None:
        made = desk.allowed(*ada, "note")
        mallory = desk.person()
        if who == "another page":
            mallory.user = ada[0].user
        else:
            mallory.page_jkt = ada[0].page_jkt
        for ask in (
            lambda tx, it: endings.look(tx, desk.at, it),
            lambda tx, it: endings.deny(tx, desk.at, it, State.DECLINED),
            lambda tx, it: endings.deliver(tx, desk.at, it),
        ):
            asked = desk.page_call(mallory, made)
            answer = desk.do(lambda tx, ask=ask, it=asked: ask(tx, it))  # type: ignore[misc]
            assert isinstance(answer, Refusal)
            assert answer.code == "call_unknown"
        found = desk.look(lambda tx: tx.call(made.call.call_id))
        assert found is not None
        assert (found.state, found.delivered) == (State.APPROVED, False)

    def test_each_request_of_a_page_has_a_proof_of_its_own(
        self, desk: Desk, ada: Standing
    ) -> None:  # PROOF-2
        asked = desk.page_call(ada[0], desk.allowed(*ada, "note"))
        assert outcome(desk.do(lambda tx: endings.look(tx, desk.at, asked))) == "approved"
        assert (
            outcome(desk.do(lambda tx: endings.deny(tx, desk.at, asked, State.DECLINED)))
            == "invalid_dpop_proof"
        )
        again = replace(asked, proof=desk.proof(asked.proof.jkt))
        assert outcome(desk.do(lambda tx: endings.look(tx, desk.at, again))) == "approved"
