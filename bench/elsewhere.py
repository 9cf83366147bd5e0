"""From an answer on the authority's own page to the page that waits for it (WAIT-1), over HTTP."""

import asyncio
import time

from .figures import Figure
from .people import Person

TIMES = 50
"""How many questions a round has, one after the other."""


async def measure(origin: str, rounds: int) -> dict[str, Figure]:
    """Measure from when the evidence is sent until the page that waits has read its answer to the end."""
    person = await Person.arrives(origin, "Somebody with two devices")
    try:
        found = [sorted([await _once(person) for _ in range(TIMES)]) for _ in range(1 + rounds)]
    finally:
        await person.leaves()
    return {
        f"elsewhere_p{percent}_ms": Figure.of(1e3 * each[len(each) * percent // 100] for each in found[1:])
        for percent in (50, 99)
    }


async def _once(person: Person) -> float:
    page = person.page
    asked = await page.call("transfer_money", person.transfer())
    call_id = asked.json()["call_id"]
    async with page.http.stream(
        "GET",
        f"{page.issuer}/calls/{call_id}/wait",
        headers={"origin": page.origin, "deputize-page": page.proof("GET", f"/calls/{call_id}/wait")},
    ) as waits:
        lines = waits.aiter_lines()
        await anext(lines)  # it waits
        minted = (await page.send("POST", f"/ask/{call_id}/challenge", page=False)).json()
        evidence = page.evidence(minted)
        started = time.perf_counter()
        answers = asyncio.ensure_future(page.send("POST", f"/ask/{call_id}/approval", evidence, page=False))
        told = [line async for line in lines][-1]
        took = time.perf_counter() - started
        if '"approved"' not in told:
            raise RuntimeError((await answers).text)
        await answers
    return took
