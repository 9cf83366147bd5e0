"""Going on with an older copy: nothing that it revives is done before its user confirms it (RESTORE-2, GRANT-10)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.service.agents import Attested, Browser, code_of
from tests.service.kit import TRANSFER, Desk, Person, outcome

from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.errors import Refusal, Refused
from deputize.protocol.grant import GrantState
from deputize.protocol.merkle import EMPTY_ROOT
from deputize.protocol.proof import MADE_NOW, Proof
from deputize.service import blocks, grants, posed, restoring
from deputize.service.posed import Posed
from deputize.store.sqlite import SqliteStore

NEWEST = Checkpoint("bank.example/deputize", 1000, EMPTY_ROOT)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk of its own: what ends here ends for everybody."""
    desk = Desk(SqliteStore(tmp_path / "deputize.db"))
    yield desk
    desk.close()


@pytest.fixture
def grace(desk: Desk) -> Person:
    return desk.person("internal")


@pytest.fixture
def helper(desk: Desk, grace: Person) -> Attested:
    return Attested.make(desk).deputized(grace)


def accept(desk: Desk, clone: bool = False) -> int:
    waiting = desk.do(lambda tx: restoring.accept(tx, desk.now, NEWEST, clone))
    desk.now += MADE_NOW + 1  # a proof is of its time
    return waiting


def found(desk: Desk, person: Person, grant_id: str) -> Posed | Refusal:
    return desk.look(lambda tx: posed.find(tx, desk.at, person.user.user_id, grant_id))


def confirm(desk: Desk, person: Person, grant_id: str) -> str | Refusal:
    """Answer on the authority's page, by passkey."""
    whose = person.user.user_id
    minted = desk.do(lambda tx: posed.challenge(tx, desk.at, whose, grant_id))
    if isinstance(minted, Refusal):
        return minted
    evidence = desk.evidence(minted, person.devices[0])
    verdict = desk.look(lambda tx: posed.check(tx, desk.at, whose, grant_id, evidence))
    return desk.do(lambda tx: posed.approve(tx, desk.at, whose, grant_id, verdict))


def test_restore_2_what_was_revoked_since_the_copy_does_nothing(
    desk: Desk, grace: Person, browser: Browser, helper: Attested
) -> None:
    waits = outcome(desk.call(grace, browser.delegation, "transfer_money", TRANSFER))
    assert waits == "pending"
    assert accept(desk) == 2
    kinds = [each["kind"] for each in desk.entries()]
    assert kinds[kinds.index("record.restored") :] == [
        "record.restored",
        "call.cancelled",
        "grant.suspended",
        "grant.suspended",
    ]
    (told,) = [each for each in desk.entries() if each["kind"] == "record.restored"]
    assert told["given_up_size"] == 1000
    assert desk.said(grace, browser.delegation) == "consent_required"
    assert helper.call(grace) == "consent_required"
    assert code_of(browser.renew()) == code_of(helper.renew()) == "invalid_grant"
    assert accept(desk) == 0  # again, as after a crash: no more than an entry


def test_grant_10_its_user_confirms_each_by_passkey(
    desk: Desk, grace: Person, browser: Browser, helper: Attested
) -> None:
    accept(desk)
    for agent in (browser, helper):
        grant_id = agent.delegation.grant_id
        there = found(desk, grace, grant_id)
        assert isinstance(there, Posed)
        assert (there.state, there.open, there.here) == ("suspended", True, True)
        assert confirm(desk, grace, grant_id) == "active"
        assert desk.last()["kind"] == "grant.active"
        assert "evidence_s256" in desk.last()
        assert desk.said(grace, agent.delegation) == "approved"
        assert code_of(confirm(desk, grace, grant_id)) in ("call_state", "grant_unknown")


def test_grant_10_nobody_else_confirms_it_and_no_page_does(
    desk: Desk, grace: Person, browser: Browser
) -> None:
    accept(desk)
    grant_id = browser.delegation.grant_id
    mallory = desk.person("internal")
    assert (
        code_of(found(desk, mallory, grant_id))
        == code_of(confirm(desk, mallory, grant_id))
        == "grant_unknown"
    )
    assert code_of(browser.consent(grant_id)) == "call_state"
    assert desk.said(grace, browser.delegation) == "consent_required"


def test_grant_10_its_user_takes_it_back_and_that_is_no_decline(
    desk: Desk, grace: Person, browser: Browser
) -> None:
    accept(desk)
    grant_id = browser.delegation.grant_id
    assert desk.do(lambda tx: posed.deny(tx, desk.at, grace.user.user_id, grant_id, False)) == "revoked"
    assert desk.last().items() >= {"kind": "grant.revoked", "by": "user"}.items()
    assert code_of(confirm(desk, grace, grant_id)) == "call_state"
    assert not [each for each in desk.entries() if each["kind"] == "grant.declined"]


def test_grant_10_another_consent_takes_its_place(desk: Desk, grace: Person, browser: Browser) -> None:
    accept(desk)
    before = browser.delegation.grant_id
    browser.deputized()
    assert desk.said(grace, browser.delegation) == "approved"
    assert found(desk, grace, before).state == "superseded"  # type: ignore[union-attr]  # it is there
    assert code_of(confirm(desk, grace, before)) == "call_state"


@pytest.mark.parametrize("how", ["expired", "agent blocked", "user blocked", "agent revoked"])
def test_grant_10_what_has_ended_otherwise_is_not_confirmed(
    desk: Desk, grace: Person, browser: Browser, how: str
) -> None:
    accept(desk)
    grant_id, client_id, user_id = (
        browser.delegation.grant_id,
        browser.delegation.client_id,
        grace.user.user_id,
    )
    if how == "expired":
        desk.now += 10**6
    elif how == "agent blocked":
        desk.do(lambda tx: blocks.block_agent(tx, client_id, None, desk.now))
    elif how == "user blocked":
        desk.do(lambda tx: blocks.block_user(tx, user_id, None, desk.now))
    else:
        desk.do(lambda tx: grants.revoke_agent(tx, client_id, desk.now))
    try:
        answer = code_of(confirm(desk, grace, grant_id))
    except Refused as refused:
        answer = refused.refusal.code
    assert answer in ("expired", "call_state", "unknown_agent")
    kept = desk.look(lambda tx: tx.grant(grant_id))
    assert kept is not None
    assert kept.state is not GrantState.ACTIVE


def test_restore_2_what_was_handed_on_ends(desk: Desk, grace: Person, helper: Attested) -> None:
    child = helper.deputizes(Attested.make(desk))
    accept(desk)
    assert confirm(desk, grace, helper.grant.grant_id) == "active"
    assert helper.call(grace) == "approved"
    assert child.call(grace) == "grant_revoked"


def test_token_4_what_was_renewed_since_the_copy_is_renewed_once_it_is_confirmed(
    desk: Desk, grace: Person, browser: Browser
) -> None:
    accept(desk)
    assert code_of(browser.renew(3)) == "invalid_grant"
    assert confirm(desk, grace, browser.delegation.grant_id) == "active"
    assert browser.renew(3).grant.refresh_generation == 4  # type: ignore[union-attr]  # it is renewed
    assert desk.said(grace, browser.delegation) == "approved"
    assert code_of(browser.renew(0)) == "invalid_grant"  # what is older than that was used up
    assert code_of(browser.renew(4)) == "invalid_grant"


def test_restore_2_what_has_no_key_ends_since_used_tokens_are_as_good_as_new(
    desk: Desk, grace: Person
) -> None:
    app = Attested.unproven(desk).deputized(grace)
    assert accept(desk) == 0
    assert code_of(confirm(desk, grace, app.grant.grant_id)) == "grant_unknown"
    assert desk.last()["kind"] == "grant.revoked"
    assert code_of(app.renew()) == "invalid_grant"


def test_restore_2_a_proof_that_may_have_been_used_since_the_copy_is_refused(desk: Desk) -> None:
    old = Proof(desk.person("internal").page_jkt, "old", desk.now + MADE_NOW)
    desk.do(lambda tx: restoring.accept(tx, desk.now, NEWEST))
    assert not desk.do(lambda tx: tx.use_proof(old))
    assert desk.do(lambda tx: tx.use_proof(Proof(old.jkt, "new", old.keep_until + 1)))


def test_restore_4_a_clone_keeps_no_checkpoint_of_the_first_one(desk: Desk) -> None:
    desk.do(lambda tx: tx.add_checkpoint(0, "a note"))
    accept(desk)
    assert desk.look(lambda tx: tx.checkpoints()) == ["a note"]
    accept(desk, clone=True)
    assert desk.look(lambda tx: tx.checkpoints()) == []
    assert [each.get("clone") for each in desk.entries() if each["kind"] == "record.restored"] == [None, True]
