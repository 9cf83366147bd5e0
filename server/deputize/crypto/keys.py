"""The authority's own keys, in one private file: for tokens, for the record, and for what is sealed (`sealed.py`)."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import orjson
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.algorithms import ECAlgorithm
from jwt.exceptions import InvalidKeyError

from ..alone import alone_in
from ..private import replace_alone
from ..protocol.canonical import Json, b64u, unb64u
from ..protocol.jwk import thumbprint
from ..watched import Watched
from .jwt import jwk_of
from .succession import Succession

KEPT = 24 * 3600
"""Seconds that a signing key stays in the JWKS after it was replaced; no token lives as long."""

PUBLISHED_FIRST = 10
"""Seconds that a key is published before it signs: twice what a remote guard that does not find a key waits before it
fetches the keys again (TOKEN-6)."""

_BYTES = 32  # of an Ed25519 key, and of the secret


class KeyFileError(Exception):
    """The file is not one that `KeyRing` wrote. The message names it, and tells nothing of its content."""


class NoKeys(Exception):
    """The file is missing, and is not to be made."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A P-256 key for tokens. Times are in seconds; `replaced_at` is None while no other has taken its place."""

    kid: str
    private_key: EllipticCurvePrivateKey = field(repr=False, compare=False)
    created_at: int
    replaced_at: int | None = None

    @classmethod
    def generate(cls, now: int) -> "SigningKey":
        """Make a new one."""
        private_key = generate_private_key(SECP256R1())
        return cls(thumbprint(jwk_of(private_key.public_key())), private_key, now)


_Signing: TypeAlias = tuple[SigningKey, ...]


@dataclass(frozen=True, slots=True)
class _Content:
    """What the file holds; the current signing key comes first."""

    signing: _Signing
    record: bytes
    secret: bytes
    handovers: tuple[str, ...] = ()

    def write(self) -> bytes:
        signing = [
            {**jwk_of(key.private_key), "created_at": key.created_at, "replaced_at": key.replaced_at}
            for key in self.signing
        ]
        content: dict[str, object] = {
            "signing": signing,
            "record": b64u(self.record),
            "secret": b64u(self.secret),
        }
        if self.handovers:
            content["handovers"] = list(self.handovers)
        return orjson.dumps(content, option=orjson.OPT_INDENT_2)

    @classmethod
    def read(cls, data: bytes) -> "_Content":
        """Read what `write` wrote; ValueError, TypeError, LookupError or InvalidKeyError for anything else."""
        content = orjson.loads(data)
        signing = []
        for jwk in content["signing"]:
            private_key = ECAlgorithm.from_jwk(jwk)
            if not isinstance(private_key, EllipticCurvePrivateKey):
                raise ValueError("a signing key without its private part")
            signing.append(SigningKey(thumbprint(jwk), private_key, jwk["created_at"], jwk["replaced_at"]))
        record, secret = unb64u(content["record"]), unb64u(content["secret"])
        if not signing or {len(record), len(secret)} != {_BYTES}:
            raise ValueError("a key is missing")
        handovers = tuple(map(str, content.get("handovers", [])))
        for note in handovers:
            Succession.last([note])
        return cls(tuple(signing), record, secret, handovers)


class KeyRing:
    """The keys in one file, which is read again whenever it has changed, since another process may have rotated them.

    While the file is missing, unreadable or malformed, the keys that were read last stay in use.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        """Read the file; KeyFileError or OSError. `clock` returns seconds since the epoch."""
        self._path = path
        self._clock = clock
        self._file = Watched(path)
        self._fault: str | None = None
        self._load()

    @classmethod
    def open(cls, path: Path, clock: Callable[[], float] = time.time, new: bool = True) -> "KeyRing":
        """Read the file at `path`, with mode 0600. If it is missing, it is made if it may be `new`, else NoKeys."""
        with alone_in(path.parent) as folder:
            if path.exists():
                path.chmod(0o600)
            elif not new:
                raise NoKeys(f"{path} is missing")
            else:
                signing = (SigningKey.generate(int(clock())),)
                content = _Content(signing, secrets.token_bytes(_BYTES), secrets.token_bytes(_BYTES))
                replace_alone(path, content.write(), folder)
        return cls(path, clock)

    @property
    def fault(self) -> str | None:
        """Say why the keys are not those that the file should have now; None if they are."""
        self._look()
        return self._fault

    @property
    def secret(self) -> bytes:
        """Return the 32 bytes from which `Sealer` derives its keys."""
        return self._content.secret

    def record_key(self) -> Ed25519PrivateKey:
        """Return the key that signs the record's checkpoints."""
        self._look()
        return Ed25519PrivateKey.from_private_bytes(self._content.record)

    def handovers(self) -> tuple[str, ...]:
        """Return the notes by which the record's keys were handed over, the oldest first (LOG-12)."""
        self._look()
        return self._content.handovers

    def hand_over(self, make: Callable[[Ed25519PrivateKey, Ed25519PublicKey], str]) -> None:
        """Put a new record key in the place of the one that there is, which is in the file no more.

        `make` returns the note of the hand-over, by the old key to the new one; what it raises leaves all as it was.
        """
        new = Ed25519PrivateKey.generate()
        with alone_in(self._path.parent) as folder:
            self._load()
            note = make(self.record_key(), new.public_key())
            handovers = (*self._content.handovers, note)
            after = replace(self._content, record=new.private_bytes_raw(), handovers=handovers)
            replace_alone(self._path, after.write(), folder)
            self._load()

    def forget_handovers(self) -> None:
        """Let the record's key be the first one, since the entries that it was handed over after are given up."""
        with alone_in(self._path.parent) as folder:
            self._load()
            replace_alone(self._path, replace(self._content, handovers=()).write(), folder)
            self._load()

    def signing_key(self) -> tuple[str, EllipticCurvePrivateKey]:
        """Return the id and the key that sign tokens now: the newest that was published for long enough, of the keys at
        the last look. Each request begins with one, by `fault`.

        The id is the key's RFC 7638 thumbprint.
        """
        keys, until = self._content.signing, self._clock() - PUBLISHED_FIRST
        key = next((key for key in keys if key.created_at <= until), keys[-1])
        return key.kid, key.private_key

    def public_key(self, kid: str) -> EllipticCurvePublicKey | None:
        """Return the key of this id; None if it was never ours, or is retired."""
        self._look()
        return self._public.get(kid)

    def jwks(self) -> dict[str, Json]:
        """Return the public keys as a JWK Set (RFC 7517 §5), the current one first."""
        self._look()
        keys: list[Json] = [
            {**jwk_of(key), "alg": "ES256", "kid": kid, "use": "sig"} for kid, key in self._public.items()
        ]
        return {"keys": keys}

    def rotate(self, now: int) -> str:
        """Make and publish a new signing key, and return its id; it signs after PUBLISHED_FIRST seconds."""
        new = SigningKey.generate(now)
        self._change(lambda keys: (new, replace(keys[0], replaced_at=now), *keys[1:]))
        return new.kid

    def retire(self, now: int) -> tuple[str, ...]:
        """Drop the keys that were replaced KEPT seconds ago or earlier, and return their ids."""
        before = self._change(
            lambda keys: tuple(key for key in keys if key.replaced_at is None or now < key.replaced_at + KEPT)
        )
        return tuple(key.kid for key in before if key not in self._content.signing)

    def list(self) -> tuple[SigningKey, ...]:
        """Return the signing keys, the current one first."""
        self._look()
        return self._content.signing

    def _change(self, change: Callable[[_Signing], _Signing]) -> _Signing:
        """Apply a function to the signing keys in the file, and return what they were before."""
        with alone_in(self._path.parent) as folder:
            self._load()
            before = self._content
            after = replace(before, signing=change(before.signing))
            if after != before:
                replace_alone(self._path, after.write(), folder)
                self._load()
        return before.signing

    def _look(self) -> None:
        """Read the file again if it has changed, or could not be read before."""
        if self._file.changed():
            try:
                self._take()
            except (KeyFileError, OSError) as error:
                self._fault = getattr(error, "strerror", None) or str(error)

    def _load(self) -> None:
        """Read the file now; KeyFileError or OSError."""
        self._file.forget()
        self._file.changed()
        self._take()

    def _take(self) -> None:
        data = self._file.read()
        try:
            self._content = content = _Content.read(data)
        except Exception as error:
            if not isinstance(error, ValueError | TypeError | LookupError | InvalidKeyError):
                self._file.forget()  # the file may be right, and memory have run out: it is read again
            raise KeyFileError(f"{self._path} does not hold the keys of an authority") from None
        self._public = {key.kid: key.private_key.public_key() for key in content.signing}
        self._fault = None
