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


async def test_a_second_use_revokes_what_the_first_one_got(local: Bank, ada: Page, helper: Client) -> None:
    said = await begin(helper)
    await ada.authorize(said["verification_uri_complete"])
    helper.tokens = (await poll(helper, said["device_code"])).json()
    assert error(await poll(helper, said["device_code"])) == "invalid_grant"
    assert error(await helper.refresh()) == "invalid_grant"


async def test_a_clock_that_went_back_keeps_no_device_waiting(local: Bank, helper: Client) -> None:
    code = (await begin(helper))["device_code"]
    assert error(await poll(helper, code)) == "authorization_pending"
    local.clock.forward(-3600)
    assert error(await poll(helper, code)) == "authorization_pending"


async def test_whoever_asks_too_often_is_slowed_down(local: Bank, helper: Client) -> None:
    code = (await begin(helper))["device_code"]
    for waited, told in [
        (0, "authorization_pending"),
        (4, "slow_down"),  # from now on every 10 s
        (9, "slow_down"),  # every 15 s
        (15, "authorization_pending"),
        (14, "slow_down"),
    ]:
        local.clock.forward(waited)
        assert error(await poll(helper, code)) == told


@pytest.mark.parametrize("opened_after", [None, 10, 599])
async def test_ends_after_600_seconds_whenever_it_was_opened(
    local: Bank, ada: Page, helper: Client, opened_after: int | None
) -> None:
    said = await begin(helper)
    if opened_after is not None:
        local.clock.forward(opened_after)
        assert (await ada.http.get(said["verification_uri_complete"])).status_code == 200
    local.clock.forward(600 - (opened_after or 0))
    assert error(await poll(helper, said["device_code"])) == "expired_token"
    assert "No agent is waiting" in (await ada.authorize(said["verification_uri_complete"])).text


async def test_a_consent_that_comes_too_late_is_none(local: Bank, ada: Page, helper: Client) -> None:
    said = await begin(helper)
    local.clock.forward(590)
    page = await ada.http.get(said["verification_uri_complete"])
    path = "/authorize/" + page.text.partition('data-request="')[2].partition('"')[0]
    evidence = ada.evidence((await ada.send("POST", f"{path}/challenge", page=False)).json())
    local.clock.forward(10)
    assert error(await ada.send("POST", f"{path}/approval", evidence, page=False)) == "invalid_request"
    assert error(await poll(helper, said["device_code"])) == "expired_token"


async def test_a_no(local: Bank, ada: Page, helper: Client) -> None:
    said = await begin(helper)
    answer = await ada.authorize(said["verification_uri_complete"], approve=False)
    assert answer.json() == {"redirect_to": None}
    assert error(await poll(helper, said["device_code"])) == "access_denied"
    assert local.last()["kind"] == "grant.declined"


async def test_is_for_the_client_and_key_that_began(ada: Page, helper: Client, errand: Client) -> None:
    said = await begin(helper)
    await ada.authorize(said["verification_uri_complete"])
    assert error(await poll(errand, said["device_code"], by=helper.private)) == "invalid_grant"
    assert error(await poll(helper, said["device_code"], by=new_key())) == "invalid_grant"
    assert error(await poll(helper, "x" * 43)) == "invalid_grant"
    assert (await poll(helper, said["device_code"])).status_code == 200


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"scope": ""}, "invalid_scope"),
        ({"scope": "account:delete"}, "invalid_scope"),
        ({"scope": "account:admin"}, "invalid_scope"),
    ],
)
async def test_asks_for_no_more_than_a_browser_could(
    helper: Client, changed: dict[str, Any], code: str
) -> None:
    assert error(await helper.post("/device_authorization", changed)) == code


async def test_a_device_code_is_no_code_and_a_code_no_device_code(ada: Page, helper: Client) -> None:
    said = await begin(helper)
    await ada.authorize(said["verification_uri_complete"])
    assert error(await helper.collect(said["device_code"])) in ("invalid_grant", "invalid_request")
    code = (await helper.asks(ada))["code"]
    assert error(await poll(helper, code)) == "invalid_grant"
    assert (await helper.collect(code)).status_code == 200


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
