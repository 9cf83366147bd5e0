"""The record as Harbor shows it beside its assistant: the entries that are about whoever asks, and about nobody else.

This is the demonstration's own. A site has `deputize log`, and its users have their account page.
"""

import re

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from deputize import Deputize
from deputize.protocol.canonical import Json
from deputize.protocol.ids import CallId, GrantId, UserId
from deputize.service.ports import Reader

_MOST = 500  # entries in one answer
_INDEX = re.compile(r"[0-9]{1,15}")


def route(authority: Deputize) -> BaseRoute:
    """Return the route of `GET /record?from=12`: the customer's entries from that index on, and the index after them.

    Without `from` there are none: the index is where those begin that are still to come.
    """

    async def record(request: Request) -> Response:
        user = await authority.user(request)
        if user is None:
            return _answer({"detail": "Nobody is signed in."}, 401)
        start = request.query_params.get("from")
        if start is not None and not _INDEX.fullmatch(start):
            return _answer({"detail": "`from` is the index of an entry."}, 422)
        about = user.user_id
        return _answer(await authority.store.read(lambda tx: _told(tx, about, start)))

    return Route("/record", record, methods=["GET"])


def _told(tx: Reader, user_id: UserId, start: str | None) -> Json:
    if start is None:
        return {"entries": [], "next": tx.head().size}
    stored = tx.entries(int(start), _MOST)
    entries = [orjson.loads(each.leaf) for each in stored]
    after = stored[-1].index + 1 if stored else min(int(start), tx.head().size)
    return {"entries": [entry for entry in entries if _is_about(tx, user_id, entry)], "next": after}


def _is_about(tx: Reader, user_id: UserId, entry: dict[str, str]) -> bool:
    """Tell whether an entry is about this user: it says so, or names a call or a grant of theirs."""
    if "sub" in entry:
        return entry["sub"] == user_id
    call = tx.call(CallId(entry["call_id"])) if "call_id" in entry else None
    grant = tx.grant(GrantId(entry["grant_id"])) if "grant_id" in entry else None
    return user_id in (call and call.user_id, grant and grant.user_id)


def _answer(content: Json, status: int = 200) -> Response:
    return JSONResponse(content, status, {"cache-control": "no-store"})
