"""What serves the table of endpoints: what comes is read, who asks is known, the handler runs, and all is answered."""

import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ..authority.authority import Current
from ..protocol.errors import Refusal
from .addresses import Address, Addresses, NotRouted, Serve
from .answers import answer
from .bodies import read_json
from .context import Context
from .cors import every_origin
from .endpoint import Endpoint
from .endpoints import ENDPOINTS, WELL_KNOWN
from .mcp.endpoint import Mcp
from .oauth.parameters import read_form
from .refusals import Refusals


def addresses(current: Current, refusals: Refusals, mcp: Mcp, not_routed: NotRouted) -> Addresses:
    """Return the addresses under the mount path, in the order of the table."""
    rows: dict[str, list[Endpoint]] = {}
    for each in ENDPOINTS:
        rows.setdefault(each.path, []).append(each)
    return Addresses(
        {
            path: mcp if at[0].handler is None else _address(at, current, refusals, not_routed)
            for path, at in rows.items()
        },
        not_routed,
    )


class WellKnown(Route):
    """What only the root of the host can answer (RFC 8414 §3.1, RFC 9728 §3.1: path insertion), as one route there.

    And the issuer itself, where it has a path, which leads to the page of the account. Starlette's `Mount` takes it
    with a slash only, and a site's router would lead on to that, by http and on any host; as it would from an address
    with too many slashes, which is taken here, too, to lead nowhere (DOOR-5).
    """

    def __init__(
        self,
        issuer: str,
        current: Current,
        refusals: Refusals,
        not_routed: NotRouted,
        before: Callable[[ASGIApp], ASGIApp],
    ) -> None:
        """Answer for this issuer, behind what is put before each of its addresses."""
        suffix = "".join(f"/{step}" for step in issuer.split("/")[3:])
        self.apps: dict[str, ASGIApp] = {
            "/.well-known/" + each.path.format(suffix): _address([each], current, refusals, not_routed)
            for each in WELL_KNOWN
        }
        taken = [rf"(?:{'|'.join(map(re.escape, self.apps))})\n?/*\n?"]
        if suffix:

            async def to_account(request: Request) -> Response:
                return RedirectResponse(f"{issuer}/account", 303)

            self.apps[suffix] = Address({"GET": to_account}, not_routed)
            taken.append(rf"{re.escape(suffix)}\n?")
        # It is ours, and nobody looks for a guard in front of it.
        super().__init__(
            "/.well-known",
            Addresses(self.apps, not_routed),
            include_in_schema=False,
            middleware=[Middleware(before)],
        )
        self.path_regex = re.compile(rf"(?:{'|'.join(taken)})\Z")


def _address(
    rows: Sequence[Endpoint], current: Current, refusals: Refusals, not_routed: NotRouted
) -> ASGIApp:
    """Make what serves the rows of one address."""
    methods = {each.method: _serve(each, current, refusals) for each in rows}
    if not rows[0].shared:
        return Address(methods, not_routed)

    async def options(request: Request) -> Response:  # and not a page's question, which is answered before
        return Response(status_code=204, headers={"allow": ", ".join([*methods, "OPTIONS"])})

    return every_origin(Address({**methods, "OPTIONS": options}, not_routed), [*methods])


def _serve(endpoint: Endpoint, current: Current, refusals: Refusals) -> Serve:
    """Make what serves one row: refusals become answers in its dialect, also one that the handler returns."""
    access, limit, handler, kind = endpoint.access, endpoint.limit, endpoint.handler, endpoint.body
    log, dialect = refusals.log, endpoint.dialect
    assert handler is not None
    first, *_ = endpoint.answers
    statuses: dict[object, int] = {
        said: status for status, said in endpoint.answers.items() if isinstance(said, type)
    }

    read: Callable[[Context], Awaitable[object]] | None = read_form if endpoint.form else None
    if kind is not None:
        read = partial(read_json, kind=kind)

    async def serve(request: Request) -> Response:
        try:
            context = Context(request, current, log)
            who = await access.before(context) if access.before is not None else None
            if limit is not None:
                context.take(limit)
            body = await read(context) if read is not None else None
            if access.by is not None:
                who = await access.by(context, body)
            told = await handler(*[each for each in (context, who, body) if each is not None])
            if isinstance(told, Refusal):
                return refusals.answer(told, dialect, request)
            return told if isinstance(told, Response) else answer(told, statuses.get(type(told), first))
        except Exception as error:
            return refusals.noted(error, dialect, request)

    return serve
