"""How the agent of a page gets a grant: it registers, asks, and the user consents (PROTOCOL §4).

Each function is one transaction, or reads one snapshot.
"""

from collections.abc import Mapping
from dataclasses import replace

from ..protocol.agent import Agent, Assurance
from ..protocol.canonical import Json
from ..protocol.challenge import Purpose
from ..protocol.consent import consent_structure, definitions_of
from ..protocol.constraint import Constraints
from ..protocol.credential import AuthenticatorClass, User
from ..protocol.definition import Definitions, Described, joined
from ..protocol.entry import Entry, Kind
from ..protocol.errors import USED_PROOF, Code, Refusal, Refused, or_refuse
from ..protocol.grant import CONSENT_ACTION, CONSENT_LIFETIME, Grant, GrantState, acting, lifetime
from ..protocol.ids import ClientId, GrantId, Jkt, UserId, make_id
from ..protocol.policy import Policy
from ..protocol.prompt import asker_of, askers_of
from ..protocol.question import Surface
from ..protocol.quota import Quota
from ..protocol.scope import ScopeSet
from ..words.consent import put
from . import approvals, blocks, grants, prompts, questions, quotas
from .approvals import Action, Minted, Verdict
from .blocks import barred
from .calls import silences, successions
from .grants import NO_GRANT, OwnRequest, PageRequest, Renewable
from .moment import Moment
from .ports import Reader, Tx


def register_agent(tx: Tx, at: Moment, request: PageRequest) -> Agent | Refusal:
    """Register the page's key as this user's opaque agent, or find it again (AGENT-1)."""
    if not request.spend(tx):
        return USED_PROOF
    if request.jkt is None:
        return _NO_AGENT
    agent = tx.agent_by_key(request.jkt)
    if agent is not None and not _lives(agent, request.user_id):
        return _NO_AGENT
    if out := barred(tx, request.user_id, agent.client_id if agent is not None else None, at.now):
        return out
    if agent is not None:
        return agent
    if limited := quotas.entry(tx, at, request.user_id, None):
        return limited
    agent = Agent(
        ClientId(make_id("agt", at.random(16))), Assurance.OPAQUE, request.jkt, request.user_id, at.now
    )
    if not tx.add(agent):
        return _NO_AGENT
    facts = {
        "client_id": agent.client_id,
        "sub": agent.user_id,
        "jkt": agent.jkt,
        "assurance": agent.assurance.value,
    }
    tx.append(Entry(Kind.AGENT_REGISTERED, facts), at.now)
    return agent


_NO_AGENT = Refusal(Code.UNKNOWN_AGENT, "This key is not registered for you, or was revoked. Make a new key.")


def request_grant(
    tx: Tx,
    at: Moment,
    request: PageRequest,
    scopes: ScopeSet,
    expires_in: int | None,
    described: Mapping[str, str] | None = None,
) -> Grant | Refusal:
    """Ask for consent; what is to be shown includes what the agent holds already (GRANT-1).

    `described` are the digests by which the page has registered tools. Those that the agent could call join what the
    user consents to (GRANT-8).
    """
    if not request.spend(tx):
        return USED_PROOF
    user, agent = tx.user(request.user_id), tx.agent_by_key(request.jkt) if request.jkt else None
    if user is None or agent is None or agent.jkt is None or not _lives(agent, user.user_id):
        return _NO_AGENT
    if out := barred(tx, request.user_id, agent.client_id, at.now) or quotas.entry(
        tx, at, request.user_id, agent.client_id
    ):
        return out
    ceiling = at.policy.ceiling.of(agent)
    able = approvals.eligible(tx, at, request.user_id, AuthenticatorClass.PLATFORM)
    unable = able if isinstance(able, Refusal) else None  # nobody is asked who could not answer
    closed = askable(scopes, ceiling, at.policy) or unable
    if refusal := closed or unwelcome(tx, at, request.user_id, asker_of(agent.client_id)):
        facts = {"client_id": agent.client_id, "sub": request.user_id, "scope": str(scopes)}
        entry = Entry(Kind.GRANT_REFUSED, {**facts, "code": refusal.code})
        return quotas.record(tx, at, request.user_id, agent.client_id, entry, refusal)
    if limited := quotas.pending(tx, at, Quota.PENDING_CONSENTS, request.user_id, agent.client_id):
        return limited
    held = tx.active_grant(request.user_id, agent.client_id, agent.jkt)
    if held is not None and held.dead(at.now) is None:
        scopes = scopes | (held.scopes & ceiling)
    seconds = min(expires_in or at.policy.grant_lifetime, at.policy.grant_max_lifetime)
    known = held.definitions if held is not None else None
    named = {
        name: digest
        for name, digest in (described or {}).items()
        if _callable(at.policy, name, digest, scopes)
    }
    return ask(tx, at, user, agent, agent.jkt, scopes, Constraints(), seconds, named, known)


def _callable(policy: Policy, name: str, digest: str, scopes: ScopeSet) -> bool:
    """Tell whether a tool that a page describes so could be called with these scopes, so that consent may cover it."""
    tool = policy.tools.get(name)
    return (
        tool is not None
        and not tool.public
        and tool.scopes <= scopes
        and tool.allows(Described(name, digest, by_page=True))
    )


def unwelcome(reader: Reader, at: Moment, user_id: UserId, asker: str) -> Refusal | None:
    """Say why this user is asked for nothing now, or by this asker; None if one may ask (PROMPT-3, PROMPT-5)."""
    return prompts.paused(reader, user_id) or prompts.quiet(reader, at, user_id, [asker])


def askable(scopes: ScopeSet, ceiling: ScopeSet, policy: Policy) -> Refusal | None:
    """Say why nobody may ask for these scopes, or None if one may (GRANT-1)."""
    if not scopes or any(name not in policy.scopes for name in scopes):
        return Refusal(
            Code.INVALID_SCOPE, "Ask for at least one scope, and only for scopes that the site declares."
        )
    if not scopes <= ceiling:  # AGENT-2
        facts = {"scope": str(scopes - ceiling)}
        return Refusal(Code.AGENT_NOT_ALLOWED, "The site does not let this kind of agent have that.", facts)
    return None


def ask(
    tx: Tx,
    at: Moment,
    user: User,
    agent: Agent,
    jkt: Jkt,
    scopes: ScopeSet,
    constraints: Constraints,
    seconds: int,
    named: Mapping[str, str] | None = None,
    known: Definitions | None = None,
) -> Grant:
    """Store and record a request for consent, in the words that its user is to read (GRANT-1, OAUTH-4).

    `named` are digests of tools, which are signed; `known` is what the user has consented to before, and is told where
    that was another (GRANT-8).
    """
    asked = Grant(
        GrantId(make_id("grt", at.random(16))),
        user.user_id,
        agent.client_id,
        scopes,
        GrantState.PENDING,
        {},
        at.now,
        at.now + CONSENT_LIFETIME,
        jkt,
        constraints,
        definitions=joined(known or {}, named or {}),
    )
    held = tx.active_grant(user.user_id, agent.client_id, jkt)
    before = held if held is not None and held.dead(at.now) is None else None
    structure = consent_structure(asked, agent, user, at.policy, seconds, before)
    if named:
        structure["definitions"] = definitions_of(named, known or {}, at.policy.tools)
    grant = replace(asked, shown=put(structure, at.language))
    tx.add(grant)
    tx.append(grants.entry(Kind.GRANT_REQUESTED, grant), at.now)
    return grant


def challenge(tx: Tx, at: Moment, request: PageRequest, grant_id: str) -> Minted | Refusal:
    """Mint the challenge over the grant as it is shown, at the user's click (GRANT-2)."""
    grant = asking(tx, at, request, grant_id)
    if isinstance(grant, Refusal):
        return grant
    if occupied := prompts.occupied(tx, at, grant.user_id, grant.grant_id, askers_of([grant])):
        return occupied
    return approvals.mint(tx, at, _action(at, grant, request), questions.of_consent(grant))


def asking(tx: Tx, at: Moment, request: PageRequest, grant_id: str) -> Grant | Refusal:
    """Find a request for consent that waits for its user, where he may be asked now (PROMPT-3, PROMPT-5)."""
    grant = _own(tx, request, grant_id, at.now)
    if isinstance(grant, Refusal):
        return grant
    return unwelcome(tx, at, grant.user_id, *askers_of([grant])) or grant


def check(reader: Reader, at: Moment, request: PageRequest, grant_id: str, evidence: Json) -> Verdict:
    """Verify a consent assertion, before the transaction; Refused if that request for consent is not open."""
    grant = or_refuse(_pending(reader, request, grant_id, at.now))
    return approvals.check(reader, at, _action(at, grant, request), evidence)


def agree(tx: Tx, at: Moment, request: PageRequest, grant_id: str, verdict: Verdict) -> Renewable | Refusal:
    """Turn the request into a grant that supersedes the agent's older one, or record why not (GRANT-2, GRANT-3)."""
    grant = _own(tx, request, grant_id, at.now)
    if isinstance(grant, Refusal):
        return grant
    agent = tx.agent(grant.client_id)
    if agent is None or not _lives(agent, request.user_id):
        return _NO_AGENT
    if out := barred(tx, request.user_id, agent.client_id, at.now) or unwelcome(
        tx, at, grant.user_id, *askers_of([grant])
    ):
        return out
    facts = {"grant_id": grant.grant_id, "sub": grant.user_id}
    if refusal := askable(grant.scopes, at.policy.ceiling.of(acting(agent, grant)), at.policy):  # POLICY-3
        entry = Entry(Kind.GRANT_REFUSED, {**facts, "code": refusal.code})
        return quotas.record(tx, at, grant.user_id, grant.client_id, entry, refusal)
    action, text = _action(at, grant, request), questions.of_consent(grant)
    verified = approvals.conclude(tx, at, verdict, action, text)
    if isinstance(verified, Refusal):
        entry = approvals.refused_entry(Kind.GRANT_REFUSED, verdict, verified, **facts)
        return quotas.record(tx, at, grant.user_id, grant.client_id, entry, verified)
    older = tx.active_grant(grant.user_id, grant.client_id, grant.jkt)
    if older is not None and older.grant_id == grant.grant_id:  # it was suspended, and goes on
        older = None
    if older is not None:
        grants.supersede(tx, older, grant, at.now)
    active = replace(
        grant, state=GrantState.ACTIVE, expires_at=at.now + lifetime(grant.shown), auth_time=at.now
    )
    if not tx.move_grant(grant.grant_id, GrantState.ACTIVE, at.now, active.expires_at):
        raise Refused.of(NO_GRANT)
    tx.append(grants.entry(Kind.GRANT_ACTIVE, active, **verified.facts), at.now)
    if older is not None:
        successions.carry_over(tx, at, older, active)
    return Renewable(active, agent)


def look(tx: Tx, at: Moment, request: PageRequest, grant_id: str) -> Grant | Refusal:
    """Show a request for consent, in any state, to the page that has asked."""
    if not request.spend(tx):
        return USED_PROOF
    grant = tx.grant(GrantId(grant_id))
    mine = grant is not None and grant.user_id == request.user_id and grant.jkt == request.jkt
    return grant if grant is not None and mine else NO_GRANT


def resume(tx: Tx, at: Moment, request: PageRequest, grant_id: str) -> Renewable | Refusal:
    """Give a page what came of its request for consent where that was answered elsewhere (GRANT-9)."""
    grant = look(tx, at, request, grant_id)
    if isinstance(grant, Refusal):
        return grant
    agent = tx.agent(grant.client_id)
    if agent is None or agent.jkt != request.jkt:  # what an attested agent gets comes with its code (OAUTH-5)
        return NO_GRANT
    if not _lives(agent, request.user_id):
        return _NO_AGENT
    out = barred(tx, request.user_id, agent.client_id, at.now) or prompts.paused(tx, request.user_id)
    if dead := grant.dead(at.now) or out:
        return dead
    if abs(at.now - grant.auth_time) >= CONSENT_LIFETIME:  # CLOCK-1
        return Refusal(Code.EXPIRED, "This consent was given too long ago. Let the agent ask again.")
    return Renewable(grant, agent)


def decline(
    tx: Tx, at: Moment, request: PageRequest, grant_id: str, said_no: bool = True, block: bool = False
) -> Grant | Refusal:
    """End a request for consent (GRANT-4): the user has `said_no`, or the dialog went away.

    With `block`, the agent is blocked as well (BLOCK-1).
    """
    grant = _own(tx, request, grant_id, at.now)
    if isinstance(grant, Refusal):
        return grant
    if grant.state is GrantState.SUSPENDED:  # nobody has asked: it is taken back, and counts as no decline
        grants.revoke_grant(tx, grant, at.now, by="user")
        blocked = blocks.block(tx, at, grant.user_id, grant.grant_id, None) if block else None
        return blocked if isinstance(blocked, Refusal) else replace(grant, state=GrantState.REVOKED)
    tx.move_grant(grant.grant_id, GrantState.DECLINED, at.now)
    tx.append(grants.entry(Kind.GRANT_DECLINED, grant), at.now)
    if said_no:
        silences.declined(tx, at, grant.user_id, askers_of([grant]))
    blocked = blocks.block(tx, at, grant.user_id, grant.grant_id, None) if block else None
    return blocked if isinstance(blocked, Refusal) else replace(grant, state=GrantState.DECLINED)


def _action(at: Moment, grant: Grant, request: PageRequest) -> Action:
    shown: Json = dict(grant.shown)
    return Action(
        Purpose.CONSENT,
        grant.grant_id,
        CONSENT_ACTION,
        shown,
        grant.user_id,
        page_jkt=request.jkt,
        surface=Surface.AUTHORITY if request.proof is None else Surface.PAGE,
        takes=at.policy.surface_of_consent(grant.scopes),
    )


def _pending(reader: Reader, request: PageRequest, grant_id: str, now: int) -> Grant | Refusal:
    """Find a request for consent of this user and page key that is still open.

    On the authority's page, a grant that is suspended is one too: its user confirms it (GRANT-10).
    """
    grant = reader.grant(GrantId(grant_id))
    agent = reader.agent(grant.client_id) if grant is not None else None
    if grant is None or agent is None or grant.user_id != request.user_id:
        return NO_GRANT
    own = isinstance(request, OwnRequest)
    suspended = own and grant.state is GrantState.SUSPENDED
    if not suspended and not (agent.jkt if own else agent.jkt == request.jkt):
        return NO_GRANT
    if grant.state is not GrantState.PENDING and not suspended:
        return Refusal(Code.CALL_STATE, f"This request for consent is {grant.state} already.")
    if now >= grant.expires_at:  # GRANT-4
        return Refusal(Code.EXPIRED, "This request for consent has run out. Let the agent ask again.")
    return grant


def _own(tx: Tx, request: PageRequest, grant_id: str, now: int) -> Grant | Refusal:
    """Find it as `_pending`, and use the page's proof up."""
    return _pending(tx, request, grant_id, now) if request.spend(tx) else USED_PROOF


def _lives(agent: Agent, user_id: UserId) -> bool:
    return agent.user_id in (None, user_id) and agent.revoked_at is None
