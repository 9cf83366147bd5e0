"""The loopback redirect: how the browser brings the answer to an agent on the same machine (RFC 8252 §7.3)."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Self
from urllib.parse import urlsplit

from .errors import RequestExpired

LOOPBACK_REDIRECT = "http://127.0.0.1/callback"
"""As an agent's document has it: the port is added when one is listened on (RFC 8252 §7.3)."""

_PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Done</title>
<p>The agent has its answer. You can close this page.</p></html>
"""
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Length": str(len(_PAGE)),
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Connection": "close",
}


class Loopback:
    """Listens on a free port of this machine for one redirect; a context manager.

    `redirect_uri` is the registered one with the port. A URL for which `expects` returns False is answered 404 and
    ignored, so that no other program or page can answer in the browser's place.
    """

    def __init__(self, registered: str, expects: Callable[[str], bool]) -> None:
        """Listen for the registered URI; ValueError unless it is http://127.0.0.1/… or http://localhost/…"""
        parts = urlsplit(registered)
        if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "localhost"):
            raise ValueError("a loopback redirect is http://127.0.0.1/… or http://localhost/…")
        self._path = parts.path or "/"
        self._expects = expects
        self._arrived: SimpleQueue[str] = SimpleQueue()
        self._server = ThreadingHTTPServer(("127.0.0.1", parts.port or 0), self._handler())
        self.redirect_uri = f"http://{parts.hostname}:{self._server.server_port}{parts.path}"
        self._thread = Thread(target=self._server.serve_forever, name="redirect", daemon=True)
        self._thread.start()

    def wait(self, timeout: float) -> str:
        """Return the URL that the browser was sent to; RequestExpired after `timeout` seconds."""
        try:
            return self._arrived.get(timeout=timeout)
        except Empty:
            raise RequestExpired("expired_token", "The user did not come back in time.") from None

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = urlsplit(self.path).query
                url = f"{loopback.redirect_uri}?{query}"
                if urlsplit(self.path).path != loopback._path or not loopback._expects(url):
                    self.send_error(404)
                    return
                self.send_response(200)
                for name, value in _HEADERS.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(_PAGE)
                loopback._arrived.put(url)  # at last: with that, the program may end

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing: the line would have the code in it."""

        return Handler
