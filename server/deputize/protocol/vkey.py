"""Keys of notes as text, `name+id+base64` (c2sp.org/signed-note): of logs, and of witnesses (LOG-3, LOG-10)."""

import hashlib
import re
from base64 import b64decode, b64encode

ED25519 = b"\x01"
COSIGNATURE = b"\x04"
"""Ed25519 over a cosignature/v1 (c2sp.org/tlog-cosignature)."""

_KEY_ID_BYTES = 4
_NAME = re.compile(r"[^\s+\x00-\x1f\ud800-\udfff]+")


def key_id(name: str, encoded: bytes) -> bytes:
    """Return the 4 bytes by which, with the name, a signature tells its key; `encoded` begins with the algorithm.

    ValueError for a name with a space or a plus.
    """
    if not _NAME.fullmatch(name):
        raise ValueError("a key's name has no space and no plus")
    return hashlib.sha256(name.encode() + b"\n" + encoded).digest()[:_KEY_ID_BYTES]


def write(name: str, encoded: bytes) -> str:
    """Write a key for those who will verify."""
    return f"{name}+{key_id(name, encoded).hex()}+{b64encode(encoded).decode('ascii')}"


def read(vkey: str, algorithm: bytes) -> tuple[str, bytes]:
    """Read the name and the 32 bytes of a key of this algorithm; ValueError for anything else, another spelling
    included."""
    name, _, text = vkey.split("+", 2)  # base64 has pluses of its own
    encoded = b64decode(text)
    if write(name, encoded) != vkey or encoded[:1] != algorithm or len(encoded) != 1 + 32:
        raise ValueError("not a key of this kind")
    return name, encoded[1:]
