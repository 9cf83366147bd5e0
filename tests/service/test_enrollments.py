"""Passkeys that come over MCP, and the window that a user opens for them (CRED-7, MCP-10)."""

from dataclasses import replace

import pytest
from tests.service.agents import Attested, code_of
from tests.service.kit import ORIGIN, TRANSFER, Desk, Person

from deputize.crypto.webauthn import creation_options
from deputize.protocol.challenge import Challenge
from deputize.protocol.credential import WINDOW_LIFETIME, Credential
from deputize.protocol.errors import Code, Refusal
from deputize.service import enrollments
from deputize.service.approvals import Minted
from deputize.service.calls import approving
from deputize.service.calls.request import Principal
from deputize.service.credentials import Begun
from deputize.service.ports import Registration
from deputize.testing.authenticator import SoftAuthenticator


@pytest.fixture
def grace(desk: Desk) -> Person:
    return desk.person("internal")


@pytest.fixture
def helper(desk: Desk, grace: Person) -> Attested:
    return Attested.make(desk).deputized(grace)


def opened(desk: Desk, person: Person, minted: Minted | None = None) -> int | Refusal:
    """Open the window with a passkey."""
    user_id = person.user.user_id
    shown = minted or desk.do(lambda tx: enrollments.window_challenge(tx, desk.at, user_id))
    assert isinstance(shown, Minted)
    evidence = desk.evidence(shown, person.devices[0])
    verdict = desk.look(lambda tx: enrollments.check_window(tx, desk.at, user_id, evidence))
    return desk.do(lambda tx: enrollments.open_window(tx, desk.at, user_id, verdict))


def open_until(desk: Desk, person: Person) -> int:
    user = desk.look(lambda tx: tx.user(person.user.user_id))
    assert user is not None
    return user.enrolls_until


def caller(desk: Desk, agent: Attested) -> Principal:
    held = agent.delegation
    return Principal(None, held, (desk.proof(agent.jkt),), connection=held)


def begin(desk: Desk, agent: Attested) -> Begun | Refusal:
    by = caller(desk, agent)
    return desk.do(lambda tx: enrollments.begin(tx, desk.at, by))


def made(desk: Desk, begun: Begun) -> Registration:
    site, challenge = desk.policy.site, begun.challenge.wire
    options = creation_options(challenge, site.rp_id, site.name, begun.user.handle, begun.user.name, 60)
    return desk.verifier.registration(SoftAuthenticator(ORIGIN).create(options), challenge)


def finish(desk: Desk, agent: Attested, begun: Begun, new: Registration | Refusal) -> Credential | Refusal:
    by = caller(desk, agent)
    return desk.do(lambda tx: enrollments.finish(tx, desk.at, by, begun.challenge, new))


class TestTheWindow:
    def test_is_opened_by_a_passkey_for_five_minutes(self, desk: Desk, grace: Person) -> None:
        assert open_until(desk, grace) == 0
        assert opened(desk, grace) == desk.now + 300 == open_until(desk, grace)
        entry = desk.last()
        assert (entry["kind"], entry["expires_at"]) == ("enrollment.opened", desk.now + 300)
        assert entry["evidence_s256"]

    def test_is_opened_once_by_one_answer(self, desk: Desk, grace: Person) -> None:
        user_id = grace.user.user_id
        minted = desk.do(lambda tx: enrollments.window_challenge(tx, desk.at, user_id))
        assert isinstance(minted, Minted)
        until = opened(desk, grace, minted)
        desk.now += 10
        assert code_of(opened(desk, grace, minted)) == "challenge_consumed"
        assert desk.last()["kind"] == "enrollment.refused"
        assert open_until(desk, grace) == until

    def test_is_not_opened_by_what_was_signed_for_something_else(
        self, desk: Desk, grace: Person, helper: Attested
    ) -> None:
        call = desk.allowed(grace, helper.delegation, "transfer_money", TRANSFER)
        minted = desk.do(lambda tx: approving.challenge(tx, desk.at, desk.page_call(grace, call)))
        assert isinstance(minted, Minted)
        assert code_of(opened(desk, grace, minted)) == "challenge_unknown"
        assert open_until(desk, grace) == 0

    def test_is_closed_before_its_time_and_told_of_once(self, desk: Desk, grace: Person) -> None:
        opened(desk, grace)
        size = len(desk.entries())
        for _ in range(2):
            desk.do(lambda tx: enrollments.close_window(tx, desk.at, grace.user.user_id))
        assert [entry["kind"] for entry in desk.entries()[size:]] == ["enrollment.closed"]
        assert open_until(desk, grace) == 0


class TestBeginning:
    def test_needs_a_window_that_is_open(self, desk: Desk, grace: Person, helper: Attested) -> None:
        assert code_of(begin(desk, helper)) == "enrollment_not_allowed"
        opened(desk, grace)
        begun = begin(desk, helper)
        assert isinstance(begun, Begun)
        assert [each.user_id for each in begun.existing] == [grace.user.user_id]
        desk.now += WINDOW_LIFETIME  # TOKEN-5
        assert code_of(begin(desk, helper)) == "enrollment_not_allowed"

    def test_needs_a_proof_and_a_grant_that_lives(self, desk: Desk, grace: Person, helper: Attested) -> None:
        opened(desk, grace)
        by = caller(desk, helper)
        used = [desk.do(lambda tx: enrollments.begin(tx, desk.at, by)) for _ in range(2)]
        assert code_of(used[1]) == "invalid_dpop_proof"  # PROOF-2
        desk.revoke(helper.grant.grant_id)
        assert code_of(begin(desk, helper)) == "grant_revoked"

    def test_is_not_for_whom_proves_nothing(
        self, desk: Desk, grace: Person, helper: Attested
    ) -> None:  # BEARER-4
        opened(desk, grace)
        by = replace(caller(desk, helper), unproven=True)
        answer = desk.do(lambda tx: enrollments.begin(tx, desk.at, by))
        assert code_of(answer) == "enrollment_not_allowed"

    def test_takes_the_place_of_what_was_begun_before(
        self, desk: Desk, grace: Person, helper: Attested
    ) -> None:
        opened(desk, grace)
        first, second = begin(desk, helper), begin(desk, helper)
        assert isinstance(first, Begun)
        assert isinstance(second, Begun)
        open_one = desk.look(lambda tx: enrollments.pending(tx, desk.at, caller(desk, helper)))
        assert isinstance(open_one, Challenge)
        assert open_one.nonce == second.challenge.nonce != first.challenge.nonce
        assert code_of(finish(desk, helper, first, made(desk, first))) == "no_pending_enrollment"


class TestFinishing:
    def test_makes_a_passkey_and_closes_the_window(self, desk: Desk, grace: Person, helper: Attested) -> None:
        opened(desk, grace)
        begun = begin(desk, helper)
        assert isinstance(begun, Begun)
        new = finish(desk, helper, begun, made(desk, begun))
        assert isinstance(new, Credential)
        assert (new.active, desk.last()["basis"]) == (True, "mcp")
        assert open_until(desk, grace) == 0
        assert code_of(finish(desk, helper, begun, made(desk, begun))) == "no_pending_enrollment"
        assert code_of(begin(desk, helper)) == "enrollment_not_allowed"
        pending = desk.look(lambda tx: enrollments.pending(tx, desk.at, caller(desk, helper)))
        assert code_of(pending) == "no_pending_enrollment"

    def test_in_another_window_than_it_was_begun_in_is_refused(
        self, desk: Desk, grace: Person, helper: Attested
    ) -> None:  # APPR-8
        opened(desk, grace)
        begun = begin(desk, helper)
        assert isinstance(begun, Begun)
        desk.do(lambda tx: enrollments.close_window(tx, desk.at, grace.user.user_id))
        desk.now += 1
        opened(desk, grace)
        assert code_of(finish(desk, helper, begun, made(desk, begun))) == "no_pending_enrollment"

    def test_with_what_did_not_verify_or_is_known_is_recorded(
        self, desk: Desk, grace: Person, helper: Attested
    ) -> None:  # CRED-4
        opened(desk, grace)
        begun = begin(desk, helper)
        assert isinstance(begun, Begun)
        (known,) = begun.existing
        taken = replace(made(desk, begun), credential_id=known.credential_id)
        assert code_of(finish(desk, helper, begun, taken)) == "credential_already_enrolled"
        bad = finish(desk, helper, begun, Refusal(Code.VERIFICATION_FAILED, "It is not right."))
        assert code_of(bad) == Code.VERIFICATION_FAILED
        told = [(entry["kind"], entry["via"]) for entry in desk.entries()[-2:]]
        assert told == [("credential.refused", "mcp")] * 2
        assert isinstance(finish(desk, helper, begun, made(desk, begun)), Credential)

    def test_under_a_grant_that_has_ended_meanwhile_is_refused(
        self, desk: Desk, grace: Person, helper: Attested
    ) -> None:  # MCP-2
        opened(desk, grace)
        begun = begin(desk, helper)
        assert isinstance(begun, Begun)
        desk.revoke(helper.grant.grant_id)
        size = len(desk.entries())
        assert code_of(finish(desk, helper, begun, made(desk, begun))) == "grant_revoked"
        assert len(desk.entries()) == size
        assert open_until(desk, grace) > desk.now

    def test_spends_a_proof(self, desk: Desk, grace: Person, helper: Attested) -> None:  # PROOF-2
        opened(desk, grace)
        begun, by = begin(desk, helper), caller(desk, helper)
        assert isinstance(begun, Begun)
        refused = Refusal(Code.VERIFICATION_FAILED, "It is not right.")
        answers = [
            desk.do(lambda tx: enrollments.finish(tx, desk.at, by, begun.challenge, refused))
            for _ in range(2)
        ]
        assert code_of(answers[1]) == "invalid_dpop_proof"
