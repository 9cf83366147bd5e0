"""What counts as the arguments of a request: its JSON body, or for GET its query (GUARD-2)."""

from asyncio import timeout
from uuid import UUID

from starlette.requests import ClientDisconnect, Request

from ..protocol.arguments import Carried
from ..protocol.canonical import Json
from ..protocol.endpoint import Endpoint, is_segment
from ..protocol.errors import Code, Refused
from ..protocol.tool import Schema

MAX_BODY = 64 * 1024
"""How many bytes a body may have (JSON-3)."""

MAX_DELAY = 30
"""How many seconds a body may take to arrive (JSON-4)."""


async def read_body(request: Request) -> bytes:
    """Return the body of a request.

    Refused(payload_too_large) beyond 64 KiB, counted as it arrives (JSON-3); Refused(request_timeout) if it is not
    there after 30 s (JSON-4); Refused(invalid_request) if its sender went away; Refused(unsupported_media_type) if
    FastAPI has read it already, as a form.
    """
    body = bytearray()
    try:
        async with timeout(MAX_DELAY):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise Refused(Code.PAYLOAD_TOO_LARGE, "A request body is at most 64 KiB.")
    except RuntimeError as error:  # Starlette's, for a body that was read: FastAPI has made a form of it
        raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, "Send the arguments as application/json.") from error
    except TimeoutError as error:
        detail = "The body took too long. Send the request again."
        raise Refused(Code.REQUEST_TIMEOUT, detail) from error
    except ClientDisconnect as error:
        raise Refused(Code.INVALID_REQUEST, "The connection ended before the body was there.") from error
    return bytes(body)


def arguments_of(
    request: Request, body: bytes, schema: Schema | None, endpoint: Endpoint | None
) -> dict[str, Json]:
    """Return the arguments that a request carries (GUARD-2).

    RuntimeError for path parameters that the tool's endpoint does not have, which only the developer can mend.
    """
    named = endpoint.parameters if endpoint is not None else ()
    if request.path_params.keys() != {*named}:
        its = (
            f"The endpoint of the tool is {endpoint}" if endpoint is not None else "The tool has no endpoint"
        )
        raise RuntimeError(
            f"path parameters ({', '.join(request.path_params)}) are covered by the approval only where the policy's "
            f"`endpoint` has the same. {its}. Or name the arguments of this endpoint with `args=`."
        )
    parameters = {name: _text(name, value) for name, value in request.path_params.items()}
    content_type = request.headers.get("content-type", "")
    carried = Carried(request.method, request.scope["query_string"], content_type, body, parameters)
    return carried.arguments(endpoint, schema)


def _text(name: str, value: object) -> str:
    """Return a parameter as it stood in the path, or in another spelling of the same."""
    if not isinstance(value, str | int | float | UUID):  # of a convertor of the site's own
        raise RuntimeError(f"nobody knows how {name!r} stood in the path. Name the arguments with `args=`.")
    if not is_segment(str(value)):
        raise Refused(Code.INVALID_ARGUMENTS, f"Argument {name!r} cannot be read from this path.")
    return str(value)
