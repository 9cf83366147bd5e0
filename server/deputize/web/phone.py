"""`/calls/{id}/phone` and `/grants/{id}/phone`: a question on its user's other device (PHONE-1 to PHONE-3)."""

from functools import lru_cache
from typing import Annotated, NotRequired

import segno
from msgspec import UNSET, UnsetType

from ..protocol.errors import Code, Refused
from ..protocol.phone import Phone, read_digits
from ..service import phones
from ..service.calls.request import PageCall
from ..service.grants import PageRequest
from .access import Who
from .context import Context
from .types import Closed, Evidence, Uri, said

LONGEST = 500
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


class TypedEvidence(Evidence):
    """Evidence, beside what was typed (PHONE-3)."""

    digits: NotRequired[Digits]


async def put_call(context: Context, page: Who[PageCall]) -> PhoneQuestion:
    """Let a call that waits be answered on another device (PHONE-1)."""
    return _told(context, await page.run(phones.put_call))


async def put_consent(context: Context, page: Who[PageRequest]) -> PhoneQuestion:
    """Let a request for consent be answered there (PHONE-1)."""
    return _told(context, await page.run(phones.put_consent, context.named("grant_id")))


def _told(context: Context, phone: Phone) -> PhoneQuestion:
    uri = f"{context.authority.policy.site.issuer}/ask/{phone.subject}"
    return PhoneQuestion(uri, phone.digits or "", code_of(uri))


def typed(digits: object) -> str | None:
    """Read what was typed, None for UNSET; what is not two digits is Refused(invalid_request), and no try."""
    if digits is UNSET:
        return None
    read = read_digits(digits) if isinstance(digits, str) else None
    if read is None:
        raise Refused(Code.INVALID_REQUEST, "`digits` are the two digits that the page shows.")
    return read


@lru_cache(maxsize=128)
def code_of(address: str) -> QrCode | None:
    """Make the code of an address; None if that is too long. It takes milliseconds, and pages ask again."""
    if len(address) > LONGEST:
        return None
    rows = segno.make_qr(address, error="m").matrix
    return QrCode(len(rows), "".join("1" if module else "0" for row in rows for module in row))
