"""One request, as an endpoint sees it: body, proofs, session; each read once, strictly, or refused."""

from asyncio import timeout
from collections.abc import Callable, Mapping
from inspect import isawaitable

from starlette._utils import get_route_path
from starlette.requests import ClientDisconnect, Request

from ..authority.authority import Authority, Current
from ..crypto import dpop
from ..protocol.agent import Assurance
from ..protocol.canonical import Json, JsonError, parse
from ..protocol.credential import User
from ..protocol.errors import USED_PROOF, Code, Refusal, Refused
from ..protocol.quota import Quota, Rate
from ..protocol.token import Delegation
from ..service import credentials
from ..service.barring import barred
from ..service.credentials import SignIn
from ..service.ports import Proof, Reader
from ..words.catalogue import language_of
from . import session
from .peers import address_of

MAX_BODY = 64 * 1024  # bytes (JSON-3)
MAX_DELAY = 30  # seconds (JSON-4)
Shape = Mapping[str, type]


class Ask:
    """A request and the authority that it asks. `now` is the same second for everything in it."""

    __slots__ = ("_current", "at", "authority", "body", "noted", "now", "request", "session_digest")

    def __init__(self, request: Request, current: Current) -> None:
        """Read nothing yet but the cookie; Refused(invalid_request) if that comes twice (SESSION-1)."""
        self.request = request
        self.body = b""
        self.noted: Refusal | None = None  # a refusal that a page has told in words of its own
        self._current = current
        self.authority = authority = current()  # POLICY-1
        self.now = authority.now()
        language = language_of(request.headers.get("accept-language", ""))
        self.at = authority.moment(self.now, language)
        self.session_digest = session.read_cookie(authority.sealer, request.scope["headers"])

    async def bytes(self) -> bytes:
        """Return the body, and keep it; Refused(payload_too_large) beyond 64 KiB, counted as it arrives (JSON-3).

        One that came so slowly that `now` is of the past is Refused(request_timeout) (JSON-4), and one that the policy
        changed before it was there, or whose sender went away, is Refused(invalid_request) (POLICY-1).
        """
        body = bytearray()
        try:
            async with timeout(MAX_DELAY):
                async for chunk in self.request.stream():
                    body += chunk
                    if len(body) > MAX_BODY:
                        raise Refused(Code.PAYLOAD_TOO_LARGE, "A request body is at most 64 KiB.")
        except TimeoutError as error:
            raise _too_slow() from error
        except ClientDisconnect as error:
            raise Refused(Code.INVALID_REQUEST, "The connection ended before the body was there.") from error
        now = self.authority.now()
        if now - self.now > MAX_DELAY:  # JSON-4, where our own clock stood still meanwhile
            raise _too_slow()
        if now != self.now and self._current().policy is not self.authority.policy:  # POLICY-1
            raise Refused(Code.INVALID_REQUEST, "The site's policy has just changed. Send the request again.")
        self.body = bytes(body)
        return self.body

    async def evidence(self) -> dict[str, Json]:
        """Return the evidence of an approval, of which its method reads what is its own (JSON-3, APPR-9)."""
        return await self._object()

    async def _object(self) -> dict[str, Json]:
        """Return a JSON object with whatever members (JSON-1, JSON-2)."""
        if (
            self.request.headers.get("content-type", "").partition(";")[0].strip(" \t").lower()
            != "application/json"
        ):
            raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, "Send the body as application/json.")
        try:
            body = parse(await self.bytes())
        except JsonError as error:
            raise Refused(Code.INVALID_REQUEST, f"The body is not strict JSON: {error.reason}.") from error
        if not isinstance(body, dict):
            raise Refused(Code.INVALID_REQUEST, "The body is a JSON object.")
        return body

    async def json(self, required: Shape, optional: Shape | None = None) -> dict[str, Json]:
        """Return a JSON object with exactly these members and types (JSON-1 to JSON-3)."""
        body = await self._object()
        shape = {**(optional or {}), **required}
        for name, value in body.items():
            if name not in shape:
                raise Refused(Code.INVALID_REQUEST, f"Unknown member: {name[:64]!r}.")
            if shape[name] is int and isinstance(value, float) and value.is_integer():
                body[name] = value = int(value)  # 1.0 is 1 in JSON
            if not isinstance(value, shape[name]) or (shape[name] is int and isinstance(value, bool)):
                raise Refused(Code.INVALID_REQUEST, f"Member {name!r} has the wrong type.")
        for name in required:
            if name not in body:
                raise Refused(Code.INVALID_REQUEST, f"Member {name!r} is missing.")
        return body

    def check_origin(self) -> None:
        """Refuse what another site made a browser send (SESSION-2)."""
        headers = self.request.headers
        origin = headers.get("origin")
        if origin is not None and origin not in self.authority.policy.origins():
            raise Refused(Code.CROSS_SITE_REQUEST, "Requests from this origin are not accepted.")
        if headers.get("sec-fetch-site") not in (None, "same-origin", "same-site"):
            raise Refused(Code.CROSS_SITE_REQUEST, "Requests from another site are not accepted.")

    def take(self, quota: Quota, rate: Rate | None) -> None:
        """Take one from what the request's address has of a quota; Refused(too_many_requests) (QUOTA-3)."""
        authority = self.authority
        address = address_of(self.request, authority.policy.site.trusted_proxies)
        authority.by_address.take(quota, rate, address, self.now)

    @property
    def is_nobody(self) -> bool:
        """Tell whether it is certain already that nobody is signed in."""
        return self.session_digest is None and self.authority.current_user is None

    async def session(self) -> Callable[[Reader], SignIn | None]:
        """Return what tells who is signed in, in whatever transaction wants to know.

        It goes by our own session, or by the site's login where that was given.
        """
        digest, now = self.session_digest, self.now
        if self.authority.current_user is not None:
            known = await self._site_user(self.authority)
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

    async def _site_user(self, authority: Authority) -> SignIn | None:
        assert authority.current_user is not None
        answer = authority.current_user(self.request)
        known = await answer if isawaitable(answer) else answer
        if known is None:
            return None
        user, out = await authority.store.read(lambda tx: _found(tx, known.id, self.now))
        if out is not None:
            raise Refused.of(out)
        if user is None:
            user = await authority.store.transact(
                lambda tx: credentials.site_user(tx, self.at, known.id, known.name)
            )
        return SignIn(user.user_id, known.authenticated_at)

    async def must_be_signed_in(self) -> SignIn:
        """Return who is signed in; Refused(login_required)."""
        return self._must(await self.signed_in())

    def _must(self, who: SignIn | None) -> SignIn:
        if who is None:
            raise Refused(
                Code.LOGIN_REQUIRED,
                "Nobody is signed in. Ask the user to sign in, then call again.",
                sign_in_uri=f"{self.authority.policy.site.issuer}/account",
            )
        return who

    async def must_be_here(self) -> SignIn:
        """Return who is signed in, for a change that rests on the session alone: origin and CSRF token (SESSION-2)."""
        self.check_origin()
        who = await self.must_be_signed_in()
        value = self.request.headers.get(session.CSRF_HEADER)
        if not session.check_csrf(self.authority.sealer, value, who.user_id, self.session_digest):
            raise Refused(Code.CROSS_SITE_REQUEST, "The page is out of date. Reload it and try again.")
        return who

    def csrf_token(self, user_id: str) -> str:
        """Make the CSRF token of the page that is answered (SESSION-2)."""
        return session.csrf_token(self.authority.sealer, user_id, self.session_digest)

    async def page(self) -> tuple[SignIn, Proof]:
        """Return who is signed in and the page's proof (PROOF-3), which also stands in for the CSRF token."""
        look, proof = await self.page_session()
        return await self.authority.store.read(look), proof

    async def page_session(self) -> tuple[Callable[[Reader], SignIn], Proof]:
        """Return the same as `page`, but that the transaction of the request looks who is signed in."""
        self.check_origin()
        proof = self.proof("deputize-page")
        session = await self.session()
        return lambda tx: self._must(session(tx)), proof

    def has(self, header: str) -> bool:
        """Tell whether the request has this header."""
        return header in self.request.headers

    @property
    def url(self) -> str:
        """Return what the request is for, without query: the path is ours, the host the issuer's (PROOF-1)."""
        return self.authority.policy.site.issuer + get_route_path(self.request.scope)

    def proof(
        self,
        header: str,
        access_token: str | None = None,
        jkt: str | None = None,
        bound: Mapping[str, str] | None = None,
        nonce: Callable[[object], bool] | None = None,
    ) -> Proof:
        """Verify a proof of possession for this very request (PROOF-1)."""
        values = self.request.headers.getlist(header)
        if not values and access_token is None:
            raise Refused.of(
                Refusal(
                    Code.INVALID_DPOP_PROOF, "A proof of possession is needed, and none came.", unsent=True
                )
            )
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

    def caller(self, bound: Mapping[str, str]) -> tuple[Delegation | None, Proof, Proof | None]:
        """Return the delegation that the request carries, if any, the page's proof, and an attested agent's own proof.

        An opaque agent's proof is the page's as well (CALL-2). An attested agent's is bound to this very call: its
        claims are those of `bound` (EVID-2).
        """
        values = self.request.headers.getlist("authorization")
        if not values:
            return None, self.proof("deputize-page"), None
        scheme, _, token = values[0].partition(" ")
        if len(values) > 1 or scheme.lower() != "dpop":
            raise Refused(Code.INVALID_TOKEN, "Send one delegation token, as `Authorization: DPoP …`.")
        delegation = self.authority.delegation(token, self.now)
        if delegation.assurance is Assurance.OPAQUE:
            return delegation, self.proof("dpop", access_token=token, jkt=delegation.jkt), None
        own = self.proof("dpop", access_token=token, jkt=delegation.jkt, bound=bound)
        return delegation, self.proof("deputize-page"), own

    async def use_once(self, proof: Proof) -> None:
        """Spend a proof that authorizes no transaction of its own (PROOF-2)."""
        if not await self.authority.store.transact(lambda tx: tx.use_proof(proof)):
            raise Refused.of(USED_PROOF)


def _found(reader: Reader, external_id: str, now: int) -> tuple[User | None, Refusal | None]:
    """Find a user of the site's own login, and why he is kept out if he is (BLOCK-3)."""
    user = reader.user_by_external_id(external_id)
    return user, barred(reader, user.user_id, None, now) if user is not None else None


def _too_slow() -> Refused:
    return Refused(Code.REQUEST_TIMEOUT, "The body took too long. Send the request again.")
