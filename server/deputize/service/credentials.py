"""Users, their sessions and their credentials (PROTOCOL §2). Each function is one transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ..protocol.canonical import Json, s256
from ..protocol.challenge import NONCE_BYTES, Challenge, Enrolling, NewUser, Purpose, Subject
from ..protocol.credential import (
    ENROLL_ACTION,
    ENROLLMENT_LIFETIME,
    RECENT_SIGN_IN,
    RECOVERY_LIFETIME,
    Credential,
    User,
)
from ..protocol.entry import Entry, Kind
from ..protocol.errors import Code, Refusal, Refused, or_refuse
from ..protocol.ids import ChallengeId, CredentialId, UserId, make_id
from . import approvals, questions, quotas
from .approvals import Action, Minted, Verdict, Verified
from .blocks import barred
from .moment import Moment
from .ports import Assertion, Reader, Registration, Session, Tx

Verify = Callable[[Mapping[str, Json], bytes, Credential, bytes], Assertion]
"""Verifies the response of a passkey whose user nobody had named, over these bytes, for this user handle: all but its
counter (CRED-1); Refused(signature_verification_failed)."""

MAX_NAME = 64
_GONE = Refusal(
    Code.NO_PENDING_ENROLLMENT, "This enrollment ran out or was finished already. Start it again."
)
TAKEN = Refusal(Code.CREDENTIAL_ALREADY_ENROLLED, "This passkey is enrolled already.")


class Basis(StrEnum):
    """Why a credential may be enrolled (CRED-2, CRED-3, CRED-5, CRED-7)."""

    FIRST = "first"
    ANOTHER = "another"
    RECOVERY = "recovery"
    MCP = "mcp"


@dataclass(frozen=True, slots=True)
class SignIn:
    """Who is signed in, and since when (seconds since the epoch)."""

    user_id: UserId
    auth_time: int

    def recent(self, now: int) -> bool:
        """Tell whether the sign-in is less than RECENT_SIGN_IN seconds from `now`, before or after (CRED-2)."""
        return abs(now - self.auth_time) < RECENT_SIGN_IN


@dataclass(frozen=True, slots=True)
class Begun:
    """An enrollment that was begun: its challenge, for whom, and what must not be enrolled again."""

    challenge: Challenge
    user: User
    existing: Sequence[Credential] = ()


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A credential that was registered. Not yet active: `minted` is what an existing one must confirm (CRED-3).

    With `recovered` its user has come back by a recovery link (CRED-5).
    """

    credential: Credential
    minted: Minted | None
    recovered: bool = False


@dataclass(frozen=True, slots=True)
class Opening:
    """A browser's next session, by the digest of its id, and the one that it has had, if any (SESSION-1)."""

    digest: bytes
    previous: bytes | None


def new_user(at: Moment, name: str, external_id: str | None = None) -> User:
    """Make the value of a user; ValueError for a name that is empty, over 64 characters, or not printable."""
    name = name.strip(" ")
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise ValueError(f"a name has 1 to {MAX_NAME} printable characters")
    return User(UserId(make_id("usr", at.random(16))), name, at.random(32), at.now, external_id)


def begin_sign_up(tx: Tx, at: Moment, name: str) -> Begun | Refusal:
    """Start the enrollment of a new user's first credential. The user exists only when it is finished."""
    try:
        user = new_user(at, name)
    except ValueError as error:
        return Refusal(Code.INVALID_REQUEST, f"{error}.".capitalize())
    challenge = _challenge(at, Purpose.SIGN_UP, NewUser(user.user_id, user.handle, user.name), None)
    tx.add(challenge)
    return Begun(challenge, user)


def finish_sign_up(
    tx: Tx, at: Moment, challenge: Challenge, registration: Registration, opening: Opening
) -> User | Refusal:
    """Create the user with the first credential, and open the session."""
    new = challenge.subject
    if not isinstance(new, NewUser) or not tx.consume_challenge(challenge, at.now):
        return _GONE
    user = User(new.user_id, new.name, new.handle, at.now)
    tx.add(user)
    credential = make_credential(user.user_id, registration, "", at.now, active=True)
    if not tx.add(credential):  # CRED-4; raised so that no user without a credential stays behind
        raise Refused.of(TAKEN)
    tx.append(
        Entry(Kind.USER_SIGNED_UP, {"sub": user.user_id, "credential_id": credential.credential_id}), at.now
    )
    open_session(tx, at, user.user_id, opening)
    return user


def begin_sign_in(tx: Tx, at: Moment) -> Challenge:
    """Start a sign-in with whatever discoverable credential the user picks."""
    challenge = _challenge(at, Purpose.SIGN_IN, "", None)
    tx.add(challenge)
    return challenge


def open_challenge(
    reader: Reader, at: Moment, challenge_id: str, purpose: Purpose, *owners: UserId | None
) -> Challenge:
    """Find a challenge that is still open, for this purpose and one of these owners; Refused otherwise."""
    challenge = reader.challenge(ChallengeId(challenge_id))
    if challenge is None or challenge.purpose is not purpose or challenge.owner not in owners:
        raise Refused(Code.CHALLENGE_UNKNOWN, "There is no such challenge. Start again to get one.")
    if closed := challenge.closed(at.now):
        raise Refused.of(closed)
    return challenge


def check_sign_in(
    reader: Reader, at: Moment, challenge_id: str, response: dict[str, Json], verify: Verify
) -> tuple[Challenge, User, Assertion]:
    """Verify a sign-in assertion on a snapshot; Refused as `open_challenge`, and as `verify`."""
    challenge = open_challenge(reader, at, challenge_id, Purpose.SIGN_IN, None)
    credential_id = response.get("id")
    credential = reader.credential(CredentialId(credential_id)) if isinstance(credential_id, str) else None
    user = reader.user(credential.user_id) if credential is not None and credential.active else None
    if credential is None or user is None:
        raise Refused(Code.UNKNOWN_CREDENTIAL, "This passkey is not known here. Was it made on another site?")
    return challenge, user, verify(response, challenge.wire, credential, user.handle)


def finish_sign_in(
    tx: Tx, at: Moment, challenge: Challenge, user: User, assertion: Assertion, opening: Opening
) -> User | Refusal:
    """Consume the challenge, store the counter, and open the session."""
    if not tx.consume_challenge(challenge, at.now):
        return Refusal(Code.CHALLENGE_CONSUMED, "This sign-in ran out or was used already. Start again.")
    if out := barred(tx, user.user_id, None, at.now):  # BLOCK-3
        return out
    if refusal := assertion.settle(tx):
        return refusal
    tx.append(Entry(Kind.USER_SIGNED_IN, {"sub": user.user_id, **assertion.facts}), at.now)
    open_session(tx, at, user.user_id, opening)
    return user


def open_session(tx: Tx, at: Moment, user_id: UserId, opening: Opening) -> Session:
    """Open a session and end the one that the browser had before (SESSION-1)."""
    if opening.previous is not None:
        tx.end_session(opening.previous)
    session = Session(opening.digest, user_id, at.now, at.now + at.policy.session_lifetime)
    tx.add(session)
    return session


def begin_enrollment(tx: Tx, at: Moment, who: SignIn | None, recovery: bytes | None) -> Begun | Refusal:
    """Start the enrollment of a credential for a user who has the right to it (CRED-2, CRED-3, CRED-5)."""
    user_id = tx.recovery(recovery, at.now) if recovery is not None else who.user_id if who else None
    if user_id is None and recovery is not None:
        return Refusal(
            Code.ENROLLMENT_NOT_ALLOWED, "This recovery link was used or has run out. Ask for a new one."
        )
    user = tx.user(user_id) if user_id is not None else None
    if user is None:
        return Refusal(Code.LOGIN_REQUIRED, "Sign in first.")
    existing = tx.credentials(user.user_id)
    basis = Basis.RECOVERY if recovery is not None else Basis.ANOTHER if existing else Basis.FIRST
    if basis is Basis.FIRST and who is not None and not who.recent(at.now):
        return Refusal(
            Code.ENROLLMENT_NOT_ALLOWED, "Sign in again first: a first passkey needs a recent sign-in."
        )
    if out := barred(tx, user.user_id, None, at.now):
        return out
    owner = None if recovery else user.user_id
    challenge = _challenge(at, Purpose.ENROLL, Enrolling(basis, recovery), owner)
    tx.add(challenge)
    return Begun(challenge, user, existing)


def finish_enrollment(
    tx: Tx,
    at: Moment,
    challenge: Challenge,
    registration: Registration,
    label: str,
    opening: Opening | None,
) -> Enrolled | Refusal:
    """Store the new credential: usable at once where it is the first, else after an existing one confirmed it.

    Who has come back by a recovery link is signed in, where sessions are ours (CRED-5).
    """
    why = challenge.subject
    if not isinstance(why, Enrolling) or not tx.consume_challenge(challenge, at.now):
        return _GONE
    basis = Basis(why.basis)
    user_id = challenge.owner if why.recovery is None else tx.consume_recovery(why.recovery, at.now)
    user = tx.user(user_id) if user_id is not None else None
    if user is None:
        return _GONE
    if out := barred(tx, user.user_id, None, at.now):
        return out
    existing = tx.credentials(user.user_id)
    active = basis is Basis.RECOVERY or (basis is Basis.FIRST and not existing)
    credential = make_credential(user.user_id, registration, label, at.now, active=active)
    if not tx.add(credential):  # CRED-4
        entry = Entry(Kind.CREDENTIAL_REFUSED, {"sub": user.user_id, "code": TAKEN.code})
        return quotas.record(tx, at, user.user_id, None, entry, TAKEN)
    if active:
        tx.append(added_entry(credential, basis), at.now)
        recovered = basis is Basis.RECOVERY
        if recovered:  # also whoever found what was lost
            tx.end_sessions(user.user_id)
            if opening is not None:
                open_session(tx, at, user.user_id, opening)
        return Enrolled(credential, None, recovered)
    minted = approvals.mint(tx, at, enrollment_action(credential), questions.of_addition(at))
    return minted if isinstance(minted, Refusal) else Enrolled(credential, minted)


def enrollment_action(credential: Credential) -> Action:
    """Return what an existing credential confirms about a new one (CRED-3).

    It names the key too, so that nobody can put another key under the same id before the confirmation.
    """
    arguments: Json = {
        "credential_id": credential.credential_id,
        "public_key_s256": s256(credential.public_key),
        "user": credential.user_id,
    }
    added, owner = credential.credential_id, credential.user_id
    return Action(Purpose.ADD_CREDENTIAL, added, ENROLL_ACTION, arguments, owner)


def check_addition(
    reader: Reader, at: Moment, user_id: UserId, credential_id: str, evidence: Json
) -> Verdict:
    """Verify on a snapshot that an existing credential confirms a pending one; Refused if none is pending."""
    credential = or_refuse(_pending(reader, user_id, credential_id))
    return approvals.check(reader, at, enrollment_action(credential), evidence)


def approve_addition(
    tx: Tx, at: Moment, user_id: UserId, credential_id: str, verdict: Verdict
) -> Credential | Refusal:
    """Make a pending credential usable, or record why not."""
    credential = _pending(tx, user_id, credential_id)
    if isinstance(credential, Refusal):
        return credential
    action, text = enrollment_action(credential), questions.of_addition(at)
    verified = approvals.conclude(tx, at, verdict, action, text)
    if isinstance(verified, Verified) and not tx.activate_credential(credential):
        verified = _GONE
    if isinstance(verified, Refusal):
        facts = {"sub": credential.user_id, "credential_id": credential.credential_id}
        entry = approvals.refused_entry(Kind.CREDENTIAL_REFUSED, verdict, verified, **facts)
        return quotas.record(tx, at, credential.user_id, None, entry, verified)
    tx.append(added_entry(credential, Basis.ANOTHER, verified), at.now)
    return replace(credential, active=True)


def _pending(reader: Reader, user_id: UserId, credential_id: str) -> Credential | Refusal:
    found = reader.credential(CredentialId(credential_id))
    return found if found is not None and not found.active and found.user_id == user_id else _GONE


def remove_credential(tx: Tx, at: Moment, user_id: UserId, credential_id: str) -> Refusal | None:
    """Take a credential away; the last one stays, or nobody could ever approve again."""
    remaining = [c for c in tx.credentials(user_id) if c.credential_id != credential_id]
    if not remaining:
        return Refusal(Code.CALL_STATE, "This is your only passkey. Add another one before you remove it.")
    if not tx.remove_credential(CredentialId(credential_id), user_id):
        return Refusal(Code.UNKNOWN_CREDENTIAL, "This passkey is not one of yours on this site.")
    tx.append(Entry(Kind.CREDENTIAL_REMOVED, {"sub": user_id, "credential_id": credential_id}), at.now)
    return None


def withdraw_credential(tx: Tx, credential_id: str, now: int) -> Refusal | None:
    """Take a credential away as the owner: the last one, too, or one that is not confirmed yet."""
    credential = tx.credential(CredentialId(credential_id))
    if credential is None or not tx.remove_credential(credential.credential_id, credential.user_id):
        return Refusal(Code.NOT_FOUND, "There is no such passkey.")
    facts = {"sub": credential.user_id, "credential_id": credential_id, "by": "owner"}
    tx.append(Entry(Kind.CREDENTIAL_REMOVED, facts), now)
    return None


def issue_recovery(tx: Tx, user_id: UserId, digest: bytes, now: int) -> Refusal | None:
    """Store a one-time recovery secret's hash for a user, at the owner's command line (CRED-5)."""
    if tx.user(user_id) is None:
        return Refusal(Code.NOT_FOUND, "There is no such user.")
    tx.add_recovery(digest, user_id, now + RECOVERY_LIFETIME)
    tx.append(Entry(Kind.RECOVERY_ISSUED, {"sub": user_id}), now)
    return None


def site_user(tx: Tx, at: Moment, external_id: str, name: str) -> User:
    """Find or create the user behind the site's own login."""
    user = tx.user_by_external_id(external_id)
    if user is None:
        # Whatever the site takes for a name must not keep its user out.
        name = "".join(c if c.isprintable() else "\ufffd" for c in name.strip())[:MAX_NAME]
        user = new_user(at, name or "?", external_id)
        tx.add(user)
    return user


def _challenge(at: Moment, purpose: Purpose, subject: Subject, owner: UserId | None) -> Challenge:
    made = ChallengeId(make_id("chl", at.random(16)))
    return Challenge(made, purpose, at.random(NONCE_BYTES), subject, owner, at.now + ENROLLMENT_LIFETIME)


def make_credential(user_id: UserId, made: Registration, label: str, now: int, active: bool) -> Credential:
    """Make the value of a credential; `words/` names one without a label."""
    named = label.strip()[:MAX_NAME]
    return Credential(
        made.credential_id, user_id, made.public_key, made.sign_count, made.transports, named, now, active
    )


def added_entry(credential: Credential, basis: Basis, verdict: Verified | None = None) -> Entry:
    """Tell of a credential that is usable now."""
    added = {
        "sub": credential.user_id,
        "credential_id": credential.credential_id,
        "basis": basis.value,
    }
    return Entry(Kind.CREDENTIAL_ADDED, {**(verdict.facts if verdict else {}), **added})
