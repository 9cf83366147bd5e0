"""What goes over the wire at `/mcp`, for the document: JSON-RPC 2.0 (`messages.py` reads it)."""

from typing import Any, Literal

from msgspec import UNSET, UnsetType

from ..types import Closed, Object


class Message(Closed):
    """A request, or a notification, which has no id."""

    jsonrpc: Literal["2.0"]
    method: str
    id: str | int | UnsetType = UNSET
    params: Object | UnsetType = UNSET


class Reply(Closed):
    """A result."""

    jsonrpc: Literal["2.0"]
    id: str | int | None
    result: Object


class RpcError(Closed):
    """Why there is none."""

    code: int
    message: str
    data: Any = UNSET


class ReplyError(Closed):
    """An error."""

    jsonrpc: Literal["2.0"]
    id: str | int | None
    error: RpcError
