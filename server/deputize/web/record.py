"""`/log/…`: the record as others may check it (PROTOCOL §9)."""

from starlette.responses import PlainTextResponse, Response

from .ask import Ask


async def checkpoint(ask: Ask) -> Response:
    """Answer a signed checkpoint of the record as it is now, and keep it (LOG-3)."""
    return PlainTextResponse(await ask.authority.checkpoint())
