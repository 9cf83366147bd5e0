"""`/account/…`: what is kept of a user, for him to have, and to have forgotten (PROTOCOL §23)."""

from collections.abc import AsyncIterator
from typing import Literal

from starlette.responses import Response, StreamingResponse

from ..protocol.errors import Code, Refused
from ..protocol.ids import UserId
from ..service import exports, forgetting
from . import session
from .access import Who
from .answers import answer, envelope
from .context import Context
from .endpoint import JSON
from .types import Closed, Evidence, sent


class Forgotten(Closed):
    """An account that is no more."""

    state: Literal["forgotten"]


_FILE = {"content-disposition": 'attachment; filename="deputize-export.json"', "cache-control": "no-store"}


async def download(context: Context, user: Who[UserId]) -> Response:
    """Answer all that is kept of who is signed in, piece by piece, as a file.

    It is for a person who follows the link: no script of a page gets it, not even of one of the site's own, and no page
    of another site puts it onto his disk.
    """
    mode, site = map(context.request.headers.get, ("sec-fetch-mode", "sec-fetch-site"))
    if mode not in (None, "navigate") or site == "cross-site":
        raise Refused(Code.INVALID_REQUEST, "This is for people: the link to it is on the account page.")
    piece, store = await user.run(exports.begin), context.authority.store

    async def pieces() -> AsyncIterator[bytes]:
        while (text := await store.read(piece)) is not None:
            yield text

    return StreamingResponse(pieces(), media_type=JSON, headers=_FILE)


async def challenge(context: Context, user: Who[UserId]) -> dict[str, object]:
    """Mint the challenge over the end of the account, at its user's click (KEEP-3)."""
    return envelope(await user.run(forgetting.challenge), context.now)


async def forget(context: Context, user: Who[UserId], evidence: Evidence) -> Response:
    """Take the assertion, and forget the user: what is much goes in the next seconds."""
    verdict = await user.verdict(forgetting.check, sent(evidence))
    await user.run(forgetting.approve, verdict)
    response = answer(Forgotten("forgotten"))
    session.clear_cookie(response)
    return response
