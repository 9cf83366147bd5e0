"""The whole of it, from an empty folder to the tables."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import uvloop
from rich.console import Console

from deputize.agent import AgentKey

from . import agents, approvals, browser, elsewhere, figures, machine, site
from .calls import MANY, Calls, Round
from .people import DEFINITION, Person
from .report import Report
from .server import Server

_CHECKOUT = Path(__file__).parents[1]  # on a real disk, which the system's temporary folder need not be
_WARM_UP = 0.5  # seconds of each run before those that count


def run(rounds: int, seconds: float, with_browser: bool, json: Path | None) -> None:
    """Measure, print, and write the figures to `json` if that is given."""
    console = Console()
    described = machine.described()
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=_CHECKOUT) as name:
        folder = Path(name)
        key = AgentKey.generate()
        jwk = key.public_jwk()
        made = site.Bank(folder, key.thumbprint, str(jwk["x"]), str(jwk["y"]))
        console.print("An approval alone …", style="dim")
        checked = machine.apart(approvals.measure, replace(made, folder=folder / "alone"), rounds)
        with Server(made, machine.cores()[0]) as bank:
            seen = {}
            if with_browser:
                console.print("In the browser …", style="dim")
                seen = browser.measure(bank.origin)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                found = runner.run(_rounds(bank, folder, rounds, seconds, console))
                console.print("An attested agent …", style="dim")
                attested = runner.run(agents.measure(bank.origin, key, MANY, rounds))
                console.print("An answer given elsewhere …", style="dim")
                waited = runner.run(elsewhere.measure(bank.origin, rounds))
            memory = bank.usage().memory
    report = Report(
        plain=figures.of_calls(found, lambda each: each.plain),
        approved=figures.of_calls(found, lambda each: each.approved) | waited,
        mcp=figures.of_calls(found, lambda each: each.mcp) | checked,
        attested=attested,
        floor=figures.of_floor(found),
        browser=seen,
        memory_mb=round(memory, 1),
        machine=described,
        runs=rounds,
    )
    report.show(console)
    if json is not None:
        report.write(json)


async def _rounds(bank: Server, folder: Path, rounds: int, seconds: float, console: Console) -> list[Round]:
    servers_core, clients_core = machine.cores()
    machine.pin(clients_core)
    async with AsyncExitStack() as stack:
        people = []
        for number in range(MANY):
            people.append(await Person.arrives(bank.origin, f"User {number}"))
            stack.push_async_callback(people[-1].leaves)
        answer = await people[0].page.call("get_balance", definition_s256=DEFINITION)
        bare = stack.enter_context(Server(site.Bare(answer.content), servers_core))
        await Calls(bank, bare, people, folder, _WARM_UP).round()
        calls = Calls(bank, bare, people, folder, seconds)
        found = []
        for number in range(rounds):
            console.print(f"Calls, round {number + 1} of {rounds} …", style="dim")
            found.append(await calls.round())
        return found
