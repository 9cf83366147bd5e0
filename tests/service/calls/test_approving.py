"""Between the check of an approval, on a snapshot, and the transaction that acts on it (APPR-7, APPR-8)."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.service.kit import TRANSFER, Desk, Person, outcome
from tests.store import values as v

from deputize.protocol.canonical import Json
from deputize.protocol.credential import Credential
from deputize.protocol.errors import Refused
from deputize.protocol.prompt import Prompts
from deputize.protocol.token import Delegation
from deputize.protocol.tool import Schema, Tool
from deputize.service import blocks
from deputize.service.approvals import Minted, Verified
from deputize.service.calls import approving
from deputize.service.calls.answers import Answered
from deputize.service.calls.request import Approver, OwnCall


class Approval:
    """A call that waits, and the answer to its challenge, which was good when it was checked."""

    def __init__(self, desk: Desk, ada: Person, delegation: Delegation, amount: int = 250) -> None:
        self.desk, self.ada = desk, ada
        self.made: Answered = desk.allowed(ada, delegation, "transfer_money", {**TRANSFER, "amount": amount})
        minted = desk.do(lambda tx: approving.challenge(tx, desk.at, desk.page_call(ada, self.made)))
        assert isinstance(minted, Minted)
        evidence = desk.evidence(minted, ada.devices[0])
        page = desk.page_call(ada, self.made)
        verdict = desk.look(lambda tx: approving.check(tx, desk.at, page, evidence))
        assert isinstance(verdict, Verified)
        self.verdict = verdict

    def act(self) -> str:
        """Act on it, and say how that came out."""
        desk, page = self.desk, self.desk.page_call(self.ada, self.made)
        return outcome(desk.do(lambda tx: approving.approve(tx, desk.at, page, self.verdict)))


@pytest.fixture
def ada(desk: Desk) -> Person:
    return desk.person("internal")


@pytest.fixture
def delegation(desk: Desk, ada: Person) -> Delegation:
    return desk.deputize(ada)


def passkey(desk: Desk, ada: Person) -> Credential:
    (found,) = desk.look(lambda tx: tx.credentials(ada.user.user_id))
    return found


def test_of_two_answers_with_one_count_the_second_is_that_of_a_copy(
    desk: Desk, ada: Person, delegation: Delegation
) -> None:  # APPR-7
    desk.policy = replace(desk.policy, prompts=Prompts(at_once=2))
    first = Approval(desk, ada, delegation)
    next(iter(ada.devices[0].keys.values())).count -= 1  # as a copy, which has not heard of the first
    second = Approval(desk, ada, delegation, amount=251)
    assert first.act() == "approved"
    assert second.act() == "signature_counter_regression"


def test_a_passkey_that_was_removed_meanwhile_approves_nothing(
    desk: Desk, ada: Person, delegation: Delegation
) -> None:  # APPR-8
    approval, its = Approval(desk, ada, delegation), passkey(desk, ada)
    assert desk.do(lambda tx: tx.remove_credential(its.credential_id, ada.user.user_id))
    assert approval.act() == "unknown_credential"


def test_nor_does_one_that_has_come_back_with_another_key(
    desk: Desk, ada: Person, delegation: Delegation
) -> None:  # APPR-8
    approval, its = Approval(desk, ada, delegation), passkey(desk, ada)
    assert desk.do(lambda tx: tx.remove_credential(its.credential_id, ada.user.user_id))
    assert desk.do(lambda tx: tx.add(replace(its, public_key=v.digest("another"))))
    assert approval.act() == "unknown_credential"


def test_nobody_but_its_page_and_its_user_answers_for_a_call(
    desk: Desk, ada: Person, delegation: Delegation
) -> None:  # CALL-2, APPR-12
    approval, grace = Approval(desk, ada, delegation), desk.person("internal")
    call_id, elsewhere = approval.made.call.call_id, replace(ada, page_jkt=v.jkt("another page"))
    strangers: list[Approver] = [
        desk.page_call(grace, approval.made),
        desk.page_call(replace(grace, page_jkt=ada.page_jkt), approval.made),
        desk.page_call(elsewhere, approval.made),
        OwnCall(call_id, grace.user.user_id),
    ]
    for stranger in strangers:
        with pytest.raises(Refused) as refused:
            desk.look(lambda tx, who=stranger: approving.check(tx, desk.at, who, {}))  # type: ignore[misc]
        assert refused.value.refusal.code == "call_unknown"
        acted = desk.do(lambda tx, who=stranger: approving.approve(tx, desk.at, who, approval.verdict))  # type: ignore[misc]
        assert outcome(acted) == "call_unknown"
    assert approval.act() == "approved"


def test_what_was_answered_is_not_answered_again(desk: Desk, ada: Person, delegation: Delegation) -> None:
    approval = Approval(desk, ada, delegation)
    assert approval.act() == "approved"
    before = desk.entries()
    assert approval.act() == "call_state"
    assert desk.entries() == before


def test_what_was_taken_back_meanwhile_is_not_approved(
    desk: Desk, ada: Person, delegation: Delegation
) -> None:  # APPR-5
    approval = Approval(desk, ada, delegation)
    desk.revoke(delegation.grant_id)
    assert approval.act() == "grant_revoked"
    assert (desk.last()["kind"], desk.last()["code"]) == ("call.denied", "grant_revoked")
    assert approval.act() == "call_state"


def test_an_approval_takes_what_is_left_and_no_more(desk: Desk, ada: Person) -> None:  # CONS-3
    desk.policy = replace(desk.policy, prompts=Prompts(at_once=2))
    once: Json = [{"type": "webmcp_tool", "tool": "transfer_money", "max_calls": 1}]
    delegation = desk.deputize(ada, details=once)
    first, second = (Approval(desk, ada, delegation, amount) for amount in (1, 2))
    assert first.act() == "approved"
    assert second.act() == "constraint_exhausted"
    assert (desk.last()["kind"], desk.last()["code"]) == ("call.denied", "constraint_exhausted")
    assert list(desk.look(lambda tx: tx.used(delegation.grant_id)).values()) == [1]


CLOSED: dict[str, tuple[str, Callable[[Tool], Tool | None]]] = {
    "the tool is gone": ("unknown_tool", lambda tool: None),
    "it takes other arguments": (
        "invalid_arguments",
        lambda tool: replace(tool, input_schema=Schema({"required": ["iban"]})),
    ),
    "it is for agents only": ("consent_required", lambda tool: replace(tool, direct=False)),
}


@pytest.mark.parametrize("how", CLOSED)
def test_what_the_page_has_asked_by_itself_goes_by_the_policy_in_force(
    desk: Desk, ada: Person, how: str
) -> None:  # POLICY-3, CALL-7
    made = desk.allowed(ada, None, "transfer_money", TRANSFER)
    code, change = CLOSED[how]
    tools = {**desk.policy.tools, "transfer_money": change(desk.policy.tools["transfer_money"])}
    desk.policy = replace(desk.policy, tools={name: tool for name, tool in tools.items() if tool is not None})
    asked = desk.do(lambda tx: approving.challenge(tx, desk.at, desk.page_call(ada, made)))
    assert outcome(asked) == code
    assert (desk.last()["kind"], desk.last()["code"]) == ("call.denied", code)


def test_what_a_blocked_user_has_asked_by_himself_is_not_shown(desk: Desk, ada: Person) -> None:  # BLOCK-3
    made = desk.allowed(ada, None, "transfer_money", TRANSFER)
    desk.do(lambda tx: blocks.block_user(tx, ada.user.user_id, desk.now + 60, desk.now))
    asked = desk.do(lambda tx: approving.challenge(tx, desk.at, desk.page_call(ada, made)))
    assert outcome(asked) == "user_blocked"
    assert (desk.last()["kind"], desk.last()["code"]) == ("call.denied", "user_blocked")
