"""Writes of the rows. What can lose a race is one statement; the rows it changed tell who won.

Why: docs/architecture.md §3.
"""

# ruff: noqa: D102, S608  # what methods promise is written in service/ports.py; SQL is made of constants

import hashlib
import sqlite3
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeAlias

from ..protocol.agent import Agent
from ..protocol.block import Block
from ..protocol.call import OVERDUE, Call, State
from ..protocol.challenge import MAX_ATTEMPTS, Challenge
from ..protocol.constraint import Use
from ..protocol.credential import Credential, User
from ..protocol.definition import Definitions
from ..protocol.grant import TRANSITIONS as GRANT_TRANSITIONS
from ..protocol.grant import Grant, GrantState
from ..protocol.ids import NO_KEY, CallId, ChallengeId, ClientId, CredentialId, GrantId, Jkt, UserId
from ..protocol.phone import Phone
from ..protocol.prompt import Quiet
from ..protocol.proof import MADE_NOW, Proof
from ..protocol.question import Asked, Question
from ..protocol.quota import Rate
from ..protocol.request import MOVES as REQUEST_MOVES
from ..protocol.request import AuthorizationRequest, Status
from ..protocol.retention import Retention
from ..service.ports import Stored, Tx
from . import keeping
from .recording import Mark
from .remembering import Remembering
from .sealing import Opened
from .snapshot import IN_WINDOW, Execute
from .tables import JSON, TABLES
from .user_keys import UserKeys

SWEEP_LIMIT = 1000
"""Rows of each kind that one sweep deletes at most, so that nobody waits long behind it."""


MOST_AHEAD = 4096
"""Quotas of which a process keeps some for the calls that come next, so that not each of them is a statement. What is
not asked for longest is given back for another's."""


_Ahead: TypeAlias = tuple[int, int]
"""How many of a quota a process has left of those that it counted ahead, and when their window ends."""


def _listed(states: Iterable[str]) -> str:
    return ", ".join(f"'{state}'" for state in sorted(states))


_ADD = {kind: table.insert() for kind, table in TABLES.items() if kind is not Asked}
_ADD[Agent] += " ON CONFLICT DO NOTHING"
_ADD[Phone] += " ON CONFLICT DO NOTHING"
_ADD[Credential] += """
    ON CONFLICT (credential_id) DO UPDATE SET public_key = excluded.public_key,
        sign_count = excluded.sign_count, transports = excluded.transports, sealed = excluded.sealed,
        created_at = excluded.created_at, active = excluded.active
    WHERE credentials.user_id = excluded.user_id AND credentials.active = 0"""
_ADD[Grant] = TABLES[Grant].insert("was_active")
_ADD[Call] = TABLES[Call].insert("match_key")
_WAS_ACTIVE = {GrantState.ACTIVE, GrantState.REVOKED, GrantState.SUPERSEDED, GrantState.SUSPENDED}
_PUT = {
    Agent: TABLES[Agent].insert()
    + " ON CONFLICT (client_id) DO UPDATE SET name = excluded.name, assurance = excluded.assurance",
    Block: TABLES[Block].insert()
    + """ ON CONFLICT (user_id, client_id) DO UPDATE SET
        since = excluded.since, until = excluded.until, grant_id = excluded.grant_id""",
    Quiet: TABLES[Quiet].insert()
    + " ON CONFLICT (user_id, asker) DO UPDATE SET since = excluded.since, until = excluded.until",
}
_PAUSE = """
    UPDATE users SET paused_since = :since
    WHERE user_id = :user_id AND (paused_since IS NULL) <> (:since IS NULL)"""
_END_QUIET = "DELETE FROM quiets WHERE user_id = :user_id AND asker = :asker"
_FORGET_DECLINES = "DELETE FROM declines WHERE user_id = :user_id AND asker = :asker"
_FAIL_PHONE = "UPDATE phones SET digits = NULL WHERE subject = :subject"
_OPEN_ENROLLMENT = "UPDATE users SET enrolls_until = :until WHERE user_id = :user_id"
_CLOSE_ENROLLMENT = """
    UPDATE users SET enrolls_until = 0 WHERE user_id = :user_id AND enrolls_until > :now"""
_END_SESSIONS = "DELETE FROM sessions WHERE user_id = :user_id"
_END_SESSIONS_OF = "DELETE FROM sessions WHERE sid = :sid"
_ACTIVATE_CREDENTIAL = """
    UPDATE credentials SET active = 1
    WHERE credential_id = :credential_id AND user_id = :user_id AND public_key = :public_key AND active = 0"""
_ADVANCE_COUNTER = """
    UPDATE credentials SET sign_count = :presented
    WHERE credential_id = :credential_id AND user_id = :user_id AND public_key = :public_key AND active = 1
        AND (sign_count = 0 OR sign_count < :presented)"""
_REMOVE_CREDENTIAL = "DELETE FROM credentials WHERE credential_id = :credential_id AND user_id = :user_id"
_ADD_RECOVERY = "INSERT INTO recoveries (digest, user_id, expires_at) VALUES (:digest, :user_id, :expires_at)"
_CONSUME_RECOVERY = """
    UPDATE recoveries SET used_at = :now
    WHERE digest = :digest AND used_at IS NULL AND expires_at > :now RETURNING user_id"""
_REVOKE_AGENT = "UPDATE agents SET revoked_at = :now WHERE client_id = :client_id AND revoked_at IS NULL"
_ACTIVATE_GRANT = """
    UPDATE grants SET state = 'active', was_active = 1, expires_at = :expires_at, auth_time = :now
    WHERE grant_id = :grant_id AND state IN ('pending', 'suspended') AND expires_at > :now"""
_END_GRANT = {
    state: f"UPDATE grants SET state = '{state}' WHERE grant_id = :grant_id AND state IN ({_listed(sources)})"
    for state in (GrantState.DECLINED, GrantState.REVOKED, GrantState.SUPERSEDED, GrantState.SUSPENDED)
    for sources in [[source for source, targets in GRANT_TRANSITIONS.items() if state in targets]]
}
_BIND_GRANT = f"""
    UPDATE grants SET jkt = :jkt WHERE grant_id = :grant_id AND jkt = '{NO_KEY}' AND state = 'active'"""
_KNOW_DEFINITIONS = """
    UPDATE grants SET definitions = :known WHERE grant_id = :grant_id AND definitions = :before"""
# A generation that is newer than the one here was given since the copy was made that this goes on from (RESTORE-2).
_ROTATE_REFRESH = """
    UPDATE grants SET refresh_generation = max(refresh_generation, :generation) + 1, refreshed_at = :now
    WHERE grant_id = :grant_id AND state = 'active' AND (refresh_generation = :generation
        OR (refresh_generation = :generation + 1 AND abs(refreshed_at - :now) < :grace)
        OR (refresh_generation < :generation AND :grace > 0))
    RETURNING refresh_generation"""
_MOVE_REQUEST = {
    status: f"""
    UPDATE requests SET status = '{status}', user_id = :user_id, grant_id = :grant_id,
        secret_digest = :secret_digest, expires_at = :expires_at, sealed = :sealed
    WHERE request_id = :request_id AND status IN ({_listed(sources)})"""
    for status in Status
    for sources in [[source for source, targets in REQUEST_MOVES.items() if status in targets]]
}
_NOTE_POLL = "UPDATE requests SET polled_at = :now, interval = :interval WHERE request_id = :request_id"
_TAKE = """
    INSERT INTO counters (grant_id, counter, used) SELECT :grant_id, :counter, :amount WHERE :amount <= :limit
    ON CONFLICT (grant_id, counter) DO UPDATE SET used = counters.used + excluded.used
    WHERE counters.used + excluded.used <= :limit"""
_TAKE_QUOTA = f"""
    INSERT INTO quotas (name, used, ends_at) VALUES (:name, :amount, :now + :within)
    ON CONFLICT (name) DO UPDATE SET
        used = CASE WHEN {IN_WINDOW} THEN quotas.used + :amount ELSE :amount END,
        ends_at = CASE WHEN {IN_WINDOW} THEN quotas.ends_at ELSE excluded.ends_at END
    WHERE NOT {IN_WINDOW} OR quotas.used + :amount <= :most
    RETURNING ends_at"""
_GIVE_BACK = "UPDATE quotas SET used = used - :left WHERE name = :name AND ends_at = :ends_at"
_LIFT_BLOCK = "DELETE FROM blocks WHERE user_id = :user_id AND client_id = :client_id"
_ASK = TABLES[Challenge].insert("question")
_DROP_CHALLENGE = "DELETE FROM challenges WHERE challenge_id = :challenge_id"
_CONSUME_CHALLENGE = f"""
    UPDATE challenges SET consumed_at = :now
    WHERE challenge_id = :challenge_id AND nonce = :nonce AND consumed_at IS NULL AND expires_at > :now
        AND attempts < {MAX_ATTEMPTS}"""
_CUT = (
    "DELETE FROM sessions",
    "DELETE FROM recoveries",
    "DELETE FROM requests",
    "DELETE FROM phones",
    "DELETE FROM challenges WHERE consumed_at IS NULL",
    "UPDATE users SET enrolls_until = 0 WHERE enrolls_until <> 0",
)
_FAIL_CHALLENGE = "UPDATE challenges SET attempts = attempts + 1 WHERE challenge_id = :challenge_id"
# Among the proofs, which begin with no such digest, stands the time up to which they were forgotten (CLOCK-1).
_FORGOTTEN = bytes(16)
# A proof of such a time meets that row, as a used one meets its own. INSERT … SELECT would make a table in between.
_USE_PROOF = """
    INSERT INTO proofs (digest, keep_until) VALUES (CASE WHEN :keep_until > COALESCE(
        (SELECT keep_until FROM proofs WHERE digest = :forgotten), 0) THEN :digest ELSE :forgotten END, :keep_until)
    ON CONFLICT DO NOTHING"""
_NOTE_FORGOTTEN = """
    INSERT INTO proofs (digest, keep_until) VALUES (:forgotten, :now)
    ON CONFLICT (digest) DO UPDATE SET keep_until = excluded.keep_until
    WHERE proofs.keep_until < excluded.keep_until"""
_MOVE_CALL = """
    UPDATE calls SET state = :state, deadline = :deadline, entry = :entry,
        challenge_id = :challenge_id, method = :method
    WHERE call_id = :call_id AND state = :source AND (deadline > :now OR :state = :overdue)"""
_CARRY_CALL = """
    UPDATE calls SET grant_id = :grant_id, entry = :entry
    WHERE call_id = :call_id AND state = :source"""
_MARK_DELIVERED = """
    UPDATE calls SET delivered = 1
    WHERE call_id = :call_id AND user_id = :user_id AND page_jkt = :page_jkt"""
# These two are, word for word, the conditions of partial indexes, or the indexes are not used.
_UNANSWERED = "consumed_at IS NULL OR question IS NULL"
_UNSETTLED = f"state IN ({_listed(OVERDUE)})"
_OPEN = f"""{_UNSETTLED} AND deadline > :now AND grant_id = :grant_id AND state <> 'redeemed'
    ORDER BY seq DESC LIMIT :limit"""
_OVERDUE = f"{_UNSETTLED} AND deadline <= :now ORDER BY deadline LIMIT :limit"
_OLDEST_PROOFS = f"(SELECT seq, keep_until, digest FROM proofs ORDER BY seq LIMIT {SWEEP_LIMIT}) AS oldest"
_SWEEP_PROOFS, *_SWEEPS = [
    f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {some} WHERE {dead} LIMIT {SWEEP_LIMIT})"
    for table, key, some, dead in (
        # The times of proofs have no index: they are stored almost in that order.
        ("proofs", "seq", _OLDEST_PROOFS, "keep_until <= :now AND digest <> :forgotten"),
        # Its reason is told a while longer (SEP-2672 §4.8 steps 4 to 6).
        ("challenges", "challenge_id", "challenges", f"({_UNANSWERED}) AND expires_at <= :now - 600"),
        ("recoveries", "digest", "recoveries", "expires_at <= :now"),
        ("sessions", "digest", "sessions", "expires_at <= :now"),
        ("requests", "request_id", "requests", "expires_at <= :now - 600"),
        ("quotas", "name", "quotas", "ends_at <= :now"),
        ("blocks", "seq", "blocks", "until <= :now"),
        ("declines", "seq", "declines", "until <= :now"),
        ("quiets", "seq", "quiets", "until <= :now"),
        ("phones", "subject", "phones", "until <= :now"),
        ("grants", "grant_id", "grants", "state = 'pending' AND expires_at <= :now"),
    )
]


class Transaction(Remembering, Tx):
    """A `Tx` over one connection, used for one transaction after another, as `Recording` says."""

    def __init__(self, execute: Execute, keys: UserKeys) -> None:
        super().__init__(execute, keys)
        self._opened: Opened = Opened()
        self._ahead: OrderedDict[str, _Ahead] = OrderedDict()
        self._taken: list[tuple[str, _Ahead | None]] = []  # what was there, since `keep`
        self._marked = 0
        self.moved: list[str] = []
        """The ids of calls and grants that have moved since somebody emptied it; some perhaps in vain."""

    def begin(self) -> None:
        """Follow the rollback of what was not kept, if that was so, and read the head."""
        self._restore(0)
        super().begin()

    def keep(self) -> None:
        """Remember what is durable now."""
        super().keep()
        self._taken.clear()

    def mark(self) -> Mark:
        """Return what `rewind` needs to follow the database back to where it is now."""
        self._marked = len(self._taken)
        return super().mark()

    def rewind(self, mark: Mark) -> None:
        """Follow a rollback to a savepoint."""
        super().rewind(mark)
        self._restore(self._marked)

    def _restore(self, since: int) -> None:
        """Have ahead of quotas what was there then, and of what others have, nothing: anybody can make this happen."""
        for name, before in reversed(self._taken[since:]):
            self._ahead.pop(name, None)
            if before is not None:
                self._ahead[name] = before
        del self._taken[since:]

    def add(self, value: Stored) -> bool:
        kind = type(value)
        if isinstance(value, User):
            self._make_key(value)
        row = TABLES[kind].row(value, self._keys, self._opened)
        if isinstance(value, Grant):
            row.append(int(value.state in _WAS_ACTIVE))
        elif isinstance(value, Call):
            row.append(self._looked_up_by(value))
        added = self._execute(_ADD[kind], row).rowcount == 1
        if isinstance(value, Call) and value.state is State.PENDING:
            self._remember("calls", value.call_id, value)
        return added

    def _make_key(self, user: User) -> None:
        """Make the key of a new user, before his row: one that is left of a row that was undone does no harm."""
        if user.external_id is not None and self.user_by_external_id(user.external_id) is not None:
            raise sqlite3.IntegrityError("UNIQUE: another user has this external_id")
        if self.user(user.user_id) is None:  # else the row will not be added either
            self._keys.make(user.user_id, user.external_id)

    def _looked_up_by(self, call: Call) -> bytes | None:
        if call.match_key is None or (key := self._keys.of(call.user_id)) is None:
            return None
        return key.digest(call.match_key)

    def put(self, value: Agent | Block | Quiet) -> None:
        kind = type(value)
        self._execute(_PUT[kind], TABLES[kind].row(value, self._keys))

    def pause(self, user_id: UserId, since: int | None) -> bool:
        return self._changed(_PAUSE, user_id=user_id, since=since)

    def end_quiet(self, user_id: UserId, asker: str) -> bool:
        whose = {"user_id": user_id, "asker": asker}
        self._execute(_FORGET_DECLINES, whose)
        return self._changed(_END_QUIET, **whose)

    def fail_phone(self, subject: str) -> None:
        self._execute(_FAIL_PHONE, {"subject": subject})

    def open_enrollment(self, user_id: UserId, until: int) -> None:
        self._execute(_OPEN_ENROLLMENT, {"user_id": user_id, "until": until})

    def close_enrollment(self, user_id: UserId, now: int) -> bool:
        return self._changed(_CLOSE_ENROLLMENT, user_id=user_id, now=now)

    def end_session(self, digest: bytes) -> bool:
        return self._changed("DELETE FROM sessions WHERE digest = :digest", digest=digest)

    def end_sessions(self, user_id: UserId) -> None:
        self._execute(_END_SESSIONS, {"user_id": user_id})

    def end_sessions_of(self, sid: str) -> None:
        self._execute(_END_SESSIONS_OF, {"sid": sid})

    def activate_credential(self, credential: Credential) -> bool:
        return self._changed(_ACTIVATE_CREDENTIAL, **_named(credential))

    def advance_counter(self, credential: Credential, presented: int) -> bool:
        theirs = self.credentials(credential.user_id)
        advanced = self._changed(_ADVANCE_COUNTER, presented=presented, **_named(credential))
        if advanced:
            it = credential.credential_id
            now = [
                replace(each, sign_count=presented) if each.credential_id == it else each for each in theirs
            ]
            self._remember("credentials", credential.user_id, now)
        return advanced

    def remove_credential(self, credential_id: CredentialId, user_id: UserId) -> bool:
        return self._changed(_REMOVE_CREDENTIAL, credential_id=credential_id, user_id=user_id)

    def add_recovery(self, digest: bytes, user_id: UserId, expires_at: int) -> None:
        self._execute(_ADD_RECOVERY, {"digest": digest, "user_id": user_id, "expires_at": expires_at})

    def consume_recovery(self, digest: bytes, now: int) -> UserId | None:
        row = self._execute(_CONSUME_RECOVERY, {"digest": digest, "now": now}).fetchone()
        return None if row is None else UserId(row[0])

    def revoke_agent(self, client_id: ClientId, now: int) -> bool:
        return self._changed(_REVOKE_AGENT, client_id=client_id, now=now)

    def move_grant(
        self, grant_id: GrantId, state: GrantState, now: int, expires_at: int | None = None
    ) -> bool:
        self.moved.append(grant_id)
        if state is GrantState.ACTIVE:
            return self._changed(_ACTIVATE_GRANT, grant_id=grant_id, now=now, expires_at=expires_at)
        if state not in _END_GRANT:
            raise ValueError(f"no grant becomes {state}")
        return self._changed(_END_GRANT[state], grant_id=grant_id)

    def bind_grant(self, grant_id: GrantId, jkt: Jkt) -> bool:
        return self._changed(_BIND_GRANT, grant_id=grant_id, jkt=jkt)

    def know_definitions(self, grant: Grant, known: Definitions) -> bool:
        write, _ = JSON
        before = write(grant.definitions)
        return self._changed(_KNOW_DEFINITIONS, grant_id=grant.grant_id, before=before, known=write(known))

    def move_request(self, moved: AuthorizationRequest) -> bool:
        return self._changed(
            _MOVE_REQUEST[moved.status],
            request_id=moved.request_id,
            user_id=moved.user_id,
            grant_id=moved.grant_id,
            secret_digest=moved.secret_digest,
            expires_at=moved.expires_at,
            sealed=TABLES[AuthorizationRequest].row(moved, self._keys)[-1],  # under another key by now
        )

    def note_poll(self, request_id: str, now: int, interval: int) -> None:
        self._execute(_NOTE_POLL, {"request_id": request_id, "now": now, "interval": interval})

    def take(self, grant_id: GrantId, use: Use) -> bool:
        taken = {"counter": use.counter, "amount": use.amount, "limit": use.limit}
        return self._changed(_TAKE, grant_id=grant_id, **taken)

    def rotate_refresh(self, grant_id: GrantId, generation: int, now: int, grace: int) -> int | None:
        parameters = {"grant_id": grant_id, "generation": generation, "now": now, "grace": grace}
        row = self._execute(_ROTATE_REFRESH, parameters).fetchone()
        return None if row is None else int(row[0])

    def take_quota(self, name: str, rate: Rate, now: int, ahead: int = 1) -> int:
        left, ends_at = self._ahead.get(name) or (0, 0)
        if left and now < ends_at <= now + rate.within:
            self._keep_ahead(name, (left - 1, ends_at))
            return 0
        for amount in dict.fromkeys((min(ahead, rate.most), 1)):  # of the last ones each by itself
            taken = {"name": name, "amount": amount, "most": rate.most, "within": rate.within, "now": now}
            if (row := self._execute(_TAKE_QUOTA, taken).fetchone()) is not None:
                self._keep_ahead(name, (amount - 1, row[0]))
                return 0
        return self.spent(name, rate, now) or 1

    def _keep_ahead(self, name: str, kept: _Ahead) -> None:
        self._taken.append((name, self._ahead.pop(name, None)))
        if kept[0]:
            self._ahead[name] = kept  # behind all others
        if len(self._ahead) > MOST_AHEAD:
            name, kept = self._ahead.popitem(last=False)
            self._taken.append((name, kept))
            self._execute(_GIVE_BACK, {"name": name, "left": kept[0], "ends_at": kept[1]})

    def lift_block(self, user_id: UserId | None, client_id: ClientId | None) -> bool:
        return self._changed(_LIFT_BLOCK, user_id=user_id or "", client_id=client_id or "")

    def ask(self, challenge: Challenge, question: Question) -> None:
        under = challenge.challenge_id, challenge.owner, challenge.expires_at
        asked = TABLES[Asked].sealed(Asked(question, challenge.salt), under, self._keys)
        self._execute(_ASK, [*TABLES[Challenge].row(challenge, self._keys, self._opened), asked])
        self._remember("challenges", challenge.challenge_id, challenge)

    def drop_challenge(self, challenge_id: ChallengeId) -> None:
        self._execute(_DROP_CHALLENGE, {"challenge_id": challenge_id})

    def consume_challenge(self, challenge: Challenge, now: int) -> bool:
        it = {"challenge_id": challenge.challenge_id, "nonce": challenge.nonce}
        return self._changed(_CONSUME_CHALLENGE, now=now, **it)

    def fail_challenge(self, challenge_id: ChallengeId) -> None:
        self._execute(_FAIL_CHALLENGE, {"challenge_id": challenge_id})

    def use_proof(self, proof: Proof) -> bool:
        # 16 bytes in place of two texts: this index is what costs most, and every request looks into it.
        digest = hashlib.sha256(f"{proof.jkt} {proof.jti}".encode()).digest()[:16]
        return self._changed(_USE_PROOF, digest=digest, keep_until=proof.keep_until, forgotten=_FORGOTTEN)

    def move_call(self, moved: Call, source: State, now: int) -> bool:
        self.moved.append(moved.call_id)
        changed = self._changed(
            _MOVE_CALL,
            call_id=moved.call_id,
            source=source.value,
            state=moved.state.value,
            overdue=OVERDUE[source].value,
            deadline=moved.deadline,
            now=now,
            entry=moved.entry,
            challenge_id=moved.challenge_id,
            method=moved.method,
        )
        if changed and moved.state in OVERDUE:  # else nobody asks for it soon
            self._remember("calls", moved.call_id, moved)
        return changed

    def carry_call(self, call: Call) -> bool:
        return self._changed(
            _CARRY_CALL,
            call_id=call.call_id,
            source=call.state.value,
            grant_id=call.grant_id,
            entry=call.entry,
        )

    def open_calls(self, grant_id: GrantId, now: int, limit: int) -> list[Call]:
        return self._all(Call, _OPEN, grant_id=grant_id, now=now, limit=limit)

    def mark_delivered(self, call_ids: Iterable[CallId], user_id: UserId, page_jkt: Jkt) -> None:
        for call_id in call_ids:
            parameters = {"call_id": call_id, "user_id": user_id, "page_jkt": page_jkt}
            self._execute(_MARK_DELIVERED, parameters)

    def overdue_calls(self, now: int, limit: int) -> list[Call]:
        return self._all(Call, _OVERDUE, now=now, limit=limit)

    def drop_checkpoints(self) -> None:
        self._execute("DELETE FROM checkpoints", {})

    def cut(self, now: int) -> None:
        for statement in _CUT:
            self._execute(statement, {})
        self._execute(_NOTE_FORGOTTEN, {"now": now + MADE_NOW, "forgotten": _FORGOTTEN})

    def retire(self, retention: Retention, now: int) -> int:
        return keeping.retire(self._execute, retention, now)

    def hide(self, user_id: UserId, now: int) -> None:
        keeping.hide(self._execute, user_id, now)

    def destroy_key(self, user_id: UserId) -> None:
        self._opened.clear()
        self._forget_all()
        self._keys.destroy(user_id)

    def forget(self, user_id: UserId) -> int:
        self.destroy_key(user_id)  # first of all: should the rest of it be undone, it is gone all the same
        return keeping.forget(self._execute, user_id)

    def sweep(self, now: int) -> int:
        to_now = {"now": now, "forgotten": _FORGOTTEN}
        if proofs := self._execute(_SWEEP_PROOFS, to_now).rowcount:
            self._execute(_NOTE_FORGOTTEN, to_now)
        return proofs + sum(self._execute(statement, {"now": now}).rowcount for statement in _SWEEPS)

    def _changed(self, statement: str, **parameters: object) -> bool:
        return self._execute(statement, parameters).rowcount == 1


def _named(credential: Credential) -> dict[str, object]:
    """Name a credential so that no other one is meant, should another have its id by now."""
    return {
        "credential_id": credential.credential_id,
        "user_id": credential.user_id,
        "public_key": credential.public_key,
    }
