"""The guard: verify a call token, compare it with what is about to run, redeem, run, report (GUARD-1)."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from inspect import isawaitable, iscoroutinefunction
from typing import Protocol

import orjson
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive

from ..crypto import jwt
from ..protocol.call import State
from ..protocol.canonical import Json, JsonError, args_s256
from ..protocol.errors import STATUS, Code, Refusal, Refused
from ..protocol.ids import CallId, ClientId, UserId
from ..protocol.problem import MEDIA_TYPE, problem, www_authenticate
from ..protocol.scope import ScopeSet
from ..protocol.token import CALL_TYP, CallToken
from ..protocol.tool import Schema
from .arguments import arguments_of, read_body
from .outcome import Outcome, Reported

Arguments = dict[str, Json]
Args = Callable[[Request], "Arguments | Awaitable[Arguments]"]
Endpoint = Callable[[Request], Awaitable[Response]]
_Key = EllipticCurvePublicKey | None
KeyOf = Callable[[str], _Key | Awaitable[_Key]]


class Redeemer(Protocol):
    """The guard's way to the authority: in the same process, or over HTTP (`HttpRedeemer`)."""

    async def redeem(self, token: CallToken, text: str, args_s256: str) -> None:
        """Redeem a verified call token, spelled `text`, for the arguments of this digest (GUARD-3).

        Returns if the call may run now, this once; Refused otherwise, `authority_unavailable` if nobody
        answers.
        """

    async def report(self, call_id: CallId, outcome: State) -> None:
        """Tell what became of a redeemed call (GUARD-5); Refused if that cannot be told."""


@dataclass(frozen=True, slots=True)
class GuardedCall:
    """The call that a handler runs for: whose, by which agent (None: the user himself), and with what.

    A handler that takes its arguments from here, and from nowhere else, does what was approved.
    """

    call_id: CallId
    user_id: UserId
    client_id: ClientId | None
    scopes: ScopeSet
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Guard:
    """A guard for one API.

    `audience` is the API's name in the policy, `key_of` finds the authority's public key for a `kid` (it
    may be async), `schemas` holds the input schemas of tools that are called by GET, and `clock` gives
    seconds since the epoch.
    """

    issuer: str
    audience: str
    key_of: KeyOf
    redeemer: Redeemer
    schemas: Mapping[str, Schema | None] = field(default_factory=dict)
    clock: Callable[[], float] = time.time

    def tool(self, name: str, args: Args | None = None) -> Callable[[Endpoint], Endpoint]:
        """Guard a Starlette endpoint, `async def endpoint(request) -> Response`, with calls of this tool.

        The endpoint finds the call at `request.state.deputize` (a `GuardedCall`). `args` names the
        arguments where they are neither the JSON body nor a query: a function, async or not, of the
        request.
        """

        def guarded(endpoint: Endpoint) -> Endpoint:
            if not iscoroutinefunction(endpoint):
                raise TypeError("a guarded endpoint is an `async def`")

            @wraps(endpoint)
            async def run(request: Request) -> Response:
                try:
                    call, replay = await self.admit(name, request, args)
                except Refused as refused:
                    return refusal_response(refused.refusal)
                outcome = Outcome(self.redeemer.report, call.call_id)
                try:
                    response = await endpoint(Request(request.scope, replay))
                except HTTPException as error:
                    await outcome.report(error.status_code)
                    raise
                except Exception:
                    await outcome.report(None)
                    raise
                return Reported(response, outcome)

            return run

        return guarded

    async def admit(
        self, tool: str, request: Request, args: Args | None = None
    ) -> tuple[GuardedCall, Receive]:
        """Do all of GUARD-1: when this returns, the call has to run, this once; Refused otherwise.

        Returns the call, also put at `request.state.deputize`, and a `receive` that gives the body once
        more: the very bytes that were hashed.

        1. There is a `Txn-Token`.
        2. It is a valid call token for this audience.
        3. It is for this tool.
        4. Its digest is that of the arguments that are about to run.
        5. It is redeemed.
        """
        values = request.headers.getlist("txn-token")
        if not values:  # 1
            raise Refused(
                Code.MISSING_CALL_TOKEN, "This API runs approved calls only: send a call token as Txn-Token."
            )
        if len(values) > 1:  # 2
            raise Refused(Code.INVALID_CALL_TOKEN, "Send one call token.")
        token = await self._verify(values[0])  # 2
        if token.tool != tool:  # 3
            raise Refused(Code.CALL_WRONG_TOOL, "This call token is for another tool.")
        body = await read_body(request)
        replay = _replay(body, request.receive)
        if args is None:
            arguments = arguments_of(request, body, self.schemas.get(tool))
        else:
            named = args(Request(request.scope, replay))
            arguments = await named if isawaitable(named) else named
        try:
            digest = args_s256(arguments)
        except JsonError as error:
            raise Refused(Code.INVALID_ARGUMENTS, f"The arguments are not JSON: {error.reason}.") from error
        if digest != token.args_s256:  # 4
            raise Refused(
                Code.ARGUMENT_HASH_MISMATCH, "These are not the arguments that the call was allowed for."
            )
        token.check_expiry(int(self.clock()))  # 2, once more: the body may have taken its time
        await self.redeemer.redeem(token, values[0], digest)  # 5
        call = GuardedCall(token.call_id, token.user_id, token.client_id, token.scopes, arguments)
        request.state.deputize = call
        return call, _replay(body, request.receive)

    async def _verify(self, text: str) -> CallToken:
        unverified = jwt.parse(text, code=Code.INVALID_CALL_TOKEN)
        found = self.key_of(jwt.key_id(unverified, CALL_TYP, code=Code.INVALID_CALL_TOKEN))
        key = await found if isawaitable(found) else found
        claims = jwt.check(unverified, key, code=Code.INVALID_CALL_TOKEN)
        return CallToken.parse(claims, self.issuer, self.audience, int(self.clock()))


def refusal_response(refusal: Refusal) -> Response:
    """Answer with a problem (ERR-1, ERR-2)."""
    headers = {"Cache-Control": "no-store"}
    authenticate = www_authenticate(refusal)
    if authenticate is not None:
        headers["WWW-Authenticate"] = authenticate
    return Response(orjson.dumps(problem(refusal)), STATUS[refusal.code], headers, MEDIA_TYPE)


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
