"""Agents without a browser of their own: the device grant (OAUTH-7; RFC 8628)."""

import re
from typing import Any

import httpx2
import pytest
from tests.bank import Bank
from tests.web.agents import ALL, DEVICE_CODE, LOCAL, Client, error, new_key, seen

from deputize.crypto import jwt
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

ISSUER = f"{LOCAL}/deputize"


async def begin(agent: Client, scope: str = ALL, **more: Any) -> dict[str, Any]:
    answer = await agent.post("/device_authorization", {"scope": scope, **more})
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def poll(agent: Client, device_code: str, **more: Any) -> httpx2.Response:
    return await agent.post("/token", {"grant_type": DEVICE_CODE, "device_code": device_code}, **more)


async def test_what_the_device_shows(helper: Client) -> None:
    said = await begin(helper)
    assert re.fullmatch("[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", said["user_code"])
    assert said["verification_uri"] == f"{ISSUER}/device"
    assert said["verification_uri_complete"] == f"{ISSUER}/device?user_code={said['user_code']}"
    assert (said["expires_in"], said["interval"]) == (600, 5)


async def test_the_whole_way(local: Bank, ada: Page, helper: Client) -> None:
    said = await begin(helper)
    assert error(await poll(helper, said["device_code"])) == "authorization_pending"
    page = await ada.http.get(said["verification_uri_complete"])
    assert "It runs on another device" in page.text
    assert said["user_code"] in page.text
    assert "Then you go on to" not in page.text
    answer = await ada.authorize(said["verification_uri_complete"])
    assert (answer.status_code, answer.json()) == (200, {"redirect_to": None})
    local.clock.forward(5)
    collected = await poll(helper, said["device_code"])
    assert collected.status_code == 200
    assert jwt.parse(collected.json()["access_token"]).claims["cnf"] == {"jkt": helper.key.thumbprint}
    helper.tokens = collected.json()
    assert (await helper.call(ada, "get_balance")).status_code == 200


async def test_a_key_that_was_named_proves_itself_when_it_collects(
    ada: Page, helper: Client
) -> None:  # OAUTH-2
    named = {"scope": ALL, "dpop_jkt": helper.key.thumbprint}
    said = (await helper.post("/device_authorization", named, proof=None)).json()
    await ada.authorize(said["verification_uri_complete"])
    assert error(await poll(helper, said["device_code"], by=new_key())) == "invalid_grant"
    assert (await poll(helper, said["device_code"])).status_code == 200


async def test_whoever_asks_too_often_is_slowed_down(helper: Client) -> None:
    code = (await begin(helper))["device_code"]
    assert error(await poll(helper, code)) == "authorization_pending"
    assert error(await poll(helper, code)) == "slow_down"


async def test_who_does_not_answer_in_time_is_told_so(local: Bank, ada: Page, helper: Client) -> None:
    said = await begin(helper)
    local.clock.forward(600)
    assert error(await poll(helper, said["device_code"])) == "expired_token"
    assert "No agent is waiting" in (await ada.authorize(said["verification_uri_complete"])).text


async def test_a_scope_that_nobody_may_have_is_refused(helper: Client) -> None:
    for scope in ("", "account:delete", "account:admin"):
        refused = await helper.post("/device_authorization", {"scope": scope})
        assert (refused.status_code, error(refused)) == (400, "invalid_scope")


async def test_a_no_is_told_to_the_device(local: Bank, ada: Page, helper: Client) -> None:
    said = await begin(helper)
    answer = await ada.authorize(said["verification_uri_complete"], approve=False)
    assert answer.json() == {"redirect_to": None}
    assert error(await poll(helper, said["device_code"])) == "access_denied"
    assert local.last()["kind"] == "grant.declined"


class TestPage:
    """Where the code is typed."""

    async def test_asks_for_the_code(self, ada: Page) -> None:
        page = await ada.http.get(f"{ISSUER}/device")
        assert (page.status_code, "The code that the agent shows" in page.text) == (200, True)

    @pytest.mark.parametrize("typed", ["{}", " {} "])
    async def test_takes_it_as_people_type_it(self, ada: Page, helper: Client, typed: str) -> None:
        code = (await begin(helper))["user_code"]
        for spelled in (code, code.lower(), code.replace("-", ""), code.replace("-", " ")):
            page = await ada.http.get(f"{ISSUER}/device", params={"user_code": typed.format(spelled)})
            assert "Let an agent registered by Bank act for you?" in seen(page.text)

    @pytest.mark.parametrize("typed", ["", "x", "BCDF-GHJK", "<script>", "B" * 300])
    async def test_a_code_that_no_agent_shows(self, ada: Page, helper: Client, typed: str) -> None:
        await begin(helper)
        page = await ada.http.get(f"{ISSUER}/device", params={"user_code": typed})
        assert "No agent is waiting for this code" in page.text
        assert "<script>" not in page.text

    async def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(
        self, local: Bank, helper: Client
    ) -> None:
        said = await begin(helper)
        for url, back in (
            (said["verification_uri_complete"], "return_to=%2Fdeputize%2Fdevice%3Fuser_code%3D"),
            (
                said["verification_uri"] + "?user_code=BCDF-GHJK",
                "return_to=%2Fdeputize%2Fdevice%3Fuser_code%3D",
            ),
            (said["verification_uri"], "return_to=%2Fdeputize%2Fdevice"),
        ):  # a stranger does not learn which codes are good
            answer = await local.page().http.get(url)
            assert answer.status_code == 303
            assert back in answer.headers["location"]

    @pytest.mark.parametrize("dest", ["image", "empty", "iframe", "script"])
    async def test_what_is_no_page_uses_up_no_tries(
        self, local: Bank, ada: Page, helper: Client, dest: str
    ) -> None:
        """A sibling host's page has pictures at this address; the browser sends the cookie along."""
        said = await begin(helper)
        url = said["verification_uri"]
        for _ in range(11):
            answer = await ada.http.get(
                url, params={"user_code": "BCDF-GHJK"}, headers={"sec-fetch-dest": dest}
            )
            assert answer.status_code == 400
        good = {"user_code": said["user_code"]}
        navigated = {"sec-fetch-dest": "document"}
        assert (await ada.http.get(url, params=good, headers=navigated)).status_code == 200

    async def test_codes_cannot_be_guessed(self, local: Bank, ada: Page, helper: Client) -> None:
        said = await begin(helper)
        url, good = said["verification_uri"], {"user_code": said["user_code"]}
        for _ in range(10):
            assert (await ada.http.get(url, params={"user_code": "BCDF-GHJK"})).status_code == 200
        refused = await ada.http.get(url, params=good)
        assert refused.status_code == 429
        assert "Too many wrong codes" in refused.text
        other = local.page()
        assert (await other.sign_up("Grace")).status_code == 200
        assert said["user_code"] in (await other.http.get(url, params=good)).text

    async def test_the_code_flow_has_no_page_for_it(self, ada: Page, helper: Client) -> None:
        await begin(helper)
        request_id = helper.bank.deputize.store.look(
            lambda tx: tx._execute("SELECT request_id FROM requests", {}).fetchone()[0]  # type: ignore[attr-defined]  # no port lists requests
        )
        url = (
            f"{ISSUER}/authorize?client_id={helper.client_id}&request_uri=urn:ietf:params:oauth:request_uri:"
        )
        assert (await ada.authorize(url + request_id)).status_code == 400
