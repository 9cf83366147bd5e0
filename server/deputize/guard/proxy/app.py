"""The proxy: what it passes on, what it admits a call for, and what it refuses (PROXY-1 to PROXY-6)."""

import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from ...crypto import jwt
from ...protocol.arguments import Carried
from ...protocol.canonical import Json
from ...protocol.endpoint import decoded
from ...protocol.endpoints import Endpoints, Found
from ...protocol.errors import Code, Refused
from ...protocol.policy import Policy
from ...protocol.tool import Tool
from ..guard import Guard, refusal_response
from ..outcome import Outcome
from . import address, heads, relay
from .facts import Facts
from .upstream import Upstream

TARGET = "deputize.target"
"""The extension of the ASGI scope in which the server leaves the request's target as it came."""

_MAX_TARGET = 8 * 1024  # DOOR-2
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_OF_THE_GUARD = frozenset({b"content-length", b"content-type", b"txn-token"})
_JSON = frozenset({"", "charset=utf-8", 'charset="utf-8"'})


class Proxy:
    """An ASGI app in front of one upstream; it stands directly behind a server that knows TARGET."""

    def __init__(
        self,
        policy: Callable[[], Policy],
        guard: Guard,
        facts: Facts,
        upstream: Upstream,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Guard the endpoints of the policy as it is at each request. `clock` returns seconds since the epoch."""
        self._policy = policy
        self._guard = guard
        self._facts = facts
        self._upstream = upstream
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            await self._serve(scope, receive, send)
        except Refused as refused:
            answer = refusal_response(refused.refusal)
            answer.headers["Connection"] = "close"  # what is left of the request is not read
            await answer(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, target = scope["method"], _target(scope)
        onward = heads.onward(scope["headers"], scope["http_version"])
        policy = self._policy()
        found = _found(policy.endpoints(), method, target, heads.has_body(scope["headers"]))
        onward = heads.forwarding(onward, scope["client"], policy.site.trusted_proxies, scope["scheme"])
        if found is not None:
            await self._call(found, target, onward, {**scope, "headers": onward}, receive, send)
            return
        framing = [(b"transfer-encoding", b"chunked")] if heads.is_chunked(scope["headers"]) else []
        request = relay.Onward(method, target, [*onward, *framing])
        await relay.stream(self._upstream, request, receive, send)

    async def _call(
        self, found: Found, target: str, headers: heads.Headers, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Admit the call that a request carries, and pass that on with its facts (PROXY-5)."""
        request = Request(scope, receive)
        tool = _tool(found, request)
        _check_content(request)

        async def arguments(held: Request) -> dict[str, Json]:
            carried = Carried(
                held.method,
                held.scope["query_string"],
                held.headers.get("content-type", ""),
                await held.body(),
                found.parameters,
            )
            named = carried.arguments(found.endpoint, tool.input_schema)
            self._facts.check(named, target)
            return named

        call, replay = await self._guard.admit(tool.name, request, arguments)
        body = (await replay())["body"]
        facts = self._facts.of(call, tool.name, scope["method"], target, body, int(self._clock()))
        head = [(name, value) for name, value in headers if name not in _OF_THE_GUARD]
        head.append((heads.FACTS, facts.encode()))
        if body:
            head += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        elif scope["method"] not in address.SAFE:
            head.append((b"content-length", b"0"))
        outcome = Outcome(self._guard.redeemer.report, call.call_id)
        passed = relay.Onward(scope["method"], target, head)
        await relay.send_call(self._upstream, passed, body, outcome, scope, receive, send)


def _target(scope: Scope) -> str:
    """Return the path and query as they came; Refused for another form of a target (RFC 9112 §3.2)."""
    target: str = scope["extensions"][TARGET]["target"].decode("latin-1")
    if len(target) > _MAX_TARGET:
        raise Refused(Code.URI_TOO_LONG, "A path and its query have at most 8 KiB together.")
    if not target.startswith("/"):
        raise address.refused("its first line has a path, and no host or scheme")
    return target


def _found(endpoints: Endpoints, method: str, target: str, has_body: bool) -> Found | None:
    """Find the endpoint of a request; None if it goes on without a call. Refused for what is neither."""
    if method not in _METHODS:
        raise Refused(Code.METHOD_NOT_ALLOWED, f"{method} is not passed on.")
    raw, _, query = target.partition("?")
    try:
        path = decoded(raw)
        found = endpoints.find(method, path)
    except ValueError as error:
        raise address.refused(str(error)) from error
    address.check_query(query)
    if found is not None:
        return found
    near = [endpoint for endpoint, _ in endpoints if address.could_be(endpoint, path)]
    if any(endpoint.takes(method) for endpoint in near):
        raise address.refused("it resembles the address of a guarded endpoint")
    if near and (method not in address.SAFE or has_body):
        guarded = ", ".join(sorted({endpoint.method for endpoint in near}))
        raise Refused(
            Code.METHOD_NOT_ALLOWED,
            f"At this address {guarded} is guarded. Beside it nothing passes but GET, HEAD and OPTIONS without a body.",
        )
    return None


def _tool(found: Found, request: Request) -> Tool:
    """Return the tool that a call token names, of those that share an endpoint; any of them, if it names none."""
    first, *others = found.tools.values()
    if others:
        try:
            named = jwt.parse(request.headers.get("txn-token", "")).claims["tctx"]
            return found.tools[named["tool"]]  # type: ignore[index, call-overload]  # or one of these errors
        except (Refused, LookupError, TypeError):
            pass  # the guard says what is wrong with it
    return first


def _check_content(request: Request) -> None:
    """Refuse a body that an upstream would decode to something else than was hashed."""
    _, _, parameters = request.headers.get("content-type", "").partition(";")
    if "content-encoding" in request.headers or parameters.strip().lower() not in _JSON:
        raise Refused(
            Code.UNSUPPORTED_MEDIA_TYPE, "Send the arguments as application/json, in UTF-8, as they are."
        )
