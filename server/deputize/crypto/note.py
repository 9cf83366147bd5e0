"""Signed notes with Ed25519 (c2sp.org/signed-note): a text, a blank line, a line for each signature (LOG-3, LOG-10)."""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal, Self, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ..protocol import vkey

Reason: TypeAlias = Literal[
    "another_record",
    "bad_handover",
    "bad_signature",
    "key_handed_over",
    "malformed_key",
    "malformed_note",
    "no_known_signature",
    "not_a_checkpoint",
    "too_few_cosignatures",
]

_KEY_ID_BYTES = 4
_TIME_BYTES = 8
_MAX_SIGNATURES = 100
_FORBIDDEN = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]")  # control characters but newline; not UTF-8
_SIGNATURE = re.compile(r"— ([^\s+]+) (\S+)")


class NoteError(ValueError):
    """A note or a key is malformed, or not signed as it should be; `reason` says which."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


@dataclass(frozen=True)
class Verifier:
    """A public key and the name under which it signs; NoteError for a name with a space or a plus."""

    algorithm: ClassVar[bytes] = vkey.ED25519

    name: str
    public_key: Ed25519PublicKey

    def __post_init__(self) -> None:
        try:
            vkey.key_id(self.name, b"")
        except ValueError:
            raise NoteError("malformed_key") from None

    @property
    def _encoded(self) -> bytes:
        return self.algorithm + self.public_key.public_bytes_raw()

    @property
    def key_id(self) -> bytes:
        """The 4 bytes by which, with the name, a signature tells its key."""
        return vkey.key_id(self.name, self._encoded)

    def vkey(self) -> str:
        """Return it as `name+hexid+base64`, for those who will verify."""
        return vkey.write(self.name, self._encoded)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `vkey()` returns; NoteError for anything else, another spelling included."""
        try:
            name, key = vkey.read(text, cls.algorithm)
            return cls(name, Ed25519PublicKey.from_public_bytes(key))
        except ValueError:
            raise NoteError("malformed_key") from None

    def verify(self, body: str, signature: bytes) -> None:
        """Verify what stands behind the key id in a signature over a note's body; InvalidSignature."""
        self.public_key.verify(signature, body.encode())


class Cosigner(Verifier):
    """A witness's key (c2sp.org/tlog-cosignature, LOG-10): what it signs has the second before the note's body."""

    algorithm = vkey.COSIGNATURE

    def verify(self, body: str, signature: bytes) -> None:
        """Verify a cosignature; InvalidSignature."""
        time = int.from_bytes(signature[:_TIME_BYTES])
        if time >= 1 << 63:
            raise InvalidSignature
        self.public_key.verify(signature[_TIME_BYTES:], _cosigned(body, time))


def sign(body: str, name: str, private_key: Ed25519PrivateKey) -> str:
    """Return a note with this body, signed under `name`.

    NoteError for a body that does not end in a newline or has other control characters, and for a malformed name.
    """
    if not body.endswith("\n") or _FORBIDDEN.search(body):
        raise NoteError("malformed_note")
    verifier = Verifier(name, private_key.public_key())
    return f"{body}\n{_line(verifier, private_key.sign(body.encode()))}"


def cosign(body: str, now: int, name: str, private_key: Ed25519PrivateKey) -> str:
    """Return the line by which a witness of this name says that it has seen nothing newer, and no other history."""
    signature = private_key.sign(_cosigned(body, now))
    return _line(Cosigner(name, private_key.public_key()), now.to_bytes(_TIME_BYTES) + signature)


def open_note(text: str, verifiers: Iterable[Verifier]) -> str:
    """Return the body of a note that one of these at least has signed; NoteError if not, or if one signature is bad.

    Signatures by other keys are ignored if they are well-formed.
    """
    body, signed = signers(text, verifiers)
    if not signed:
        raise NoteError("no_known_signature")
    return body


def signers(text: str, verifiers: Iterable[Verifier]) -> tuple[str, list[Verifier]]:
    """Return the body of a note, and which of these have signed it; NoteError if one of their signatures is bad."""
    body, signed = _signed(text, verifiers)
    return body, [verifier for verifier, _ in signed]


def only(text: str, verifiers: Iterable[Verifier]) -> str:
    """Return a note without any signatures but those of these, of each one; NoteError as `signers`.

    Anybody can add lines to a genuine note that nobody looks at.
    """
    body, signed = _signed(text, verifiers)
    return f"{body}\n{''.join(line for _, line in signed)}"


def _signed(text: str, verifiers: Iterable[Verifier]) -> tuple[str, list[tuple[Verifier, str]]]:
    body, blank, signatures = text.rpartition("\n\n")
    body += "\n"
    lines = signatures.split("\n")
    if not blank or _FORBIDDEN.search(text) or lines.pop() or not 1 <= len(lines) <= _MAX_SIGNATURES:
        raise NoteError("malformed_note")
    trusted = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    signed = dict[tuple[str, bytes], tuple[Verifier, str]]()  # each once, however often it has
    for line in lines:
        name, blob = _parse_signature(line)
        key = name, blob[:_KEY_ID_BYTES]
        if key not in trusted:
            continue
        try:
            trusted[key].verify(body, blob[_KEY_ID_BYTES:])
        except InvalidSignature:
            raise NoteError("bad_signature") from None
        signed[key] = trusted[key], f"{line}\n"
    return body, list(signed.values())


def _cosigned(body: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{body}".encode()


def _line(verifier: Verifier, signature: bytes) -> str:
    return f"— {verifier.name} {b64encode(verifier.key_id + signature).decode('ascii')}\n"


def _parse_signature(line: str) -> tuple[str, bytes]:
    """Return the key's name, and its id followed by the signature."""
    match = _SIGNATURE.fullmatch(line)
    if match is None:
        raise NoteError("malformed_note")
    try:
        blob = b64decode(match[2])
    except ValueError:
        raise NoteError("malformed_note") from None
    if b64encode(blob).decode("ascii") != match[2] or len(blob) <= _KEY_ID_BYTES:
        raise NoteError("malformed_note")
    return match[1], blob
