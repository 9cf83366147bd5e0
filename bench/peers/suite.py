"""Us and our peers in one run: the same client, the same two cores, each server warm, one after the other.

SEP-2672's server is the proposal's own (TypeScript; in memory, without log or policy), from a checkout in a folder that
is named, and that was built there: `npm install && npm run build:all`. A pair is a challenge and the approved call, of
one person, where each connection has a session and a passkey of its own. Ours is durable, and decided under a policy.

node-oidc-provider comes from npm, into this folder. It gives JWT access tokens for client credentials, bound by DPoP; a
protected resource in the same process verifies token and proof, and uses the proof up. Its store is Redis with
`appendfsync always`, on the same core. Ours is the plain call of an attested agent: two proofs, a decision, its entry.

What a machine lacks is left out, and said so.
"""

import asyncio
import shutil
import statistics
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import httpx2
import orjson
import uvloop
from rich.console import Console
from rich.table import Table

from deputize.agent import AgentKey

from .. import agents, machine, site
from ..client import Load
from ..server import Server
from . import issuer, pairs

US, PROVIDER, PROPOSAL = "deputize", "node-oidc-provider", "SEP-2672's server"
MANY = 16
HERE = Path(__file__).parent
_CHECKOUT = HERE.parents[1]  # on a real disk, which the system's temporary folder need not be
_WARM_UP = 0.5  # seconds of each run before those that count
_ROWS = {
    "pairs": "pairs over MCP a second, 16 connections",
    "pair_ms": "the same, one connection: median, ms",
    "calls": "calls with token and proof a second, 16 connections",
    "call_ms": "the same, one connection: median, ms",
    "tokens": "tokens for client credentials a second, 16 connections",
}

Rows = dict[str, list[float]]
Run = Callable[[float], Awaitable[None]]


def run(rounds: int, seconds: float, sep: Path | None, json: Path | None) -> None:
    """Measure, print, and write the medians to `json` if that is given."""
    console = Console()
    missing = lacking(sep)
    for who, why in missing.items():
        console.print(f"{who} is left out: {why}.", highlight=False)
    if len(missing) == 2:
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(
            _rounds(rounds, seconds, None if PROPOSAL in missing else sep, PROVIDER in missing)
        )
    medians = {
        who: {name: statistics.median(rows[name]) for name in _ROWS if name in rows}
        for who, rows in found.items()
    }
    table = Table(title="Medians", title_justify="left", title_style="bold")
    table.add_column("")
    for who in medians:
        table.add_column(who, justify="right")
    for name, words in _ROWS.items():
        told = [f"{each[name]:,.3g}" if name in each else "" for each in medians.values()]
        if any(told):
            table.add_row(words, *told)
    console.print(table)
    if json is not None:
        json.write_bytes(orjson.dumps(medians, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def lacking(sep: Path | None) -> dict[str, str]:
    """Say what keeps each peer from being measured here."""
    missing: dict[str, str] = {}
    needed = [name for name in ("node", "npm", "redis-server") if shutil.which(name) is None]
    if needed:
        missing[PROVIDER] = f"there is no {' and no '.join(needed)}"
    if sep is None:
        missing[PROPOSAL] = "its folder is not named (SEP=…)"
    elif shutil.which("node") is None or not (sep / "mcp-verified-approval" / "dist").is_dir():
        missing[PROPOSAL] = f"{sep} is no built checkout of it, or there is no node"
    return missing


async def _rounds(rounds: int, seconds: float, sep: Path | None, alone: bool) -> dict[str, Rows]:
    found: dict[str, Rows] = defaultdict(lambda: defaultdict(list))
    machine.pin(machine.cores()[1])
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".bench-", dir=_CHECKOUT)))
        runs: list[Run] = []
        if not alone:
            runs.append(await _calls(stack, folder / "bank", found[US]))
            runs.append(_provider(stack, folder / "provider", found[PROVIDER]))
        if sep is not None:
            page = "http://localhost:5173"  # which that server is written for
            own = stack.enter_context(Server(pairs.OneUser(folder / "one"), machine.cores()[0])).origin
            theirs = stack.enter_context(pairs.proposals(sep, folder, _path("node")))
            runs.append(await _pairs(own, "/deputize/mcp", own, found[US]))
            runs.append(await _pairs(theirs, "/mcp", page, found[PROPOSAL]))
        for each in runs:
            await each(_WARM_UP)
        for rows in found.values():
            rows.clear()
        for _ in range(rounds):
            for each in runs:
                await each(seconds)
    return found


async def _calls(stack: AsyncExitStack, folder: Path, rows: Rows) -> Run:
    """Have attested agents make plain calls."""
    key = AgentKey.generate()
    jwk = key.public_jwk()
    bank = site.Bank(folder, key.thumbprint, str(jwk["x"]), str(jwk["y"]))
    origin = stack.enter_context(Server(bank, machine.cores()[0])).origin
    http = await stack.enter_async_context(httpx2.AsyncClient())
    people = []
    for number in range(MANY):
        person = await agents.Attested.arrives(origin, f"User {number}")
        stack.push_async_callback(person.leaves)
        await person.deputizes(key, http)
        people.append(person)

    async def measure(seconds: float) -> None:
        each = round(80 * seconds)  # more take longer to be made than their proofs are good for
        rows["calls"].append((await agents.load(origin, people, each)).rate)
        rows["call_ms"].append(_median(await agents.load(origin, people[:1], each)))

    return measure


def _provider(stack: AsyncExitStack, folder: Path, rows: Rows) -> Run:
    """Have node-oidc-provider give tokens, and a resource take them."""
    quietly = ["--no-package-lock", "--no-audit", "--no-fund", "--silent"]
    subprocess.run([_path("npm"), "install", *quietly], cwd=HERE, check=True)
    folder.mkdir()
    served = stack.enter_context(issuer.served(folder, _path("redis-server"), _path("node")))
    call, token = partial(served.call, served.token()), served.token_request

    async def measure(seconds: float) -> None:
        count = round(1_300 * seconds)
        rows["calls"].append((await issuer.load(served.origin, call, MANY, count)).rate)
        rows["call_ms"].append(_median(await issuer.load(served.origin, call, 1, count // 10)))
        rows["tokens"].append((await issuer.load(served.origin, token, MANY, count // 2)).rate)

    return measure


async def _pairs(origin: str, path: str, page: str, rows: Rows) -> Run:
    """Have one person's clients do pairs; `page` is the origin at which passkeys are used."""
    clients = [await pairs.Client.connects(origin, path, page) for _ in range(MANY)]

    async def measure(seconds: float) -> None:
        rows["pairs"].append((await pairs.load(origin, clients, seconds)).rate)
        rows["pair_ms"].append(_median(await pairs.load(origin, clients[:1], seconds)))

    return measure


def _median(load: Load) -> float:
    return 1e3 * statistics.median(load.latencies)


def _path(program: str) -> str:
    found = shutil.which(program)
    assert found is not None  # see `lacking`
    return found
