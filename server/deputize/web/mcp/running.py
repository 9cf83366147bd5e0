"""Running what was approved: a handler in this process, or one request to the site's API (MCP-11, MCP-12)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from inspect import isawaitable, iscoroutinefunction

import httpx2
import orjson
from starlette.concurrency import run_in_threadpool

from ...protocol.arguments import Sent
from ...protocol.call import State
from ...protocol.canonical import Json
from .offers import HandledCall, Handler, ToolFailed

PATIENCE = 30.0  # seconds for the site's API to answer
MAX_ANSWER = 256 * 1024  # bytes of it that are passed on
_UNKNOWN = "Something went wrong while this ran. Nobody knows whether it was done: check before trying again."
_NOT_DONE = "The site's API could not be reached, so nothing was done. Try again later."


@dataclass(frozen=True, slots=True)
class Ran:
    """What the agent gets, and what became of the call."""

    result: dict[str, object]
    outcome: State


async def run(
    handler: Handler, arguments: dict[str, Json], call: HandledCall, crashed: Callable[[Exception], None]
) -> Ran:
    """Run a handler; what it raises becomes a result, and `crashed` hears of what nobody foresaw (MCP-11)."""
    try:
        if iscoroutinefunction(handler):
            value = await handler(arguments, call)
        else:
            value = await run_in_threadpool(handler, arguments, call)
            value = await value if isawaitable(value) else value
        return Ran(_told(value), State.SUCCEEDED)
    except ToolFailed as failed:
        return Ran(_error(str(failed)), State.FAILED)
    except Exception as error:  # ERR-3: told to the owner, not to the agent
        crashed(error)
        return Ran(_error(_UNKNOWN), State.UNKNOWN)


@dataclass
class Gateway:
    """The way to the site's API: no redirects, no proxies, bounds in time and bytes (MCP-12)."""

    _client: httpx2.AsyncClient | None = field(default=None, init=False)

    async def send(self, origin: str, sent: Sent, call_token: str) -> dict[str, object] | None:
        """Send a request with the call token, once; return the answer as a result, None if none came."""
        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=PATIENCE, follow_redirects=False, trust_env=False)
        headers = {"accept": "application/json", "txn-token": call_token}
        if sent.body is not None:
            headers["content-type"] = "application/json"
        content = bytearray()
        try:
            async with self._client.stream(
                sent.method, origin + sent.target, content=sent.body, headers=headers
            ) as response:
                async for chunk in response.aiter_bytes():
                    content += chunk
                    if len(content) > MAX_ANSWER:
                        break
        except httpx2.HTTPError:
            return None
        return _passed_on(response.status_code, bytes(content))

    async def aclose(self) -> None:
        """Close its connections."""
        if self._client is not None:
            await self._client.aclose()


def unanswered(state: State) -> dict[str, object]:
    """Say what is known of a call that the site's API did not answer."""
    return _error(_NOT_DONE if state is State.CANCELLED else _UNKNOWN)


def _passed_on(status: int, content: bytes) -> dict[str, object]:
    if len(content) > MAX_ANSWER:
        return _told(f"The site's API answered with status {status}, and more than can be passed on.")
    try:
        told = _told(orjson.loads(content) if content else f"The site's API answered with status {status}.")
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):  # no JSON, or deeper than can be written again
        told = _told(content.decode(errors="replace"))
    return told if status < 300 else {**told, "isError": True}


def _told(value: object) -> dict[str, object]:
    """Make a result of what a handler returned: text, and JSON beside it where it is an object."""
    if value is None:
        value = "Done."
    if isinstance(value, str):
        return {"content": [_text(value)]}
    # As deep as it will lie in the answer, so that what can be written here can be written there.
    text = orjson.dumps([[[value]]], option=orjson.OPT_NON_STR_KEYS)[3:-3].decode()
    told: dict[str, object] = {"content": [_text(text)]}
    return {**told, "structuredContent": orjson.loads(text)} if isinstance(value, dict) else told


def _error(text: str) -> dict[str, object]:
    return {"isError": True, "content": [_text(text)]}


def _text(text: str) -> dict[str, str]:
    """Write text so that it can be sent: half a surrogate pair is no character, and becomes a question mark."""
    return {"type": "text", "text": text.encode(errors="replace").decode()}
