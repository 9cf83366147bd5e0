"""`/calls/{call_id}/phone` and `/grants/{grant_id}/phone`: a question on its user's other device (PROTOCOL §24)."""

from functools import lru_cache
from typing import Annotated

import segno
from msgspec import UNSET, UnsetType

from ..protocol.errors import Code, Refused
from ..protocol.phone import Phone, read_digits
from .context import Context
from .types import Closed, Uri, said

LONGEST = 600
"""Characters of an address whose code can be scanned off a screen of 320 px: a module of it is 2.5 px wide at least."""

Digits = Annotated[str, said(pattern=r"^\p{Nd}{2}$")]


class QrCode(Closed):
    """A code of ISO/IEC 18004 without its quiet zone: `size` rows of as many modules, `1` where one is dark."""

    size: Annotated[int, said(minimum=21)]
    modules: Annotated[str, said(pattern="^[01]+$")]


class PhoneQuestion(Closed):
    """Where a question is answered on another device, and what is typed there (PHONE-1); no code of an address that is
    too long for one."""

    uri: Uri
    digits: Annotated[str, said(pattern="^[0-9]{2}$")]
    code: QrCode | None


class Typed(Closed):
    """What was typed, where that is asked for (PHONE-3)."""

    digits: Digits | UnsetType = UNSET


def told(context: Context, phone: Phone) -> PhoneQuestion:
    """Write what its page shows."""
    uri = f"{context.authority.policy.site.issuer}/ask/{phone.subject}"
    return PhoneQuestion(uri, phone.digits, code_of(uri))


def typed(digits: str | UnsetType | None) -> str | None:
    """Read what was typed, None if nothing was; what is not two digits is Refused(invalid_request), and no try."""
    if not isinstance(digits, str):
        return None
    if (read := read_digits(digits)) is None:
        raise Refused(Code.INVALID_REQUEST, "`digits` are the two digits that the page shows.")
    return read


@lru_cache(maxsize=128)
def code_of(address: str) -> QrCode | None:
    """Make the code of an address; None if that is too long. It takes milliseconds, and pages ask again."""
    if len(address) > LONGEST:
        return None
    rows = segno.make_qr(address, error="m").matrix
    return QrCode(len(rows), "".join("1" if module else "0" for row in rows for module in row))
