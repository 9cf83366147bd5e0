"""Who asks, in one short line: what is proven first, and then what it says of itself, marked as that (APPR-2)."""

from ..protocol.asker import Asker, Proof
from ..protocol.url import origin_of
from .catalogue import Worded, Words

Line = tuple[str, Worded]
"""A part of a text, and its words."""


def asker_line(words: Words, asker: Asker, site: str) -> list[Line]:
    """Say who asks: the line `asker`, and the lines `claim` that belong beside it."""
    claim = _claim(words, asker, site)
    given = words("asker-handed-on", giver=lead(words, asker.giver)) if asker.giver else None
    return [
        ("asker", lead(words, asker)),
        *(("claim", each) for each in (claim, given) if each is not None),
    ]


def lead(words: Words, asker: Asker) -> Worded:
    """Name who asks by what is proven, never by what it calls itself."""
    match asker.proof:
        case Proof.ORIGIN:
            return words("as-it-is", text=_host(asker))
        case Proof.REGISTERED:
            return words("as-it-is", text=asker.name or asker.client_id)
    return words(f"asker-{asker.proof}")


def _claim(words: Words, asker: Asker, site: str) -> Worded | None:
    name = words.quoted(asker.name) if asker.name else None
    match asker.proof:
        case Proof.REGISTERED:
            return words("asker-registered-by", site=site)
        case Proof.ORIGIN:
            return words("asker-calls-itself", name=name) if name else None
        case Proof.UNPROVEN if name:
            return words("asker-says-named", host=_host(asker), name=name)
        case Proof.UNPROVEN:
            return words("asker-says", host=_host(asker))
        case Proof.BROWSER | Proof.PAGE as proof:
            return words(f"asker-{proof}-what")
    return None


def _host(asker: Asker) -> str:
    return origin_of(asker.client_id).removeprefix("https://")
