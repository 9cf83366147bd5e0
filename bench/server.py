"""A server in a process of its own, on a core of its own: uvicorn with uvloop and our protocol, one worker."""

import multiprocessing
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Self
from unittest.mock import patch

import uvicorn
from starlette.types import ASGIApp

from deputize.cli.answering import Http
from deputize.cli.serving import settle
from deputize.store import sqlite, writer

from .machine import pin

Build = Callable[[str], ASGIApp]
START_WITHIN = 30.0
STOP_WITHIN = 30.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What a server has used since its start: processor seconds, most memory in MB, commits, functions in them."""

    cpu: float
    memory: float
    commits: int
    functions: int

    def batch(self, before: "Usage") -> float:
        """Return how many functions shared a commit since `before`, on average."""
        return (self.functions - before.functions) / max(self.commits - before.commits, 1)


class Server:
    """Serves what `build` makes of an origin, from construction to the end of the `with` block."""

    def __init__(self, build: Build, core: int) -> None:
        """Start it on this core; RuntimeError if it does not come up."""
        self._pipe, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=_serve, args=(build, core, theirs), daemon=True)
        self._process.start()
        if not self._pipe.poll(START_WITHIN):
            self._process.kill()
            raise RuntimeError("The server did not start.")
        self.port: int = self._pipe.recv()
        self.origin = f"http://localhost:{self.port}"

    def usage(self) -> Usage:
        """Ask what it has used."""
        self._pipe.send("usage")
        usage: Usage = self._pipe.recv()
        return usage

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.send("stop")
        self._process.join(STOP_WITHIN)
        self._process.kill()


class _CountingWriter(writer.Writer):
    """Counts how many functions share a commit: the floor needs to know."""

    commits = 0
    functions = 0

    def _finish(self, jobs: list[writer._Job], ran: writer._Ran) -> None:
        _CountingWriter.commits += 1
        _CountingWriter.functions += len(jobs)
        super()._finish(jobs, ran)


class _Server(uvicorn.Server):
    """Tells its port as soon as it serves."""

    def __init__(self, config: uvicorn.Config, pipe: Connection) -> None:
        super().__init__(config)
        self._pipe = pipe

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        settle()  # as `deputize serve` does
        assert sockets is not None
        self._pipe.send(sockets[0].getsockname()[1])


def _serve(build: Build, core: int, pipe: Connection) -> None:
    pin(core)
    listening = socket.create_server(("127.0.0.1", 0), backlog=256)
    with patch.object(sqlite, "Writer", _CountingWriter):
        app = build(f"http://localhost:{listening.getsockname()[1]}")
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=Http,
        ws="none",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_level="warning",
    )
    server = _Server(config, pipe)
    threading.Thread(target=_listen, args=(pipe, server), daemon=True).start()
    server.run(sockets=[listening])


def _listen(pipe: Connection, server: uvicorn.Server) -> None:
    with suppress(EOFError):  # whoever started it is gone
        while pipe.recv() == "usage":
            used = resource.getrusage(resource.RUSAGE_SELF)
            memory = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
            pipe.send(Usage(time.process_time(), memory, _CountingWriter.commits, _CountingWriter.functions))
    server.should_exit = True
