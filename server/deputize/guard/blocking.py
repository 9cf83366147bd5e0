"""How a guard that cannot await reaches an authority in another process: as `remote`, one thread each (GUARD-6)."""

import threading
import time
from collections.abc import Callable
from typing import Protocol

import httpx2
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

from ..protocol.call import State
from ..protocol.canonical import Json
from ..protocol.ids import CallId
from ..protocol.token import CallToken
from .remote import MAX_ANSWER, TIMEOUT, Asked, Questions, told
from .steps import taken_now
from .unavailable import Unavailable, explained, not_reached


class Authority(Protocol):
    """What a guard that cannot await needs of the authority. Each of these may raise Refused."""

    def redeem(self, token: CallToken, text: str) -> str | None:
        """Redeem a verified call token, spelled `text`; return the user's id in the site's own login (GUARD-3)."""

    def report(self, call_id: CallId, outcome: State) -> None:
        """Report the outcome of a redeemed call (GUARD-5)."""

    def key_of(self, kid: str) -> EllipticCurvePublicKey | None:
        """Return the authority's public key of this id, None if it has none."""


class BlockingRedeemer:
    """The authority over HTTP. It may be used by any threads, and is made before a server forks its workers."""

    def __init__(
        self,
        issuer: str,
        key: EllipticCurvePrivateKey,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Sign with this P-256 key, whose public half is in the policy's `api.keys`.

        `timeout` is how many seconds the authority has for an answer. ValueError for an issuer without https that is
        not on this machine.
        """
        self._questions = Questions(issuer, key, clock)
        self._timeout = timeout
        self._fetching = threading.Lock()
        self._client: httpx2.Client | None = None

    def redeem(self, token: CallToken, text: str) -> str | None:
        """Redeem a call token, and return the user's id in the site's own login, if he has one (GUARD-3)."""
        return taken_now(self._questions.redeem(token, text), self._ask)

    def report(self, call_id: CallId, outcome: State) -> None:
        """Report the outcome of a redeemed call (GUARD-5)."""
        taken_now(self._questions.report(call_id, outcome), self._ask)

    def key_of(self, kid: str) -> EllipticCurvePublicKey | None:
        """Return the authority's public key of this id, or None if it has none."""
        with self._fetching:
            return taken_now(self._questions.key_of(kid), self._ask)

    def _ask(self, asked: Asked) -> dict[str, Json]:
        with explained(asked.method, asked.url):
            return self._asked(asked)

    def _asked(self, asked: Asked) -> dict[str, Json]:
        if self._client is None:  # not before the first request: connections do not survive a fork
            self._client = httpx2.Client(timeout=self._timeout)
        until = time.monotonic() + self._timeout
        answer = bytearray()
        try:
            with self._client.stream(
                asked.method, asked.url, headers=asked.headers, content=asked.body, follow_redirects=False
            ) as response:
                for chunk in response.iter_bytes():
                    answer += chunk
                    if len(answer) > MAX_ANSWER:
                        raise Unavailable("sent too much")
                    if time.monotonic() > until:
                        raise Unavailable("took too long")
        except (httpx2.HTTPError, ValueError) as error:
            raise not_reached(error) from error
        return told(response.status_code, bytes(answer))
