"""`/log/…`: the record as others may check it (PROTOCOL §9)."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from starlette.responses import PlainTextResponse, Response

from ..protocol.errors import Code, Refused
from ..protocol.proof import Proof
from ..protocol.tiles import read_bundle_path, read_tile_path
from ..service import record
from .access import Who
from .context import Context
from .endpoint import BYTES

_FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}


async def checkpoint(context: Context) -> Response:
    """Answer a signed checkpoint of the record as it is now, and keep it (LOG-3)."""
    return PlainTextResponse(await context.authority.checkpoint())


async def tile(context: Context) -> Response:
    """Answer the hashes of one tile, which never change (LOG-7)."""
    with _there():
        told = read_tile_path(context.named("path"))
        hashes = await context.authority.store.read(partial(record.tile, *told))
    return Response(b"".join(hashes), media_type=BYTES, headers=_FOR_EVER)


async def bundle(context: Context, who: Who[Proof]) -> Response:
    """Answer the entries under one tile, to whom the policy names (LOG-8)."""
    with _there():
        number, width = read_bundle_path(context.named("path"))
        entries = await who.run(record.bundle, number, width)
    return Response(entries, media_type=BYTES)


@contextmanager
def _there() -> Iterator[None]:
    try:
        yield
    except ValueError:
        raise Refused(Code.NOT_FOUND, "There is no such tile.") from None
