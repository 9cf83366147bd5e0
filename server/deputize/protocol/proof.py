"""Verified proofs of possession, each good once (PROOF-2)."""

import re
from typing import TypeGuard

from .ids import Jkt
from .value import value

MARGIN = 60
"""Seconds from the check of a proof to the commit of its `jti`: far more than any commit takes."""

MADE_NOW = 30 + 1 + MARGIN
"""Seconds for which the `jti` of a proof is remembered that is made at this second (PROOF-2)."""

_JTI = re.compile(r"[\x20-\x7e]{1,128}")


def is_jti(text: object) -> TypeGuard[str]:
    """Tell whether this can be a `jti` or a nonce: 1 to 128 printable ASCII characters."""
    return isinstance(text, str) and _JTI.fullmatch(text) is not None


@value
class Proof:
    """A proof, by which key, and until when its `jti` must be remembered."""

    jkt: Jkt
    jti: str
    keep_until: int
