"""Signing in by the site's own login, as use cases (SIGNIN-1 to SIGNIN-5)."""

from typing import Any

import pytest
from tests.service.kit import Desk
from tests.store import values as v

from deputize.protocol.canonical import s256
from deputize.protocol.challenge import Challenge
from deputize.protocol.errors import Code, Refusal
from deputize.protocol.login import DEPARTURE_LIFETIME, Identity, Ticket
from deputize.protocol.openid import Ended
from deputize.protocol.proof import Proof
from deputize.service import blocks, logins
from deputize.service.logins import Arrived
from deputize.service.sessions import Opening

BROWSER = v.digest("browser")
WHERE = "https://bank.example/login"


def known(**others: Any) -> Identity:
    return Identity(**{"external_id": "7", "name": "Ada", "auth_time": v.NOW, **others})


def left(desk: Desk, anew: bool = False) -> Challenge:
    return desk.do(lambda tx: logins.depart(tx, desk.at, BROWSER, WHERE, "https://bank.example/", anew))


def back(
    desk: Desk,
    state: str,
    browser: bytes | None = BROWSER,
    jti: str | None = None,
    who: Identity | None = None,
    previous: bytes | None = None,
    where: str = WHERE,
) -> Arrived | Refusal:
    proof = Proof(v.jkt("site"), jti or f"of {state}", desk.now + 100)
    opening, ticket = Opening(v.digest(("session", state)), previous), Ticket(who or known(), state, proof)
    return desk.do(lambda tx: logins.by_ticket(tx, desk.at, ticket, where, browser, opening))


def refused(outcome: Arrived | Refusal) -> tuple[Code, str]:
    assert isinstance(outcome, Refusal)
    return outcome.code, outcome.told


def arrived(outcome: Arrived | Refusal) -> Arrived:
    assert isinstance(outcome, Arrived)
    return outcome


@pytest.mark.parametrize("browser", [None, b"", v.digest("another")])
def test_a_state_is_good_in_its_own_browser_only(desk: Desk, browser: bytes | None) -> None:  # SIGNIN-2
    state = left(desk).challenge_id
    assert refused(back(desk, state, browser)) == (Code.CHALLENGE_UNKNOWN, "sign-in-elsewhere")
    assert arrived(back(desk, state)).return_to == "https://bank.example/"  # nobody else has used it up


def test_a_state_is_good_for_the_login_that_it_was_made_for(desk: Desk) -> None:  # SIGNIN-2
    """Not for the one that the policy names by now: a code of one provider would be sent to another."""
    state = left(desk).challenge_id
    elsewhere = back(desk, state, where="https://login.example")
    assert refused(elsewhere) == (Code.CHALLENGE_UNKNOWN, "sign-in-elsewhere")


def test_a_state_is_good_once_and_in_time(desk: Desk) -> None:  # SIGNIN-1, TOKEN-5
    first, second = left(desk).challenge_id, left(desk).challenge_id
    desk.now += DEPARTURE_LIFETIME - 1
    arrived(back(desk, first))
    assert refused(back(desk, first, jti="another")) == (Code.CHALLENGE_CONSUMED, "sign-in-over")
    desk.now += 1
    assert refused(back(desk, second)) == (Code.CHALLENGE_EXPIRED, "sign-in-over")


def test_a_jti_is_good_once(desk: Desk) -> None:  # SIGNIN-3
    arrived(back(desk, left(desk).challenge_id, jti="one"))
    assert refused(back(desk, left(desk).challenge_id, jti="one")) == (Code.SIGN_IN_FAILED, "sign-in-over")


def test_the_session_is_as_old_and_as_long_as_that_at_the_site(desk: Desk) -> None:  # SIGNIN-4, SIGNIN-5
    told = known(auth_time=desk.now - 400, ends_at=desk.now + 1, sid="https://bank.example s")
    session = arrived(back(desk, left(desk).challenge_id, who=told)).session
    assert (session.auth_time, session.expires_at, session.sid) == (
        desk.now - 400,
        desk.now + 1,
        s256(b"https://bank.example s"),
    )
    ahead = known(auth_time=desk.now + 20, ends_at=desk.now + 10**9)
    session = arrived(back(desk, left(desk).challenge_id, who=ahead)).session
    assert session.auth_time == desk.now
    assert session.expires_at == desk.now + desk.policy.session_lifetime
    over = known(ends_at=desk.now)
    assert refused(back(desk, left(desk).challenge_id, who=over)) == (Code.SIGN_IN_FAILED, "sign-in-over")


def test_another_user_ends_the_session_before(desk: Desk) -> None:  # SIGNIN-5
    ada = arrived(back(desk, left(desk).challenge_id)).session
    grace = arrived(
        back(desk, left(desk).challenge_id, who=known(external_id="8"), previous=ada.digest)
    ).session
    assert desk.look(lambda tx: tx.session(ada.digest)) is None
    assert desk.look(lambda tx: tx.session(grace.digest)) == grace
    assert ada.user_id != grace.user_id


def test_who_was_asked_to_sign_in_anew_has_done_so(desk: Desk) -> None:  # SIGNIN-4
    hour_ago = known(auth_time=desk.now - 300)
    assert refused(back(desk, left(desk, anew=True).challenge_id, who=hour_ago)) == (
        Code.SIGN_IN_FAILED,
        "not-anew",
    )
    arrived(back(desk, left(desk, anew=True).challenge_id, who=known(auth_time=desk.now - 299)))
    arrived(back(desk, left(desk).challenge_id, who=hour_ago))


def test_a_challenge_of_another_kind_is_no_state(desk: Desk) -> None:  # SIGNIN-2
    other = v.challenge("other", owner=None)
    desk.do(lambda tx: tx.add(other))
    assert refused(back(desk, other.challenge_id)) == (Code.CHALLENGE_UNKNOWN, "sign-in-elsewhere")


def test_whom_the_owner_keeps_out_does_not_arrive(desk: Desk) -> None:  # BLOCK-3
    session = arrived(back(desk, left(desk).challenge_id)).session
    desk.do(lambda tx: blocks.block_user(tx, session.user_id, desk.now + 60, desk.now))
    assert refused(back(desk, left(desk).challenge_id))[0] == Code.USER_BLOCKED
    desk.now += 60
    arrived(back(desk, left(desk).challenge_id))


class TestTheSitesLogout:
    """SIGNIN-7."""

    def sessions(self, desk: Desk) -> list[Arrived]:
        """Let Ada sign in twice, and somebody else once."""
        who = (("9", "one"), ("9", "two"), ("10", "three"))
        identities = [known(external_id=name, sid=f"https://bank.example {sid}") for name, sid in who]
        return [arrived(back(desk, left(desk).challenge_id, who=each)) for each in identities]

    def end(
        self, desk: Desk, external_id: str, sid: str | None = None, proof: Proof | None = None
    ) -> Refusal | None:
        ended = Ended(sid, external_id, proof or desk.proof(v.jkt("site")))
        return desk.do(lambda tx: logins.end(tx, desk.at, ended))

    def left_over(self, desk: Desk, came: list[Arrived]) -> list[int]:
        digests = enumerate(each.session.digest for each in came)
        return [n for n, digest in digests if desk.look(lambda tx, it=digest: tx.session(it)) is not None]  # type: ignore[misc]

    def test_of_one_session_ends_that_one(self, desk: Desk) -> None:
        came = self.sessions(desk)
        assert self.end(desk, "9", "https://bank.example one") is None
        assert self.left_over(desk, came) == [1, 2]

    def test_of_a_user_ends_all_of_his(self, desk: Desk) -> None:
        came = self.sessions(desk)
        assert self.end(desk, "nobody") is None
        assert self.left_over(desk, came) == [0, 1, 2]
        assert self.end(desk, "9") is None
        assert self.left_over(desk, came) == [2]

    def test_is_told_once_by_one_token(self, desk: Desk) -> None:
        came, proof = self.sessions(desk), desk.proof(v.jkt("site"))
        assert self.end(desk, "nobody", proof=proof) is None
        again = self.end(desk, "9", proof=proof)
        assert again is not None
        assert again.code == Code.SIGN_IN_FAILED
        assert self.left_over(desk, came) == [0, 1, 2]
