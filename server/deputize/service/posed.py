"""A question by its id, on the authority's own page: to its own user alone, open or answered (APPR-12).

To anybody else there is none under this id. Whoever is signed in himself answers; the key of the page that asks is not
wanted, since that binds who goes on, not who answers.
"""

from dataclasses import dataclass, replace

from ..protocol.agent import Agent
from ..protocol.call import Call, State
from ..protocol.canonical import Json
from ..protocol.errors import Code, Refusal
from ..protocol.grant import Grant, GrantState, acting, standing
from ..protocol.ids import CallId, GrantId, UserId
from ..protocol.question import Surface
from ..words.consent import text_of
from . import approvals, consents, digits
from .approvals import Minted, Verdict, Verified
from .calls import approving, endings
from .calls.answers import approved_on
from .calls.moves import NO_CALL
from .calls.request import OwnCall
from .grants import NO_GRANT, OwnRequest
from .moment import Moment
from .ports import Reader, Tx


@dataclass(frozen=True, slots=True)
class Posed:
    """A question, and what became of it.

    `about` is the call that waits, or the request for consent, and `state` where that is by now, until the second
    `until`. `agent` is who asks, None for a page by itself. `answered_at` and `answered_on` say when and where its user
    agreed, as far as that is known. `method` is the one by which he can answer, None if he has none; `here`, whether an
    answer on the authority's page counts. With `digits`, it was put on another device, and they are typed before that;
    `why` says that it is over because others were (PHONE-3).
    """

    about: Call | Grant
    state: str
    until: int
    agent: Agent | None
    answered_at: int | None
    answered_on: Surface | None
    method: str | None
    here: bool
    digits: bool
    why: Code | None

    @property
    def open(self) -> bool:
        """Tell whether it waits for its user: a request, or a grant that is suspended (GRANT-10)."""
        return self.state in (State.PENDING.value, GrantState.SUSPENDED.value)


def find(reader: Reader, at: Moment, user_id: UserId, asked_id: str) -> Posed | Refusal:
    """Find a question by the id of its call, or of the grant that is asked for."""
    if _is_consent(asked_id):
        return _consent(reader, at, user_id, GrantId(asked_id))
    return _call(reader, at, user_id, CallId(asked_id))


def challenge(
    tx: Tx, at: Moment, user_id: UserId, asked_id: str, typed: str | None = None
) -> Minted | Refusal:
    """Mint its challenge, at the user's click (APPR-1, GRANT-2), if the digits are `typed` that it may have."""
    if refusal := _judged(tx, at, user_id, asked_id, typed):
        return refusal
    if _is_consent(asked_id):
        return consents.challenge(tx, at, OwnRequest(user_id), asked_id)
    return approving.challenge(tx, at, OwnCall(CallId(asked_id), user_id))


def check(reader: Reader, at: Moment, user_id: UserId, asked_id: str, evidence: Json) -> Verdict:
    """Verify evidence for it, before the transaction (APPR-3)."""
    if _is_consent(asked_id):
        return consents.check(reader, at, OwnRequest(user_id), asked_id, evidence)
    return approving.check(reader, at, OwnCall(CallId(asked_id), user_id), evidence)


def approve(
    tx: Tx, at: Moment, user_id: UserId, asked_id: str, verdict: Verdict, typed: str | None = None
) -> str | Refusal:
    """Act on a verdict, and return the state that the question has then; whoever asked goes on by himself."""
    if refusal := _judged(tx, at, user_id, asked_id, typed):  # the challenge may be older than the digits
        return refusal
    if isinstance(verdict, Verified) and tx.phone(asked_id) is not None:
        verdict = replace(verdict, digits_typed=True)
    if _is_consent(asked_id):
        given = consents.agree(tx, at, OwnRequest(user_id), asked_id, verdict)
        return given if isinstance(given, Refusal) else given.grant.state.value
    made = approving.approve(tx, at, OwnCall(CallId(asked_id), user_id), verdict)
    return made if isinstance(made, Refusal) else made.call.state.value


def deny(tx: Tx, at: Moment, user_id: UserId, asked_id: str, block: bool) -> str | Refusal:
    """Note the user's no, with `block` to the agent as well, and return the state that the question has then."""
    if _is_consent(asked_id):
        ended = consents.decline(tx, at, OwnRequest(user_id), asked_id, block=block)
        return ended if isinstance(ended, Refusal) else ended.state.value
    made = endings.deny(tx, at, OwnCall(CallId(asked_id), user_id), State.DECLINED, block)
    return made if isinstance(made, Refusal) else made.call.state.value


def _judged(tx: Tx, at: Moment, user_id: UserId, asked_id: str, typed: str | None) -> Refusal | None:
    """Refuse an answer that needs digits, and has others or none; nobody but its user has a try, or ends anything."""
    if tx.phone(asked_id) is None:
        return None
    if _is_consent(asked_id):
        grant = consents.asking(tx, at, OwnRequest(user_id), asked_id)
        return grant if isinstance(grant, Refusal) else digits.judged(tx, at, grant, typed)
    found = approving.asking(tx, at, OwnCall(CallId(asked_id), user_id))
    return found if isinstance(found, Refusal) else digits.judged(tx, at, found[0], typed)


def _is_consent(asked_id: str) -> bool:
    return asked_id.startswith("grt_")


def _call(reader: Reader, at: Moment, user_id: UserId, call_id: CallId) -> Posed | Refusal:
    call = reader.call(call_id)
    if call is None or call.user_id != user_id:
        return NO_CALL
    agent = reader.agent(call.client_id) if call.client_id else None
    grant = reader.grant(call.grant_id) if call.grant_id else None
    phone = reader.phone(call_id)
    approved = reader.challenge(call.challenge_id) if call.challenge_id else None
    able = approvals.eligible(reader, at, user_id, call.authenticator_class)
    return Posed(
        about=call,
        state=call.overdue(at.now) or call.state,
        until=call.deadline,
        agent=acting(agent, grant) if agent and grant else agent,
        answered_at=approved.consumed_at if approved else None,
        answered_on=approved_on(reader, call),
        method=None if isinstance(able, Refusal) else able[0].name,
        here=at.policy.surface_of(call.tool).has(Surface.AUTHORITY),
        digits=phone is not None,
        why=phone.over if phone else None,
    )


def _consent(reader: Reader, at: Moment, user_id: UserId, grant_id: GrantId) -> Posed | Refusal:
    grant = reader.grant(grant_id)
    agent = reader.agent(grant.client_id) if grant is not None else None
    if grant is None or agent is None or grant.user_id != user_id or grant.parent_id is not None:
        return NO_GRANT
    phone = reader.phone(grant_id)
    return Posed(
        about=grant,
        state=standing(grant, at.now) if text_of(grant.shown) else "expired",  # GRANT-2
        until=grant.expires_at,
        agent=acting(agent, grant),
        answered_at=grant.auth_time or None,
        answered_on=None,
        method=approvals.asked_by(reader, at, user_id),
        # What an attested agent asks is answered where it has sent its user (OAUTH-4).
        here=agent.jkt is not None or grant.state is GrantState.SUSPENDED,
        digits=phone is not None,
        why=phone.over if phone else None,
    )
