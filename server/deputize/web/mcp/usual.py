"""Which messages need no judge: plain ones, of the methods that agents use most (MCP-1).

The SDK knows all of the protocol, and looking at each message in all of its ways costs as much as deciding a call. What
is told here to be usual, it would take as it is; whatever is in doubt goes to it. `tests/web/mcp/test_usual.py` sends
the same messages both ways.
"""

from functools import lru_cache

import orjson

from ...protocol.canonical import Json
from .accepting import takes_json
from .exchange import Exchange
from .messages import CALL, CAPABILITIES, ENVELOPE, MODERN, VERSION
from .offers import ANNOTATION, Offers

_HANDSHAKES = frozenset({None, b"2025-06-18", b"2025-11-25"})
_CALLS = frozenset({"name", "arguments", "_meta"})
_OF_CLIENT = (VERSION, CAPABILITIES, f"{ENVELOPE}clientInfo")
_KNOWN = frozenset({*_OF_CLIENT, ANNOTATION})
_LONGEST = 2048  # bytes of what a client says of itself, to be remembered


def life_of(exchange: Exchange, offers: Offers) -> str | None:
    """Return by which life of the protocol a request is answered, if it is a usual one: MODERN, or an older version."""
    message, context = exchange.message, exchange.context
    meta = message.params.get("_meta", {})
    if (
        message.message_id is None
        or not isinstance(meta, dict)
        or not _is_plain(meta.get("progressToken", ""))
    ):
        return None
    if message.method == CALL and not _is_plain_call(message.params):
        return None
    own = [line for line in context.request.headers.raw if line[0].startswith(b"mcp-")]
    said = dict(own)
    if len(said) < len(own) or not takes_json(context.headers("accept")):
        return None
    version = said.get(b"mcp-protocol-version")
    if version in _HANDSHAKES:
        return "" if version is None else version.decode()
    if version != MODERN.encode() or not _agrees(exchange, meta, said, offers):
        return None
    return MODERN


def _is_plain(token: Json) -> bool:
    return isinstance(token, str | int) and not isinstance(token, bool)


def _is_plain_call(params: dict[str, Json]) -> bool:
    arguments = params.get("arguments")
    return (
        params.keys() <= _CALLS
        and isinstance(params.get("name"), str)
        and (arguments is None or isinstance(arguments, dict))
    )


def _agrees(exchange: Exchange, meta: dict[str, Json], said: dict[bytes, bytes], offers: Offers) -> bool:
    """Tell whether headers and envelope say what the message does (2026-07-28), and in the plainest way."""
    message = exchange.message
    if meta.get(VERSION) != MODERN or said.get(b"mcp-method") != message.method.encode():
        return False
    if message.method == CALL:
        name = str(message.params["name"])
        header = said.get(b"mcp-name", b"").decode("latin-1")
        offer = offers.find(exchange.context.authority.policy, name)
        if header != name or header.startswith("=?") or (offer is not None and offer.repeats_arguments):
            return False
    if any(name.startswith(ENVELOPE) and name not in _KNOWN for name in meta):
        return False
    envelope = orjson.dumps({name: meta[name] for name in _OF_CLIENT if name in meta})
    return len(envelope) <= _LONGEST and _is_sound(envelope)


@lru_cache(256)
def _is_sound(envelope: bytes) -> bool:
    """Let the SDK judge what a client says of itself, which it says in each of its messages."""
    from mcp_types.methods import validate_client_request

    try:
        validate_client_request(CALL, MODERN, {"name": "", "_meta": orjson.loads(envelope)})
    except ValueError:
        return False
    return True
