"""Connections of `deputize guard`: what goes through them may take its time, if only it goes on (PROXY-6)."""

import logging
from time import monotonic

import orjson
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from deputize.cli.serving import Connection
from deputize.guard.proxy.app import TARGET
from deputize.guard.proxy.relay import AnswerLost
from deputize.protocol.errors import Code, Refusal
from deputize.protocol.problem import MEDIA_TYPE, problem

_BROKEN = Refusal(Code.INVALID_REQUEST, "Not everybody reads this request alike, so it is not passed on.")


class Passing(Connection):
    """A connection whose body and answer are streamed, and whose app is told the target as it came."""

    def data_received(self, data: bytes) -> None:
        """Read on; a body that goes on is not waited for."""
        if not self.in_head:
            self.since = monotonic()
        super().data_received(data)

    def resume_writing(self) -> None:
        """Write on: the peer has taken something."""
        self.since = monotonic()
        super().resume_writing()

    def on_headers_complete(self) -> None:
        """Begin a request."""
        self.scope["extensions"] = {TARGET: {"target": self.url}}
        super().on_headers_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: the app refuses it, and no package that uvicorn would name changes that."""

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser refuses with a problem (ERR-1), or with nothing where an answer is under way."""
        before: RequestResponseCycle | None = self.cycle  # None before the first
        if before is not None and not before.response_complete:
            if before.response_started or self.pipeline:
                self.end()
                return
            before.disconnected = True  # the app hears that nobody is there any more
            before.message_event.set()
        body = orjson.dumps(problem(_BROKEN))
        head = (
            f"HTTP/1.1 400 Bad Request\r\ncontent-type: {MEDIA_TYPE}\r\ncache-control: no-store\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()


def quiet(record: logging.LogRecord) -> bool:
    """Leave out what the guard has said itself: that an answer was lost."""
    return not (record.exc_info and isinstance(record.exc_info[1], AnswerLost))
