"""Agents, consent, grants, renewal over HTTP (PROTOCOL §4)."""

from typing import Any

import pytest
from tests.bank import ISSUER, Bank

from deputize.crypto import jwt
from deputize.protocol.canonical import Json
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio


class TestAgents:
    async def test_registration_needs_session_and_proof(self, bank: Bank, grace: Page) -> None:
        assert (await bank.page().send("POST", "/agents")).json()["code"] == "login_required"
        assert (await grace.send("POST", "/agents", page=False)).json()["code"] == "invalid_dpop_proof"


class TestConsent:
    async def test_shows_what_is_signed(self, bank: Bank, grace: Page) -> None:  # GRANT-1, GRANT-2
        asked = await grace.send("POST", "/grants", {"scope": "account:read", "expires_in": 60})
        assert asked.status_code == 201
        shown = asked.json()["shown"]
        assert shown["expires_in"] == 60
        assert shown["agent"]["assurance"] == "opaque"
        # what the agent holds is in it too: a consent always shows the whole
        assert [s["scope"] for s in shown["scopes"]] == ["account:read", "payments:write"]
        assert (await grace.consent(asked.json()["grant_id"])).status_code == 200
        assert grace.tokens["token_type"] == "DPoP"
        assert grace.tokens["scope"] == "account:read payments:write"

    async def test_names_what_the_page_says_of_its_tools(
        self, bank: Bank, grace: Page
    ) -> None:  # GRANT-1, GRANT-8
        described: Json = {"get_balance": "A" * 43, "unknown": "A" * 43}
        asked = await grace.send("POST", "/grants", {"scope": "account:read", "definitions": described})
        (told,) = asked.json()["shown"]["definitions"]
        assert (told["tool"], told["definition_s256"]) == ("get_balance", "A" * 43)

    @pytest.mark.parametrize(
        "described", [{"note": "x"}, {"note": "="}, {"note": 1}, {"note": None}, ["note"], "x"]
    )
    async def test_of_what_is_no_digest_is_not_asked_for(
        self, bank: Bank, grace: Page, described: Json
    ) -> None:
        asked = await grace.send("POST", "/grants", {"scope": "account:read", "definitions": described})
        assert (asked.status_code, asked.json()["code"]) == (400, "invalid_request")

    async def test_is_not_asked_for_what_nobody_may_have(self, bank: Bank, grace: Page) -> None:
        for scope, code in (
            ("account:delete", "invalid_scope"),
            ("", "invalid_scope"),
            ("account:read  account:read", "invalid_scope"),
            ("vault:open", "agent_not_allowed"),  # AGENT-2
        ):
            assert (await grace.send("POST", "/grants", {"scope": scope})).json()["code"] == code

    @pytest.mark.parametrize("seconds", [120, 120.0])  # in JSON, that is the same number
    async def test_lives_as_long_as_was_shown(
        self, bank: Bank, grace: Page, seconds: float
    ) -> None:  # GRANT-1, TOKEN-5
        await grace.deputize("account:read", expires_in=seconds)
        assert grace.tokens["expires_in"] == 120
        bank.clock.forward(119)
        assert (await grace.call("get_balance")).status_code == 200
        bank.clock.forward(1)
        assert (await grace.call("get_balance")).json()["code"] == "invalid_token"

    async def test_that_is_declined_grants_nothing(self, bank: Bank, grace: Page) -> None:  # GRANT-4
        asked = (await grace.send("POST", "/grants", {"scope": "account:admin"})).json()
        path = f"/grants/{asked['grant_id']}"
        assert (await grace.send("POST", f"{path}/denial")).json()["state"] == "declined"
        assert (await grace.consent(asked["grant_id"])).json()["code"] == "call_state"
        assert bank.last()["kind"] == "grant.declined"


class TestLook:
    async def test_tells_its_user_how_it_stands(self, bank: Bank, grace: Page) -> None:  # GRANT-7
        async def standing(grant_id: str) -> tuple[str, int]:
            seen = (await grace.send("GET", f"/grants/{grant_id}", page=False)).json()
            assert seen["grant_id"] == grant_id
            return seen["state"], seen["expires_at"] - int(bank.clock())

        first = grace.tokens["grant_id"]
        asked = (await grace.send("POST", "/grants", {"scope": "account:read"})).json()["grant_id"]
        assert await standing(asked) == ("pending", 600)
        assert (await standing(first))[0] == "active"
        await grace.consent(asked)
        assert (await standing(first))[0] == "superseded"
        state, left = await standing(asked)
        assert state == "active"
        bank.clock.forward(left)
        assert await standing(asked) == ("expired", 0)  # TOKEN-5

    async def test_is_for_its_user_only(self, bank: Bank, grace: Page) -> None:  # GRANT-7
        path = f"/grants/{grace.tokens['grant_id']}"
        mallory = bank.page()
        assert (await mallory.send("GET", path, page=False)).json()["code"] == "login_required"
        await mallory.sign_up("Mallory")
        assert (await mallory.send("GET", path, page=False)).json()["code"] == "grant_unknown"
        assert (await grace.send("GET", "/grants/grt_nothing", page=False)).json()["code"] == "grant_unknown"

    async def test_is_taken_back_with_a_page_proof_once(self, bank: Bank, grace: Page) -> None:  # SESSION-2
        path = f"/grants/{grace.tokens['grant_id']}"
        headers = {"deputize-page": grace.proof("DELETE", path), "deputize-csrf": ""}
        assert (await bank.page().send("DELETE", path)).json()["code"] == "login_required"
        assert (await grace.send("DELETE", path, page=False, headers=headers)).status_code == 204
        again = await grace.send("DELETE", path, page=False, headers=headers)
        assert again.json()["code"] == "invalid_dpop_proof"
        assert (await grace.send("GET", path, page=False)).json()["state"] == "revoked"


class TestRevocation:
    async def test_bites_at_the_next_call_and_refresh(self, bank: Bank, grace: Page) -> None:  # GRANT-5
        grant = grace.tokens["grant_id"]
        assert (await grace.send("DELETE", f"/grants/{grant}", page=False)).status_code == 204
        assert (await grace.call("get_balance")).json()["code"] == "grant_revoked"
        assert (await grace.refresh()).json()["error"] == "invalid_grant"
        assert bank.entries()[-2]["kind"] == "grant.revoked"


class TestRenewal:
    async def test_gives_a_new_refresh_token_each_time(
        self, bank: Bank, grace: Page
    ) -> None:  # GRANT-6, TOKEN-4
        old = str(grace.tokens["refresh_token"])
        bank.clock.forward(299)
        assert (await grace.refresh()).status_code == 200
        assert grace.tokens["refresh_token"] != old
        assert (await grace.call("get_balance")).status_code == 200

    async def test_needs_the_grants_key(self, bank: Bank, grace: Page) -> None:  # GRANT-6
        thief = bank.page()
        thief.tokens = grace.tokens
        assert (await thief.refresh()).json()["error"] == "invalid_grant"
        assert (await grace.refresh()).status_code == 200

    async def test_ends_after_eight_hours(self, bank: Bank, grace: Page) -> None:  # TOKEN-4
        await grace.deputize("account:read", expires_in=86400)
        bank.clock.forward(8 * 3600 - 1)
        assert (await grace.refresh()).status_code == 200
        bank.clock.forward(8 * 3600)
        assert (await grace.refresh()).json()["error"] == "invalid_grant"

    async def test_errors_are_rfc_6749(self, bank: Bank, grace: Page) -> None:  # ERR-1
        for form, code in (
            ("grant_type=password", "unsupported_grant_type"),
            ("grant_type=refresh_token&grant_type=refresh_token", "invalid_request"),
            ("grant_type=refresh_token", "invalid_grant"),
            ("grant_type=refresh_token&refresh_token=x", "invalid_grant"),
            ("%zz&&", "invalid_request"),
        ):
            headers = {
                "dpop": grace.proof("POST", "/token"),
                "content-type": "application/x-www-form-urlencoded",
            }
            answer = await grace.http.post(f"{ISSUER}/token", content=form, headers=headers)
            assert (answer.status_code, answer.json()["error"]) == (400, code), form
            assert set(answer.json()) == {"error", "error_description"}


class TestDelegationToken:
    async def test_says_who_acts_for_whom(self, bank: Bank, grace: Page) -> None:  # TOKEN-2
        token = jwt.parse(str(grace.tokens["access_token"]))
        assert token.header["typ"] == "at+jwt"
        claims: dict[str, Any] = token.claims
        assert claims["iss"] == claims["aud"] == ISSUER
        assert claims["act"] == {"sub": claims["client_id"], "assurance": "opaque"}
        assert claims["exp"] - claims["iat"] == 300
        assert claims["sub"] == grace.tokens["sub"]
        assert claims["auth_time"] == int(bank.clock())
