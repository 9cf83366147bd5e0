"""Calls over HTTP: how many the authority does in a second, and how many this machine could do at best."""

import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from . import machine, primitives
from .client import Connection, Load, closed_loop
from .people import Person
from .primitives import Primitives
from .server import Server

FLOORS = """\
The floor of a plain call is 1 / (t_http + t_verify + t_row + t_sign).
An approved call takes three requests, each with a proof and a commit, and one assertion:
its floor is 1 / (3 t_http + 4 t_verify + 3 t_row + t_sign).
Over MCP a challenge and the approved call take two, and the tool runs here, without a call
token: the floor of a pair is 1 / (2 t_http + 3 t_verify + 2 t_row).
  t_http    a bare Starlette route, on the same server stack and core, answers the same
            requests with as many bytes
  t_verify  cryptography checks one P-256 signature
  t_row     SQLite (WAL, synchronous=FULL) takes three bare rows (proof, call, entry), as
            many at a time as calls shared a commit in the run with 16 connections
  t_sign    cryptography makes one P-256 signature"""

MANY = 16
"""How many connections there are in the runs that tell the rate."""

_AT_FIRST = 5000.0  # calls a second that are prepared for as long as nothing is known
_MARGIN = 1.3


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of call: how a request is made beforehand, and how it is done, which returns the seconds that it took."""

    make: Callable[[Person], bytes]
    do: Callable[[Person, Connection, bytes], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class Run:
    """One run: the load, the server's processor seconds and calls to a commit, and how many cores others used."""

    load: Load
    server_cpu: float
    batch: float
    others: float


@dataclass(frozen=True, slots=True)
class Figures:
    """One kind of call with 16 connections and with one, and the rate that is its floor."""

    many: Run
    one: Run
    floor: float


@dataclass(frozen=True, slots=True)
class Round:
    """Everything, measured once."""

    http: Run
    primitives: Primitives
    plain: Figures
    approved: Figures
    mcp: Figures


async def _ask(person: Person, connection: Connection, request: bytes) -> float:
    started = time.perf_counter()
    await connection.send(request, b"200")
    return time.perf_counter() - started


PLAIN = Kind(Person.read_call, _ask)
APPROVED = Kind(Person.write_call, Person.approve)
MCP = Kind(Person.ask_over_mcp, Person.approve_over_mcp)


class Calls:
    """Measures a site and a bare route that run on one core, by the same people."""

    def __init__(
        self, site: Server, bare: Server, people: list[Person], folder: Path, seconds: float
    ) -> None:
        """Take what runs; `folder` is for the floor's own database, `seconds` the length of one run."""
        self._site, self._bare = site, bare
        self._people, self._folder, self._seconds = people, folder, seconds
        self._rates: dict[tuple[Kind, Server, int], float] = {}

    async def round(self) -> Round:
        """Measure each once, one after the other, so that all of them meet the same machine."""
        for person in self._people:
            await person.page.refresh()
        http = await self._run(PLAIN, self._bare, MANY)
        plain = [await self._run(PLAIN, self._site, connections) for connections in (MANY, 1)]
        approved = [await self._run(APPROVED, self._site, connections) for connections in (MANY, 1)]
        mcp = [await self._run(MCP, self._site, connections) for connections in (MANY, 1)]
        found = machine.apart(primitives.measure, self._folder, round(plain[0].batch))
        t_http, t_verify, t_row, t_sign = 1 / http.load.rate, found.verify, found.row, found.sign
        return Round(
            http,
            found,
            Figures(plain[0], plain[1], 1 / (t_http + t_verify + t_row + t_sign)),
            Figures(approved[0], approved[1], 1 / (3 * t_http + 4 * t_verify + 3 * t_row + t_sign)),
            Figures(mcp[0], mcp[1], 1 / (2 * t_http + 3 * t_verify + 2 * t_row)),
        )

    async def _run(self, kind: Kind, server: Server, connections: int) -> Run:
        expected = self._rates.get((kind, server, connections), _AT_FIRST) * self._seconds * _MARGIN

        def work(person: Person) -> Callable[[Connection], Awaitable[float | None]]:
            requests = [kind.make(person) for _ in range(math.ceil(expected / connections))]

            async def step(connection: Connection) -> float | None:
                return await kind.do(person, connection, requests.pop()) if requests else None

            return step

        steps = [work(person) for person in self._people[:connections]]
        before, busy = server.usage(), machine.busy()
        load = await closed_loop(server.origin, steps, self._seconds)
        busy, after = machine.busy() - busy, server.usage()
        self._rates[kind, server, connections] = load.rate
        cpu = after.cpu - before.cpu
        others = max(busy - cpu - load.client_cpu, 0) / load.seconds
        return Run(load, cpu / load.done, after.batch(before), others)
