"""Running what was approved at the site's API, by one request (MCP-12); `handling.py` runs it here."""

from dataclasses import dataclass, field

import httpx2
import orjson

from ...protocol.arguments import Sent
from ...protocol.call import State
from .contents import as_error, as_json

PATIENCE = 30.0  # seconds for the site's API to answer
MAX_ANSWER = 256 * 1024  # bytes of it that are passed on
_UNKNOWN = "Something went wrong while this ran. Nobody knows whether it was done: check before trying again."
_NOT_DONE = "The site's API could not be reached, so nothing was done. Try again later."


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
    return as_error(_NOT_DONE if state is State.CANCELLED else _UNKNOWN)


def _passed_on(status: int, content: bytes) -> dict[str, object]:
    if len(content) > MAX_ANSWER:
        return as_json(f"The site's API answered with status {status}, and more than can be passed on.")
    try:
        told = as_json(orjson.loads(content) if content else f"The site's API answered with status {status}.")
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):  # no JSON, or deeper than can be written again
        told = as_json(content.decode(errors="replace"))
    return told if status < 300 else {**told, "isError": True}
