"""What fails is tried again, and told when it comes, not each time (READY-6)."""

import asyncio
import io
from collections.abc import Iterator
from itertools import repeat

import orjson
import pytest

from deputize.authority import housekeeping
from deputize.authority.authority import Authority
from deputize.authority.housekeeping import Housekeeping
from deputize.log.log import Log
from deputize.protocol.errors import Code, Refused


def test_one_failure_is_told_once_and_another_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "SWEEP_EVERY", 0)
    stream, tries = io.BytesIO(), 0
    fails: Iterator[str] = iter([*repeat("It was put back.", 20), *repeat("The disk is full.", 20)])
    over = asyncio.Event()

    def current() -> Authority:
        nonlocal tries
        tries += 1
        why = next(fails, None)
        if why is None:
            over.set()
        raise Refused(Code.RECORD_UNAVAILABLE, why or "The disk is full.")

    async def keep_house() -> None:
        house = Housekeeping(current, log)
        house.begin()
        await over.wait()
        await house.end()

    log = Log(stream)
    asyncio.run(keep_house())
    assert log.flush()
    assert tries > 40
    told = [orjson.loads(line)["error"] for line in stream.getvalue().splitlines()]
    assert ["put back" in each for each in told] == [True, False]
