"""What a handler is given: one request, what proves it, and the verbs that run use cases."""

from asyncio import timeout
from collections.abc import Callable, Mapping
from inspect import isawaitable
from typing import Concatenate, ParamSpec, TypeVar

from starlette.requests import Request

from ..authority.authority import Current, CurrentUser
from ..crypto import dpop
from ..detached import begun
from ..log.log import Log
from ..protocol.canonical import Json, b64u
from ..protocol.credential import User
from ..protocol.errors import Code, Refusal, Refused, or_refuse
from ..protocol.proof import Proof
from ..protocol.question import Surface
from ..protocol.quota import Quota, Rate
from ..service import sessions
from ..service.approvals import Rejected, Verdict
from ..service.blocks import barred
from ..service.moment import Moment
from ..service.ports import Reader, Tx
from ..service.sessions import SignIn
from ..words.catalogue import language_of
from . import session
from .peers import address_of

P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V", bound=Verdict | None)

MAX_BODY = 64 * 1024  # bytes (JSON-3)
MAX_DELAY = 30  # seconds (JSON-4)
_NO_PROOF = Refusal(Code.INVALID_DPOP_PROOF, "A proof of possession is needed, and none came.", unsent=True)


class Context:
    """A request, the authority that it is for, and the moment: everything in it happens in the same second, `now`."""

    __slots__ = (
        "_current",
        "_first",
        "_lines",
        "at",
        "authority",
        "body",
        "log",
        "now",
        "request",
        "session_digest",
    )

    def __init__(self, request: Request, current: Current, log: Log) -> None:
        """Read nothing yet but the cookie; Refused(invalid_request) if that comes twice (SESSION-1)."""
        self.request = request
        self._lines: list[tuple[bytes, bytes]] = request.scope["headers"]
        self._first = dict(reversed(self._lines))  # of each name, what came first
        self.log = log
        self.body = b""
        self._current = current
        self.authority = authority = current()  # POLICY-1
        self.now = authority.now()
        language = language_of(self.header("accept-language") or "")
        self.at = authority.moment(self.now, language)
        self.session_digest = session.read_cookie(authority.sealer, self.headers("cookie"))

    async def bytes(self) -> bytes:
        """Return the body, and keep it.

        Refused(payload_too_large) beyond 64 KiB, counted as it arrives (JSON-3); Refused(request_timeout) if it takes
        longer than MAX_DELAY (JSON-4); Refused(invalid_request) if its sender goes away, or the policy changes
        meanwhile (POLICY-1).
        """
        reading = _body_of(self.request)
        try:
            waits_for = reading.send(None)
        except (
            StopIteration
        ) as read:  # nearly always it has come with its head: then there is no time to take
            self.body = read.value
        else:
            try:
                async with timeout(MAX_DELAY):
                    self.body = await begun(reading, waits_for)
            except TimeoutError as error:
                raise _too_slow() from error
        now = self.authority.now()
        if now - self.now > MAX_DELAY:  # JSON-4, where our own clock stood still meanwhile
            raise _too_slow()
        if now != self.now and self._current().policy is not self.authority.policy:  # POLICY-1
            raise Refused(Code.INVALID_REQUEST, "The site's policy has just changed. Send the request again.")
        return self.body

    def check_origin(self) -> None:
        """Refuse what another site made a browser send (SESSION-2)."""
        origin = self.header("origin")
        if origin is not None and origin not in self.authority.origins[Surface.EITHER]:
            raise Refused(Code.CROSS_SITE_REQUEST, "Requests from this origin are not accepted.")
        if self.header("sec-fetch-site") not in (None, "same-origin", "same-site"):
            raise Refused(Code.CROSS_SITE_REQUEST, "Requests from another site are not accepted.")

    def check_own_origin(self) -> None:
        """Refuse what a browser does not say to be of a page of the authority's own origin (APPR-12)."""
        here = self.header("origin") in self.authority.origins[Surface.AUTHORITY]
        if not here or self.header("sec-fetch-site") not in (None, "same-origin"):
            raise Refused(Code.CROSS_SITE_REQUEST, "Only the authority's own page may send this.")

    def check_site_origin(self) -> None:
        """Refuse what a browser does not say to be of a page of the site (SIGNIN-2)."""
        there = self.header("origin") in self.authority.origins[Surface.PAGE]
        if not there or self.header("sec-fetch-site") not in (None, "same-origin", "same-site"):
            raise Refused(
                Code.CROSS_SITE_REQUEST,
                "Only a page of the site may send this, and its browser has to say so: with the Referrer-Policy "
                "no-referrer or same-origin it names no origin.",
            )

    def named(self, name: str) -> str:
        """Return a parameter of the path: `{name}` in the table."""
        return str(self.request.path_params[name])

    async def run(
        self, fn: Callable[Concatenate[Tx, Moment, P], T | Refusal], /, *args: P.args, **more: P.kwargs
    ) -> T:
        """Run a use case as one transaction; what it refuses is raised once that is committed."""
        at = self.at
        return or_refuse(await self.authority.store.transact(lambda tx: fn(tx, at, *args, **more)))

    async def look(
        self, fn: Callable[Concatenate[Reader, Moment, P], T | Refusal], /, *args: P.args, **more: P.kwargs
    ) -> T:
        """Run a use case that changes nothing, over one snapshot; what it refuses is raised."""
        at = self.at
        return or_refuse(await self.authority.store.read(lambda tx: fn(tx, at, *args, **more)))

    async def verdict(
        self, check: Callable[Concatenate[Reader, Moment, P], V], /, *args: P.args, **more: P.kwargs
    ) -> V:
        """Check evidence by what is remembered. A yes is held against what is there by the transaction that acts on it
        (APPR-8); of a no is made sure over a snapshot, lest it come from what was remembered too long."""
        at = self.at
        found = await self.authority.store.glance(lambda reader: check(reader, at, *args, **more))
        return await self.look(check, *args, **more) if isinstance(found, Rejected) else found

    def take(self, quota: Quota) -> None:
        """Take one from what the request's address has of a quota; Refused(too_many_requests) (QUOTA-3)."""
        authority = self.authority
        address = address_of(self.request, authority.policy.site.trusted_proxies)
        rate: Rate | None = getattr(authority.policy.quotas, quota)
        authority.by_address.take(quota, rate, address, self.now)

    @property
    def is_nobody(self) -> bool:
        """Tell whether nobody can be signed in: there is no session, and no login of the site."""
        return self.session_digest is None and self.authority.current_user is None

    async def session(self) -> Callable[[Reader], SignIn | None]:
        """Return a function that tells a transaction who is signed in: by our own session, or by the site's login."""
        digest, now = self.session_digest, self.now
        if self.authority.current_user is not None:
            known = await self._at_the_site(self.authority.current_user)
            return lambda tx: known
        if digest is None:
            return lambda tx: None

        def look(tx: Reader) -> SignIn | None:
            found = tx.session(digest)
            return SignIn(found.user_id, found.auth_time) if found and now < found.expires_at else None

        return look

    async def signed_in(self) -> SignIn | None:
        """Tell who is signed in now."""
        return await self.authority.store.read(await self.session())

    async def user(self) -> User | None:
        """Return the user who is signed in now."""
        find = await self.session()
        return await self.look(lambda tx, at: tx.user(who.user_id) if (who := find(tx)) else None)

    async def _at_the_site(self, current_user: CurrentUser) -> SignIn | None:
        answer = current_user(self.request)
        known = await answer if isawaitable(answer) else answer
        if known is None:
            return None
        user = await self.site_user(known.id, known.name)
        return SignIn(user.user_id, known.authenticated_at)

    async def site_user(self, external_id: str, name: str) -> User:
        """Find or make the user whom the site knows by this id; Refused(user_blocked) if he is kept out (BLOCK-3)."""
        user = await self.look(_found, external_id)
        return user if user is not None else await self.run(sessions.site_user, external_id, name)

    def must(self, who: SignIn | None) -> SignIn:
        """Return who is signed in; Refused(login_required) for nobody."""
        if who is None:
            raise Refused(
                Code.LOGIN_REQUIRED,
                "Nobody is signed in. Ask the user to sign in, then call again.",
                sign_in_uri=f"{self.authority.policy.site.issuer}/account",
            )
        return who

    def check_csrf(self, user_id: str) -> None:
        """Refuse what does not carry the token of this user's page, not older than a day (SESSION-2)."""
        sealer, value = self.authority.sealer, self.header("deputize-csrf")
        if value is None or sealer.open("csrf", value, max_age=86400) != self._page_of(user_id):
            raise Refused(Code.CROSS_SITE_REQUEST, "The page is out of date. Reload it and try again.")

    def csrf_token(self, user_id: str) -> str:
        """Make the token that the page which is answered sends back in `Deputize-CSRF` (SESSION-2)."""
        return self.authority.sealer.seal("csrf", self._page_of(user_id))

    def _page_of(self, user_id: str) -> list[Json]:
        """Say whose page it is: this user's in this session, if that is ours."""
        return [user_id, b64u(self.session_digest or b"")]

    def header(self, name: str) -> str | None:
        """Return what a header says, named in lower case, the first time that it comes; None if it does not."""
        value = self._first.get(name.encode())
        return None if value is None else value.decode("latin-1")

    def headers(self, name: str) -> list[str]:
        """Return what a header says, named in lower case, each time that it comes."""
        if len(self._lines) > len(self._first):
            wanted = name.encode()
            return [value.decode("latin-1") for line, value in self._lines if line == wanted]
        value = self.header(name)
        return [] if value is None else [value]

    def has(self, header: str) -> bool:
        """Tell whether the request has this header."""
        return header.encode() in self._first

    @property
    def url(self) -> str:
        """Return what the request is for, without query: the path is ours, the host the issuer's (PROOF-1)."""
        scope = self.request.scope
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        return self.authority.policy.site.issuer + path

    def proof(
        self,
        header: str,
        access_token: str | None = None,
        jkt: str | None = None,
        bound: Mapping[str, str] | None = None,
        nonce: Callable[[object], bool] | None = None,
    ) -> Proof:
        """Verify a proof of possession for this very request (PROOF-1)."""
        values = self.headers(header)
        if not values and access_token is None:
            raise Refused.of(_NO_PROOF)
        return dpop.verify(
            values,
            self.request.method,
            self.url,
            self.now,
            access_token=access_token,
            jkt=jkt,
            bound=bound,
            nonce=nonce,
        )


def _found(reader: Reader, at: Moment, external_id: str) -> User | Refusal | None:
    """Find a user of the site's own login, or why he is kept out if he is (BLOCK-3)."""
    user = reader.user_by_external_id(external_id)
    return user and (barred(reader, user.user_id, None, at.now) or user)


async def _body_of(request: Request) -> bytes:
    body, more = bytearray(), True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise Refused(Code.INVALID_REQUEST, "The connection ended before the body was there.")
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise Refused(Code.PAYLOAD_TOO_LARGE, "A request body is at most 64 KiB.")
        more = message.get("more_body", False)
    return bytes(body)


def _too_slow() -> Refused:
    return Refused(Code.REQUEST_TIMEOUT, "The body took too long. Send the request again.")
