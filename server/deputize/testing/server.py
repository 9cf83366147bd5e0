"""A server for an ASGI app, on a free port of this machine and in a thread, for as long as a test needs it."""

import asyncio
import socket
import threading
from collections.abc import Callable
from typing import Self

import uvicorn
from starlette.types import ASGIApp

START_WITHIN = 20.0
STOP_WITHIN = 20.0


class Site:
    """A site that is served at `url`, its origin, until `stop` or the end of its `with`.

    `build` makes the app for a port, since a policy names its site's origin. The socket listens before that, so that
    nobody else takes the port, and a request that comes early waits.
    """

    def __init__(self, build: Callable[[int], ASGIApp], host: str = "localhost") -> None:
        """Build the app and serve it; `host` is the name for `url`, which must lead to the loopback address.

        Raises what `build` raises, and RuntimeError if the app does not start.
        """
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setsockopt(
            socket.IPPROTO_TCP, socket.TCP_NODELAY, 1
        )  # else answers wait 40 ms for an ACK
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{host}:{self.port}"
        try:
            app = build(self.port)
        except BaseException:
            self._socket.close()
            raise
        self._server = _Server(
            uvicorn.Config(app, log_level="warning", access_log=False, ws="none", timeout_graceful_shutdown=2)
        )
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"site on {self.port}", daemon=True)
        self._thread.start()
        if not self._server.answered.wait(START_WITHIN) or not self._server.started:
            self._end()
            raise RuntimeError("The app did not start.") from self._failure

    def stop(self) -> None:
        """Stop serving, after the app's own shutdown; RuntimeError if the server failed or does not end."""
        self._end()
        if self._thread.is_alive() or self._failure is not None:
            raise RuntimeError("The server did not end well.") from self._failure

    def _end(self) -> None:
        self._server.should_exit = True
        self._thread.join(STOP_WITHIN)
        self._socket.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        except BaseException as error:
            self._failure = error
        finally:
            self._server.answered.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(uvicorn.Server):
    """Sets `answered` once the app has started, or has failed to."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answered = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.answered.set()
