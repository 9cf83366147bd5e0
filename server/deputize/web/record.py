"""`/log/…`: the record as others may check it (PROTOCOL §9)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import orjson
from starlette.responses import PlainTextResponse, Response

from ..protocol.errors import Code, Refused
from ..protocol.handover import joined
from ..protocol.ids import CallId, UserId
from ..protocol.proof import Proof
from ..protocol.tiles import read_bundle_path, read_tile_path
from ..service import record
from ..service.calls import receipts
from .access import Who
from .context import Context
from .endpoint import BYTES, JSON
from .oauth.parameters import parse_form

_FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}


async def checkpoint(context: Context) -> Response:
    """Answer a signed checkpoint of the record as it is now, and keep it (LOG-3)."""
    return PlainTextResponse((await context.authority.checkpoint()).note)


async def handovers(context: Context) -> Response:
    """Answer the notes by which one key of the record was handed over to the next (LOG-12)."""
    return PlainTextResponse(joined(context.authority.keys.handovers()))


async def tile(context: Context) -> Response:
    """Answer the hashes of one tile, which never change (LOG-7)."""
    with _there():
        told = read_tile_path(context.named("path"))
        hashes = await context.authority.store.read(partial(record.tile, *told))
    return Response(b"".join(hashes), media_type=BYTES, headers=_FOR_EVER)


async def receipt(context: Context, who: Who[UserId | Proof]) -> Response:
    """Answer a receipt of a call, for its user and for the site (LOG-9)."""
    asked = parse_form(context.request.url.query)
    if asked.keys() - {"arguments"} or asked.get("arguments", "true") != "true":
        raise Refused(Code.INVALID_REQUEST, "There is only `arguments=true`.")
    call_id = CallId(context.named("call_id"))
    call = await who.run(receipts.begin, call_id, with_arguments=bool(asked))
    found = await context.look(receipts.find, call, bool(asked))
    signed = await context.authority.checkpoint(found.indexes[-1] + 1)
    made = replace(
        await context.look(receipts.make, found, signed), handovers=context.authority.keys.handovers()
    )
    named = {"content-disposition": f'attachment; filename="{call_id}.json"'}
    return Response(orjson.dumps(made.to_json()), media_type=JSON, headers=named)


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
