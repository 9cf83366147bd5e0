"""The window in which a credential may be enrolled over MCP (CRED-7). Each function is one transaction."""

from ..protocol.canonical import Json
from ..protocol.challenge import Purpose
from ..protocol.credential import WINDOW_ACTION, WINDOW_LIFETIME, AuthenticatorClass
from ..protocol.entry import Entry, Kind
from ..protocol.errors import Refusal
from ..protocol.ids import UserId
from . import approvals
from .approvals import Action, Minted, Random, Verdict
from .ports import CeremonyVerifier, Reader, Tx


def window_challenge(tx: Tx, user_id: UserId, server_id: str, random: Random, now: int) -> Minted | Refusal:
    """Mint the challenge over the opening of the window, at the user's click."""
    return approvals.mint(tx, _window(user_id), server_id, random, now)


def check_window(
    reader: Reader, user_id: UserId, evidence: Json, verifier: CeremonyVerifier, server_id: str, now: int
) -> Verdict:
    """Verify on a snapshot that the user opens the window. No state changes here."""
    return approvals.check(reader, _window(user_id), evidence, verifier, server_id, now)


def open_window(tx: Tx, user_id: UserId, verdict: Verdict, now: int) -> int | Refusal:
    """Open the window and return the second at which it closes, or record why not (CRED-7)."""
    if refusal := approvals.conclude(tx, verdict, now):
        tx.append(approvals.refused_entry(Kind.ENROLLMENT_REFUSED, verdict, refusal, sub=user_id), now)
        return refusal
    until = now + WINDOW_LIFETIME
    tx.open_enrollment(user_id, until)
    facts = {"sub": user_id, "challenge_id": verdict.challenge_id, "evidence_s256": verdict.evidence_s256}
    tx.append(Entry(Kind.ENROLLMENT_OPENED, {**facts, "expires_at": until}), now)
    return until


def close_window(tx: Tx, user_id: UserId, now: int) -> None:
    """Close the window before its time; one that is closed already stays so."""
    if tx.close_enrollment(user_id, now):
        tx.append(Entry(Kind.ENROLLMENT_CLOSED, {"sub": user_id}), now)


def _window(user_id: UserId) -> Action:
    return Action(
        Purpose.ENROLLMENT_WINDOW,
        user_id,
        WINDOW_ACTION,
        {"user": user_id},
        AuthenticatorClass.PLATFORM,
        user_id,
        None,
    )
