"""`/log/…`: the record as others may check it (PROTOCOL §9)."""

from starlette.responses import PlainTextResponse, Response

from .context import Context


async def checkpoint(context: Context) -> Response:
    """Answer a signed checkpoint of the record as it is now, and keep it (LOG-3)."""
    return PlainTextResponse(await context.authority.checkpoint())
