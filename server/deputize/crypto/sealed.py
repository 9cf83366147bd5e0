"""Text that we hand out and that comes back to us: session cookies and ids, CSRF tokens, refresh tokens, nonces.

It is authenticated, not encrypted: whoever has it can read it, and nobody but us can make it.
"""

import hashlib
import hmac
import time
from collections.abc import Callable
from functools import partial
from typing import Literal, get_args

import orjson
from itsdangerous import Signer

from ..protocol.canonical import Json, b64u, unb64u
from ..service.kept import keeping

MAX_SEALED = 4096
"""How many characters a sealed text may have; browsers drop longer cookies."""

_KEPT = 4 * 2**20  # bytes, of texts that were opened before

Purpose = Literal["session", "csrf", "refresh", "nonce", "mcp_session"]
"""What a sealed text is for; it does not open for any other purpose."""


class Sealer:
    """Seals and opens values by HMAC-SHA-256, with a key derived from one secret for each purpose."""

    def __init__(self, secret: bytes, clock: Callable[[], float] = time.time) -> None:
        """Derive the keys; ValueError for a secret of less than 32 bytes. `clock` returns seconds since the epoch."""
        if len(secret) < 32:
            raise ValueError("the secret needs at least 32 bytes")
        self._clock = clock
        self._signers = {
            purpose: Signer(_derived(secret, purpose), key_derivation="none", digest_method=hashlib.sha256)
            for purpose in get_args(Purpose)
        }
        # Results are kept, since a page sends the same cookie with each request.
        self._opened = {
            purpose: keeping(partial(self._open, purpose), _KEPT) for purpose in get_args(Purpose)
        }

    def seal(self, purpose: Purpose, value: Json) -> str:
        """Return the value and this second as a sealed text; ValueError if that is longer than MAX_SEALED."""
        text = self._sign(purpose, b64u(orjson.dumps([int(self._clock()), value])))
        if len(text) > MAX_SEALED:
            raise ValueError(f"a sealed text has at most {MAX_SEALED} characters")
        return text

    def open(self, purpose: Purpose, text: str, max_age: int | None = None) -> Json:
        """Return the value in a text that was sealed for this purpose, less than `max_age` seconds ago; else None.

        Only the very text that `seal` returned opens, and no other spelling of it.
        """
        try:
            made_at, value = self._opened[purpose](text)
        except ValueError:
            return None
        if max_age is not None and not 0 <= int(self._clock()) - made_at < max_age:  # TOKEN-5
            return None
        return value

    def _open(self, purpose: Purpose, text: str) -> tuple[int, Json]:
        """Return the second of sealing and the value; ValueError for any text that was not sealed for this."""
        payload = text.partition(".")[0]
        if (
            len(text) > MAX_SEALED
            or not text.isascii()
            or not hmac.compare_digest(self._sign(purpose, payload), text)
        ):
            raise ValueError("not sealed here for this purpose")
        made_at, value = orjson.loads(unb64u(payload))
        return made_at, value

    def _sign(self, purpose: Purpose, payload: str) -> str:
        return self._signers[purpose].sign(payload).decode()


def _derived(secret: bytes, purpose: Purpose) -> bytes:
    """Derive the key for one purpose, once: itsdangerous would do that at each use."""
    signer = Signer(secret, salt=f"deputize.{purpose}", key_derivation="hmac", digest_method=hashlib.sha256)
    return signer.derive_key()
