"""The outcome of a call that ran in a WSGI app: reported once, however its answer ends (GUARD-5)."""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ..protocol.call import State
from ..protocol.ids import CallId
from .outcome import outcome_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_LOG = logging.getLogger("deputize.guard")


class Reported:
    """An answer on its way. It is reported before its last part goes out, if its length is known, or else after that.

    What is raised, wherever that is, and what is closed before its end, leaves the outcome unknown; what is raised when
    all has gone out does not.
    """

    def __init__(self, tell: Callable[[State], None], call_id: CallId) -> None:
        """Report by `tell`."""
        self._tell = tell
        self._call_id = call_id
        self._reported = False
        self._status: int | None = None
        self._left: int | None = None  # bytes that are still to come; None if nobody has said how many
        self._body: Iterable[bytes] = ()
        self._parts: Iterator[bytes] = iter(())

    def run(
        self, app: "WSGIApplication", environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Run the app, and return its answer."""
        bodiless = environ["REQUEST_METHOD"] == "HEAD"

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Callable[[bytes], object]:
            write = start_response(status, headers, *error)
            self._status = int(status[:3])
            said = [value for name, value in headers if name.lower() == "content-length"]
            bare = bodiless or self._status in (204, 304)
            self._left = int(said[0]) if said and said[0].isdecimal() and not bare else None

            def written(part: bytes) -> object:
                self._goes_out(part)
                return write(part)

            return written

        try:
            self._body = app(environ, start)
            self._parts = iter(self._body)
        except BaseException:
            self._report(None)
            raise
        return self

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            part = next(self._parts)
        except StopIteration:
            self._report(None if self._left else self._status)  # a part of an answer is none
            raise
        except BaseException:
            self._report(None)
            raise
        self._goes_out(part)
        return part

    def close(self) -> None:
        """Close the answer, as its server does whatever has come of it."""
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._report(None)

    def _goes_out(self, part: bytes) -> None:
        if self._left is not None:
            self._left -= len(part)
            if self._left <= 0:
                self._report(self._status)

    def _report(self, status: int | None) -> None:
        if self._reported:
            return
        self._reported = True
        outcome = outcome_of(status)
        try:
            self._tell(outcome)
        except Exception:  # whatever it is: the handler has run, and its answer must go out
            _LOG.warning("call %s %s, which could not be reported", self._call_id, outcome, exc_info=True)
