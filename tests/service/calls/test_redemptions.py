"""An approved call runs, once, and tells what became of it (GUARD-3 to GUARD-5)."""

from dataclasses import replace
from functools import partial

import pytest
from tests.service.agents import code_of
from tests.service.kit import TRANSFER, Desk, Person, outcome
from tests.store import values as v

from deputize.protocol.call import State
from deputize.protocol.canonical import s256
from deputize.protocol.errors import Refusal, Refused
from deputize.protocol.grant import GrantState
from deputize.protocol.token import CallToken, Delegation
from deputize.protocol.tool import Executes
from deputize.service.calls import arrivals, endings, redemptions
from deputize.service.calls.answers import Answered
from deputize.service.calls.request import MCP, PAGE, Executor, OwnCall

Standing = tuple[Person, Delegation]


@pytest.fixture
def ada(desk: Desk) -> Standing:
    person = desk.person("internal")
    return person, desk.deputize(person)


def redeem(
    desk: Desk, made: Answered, by: Executor = None, args_s256: str | None = None
) -> Answered | Refusal:
    token = CallToken.of(made.call, desk.now)
    digest = args_s256 or token.args_s256
    return desk.do(lambda tx: redemptions.redeem(tx, desk.at, by, token, digest))


def test_a_call_is_redeemed_once_and_tells_for_whom_it_runs(desk: Desk, ada: Standing) -> None:
    made = desk.allowed(*ada, "note")
    first = redeem(desk, made)
    assert isinstance(first, Answered)
    assert (first.call.state, first.user) == (State.REDEEMED, ada[0].user)
    assert outcome(redeem(desk, made)) == "call_redeemed"
    assert [entry["kind"] for entry in desk.entries()[-2:]] == ["call.redeemed", "redemption.refused"]


def test_a_page_redeems_only_what_runs_there(desk: Desk, ada: Standing) -> None:
    made = desk.allowed(*ada, "note")
    assert outcome(redeem(desk, made, desk.page_call(ada[0], made))) == "redeemer_not_allowed"


def test_what_is_about_to_run_is_what_was_approved(desk: Desk, ada: Standing) -> None:
    made = desk.allowed(*ada, "note")
    assert outcome(redeem(desk, made, args_s256=s256(b"{}{}"))) == "argument_hash_mismatch"
    assert outcome(redeem(desk, made)) == "redeemed"  # it is still good for what was


def test_a_call_that_is_not_there_is_neither_redeemed_nor_reported(desk: Desk) -> None:
    token = CallToken.of(v.call(), desk.now)
    redeemed = desk.do(lambda tx: redemptions.redeem(tx, desk.at, None, token, token.args_s256))
    assert outcome(redeemed) == "call_unknown"
    noted = desk.do(lambda tx: redemptions.note(tx, desk.at, token.call_id, State.SUCCEEDED))
    assert code_of(noted) == "call_unknown"


def test_a_pending_call_is_not_redeemed(desk: Desk, ada: Standing) -> None:
    made = desk.allowed(*ada, "transfer_money", TRANSFER)
    assert outcome(redeem(desk, made)) == "call_state"
    assert not desk.look(lambda tx: redemptions.is_redeemable(tx, desk.at, CallToken.of(made.call, desk.now)))


def test_what_ran_out_or_is_not_there_is_not_redeemable(desk: Desk, ada: Standing) -> None:  # OAUTH-8
    token, nothing = CallToken.of(desk.allowed(*ada, "note").call, desk.now), CallToken.of(v.call(), desk.now)
    assert desk.look(lambda tx: redemptions.is_redeemable(tx, desk.at, token))
    assert not desk.look(lambda tx: redemptions.is_redeemable(tx, desk.at, nothing))
    desk.now += 600
    assert not desk.look(lambda tx: redemptions.is_redeemable(tx, desk.at, token))


def test_a_guard_proves_itself_anew_each_time(desk: Desk, ada: Standing) -> None:  # PROOF-2
    first, second = (desk.allowed(*ada, "note", {"n": n}) for n in range(2))
    proof = desk.proof(v.jkt("guard"))
    assert outcome(redeem(desk, first, proof)) == "redeemed"
    assert outcome(redeem(desk, second, proof)) == "invalid_dpop_proof"
    assert outcome(redeem(desk, second, desk.proof(v.jkt("guard")))) == "redeemed"


def test_a_page_runs_the_call_whose_token_it_has_and_no_other(desk: Desk, ada: Standing) -> None:  # GUARD-3
    tools = {**desk.policy.tools, "note": replace(desk.policy.tools["note"], executes=Executes.PAGE)}
    desk.policy = replace(desk.policy, tools=tools)
    mine, other = (desk.allowed(*ada, "note", {"n": n}) for n in range(2))
    token = CallToken.of(other.call, desk.now)
    answer = desk.do(
        lambda tx: redemptions.redeem(tx, desk.at, desk.page_call(ada[0], mine), token, mine.call.args_s256)
    )
    assert outcome(answer) == "call_unknown"
    assert outcome(redeem(desk, mine, desk.page_call(ada[0], mine))) == "redeemed"


def test_redemption_reads_the_grant_again(desk: Desk, ada: Standing) -> None:  # GUARD-4
    made = desk.allowed(*ada, "note")
    token = CallToken.of(made.call, desk.now)
    assert desk.look(lambda tx: redemptions.is_redeemable(tx, desk.at, token))  # OAUTH-8
    desk.do(lambda tx: tx.move_grant(ada[1].grant_id, GrantState.REVOKED, desk.now))
    assert not desk.look(lambda tx: redemptions.is_redeemable(tx, desk.at, token))
    assert outcome(redeem(desk, made)) == "grant_revoked"
    assert (desk.last()["kind"], desk.last()["code"]) == ("call.denied", "grant_revoked")


def test_redemption_goes_by_the_policy_that_is_in_force(desk: Desk, ada: Standing) -> None:  # POLICY-3
    made = desk.allowed(*ada, "note")
    tools = {**desk.policy.tools, "note": replace(desk.policy.tools["note"], executes=Executes.PAGE)}
    moved, token = (
        replace(desk.at, policy=replace(desk.policy, tools=tools)),
        CallToken.of(made.call, desk.now),
    )
    answer = desk.do(lambda tx: redemptions.redeem(tx, moved, None, token, token.args_s256))
    assert outcome(answer) == "cancelled"
    assert desk.last()["kind"] == "call.cancelled"


class TestOutcome:
    @pytest.mark.parametrize("how", [State.SUCCEEDED, State.FAILED, State.UNKNOWN])
    def test_is_told_once_by_whoever_redeemed(self, desk: Desk, ada: Standing, how: State) -> None:
        made = desk.redeemed(desk.allowed(*ada, "note"))
        call_id, page = made.call.call_id, desk.page_call(ada[0], made)
        by_page = desk.do(lambda tx: redemptions.report(tx, desk.at, page, call_id, how))
        assert outcome(by_page) == "redeemer_not_allowed"
        told = desk.do(lambda tx: redemptions.report(tx, desk.at, None, call_id, how))
        assert outcome(told) == how
        assert (desk.last()["kind"], desk.last()["reported_by"]) == (f"call.{how}", "api")
        again = desk.do(lambda tx: redemptions.note(tx, desk.at, call_id, how))
        assert isinstance(again, Refusal)
        assert again.code == "call_state"

    def test_of_what_has_not_run_there_is_none(self, desk: Desk, ada: Standing) -> None:
        made = desk.allowed(*ada, "note")
        told = desk.do(lambda tx: redemptions.note(tx, desk.at, made.call.call_id, State.SUCCEEDED))
        assert isinstance(told, Refusal)
        assert told.code == "call_state"


class TestOverMcp:
    def test_what_runs_here_is_redeemed_in_the_same_transaction(
        self, desk: Desk, ada: Standing
    ) -> None:  # MCP-9
        made = desk.allowed(*ada, "note", way=MCP, here=True)
        assert (made.call.state, made.user) == (State.REDEEMED, ada[0].user)
        told = desk.entries()[-2:]
        assert [entry["kind"] for entry in told] == ["call.approved", "call.redeemed"]
        assert made.entries == tuple(entry["i"] for entry in told)  # MCP-11

    def test_what_ran_here_is_concluded_once_and_not_too_late(
        self, desk: Desk, ada: Standing
    ) -> None:  # CALL-4, MCP-11
        done, late = (desk.allowed(*ada, "note", way=MCP, here=True).call for _ in range(2))
        succeeded = desk.do(lambda tx: redemptions.conclude(tx, desk.at, done, State.SUCCEEDED))
        assert succeeded == desk.look(lambda tx: tx.call(done.call_id))
        assert (desk.last()["kind"], desk.last()["reported_by"]) == ("call.succeeded", "api")
        before = desk.entries()
        desk.now += 600
        for call in (done, late):
            with pytest.raises(Refused) as refused:
                desk.do(partial(redemptions.conclude, at=desk.at, call=call, outcome=State.FAILED))
            assert refused.value.refusal.code == "call_state"
        assert desk.entries() == before

    def test_what_nobody_redeemed_is_cancelled(self, desk: Desk, ada: Standing) -> None:  # MCP-12
        made = desk.allowed(*ada, "note", way=MCP)
        left = desk.do(lambda tx: endings.cancel(tx, desk.at, made.call.call_id))
        assert left is not None
        assert left.state is State.CANCELLED
        assert outcome(redeem(desk, made)) == "cancelled"

    def test_what_is_not_offered_is_unknown(self, desk: Desk, ada: Standing) -> None:  # MCP-5
        assert outcome(desk.call(*ada, "transfer_money", TRANSFER, MCP, offered=False)) == "unknown_tool"

    def test_evidence_that_is_needed_is_not_for_the_caller_to_leave_out(
        self, desk: Desk, ada: Standing
    ) -> None:  # MCP-9
        """Whoever asked for no check gets no call either."""
        request = desk.request(*ada, "transfer_money", TRANSFER, MCP)
        made = desk.do(lambda tx: arrivals.create(tx, desk.at, request, None))
        assert outcome(made) == "missing_evidence"
        assert desk.last()["kind"] == "approval.refused"

    def test_who_proves_nothing_needs_an_approval_for_each_call(
        self, desk: Desk, ada: Standing
    ) -> None:  # BEARER-4
        principal = desk.request(*ada).principal
        made = desk.call(*ada, "get_balance", {}, MCP, principal=replace(principal, unproven=True))
        assert outcome(made) == "missing_evidence"
        assert desk.last()["unproven"] is True


def test_a_proof_is_used_once_on_each_way(desk: Desk, ada: Standing) -> None:  # PROOF-2
    for way in (PAGE, MCP):
        request = desk.request(*ada, way=way)
        made = [desk.do(lambda tx, it=request: arrivals.create(tx, desk.at, it)) for _ in range(2)]  # type: ignore[misc]
        assert [outcome(each) for each in made] == ["approved", "invalid_dpop_proof"]


@pytest.mark.parametrize("state", [State.DECLINED, State.CANCELLED])
def test_a_call_that_was_called_off_does_not_run(desk: Desk, ada: Standing, state: State) -> None:  # APPR-6
    made = desk.allowed(*ada, "note")
    asked = desk.page_call(ada[0], made)
    assert outcome(desk.do(lambda tx: endings.deny(tx, desk.at, asked, state))) == state
    assert outcome(redeem(desk, made)) == state
    assert outcome(desk.allowed(*ada, "note")) == "approved"  # a new one
    call_id, user_id = made.call.call_id, ada[0].user.user_id
    again = desk.do(lambda tx: endings.deny(tx, desk.at, OwnCall(call_id, user_id), State.DECLINED))
    assert outcome(again) == state
