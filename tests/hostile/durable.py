"""What stays: rows that somebody can make more and more of. `KINDS` has one function for each kind, which adds `n`."""

from collections.abc import Callable, Mapping

from tests.store import values

from deputize.protocol.agent import Assurance
from deputize.protocol.call import State
from deputize.protocol.credential import User
from deputize.protocol.grant import Grant, GrantState
from deputize.protocol.ids import GrantId, Jkt
from deputize.service.ports import Tx

FOREVER = values.NOW + 10**6


def _agents(tx: Tx, user: User, n: int) -> None:
    for k in range(n):
        tx.add_agent(values.agent((user.user_id, k), user_id=user.user_id))


def _grants(tx: Tx, user: User, n: int) -> None:
    """Let agents have them that are somebody else's, too."""
    for k in range(n):
        name = ("of", user.user_id, k)
        tx.put_agent(
            values.agent(name, user_id=None, jkt=None, assurance=Assurance.ORIGIN, name=f"Agent {k}")
        )
        _grant(tx, user, values.client_id(name), name, None)


def _children(tx: Tx, user: User, n: int) -> None:
    for parent in [grant for grant in tx.grants(user.user_id) if grant.state is GrantState.ACTIVE][:3]:
        for k in range(n):
            _grant(tx, user, parent.client_id, ("below", parent.grant_id, k), parent.grant_id)


def _grant(tx: Tx, user: User, client_id: str, name: object, parent: GrantId | None) -> None:
    known = tx.grants(user.user_id)[-1:] or [values.grant()]
    made: Grant = values.grant(
        name,
        user_id=user.user_id,
        client_id=client_id,
        parent_id=parent,
        jkt=Jkt(values.jkt(name)),
        state=GrantState.ACTIVE,
        shown=known[0].shown,
        expires_at=FOREVER,
    )
    tx.add_grant(made)


def _credentials(tx: Tx, user: User, n: int) -> None:
    for k in range(n):
        tx.add_credential(values.credential((user.user_id, k), user_id=user.user_id))


def _calls(tx: Tx, user: User, n: int) -> None:
    for grant in tx.grants(user.user_id)[:2]:
        for state in (State.PENDING, State.APPROVED, State.SUCCEEDED):
            for k in range(n):
                tx.add_call(
                    values.call(
                        (grant.grant_id, state, k),
                        state,
                        user_id=user.user_id,
                        client_id=grant.client_id,
                        grant_id=grant.grant_id,
                        page_jkt=grant.jkt,
                        match_key=values.digest((grant.grant_id, k)),
                        deadline=FOREVER,
                    )
                )


def _sessions(tx: Tx, user: User, n: int) -> None:
    for k in range(n):
        tx.add_session(values.session((user.user_id, k), user_id=user.user_id, expires_at=FOREVER))


def _open(tx: Tx, user: User, n: int) -> None:
    """Leave challenges, requests, proofs and links open."""
    for k in range(n):
        name = (user.user_id, k)
        tx.add_challenge(values.challenge(name, owner=user.user_id, expires_at=FOREVER))
        tx.add_request(
            values.request(f"{user.user_id}{k}", expires_at=FOREVER, user_code=f"{k:08}{user.user_id}")
        )
        tx.use_proof(values.proof(name, user.user_id, FOREVER))
        tx.add_recovery(values.digest(("recovery", name)), user.user_id, FOREVER)


def _entries(tx: Tx, user: User, n: int) -> None:
    for k in range(n):
        tx.append(values.entry((user.user_id, k)), values.NOW)


def _users(tx: Tx, user: User, n: int) -> None:
    for k in range(n):
        tx.add_user(values.user(f"{user.user_id} {k}"))


Kinds = Mapping[str, Callable[[Tx, User, int], None]]
KINDS: Kinds = {
    "agents": _agents,
    "grants": _grants,
    "children": _children,
    "credentials": _credentials,
    "calls": _calls,
    "sessions": _sessions,
    "what is open": _open,
    "entries": _entries,
    "users": _users,
}


def fill(tx: Tx, kinds: Kinds, n: int) -> None:
    """Add so many of these kinds for everybody who is there."""
    for user in tx.users():
        for add in kinds.values():
            add(tx, user, n)
