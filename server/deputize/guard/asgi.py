"""The guard as ASGI middleware in front of an app whose routes nobody sees, such as Django's (GUARD-9).

app = GuardMiddleware(get_asgi_application(), "deputize.toml", key="guard.jwk")

async def transfer(request, account):
    call = guarded_call(request.scope, "transfer_money")  # or nothing runs

Starlette and FastAPI show their routes: for them there is `deputize.guard.GuardMiddleware`, which needs no address.
"""

import logging

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ..protocol.endpoints import Found
from ..protocol.errors import Code, Refused
from .answer import readable
from .guard import Guard, check_path, refusal_response
from .outcome import Outcome, watched
from .reading import KeyFile, PolicyFile, policy_in
from .wsgi import CALL, guarded_call

__all__ = ["GuardMiddleware", "guarded_call"]

_LOG = logging.getLogger("deputize.guard")
_OVERRIDES = ("x-http-method-override", "x-http-method", "x-method-override")


class GuardMiddleware:
    """Guards the endpoints that a policy names; every other request, WebSocket and lifespan pass untouched.

    What is compared with the policy is the path of the scope, as the server has decoded it. A request that another
    `root_path` came with than the one that is said here is refused, and so is what is an endpoint only with or without
    that prefix. It stands outside of whatever rewrites path or
    method. Handlers call `guarded_call` with the scope, so that none runs that was reached around it.
    """

    def __init__(
        self,
        app: ASGIApp,
        policy: PolicyFile,
        key: KeyFile,
        *,
        root_path: str = "",
        origin: str | None = None,
    ) -> None:
        """Guard this app, by a policy or its file, with the key of a guard or its file (`deputize guard keygen`).

        `origin` is the one of the API that is here, by default the first. PolicyError for a file with faults, OSError
        for one that is not there, ValueError for a key that is none or that the policy does not name, or a policy
        without an endpoint here.
        """
        self._app = app
        self._policy = policy_in(policy)
        self._guard = Guard.of(self._policy, key, origin)
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        inner = {name: value for name, value in scope.items() if name != CALL}
        request = Request({**inner, "state": {}}, receive)
        try:
            found = self._found(request)
            if found is None:
                await self._app(inner, receive, send)
                return
            request.scope["path_params"] = {**found.parameters}
            call, replay = await self._guard.admit(next(iter(found.tools)), request)
        except Refused as refused:
            answer = refusal_response(refused.refusal)
            answer.headers.update(readable(self._policy, request.headers.get("origin")))
            await answer(scope, receive, send)
            return
        outcome = Outcome(self._guard.redeemer.report, call.call_id)
        await watched(outcome.report, self._app, {**inner, CALL: call}, replay, send)

    def _found(self, request: Request) -> Found | None:
        """Find the endpoint that a request is for; Refused for what somebody else might take for one (GUARD-9)."""
        endpoints, path = self._guard.endpoints(), request.scope["path"]
        root_path = request.scope.get("root_path", "")
        if root_path != self._root_path:
            _LOG.warning("a request has the root_path %r: say so as `root_path`", root_path)
            raise Refused(Code.INVALID_REQUEST, "This is not where the site has this app.")
        check_path(request.scope)
        if any(name in request.headers for name in _OVERRIDES) and endpoints.near(path):
            raise Refused(Code.INVALID_REQUEST, "The method of a request to this API is its own.")
        method = request.scope["method"]
        try:
            found = endpoints.find(method, path)
            if found is None and root_path and endpoints.find(method, _otherwise(path, root_path)):
                raise ValueError(
                    "With or without its prefix, this address is another one. Is the endpoint right?"
                )
        except ValueError as error:
            raise Refused(Code.INVALID_REQUEST, str(error)) from error
        if found is not None and "\N{REPLACEMENT CHARACTER}" in path:
            raise Refused(Code.INVALID_REQUEST, "The path of this request is not UTF-8.")
        return found


def _otherwise(path: str, root_path: str) -> str:
    """Return what an app takes a path for that knows its prefix: some servers put that before the path, some do not,
    and Django and Starlette take it off where it is."""
    return path.removeprefix(root_path) if path.startswith(root_path) else root_path + path
