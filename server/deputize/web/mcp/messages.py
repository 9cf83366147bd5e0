"""One JSON-RPC message, as strictly read as every other body (MCP-1)."""

from ...protocol.canonical import Json, JsonError, parse
from ...protocol.errors import Code, Refused
from ...protocol.value import value
from ..bodies import media_type
from ..context import Context

ENROLL_BEGIN = "approval/enroll/begin"
ENROLL_FINISH = "approval/enroll/finish"
CHALLENGE = "approval/challenge/create"
INITIALIZE = "initialize"
CALL = "tools/call"
LIST = "tools/list"
CANCELLED = "notifications/cancelled"
MODERN = "2026-07-28"
"""The version since which there is no handshake: each message says what it is of, in headers and in an envelope."""

ENVELOPE = "io.modelcontextprotocol/"
"""How the members of `_meta` begin that are the transport's own."""

VERSION = f"{ENVELOPE}protocolVersion"
CAPABILITIES = f"{ENVELOPE}clientCapabilities"


@value
class Message:
    """A request, or a notification, which has no id."""

    message_id: str | int | None
    method: str
    params: dict[str, Json]

    @property
    def meta(self) -> dict[str, Json]:
        """Return `params._meta`, empty if there is none."""
        meta = self.params.get("_meta")
        return meta if isinstance(meta, dict) else {}


async def read(context: Context) -> Message:
    """Read the one message of a request; Refused(invalid_request) and as `Context.bytes`.

    What is no JSON at all has the fact `parse_error`.
    """
    if media_type(context) != "application/json":
        raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, "Send the message as application/json.")
    try:
        said = parse(await context.bytes())
    except JsonError as error:
        detail = f"The message is not strict JSON: {error.reason}."
        raise Refused(Code.INVALID_REQUEST, detail, parse_error=error.reason) from error
    if not isinstance(said, dict) or not said.keys() <= {"jsonrpc", "id", "method", "params"}:
        raise Refused(Code.INVALID_REQUEST, "Send one JSON-RPC 2.0 request or notification.")
    method, message_id, params = said.get("method"), said.get("id"), said.get("params", {})
    if said.get("jsonrpc") != "2.0" or not isinstance(method, str):
        raise Refused(Code.INVALID_REQUEST, "Send one JSON-RPC 2.0 request or notification.")
    if "id" not in said:
        message_id = None
    elif not isinstance(message_id, str | int) or isinstance(message_id, bool):
        raise Refused(Code.INVALID_REQUEST, "The id of a request is a text or a whole number.")
    if method == ENROLL_BEGIN:  # SEP-2672 §4.4.1: whatever is in params is ignored
        params = _transports_own(params)
    if not isinstance(params, dict):
        raise Refused(Code.INVALID_REQUEST, "The params of a message are an object.")
    return Message(message_id, method, params)


def _transports_own(params: Json) -> dict[str, Json]:
    """Keep of the params only what the transport has put there (2026-07-28)."""
    meta = params.get("_meta") if isinstance(params, dict) else None
    kept = meta if isinstance(meta, dict) else {}
    return {"_meta": {name: kept[name] for name in kept if name.startswith(ENVELOPE)}}
