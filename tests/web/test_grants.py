"""Agents, consent, grants, renewal over HTTP (PROTOCOL §4)."""

from typing import Any

import pytest
from tests.bank import ISSUER, Bank

from deputize.crypto import jwt
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio


class TestAgents:
    async def test_the_same_user_and_key_get_the_same_id(self, bank: Bank, grace: Page) -> None:  # AGENT-1
        first = (await grace.send("POST", "/agents")).json()
        assert first["assurance"] == "opaque"
        assert (await grace.send("POST", "/agents")).json() == first

    async def test_a_key_belongs_to_one_user(self, bank: Bank, grace: Page) -> None:  # AGENT-1
        mallory = bank.page()
        await mallory.sign_up("Mallory")
        mallory.key = grace.key
        assert (await mallory.send("POST", "/agents")).json()["code"] == "unknown_agent"

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

    @pytest.mark.parametrize(
        ("scope", "code"),
        [
            ("account:delete", "invalid_scope"),
            ("", "invalid_scope"),
            ("account:read  account:read", "invalid_scope"),
            ("vault:open", "agent_not_allowed"),  # AGENT-2
        ],
    )
    async def test_refuses_scopes_that_nobody_may_ask_for(
        self, bank: Bank, grace: Page, scope: str, code: str
    ) -> None:
        assert (await grace.send("POST", "/grants", {"scope": scope})).json()["code"] == code

    async def test_nobody_is_asked_who_could_not_answer(self, bank: Bank, grace: Page) -> None:  # GRANT-1
        (known,) = bank.deputize.store.look(lambda tx: tx.credentials(tx.users()[0].user_id))
        await bank.deputize.store.transact(
            lambda tx: tx.remove_credential(known.credential_id, known.user_id)
        )
        asked = await grace.send("POST", "/grants", {"scope": "account:admin"})
        assert (asked.status_code, asked.json()["code"]) == (403, "no_eligible_credential")
        assert "can be added on the account page" in asked.json()["detail"]
        assert (bank.last()["kind"], bank.last()["code"]) == ("grant.refused", "no_eligible_credential")
        assert (await grace.call("get_balance")).status_code == 200  # what was given stays

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

    async def test_that_nobody_gives_runs_out(self, bank: Bank, grace: Page) -> None:  # GRANT-4
        asked = (await grace.send("POST", "/grants", {"scope": "account:admin"})).json()
        bank.clock.forward(600)
        assert (await grace.consent(asked["grant_id"])).json()["code"] == "expired"

    async def test_a_consent_for_one_grant_is_none_for_another(
        self, bank: Bank, grace: Page
    ) -> None:  # GRANT-2
        ids = [
            (await grace.send("POST", "/grants", {"scope": s})).json()["grant_id"]
            for s in ("account:read", "account:admin")
        ]
        minted = (await grace.send("POST", f"/grants/{ids[0]}/challenge")).json()
        answer = await grace.send("POST", f"/grants/{ids[1]}/approval", grace.evidence(minted))
        assert answer.json()["code"] == "challenge_unknown"

    async def test_nobody_else_can_give_it(self, bank: Bank, grace: Page) -> None:
        asked = (await grace.send("POST", "/grants", {"scope": "account:admin"})).json()
        mallory = bank.page()
        await mallory.sign_up("Mallory")
        await mallory.send("POST", "/agents")
        assert (await mallory.consent(asked["grant_id"])).json()["code"] == "grant_unknown"
        tab = bank.page(same_browser_as=grace)  # the same user, another page key
        assert (await tab.consent(asked["grant_id"])).json()["code"] == "grant_unknown"


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

    async def test_is_for_ones_own(self, bank: Bank, grace: Page) -> None:
        mallory = bank.page()
        await mallory.sign_up("Mallory")
        answer = await mallory.send("DELETE", f"/grants/{grace.tokens['grant_id']}", page=False)
        assert answer.json()["code"] == "grant_unknown"
        assert (await grace.call("get_balance")).status_code == 200


class TestRenewal:
    async def test_gives_a_new_refresh_token_each_time(
        self, bank: Bank, grace: Page
    ) -> None:  # GRANT-6, TOKEN-4
        old = str(grace.tokens["refresh_token"])
        bank.clock.forward(299)
        assert (await grace.refresh()).status_code == 200
        assert grace.tokens["refresh_token"] != old
        assert (await grace.call("get_balance")).status_code == 200

    async def test_honors_the_previous_one_for_a_lost_answer(
        self, bank: Bank, grace: Page
    ) -> None:  # TOKEN-4
        lost = str(grace.tokens["refresh_token"])
        assert (await grace.refresh(lost)).status_code == 200
        bank.clock.forward(59)
        assert (await grace.refresh(lost)).status_code == 200

    @pytest.mark.parametrize(("rotations", "wait"), [(1, 60), (2, 0)])
    async def test_an_older_one_revokes_the_grant(
        self, bank: Bank, grace: Page, rotations: int, wait: int
    ) -> None:
        old = str(grace.tokens["refresh_token"])  # TOKEN-4
        for _ in range(rotations):
            await grace.refresh()
        bank.clock.forward(wait)
        assert (await grace.refresh(old)).json()["error"] == "invalid_grant"
        assert (await grace.call("get_balance")).json()["code"] == "grant_revoked"

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

    @pytest.mark.parametrize(
        ("form", "error"),
        [
            ("grant_type=password", "unsupported_grant_type"),
            ("grant_type=refresh_token&grant_type=refresh_token", "invalid_request"),
            ("grant_type=refresh_token", "invalid_grant"),
            ("grant_type=refresh_token&refresh_token=x", "invalid_grant"),
            ("%zz&&", "invalid_request"),
        ],
    )
    async def test_errors_are_rfc_6749(self, bank: Bank, grace: Page, form: str, error: str) -> None:  # ERR-1
        answer = await grace.http.post(
            f"{ISSUER}/token",
            content=form,
            headers={
                "dpop": grace.proof("POST", "/token"),
                "content-type": "application/x-www-form-urlencoded",
            },
        )
        assert (answer.status_code, answer.json()["error"]) == (400, error)
        assert set(answer.json()) == {"error", "error_description"}

    async def test_a_refused_client_id_does_not_rotate(self, bank: Bank, grace: Page) -> None:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": grace.tokens["refresh_token"],
            "client_id": "agt_x",
        }
        headers = {"dpop": grace.proof("POST", "/token")}
        answer = await grace.http.post(f"{ISSUER}/token", data=form, headers=headers)
        assert answer.json()["error"] == "invalid_grant"


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
