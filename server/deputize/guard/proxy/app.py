"""The proxy: what it passes on, what it admits a call for, and what it refuses (PROXY-1 to PROXY-6)."""

from collections.abc import Awaitable, Callable
from inspect import isawaitable

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from ...protocol.arguments import Carried
from ...protocol.endpoint import decoded
from ...protocol.endpoints import Endpoints, Found
from ...protocol.errors import Code, Refused
from ...protocol.policy import Policy
from ..admission import NeedsArguments, NeedsKey, NeedsRedemption, Step, admission
from ..answer import readable
from ..arguments import read_body
from ..guard import Guard, refusal_response
from ..outcome import Outcome
from ..steps import taken
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
        origin: str | None = None,
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Guard the endpoints of the policy as it is at each request: those at this origin of the API, or all.

        `close` is called when the server ends.
        """
        self._policy = policy
        self._guard = guard
        self._facts = facts
        self._upstream = upstream
        self._origin = origin
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or be told of the server's begin and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        try:
            await self._serve(scope, receive, send)
        except Refused as refused:
            answer = refusal_response(refused.refusal)
            answer.headers["Connection"] = "close"  # what is left of the request is not read
            answer.headers.update(readable(self._policy(), Request(scope).headers.get("origin")))
            await answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self._close is not None:
            await self._close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, target = scope["method"], _target(scope)
        onward = heads.onward(scope["headers"], scope["http_version"])
        policy = self._policy()
        found = _found(policy.endpoints(self._origin), method, target, heads.has_body(scope["headers"]))
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
        request, body = Request(scope, receive), b""
        _check_content(request)

        async def answer(wanted: Step) -> object:
            nonlocal body
            match wanted:
                case NeedsKey(kid):
                    key = self._guard.key_of(kid)
                    return await key if isawaitable(key) else key
                case NeedsArguments(tool):
                    body = await read_body(request)
                    query, kind = scope["query_string"], request.headers.get("content-type", "")
                    carried = Carried(request.method, query, kind, body, found.parameters)
                    named = carried.arguments(found.endpoint, found.tools[tool].input_schema)
                    self._facts.check(named, target)
                    return named
                case NeedsRedemption(token, text, digest):
                    return await self._guard.redeemer.redeem(token, text, digest)

        guard, texts = self._guard, request.headers.getlist("txn-token")
        call = await taken(
            admission(guard.issuer, guard.audience, guard.clock, found.tools.keys(), texts), answer
        )
        facts = self._facts.of(call, request.method, target, body, int(guard.clock()))
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
    taking = {endpoint for endpoint, _ in endpoints if endpoint.takes(method)}
    if method not in address.SAFE and address.named(taking, query):
        raise address.refused("its query names the address of a guarded endpoint")
    near = address.near({endpoint for endpoint, _ in endpoints}, path)
    if any(endpoint.takes(method) for endpoint in near):
        raise address.refused("it resembles the address of a guarded endpoint")
    if near and (method not in address.SAFE or has_body):
        guarded = ", ".join(sorted({endpoint.method for endpoint in near}))
        raise Refused(
            Code.METHOD_NOT_ALLOWED,
            f"At this address {guarded} is guarded. Beside it nothing passes but GET, HEAD and OPTIONS without a body.",
        )
    return None


def _check_content(request: Request) -> None:
    """Refuse a body that an upstream would decode to something else than was hashed."""
    _, _, parameters = request.headers.get("content-type", "").partition(";")
    if "content-encoding" in request.headers or parameters.strip().lower() not in _JSON:
        raise Refused(
            Code.UNSUPPORTED_MEDIA_TYPE, "Send the arguments as application/json, in UTF-8, as they are."
        )
