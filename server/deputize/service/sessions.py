"""Users, their sign-ins and sessions (PROTOCOL §2). Each function is one transaction, or reads one snapshot."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..protocol.canonical import Json, s256
from ..protocol.challenge import NONCE_BYTES, Challenge, Purpose, Subject
from ..protocol.credential import ENROLLMENT_LIFETIME, RECENT_SIGN_IN, Credential, User
from ..protocol.entry import Entry, Kind
from ..protocol.errors import Code, Refusal, Refused
from ..protocol.ids import ChallengeId, CredentialId, UserId, make_id
from ..protocol.login import Identity
from ..protocol.value import value
from .blocks import barred
from .moment import Moment
from .ports import Assertion, Reader, Session, Tx

Verify = Callable[[Mapping[str, Json], bytes, Credential, bytes], Assertion]
"""Verifies the response of a passkey whose user nobody had named, over these bytes, for this user handle: all but its
counter (CRED-1); Refused(signature_verification_failed)."""

MAX_NAME = 64


@value
class SignIn:
    """Who is signed in, and since when (seconds since the epoch)."""

    user_id: UserId
    auth_time: int

    def recent(self, now: int) -> bool:
        """Tell whether the sign-in is less than RECENT_SIGN_IN seconds from `now`, before or after (CRED-2)."""
        return abs(now - self.auth_time) < RECENT_SIGN_IN


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


def site_user(tx: Tx, at: Moment, external_id: str, name: str) -> User:
    """Find or create the user behind the site's own login."""
    user = tx.user_by_external_id(external_id)
    if user is None:
        # Whatever the site takes for a name must not keep its user out.
        name = "".join(c if c.isprintable() else "\ufffd" for c in name.strip())[:MAX_NAME]
        user = new_user(at, name or "?", external_id)
        tx.add(user)
    return user


def begin_sign_in(tx: Tx, at: Moment) -> Challenge:
    """Start a sign-in with whatever discoverable credential the user picks."""
    challenge = challenge_of(at, Purpose.SIGN_IN, "", None)
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


def digest_of(sid: str) -> str:
    """Return how the name that a session has at the site's own login is kept: who has that login's logs, and a copy of
    the data, is not to learn from both who a user is."""
    return s256(sid.encode())


def open_session(
    tx: Tx, at: Moment, user_id: UserId, opening: Opening, known: Identity | None = None
) -> Session:
    """Open a session and end the one that the browser had before (SESSION-1).

    Of who is `known` to the site's own login it has that sign-in's time, and ends with that (SIGNIN-5).
    """
    if opening.previous is not None:
        tx.end_session(opening.previous)
    auth_time, ends_at, sid = at.now, at.now + at.policy.session_lifetime, None
    if known is not None:
        auth_time, sid = min(known.auth_time, at.now), known.sid and digest_of(known.sid)
        ends_at = min(ends_at, known.ends_at or ends_at)
    session = Session(opening.digest, user_id, auth_time, ends_at, sid)
    tx.add(session)
    return session


def challenge_of(at: Moment, purpose: Purpose, subject: Subject, owner: UserId | None) -> Challenge:
    """Make a challenge for what begins with one, and signs no action: a sign-in, or an enrollment."""
    made = ChallengeId(make_id("chl", at.random(16)))
    return Challenge(made, purpose, at.random(NONCE_BYTES), subject, owner, at.now + ENROLLMENT_LIFETIME)
