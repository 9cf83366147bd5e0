"""`/readyz` says what is true, and a decision whose fate is unknown says that (READY-1 to READY-6)."""

import asyncio
import io
import shutil
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import reduce
from pathlib import Path

import httpx2
import orjson
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tests.bank import ISSUER, ORIGIN, Bank, Clock, found, mounted, opened
from tests.store.faulty_disk import Fault, FaultyDisk, faulty_disk, sqlite_library
from tests.store.test_faults import checkpoint, left_open

from deputize.app import Deputize, LostData, PutBack
from deputize.authority import head
from deputize.authority.head import Head
from deputize.authority.head_file import HeadFile
from deputize.log.log import Log
from deputize.protocol.merkle import Frontier
from deputize.protocol.policy import Policy, Record
from deputize.store import probe, sqlite, writer
from deputize.store.sqlite import SqliteStore
from deputize.testing.page import Page

needs_vfs = pytest.mark.skipif(
    sqlite_library() is None, reason="SQLite is linked into this Python, so no disk can be put under it"
)
pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "EVERY", 0)
    monkeypatch.setattr(sqlite, "EVERY", 0)
    monkeypatch.setattr(writer, "PLACED", 0)
    monkeypatch.setattr(head, "EVERY", 3600)  # what each test does to the folder is for it to tell


async def ready(bank: Bank) -> tuple[int, str]:
    async with bank.client() as http:
        answer = await http.get(f"{ISSUER}/readyz")
    return answer.status_code, answer.json()["detail"] if answer.status_code != 200 else answer.text


async def deputized(bank: Bank) -> Page:
    page = bank.page()
    assert (await page.sign_up()).status_code == 200
    assert (await page.deputize("account:read payments:write")).status_code == 200
    return page


async def test_ready_1_it_says_that_its_folder_was_deleted_and_acknowledges_nothing(
    tmp_path: Path, policy: Policy
) -> None:
    log = io.BytesIO()
    async with opened(policy, tmp_path / "var", Log(log)) as bank:
        grace = await deputized(bank)
        assert (await ready(bank))[0] == 200
        shutil.rmtree(tmp_path / "var")
        answers = [await grace.call("get_balance") for _ in range(5)]
        assert [(one.status_code, one.json()["code"]) for one in answers] == [(503, "record_unavailable")] * 5
        assert await ready(bank) == (
            503,
            (
                "Nothing can be recorded now: the open database was deleted or moved away; "
                "besides, with the keys of before: their file has a fault."
            ),
        )
        assert not (tmp_path / "var").exists()
    lines = [orjson.loads(line) for line in log.getvalue().splitlines()]
    causes = [line for line in lines if line["event"] == "record"]
    assert [(line["level"], line["fault"]) for line in causes] == [
        ("error", "the open database was deleted or moved away")
    ]  # READY-6


@pytest.fixture
async def on_a_disk(tmp_path: Path, policy: Policy) -> AsyncIterator[tuple[Bank, Page, FaultyDisk]]:
    with faulty_disk() as disk:
        async with opened(policy, tmp_path / "var") as bank:
            yield bank, await deputized(bank), disk
            disk.judge = lambda operation, file: None


@needs_vfs
async def test_ready_3_a_call_of_which_nobody_knows_whether_it_was_recorded_is_told_with_its_id(
    on_a_disk: tuple[Bank, Page, FaultyDisk],
) -> None:
    bank, grace, disk = on_a_disk
    before = len(bank.entries())
    disk.judge = lambda operation, file: (
        Fault(sqlite3.SQLITE_IOERR_FSYNC) if operation == "sync" and file.endswith("-wal") else None
    )
    answer = await grace.call("get_balance")
    assert (answer.status_code, answer.json()["code"]) == (409, "outcome_unknown")
    call_id = answer.json()["call_id"]
    assert call_id.startswith("cal_")
    assert "not known" in answer.json()["detail"]
    assert (await ready(bank)) == (503, "Nothing can be recorded now: the disk fails, or is full.")
    disk.judge = lambda operation, file: None
    assert (await ready(bank))[0] == 200
    # It can be looked up: here it was not recorded, and from the next commit on it never will be.
    looked = await grace.send("GET", f"/calls/{call_id}")
    assert (looked.status_code, looked.json()["code"]) == (404, "call_unknown")
    assert len(bank.entries()) == before


@needs_vfs
async def test_ready_3_a_call_that_failed_for_a_moment_is_told_to_be_not_done(
    on_a_disk: tuple[Bank, Page, FaultyDisk],
) -> None:
    bank, grace, disk = on_a_disk
    failed: list[str] = []

    def once(operation: str, file: str) -> Fault | None:
        if operation == "sync" and not failed:
            failed.append(file)
            return Fault(sqlite3.SQLITE_IOERR_FSYNC)
        return None

    before = bank.entries()
    disk.judge = once
    answer = await grace.call("get_balance")
    assert (answer.status_code, answer.json()["code"]) == (503, "record_unavailable")
    assert bank.entries() == before
    assert (await grace.call("get_balance")).status_code == 200


async def test_ready_1_a_damaged_database_is_not_ready(tmp_path: Path, policy: Policy) -> None:
    async with opened(policy, tmp_path / "var") as bank:
        grace = await deputized(bank)
        path = tmp_path / "var" / "deputize.db"
        await asyncio.to_thread(checkpoint, path)
        with path.open("r+b") as file:
            file.write(b"x" * path.stat().st_size)
        assert await ready(bank) == (503, "Nothing can be recorded now: the database is damaged.")
        assert (await grace.call("get_balance")).status_code == 503


async def test_ready_5_it_says_that_what_was_left_open_is_being_checked(
    tmp_path: Path, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "var"
    async with opened(policy, data):
        pass
    await asyncio.to_thread(left_open, data / "deputize.db")
    monkeypatch.setattr("deputize.store.checking.Check.is_running", True)
    async with opened(policy, data) as bank:
        assert await ready(bank) == (
            200,
            "ready, but checking the database, which was not closed the last time\n",
        )


# READY-4


async def close(deputize: Deputize) -> None:
    await deputize.aclose()


async def test_ready_4_keys_without_their_record_are_refused(tmp_path: Path, policy: Policy) -> None:
    data = tmp_path / "var"
    for emptied in (True, False):
        async with opened(policy, data) as bank:
            await deputized(bank)
        (data / "deputize.db").unlink()
        if emptied:
            (data / "deputize.db").touch()
        with pytest.raises(LostData, match="bring it back from a backup, or begin a new record"):
            Deputize(policy, data)
        assert not (data / "deputize.db").exists() or not (data / "deputize.db").stat().st_size
        await close(Deputize(policy, data, new_record=True))
        await close(Deputize(policy, data))


async def test_ready_4_a_record_without_its_keys_is_refused(tmp_path: Path, policy: Policy) -> None:
    data = tmp_path / "var"
    async with opened(policy, data) as bank:
        await deputized(bank)
    (data / "keys.json").unlink()
    for _ in range(2):
        with pytest.raises(LostData, match="bring it back from a backup, or make new keys"):
            Deputize(policy, data)
        assert not (data / "keys.json").exists()
    await close(Deputize(policy, data, new_keys=True))
    await close(Deputize(policy, data))


async def test_ready_4_a_start_that_came_to_nothing_is_no_loss(tmp_path: Path, policy: Policy) -> None:
    data = tmp_path / "var"
    with pytest.raises(FileNotFoundError):
        Deputize(tmp_path / "no policy.toml", data)
    await close(Deputize(policy, data))
    for name in ("keys.json", "checkpoint"):
        (data / name).unlink()  # as a crash before them leaves it
    await close(Deputize(policy, data))
    other = tmp_path / "other"
    other.mkdir()
    SqliteStore(other / "deputize.db").close()
    await close(Deputize(policy, other))


async def test_ready_4_one_flag_does_not_stand_for_the_other(tmp_path: Path, policy: Policy) -> None:
    data = tmp_path / "var"
    async with opened(policy, data) as bank:
        await deputized(bank)
    kept = (data / "keys.json").read_bytes()
    (data / "keys.json").unlink()
    with pytest.raises(LostData):
        Deputize(policy, data, new_record=True)
    (data / "keys.json").write_bytes(kept)
    (data / "deputize.db").unlink()
    with pytest.raises(LostData):
        Deputize(policy, data, new_keys=True)


# HEAD-2


async def test_head_2_a_database_behind_its_newest_checkpoint_serves_nothing_and_says_what_to_do(
    tmp_path: Path, policy: Policy
) -> None:
    data = tmp_path / "var"
    async with opened(policy, data) as bank:
        grace = await deputized(bank)
        kept, ours = data / "checkpoint", len(bank.entries())
        later = ours + 8
        file = HeadFile(kept, "bank.example/deputize", bank.deputize.authority.keys.record_key)
        ahead = reduce(Frontier.append, [bytes(32)] * later, Frontier())
        with file.alone() as folder:
            file.replace(ahead, folder)  # as the node does that has the newest database
        await kept_now(bank)
        said = (
            f"The database has {ours} entries where {later} were recorded: it is an older copy. Put the newest copy in "
            "its place, or go on with this one by `deputize restore --accept-rollback`, which suspends what users have "
            "allowed until they confirm it."
        )
        assert await ready(bank) == (503, said)
        paths = ("/tools", "/log/checkpoint", "/account", "/jwks.json")
        answers = [
            await grace.call("get_balance"),
            *[await grace.http.get(f"{ISSUER}{path}") for path in paths],
        ]
        assert [answer.status_code for answer in answers] == [503] * 5
        assert answers[0].json()["code"] == "record_unavailable"
    with pytest.raises(PutBack) as refused:
        Deputize(policy, data)
    assert str(refused.value) == said


async def kept_now(bank: Bank) -> None:
    ours = bank.deputize.authority.head
    assert isinstance(ours, Head)
    await ours.keep()


async def test_head_3_it_says_that_the_newest_checkpoint_cannot_be_kept(
    tmp_path: Path, policy: Policy
) -> None:
    (tmp_path / "disk").mkdir()
    async with opened(
        replace(policy, record=Record(head=str(tmp_path / "disk" / "head"))), tmp_path / "var"
    ) as bank:
        (tmp_path / "disk").rename(tmp_path / "away")
        await kept_now(bank)
        told = "ready, but its newest checkpoint cannot be kept outside the database\n"
        assert await ready(bank) == (200, told)
        async with bank.client() as http:
            counts = (await http.get(f"{ISSUER}/metrics")).text
        assert 'deputize_faulty{part="head"} 1.0' in counts


async def test_seal_5_what_wraps_the_users_keys_is_missed_before_the_next_start(
    tmp_path: Path, policy: Policy
) -> None:
    stream = io.BytesIO()
    async with opened(policy, tmp_path / "var", log=Log(stream)) as bank:
        await deputized(bank)
        wrapping = tmp_path / "var" / "wrapping.json"
        seen = []
        for before, after in ((wrapping, tmp_path / "away"), (tmp_path / "away", wrapping)):
            before.rename(after)
            await bank.deputize.sweep(int(bank.clock()), None)
            seen.append(await ready(bank))
            async with bank.client() as http:
                counts = (await http.get(f"{ISSUER}/metrics")).text
            assert f'deputize_faulty{{part="wrapping"}} {float(after != wrapping)}' in counts
        assert seen == [
            (200, "ready, but without what wraps the users' keys: the file of wrapping keys is missing\n"),
            (200, "ready\n"),
        ]
        assert bank.deputize.log.flush()
    lines = [orjson.loads(line) for line in stream.getvalue().splitlines()]
    told = [(line["level"], line["fault"]) for line in lines if line["event"] == "wrapping"]
    assert told == [("error", f"the file of wrapping keys is missing: {wrapping}"), ("info", None)]


async def test_head_2_nothing_behind_a_guard_runs_then(tmp_path: Path, policy: Policy) -> None:
    ran: list[str] = []
    here = replace(policy, api=replace(policy.api, elsewhere=False))
    deputize = Deputize(here, found(tmp_path / "var"), clock=Clock())
    routes = []
    for tool in deputize.policy.guarded_here():

        @deputize.guard.tool(tool.name)
        async def effect(request: Request) -> Response:
            ran.append(request.url.path)
            return Response()

        routes.append(Route(f"/api/{tool.name}", effect, methods=["POST"]))
    transport = httpx2.ASGITransport(mounted(deputize, *routes))
    bank = Bank(origin=ORIGIN, clock=Clock(), transport=transport, deputize=deputize)
    async with bank.stack:
        call = (await (await deputized(bank)).call("get_balance")).json()
        deputize.authority.head.gone = "It was put back."
        headers = {"txn-token": call["call_token"]}
        async with bank.client() as http:
            for _ in range(2):
                answer = await http.post(f"{ORIGIN}/api/get_balance", json={}, headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (503, "record_unavailable")
    assert ran == []
    await deputize.aclose()
