"""`/log/…`: the record as others may check it (PROTOCOL §9)."""

from functools import partial

from starlette.responses import PlainTextResponse, Response

from ..protocol.errors import Code, Refused
from ..protocol.tiles import read_tile_path
from ..service import record
from .context import Context
from .endpoint import BYTES

_FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}


async def checkpoint(context: Context) -> Response:
    """Answer a signed checkpoint of the record as it is now, and keep it (LOG-3)."""
    return PlainTextResponse(await context.authority.checkpoint())


async def tile(context: Context) -> Response:
    """Answer the hashes of one tile, which never change (LOG-7)."""
    try:
        told = read_tile_path(context.request.path_params["path"])
        hashes = await context.authority.store.read(partial(record.tile, *told))
    except ValueError:
        raise Refused(Code.NOT_FOUND, "There is no such tile.") from None
    return Response(b"".join(hashes), media_type=BYTES, headers=_FOR_EVER)
