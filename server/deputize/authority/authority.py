"""What every endpoint works with: the policy, the store, the keys, the clock, and the tokens made of them."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from starlette.requests import Request

from ..crypto import jwt, note
from ..crypto.keys import KeyRing
from ..crypto.note import NoteError, Verifier
from ..crypto.sealed import Sealer
from ..crypto.webauthn import Ceremonies
from ..fetching.clients import Clients
from ..fetching.fetcher import Fetcher
from ..protocol.call import Call
from ..protocol.canonical import b64u
from ..protocol.errors import Code, Refused
from ..protocol.jwk import thumbprint
from ..protocol.login import SiteLogin
from ..protocol.policy import Policy
from ..protocol.question import Surface
from ..protocol.tiles import Tree
from ..protocol.token import CALL_TYP, DELEGATION_TYP, CallToken, Delegation
from ..service import record
from ..service.faults import Locked
from ..service.grants import Renewable
from ..service.kept import Kept
from ..service.methods import Methods
from ..service.moment import Moment
from ..service.ports import Store
from ..service.record import Signed
from ..words.catalogue import DEFAULT
from .by_address import ByAddress
from .clock import Clock
from .head import Head
from .head_at_witnesses import WitnessedHead
from .waiting import Waiting
from .witnesses import Witnesses

REFRESH_LIFETIME = 8 * 3600  # seconds (TOKEN-4)
_WITNESSED = 10  # seconds for which everybody gets the checkpoint that was cosigned last
_KEPT = 16 * 2**20  # bytes of tokens that we signed: some four thousand


@dataclass(frozen=True, slots=True)
class SiteUser:
    """A user as the site's own login knows him: a stable id, a name to show, and when he last signed in (seconds)."""

    id: str
    name: str
    authenticated_at: int


CurrentUser = Callable[[Request], "SiteUser | Awaitable[SiteUser | None] | None"]


@dataclass
class Authority:
    """The parts of one authority under one policy. `clock` returns seconds since the epoch; `random(n)` n random bytes.

    `methods` are those by which people approve (APPR-9), `guard_keys` the thumbprints of the keys that redeem over HTTP
    (PROOF-4), `reader_keys` those that read the entries of the record (LOG-8), `origins` those whose pages may use it
    (SESSION-2), by surface (APPR-12). `fault` says what is wrong with the file that should be the policy (POLICY-2),
    `wrapping_fault` what is wrong with what wraps the users' keys (SEAL-5).
    """

    policy: Policy
    store: Store
    head: Head | WitnessedHead
    keys: KeyRing
    sealer: Sealer
    ceremonies: Ceremonies
    methods: Methods
    clock: Clock
    random: Callable[[int], bytes]
    fetcher: Fetcher
    current_user: CurrentUser | None = None
    fault: str | None = None
    wrapping_fault: Locked | None = None
    clients: Clients = field(init=False)
    guard_keys: frozenset[str] = field(init=False)
    reader_keys: frozenset[str] = field(init=False)
    origins: Mapping[Surface, frozenset[str]] = field(init=False)
    by_address: ByAddress = field(default_factory=ByAddress)
    waiting: Waiting = field(default_factory=Waiting)
    witnesses: Witnesses = field(init=False)
    _signed: tuple[float, Signed] = (0, Signed(0, ""))
    _signing: asyncio.Future[None] | None = None
    _verified: Kept[Delegation] = field(default_factory=lambda: Kept(_KEPT))

    def __post_init__(self) -> None:
        """Make what follows from the policy."""
        self.clients = Clients(self.policy, self.fetcher)
        self.guard_keys = frozenset(thumbprint(key) for key in self.policy.api.keys)
        self.reader_keys = frozenset(thumbprint(key) for key in self.policy.record.readers)
        self.origins = {surface: self.policy.origins(surface) for surface in Surface}
        self.witnesses = Witnesses(self.policy.record.witnesses)
        self.store.listen(self.waiting.moved)

    @property
    def login(self) -> SiteLogin | None:
        """Return the site's own login, where users come from that (SIGNIN-1); None where they sign in here, or where
        the site is asked at each request."""
        return self.policy.login if self.current_user is None else None

    @property
    def own_users(self) -> bool:
        """Tell whether users sign up and in here, by passkey (CRED-2, SIGNIN-6)."""
        return self.current_user is None and (self.policy.login is None or self.policy.login.passkeys)

    def now(self) -> int:
        """Return the whole second that it is."""
        return int(self.clock())

    def moment(self, now: int | None = None, language: str = DEFAULT) -> Moment:
        """Return what use cases are given: at this second, else the current one, and in this language."""
        return Moment(
            self.policy, self.random, self.now() if now is None else now, language, methods=self.methods
        )

    def delegation(self, token: str, now: int, over_mcp: bool = False) -> Delegation:
        """Verify a delegation token (TOKEN-1, TOKEN-2); Refused(invalid_token).

        One of an agent that proved nothing is good `over_mcp` only, and only while the policy takes such agents
        (BEARER-1, BEARER-5). What was verified once is remembered by the token's exact spelling; its expiry is asked
        each time, and the grant that it names is read again by every decision.
        """
        delegation = self._verified.get(token)
        if delegation is None:
            claims = jwt.verify(token, DELEGATION_TYP, self.keys.public_key)
            delegation = Delegation.parse(claims, self.policy.site.issuer, now)
            self._verified.keep(token, delegation)
        delegation.check_expiry(now)
        if delegation.unproven and not (over_mcp and self.policy.bearer):
            raise Refused(
                Code.INVALID_TOKEN, "This token is good over MCP only, if the site takes such at all."
            )
        return delegation

    def sign(self, typ: str, claims: Mapping[str, object]) -> str:
        """Sign a token of this type with the key that is in use now."""
        kid, key = self.keys.signing_key()
        return jwt.sign(claims, typ, kid, key)

    def delegation_token(self, renewable: Renewable, now: int) -> tuple[str, int]:
        """Issue a delegation token (TOKEN-2), and tell for how many seconds it is good."""
        grant = renewable.grant
        delegation = Delegation.of(grant, renewable.agent, b64u(self.random(16)), now)
        claims = delegation.claims(self.policy.site.issuer, grant.constraints, renewable.parents)
        return self.sign(DELEGATION_TYP, claims), delegation.expires_at - now

    def make_refresh_token(self, renewable: Renewable, now: int) -> str:
        """Make the token that a delegation is renewed with (TOKEN-4)."""
        grant = renewable.grant
        until = min(now + REFRESH_LIFETIME, grant.expires_at)
        return self.sealer.seal("refresh", [grant.grant_id, grant.refresh_generation, until])

    def refresh_token(self, text: str, now: int) -> tuple[str, int]:
        """Read a refresh token back: grant and generation; Refused(invalid_grant) if it is not ours or has expired."""
        match self.sealer.open("refresh", text):
            case [str(grant_id), int(generation), int(until)] if now < until:  # TOKEN-5
                return grant_id, generation
        raise Refused(
            Code.INVALID_GRANT, "This refresh token is not good any more. The user has to consent again."
        )

    def call_token(self, call: Call, now: int) -> str:
        """Issue the call token of an approved call (TOKEN-3)."""
        claims = CallToken.of(call, now).claims(self.policy.site.issuer, self.policy.api.audience)
        return self.sign(CALL_TYP, claims)

    def read_call_token(self, text: str, now: int) -> CallToken:
        """Verify a call token that comes back for redemption; Refused(invalid_call_token)."""
        claims = jwt.verify(text, CALL_TYP, self.keys.public_key, code=Code.INVALID_CALL_TOKEN)
        return CallToken.parse(claims, self.policy.site.issuer, self.policy.api.audience, now)

    async def checkpoint(self, over: int = 0) -> Signed:
        """Sign the record's head, keep the note, and return it (LOG-3), cosigned where there are witnesses (LOG-10).

        Anybody may ask, and each note is a durable write: for a second, with witnesses for ten, everybody gets the same
        one, if it is over as many entries as somebody needs. It is never an older one than anybody has got.
        """
        fresh = _WITNESSED if self.witnesses.named else 1
        for _ in range(2):  # what was begun before may be over too few; what is begun here is not
            made_at, signed = self._signed
            if 0 <= self.clock() - made_at < fresh and signed.size >= over:
                break
            await asyncio.shield(self._round())
        latest = self._signed[1]
        return await self.store.read(lambda reader: record.newer(reader, latest, self._is_ours))

    def _round(self) -> asyncio.Future[None]:
        """Return the one signing that is under way, here."""
        under_way, loop = self._signing, asyncio.get_running_loop()
        if under_way is None or under_way.done() or under_way.get_loop() is not loop:
            self._signing = under_way = loop.create_task(self._sign())
        return under_way

    async def _sign(self) -> None:
        """Sign the head, have that witnessed, and only then keep it for all to see."""
        signed = await self.store.read(lambda reader: record.signed(reader, self._origin, self._sign_note))
        if self.witnesses.named:

            async def prove(old: int) -> list[bytes]:
                return await self.store.read(lambda reader: Tree(signed.size, reader.hashes).consistency(old))

            signed = await self.witnesses.cosign(signed, prove)
        kept = await self.store.transact(lambda tx: record.keep(tx, signed, self._is_ours))
        self._signed = self.clock(), kept

    @property
    def _origin(self) -> str:
        return self.policy.site.record_origin

    def _sign_note(self, body: str) -> str:
        return note.sign(body, self._origin, self.keys.record_key())

    def _is_ours(self, text: str) -> bool:
        """Tell whether a note is by the key and of the origin that are the record's now."""
        try:
            return bool(note.signers(text, [Verifier(self._origin, self.keys.record_key().public_key())])[1])
        except NoteError:
            return False


Current = Callable[[], Authority]
"""Returns the authority under the policy that is in force now; a request stays with the first answer (POLICY-1)."""


def digest(secret: bytes) -> bytes:
    """Hash what is kept only as a hash: session ids, recovery secrets."""
    return hashlib.sha256(secret).digest()
