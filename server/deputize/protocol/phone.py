"""A question that is put on the user's other device, and the digits that are typed there (PHONE-1 to PHONE-3)."""

import hmac
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from .errors import Code, Refusal

_ALL = 100  # two digits
_EVEN = 256 // _ALL * _ALL  # bytes from here on would make some of them likelier


@dataclass(frozen=True, slots=True)
class Phone:
    """A question, `subject`, that can be answered away from its page only by who types these digits, until then; None
    once others were typed."""

    subject: str
    digits: str | None
    until: int

    @property
    def over(self) -> Code | None:
        """Say why its question is over, where that is what others were typed for."""
        return Code.WRONG_DIGITS if self.digits is None else None

    def shows(self, typed: str) -> bool:
        """Tell whether these are its digits, in a time that tells nothing."""
        return self.digits is not None and hmac.compare_digest(self.digits.encode(), typed.encode())


def draw(random: Callable[[int], bytes]) -> str:
    """Draw two digits, each pair as likely as any other (PHONE-2); `random(n)` is n random bytes."""
    while (byte := random(1)[0]) >= _EVEN:
        pass
    return f"{byte % _ALL:02}"


def read_digits(text: str) -> str | None:
    """Read two digits, as keyboards of any script write them; None if it is anything else."""
    values = [unicodedata.decimal(character, None) for character in text]
    if len(values) != 2 or None in values:
        return None
    return "".join(map(str, values))


MISSING_DIGITS = Refusal(
    Code.MISSING_DIGITS,
    "This question is answered with the two digits that the page shows which asks it. Type them first.",
)

WRONG_DIGITS = Refusal(
    Code.WRONG_DIGITS,
    "These were not the digits that the page shows which asks. The question is over, and nothing was done.",
)
"""One wrong try ends a question (PHONE-3)."""
