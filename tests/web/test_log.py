"""What is decided is answered and told, wherever the log goes (ERR-3)."""

import json
import os
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import httpx2
import pytest
from tests.bank import ISSUER, opened
from tests.log.files import Pipe, closed, full

from deputize.log.lines import MOST
from deputize.log.log import Log
from deputize.protocol.policy import Policy

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["full", "closed", "gone", "unread"])
def stuck(request: pytest.FixtureRequest) -> Iterator[Log]:
    """Make a log that cannot be written."""
    files = {"full": full, "closed": closed}
    with closing(Pipe()) as pipe:
        if request.param == "gone":
            pipe.stop_reading()
        if request.param == "unread":
            os.set_blocking(pipe.writer.fileno(), False)
            with suppress(BlockingIOError):
                while True:
                    os.write(pipe.writer.fileno(), b"x" * 65536)
            os.set_blocking(pipe.writer.fileno(), True)
        yield Log(files[request.param]() if request.param in files else pipe.writer)


async def test_what_is_decided_is_answered_wherever_the_log_goes(
    tmp_path: Path, policy: Policy, stuck: Log
) -> None:
    async with opened(policy, tmp_path / "var", stuck) as bank:
        page = bank.page()
        assert (await page.sign_up()).status_code == 200
        assert (await page.deputize("account:read payments:write")).status_code == 200
        for _ in range(3):
            assert (await page.call("get_balance")).status_code == 200
        assert (await page.call("nothing")).json()["code"] == "unknown_tool"
        pending = (await page.call("transfer_money", {"amount": 1, "name": "Ada"})).json()
        assert (await page.confirm(f"/calls/{pending['call_id']}")).status_code == 200
        assert bank.last()["kind"] == "call.approved"
        for _ in range(MOST + 100):  # more than wait
            stuck.note("something")
        assert (await page.call("get_balance")).status_code == 200
        metrics = (await page.http.get(f"{ISSUER}/metrics")).text
    dropped = next(
        line for line in metrics.splitlines() if line.startswith("deputize_log_lines_dropped_total")
    )
    assert float(dropped.split()[1]) > 0


async def test_a_call_of_somebody_is_told(tmp_path: Path, policy: Policy) -> None:
    with closing(Pipe()) as pipe:
        async with opened(policy, tmp_path / "var", Log(pipe.writer)) as bank:
            page = bank.page()
            await page.sign_up()
            await page.deputize("account:read")
            call: httpx2.Response = await page.call("get_balance")
            lines = [json.loads(line) for line in pipe.read(b'"approved"').splitlines()]
    told = next(line for line in lines if line["event"] == "call")
    assert (told["correlation_id"], told["state"]) == (call.json()["call_id"], "approved")
    assert told["tool"] == "get_balance"
