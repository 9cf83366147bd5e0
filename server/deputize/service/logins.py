"""Signing in by the site's own login, and out with it (PROTOCOL §25). Each function is one transaction."""

from dataclasses import dataclass

from ..protocol.challenge import NONCE_BYTES, Away, Challenge, Purpose
from ..protocol.entry import Entry, Kind
from ..protocol.errors import Code, Refusal
from ..protocol.ids import ChallengeId, make_id
from ..protocol.login import DEPARTURE_LIFETIME, Identity, Ticket
from ..protocol.openid import Ended
from .blocks import barred
from .moment import Moment
from .ports import Session, Tx
from .sessions import Opening, SignIn, digest_of, open_session, site_user

_ELSEWHERE = Refusal(
    Code.CHALLENGE_UNKNOWN,
    "This browser is not away to sign in, or not by this state: it is another one, its cookie is gone, or somebody has "
    "sent it here.",
    told="sign-in-elsewhere",
)
_OVER = "sign-in-over"


@dataclass(frozen=True, slots=True)
class Arrived:
    """Who has come back signed in, by his session, and where he goes on."""

    session: Session
    return_to: str


def depart(tx: Tx, at: Moment, browser: bytes, where: str, return_to: str, anew: bool) -> Challenge:
    """Let a browser, by the hash of its cookie, leave for the login; its state is the challenge (SIGNIN-1)."""
    challenge = Challenge(
        ChallengeId(make_id("chl", at.random(16))),
        Purpose.SITE_SIGN_IN,
        at.random(NONCE_BYTES),
        Away(browser, where, return_to, anew),
        None,
        at.now + DEPARTURE_LIFETIME,
    )
    tx.add(challenge)
    return challenge


def come_back(
    tx: Tx, at: Moment, state: str, browser: bytes | None, where: str
) -> tuple[Challenge, Away] | Refusal:
    """Use up a state, once, in the browser that has left with it, and for the login that it left for (SIGNIN-2)."""
    challenge = tx.challenge(ChallengeId(state))
    away = challenge.subject if challenge is not None else None
    if challenge is None or not isinstance(away, Away) or (away.browser, away.where) != (browser, where):
        return _ELSEWHERE
    if closed := challenge.closed(at.now):
        return Refusal(closed.code, closed.detail, told=_OVER)
    if not tx.consume_challenge(challenge, at.now):
        return Refusal(Code.CHALLENGE_CONSUMED, "This sign-in was finished already.", told=_OVER)
    return challenge, away


def arrive(tx: Tx, at: Moment, away: Away, known: Identity, how: str, opening: Opening) -> Arrived | Refusal:
    """Open a session for whom the site knows (SIGNIN-3); the one that the browser has had ends, whosever it was."""
    if known.ends_at is not None and known.ends_at <= at.now:
        return Refusal(Code.SIGN_IN_FAILED, "The session at the site has ended already.", told=_OVER)
    user = site_user(tx, at, known.external_id, known.name)
    if out := barred(tx, user.user_id, None, at.now):  # BLOCK-3
        return out
    if away.anew and not SignIn(user.user_id, known.auth_time).recent(at.now):  # SIGNIN-4
        return Refusal(
            Code.SIGN_IN_FAILED,
            "The site was asked for a new sign-in, and auth_time is older.",
            told="not-anew",
        )
    tx.append(Entry(Kind.USER_SIGNED_IN, {"sub": user.user_id, "by": how}), at.now)
    return Arrived(open_session(tx, at, user.user_id, opening, known), away.return_to)


def by_ticket(
    tx: Tx,
    at: Moment,
    ticket: Ticket,
    where: str,
    browser: bytes | None,
    opening: Opening,
) -> Arrived | Refusal:
    """Take a ticket that was verified, once (SIGNIN-2, SIGNIN-3)."""
    back = come_back(tx, at, ticket.state, browser, where)
    if isinstance(back, Refusal):
        return back
    if not tx.use_proof(ticket.proof):
        return Refusal(Code.SIGN_IN_FAILED, "A ticket with this jti was used before.", told=_OVER)
    return arrive(tx, at, back[1], ticket.known, "ticket", opening)


def end(tx: Tx, at: Moment, ended: Ended) -> Refusal | None:
    """End the sessions that come from one that has ended at the site's login, or all of its user (SIGNIN-7)."""
    if not tx.use_proof(ended.proof):
        return Refusal(Code.SIGN_IN_FAILED, "A logout token with this jti was used before.")
    user = tx.user_by_external_id(ended.external_id) if ended.external_id is not None else None
    if ended.sid is not None:
        tx.end_sessions_of(digest_of(ended.sid))
    elif user is not None:
        tx.end_sessions(user.user_id)
    return None
