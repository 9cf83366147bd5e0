"""Who is forgotten does nothing any more, nor do his agents, and the record says so and verifies (KEEP-3)."""

import pytest
from tests.service.kit import TRANSFER, Desk, Person

from deputize.protocol.credential import Credential
from deputize.protocol.errors import Code, Refusal
from deputize.protocol.ids import CredentialId, UserId
from deputize.service import credentials, forgetting, record
from deputize.service.calls.answers import Answered
from deputize.service.ports import Registration
from deputize.service.sessions import Opening, SignIn


def forgotten(desk: Desk) -> None:
    while desk.do(forgetting.step):
        pass


def ended(desk: Desk, grace: Person) -> UserId | Refusal:
    """Let a user end her account, as the account page does."""
    user_id = grace.user.user_id
    minted = desk.do(lambda tx: forgetting.challenge(tx, desk.at, user_id))
    assert not isinstance(minted, Refusal)
    evidence = desk.evidence(minted, grace.devices[0])
    verdict = desk.look(lambda tx: forgetting.check(tx, desk.at, user_id, evidence))
    return desk.do(lambda tx: forgetting.approve(tx, desk.at, user_id, verdict))


def test_keep_3_all_that_goes_on_ends_at_once_each_with_its_entry(desk: Desk, grace: Person) -> None:
    delegation = desk.deputize(grace)
    pending = desk.allowed(grace, delegation, "transfer_money", TRANSFER)
    approved = desk.allowed(grace, delegation, "get_balance")
    running = desk.allowed(grace, delegation, "get_balance")
    desk.redeemed(running)
    before = len(desk.entries())
    desk.do(lambda tx: forgetting.begin(tx, grace.user.user_id, desk.now, by="owner"))
    told = [(entry["kind"], entry.get("call_id")) for entry in desk.entries()[before:]]
    assert told == [
        ("call.cancelled", pending.call.call_id),
        ("call.cancelled", approved.call.call_id),
        ("call.unknown", running.call.call_id),
        ("grant.revoked", None),
        ("user.forgotten", None),
    ]
    assert (desk.last()["sub"], desk.last()["by"]) == (grace.user.user_id, "owner")
    assert desk.said(grace, delegation, "get_balance") != "approved"
    forgotten(desk)
    assert desk.look(lambda tx: tx.user(grace.user.user_id)) is None
    assert desk.look(lambda tx: tx.call(running.call.call_id)) is None
    assert desk.said(grace, delegation, "get_balance") == Code.UNKNOWN_AGENT
    assert desk.look(lambda tx: record.verify(tx, {})).fault is None


def test_keep_3_calls_that_nobody_has_ended_in_time_keep_nobody_from_being_forgotten(
    desk: Desk, grace: Person
) -> None:
    delegation = desk.deputize(grace)
    pending = desk.allowed(grace, delegation, "transfer_money", TRANSFER).call
    running = desk.allowed(grace, delegation, "get_balance")
    deadline = desk.redeemed(running).call.deadline
    before = len(desk.entries())
    desk.now = max(deadline, pending.deadline)
    desk.do(lambda tx: forgetting.begin(tx, grace.user.user_id, desk.now, by="owner"))
    told = [(entry["kind"], entry.get("call_id")) for entry in desk.entries()[before:]]
    assert told[:2] == [("call.expired", pending.call_id), ("call.unknown", running.call.call_id)]
    assert told[-1][0] == "user.forgotten"


def test_keep_3_begun_twice_it_is_recorded_once(desk: Desk, grace: Person) -> None:
    for _ in range(2):
        desk.do(lambda tx: forgetting.begin(tx, grace.user.user_id, desk.now, by="owner"))
    kinds = [entry["kind"] for entry in desk.entries() if entry.get("sub") == grace.user.user_id]
    assert kinds.count("user.forgotten") == 1


def test_keep_3_a_user_ends_his_account_with_a_passkey(desk: Desk, grace: Person) -> None:
    assert ended(desk, grace) == grace.user.user_id
    assert (desk.last()["kind"], desk.last()["by"], desk.last()["method"]) == (
        "user.forgotten",
        "user",
        "webauthn",
    )


def test_keep_3_with_another_passkey_nothing_ends(desk: Desk, grace: Person) -> None:
    mallory = desk.person("internal")
    grace.devices = mallory.devices
    refused = ended(desk, grace)
    assert isinstance(refused, Refusal)
    assert refused.code is Code.UNKNOWN_CREDENTIAL
    assert desk.last()["kind"] == "forgetting.refused"
    assert grace.user.user_id not in desk.look(lambda tx: tx.hidden())


@pytest.mark.parametrize("purpose", ["another user's", "used"])
def test_keep_3_no_other_challenge_ends_it(desk: Desk, grace: Person, purpose: str) -> None:
    ada, user_id = desk.person("internal"), grace.user.user_id
    whose = user_id if purpose == "used" else ada.user.user_id
    minted = desk.do(lambda tx: forgetting.challenge(tx, desk.at, whose))
    assert not isinstance(minted, Refusal)
    evidence = desk.evidence(minted, grace.devices[0] if purpose == "used" else ada.devices[0])
    if purpose == "used":
        challenge = minted.challenge
        assert desk.do(lambda tx: tx.consume_challenge(challenge, desk.now))
    verdict = desk.look(lambda tx: forgetting.check(tx, desk.at, user_id, evidence))
    refused = desk.do(lambda tx: forgetting.approve(tx, desk.at, user_id, verdict))
    assert isinstance(refused, Refusal)
    assert refused.code in (Code.CHALLENGE_UNKNOWN, Code.CHALLENGE_CONSUMED)


@pytest.mark.parametrize("by_link", [True, False])
def test_keep_3_who_was_adding_a_passkey_adds_none_any_more(desk: Desk, grace: Person, by_link: bool) -> None:
    """Not even where all of it is deleted only later: nobody comes back that way."""
    user_id, digest = grace.user.user_id, b"of a link"
    desk.do(lambda tx: credentials.issue_recovery(tx, user_id, digest, desk.now))
    who, link = (None, digest) if by_link else (SignIn(user_id, desk.now), None)
    begun = desk.do(lambda tx: credentials.begin_enrollment(tx, desk.at, who, link))
    assert not isinstance(begun, Refusal)
    desk.do(lambda tx: forgetting.begin(tx, user_id, desk.now, by="owner"))
    made = Registration(CredentialId("new"), b"key", 0, frozenset())
    opening = Opening(b"session", None)
    late = desk.do(lambda tx: credentials.finish_enrollment(tx, desk.at, begun.challenge, made, "", opening))
    assert isinstance(late, Refusal)
    assert desk.look(lambda tx: tx.of_user(Credential, user_id)) == []
    forgotten(desk)
    assert desk.look(lambda tx: tx.user(user_id)) is None


def test_keep_3_who_has_no_passkey_is_told(desk: Desk) -> None:
    nobody = desk.person()
    refused = desk.do(lambda tx: forgetting.challenge(tx, desk.at, nobody.user.user_id))
    assert isinstance(refused, Refusal)
    assert refused.code is Code.NO_ELIGIBLE_CREDENTIAL


def test_keep_3_others_keep_what_they_have(desk: Desk, grace: Person) -> None:
    ada = desk.person("internal")
    delegation = desk.deputize(ada)
    desk.deputize(grace)
    desk.do(lambda tx: forgetting.begin(tx, grace.user.user_id, desk.now, by="owner"))
    forgotten(desk)
    assert isinstance(desk.call(ada, delegation, "get_balance"), Answered)
