"""Reads of the rows, in SQL that SQLite and PostgreSQL both speak, with `:named` parameters."""

# ruff: noqa: D102, S608  # SQL is made of constants; what each method promises is written in service/ports.py

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol, TypeVar

from ..protocol.agent import Agent
from ..protocol.block import Block
from ..protocol.call import Call
from ..protocol.challenge import MAX_ATTEMPTS, Challenge
from ..protocol.credential import Credential, User
from ..protocol.grant import Grant
from ..protocol.ids import CallId, ChallengeId, ClientId, CredentialId, GrantId, Jkt, UserId
from ..protocol.merkle import Frontier
from ..protocol.phone import Phone
from ..protocol.prompt import Quiet
from ..protocol.question import Asked
from ..protocol.quota import Quota, Rate
from ..protocol.request import AuthorizationRequest
from ..service.ports import Listed, Reader, Session, StoredEntry, Waiting, Wanted, WhoseKeys
from .listing import LOOKED_AT, listing
from .sealing import Opened
from .tables import TABLES
from .user_keys import UserKeys

T = TypeVar("T")

# What waits, and can come to nothing any more.
_LEAF_HASHES = "SELECT leaf_hash FROM entries WHERE idx >= :start AND idx < :end ORDER BY idx"
_HASHES = "SELECT hash FROM tiles WHERE level = :level AND idx >= :start AND idx < :end ORDER BY idx"
_UNGRANTED = """
    SELECT 1 FROM grants
    WHERE grants.grant_id = calls.grant_id AND (grants.state <> 'active' OR grants.expires_at <= :now)"""
_BARRED = """
    SELECT 1 FROM blocks
    WHERE blocks.user_id IN ('', grants.user_id) AND blocks.client_id = grants.client_id
        AND (blocks.until IS NULL OR blocks.until > :now)"""
_WAITING = {
    Quota.PENDING_CALLS: ("calls", "deadline", _UNGRANTED),
    Quota.PENDING_CONSENTS: ("grants", "expires_at", _BARRED),
}
"""Where things wait, until when, and what waits in vain."""
_CHILDREN = """
    SELECT count(*) FROM grants
    WHERE parent_id = :grant_id AND state = 'active' AND expires_at > :now"""


class Cursor(Protocol):
    """What a statement leaves behind (PEP 249)."""

    @property
    def rowcount(self) -> int:
        """Return how many rows the statement changed."""

    def fetchone(self) -> Any:
        """Return the next row, a tuple, or None."""

    def fetchall(self) -> list[Any]:
        """Return all remaining rows."""


Execute = Callable[[str, Mapping[str, object] | Sequence[object]], Cursor]


class Snapshot(Reader):
    """A `Reader` over one connection. Whoever opens the connection sees to the snapshot."""

    def __init__(self, execute: Execute, keys: UserKeys) -> None:
        self._execute = execute
        self._keys = keys
        self._opened: Opened | None = None

    def user(self, user_id: UserId) -> User | None:
        return self._one(User, "user_id = :user_id", user_id=user_id)

    def users(self) -> list[User]:
        return self._all(User, "TRUE ORDER BY seq")

    def of_user(self, kind: type[T], user_id: UserId) -> list[T]:
        return self._all(kind, "user_id = :user_id ORDER BY rowid", user_id=user_id)

    def user_by_external_id(self, external_id: str) -> User | None:
        user_id = self._keys.user_of(external_id)
        user = None if user_id is None else self.user(user_id)
        return user if user is not None and user.external_id == external_id else None

    def session(self, digest: bytes) -> Session | None:
        return self._one(Session, "digest = :digest", digest=digest)

    def credential(self, credential_id: CredentialId) -> Credential | None:
        return self._one(Credential, "credential_id = :credential_id", credential_id=credential_id)

    def credentials(self, user_id: UserId) -> list[Credential]:
        return self._all(Credential, "user_id = :user_id AND active = 1 ORDER BY seq", user_id=user_id)

    def recovery(self, digest: bytes, now: int) -> UserId | None:
        row = self._execute(
            "SELECT user_id FROM recoveries WHERE digest = :digest AND used_at IS NULL AND expires_at > :now",
            {"digest": digest, "now": now},
        ).fetchone()
        return None if row is None else UserId(row[0])

    def agent(self, client_id: ClientId) -> Agent | None:
        return self._one(Agent, "client_id = :client_id", client_id=client_id)

    def agent_by_key(self, jkt: Jkt) -> Agent | None:
        return self._one(Agent, "jkt = :jkt", jkt=jkt)

    def agents(self, user_id: UserId | None = None) -> list[Agent]:
        return self._all(Agent, _of(user_id) + " ORDER BY seq", user_id=user_id)

    def hidden(self) -> list[UserId]:
        rows = self._execute("SELECT user_id FROM users WHERE forgotten_at IS NOT NULL", {})
        return [UserId(user_id) for (user_id,) in rows.fetchall()]

    def whose_keys(self) -> WhoseKeys:
        rows = self._execute("SELECT user_id, forgotten_at IS NULL FROM users", {}).fetchall()
        return self._keys.compared({user_id: bool(stays) for user_id, stays in rows})

    def unsettled(self, user_id: UserId, limit: int) -> list[Call]:
        where = (
            "user_id = :user_id AND state IN ('approved', 'pending', 'redeemed') ORDER BY seq LIMIT :limit"
        )
        return self._all(Call, where, user_id=user_id, limit=limit)

    def grant(self, grant_id: GrantId) -> Grant | None:
        return self._one(Grant, "grant_id = :grant_id", grant_id=grant_id)

    def lineage(self, grant_id: GrantId) -> list[Grant]:
        links: list[Grant] = []
        next_id: GrantId | None = grant_id
        while next_id is not None and (link := self.grant(next_id)) is not None:
            links.append(link)
            next_id = link.parent_id
        return links

    def children(self, grant_id: GrantId, now: int) -> int:
        row = self._execute(_CHILDREN, {"grant_id": grant_id, "now": now}).fetchone()
        return int(row[0])

    def active_grant(self, user_id: UserId, client_id: ClientId, jkt: Jkt) -> Grant | None:
        where = "user_id = :user_id AND client_id = :client_id AND jkt = :jkt"
        where += " AND state = '{}' AND parent_id IS NULL"
        whose = {"user_id": user_id, "client_id": client_id, "jkt": jkt}
        active = self._one(Grant, where.format("active"), **whose)
        return active or self._one(Grant, where.format("suspended"), **whose)

    def active_grants(self, client_id: ClientId) -> list[Grant]:
        where = "client_id = :client_id AND state = '{}' ORDER BY seq"
        return [
            grant
            for state in ("active", "suspended")  # each has an index of its own
            for grant in self._all(Grant, where.format(state), client_id=client_id)
        ]

    def used(self, grant_id: GrantId) -> dict[str, int]:
        rows = self._execute(
            "SELECT counter, used FROM counters WHERE grant_id = :grant_id", {"grant_id": grant_id}
        )
        return dict(rows.fetchall())

    def grants(self, user_id: UserId | None = None) -> list[Grant]:
        return self._all(Grant, _of(user_id) + " AND was_active = 1 ORDER BY seq DESC", user_id=user_id)

    def request(self, request_id: str) -> AuthorizationRequest | None:
        return self._one(AuthorizationRequest, "request_id = :request_id", request_id=request_id)

    def request_by_secret(self, digest: bytes) -> AuthorizationRequest | None:
        return self._one(AuthorizationRequest, "secret_digest = :digest", digest=digest)

    def request_by_user_code(self, user_code: str, now: int) -> AuthorizationRequest | None:
        where = "user_code = :user_code AND status = 'requested' AND expires_at > :now"
        return self._one(AuthorizationRequest, where, user_code=user_code, now=now)

    def challenge(self, challenge_id: ChallengeId) -> Challenge | None:
        return self._one(Challenge, "challenge_id = :challenge_id", challenge_id=challenge_id)

    def asked(self, challenge_id: ChallengeId) -> Asked | None:
        where = "challenge_id = :challenge_id AND consumed_at IS NOT NULL AND question IS NOT NULL"
        return self._one(Asked, where, challenge_id=challenge_id)

    def call(self, call_id: CallId) -> Call | None:
        return self._one(Call, "call_id = :call_id", call_id=call_id)

    def calls(self, user_id: UserId, wanted: Wanted, limit: int, now: int) -> Listed:
        key = {"user_id": user_id, "before": wanted.before, "limit": LOOKED_AT}
        found = self._execute(listing(wanted), {**asdict(wanted), **key, "now": now}).fetchall()
        fits = [row[0] for row in found if row[1]]
        calls = [call for each in fits[:limit] if (call := self.call(CallId(each))) is not None]
        if len(fits) > limit:
            return Listed(calls, CallId(fits[limit - 1]))
        return Listed(calls, CallId(found[-1][0]) if len(found) == LOOKED_AT else None)

    def asking(self, user_id: UserId, now: int, limit: int) -> tuple[list[Call], list[Grant]]:
        whose = {"user_id": user_id, "now": now, "limit": limit}
        where = "state = 'pending' AND user_id = :user_id AND {} > :now ORDER BY seq LIMIT :limit"
        calls = self._all(Call, where.format("deadline"), **whose)
        return calls, self._all(Grant, where.format("expires_at"), **whose)

    def answering(self, user_id: UserId, now: int) -> list[Challenge]:
        where = "owner = :user_id AND expires_at > :now AND consumed_at IS NULL"
        where += f" AND attempts < {MAX_ATTEMPTS} AND purpose IN ('call', 'consent')"
        return self._all(Challenge, where, user_id=user_id, now=now)

    def declines(self, user_id: UserId, asker: str, rate: Rate, now: int) -> int:
        row = self._execute(
            "SELECT count(*) FROM declines WHERE user_id = :user_id AND asker = :asker"
            " AND at > :now - :within AND at < :now + :within",
            {"user_id": user_id, "asker": asker, "within": rate.within, "now": now},
        ).fetchone()
        return int(row[0])

    def quiet(self, user_id: UserId, now: int) -> list[Quiet]:
        where = "user_id = :user_id AND until > :now ORDER BY since DESC, seq DESC"
        return self._all(Quiet, where, user_id=user_id, now=now)

    def phone(self, subject: str) -> Phone | None:
        return self._one(Phone, "subject = :subject", subject=subject)

    def latest_call(self, user_id: UserId, match_key: bytes) -> Call | None:
        if (key := self._keys.of(user_id)) is None:
            return None
        where = "match_key = :match_key AND user_id = :user_id ORDER BY seq DESC LIMIT 1"
        return self._one(Call, where, match_key=key.digest(match_key), user_id=user_id)

    def waiting(self, quota: Quota, user_id: UserId, client_id: ClientId | None, now: int) -> Waiting:
        table, ends, void = _WAITING[quota]
        same = "(client_id IS NULL OR client_id LIKE 'agt!_%' ESCAPE '!')"
        if client_id is not None:
            same = "client_id = :client_id"
        where = (
            f"state = 'pending' AND user_id = :user_id AND {ends} > :now AND {same} AND NOT EXISTS ({void})"
        )
        found = {"user_id": user_id, "client_id": client_id, "now": now}
        row = self._execute(f"SELECT COUNT(*), MIN({ends}) FROM {table} WHERE {where}", found).fetchone()
        return Waiting(row[0], row[1] or 0)

    def spent(self, name: str, rate: Rate, now: int) -> int:
        row = self._execute(
            f"SELECT ends_at FROM quotas WHERE name = :name AND used >= :most AND {IN_WINDOW}",
            {"name": name, "most": rate.most, "within": rate.within, "now": now},
        ).fetchone()
        return 0 if row is None else int(row[0]) - now

    def barring(self, user_id: UserId | None, client_id: ClientId | None, now: int) -> list[Block]:
        where = "user_id IN ('', :user_id) AND client_id IN ('', :client_id) AND " + _LASTS
        return self._all(Block, where, user_id=user_id or "", client_id=client_id or "", now=now)

    def blocks(self, user_id: UserId | None, now: int) -> list[Block]:
        where = f"user_id = :user_id AND client_id <> '' AND {_LASTS} ORDER BY since DESC"
        return self._all(Block, where, user_id=user_id or "", now=now)

    def head(self) -> Frontier:
        row = self._execute("SELECT frontier FROM log_head", {}).fetchone()
        return Frontier() if row is None else Frontier.from_bytes(row[0])

    def entries(self, start: int, limit: int) -> list[StoredEntry]:
        rows = self._execute(
            "SELECT idx, leaf, leaf_hash FROM entries WHERE idx >= :start ORDER BY idx LIMIT :limit",
            {"start": start, "limit": limit},
        )
        return [StoredEntry(*row) for row in rows.fetchall()]

    def indexed(self) -> int:
        row = self._execute("SELECT size FROM trails_head", {}).fetchone()
        return 0 if row is None else int(row[0])

    def trails(self, key: str, start: int, end: int, limit: int, back: bool = False) -> list[int]:
        order = "DESC" if back else "ASC"
        rows = self._execute(
            "SELECT idx FROM trails WHERE about = :key AND idx >= :start AND idx < :end"
            f" ORDER BY idx {order} LIMIT :limit",
            {"key": hashed(key), "start": start, "end": end, "limit": limit},
        )
        return [index for (index,) in rows.fetchall()]

    def hashes(self, level: int, start: int, count: int) -> list[bytes]:
        rows = self._execute(
            _HASHES if level else _LEAF_HASHES, {"level": level, "start": start, "end": start + count}
        )
        return [digest for (digest,) in rows.fetchall()]

    def newest_checkpoint(self) -> tuple[int, str] | None:
        row = self._execute("SELECT size, note FROM checkpoints ORDER BY seq DESC LIMIT 1", {}).fetchone()
        return None if row is None else (row[0], row[1])

    def checkpoints(self) -> list[str]:
        return [note for (note,) in self._execute("SELECT note FROM checkpoints ORDER BY seq", {}).fetchall()]

    def _one(self, kind: type[T], where: str, **parameters: object) -> T | None:
        table = TABLES[kind]
        row = self._execute(f"{table.select} WHERE {where}", parameters).fetchone()
        return None if row is None else table.value(row, self._keys, self._opened)

    def _all(self, kind: type[T], where: str, **parameters: object) -> list[T]:
        table = TABLES[kind]
        rows = self._execute(f"{table.select} WHERE {where}", parameters)
        values = (table.value(row, self._keys, self._opened) for row in rows.fetchall())
        return [value for value in values if value is not None]


IN_WINDOW = "(quotas.ends_at > :now AND quotas.ends_at <= :now + :within)"
"""Whether a window goes on. One that ends later than any could was begun by a clock that went wrong."""

_LASTS = "(until IS NULL OR until > :now)"


def hashed(key: str) -> int:
    """Return the 64 bits by which the index has a key."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big", signed=True)


def _of(user_id: UserId | None) -> str:
    return "TRUE" if user_id is None else "user_id = :user_id"
