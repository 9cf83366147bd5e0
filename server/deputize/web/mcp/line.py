"""The line to a client whose request is worked on: what it hears before its answer, and that it has gone."""

from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

EVENTS = "text/event-stream"


def event(message: bytes) -> bytes:
    """Write one message of a stream of events."""
    return b"event: message\ndata: " + message + b"\n\n"


class Line:
    """One request's. The answer is a stream of events if something is told before it, else as it is."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Nothing is told yet."""
        self._scope, self._receive, self._send = scope, receive, send
        self._begun = False
        self.abandoned = False
        """Whether nobody waits for the answer any more, so that there is none."""

    async def gone(self) -> None:
        """Return when the client has closed its connection."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def tell(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification."""
        await self._write(event(orjson.dumps({"jsonrpc": "2.0", "method": method, "params": params})))

    async def keep(self) -> None:
        """Send nothing, on a stream that has begun."""
        if self._begun:
            await self._write(b":\n\n")

    async def end(self, response: Response) -> None:
        """Send the answer, or none to who has called the request off."""
        if not self._begun and not self.abandoned:
            await response(self._scope, self._receive, self._send)
            return
        await self._write(b"" if self.abandoned else event(bytes(response.body)), more=False)

    async def _write(self, body: bytes, more: bool = True) -> None:
        if not self._begun:
            self._begun = True
            headers = [(b"content-type", EVENTS.encode()), (b"x-accel-buffering", b"no")]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": body, "more_body": more})
