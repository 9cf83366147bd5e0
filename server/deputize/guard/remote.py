"""How a guard reaches an authority in another process: over HTTP, with a key that the policy registers (GUARD-10)."""

import asyncio
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

import httpx2
import orjson
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

from ..crypto import dpop, jwt
from ..protocol.call import State
from ..protocol.canonical import Json, parse
from ..protocol.errors import Code, Refusal, Refused
from ..protocol.ids import CallId
from ..protocol.token import CallToken
from ..protocol.url import is_secure
from ..protocol.version import HEADER, VERSION
from .steps import taken
from .unavailable import Unavailable, explained, not_reached, refused_us

T = TypeVar("T")

MAX_ANSWER = 64 * 1024
"""How many bytes an answer of the authority may have."""

TIMEOUT = 5.0
"""How many seconds the authority has for an answer, unless it is said."""

_MAX_KEYS = 32
_MAX_FACTS = 8
_MAX_FACT = 512  # characters, its name included
_MEMBERS = frozenset({"type", "title", "status", "detail", "instance", "code"})  # RFC 9457 §3.1, ERR-1
_KEYS_FRESH = 300  # seconds for which keys are used without asking again
_KEYS_PAUSE = 5  # seconds between two fetches, whoever asks for whatever key

# What the authority says of the call is passed on; what it says of this guard's own request is not.
_OF_THE_CALL = frozenset(Code) - {
    Code.INVALID_REQUEST,
    Code.PAYLOAD_TOO_LARGE,
    Code.UNSUPPORTED_MEDIA_TYPE,
    Code.NOT_FOUND,
    Code.METHOD_NOT_ALLOWED,
    Code.CROSS_SITE_REQUEST,
    Code.VERSION_SKEW,
    Code.LOGIN_REQUIRED,
    Code.INVALID_DPOP_PROOF,
    Code.SERVER_ERROR,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request to the authority; only the object in an answer of status 200 is sent back for it."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


Asking = Generator[Asked, dict[str, Json], T]
"""What is asked of the authority, one request after another, and what comes of it; Refused if it refuses."""


class Questions:
    """What guards in another process ask of the authority, however they wait for its answers (PROTOCOL §7)."""

    def __init__(self, issuer: str, key: EllipticCurvePrivateKey, clock: Callable[[], float]) -> None:
        """Sign with this P-256 key; ValueError for an issuer without https that is not on this machine."""
        if not is_secure(issuer):
            raise ValueError("the authority is reached by https, or by http on this machine")
        self._issuer = issuer.rstrip("/")
        self._key = key
        self._clock = clock
        self._keys: Mapping[str, EllipticCurvePublicKey] = {}
        self._fetched_at = self._tried_at = float("-inf")

    def redeem(self, token: CallToken, text: str) -> Asking[str | None]:
        """Redeem a call token; its result is the user's id in the site's own login, if he has one (GUARD-3)."""
        answer = yield self._post(token.call_id, "redemption", {"call_token": text})
        if answer.get("call_id") != token.call_id or answer.get("state") != State.REDEEMED:
            raise Unavailable("answered a redemption with something else")
        match answer:
            case {"external_id": str() | None as external_id}:
                return external_id
        raise Unavailable("did not say whose call this is")

    def report(self, call_id: CallId, outcome: State) -> Asking[None]:
        """Report the outcome of a redeemed call (GUARD-5)."""
        yield self._post(call_id, "outcome", {"outcome": outcome.value})

    def key_of(self, kid: str) -> Asking[EllipticCurvePublicKey | None]:
        """Find the authority's public key of this id, None if it has none; one such question at a time.

        Keys are fetched again after 300 s, and for an id that is unknown, but never twice within 5 s.
        """
        now = self._clock()
        if (kid not in self._keys or not 0 <= now - self._fetched_at < _KEYS_FRESH) and not (
            0 <= now - self._tried_at < _KEYS_PAUSE
        ):
            self._tried_at = now
            self._keys = _keys((yield Asked("GET", f"{self._issuer}/jwks.json")))
            self._fetched_at = now
        if not 0 <= now - self._fetched_at < _KEYS_FRESH:
            raise Unavailable("could not be asked for its keys")
        return self._keys.get(kid)

    def _post(self, call_id: CallId, what: str, body: dict[str, str]) -> Asked:
        url = f"{self._issuer}/calls/{call_id}/{what}"
        proof = dpop.make(self._key, "POST", url, int(self._clock()))  # PROOF-4
        headers = {"Content-Type": "application/json", "Deputize-Guard": proof, HEADER: str(VERSION)}
        return Asked("POST", url, headers, orjson.dumps(body))


class HttpRedeemer:
    """The authority over HTTP, for a `Guard`: its `redeemer`, and with `key_of` the authority's public keys.

    Any answer but those of PROTOCOL §7 is Refused(authority_unavailable), so that nothing runs (GUARD-6).
    """

    def __init__(
        self,
        issuer: str,
        key: EllipticCurvePrivateKey,
        client: httpx2.AsyncClient | None = None,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Sign with this P-256 key, whose public half is in the policy's `api.keys`.

        `timeout` is how many seconds the authority has for a whole answer. ValueError for an issuer without https
        that is not on this machine.
        """
        self._questions = Questions(issuer, key, clock)
        self._client = client or httpx2.AsyncClient()
        self._timeout = timeout
        self._fetching = asyncio.Lock()

    async def redeem(self, token: CallToken, text: str, args_s256: str) -> str | None:
        """Redeem a call token, and return the user's id in the site's own login, if he has one (GUARD-3).

        Refused as the authority refuses the call.
        """
        return await taken(self._questions.redeem(token, text), self._ask)

    async def report(self, call_id: CallId, outcome: State) -> None:
        """Report the outcome of a redeemed call (GUARD-5)."""
        await taken(self._questions.report(call_id, outcome), self._ask)

    async def key_of(self, kid: str) -> EllipticCurvePublicKey | None:
        """Return the authority's public key of this id, or None if it has none.

        Keys are fetched again after 300 s, and for an id that is unknown, but never twice within 5 s.
        """
        async with self._fetching:
            return await taken(self._questions.key_of(kid), self._ask)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(self, asked: Asked) -> dict[str, Json]:
        """Return the object in a 200 answer. Redirects are not followed; size and time are limited."""
        with explained(asked.method, asked.url):
            return await self._asked(asked)

    async def _asked(self, asked: Asked) -> dict[str, Json]:
        answer = bytearray()
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._client.stream(
                    asked.method, asked.url, headers=asked.headers, content=asked.body, follow_redirects=False
                ) as response,
            ):
                async for chunk in response.aiter_bytes():
                    answer += chunk
                    if len(answer) > MAX_ANSWER:
                        raise Unavailable("sent too much")
        except (httpx2.HTTPError, TimeoutError, ValueError) as error:
            raise not_reached(error) from error
        return told(response.status_code, bytes(answer))


def told(status: int, answer: bytes) -> dict[str, Json]:
    """Return the object in an answer of the authority; Refused unless its status is 200."""
    try:
        value = parse(answer)
    except ValueError as error:  # a JsonError
        raise Unavailable(f"answered {status}, and not in JSON") from error
    if not isinstance(value, dict):
        raise Unavailable("did not answer with an object")
    if status == 200:
        return value
    raise _refused(value)


def _refused(problem: Mapping[str, Json]) -> Refused:
    """Return the refusal that a problem tells of; `authority_unavailable` where it is about our own request."""
    code, detail = problem.get("code"), problem.get("detail")
    if isinstance(code, str) and code in _OF_THE_CALL and isinstance(detail, str):
        return Refused.of(Refusal(Code(code), detail, dict(list(_facts(problem))[:_MAX_FACTS])))
    return refused_us(problem)


def _facts(problem: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    """Go through the members that ERR-1 adds to a problem: `call_id`, `retry_after`, …

    Only strings and numbers that are short and in printable ASCII, since they may come to stand in a header.
    """
    for name, value in problem.items():
        text = f"{name}{value}"
        plain = text.isascii() and text.isprintable() and not set(text) & set('"\\')
        if name not in _MEMBERS and isinstance(value, str | int | None) and plain and len(text) <= _MAX_FACT:
            yield name, value


def _keys(jwks: Mapping[str, Json]) -> dict[str, EllipticCurvePublicKey]:
    """Read a JWK set (RFC 7517 §5). Keys of other kinds are passed over; Refused if this is none."""
    listed = jwks.get("keys")
    if not isinstance(listed, list) or len(listed) > _MAX_KEYS:
        raise Unavailable("has no list of keys")
    keys = {}
    for jwk in listed:
        match jwk:
            case {"kty": "EC", "crv": "P-256", "alg": "ES256", "kid": str(kid), "x": str(x), "y": str(y)}:
                with suppress(ValueError):
                    keys[kid] = jwt.public_key(x, y)
    return keys
