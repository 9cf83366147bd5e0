"""How an answer goes out: head and body in one write. `uvicorn --http deputize.cli.answering:Http` has it for any app.

uvicorn writes a head as soon as it is there, so each answer costs two system calls. ASGI lets a server wait with the
head for the first of the body, and nearly all our answers are whole then. What is not simple is left to uvicorn.
"""

import re
from functools import lru_cache
from typing import Any

from starlette.types import Message
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

# RFC 9110 §5.1, §5.5; names in lower case, as ASGI has them
_NAME, _VALUE = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+"), re.compile(rb"[\t\x20-\x7e\x80-\xff]*")


class _Cycle(RequestResponseCycle):
    """One request and its answer."""

    _start: Any = None

    async def send(self, message: Any) -> None:
        """Keep the head until something of the body is there."""
        if not self.response_started:
            if message["type"] == "http.response.start":
                self._start = message
                return
            if self._start is not None:
                if self._sends_whole(self._start, message):
                    return
                await super().send(self._start)
        await super().send(message)

    def _sends_whole(self, start: Message, message: Message) -> bool:
        """Send head and body if that is all, and nothing about it is special; tell whether it is done."""
        headers, body = start.get("headers", ()), message.get("body", b"")
        if message["type"] != "http.response.body" or not isinstance(headers, list):
            return False
        said = dict(headers)
        if (
            message.get("more_body", False)
            or said.get(b"content-length") != b"%d" % len(body)
            or len(said) < len(headers)  # one comes twice
            or b"connection" in said
            or b"transfer-encoding" in said
            or start["status"] in (204, 304)
            or self.scope["method"] == "HEAD"
            or self.access_log
            or self.disconnected
            or self.flow.write_paused
            or not self.keep_alive
        ):
            return False
        lines = [_line(name, value) for name, value in (*self.default_headers, *headers)]
        if not all(lines):
            return False
        self.transport.write(b"%b%b\r\n%b" % (STATUS_LINE[start["status"]], b"".join(lines), body))
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.message_event.set()
        self.on_response()
        return True


@lru_cache(256)  # most come again with each answer
def _line(name: bytes, value: bytes) -> bytes:
    """Write one line of a head; nothing, if it is not as plain as ours are."""
    plain = _NAME.fullmatch(name) and _VALUE.fullmatch(value)
    return b"%b: %b\r\n" % (name, value) if plain else b""


class Http(HttpToolsProtocol):
    """uvicorn's protocol by httptools, whose answers go out whole."""

    def on_headers_complete(self) -> None:
        """Begin a cycle, of our kind: uvicorn lets nobody name another."""
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            self.cycle.__class__ = _Cycle
