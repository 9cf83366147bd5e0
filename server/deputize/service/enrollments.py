"""Credentials that are enrolled over MCP, and the window in which they may be (CRED-7, MCP-10).

Each function is one transaction, or reads one snapshot; refusals in a transaction are values.
"""

import hashlib
from dataclasses import replace

from ..protocol.canonical import Json
from ..protocol.challenge import Challenge, Inside, Purpose, Subject
from ..protocol.credential import (
    ENROLLMENT_LIFETIME,
    WINDOW_ACTION,
    WINDOW_LIFETIME,
    Credential,
    User,
)
from ..protocol.entry import Entry, Kind
from ..protocol.errors import Code, Refusal, Refused
from ..protocol.ids import ChallengeId, UserId, make_id
from ..protocol.question import Surface
from . import approvals, questions, quotas
from .approvals import Action, Minted, Verdict
from .calls.request import Principal
from .calls.standing import enter
from .credentials import TAKEN, Basis, Begun, added_entry, make_credential
from .moment import Moment
from .ports import Reader, Registration, Tx
from .sessions import challenge_of

_NONE_PENDING = Refusal(
    Code.NO_PENDING_ENROLLMENT, "No enrollment is open: it ran out, was finished, or was never begun."
)
# BEARER-4: a thief of the token could wait for the window, and from then on approve what he likes.
_UNPROVEN = Refusal(
    Code.ENROLLMENT_NOT_ALLOWED,
    "An app that does not prove who it is brings no passkey. The user can add one on the account page.",
)
_CLOSED = Refusal(
    Code.ENROLLMENT_NOT_ALLOWED,
    "The user has to allow this first: on the account page, for five minutes, with a passkey.",
)


def window_challenge(tx: Tx, at: Moment, user_id: UserId) -> Minted | Refusal:
    """Mint the challenge over the opening of the window, at the user's click."""
    return approvals.mint(tx, at, _window(user_id), questions.of_window(at))


def check_window(reader: Reader, at: Moment, user_id: UserId, evidence: Json) -> Verdict:
    """Verify, before the transaction, that the user opens the window. No state changes here."""
    return approvals.check(reader, at, _window(user_id), evidence)


def open_window(tx: Tx, at: Moment, user_id: UserId, verdict: Verdict) -> int | Refusal:
    """Open the window and return the second at which it closes, or record why not (CRED-7)."""
    verified = approvals.conclude(tx, at, verdict, _window(user_id), questions.of_window(at))
    if isinstance(verified, Refusal):
        entry = approvals.refused_entry(Kind.ENROLLMENT_REFUSED, verdict, verified, sub=user_id)
        return quotas.record(tx, at, user_id, None, entry, verified)
    until = at.now + WINDOW_LIFETIME
    tx.open_enrollment(user_id, until)
    facts = {**verified.facts, "sub": user_id, "expires_at": until}
    tx.append(Entry(Kind.ENROLLMENT_OPENED, facts), at.now)
    return until


def close_window(tx: Tx, at: Moment, user_id: UserId) -> None:
    """Close the window before its time; one that is closed already stays so."""
    if tx.close_enrollment(user_id, at.now):
        tx.append(Entry(Kind.ENROLLMENT_CLOSED, {"sub": user_id}), at.now)


def begin(tx: Tx, at: Moment, caller: Principal) -> Begun | Refusal:
    """Start an enrollment, inside the window, in place of one that this caller began before (MCP-10)."""
    entered = enter(tx, at, caller)
    if isinstance(entered, Refusal):
        return entered
    if caller.unproven:
        return _UNPROVEN
    user = tx.user(caller.user_id)
    if user is None:
        return _CLOSED
    until = user.enrolls_until if caller.delegation else at.now + ENROLLMENT_LIFETIME  # MCP-4
    if at.now >= until:  # CRED-7, TOKEN-5
        return _CLOSED
    made = challenge_of(at, Purpose.MCP_ENROLLMENT, _subject(caller, user), user.user_id)
    challenge = replace(made, challenge_id=_challenge_id(caller), expires_at=min(until, made.expires_at))
    tx.drop_challenge(challenge.challenge_id)
    tx.add(challenge)
    return Begun(challenge, user, tx.credentials(user.user_id))


def pending(reader: Reader, at: Moment, caller: Principal) -> Challenge | Refusal:
    """Find the enrollment that this caller began and has not finished (MCP-10)."""
    challenge = reader.challenge(_challenge_id(caller))
    return _NONE_PENDING if challenge is None or challenge.closed(at.now) else challenge


def finish(
    tx: Tx, at: Moment, caller: Principal, challenge: Challenge, made: Registration | Refusal
) -> Credential | Refusal:
    """Store the new credential, usable at once, or record why not; the window closes behind it (CRED-7)."""
    entered = enter(tx, at, caller)
    if isinstance(entered, Refusal):
        return entered
    if isinstance(made, Refusal):
        return _refused(tx, at, caller, made)
    found = tx.credential(made.credential_id)
    if found is not None and (found.active or found.user_id != caller.user_id):  # CRED-4
        return _refused(tx, at, caller, TAKEN)
    user = tx.user(caller.user_id)
    if user is None or challenge.subject != _subject(caller, user):  # begun in another window (APPR-8)
        return _refused(tx, at, caller, _NONE_PENDING)
    if not tx.consume_challenge(challenge, at.now):
        return _refused(tx, at, caller, _NONE_PENDING)
    if caller.delegation and not tx.close_enrollment(caller.user_id, at.now):  # CRED-7
        return _refused(tx, at, caller, _NONE_PENDING)
    credential = make_credential(caller.user_id, made, "", at.now, active=True)
    if not tx.add(credential):
        raise Refused.of(TAKEN)
    tx.append(added_entry(credential, Basis.MCP), at.now)
    return credential


def _refused(tx: Tx, at: Moment, caller: Principal, refusal: Refusal) -> Refusal:
    client_id = caller.delegation.client_id if caller.delegation else None
    entry = Entry(Kind.CREDENTIAL_REFUSED, {"sub": caller.user_id, "code": refusal.code, "via": "mcp"})
    return quotas.record(tx, at, caller.user_id, client_id, entry, refusal)


def _challenge_id(caller: Principal) -> ChallengeId:
    """Name the one enrollment that a caller can have open, since finishing one does not name it (MCP-10)."""
    grant_id = caller.delegation.grant_id if caller.delegation else ""
    name = f"{Purpose.MCP_ENROLLMENT} {caller.user_id} {grant_id}"
    return ChallengeId(make_id("chl", hashlib.sha256(name.encode()).digest()))


def _subject(caller: Principal, user: User) -> Subject:
    """Name what an enrollment depends on: the grant, and the window if one has to be open (CRED-7, MCP-4)."""
    return Inside(caller.delegation.grant_id, user.enrolls_until) if caller.delegation else ""


def _window(user_id: UserId) -> Action:
    arguments: Json = {"user": user_id}
    return Action(
        Purpose.ENROLLMENT_WINDOW, user_id, WINDOW_ACTION, arguments, user_id, surface=Surface.AUTHORITY
    )
