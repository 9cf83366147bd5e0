"""The guard as WSGI middleware (PEP 3333): in front of Flask, Django, and whatever else speaks it (GUARD-9).

app.wsgi_app = GuardMiddleware(app.wsgi_app, "deputize.toml", key="guard.jwk")

@app.post("/api/transfers/<account>")
def transfer(account):
    call = guarded_call(request.environ, "transfer_money")  # or nothing runs
    return {"sent": call.arguments["amount"]}
"""

import logging
import re
import time
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any

from ..protocol.arguments import Carried
from ..protocol.endpoints import Found
from ..protocol.errors import Code, Refusal, Refused
from .admission import GuardedCall, NeedsArguments, NeedsKey, NeedsRedemption, Step, admission
from .answer import problem_of, readable
from .arguments import MAX_BODY, MAX_DELAY
from .blocking import Authority, BlockingRedeemer
from .reading import KeyFile, PolicyFile, endpoints_of, key_in, policy_in
from .start import Unguarded
from .steps import taken_now
from .wsgi_outcome import Reported

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_LOG = logging.getLogger("deputize.guard")
CALL = "deputize.call"
"""Where in an environ, or in a scope of ASGI, the verified call is: no header of a request gets there."""

_LENGTH = re.compile(r"[0-9]{1,18}")
_PART = 16 * 1024
_OVERRIDES = ("HTTP_X_HTTP_METHOD_OVERRIDE", "HTTP_X_HTTP_METHOD", "HTTP_X_METHOD_OVERRIDE")


class GuardMiddleware:
    """Guards the endpoints that a policy names; every other request passes untouched.

    What is compared with the policy is `script_name`, where the app is mounted, and `PATH_INFO`, which is what
    frameworks route by: the server has decoded both. A request that another `SCRIPT_NAME` came with is refused.

    It stands outside of whatever rewrites `PATH_INFO` or the method. Handlers call `guarded_call`, so that none runs
    that was reached around it.
    """

    def __init__(
        self,
        app: "WSGIApplication",
        policy: PolicyFile,
        key: KeyFile | None = None,
        *,
        script_name: str = "",
        origin: str | None = None,
        authority: Authority | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Guard this app, by a policy or its file, with the key of a guard or its file (`deputize guard keygen`).

        `origin` is the one of the API that is here, by default the first. `authority` takes the place of the key, for
        who reaches it otherwise. PolicyError for a file with faults, OSError for one that is not there, ValueError for
        a key that is none or that the policy does not name, or a policy without an endpoint here.
        """
        self._policy = policy_in(policy)
        self._endpoints = endpoints_of(self._policy, origin)
        if authority is None:
            if key is None:
                raise ValueError("a guard needs its key, whose public half is in the policy's [[api.keys]]")
            authority = BlockingRedeemer(self._policy.site.issuer, key_in(key, self._policy), clock=clock)
        self._app = app
        self._script_name = script_name
        self._authority = authority
        self._clock = clock

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Serve one request."""
        environ.pop(CALL, None)
        try:
            found = self._found(environ)
            if found is None:
                return self._app(environ, start_response)
            call = self._admit(found, environ)
        except Refused as refused:
            more = readable(self._policy, environ.get("HTTP_ORIGIN"))
            return _refuse(refused.refusal, more, start_response)
        environ[CALL] = call
        reported = Reported(lambda outcome: self._authority.report(call.call_id, outcome), call.call_id)
        return reported.run(self._app, environ, start_response)

    def _found(self, environ: "WSGIEnvironment") -> Found | None:
        """Find the endpoint that a request is for; Refused for what somebody else might take for one (GUARD-9)."""
        if environ.get("SCRIPT_NAME", "") != self._script_name:
            _LOG.warning("a request has the SCRIPT_NAME %r: say so as `script_name`", environ["SCRIPT_NAME"])
            raise Refused(Code.INVALID_REQUEST, "This is not where the site has this app.")
        raw = (self._script_name + environ.get("PATH_INFO", "")).encode("latin-1")
        path = raw.decode(errors="replace")
        if any(unicodedata.category(character) == "Cc" for character in path):
            raise Refused(Code.INVALID_REQUEST, "The path of this request has control characters in it.")
        if any(name in environ for name in _OVERRIDES) and self._endpoints.near(path):
            raise Refused(Code.INVALID_REQUEST, "The method of a request to this API is its own.")
        try:
            found = self._endpoints.find(environ["REQUEST_METHOD"], path)
        except ValueError as error:
            raise Refused(Code.INVALID_REQUEST, str(error)) from error
        if found is not None and "\N{REPLACEMENT CHARACTER}" in path:
            raise Refused(Code.INVALID_REQUEST, "The path of this request is not UTF-8.")
        return found

    def _admit(self, found: Found, environ: "WSGIEnvironment") -> GuardedCall:
        """Verify and redeem the call that a request carries (GUARD-1), and leave the very body that was hashed."""

        def answer(wanted: Step) -> object:
            match wanted:
                case NeedsKey(kid):
                    return self._authority.key_of(kid)
                case NeedsArguments(tool):
                    body = _read_body(environ, self._clock)
                    _replay(environ, body)
                    carried = Carried(
                        environ["REQUEST_METHOD"],
                        environ.get("QUERY_STRING", "").encode("latin-1"),
                        environ.get("CONTENT_TYPE", ""),
                        body,
                        found.parameters,
                    )
                    return carried.arguments(found.endpoint, found.tools[tool].input_schema)
                case NeedsRedemption(token, text, _):
                    return self._authority.redeem(token, text)

        sent = environ.get("HTTP_TXN_TOKEN")
        texts = [] if sent is None else [sent]
        site, api = self._policy.site, self._policy.api
        return taken_now(admission(site.issuer, api.audience, self._clock, found.tools, texts), answer)


def guarded_call(carrier: Mapping[str, Any], tool: str, *others: str) -> GuardedCall:
    """Return the call that a request carries and its guard has let through, for this tool, or others of its endpoint.

    `carrier` is the environ, or the scope of ASGI (`deputize.guard.asgi`).

    Unguarded if there is none. Then nothing may run: the request came around the guard, or is of another tool. A
    handler takes its arguments from here.
    """
    call = carrier.get(CALL)
    if not isinstance(call, GuardedCall):
        fault = (
            f"{tool}: a request came around its guard. Is that around the app, and this path its `endpoint`?"
        )
        raise Unguarded([fault], "nothing was done")
    if call.tool not in (tool, *others):
        fault = (
            f"{tool}: the guard has let through {call.tool}. Does the handler name the tool of this endpoint?"
        )
        raise Unguarded([fault], "nothing was done")
    return call


def _read_body(environ: "WSGIEnvironment", clock: Callable[[], float]) -> bytes:
    """Return the body of a request; Refused if it is too large (JSON-3), late (JSON-4), cut off or of unsure length."""
    length = environ.get("CONTENT_LENGTH") or ""
    chunked = "HTTP_TRANSFER_ENCODING" in environ
    if chunked and (length or not environ.get("wsgi.input_terminated")):
        raise Refused(Code.INVALID_REQUEST, "The length of the body cannot be known. Send Content-Length.")
    if length and not _LENGTH.fullmatch(length):
        raise Refused(Code.INVALID_REQUEST, "The length of the body is not a number.")
    expected = MAX_BODY + 1 if chunked else int(length or 0)
    if not chunked and expected > MAX_BODY:
        raise Refused(Code.PAYLOAD_TOO_LARGE, "A request body is at most 64 KiB.")
    until = clock() + MAX_DELAY
    body = bytearray()
    try:
        while len(body) < expected and (part := environ["wsgi.input"].read(min(_PART, expected - len(body)))):
            body += part
    except Exception as error:  # each server has its own
        raise Refused(Code.INVALID_REQUEST, "The connection ended before the body was there.") from error
    if len(body) > MAX_BODY:
        raise Refused(Code.PAYLOAD_TOO_LARGE, "A request body is at most 64 KiB.")
    if not chunked and len(body) < expected:
        raise Refused(Code.INVALID_REQUEST, "The connection ended before the body was there.")
    if clock() > until:  # nothing can stop a read: the server's own limits do
        raise Refused(Code.REQUEST_TIMEOUT, "The body took too long. Send the request again.")
    return bytes(body)


def _replay(environ: "WSGIEnvironment", body: bytes) -> None:
    """Give the app the body that was read."""
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ |= {"wsgi.input": BytesIO(body), "wsgi.input_terminated": True, "CONTENT_LENGTH": str(len(body))}


def _refuse(refusal: Refusal, more: dict[str, str], start_response: "StartResponse") -> list[bytes]:
    status = HTTPStatus(refusal.code.status)
    headers, body = problem_of(refusal)
    lines: Any = [*headers.items(), *more.items(), ("Content-Length", str(len(body)))]
    start_response(f"{status.value} {status.phrase}", lines)
    return [body]
