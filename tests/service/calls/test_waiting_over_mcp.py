"""A call over MCP that its user is asked about on the authority's page: the next equal one goes on with it (MCP-15)."""

from dataclasses import replace
from typing import Any

import pytest
from tests.service.kit import ALL, POLICY, TRANSFER, Desk, Person, outcome
from tests.store import values as v

from deputize import settings
from deputize.protocol.call import State
from deputize.protocol.canonical import Json, canonicalize
from deputize.protocol.constraint import Constraints
from deputize.protocol.entry import commitment
from deputize.protocol.errors import Refusal
from deputize.protocol.grant import GrantState
from deputize.protocol.ids import NO_KEY
from deputize.protocol.quota import Rate
from deputize.protocol.token import Delegation
from deputize.service import posed
from deputize.service.approvals import Minted
from deputize.service.calls import drafts, endings, redemptions, successions
from deputize.service.calls.answers import Answered, Denied
from deputize.service.calls.request import MCP, MCP_ASKING, CallRequest

Standing = tuple[Person, Delegation]


@pytest.fixture
def ada(desk: Desk) -> Standing:
    person = desk.person("internal")
    return person, desk.deputize(person)


def calls(desk: Desk, ada: Standing, arguments: dict[str, Json] = TRANSFER, **others: Any) -> Any:
    """Call the tool that always needs an approval; a handler in this process runs it."""
    return desk.call(*ada, "transfer_money", arguments, MCP_ASKING, **{"here": True, **others})


def asked(desk: Desk, ada: Standing, **others: Any) -> Answered:
    made = calls(desk, ada, **others)
    assert isinstance(made, Answered)
    assert made.call.state is State.PENDING
    return made


def approves(desk: Desk, ada: Standing, made: Answered) -> None:
    """Answer on the authority's own page."""
    user_id, call_id = made.call.user_id, made.call.call_id
    minted = desk.do(lambda tx: posed.challenge(tx, desk.at, user_id, call_id))
    assert isinstance(minted, Minted)
    evidence = desk.evidence(minted, ada[0].devices[0])
    verdict = desk.look(lambda tx: posed.check(tx, desk.at, user_id, call_id, evidence))
    assert desk.do(lambda tx: posed.approve(tx, desk.at, user_id, call_id, verdict)) == "approved"


def declines(desk: Desk, made: Answered) -> None:
    user_id, call_id = made.call.user_id, made.call.call_id
    assert desk.do(lambda tx: posed.deny(tx, desk.at, user_id, call_id, False)) == "declined"


def test_the_next_equal_call_goes_on_with_the_question(desk: Desk, ada: Standing) -> None:
    first = asked(desk, ada)
    before = len(desk.entries())
    assert asked(desk, ada).call.call_id == first.call.call_id
    assert len(desk.entries()) == before


def test_once_it_is_approved_the_next_equal_one_runs_it_and_no_other(desk: Desk, ada: Standing) -> None:
    first = asked(desk, ada)
    approves(desk, ada, first)
    made = calls(desk, ada)
    assert (made.call.call_id, outcome(made)) == (first.call.call_id, "redeemed")
    assert made.user == ada[0].user
    assert made.call.approval is not None
    assert made.call.approval["method"] == "webauthn"
    assert outcome(calls(desk, ada)) == "outcome_unknown"  # it runs
    desk.do(lambda tx: redemptions.conclude(tx, desk.at, made.call, State.SUCCEEDED))
    assert outcome(calls(desk, ada)) == "already_executed"  # its answer may have been lost
    desk.now += 120
    assert asked(desk, ada).call.call_id != first.call.call_id


def test_its_entries_show_the_approval_the_arguments_and_that_it_ran(desk: Desk, ada: Standing) -> None:
    first = asked(desk, ada)
    approves(desk, ada, first)
    made = calls(desk, ada)
    entries = [desk.entries()[index] for index in made.entries]
    assert [entry["kind"] for entry in entries] == ["call.approved", "call.approved", "call.redeemed"]
    assert {entry["call_id"] for entry in entries} == {first.call.call_id}
    assert entries[1]["resumed"] is True
    assert entries[1]["args_commitment"] == commitment(first.call.salt, canonicalize(TRANSFER))


def test_where_an_endpoint_runs_it_it_is_resumed_and_redeemed_there(desk: Desk, ada: Standing) -> None:
    first = asked(desk, ada, here=False)
    approves(desk, ada, first)
    both = [calls(desk, ada, here=False) for _ in range(2)]
    assert [outcome(made) for made in both] == ["approved", "approved"]
    assert {made.call.call_id for made in both} == {first.call.call_id}
    assert outcome(desk.redeemed(both[0])) == "redeemed"


@pytest.mark.parametrize(
    "spelled",
    [{"name": "Ada", "amount": 250}, {"amount": 250.0, "name": "Ada"}],
)
def test_however_json_spells_the_arguments(desk: Desk, ada: Standing, spelled: dict[str, Json]) -> None:
    """HASH-1: what is compared is the canonical form."""
    first = asked(desk, ada)
    assert asked(desk, ada, arguments=spelled).call.call_id == first.call.call_id


@pytest.mark.parametrize("changed", ["amount", "user", "key", "agent", "way", "page", "sub-agent"])
def test_nobody_else_and_nothing_else_goes_on_with_it(desk: Desk, ada: Standing, changed: str) -> None:
    person, held = ada
    first = asked(desk, ada)
    approves(desk, ada, first)
    match changed:
        case "amount":
            made = calls(desk, ada, {**TRANSFER, "amount": 251})
        case "user":
            grace = desk.person("internal")
            made = calls(desk, (grace, desk.deputize(grace)))
        case "key":  # of the same agent, by a later consent, to which what is open has gone over
            another = desk.person().page_jkt
            older, newer = desk.replaced(held, ALL, Constraints.parse([]), jkt=another)
            desk.do(lambda tx: successions.carry_over(tx, desk.at, older, newer))
            made = calls(desk, (person, replace(held, grant_id=newer.grant_id, jkt=another)))
        case "agent":
            made = calls(desk, (person, desk.deputize(person)))
        case "way":  # evidence comes with the call: it never goes on with another
            made = desk.call(person, held, "transfer_money", TRANSFER, MCP, here=True)
            assert outcome(made) == "missing_evidence"
            return
        case "page":
            made = desk.call(person, held, "transfer_money", TRANSFER, here=True)
        case _:
            made = calls(desk, (person, desk.deputize(person, above=held)))
    assert isinstance(made, Answered), made
    assert (outcome(made), made.call.call_id == first.call.call_id) == ("pending", False)


def test_another_key_of_the_same_grant_is_nobody(desk: Desk, ada: Standing) -> None:
    approves(desk, ada, asked(desk, ada))
    thief = replace(ada[1], jkt=desk.person().page_jkt)
    assert outcome(calls(desk, (ada[0], thief))) == "invalid_token"


def test_the_same_key_goes_on_after_a_later_consent(desk: Desk, ada: Standing) -> None:  # GRANT-3
    person, held = ada
    first = asked(desk, ada)
    older, newer = desk.replaced(held, ALL, Constraints.parse([]))
    desk.do(lambda tx: successions.carry_over(tx, desk.at, older, newer))
    later = replace(held, grant_id=newer.grant_id)
    assert asked(desk, (person, later)).call.call_id == first.call.call_id


def test_a_later_grant_of_an_agent_without_a_key_goes_on_with_nothing(desk: Desk, ada: Standing) -> None:
    """BEARER-2: who comes by that name later may be somebody else."""
    bearer = replace(ada[1], jkt=NO_KEY, unproven=True)
    renewed, later = replace(bearer, jti="renewed"), replace(bearer, grant_id=v.grant_id(1))
    equal = [
        drafts.match_key(desk.request(ada[0], by, "transfer_money", TRANSFER, MCP_ASKING))
        for by in (bearer, renewed, later)
    ]
    assert equal[0] == equal[1] != equal[2]


def test_a_no_is_told_for_two_minutes_before_anybody_is_asked_again(desk: Desk, ada: Standing) -> None:
    first = asked(desk, ada)
    declines(desk, first)
    told = calls(desk, ada)
    assert isinstance(told, Denied)
    assert (told.refusal.code, told.call_id) == ("declined", first.call.call_id)
    assert desk.last().items() >= {"kind": "call.refused", "code": "declined"}.items()
    desk.now += 119
    assert outcome(calls(desk, ada)) == "declined"
    desk.now += 1
    assert asked(desk, ada).call.call_id != first.call.call_id


def test_after_three_times_no_it_is_quiet(desk: Desk, ada: Standing) -> None:  # PROMPT-3
    for amount in (1, 2, 3):
        declines(desk, asked(desk, ada, arguments={**TRANSFER, "amount": amount}))
    assert outcome(calls(desk, ada, {**TRANSFER, "amount": 4})) == "asked_too_often"
    assert outcome(calls(desk, ada, {**TRANSFER, "amount": 3})) == "declined"


def test_a_question_that_ran_out_is_asked_anew(desk: Desk, ada: Standing) -> None:
    first = asked(desk, ada)
    desk.now += 600
    assert asked(desk, ada).call.call_id != first.call.call_id


def test_an_approval_that_nobody_came_for_runs_out(desk: Desk, ada: Standing) -> None:
    first = asked(desk, ada)
    approves(desk, ada, first)
    desk.now += 300
    assert asked(desk, ada).call.call_id != first.call.call_id


def test_a_grant_that_was_revoked_meanwhile_runs_nothing(desk: Desk, ada: Standing) -> None:
    approves(desk, ada, asked(desk, ada))
    desk.do(lambda tx: tx.move_grant(ada[1].grant_id, GrantState.REVOKED, desk.now))
    assert outcome(calls(desk, ada)) == "grant_revoked"


@pytest.mark.parametrize(
    ("before", "after", "comes"),
    [
        ('describe = "Send', 'describe = "Give away', "pending"),
        (
            'scopes = ["payments:write"]\napproval = "always"',
            'scopes = ["account:admin"]\napproval = "always"',
            "x",
        ),
    ],
)
def test_a_policy_that_was_tightened_meanwhile_decides(
    desk: Desk, before: str, after: str, comes: str
) -> None:
    """What is asked has changed: that is another question. What is closed is closed."""
    person = desk.person("internal")
    ada = person, desk.deputize(person, "payments:write")
    first = asked(desk, ada)
    approves(desk, ada, first)
    assert before in POLICY
    desk.policy = settings.loads(POLICY.replace(before, after).encode())
    made = calls(desk, ada)
    if comes == "pending":
        assert (outcome(made), made.call.call_id != first.call.call_id) == ("pending", True)
        found = desk.look(lambda tx: tx.call(first.call.call_id))
        assert found is not None
        assert found.state is State.CANCELLED
    else:
        assert outcome(made) in ("insufficient_scope", "agent_not_allowed")


def test_what_needs_no_approval_is_always_a_new_call(desk: Desk, ada: Standing) -> None:
    """MCP-11: nobody was asked, so there is nothing to come back to."""
    made = [desk.allowed(*ada, "note", {}, MCP_ASKING, here=True) for _ in range(2)]
    assert made[0].call.call_id != made[1].call.call_id
    assert {outcome(each) for each in made} == {"redeemed"}


def test_who_has_no_passkey_is_not_asked(desk: Desk) -> None:  # CALL-5
    person = desk.person()
    assert outcome(calls(desk, (person, desk.deputize(person)))) == "no_eligible_credential"


@pytest.mark.parametrize("state", [State.PENDING, State.APPROVED])
def test_a_client_may_call_a_question_off_and_that_is_no_answer(
    desk: Desk, ada: Standing, state: State
) -> None:
    first = asked(desk, ada)
    if state is State.APPROVED:
        approves(desk, ada, first)
    told = withdraw(desk, ada)
    assert isinstance(told, Denied)
    assert (told.refusal.code, told.call_id) == ("cancelled", first.call.call_id)
    assert outcome(withdraw(desk, ada)) == "cancelled"  # there is nothing left, and nobody is asked
    assert desk.look(lambda tx: tx.declines(ada[0].user.user_id, "browsers", Rate(3, 600), desk.now)) == 0
    assert asked(desk, ada).call.call_id != first.call.call_id


def test_a_proof_that_was_used_calls_nothing_off(desk: Desk, ada: Standing) -> None:  # PROOF-2
    first = asked(desk, ada)
    request: CallRequest = desk.request(*ada, "transfer_money", TRANSFER, MCP_ASKING)
    assert desk.do(lambda tx: [tx.use_proof(proof) for proof in request.principal.proofs]) == [True]
    told = desk.do(lambda tx: endings.withdraw(tx, desk.at, request))
    assert isinstance(told, Refusal)
    left = desk.look(lambda tx: tx.call(first.call.call_id))
    assert left is not None
    assert left.state is State.PENDING


def withdraw(desk: Desk, ada: Standing) -> Denied | Refusal:
    request: CallRequest = desk.request(*ada, "transfer_money", TRANSFER, MCP_ASKING)
    return desk.do(lambda tx: endings.withdraw(tx, desk.at, request))
