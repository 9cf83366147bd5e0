"""An authority whose store is another than the folder's: everything that reads it waits for it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.bank import Bank, opened
from tests.store.elsewhere import Elsewhere

from deputize.protocol.policy import Policy

pytestmark = pytest.mark.anyio


@pytest.fixture
async def bank(tmp_path: Path, policy: Policy, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bank]:
    store = Elsewhere(tmp_path / "elsewhere.db")
    async with opened(policy, tmp_path / "var", store=store) as bank:
        monkeypatch.setattr(Elsewhere, "look", None)  # whoever serves awaits
        yield bank


async def test_a_call_goes_its_whole_way(bank: Bank, tmp_path: Path) -> None:
    page = bank.page()
    assert (await page.sign_up()).status_code == 200
    assert (await page.deputize("account:read payments:write")).status_code == 200
    transfer = {"amount": 250, "name": "Ada"}
    call = (await page.call("transfer_money", transfer)).json()
    assert call["state"] == "pending", call
    approved = (await page.confirm(f"/calls/{call['call_id']}")).json()
    assert approved["state"] == "approved", approved
    note = (await page.call("note")).json()
    path = f"/calls/{note['call_id']}/redemption"
    redeemed = (await page.send("POST", path, {"call_token": note["call_token"]})).json()
    assert redeemed["state"] == "redeemed", redeemed
    assert (await page.refresh()).status_code == 200
    assert "Ada" in (await page.http.get(f"{bank.issuer}/account", headers={"accept": "text/html"})).text
    assert (await page.http.get(f"{bank.issuer}/readyz")).text.startswith("ready")
    checkpoint = (await page.http.get(f"{bank.issuer}/log/checkpoint")).text
    assert int(checkpoint.splitlines()[1]) > 3
    assert sorted(path.name for path in (tmp_path / "var").iterdir()) == ["checkpoint", "keys.json"]
