"""How a value is answered."""

from time import gmtime, strftime

import msgspec
from starlette.responses import Response

from ..service.approvals import Minted
from .types import Text


def _plain(value: object) -> str:
    """Write a text that is more than that, such as what the catalogue of words has made."""
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"{type(value).__name__} is nothing that is answered")


_encode = msgspec.json.Encoder(enc_hook=_plain).encode


def answer(value: object, status: int = 200) -> Response:
    """Answer JSON, or nothing for None."""
    if value is None:
        return Response(status_code=status)
    return Response(_encode(value), status, media_type="application/json")


def envelope(minted: Minted, now: int) -> dict[str, object]:
    """Write a challenge as SEP-2672 §4.4.3, with what its method of approval adds (APPR-9), and how its words are
    drawn (APPR-1)."""
    return {**proposed(minted, now), "text": Text.of(minted.text)}


def proposed(minted: Minted, now: int) -> dict[str, object]:
    """Write a challenge as SEP-2672 §4.4.3 alone."""
    challenge = minted.challenge
    return {
        "challengeId": challenge.challenge_id,
        "displayText": str(minted.text),
        "expiresAt": iso(challenge.expires_at),
        **minted.offer(challenge, challenge.expires_at - now),
    }


def iso(seconds: int) -> str:
    """Write a time as SEP-2672 does."""
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(seconds))
