"""Credentials: the first, with which a user signs up, further ones, and a way back (PROTOCOL §2).

Each function is one transaction, or reads one snapshot.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ..protocol.canonical import Json, s256
from ..protocol.challenge import Challenge, Enrolling, NewUser, Purpose
from ..protocol.credential import ENROLL_ACTION, RECOVERY_LIFETIME, Credential, User
from ..protocol.entry import Entry, Kind
from ..protocol.errors import Code, Refusal, Refused, or_refuse
from ..protocol.ids import CredentialId, UserId
from ..protocol.question import Surface
from . import approvals, questions, quotas
from .approvals import Action, Minted, Verdict, Verified
from .blocks import barred
from .moment import Moment
from .ports import Reader, Registration, Tx
from .sessions import MAX_NAME, Opening, SignIn, challenge_of, new_user, open_session

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


def begin_sign_up(tx: Tx, at: Moment, name: str) -> Begun | Refusal:
    """Start the enrollment of a new user's first credential. The user exists only when it is finished."""
    try:
        user = new_user(at, name)
    except ValueError as error:
        return Refusal(Code.INVALID_REQUEST, f"{error}.".capitalize())
    challenge = challenge_of(at, Purpose.SIGN_UP, NewUser(user.user_id, user.handle, user.name), None)
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
    challenge = challenge_of(at, Purpose.ENROLL, Enrolling(basis, recovery), owner)
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
    return Action(Purpose.ADD_CREDENTIAL, added, ENROLL_ACTION, arguments, owner, surface=Surface.AUTHORITY)


def check_addition(
    reader: Reader, at: Moment, user_id: UserId, credential_id: str, evidence: Json
) -> Verdict:
    """Verify, before the transaction, that a credential confirms a pending one; Refused if none is pending."""
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
