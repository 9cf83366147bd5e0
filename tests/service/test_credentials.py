"""Users, their sessions and their passkeys (CRED-1 to CRED-5, SESSION-1)."""

from dataclasses import replace
from functools import partial

import pytest
from tests.service.agents import code_of
from tests.service.kit import ORIGIN, TRANSFER, Desk, Person
from tests.store import values as v

from deputize.crypto.webauthn import creation_options
from deputize.protocol.canonical import b64u
from deputize.protocol.challenge import Challenge, Purpose
from deputize.protocol.credential import RECENT_SIGN_IN, RECOVERY_LIFETIME, Credential, User
from deputize.protocol.errors import Refusal, Refused
from deputize.service import blocks, credentials, sessions
from deputize.service.approvals import Minted, Verdict
from deputize.service.calls import approving
from deputize.service.credentials import Enrolled
from deputize.service.ports import Registration
from deputize.service.sessions import Opening, SignIn
from deputize.testing.authenticator import SoftAuthenticator


def a_session(desk: Desk) -> Opening:
    return Opening(b"%032d" % next(desk.names), None)


@pytest.fixture
def grace(desk: Desk) -> Person:
    return desk.person("internal")


def made(
    desk: Desk, challenge: Challenge, user: User, device: SoftAuthenticator | None = None
) -> Registration:
    """Answer a challenge with a new passkey."""
    device, site = device or SoftAuthenticator(ORIGIN), desk.policy.site
    options = creation_options(challenge.wire, site.rp_id, site.name, user.handle, user.name, 60)
    return desk.verifier.registration(device.create(options), challenge.wire)


def begin(desk: Desk, person: Person, ago: int = 0, recovery: bytes | None = None) -> Challenge | Refusal:
    who = SignIn(person.user.user_id, desk.now - ago)
    begun = desk.do(lambda tx: credentials.begin_enrollment(tx, desk.at, who, recovery))
    return begun if isinstance(begun, Refusal) else begun.challenge


def add(
    desk: Desk, person: Person, device: SoftAuthenticator | None = None, recovery: bytes | None = None
) -> Enrolled | Refusal:
    """Enroll one more passkey, and stop before an existing one confirms it."""
    challenge = begin(desk, person, 0, recovery)
    if isinstance(challenge, Refusal):
        return challenge
    new = made(desk, challenge, person.user, device)
    return desk.do(lambda tx: credentials.finish_enrollment(tx, desk.at, challenge, new, "Key", None))


def added(desk: Desk, person: Person, device: SoftAuthenticator | None = None) -> tuple[Credential, Minted]:
    """Enroll one that waits for its confirmation."""
    enrolled = add(desk, person, device)
    assert isinstance(enrolled, Enrolled)
    assert enrolled.minted is not None
    return enrolled.credential, enrolled.minted


def confirm(
    desk: Desk, person: Person, new: Credential, minted: Minted, device: SoftAuthenticator | None = None
) -> Credential | Refusal:
    """Confirm a new passkey with an existing one, or with another device."""
    evidence = desk.evidence(minted, device or person.devices[0])
    user_id, name = person.user.user_id, new.credential_id
    verdict = desk.look(lambda tx: credentials.check_addition(tx, desk.at, user_id, name, evidence))
    return approve(desk, person, new, verdict)


def approve(desk: Desk, person: Person, new: Credential, verdict: Verdict) -> Credential | Refusal:
    user_id, name = person.user.user_id, new.credential_id
    return desk.do(lambda tx: credentials.approve_addition(tx, desk.at, user_id, name, verdict))


class TestSigningUp:
    def test_makes_a_user_with_a_first_passkey_once(self, desk: Desk) -> None:  # CRED-2
        begun = desk.do(lambda tx: credentials.begin_sign_up(tx, desk.at, " Grace "))
        assert not isinstance(begun, Refusal)
        challenge, user = begun.challenge, begun.user
        new = made(desk, challenge, user)
        assert desk.look(lambda tx: tx.user(user.user_id)) is None  # not before it is finished
        finished = desk.do(
            lambda tx: credentials.finish_sign_up(tx, desk.at, challenge, new, a_session(desk))
        )
        assert isinstance(finished, User)
        assert (finished.name, desk.last()["kind"]) == ("Grace", "user.signed_up")
        assert [each.active for each in desk.look(lambda tx: tx.credentials(user.user_id))] == [True]
        again = desk.do(lambda tx: credentials.finish_sign_up(tx, desk.at, challenge, new, a_session(desk)))
        assert code_of(again) == "no_pending_enrollment"

    @pytest.mark.parametrize("name", ["", "   ", "x" * 65, "a\nb", "a\u202eb"])
    def test_is_refused_with_a_name_that_could_not_be_shown(self, desk: Desk, name: str) -> None:
        refused = desk.do(lambda tx: credentials.begin_sign_up(tx, desk.at, name))
        assert code_of(refused) == "invalid_request"

    def test_with_a_passkey_that_is_known_leaves_no_user_behind(
        self, desk: Desk, grace: Person
    ) -> None:  # CRED-4
        (known,) = desk.look(lambda tx: tx.credentials(grace.user.user_id))
        begun = desk.do(lambda tx: credentials.begin_sign_up(tx, desk.at, "Eve"))
        assert not isinstance(begun, Refusal)
        challenge, user = begun.challenge, begun.user
        taken = replace(made(desk, challenge, user), credential_id=known.credential_id)
        with pytest.raises(Refused, match="enrolled already"):
            desk.do(lambda tx: credentials.finish_sign_up(tx, desk.at, challenge, taken, a_session(desk)))
        assert desk.look(lambda tx: tx.user(user.user_id)) is None


class TestSigningIn:
    def sign_in(self, desk: Desk, device: SoftAuthenticator) -> User | Refusal:
        challenge = desk.do(lambda tx: sessions.begin_sign_in(tx, desk.at))
        response = device.get({"rpId": desk.policy.site.rp_id, "challenge": b64u(challenge.wire)})
        verify = partial(desk.verifier.authentication, discovered=True)
        name = challenge.challenge_id
        checked = desk.look(lambda tx: sessions.check_sign_in(tx, desk.at, name, response, verify))
        return desk.do(lambda tx: sessions.finish_sign_in(tx, desk.at, *checked, a_session(desk)))

    def test_is_recorded(self, desk: Desk, grace: Person) -> None:
        assert self.sign_in(desk, grace.devices[0]) == grace.user
        assert desk.last().items() >= {"kind": "user.signed_in", "sub": grace.user.user_id}.items()

    def test_with_a_counter_that_went_back_is_refused(self, desk: Desk, grace: Person) -> None:  # APPR-7
        self.sign_in(desk, grace.devices[0])
        next(iter(grace.devices[0].keys.values())).count = 0
        assert code_of(self.sign_in(desk, grace.devices[0])) == "signature_counter_regression"

    def test_with_a_passkey_that_waits_for_its_confirmation_is_refused(
        self, desk: Desk, grace: Person
    ) -> None:  # CRED-3
        device = SoftAuthenticator(ORIGIN)
        added(desk, grace, device)
        with pytest.raises(Refused, match="not known here"):
            self.sign_in(desk, device)

    def test_is_refused_to_whom_the_owner_keeps_out(self, desk: Desk, grace: Person) -> None:  # BLOCK-3
        desk.do(lambda tx: blocks.block_user(tx, grace.user.user_id, None, desk.now))
        assert code_of(self.sign_in(desk, grace.devices[0])) == "user_blocked"


class TestAFurtherPasskey:
    """CRED-3."""

    def test_is_good_for_nothing_until_an_existing_one_confirms_it(self, desk: Desk, grace: Person) -> None:
        new, minted = added(desk, grace)
        assert not new.active
        assert len(desk.look(lambda tx: tx.credentials(grace.user.user_id))) == 1
        confirmed = confirm(desk, grace, new, minted)
        assert isinstance(confirmed, Credential)
        assert (confirmed.active, desk.last()["kind"]) == (True, "credential.added")
        assert desk.last()["basis"] == "another"
        assert len(desk.look(lambda tx: tx.credentials(grace.user.user_id))) == 2
        with pytest.raises(Refused, match="finished already"):
            confirm(desk, grace, new, minted)

    def test_cannot_confirm_itself(self, desk: Desk, grace: Person) -> None:
        device = SoftAuthenticator(ORIGIN)
        new, minted = added(desk, grace, device)
        assert code_of(confirm(desk, grace, new, minted, device)) == "unknown_credential"
        assert desk.last()["kind"] == "credential.refused"
        assert len(desk.look(lambda tx: tx.credentials(grace.user.user_id))) == 1

    def test_is_not_confirmed_by_an_approval_of_a_call(self, desk: Desk, grace: Person) -> None:
        new, _ = added(desk, grace)
        call = desk.allowed(grace, desk.deputize(grace), "transfer_money", TRANSFER)
        minted = desk.do(lambda tx: approving.challenge(tx, desk.at, desk.page_call(grace, call)))
        assert isinstance(minted, Minted)
        assert code_of(confirm(desk, grace, new, minted)) == "challenge_unknown"

    def test_that_takes_anothers_id_before_the_confirmation_has_nothing_of_it(
        self, desk: Desk, grace: Person
    ) -> None:
        """Page script that enrolls its own key under the id of a pending one gains nothing from what the user does."""
        new, minted = added(desk, grace)
        evidence = desk.evidence(minted, grace.devices[0])
        user_id, name = grace.user.user_id, new.credential_id
        verdict = desk.look(lambda tx: credentials.check_addition(tx, desk.at, user_id, name, evidence))
        challenge = begin(desk, grace)
        assert isinstance(challenge, Challenge)
        theirs = replace(made(desk, challenge, grace.user), credential_id=new.credential_id)
        raced = desk.do(lambda tx: credentials.finish_enrollment(tx, desk.at, challenge, theirs, "", None))
        assert isinstance(raced, Enrolled)
        assert code_of(approve(desk, grace, new, verdict)) == "challenge_unknown"  # APPR-8
        assert code_of(confirm(desk, grace, new, minted)) == "argument_hash_mismatch"
        assert len(desk.look(lambda tx: tx.credentials(user_id))) == 1

    def test_needs_another_id_than_all_that_there_are(self, desk: Desk, grace: Person) -> None:  # CRED-4
        eve = desk.person("internal")
        (known,) = desk.look(lambda tx: tx.credentials(eve.user.user_id))
        challenge = begin(desk, grace)
        assert isinstance(challenge, Challenge)
        taken = replace(made(desk, challenge, grace.user), credential_id=known.credential_id)
        refused = desk.do(lambda tx: credentials.finish_enrollment(tx, desk.at, challenge, taken, "", None))
        assert code_of(refused) == "credential_already_enrolled"
        assert (desk.last()["kind"], desk.last()["code"]) == ("credential.refused", refused.code)  # type: ignore[union-attr]

    def test_is_removed_but_not_the_last(self, desk: Desk, grace: Person) -> None:
        user_id = grace.user.user_id
        (only,) = desk.look(lambda tx: tx.credentials(user_id))

        def remove(name: str) -> Refusal | None:
            return desk.do(lambda tx: credentials.remove_credential(tx, desk.at, user_id, name))

        assert code_of(remove(only.credential_id)) == "call_state"
        confirm(desk, grace, *added(desk, grace))
        assert code_of(remove("nothing")) == "unknown_credential"
        assert remove(only.credential_id) is None
        assert (desk.last()["kind"], desk.last()["credential_id"]) == (
            "credential.removed",
            only.credential_id,
        )

    def test_is_taken_away_by_the_owner_even_if_it_is_the_last(self, desk: Desk, grace: Person) -> None:
        (only,) = desk.look(lambda tx: tx.credentials(grace.user.user_id))
        withdrawn = [
            desk.do(lambda tx: credentials.withdraw_credential(tx, only.credential_id, desk.now))
            for _ in range(2)
        ]
        assert [code_of(answer) for answer in withdrawn] == [None, "not_found"]
        assert desk.last()["by"] == "owner"


class TestAFirstPasskey:
    """CRED-2: of a user of the site's own login."""

    def test_needs_a_recent_sign_in(self, desk: Desk) -> None:
        person = desk.person()
        for ago in (RECENT_SIGN_IN, -RECENT_SIGN_IN):  # too old, or by a clock that went back (CLOCK-1)
            assert code_of(begin(desk, person, ago)) == "enrollment_not_allowed"
        enrolled = add(desk, person)
        assert isinstance(enrolled, Enrolled)
        assert (enrolled.credential.active, enrolled.minted) == (True, None)
        assert desk.last()["basis"] == "first"

    def test_needs_a_user(self, desk: Desk) -> None:
        nobody = desk.do(lambda tx: credentials.begin_enrollment(tx, desk.at, None, None))
        assert code_of(nobody) == "login_required"

    def test_is_not_for_whom_the_owner_keeps_out(self, desk: Desk) -> None:  # BLOCK-3
        person = desk.person()
        desk.do(lambda tx: blocks.block_user(tx, person.user.user_id, None, desk.now))
        assert code_of(begin(desk, person)) == "user_blocked"

    @pytest.mark.parametrize(
        ("name", "shown"), [(" Ada\u00a0L ", "Ada\ufffdL"), (" ", "?"), ("x" * 65, "x" * 64)]
    )
    def test_whatever_the_site_takes_for_a_name_keeps_nobody_out(
        self, desk: Desk, name: str, shown: str
    ) -> None:
        login = f"login {next(desk.names)}"
        for _ in range(2):
            user = desk.do(lambda tx: sessions.site_user(tx, desk.at, login, name))
            assert (user.name, user.external_id) == (shown, login)


class TestRecovery:
    """CRED-5."""

    def issue(self, desk: Desk, person: Person) -> bytes:
        digest = b"%032d" % next(desk.names)
        user_id = person.user.user_id
        assert desk.do(lambda tx: credentials.issue_recovery(tx, user_id, digest, desk.now)) is None
        return digest

    def test_enrolls_one_passkey_once_and_ends_all_sessions(self, desk: Desk, grace: Person) -> None:
        session, user_id = b"%032d" % next(desk.names), grace.user.user_id
        desk.do(lambda tx: sessions.open_session(tx, desk.at, user_id, Opening(session, None)))
        secret = self.issue(desk, grace)
        assert desk.last()["kind"] == "recovery.issued"
        back = add(desk, grace, recovery=secret)
        assert isinstance(back, Enrolled)
        assert (back.recovered, back.credential.active, desk.last()["basis"]) == (True, True, "recovery")
        assert desk.look(lambda tx: tx.session(session)) is None
        assert code_of(add(desk, grace, recovery=secret)) == "enrollment_not_allowed"

    def test_runs_out_after_its_time(self, desk: Desk, grace: Person) -> None:
        secret = self.issue(desk, grace)
        desk.now += RECOVERY_LIFETIME
        assert code_of(begin(desk, grace, recovery=secret)) == "enrollment_not_allowed"

    def test_does_not_let_in_whom_the_owner_keeps_out_meanwhile(
        self, desk: Desk, grace: Person
    ) -> None:  # BLOCK-3
        challenge = begin(desk, grace, recovery=self.issue(desk, grace))
        assert isinstance(challenge, Challenge)
        desk.do(lambda tx: blocks.block_user(tx, grace.user.user_id, None, desk.now))
        new = made(desk, challenge, grace.user)
        late = desk.do(lambda tx: credentials.finish_enrollment(tx, desk.at, challenge, new, "", None))
        assert code_of(late) == "user_blocked"

    def test_is_for_users_who_are_there(self, desk: Desk) -> None:
        answer = desk.do(lambda tx: credentials.issue_recovery(tx, v.user_id("nobody"), b"x" * 32, desk.now))
        assert code_of(answer) == "not_found"


def test_a_challenge_is_for_one_purpose_and_owner_while_it_is_open(desk: Desk, grace: Person) -> None:
    challenge = desk.do(lambda tx: sessions.begin_sign_in(tx, desk.at))
    name = challenge.challenge_id

    def opened(purpose: Purpose, *owners: object) -> Challenge:
        # an owner is of whatever type the purpose has, which mypy does not follow
        return desk.look(lambda tx: sessions.open_challenge(tx, desk.at, name, purpose, *owners))  # type: ignore[arg-type]

    assert opened(Purpose.SIGN_IN, None) == challenge
    for purpose, owner in ((Purpose.SIGN_UP, None), (Purpose.SIGN_IN, grace.user.user_id)):
        with pytest.raises(Refused, match="no such challenge"):
            opened(purpose, owner)
    desk.now = challenge.expires_at
    with pytest.raises(Refused):
        opened(Purpose.SIGN_IN, None)


def test_a_new_session_ends_the_one_before(desk: Desk, grace: Person) -> None:  # SESSION-1
    user_id, (one, other) = grace.user.user_id, (b"%032d" % next(desk.names) for _ in range(2))
    desk.do(lambda tx: sessions.open_session(tx, desk.at, user_id, Opening(one, None)))
    session = desk.do(lambda tx: sessions.open_session(tx, desk.at, user_id, Opening(other, one)))
    assert (session.auth_time, session.expires_at) == (desk.now, desk.now + desk.policy.session_lifetime)
    assert desk.look(lambda tx: tx.session(one)) is None
    assert desk.look(lambda tx: tx.session(other)) == session
