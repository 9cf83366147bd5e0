"""Signed notes with Ed25519 (c2sp.org/signed-note): a text, a blank line, and a line for each signature (LOG-3)."""

import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

Reason: TypeAlias = Literal["bad_signature", "malformed_key", "malformed_note", "no_known_signature"]

_ED25519 = b"\x01"
_KEY_ID_BYTES = 4
_MAX_SIGNATURES = 100
_FORBIDDEN = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]")  # control characters but newline; not UTF-8
_NAME = re.compile(r"[^\s+\x00-\x1f\ud800-\udfff]+")
_SIGNATURE = re.compile(r"— ([^\s+]+) (\S+)")


class NoteError(ValueError):
    """A note or a key is malformed, or not signed as it should be; `reason` says which."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


@dataclass(frozen=True)
class Verifier:
    """A public key and the name under which it signs; NoteError for a name with a space or a plus."""

    name: str
    public_key: Ed25519PublicKey

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise NoteError("malformed_key")

    @property
    def key_id(self) -> bytes:
        """The 4 bytes by which, with the name, a signature tells its key."""
        encoded = _ED25519 + self.public_key.public_bytes_raw()
        return hashlib.sha256(self.name.encode() + b"\n" + encoded).digest()[:_KEY_ID_BYTES]

    def vkey(self) -> str:
        """Return it as `name+hexid+base64`, for those who will verify."""
        encoded = _ED25519 + self.public_key.public_bytes_raw()
        return f"{self.name}+{self.key_id.hex()}+{b64encode(encoded).decode('ascii')}"

    @classmethod
    def parse(cls, vkey: str) -> "Verifier":
        """Read what `vkey()` returns; NoteError for anything else, another spelling included."""
        try:
            name, _, encoded = vkey.split("+", 2)  # base64 has pluses of its own
            verifier = cls(name, Ed25519PublicKey.from_public_bytes(b64decode(encoded)[len(_ED25519) :]))
        except ValueError:
            raise NoteError("malformed_key") from None
        if verifier.vkey() != vkey:  # another algorithm, a wrong key id, a loose encoding
            raise NoteError("malformed_key")
        return verifier


def sign(body: str, name: str, private_key: Ed25519PrivateKey) -> str:
    """Return a note with this body, signed under `name`.

    NoteError for a body that does not end in a newline or has other control characters, and for a malformed name.
    """
    if not body.endswith("\n") or _FORBIDDEN.search(body):
        raise NoteError("malformed_note")
    key_id = Verifier(name, private_key.public_key()).key_id
    return f"{body}\n— {name} {b64encode(key_id + private_key.sign(body.encode())).decode('ascii')}\n"


def open_note(text: str, verifiers: Iterable[Verifier]) -> str:
    """Return the body of a note that one of these at least has signed; NoteError if not, or if one signature is bad.

    Signatures by other keys are ignored if they are well-formed.
    """
    body, blank, signatures = text.rpartition("\n\n")
    body += "\n"
    lines = signatures.split("\n")
    if not blank or _FORBIDDEN.search(text) or lines.pop() or not 1 <= len(lines) <= _MAX_SIGNATURES:
        raise NoteError("malformed_note")
    trusted = {(verifier.name, verifier.key_id): verifier.public_key for verifier in verifiers}
    verified = False
    for name, blob in map(_parse_signature, lines):
        public_key = trusted.get((name, blob[:_KEY_ID_BYTES]))
        if public_key is None:
            continue
        try:
            public_key.verify(blob[_KEY_ID_BYTES:], body.encode())
        except InvalidSignature:
            raise NoteError("bad_signature") from None
        verified = True
    if not verified:
        raise NoteError("no_known_signature")
    return body


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
