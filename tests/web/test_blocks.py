"""Who is blocked loses at once what he had, and gets nothing new until it ends (BLOCK-1 to BLOCK-3)."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.bank import ISSUER, Bank, Clock, opened
from tests.web.agents import HELPER, Client, error, new_key

from deputize.app import SiteUser
from deputize.authority.in_process import InProcess
from deputize.protocol.errors import Refused
from deputize.protocol.ids import ClientId, UserId
from deputize.protocol.policy import Policy
from deputize.service import blocks
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio
TRANSFER = {"amount": 5, "name": "Bob"}
Block = Callable[[Bank, Page, Client], Awaitable[None]]


async def by_user(bank: Bank, page: Page, helper: Client) -> None:
    """Block at the grant of the helper, or of the agent in the browser if there is none."""
    grant_id = (helper.tokens or page.tokens)["grant_id"]
    answer = await page.send("POST", f"/grants/{grant_id}/block", {"seconds": 3600}, page=False)
    assert answer.status_code == 200, answer.text


async def by_owner(bank: Bank, page: Page, helper: Client) -> None:
    client_id = ClientId((helper.tokens or page.tokens)["client_id"])
    now = int(bank.clock())
    await bank.deputize.store.transact(lambda tx: blocks.block_agent(tx, client_id, now + 3600, now))


async def user_by_owner(bank: Bank, page: Page, helper: Client) -> None:
    user_id, now = UserId((helper.tokens or page.tokens)["sub"]), int(bank.clock())
    assert (
        await bank.deputize.store.transact(lambda tx: blocks.block_user(tx, user_id, now + 3600, now)) is None
    )


ALL = pytest.mark.parametrize("block", [by_user, by_owner, user_by_owner])
OF_AGENTS = pytest.mark.parametrize("block", [by_user, by_owner])


class TestABlockedAgent:
    @ALL
    async def test_loses_at_its_next_step_what_it_had(
        self, local: Bank, ada: Page, helper: Client, block: Block
    ) -> None:
        """Call, approval, redemption, refresh and introspection."""
        await helper.deputized(ada)
        pending, approved = [
            (await helper.call(ada, "transfer_money", {**TRANSFER, "amount": n})).json() for n in (1, 2)
        ]
        token = (await ada.confirm(f"/calls/{approved['call_id']}")).json()["call_token"]
        await block(local, ada, helper)
        assert (await helper.call(ada, "get_balance")).json()["code"] in ("grant_revoked", "login_required")
        answer = await ada.confirm(f"/calls/{pending['call_id']}")
        assert answer.json()["code"] in ("grant_revoked", "login_required")
        with pytest.raises(Refused, match="delegation was taken back"):
            await redeem(local, token)
        assert error(await helper.refresh()) in ("invalid_grant", "invalid_client")
        assert "active" not in (await helper.introspect(helper.tokens["access_token"])).text.replace(
            '"active":false', ""
        )

    @OF_AGENTS
    async def test_with_keys_of_its_own_may_not_ask_again(
        self, local: Bank, ada: Page, helper: Client, errand: Client, block: Block
    ) -> None:
        await errand.deputized(ada)
        opened = await helper.page_url()
        assert "data-request" in (await ada.http.get(opened)).text
        await helper.deputized(ada)
        waiting = await helper.page_url()
        await block(local, ada, helper)
        page = await ada.http.get(waiting)
        assert (page.status_code, "This agent is blocked" in page.text) == (403, True)
        answer = await ada.authorize(opened)  # it was shown before
        assert answer.status_code == 403
        handoff = (await errand.hand_on(helper)).json()["access_token"]
        refused = (await helper.take_over(handoff)).json()
        assert refused["error"] in ("invalid_grant", "invalid_client")
        assert "has blocked this agent" in refused["error_description"]
        local.clock.forward(3600)
        assert (await helper.deputized(ada)).tokens

    async def test_hears_of_the_owner_where_it_proves_who_it_is(
        self, local: Bank, ada: Page, helper: Client, errand: Client
    ) -> None:
        await helper.deputized(ada)
        await by_owner(local, ada, helper)
        for answer in (
            await helper.par(),
            await helper.post("/device_authorization", {"scope": "account:read"}),
            await helper.refresh(),
        ):
            assert (answer.status_code, error(answer)) == (400, "invalid_client")
            assert "blocked" in answer.json()["error_description"]
        assert (await errand.par()).status_code == 201


class TestBlocking:
    async def test_is_recorded_and_taken_back(self, bank: Bank, grace: Page) -> None:
        path = f"/grants/{grace.tokens['grant_id']}/block"
        answer = await grace.send("POST", path, {}, page=False)
        assert answer.json() == {"client_id": grace.tokens["client_id"], "until": None}
        told = {"sub": grace.tokens["sub"], "client_id": grace.tokens["client_id"], "by": "user"}
        blocked, revoked = bank.entries()[-2:]
        assert (blocked["kind"], revoked["kind"]) == ("agent.blocked", "grant.revoked")
        assert told.items() <= blocked.items()
        bank.clock.forward(10**9)
        await grace.sign_in()
        said = (await grace.send("POST", "/agents")).json()
        assert (said["code"], said["status"]) == ("agent_blocked", 403)
        page = await grace.http.get(f"{ISSUER}/account")
        assert "until you end it" in page.text
        assert (await grace.send("DELETE", path, page=False)).status_code == 204
        assert bank.last().items() >= {**told, "kind": "agent.unblocked"}.items()
        assert "until you end it" not in (await grace.http.get(f"{ISSUER}/account")).text
        assert (await grace.call("get_balance")).status_code != 200  # ending it gives nothing back
        assert (await grace.deputize("account:read")).status_code == 200
        assert (await grace.send("DELETE", path, page=False)).status_code == 404

    @pytest.mark.parametrize("seconds", [0, 59, -1, 10**10, 1.5, True, "60", None])
    async def test_takes_times_that_can_be(self, bank: Bank, grace: Page, seconds: Any) -> None:
        path = f"/grants/{grace.tokens['grant_id']}/block"
        answer = await grace.send("POST", path, {"seconds": seconds}, page=False)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
        assert (await grace.call("get_balance")).status_code == 200

    async def test_is_for_the_user_of_the_grant_in_his_own_session(self, bank: Bank, grace: Page) -> None:
        path = f"/grants/{grace.tokens['grant_id']}/block"
        eve = bank.page()
        await eve.sign_up("Eve")
        for method in ("POST", "DELETE"):
            answer = await eve.send(method, path, {}, page=False)
            assert answer.status_code == 404
            csrf = {"deputize-csrf": eve.csrf}
            answer = await grace.send(method, path, {}, headers=csrf, page=False)
            assert answer.json()["code"] == "cross_site_request"
        assert (await grace.call("get_balance")).status_code == 200
        await grace.send("POST", path, {}, page=False)
        assert (await eve.send("DELETE", path, page=False)).status_code == 404
        assert (await grace.send("POST", "/agents")).json()["code"] == "agent_blocked"


class TestABlockedUser:
    async def test_is_out_until_the_owner_lets_him_in(
        self, bank: Bank, grace: Page, helper_of_none: Client
    ) -> None:
        user_id = UserId(grace.tokens["sub"])
        call = (await grace.call("transfer_money", TRANSFER)).json()
        direct = (await grace.send("POST", "/calls", _direct())).json()
        token = (await grace.confirm(f"/calls/{direct['call_id']}")).json()["call_token"]
        await user_by_owner(bank, grace, helper_of_none)
        assert (await grace.configure())["user"] is None
        for answer in (
            await grace.call("get_balance"),
            await grace.confirm(f"/calls/{call['call_id']}"),
            await grace.send("POST", "/calls", _direct()),
            await grace.send("POST", "/grants", {"scope": "account:read"}),
        ):
            assert answer.json()["code"] == "login_required"
        with pytest.raises(Refused, match="has blocked this account"):
            await redeem(bank, token)
        assert bank.last().items() >= {"kind": "call.denied", "code": "user_blocked"}.items()
        assert (await grace.sign_in()).json()["code"] == "user_blocked"
        assert error(await grace.refresh()) == "invalid_grant"
        now = int(bank.clock())
        await bank.deputize.store.transact(lambda tx: blocks.lift(tx, user_id, None, now))
        assert (await grace.sign_in()).status_code == 200
        assert (await grace.call("get_balance")).json()["code"] == "grant_revoked"
        assert (await grace.deputize("account:read")).status_code == 200

    async def test_of_the_sites_own_login_is_out_with_every_request(
        self, tmp_path: Path, policy: Policy
    ) -> None:
        now = int(Clock()())

        def current_user(_: object) -> SiteUser:
            return SiteUser("ada", "Ada", now)

        async with opened(policy, tmp_path / "var", current_user=current_user) as bank:
            page = bank.page()
            user_id = UserId((await page.configure())["user"]["id"])
            await bank.deputize.store.transact(lambda tx: blocks.block_user(tx, user_id, now + 60, now))
            account = await page.http.get(f"{ISSUER}/account")
            assert (account.status_code, "has blocked this account" in account.text) == (403, True)
            for method, path in (("GET", "/tools"), ("POST", "/agents"), ("POST", "/calls")):
                answer = await page.send(method, path, _direct() if path == "/calls" else None)
                assert (answer.status_code, answer.json()["code"]) == (403, "user_blocked")
            bank.clock.forward(60)
            assert (await page.configure())["user"]["id"] == user_id


@pytest.fixture
def helper_of_none(bank: Bank) -> Client:
    """Give an agent that has nothing: the block is of the agent in the browser."""
    return Client(bank, HELPER, new_key())


def _direct() -> dict[str, Any]:
    return {"tool": "transfer_money", "arguments": TRANSFER, "definition_s256": "A" * 43}


async def redeem(bank: Bank, token: str) -> None:
    """Redeem a call token as the guard does."""
    authority = bank.deputize.authority
    read = authority.read_call_token(token, authority.now())
    await InProcess(lambda: authority).redeem(read, token, read.args_s256)
