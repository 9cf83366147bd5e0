"""The guard: verify a call token, compare it with what is about to run, redeem, run, report (GUARD-1)."""

import time
import unicodedata
from asyncio import CancelledError
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import wraps
from inspect import isawaitable, iscoroutinefunction, signature
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope

from ..protocol.call import State
from ..protocol.endpoint import Endpoint
from ..protocol.endpoints import Endpoints
from ..protocol.errors import Code, Refusal, Refused
from ..protocol.ids import CallId
from ..protocol.token import CallToken
from ..protocol.tool import Executes, Schema, Tool, is_tool_name
from .admission import GuardedCall, NeedsArguments, NeedsKey, NeedsRedemption, Step, admission
from .answer import problem_of
from .arguments import arguments_of, read_body
from .outcome import Outcome, ReportedResponse, entrust, raised
from .point import Args, Point, mark, point_of
from .steps import taken

if TYPE_CHECKING:
    from .dependency import GuardDependency
    from .reading import KeyFile, PolicyFile

Handler = Callable[[Request], Awaitable[Any]]
_Key = EllipticCurvePublicKey | None
KeyOf = Callable[[str], _Key | Awaitable[_Key]]


class Redeemer(Protocol):
    """What a guard needs of the authority, which is in the same process or reached over HTTP (`HttpRedeemer`)."""

    async def redeem(self, token: CallToken, text: str, args_s256: str) -> str | None:
        """Redeem a verified call token, spelled `text`, for the arguments of this digest (GUARD-3).

        When this returns, the call may run, once. It returns the user's id in the site's own login, None if he has
        none there. Refused otherwise: `authority_unavailable` if nobody answers.
        """

    async def report(self, call_id: CallId, outcome: State) -> None:
        """Report the outcome of a redeemed call (GUARD-5); Refused if that fails."""


@runtime_checkable
class Closing(Protocol):
    """A redeemer that has something to close when the API stops."""

    async def aclose(self) -> None:
        """Close it."""


@dataclass(frozen=True, eq=False, slots=True)
class Guard:
    """A guard for one API.

    `audience` is the API's name in the policy, `key_of` finds the authority's public key of a `kid` (it may be async),
    `clock` returns seconds since the epoch. `tools` returns the tools of the policy in force, where it is known: then a
    guard for any other tool is a ValueError, and arguments are where their endpoints say (ENDPOINT-1); `endpoints`
    returns those of this API, for middleware. Without it, a guard for a tool that nobody declared refuses all calls,
    and `schemas` has the input schemas of those tools that are called by GET.
    """

    issuer: str
    audience: str
    key_of: KeyOf
    redeemer: Redeemer
    schemas: Mapping[str, Schema | None] = field(default_factory=dict)
    clock: Callable[[], float] = time.time
    tools: Callable[[], Mapping[str, Tool]] | None = None
    endpoints: Callable[[], Endpoints] = lambda: Endpoints(())
    decorated: list[tuple[Point, Handler]] = field(default_factory=list, init=False)

    @classmethod
    def of(cls, policy: "PolicyFile", key: "KeyFile", origin: str | None = None) -> "Guard":
        """Make the guard of an API whose authority is another process, by the policy, or its file, and the guard's key.

        `origin` is the one of the API that is here, by default the first. PolicyError for a file with faults, OSError
        for one that is not there, ValueError for a key that is none or that the policy does not name, or a policy
        without an endpoint here.
        """
        from .reading import endpoints_of, key_in, policy_in  # the parser of policies, which only this needs
        from .remote import HttpRedeemer

        its = policy_in(policy)
        endpoints = endpoints_of(its, origin)
        redeemer = HttpRedeemer(its.site.issuer, key_in(key, its))
        return cls(
            its.site.issuer,
            its.api.audience,
            redeemer.key_of,
            redeemer,
            tools=lambda: its.tools,
            endpoints=lambda: endpoints,
        )

    # The tool is positional only, here and below: FastAPI would take `Depends(guard)` for one that reads it of a query.

    def tool(self, name: str, /, args: Args | None = None) -> Callable[[Handler], Handler]:
        """Guard a Starlette endpoint, `async def endpoint(request) -> Response`, with calls of this tool.

        The endpoint finds the call at `request.state.deputize` (a `GuardedCall`). Where the arguments are neither the
        JSON body nor the query, nor where the policy's `endpoint` says, `args` is a function of the request, async or
        not, that returns them. The decorator
        stands directly above the function, below whatever makes a route of it; the app does not start if it stands
        elsewhere (GUARD-8). TypeError for what it cannot guard, ValueError for a tool that no call token is for.
        """
        self.check(name)

        def guarded(endpoint: Handler) -> Handler:
            _check_endpoint(endpoint, name)
            point = Point(self, name, args, "decorator")

            @wraps(endpoint)
            async def run(*positional: Request, **named: Request) -> Any:
                (request,) = *positional, *named.values()  # FastAPI passes it by the name it has there
                try:
                    call, replay = await self.admit(name, request, args)
                except Refused as refused:
                    return refusal_response(refused.refusal)
                outcome = Outcome(self.redeemer.report, call.call_id)
                try:
                    answer = await endpoint(Request(request.scope, replay))
                except (Exception, CancelledError) as error:
                    await raised(outcome.report, error)
                    raise
                if isinstance(answer, Response):
                    return ReportedResponse(answer, outcome)
                if not entrust(request.scope, outcome):  # FastAPI makes an answer of it, or fails to
                    await outcome.report(None)
                return answer

            mark(run, point)
            self.decorated.append((point, endpoint))
            return run

        return guarded

    def __call__(self, tool: str, /, args: Args | None = None) -> "GuardDependency":
        """Return a FastAPI dependency that guards whatever depends on it with calls of this tool.

            call: GuardedCall = Depends(authority.guard("transfer_money"))

        `args` as for `tool`; ValueError for a tool that no call token is for.
        """
        self.check(tool)
        from .dependency import GuardDependency  # only who has FastAPI needs it

        return GuardDependency(Point(self, tool, args, "dependency"))

    def check(self, tool: str) -> None:
        """Raise ValueError for a tool that no call token can be for, as far as that is known here (GUARD-8)."""
        if not is_tool_name(tool):
            raise ValueError(f"{tool!r} cannot be the name of a tool")
        if self.tools is None:
            return
        tools = self.tools()
        found = tools.get(tool)
        if found is None:
            near = get_close_matches(tool, tools, 1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(
                f"{tool}: the policy declares no such tool.{meant} Declare it before its endpoint is guarded."
            )
        if found.public or found.executes is not Executes.API:
            what = "is public" if found.public else 'says executes = "page"'
            raise ValueError(f"{tool}: the policy {what}, so no call token comes to an API for it")

    @asynccontextmanager
    async def lifespan(self, app: object) -> AsyncIterator[None]:
        """Be the lifespan, or part of it, of an API whose authority is another process; Unguarded as GUARD-8 says.

        All endpoints of this API have to be in the app, and guarded, where the guard was made of a policy.
        """
        from .start import start

        start(app, self, [tool.name for _, tool in self.endpoints()])
        yield
        if isinstance(self.redeemer, Closing):
            await self.redeemer.aclose()

    async def admit(
        self, tool: str, request: Request, args: Args | None = None
    ) -> tuple[GuardedCall, Receive]:
        """Verify and redeem the call that a request carries (GUARD-1); Refused if it must not run.

        When this returns, the call has to run, once. It returns the call, which is at `request.state.deputize` too, and
        a `receive` that gives the body once more: the very bytes that were hashed. A tool that shares its endpoint is
        admitted as well (ENDPOINT-3).
        """
        check_path(request.scope)
        body = b""

        async def answer(wanted: Step) -> object:
            nonlocal body
            match wanted:
                case NeedsKey(kid):
                    key = self.key_of(kid)
                    return await key if isawaitable(key) else key
                case NeedsArguments(name):
                    body = await read_body(request)
                    if args is None:
                        return arguments_of(request, body, *self._declared(name))
                    named = args(Request(request.scope, _replay(body, request.receive)))
                    return await named if isawaitable(named) else named
                case NeedsRedemption(token, text, digest):
                    return await self.redeemer.redeem(token, text, digest)

        texts = request.headers.getlist("txn-token")
        steps = admission(self.issuer, self.audience, self.clock, self.sharing(tool), texts)
        call = await taken(steps, answer)
        request.state.deputize = call
        return call, _replay(body, request.receive)

    def sharing(self, tool: str) -> frozenset[str]:
        """Name the tools of the policy that have the endpoint of this one, itself among them (ENDPOINT-3)."""
        tools = self.tools() if self.tools is not None else {}
        endpoint = self.endpoint(tool)
        shared = [
            name for name, other in tools.items() if endpoint is not None and other.endpoint == endpoint
        ]
        return frozenset((tool, *shared))

    def endpoint(self, tool: str) -> Endpoint | None:
        """Return the endpoint of a tool, where it is known and has one."""
        return self._declared(tool)[1]

    def _declared(self, tool: str) -> tuple[Schema | None, Endpoint | None]:
        known = self.tools().get(tool) if self.tools is not None else None
        return (known.input_schema, known.endpoint) if known is not None else (self.schemas.get(tool), None)


def check_path(scope: Scope) -> None:
    """Raise Refused(invalid_request) for a path with control characters: routers do not agree on what they mean."""
    if any(unicodedata.category(character) == "Cc" for character in scope.get("path", "")):
        raise Refused(Code.INVALID_REQUEST, "The path of this request has control characters in it.")


def refusal_response(refusal: Refusal) -> Response:
    """Answer with a problem (ERR-1, ERR-2, QUOTA-1)."""
    headers, body = problem_of(refusal)
    return Response(body, refusal.code.status, headers)


def _check_endpoint(endpoint: Handler, tool: str) -> None:
    """Raise TypeError for what the decorator cannot guard."""
    name = getattr(endpoint, "__qualname__", repr(endpoint))
    if point_of(endpoint) is not None:
        raise TypeError(f"{name} is guarded already: a call token is good for one guard, once")
    if not iscoroutinefunction(endpoint) or len(signature(endpoint).parameters) != 1:
        raise TypeError(
            f"{name}: a guarded endpoint is an `async def` that takes the request, and nothing else. "
            f'With FastAPI write, instead of the decorator: call: GuardedCall = Depends(guard("{tool}"))'
        )


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives this body first, then whatever comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
