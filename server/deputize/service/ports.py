"""What the use cases need of the floors below: a transaction over the stored rows, and verified facts from `crypto/`.

A use case is one synchronous function of `(tx, at, …) → outcome`, handed to `Store.transact` or `Store.read`.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ..protocol.agent import Agent
from ..protocol.block import Block
from ..protocol.call import Call, State
from ..protocol.canonical import Json
from ..protocol.challenge import Challenge
from ..protocol.constraint import Use
from ..protocol.credential import Credential, User
from ..protocol.definition import Definitions
from ..protocol.entry import Entry
from ..protocol.errors import Code, Refusal
from ..protocol.grant import Grant, GrantState
from ..protocol.ids import CallId, ChallengeId, ClientId, CredentialId, GrantId, Jkt, UserId
from ..protocol.merkle import Frontier
from ..protocol.phone import Phone
from ..protocol.prompt import Decline, Quiet
from ..protocol.proof import Proof
from ..protocol.question import Asked, Question
from ..protocol.quota import Quota, Rate
from ..protocol.request import AuthorizationRequest
from ..protocol.retention import Retention
from .faults import Locked

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in of a user in a browser. `digest` is the SHA-256 of the id in the cookie (SESSION-1).

    `sid` is a digest of the name of the session at the site's own login that it comes from, if that has one (SIGNIN-5).
    """

    digest: bytes
    user_id: UserId
    auth_time: int
    expires_at: int
    sid: str | None = None


@dataclass(frozen=True, slots=True)
class Assertion:
    """A verified WebAuthn assertion (signature, origin, rp id, UV, challenge all checked), and by which credential.

    It is what somebody answers by a passkey (`service.methods.Answer`).
    """

    credential: Credential
    sign_count: int

    @property
    def facts(self) -> dict[str, Json]:
        """Return what the record says of it."""
        return {"credential_id": self.credential.credential_id}

    def settle(self, tx: "Tx") -> Refusal | None:
        """Store the counter of a passkey that is still the one that was verified (APPR-7, APPR-8)."""
        if tx.advance_counter(self.credential, self.sign_count):
            return None
        there = tx.credential(self.credential.credential_id)
        if there is None or not there.is_(self.credential):
            return Refusal(Code.UNKNOWN_CREDENTIAL, "This passkey was removed meanwhile.")
        return Refusal(
            Code.SIGNATURE_COUNTER_REGRESSION, "This passkey may have been copied: its counter went back."
        )


@dataclass(frozen=True, slots=True)
class Registration:
    """A verified WebAuthn registration."""

    credential_id: CredentialId
    public_key: bytes
    sign_count: int
    transports: frozenset[str]


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry as it lies in the record."""

    index: int
    leaf: bytes
    leaf_hash: bytes


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many wait for a user, and the second at which the first of them runs out; 0 if none waits."""

    number: int
    until: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which calls of a user are wanted: of a tool, of an agent, in a state, made from one second on until another.

    `agent` is a `client_id`; "browsers" are all agents in browsers, "nobody" is where none named itself. `approved`: by
    the user. `before`: those that came before this call. A state counts from the second in which a call falls into it.
    """

    tool: str | None = None
    agent: str | None = None
    state: State | None = None
    approved: bool = False
    since: int = 0
    until: int = 2**53
    before: CallId | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """Calls, newest first, and the one that was looked at last where there may be more: it is the next `before`."""

    calls: list[Call]
    more: CallId | None


Stored = (
    User | Session | Credential | Agent | Grant | AuthorizationRequest | Challenge | Call | Decline | Phone
)
"""What is added to a store, each kind to a table of its own."""


@dataclass(frozen=True, slots=True)
class WhoseKeys:
    """How users and their keys fit together (SEAL-5): how many `users` are not being forgotten, whose keys of these are
    `lost` and whose were `destroyed`; and whose keys are `left`, though there is no such user."""

    users: int
    lost: tuple[UserId, ...] = ()
    destroyed: tuple[UserId, ...] = ()
    left: tuple[UserId, ...] = ()


class Reader(Protocol):
    """Reads of one consistent snapshot."""

    def user(self, user_id: UserId) -> User | None:
        """Find a user."""

    def users(self) -> list[User]:
        """List all users, oldest first."""

    def of_user(self, kind: type[T], user_id: UserId) -> list[T]:
        """List all values of a kind that are kept of a user, oldest first: sessions, credentials, agents of his
        browsers, grants, requests, blocks, declines or quiets. His calls, which may be many, `calls` has."""

    def user_by_external_id(self, external_id: str) -> User | None:
        """Find a user by the id in the site's own login."""

    def session(self, digest: bytes) -> Session | None:
        """Find a session that has not been ended; it may have expired."""

    def credential(self, credential_id: CredentialId) -> Credential | None:
        """Find a credential, active or not."""

    def credentials(self, user_id: UserId) -> list[Credential]:
        """List the active credentials of a user, oldest first."""

    def recovery(self, digest: bytes, now: int) -> UserId | None:
        """Look at a recovery secret without using it; None if unknown, used or expired (CRED-5)."""

    def agent(self, client_id: ClientId) -> Agent | None:
        """Find an agent, revoked or not."""

    def agent_by_key(self, jkt: Jkt) -> Agent | None:
        """Find the agent that a key was registered for."""

    def agents(self, user_id: UserId | None = None) -> list[Agent]:
        """List agents, of one user or of all, oldest first."""

    def hidden(self) -> list[UserId]:
        """List the users of whom something is left to be forgotten (KEEP-3)."""

    def whose_keys(self) -> WhoseKeys:
        """Compare all users with all keys under which it is kept what is kept of them. A store that seals nothing, or
        keeps the keys with the data, has nothing to compare."""
        return WhoseKeys(0)

    def unsettled(self, user_id: UserId, limit: int) -> list[Call]:
        """List at most so many of the calls of a user that are pending, approved or redeemed."""

    def grant(self, grant_id: GrantId) -> Grant | None:
        """Find a grant in any state."""

    def lineage(self, grant_id: GrantId) -> list[Grant]:
        """Find a grant, and after it those that it was handed on from, nearest first; empty if there is none."""

    def children(self, grant_id: GrantId, now: int) -> int:
        """Count the living grants that one was handed on to directly (CHAIN-5)."""

    def active_grant(self, user_id: UserId, client_id: ClientId, jkt: Jkt) -> Grant | None:
        """Find the one active grant of this user for this agent and key that was not handed on, or the suspended one;
        it may have expired."""

    def active_grants(self, client_id: ClientId) -> list[Grant]:
        """List the active grants of an agent, of all users, and those that are suspended."""

    def used(self, grant_id: GrantId) -> dict[str, int]:
        """Return what was taken from each counter of a grant (CONS-3)."""

    def grants(self, user_id: UserId | None = None) -> list[Grant]:
        """List grants that are or were active, of one user or of all, newest first."""

    def request(self, request_id: str) -> AuthorizationRequest | None:
        """Find an authorization request in any state."""

    def request_by_secret(self, digest: bytes) -> AuthorizationRequest | None:
        """Find an authorization request by the hash of its code or device code, used or not."""

    def request_by_user_code(self, user_code: str, now: int) -> AuthorizationRequest | None:
        """Find an open authorization request by the code that its user types."""

    def challenge(self, challenge_id: ChallengeId) -> Challenge | None:
        """Find a challenge in any state."""

    def asked(self, challenge_id: ChallengeId) -> Asked | None:
        """Find the question that was answered with a challenge, for good (APPR-10)."""

    def call(self, call_id: CallId) -> Call | None:
        """Find a call in any state."""

    def calls(self, user_id: UserId, wanted: Wanted, limit: int, now: int) -> Listed:
        """List at most `limit` of the calls of a user that are wanted at `now`, newest first. It looks at a bounded
        number of those between, so that there may be more although there are fewer than `limit`."""

    def asking(self, user_id: UserId, now: int, limit: int) -> tuple[list[Call], list[Grant]]:
        """List what waits for an answer of this user, oldest first: calls, at most so many, and as many requests for
        consent."""

    def answering(self, user_id: UserId, now: int) -> list[Challenge]:
        """List the challenges over calls and consents of this user that can still be answered."""

    def declines(self, user_id: UserId, asker: str, rate: Rate, now: int) -> int:
        """Count what a user declined of this asker within the time of the rate, before and, where the clock went back,
        after `now` (CLOCK-1)."""

    def quiet(self, user_id: UserId, now: int) -> list[Quiet]:
        """List those that ask this user nothing at `now`, the newest first."""

    def phone(self, subject: str) -> Phone | None:
        """Find what a question that was put on another device asks for there (PHONE-1)."""

    def latest_call(self, user_id: UserId, match_key: bytes) -> Call | None:
        """Find the newest call of a user with this key (CALL-6)."""

    def waiting(self, quota: Quota, user_id: UserId, client_id: ClientId | None, now: int) -> Waiting:
        """Count the calls (PENDING_CALLS) or requests for consent (PENDING_CONSENTS) of an agent that wait for a user.
        None is all agents in browsers, and pages (QUOTA-3).

        Calls whose grant has ended count no more, nor what a blocked agent asked: whoever takes it back has room again.
        """

    def spent(self, name: str, rate: Rate, now: int) -> int:
        """Return for how many seconds nothing is left of a quota; 0 if something is."""

    def barring(self, user_id: UserId | None, client_id: ClientId | None, now: int) -> list[Block]:
        """List the blocks that keep this agent from this user at `now`, the user's own and the owner's (BLOCK-1)."""

    def blocks(self, user_id: UserId | None, now: int) -> list[Block]:
        """List the agents that a user (None: the owner) has blocked and that are blocked still, newest first."""

    def head(self) -> Frontier:
        """Return the frontier of the record."""

    def entries(self, start: int, limit: int) -> list[StoredEntry]:
        """Return entries in order from an index on."""

    def indexed(self) -> int:
        """Return how many entries, from the first on, the index reaches over (`service.trails`)."""

    def trails(self, key: str, start: int, end: int, limit: int, back: bool = False) -> list[int]:
        """Return in order, or `back` from the end, at most so many of the entries from `start` to before `end` that the
        index has under this key; perhaps one that is not under it, as hashes have it."""

    def hashes(self, level: int, start: int, count: int) -> list[bytes]:
        """Return so many hashes of a level of the record's tree, or as many as there are, from an index on (LOG-7)."""

    def newest_checkpoint(self) -> tuple[int, str] | None:
        """Return the signed checkpoint that was kept last, and over how many entries it is."""

    def checkpoints(self) -> list[str]:
        """Return the signed checkpoints that were kept, oldest first."""


class Tx(Reader, Protocol):
    """One transaction. Each method that can lose a race is one statement and tells whether it won."""

    def add(self, value: Stored) -> bool:
        """Store a new value. False for an agent whose id or key is taken, for a phone whose question has one, and for a
        credential whose id is taken, by whomever (CRED-4): one that is not active is replaced when the same user
        enrolls it again."""

    def put(self, value: Agent | Block | Quiet) -> None:
        """Store a block or a quiet, in place of one of the same user and agent or asker; or an attested agent, or its
        new name and assurance: whether it is revoked does not change."""

    def pause(self, user_id: UserId, since: int | None) -> bool:
        """Pause the agents of a user, or with None let them go on, in one statement; False if it is so already."""

    def end_quiet(self, user_id: UserId, asker: str) -> bool:
        """Let somebody ask again, and forget what was declined; False if it was not quiet."""

    def fail_phone(self, subject: str) -> None:
        """Note that other digits were typed than a question has, and forget these (PHONE-3)."""

    def open_enrollment(self, user_id: UserId, until: int) -> None:
        """Let a credential of this user be enrolled over MCP until that second (CRED-7)."""

    def close_enrollment(self, user_id: UserId, now: int) -> bool:
        """End that again, in one statement; False if it was not open."""

    def end_session(self, digest: bytes) -> bool:
        """End a session; False if there is none."""

    def end_sessions(self, user_id: UserId) -> None:
        """End all sessions of a user."""

    def end_sessions_of(self, sid: str) -> None:
        """End all sessions that come from this one at the site's login (SIGNIN-7)."""

    def activate_credential(self, credential: Credential) -> bool:
        """Make a pending credential usable; False if there is none, or another key under its id by now (CRED-3)."""

    def advance_counter(self, credential: Credential, presented: int) -> bool:
        """Store a presented counter if the rule of APPR-7 allows it, in one statement; False if not, or if this
        credential (its user, its key) is not active under its id any more (APPR-8)."""

    def remove_credential(self, credential_id: CredentialId, user_id: UserId) -> bool:
        """Remove a credential of this user; False if there is none."""

    def add_recovery(self, digest: bytes, user_id: UserId, expires_at: int) -> None:
        """Store the hash of a recovery secret (CRED-5)."""

    def consume_recovery(self, digest: bytes, now: int) -> UserId | None:
        """Use a recovery secret once; None if unknown, used or expired."""

    def revoke_agent(self, client_id: ClientId, now: int) -> bool:
        """Revoke an agent; False if there is none or it was revoked."""

    def move_grant(
        self, grant_id: GrantId, state: GrantState, now: int, expires_at: int | None = None
    ) -> bool:
        """Move a grant from any state from which TRANSITIONS allow it; False if it was elsewhere. To ACTIVE only before
        the request has expired, and with the new `expires_at`."""

    def bind_grant(self, grant_id: GrantId, jkt: Jkt) -> bool:
        """Bind an active grant that has no key to this one, in one statement; False if it is not such a grant."""

    def know_definitions(self, grant: Grant, known: Definitions) -> bool:
        """Put these in the place of the definitions that a grant has, in one statement; False if it has others by now
        (GRANT-8)."""

    def move_request(self, moved: AuthorizationRequest) -> bool:
        """Move a request on as MOVES has it, in one statement, to the status, user, grant, secret and end that it has
        here; False if it was not where that move begins."""

    def note_poll(self, request_id: str, now: int, interval: int) -> None:
        """Note when a device asked, and how long it has to wait now."""

    def take(self, grant_id: GrantId, use: Use) -> bool:
        """Take from a counter of a grant, in one statement; False if not so much is left (CONS-3)."""

    def rotate_refresh(self, grant_id: GrantId, generation: int, now: int, grace: int) -> int | None:
        """Raise the refresh generation of an active grant by one and return it; None if the grant is not where it
        should be (TOKEN-4). It should be at `generation`, or one beyond for less than `grace` seconds, in either
        direction, for a clock may go back (CLOCK-1). With a grace, it may be behind `generation`, too, as in an older
        copy of the data: it goes on from there."""

    def ask(self, challenge: Challenge, question: Question) -> None:
        """Store a challenge, and the question that it commits to: that is kept for good once it is answered."""

    def drop_challenge(self, challenge_id: ChallengeId) -> None:
        """Forget a challenge, if there is one."""

    def consume_challenge(self, challenge: Challenge, now: int) -> bool:
        """Consume a challenge that is open, in one statement; False if it was not, or if another one has its id by now
        (APPR-8)."""

    def fail_challenge(self, challenge_id: ChallengeId) -> None:
        """Count one failed attempt (APPR-4)."""

    def use_proof(self, proof: Proof) -> bool:
        """Remember a proof; False if it was used before, or is as old as those that were forgotten (PROOF-2,
        CLOCK-1)."""

    def move_call(self, moved: Call, source: State, now: int) -> bool:
        """Move a call on from the state it was read in, in one statement, to the one that it has here, with its
        deadline and entry, and for an approval its challenge and method; False if it has moved meanwhile."""

    def open_calls(self, grant_id: GrantId, now: int, limit: int) -> list[Call]:
        """List at most `limit` of the calls under a grant that are pending or approved, newest first."""

    def carry_call(self, call: Call) -> bool:
        """Put a call under the grant, and point it to the entry, that it has here; False if it has moved meanwhile
        (GRANT-3, CALL-6)."""

    def mark_delivered(self, call_ids: Iterable[CallId], user_id: UserId, page_jkt: Jkt) -> None:
        """Note that results reached the agent, for calls of this user and page key only (CALL-10)."""

    def overdue_calls(self, now: int, limit: int) -> list[Call]:
        """List calls whose deadline has passed in a state that OVERDUE ends."""

    def take_quota(self, name: str, rate: Rate, now: int, ahead: int = 1) -> int:
        """Take one from a quota; return 0, or for how many seconds there is nothing left of it (QUOTA-1).

        With `ahead`, so many are taken at once if they are there, and kept for the next calls; a process that ends
        loses what it has kept.
        """

    def lift_block(self, user_id: UserId | None, client_id: ClientId | None) -> bool:
        """End a block; False if there is none."""

    def append(self, entry: Entry, now: int) -> int:
        """Append to the record and return the index (LOG-1)."""

    def index(self, rows: Iterable[tuple[str, int]], size: int) -> None:
        """Put entries under keys in the index, which reaches over `size` of them from now on."""

    def add_checkpoint(self, size: int, note: str) -> None:
        """Keep a signed checkpoint."""

    def drop_checkpoints(self) -> None:
        """Forget the signed checkpoints that were kept: another authority's, in a clone."""

    def cut(self, now: int) -> None:
        """End all sessions, links for a way back in, requests for authorization, open challenges, questions on other
        devices and windows for enrollment, of everybody; and refuse proofs of until now, whether they were used or not
        (RESTORE-2)."""

    def retire(self, retention: Retention, now: int) -> int:
        """Delete some of what has been kept long enough by then, and return how much; 0 once nothing is left (KEEP-1).
        Of calls their arguments go first, with all that is made of these."""

    def hide(self, user_id: UserId, now: int) -> None:
        """Take from a user name, id at the site, passkeys and sessions, for good (KEEP-3)."""

    def forget(self, user_id: UserId) -> int:
        """Delete some of what is kept of a user who was hidden, first of all what opens it, in the end himself; return
        how much, 0 once nothing is left. His key does not come back, whatever becomes of the transaction."""

    def destroy_key(self, user_id: UserId) -> None:
        """Destroy the key of a user for good, whatever becomes of the transaction, whether there is one or not."""
        return

    def sweep(self, now: int) -> int:
        """Delete challenges, proofs, recovery secrets, sessions, quotas, blocks, declines, quiets, phones and
        requests for consent that expired by then; return how many. Proofs of that time are refused from now on,
        whatever the clock says (CLOCK-1)."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a store is: `fault` says what keeps a decision from being recorded, None if nothing does; `checking`, that
    what was left behind by processes that died is still being looked through (READY-1, READY-5)."""

    fault: str | None
    checking: bool


class Store(Protocol):
    """Where rows live. Acknowledged means durable."""

    async def read(self, fn: Callable[[Reader], T]) -> T:
        """Run a function over one snapshot. A store in this process does it at once; one that lives elsewhere may run
        it in another thread."""

    def look(self, fn: Callable[[Reader], T]) -> T:
        """Do the same for who cannot await, such as a command: it holds up the calling thread."""

    async def glance(self, fn: Callable[[Reader], T]) -> T:
        """Do as `read` does, but where rows are remembered, by those: what others have written a moment ago may be
        missing, and what is being written may be there. It is for what a transaction looks at again."""
        return await self.read(fn)

    async def transact(self, fn: Callable[[Tx], T]) -> T:
        """Run a function in a transaction and answer after its commit is durable. What `fn` raises rolls back what it
        did and is raised here. Refused(record_unavailable) if it was certainly not recorded, Refused(outcome_unknown)
        with the `call_id` that it told of, if any, where nobody can say (READY-3)."""

    def listen(self, hear: Callable[[Collection[str]], None]) -> None:
        """Call `hear` with the ids of calls and grants that have moved, in any thread, once that is durable. It must be
        quick. What other processes move is not heard, and a store need not tell anything."""
        return

    async def health(self) -> Health:
        """Find out whether a decision could be recorded now, as one is; at most once a second, for all who ask."""

    async def check(self) -> None:
        """Look through all that is stored, however long that takes; `StoreFault` if it is damaged."""

    async def renew_keys(self, now: int, archived: int | None) -> None:
        """Destroy keys whose time is over, and renew what wraps the others, so that no copy of them opens for more than
        `archived` seconds; None is for good. `StoreFault` if that cannot be done now."""
        return

    async def wrapping_fault(self) -> Locked | None:
        """Say why what wraps the users' keys would not open them at the next start, as far as a look tells that costs
        nothing; None if nothing is wrong with it, or nothing wraps any (SEAL-5)."""
        return None

    async def scrub(self) -> bool:
        """Take what was deleted out of the files, too, as far as a store can; False if it has to be tried again."""

    def close(self) -> None:
        """Finish what was handed in, then close."""
