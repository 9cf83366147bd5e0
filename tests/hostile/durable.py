"""What stays: rows that somebody can make more and more of. `KINDS` has one function for each kind, which adds `n`."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.store import values

from deputize.protocol.agent import Assurance
from deputize.protocol.call import State
from deputize.protocol.credential import User
from deputize.protocol.grant import Grant, GrantState
from deputize.service.ports import Tx

FOREVER = values.NOW + 10**6


def _agents(tx: Tx, user: User, n: int) -> None:
    for k in range(n):
        tx.add(values.agent((user.user_id, k), user_id=user.user_id))


def _grants(tx: Tx, user: User, n: int) -> None:
    """Let agents have them that are somebody else's, too."""
    for k in range(n):
        name = ("of", user.user_id, k)
        tx.put(values.agent(name, user_id=None, jkt=None, assurance=Assurance.ORIGIN, name=f"Agent {k}"))
        tx.add(_grant(user, values.client_id(name), name))


def _children(tx: Tx, user: User, n: int) -> None:
    for parent in [grant for grant in tx.grants(user.user_id) if grant.state is GrantState.ACTIVE][:3]:
        for k in range(n):
            name = ("below", parent.grant_id, k)
            tx.add(_grant(user, parent.client_id, name, parent_id=parent.grant_id))


def _grant(user: User, client_id: str, name: object, **others: Any) -> Grant:
    agent = {"client_id": client_id, "assurance": "origin", "name": "Helper"}
    shown = {"agent": agent, "expires_in": 3600, "scopes": [], "site": "Bank", "user": user.name}
    fields = {"state": GrantState.ACTIVE, "shown": shown, "expires_at": FOREVER, "jkt": values.jkt(name)}
    return values.grant(name, user_id=user.user_id, client_id=client_id, **fields, **others)


def _credentials(tx: Tx, user: User, n: int) -> None:
    for k in range(n):
        tx.add(values.credential((user.user_id, k), user_id=user.user_id))


def _calls(tx: Tx, user: User, n: int) -> None:
    for grant in tx.grants(user.user_id)[:2]:
        for state in (State.PENDING, State.APPROVED, State.SUCCEEDED):
            for k in range(n):
                tx.add(
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
        tx.add(values.session((user.user_id, k), user_id=user.user_id, expires_at=FOREVER))


def _open(tx: Tx, user: User, n: int) -> None:
    """Leave challenges, requests, proofs and links open."""
    for k in range(n):
        name = (user.user_id, k)
        tx.add(values.challenge(name, owner=user.user_id, expires_at=FOREVER))
        tx.add(values.request(f"{user.user_id}{k}", expires_at=FOREVER, user_code=f"{k:08}{user.user_id}"))
        tx.use_proof(values.proof(name, user.user_id, FOREVER))
        tx.add_recovery(values.digest(("recovery", name)), user.user_id, FOREVER)


def _entries(tx: Tx, user: User, n: int) -> None:
    for k in range(n):
        tx.append(values.entry((user.user_id, k)), values.NOW)


def _users(tx: Tx, user: User, n: int) -> None:
    for k in range(n):
        tx.add(values.user(f"{user.user_id} {k}"))


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


def fill(kinds: Kinds, n: int, tx: Tx) -> None:
    """Add so many of these kinds for everybody who is there."""
    for user in tx.users():
        for add in kinds.values():
            add(tx, user, n)
