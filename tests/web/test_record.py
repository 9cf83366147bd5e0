"""What others get of the record over HTTP: entries for whom the policy names, receipts for who was part of a call."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.bank import ISSUER, POLICY, Bank, found, opened

from deputize import settings
from deputize.authority import housekeeping
from deputize.crypto import dpop, jwk_file
from deputize.crypto.note import Cosigner, Verifier, open_note
from deputize.log.log import Log
from deputize.protocol.checkpoint import Checkpoint
from deputize.protocol.credential import User
from deputize.protocol.ids import UserId
from deputize.protocol.receipt import Receipt
from deputize.protocol.tiles import read_bundle
from deputize.service import forgetting
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

KEY = generate_private_key(SECP256R1())


@pytest.fixture
async def audited(tmp_path: Path) -> AsyncIterator[Bank]:
    """A bank with one user, whose sign-up is the whole record, and an auditor (LOG-8)."""
    policy = settings.loads(f"{POLICY}[record]\n{jwk_file.line('readers', KEY)}\n".encode())
    async with opened(policy, found(tmp_path / "var")) as bank:
        assert (await bank.page().sign_up()).status_code == 200
        yield bank


async def read(bank: Bank, path: str, key: EllipticCurvePrivateKey = KEY, **made: object) -> httpx2.Response:
    url = f"{ISSUER}/log/tile/entries/{path}"
    proof = dpop.make(key, "GET", url, int(bank.clock()), **made)  # type: ignore[arg-type]  # claims are text
    return await bank.client().get(url, headers={"deputize-reader": proof})


async def test_who_is_named_reads_entries_once_with_each_proof(audited: Bank) -> None:
    size = len(audited.entries())
    answer = await read(audited, f"000.p/{size}", jti="one")
    assert [json.loads(entry) for entry in read_bundle(answer.content)] == audited.entries()
    assert answer.headers["content-type"] == "application/octet-stream"
    assert "public" not in answer.headers["cache-control"]
    again = await read(audited, f"000.p/{size}", jti="one")
    assert (again.status_code, again.json()["code"]) == (401, "invalid_dpop_proof")
    first = await read(audited, "000.p/1")
    assert read_bundle(first.content) == read_bundle(answer.content)[:1]


async def test_what_is_not_there_is_not_found(audited: Bank) -> None:
    for path in (f"000.p/{len(audited.entries()) + 1}", "000", "001.p/1", "0/000.p/1", "000.p/01", "000.p/0"):
        answer = await read(audited, path)
        assert (path, answer.status_code) == (path, 404)


async def test_nobody_else_does(audited: Bank) -> None:
    other = await read(audited, "000.p/1", generate_private_key(SECP256R1()))
    assert (other.status_code, other.json()["code"]) == (403, "reader_not_allowed")
    bare = await audited.client().get(f"{ISSUER}/log/tile/entries/000.p/1")
    assert (bare.status_code, bare.json()["code"]) == (401, "invalid_dpop_proof")


# LOG-9: receipts


async def called(page: Page) -> str:
    assert (await page.deputize("account:read")).status_code == 200
    return str((await page.call("get_balance")).json()["call_id"])


async def test_a_user_gets_a_receipt_that_the_public_key_checks_and_nobody_else_does(audited: Bank) -> None:
    grace, mallory = audited.page(), audited.page()
    for page, name in ((grace, "Grace"), (mallory, "Mallory")):
        assert (await page.sign_up(name)).status_code == 200
    call_id = await called(grace)
    path = f"{ISSUER}/calls/{call_id}/receipt"
    answer = await grace.http.get(path, params={"arguments": "true"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == f'attachment; filename="{call_id}.json"'
    receipt = Receipt.parse(answer.json())
    key = Verifier("bank.example/deputize", audited.deputize.authority.keys.record_key().public_key())
    checkpoint = Checkpoint.parse(open_note(receipt.checkpoint, [key]))
    assert receipt.unproven(checkpoint) == []
    assert [entry.told()["kind"] for entry in receipt.entries] == [
        "grant.requested",
        "grant.active",
        "call.approved",
    ]
    assert receipt.opens()
    assert "opening" not in (await grace.http.get(path)).json()
    never = await mallory.http.get(f"{ISSUER}/calls/cal_AAAAAAAAAAAAAAAAAAAAAA/receipt")
    other = await mallory.http.get(path)
    assert (other.status_code, other.json()) == (404, never.json())
    assert (await audited.client().get(path)).status_code == 401
    assert (await grace.http.get(path, params={"arguments": "yes"})).status_code == 400
    assert (await grace.http.get(path, params={"other": "true"})).status_code == 400
    assert f'href="{path}?arguments=true"' in (await grace.http.get(f"{ISSUER}/account/history")).text


async def test_a_receipt_is_over_what_came_after_the_last_checkpoint(audited: Bank) -> None:
    """Within one second, in which everybody gets the same checkpoint."""
    grace = audited.page()
    assert (await grace.sign_up()).status_code == 200
    assert (await audited.client().get(f"{ISSUER}/log/checkpoint")).status_code == 200
    call_id = await called(grace)
    answer = await grace.http.get(f"{ISSUER}/calls/{call_id}/receipt")
    size = int(answer.json()["checkpoint"].split("\n")[1])
    assert size == len(audited.entries()) == answer.json()["entries"][-1]["index"] + 1


async def test_the_site_gets_one_by_the_key_of_its_guard(local: Bank, ada: Page) -> None:
    call_id = await called(ada)
    url = f"{local.issuer}/calls/{call_id}/receipt"
    key = local.keys["api"]
    for with_arguments, status in ((False, 200), (True, 400)):
        proof = {"deputize-guard": dpop.make(key, "GET", url, int(local.clock()))}
        params = {"arguments": "true"} if with_arguments else {}
        answer = await local.client().get(url, headers=proof, params=params)
        assert answer.status_code == status
    stranger = {"deputize-guard": dpop.make(KEY, "GET", url, int(local.clock()))}
    answer = await local.client().get(url, headers=stranger)
    assert (answer.status_code, answer.json()["code"]) == (403, "redeemer_not_allowed")


async def test_a_record_that_grew_is_swept_and_witnessed_by_itself_and_who_does_not_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LOG-10: nobody has to ask for a checkpoint."""
    monkeypatch.setattr(housekeeping, "SWEEP_EVERY", 0.01)
    told, signed = list[dict[str, object]](), asyncio.Event()

    class Heard(Log):
        def alarm(self, event: str, **facts: object) -> None:
            told.append({"event": event, **facts})
            signed.set()

    vkey = Cosigner("w.example/1", Ed25519PrivateKey.generate().public_key()).vkey()
    named = f'[[record.witnesses]]\nkey = "{vkey}"\nurl = "http://localhost:1"\n'
    policy = settings.loads(f"{POLICY}{named}".encode())
    async with opened(policy, found(tmp_path / "var"), log=Heard()) as bank, asyncio.timeout(30):
        for name in ("Ada", "Grace"):
            assert (await bank.page().sign_up(name)).status_code == 200
            await signed.wait()
            while True:
                kept, indexed = bank.deputize.store.look(lambda tx: (tx.newest_checkpoint(), tx.indexed()))
                if kept is not None and kept[0] == indexed == len(bank.entries()):
                    break
                await asyncio.sleep(0)
    assert [each["event"] for each in told] == ["witness"]
    assert str(told[0]["error"]).startswith("the witness at http://localhost:1 has not cosigned: ")


async def test_where_witnesses_keep_the_newest_checkpoint_too_few_of_them_stop_nothing_and_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HEAD-4: the rounds tell the head what came of them."""
    monkeypatch.setattr(housekeeping, "SWEEP_EVERY", 0.01)
    asked = asyncio.Event()

    class Heard(Log):
        def alarm(self, event: str, **facts: object) -> None:
            asked.set()

    vkey = Cosigner("w.example/1", Ed25519PrivateKey.generate().public_key()).vkey()
    named = (
        f'[record]\nhead = "witnesses"\n[[record.witnesses]]\nkey = "{vkey}"\nurl = "http://localhost:1"\n'
    )
    policy = settings.loads(f"{POLICY}{named}".encode())
    async with opened(policy, found(tmp_path / "var"), log=Heard()) as bank, asyncio.timeout(30):
        assert (await bank.client().get(f"{ISSUER}/readyz")).text == "ready\n"
        assert (await bank.page().sign_up()).status_code == 200
        await asked.wait()
        told = "ready, but its newest checkpoint cannot be kept outside the database\n"
        assert (await bank.client().get(f"{ISSUER}/readyz")).text == told


async def test_keep_3_a_site_keeps_house_from_its_start_on_though_nobody_asks_it_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "SWEEP_EVERY", 0.01)
    async with opened(settings.loads(POLICY.encode()), found(tmp_path / "var")) as bank:
        store = bank.deputize.store
        await store.transact(lambda tx: tx.add(User(UserId("usr_ada"), "Ada", b"a", 0)))
        await store.transact(lambda tx: forgetting.begin(tx, UserId("usr_ada"), 0, by="owner"))
        async with bank.deputize.lifespan(), asyncio.timeout(30):
            while True:
                if not store.look(lambda tx: tx.hidden()):
                    break
                await asyncio.sleep(0)
