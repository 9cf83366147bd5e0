"""Users, sessions, credentials over HTTP (PROTOCOL §2)."""

import secrets
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.bank import ISSUER, ORIGIN, Bank, Clock, opened

from deputize.app import SiteUser
from deputize.authority.authority import digest
from deputize.protocol.canonical import b64u
from deputize.protocol.ids import UserId
from deputize.protocol.policy import Policy
from deputize.service import credentials
from deputize.testing.authenticator import SoftAuthenticator
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

NAMES = {"nbsp": " Ada\u00a0L ", "blank": " ", "long": "x" * 65}


async def add_passkey(page: Page, authenticator: SoftAuthenticator) -> httpx2.Response:
    """Enroll a further passkey and stop before an existing one confirms it."""
    begun = await page.send("POST", "/credentials", page=False)
    assert begun.status_code == 200, begun.text
    response = authenticator.create(begun.json()["creationOptions"])
    path = f"/credentials/{begun.json()['challengeId']}"
    return await page.send("POST", path, {"response": response, "label": "Key"}, page=False)


class TestSignUp:
    async def test_makes_a_user_with_a_first_credential_and_a_session(self, bank: Bank) -> None:  # CRED-2
        page = bank.page()
        answer = await page.sign_up("Grace")
        assert answer.status_code == 200
        cookie = answer.headers["set-cookie"]
        for part in ("__Host-deputize=", "Path=/", "Secure", "HttpOnly", "SameSite=lax"):  # SESSION-1
            assert part in cookie
        assert (await page.configure())["user"]["name"] == "Grace"
        assert bank.last()["kind"] == "user.signed_up"

    @pytest.mark.parametrize("name", ["", "   ", "x" * 65, "a\nb", "a\u202eb"])
    async def test_refuses_names_that_could_not_be_shown(self, bank: Bank, name: str) -> None:
        answer = await bank.page().send("POST", "/account/sign-up", {"name": name}, page=False)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")

    async def test_needs_user_verification(self, bank: Bank) -> None:  # CRED-1
        answer = await bank.page(flags=0x01).sign_up()
        assert answer.json()["code"] == "verification_failed"

    async def test_a_challenge_is_used_once(self, bank: Bank) -> None:
        page = bank.page()
        begun = (await page.send("POST", "/account/sign-up", {"name": "A"}, page=False)).json()
        path = f"/account/sign-up/{begun['challengeId']}"
        answers = []
        for _ in range(2):
            response = page.authenticator.create(begun["creationOptions"])
            answers.append(await page.send("POST", path, {"response": response}, page=False))
        assert [answer.status_code for answer in answers] == [200, 409]
        assert answers[1].json()["code"] == "challenge_consumed"

    async def test_a_credential_id_is_enrolled_once_whoever_asks(self, bank: Bank) -> None:  # CRED-4
        page, other = bank.page(), bank.page()
        await page.sign_up()
        taken = next(iter(page.authenticator.keys.values())).credential_id
        begun = (await other.send("POST", "/account/sign-up", {"name": "B"}, page=False)).json()
        response = _with_id(other.authenticator, begun["creationOptions"], taken)
        path = f"/account/sign-up/{begun['challengeId']}"
        answer = await other.send("POST", path, {"response": response}, page=False)
        assert answer.json()["code"] == "credential_already_enrolled"


class TestSignIn:
    async def test_with_a_passkey_and_a_new_session_each_time(self, bank: Bank) -> None:  # SESSION-1
        page = bank.page()
        await page.sign_up()
        first = page.http.cookies["__Host-deputize"]
        assert (await page.sign_in()).status_code == 200
        assert page.http.cookies["__Host-deputize"] != first
        stolen = bank.page()
        stolen.http.cookies.set("__Host-deputize", first)
        assert (await stolen.configure())["user"] is None  # signing in ended the session before

    async def test_with_an_unknown_passkey_is_refused(self, bank: Bank) -> None:
        page = bank.page()
        await page.sign_up()
        begun = (await page.send("POST", "/account/sign-in", page=False)).json()
        stranger = SoftAuthenticator(ORIGIN)
        stranger.create({"user": {"id": b64u(b"x" * 32)}, "rp": {"id": "bank.example"}, "challenge": "AA"})
        answer = await page.send(
            "POST",
            f"/account/sign-in/{begun['challengeId']}",
            {"response": stranger.get(begun["requestOptions"])},
            page=False,
        )
        assert answer.json()["code"] == "unknown_credential"

    async def test_a_sign_up_challenge_signs_nobody_in(self, bank: Bank) -> None:
        page = bank.page()
        await page.sign_up()
        begun = (await page.send("POST", "/account/sign-up", {"name": "A"}, page=False)).json()
        options = {"rpId": "bank.example", "challenge": begun["creationOptions"]["challenge"]}
        answer = await page.send(
            "POST",
            f"/account/sign-in/{begun['challengeId']}",
            {"response": page.authenticator.get(options)},
            page=False,
        )
        assert answer.json()["code"] == "challenge_unknown"

    async def test_a_passkey_says_whose_it_is(self, bank: Bank) -> None:  # CRED-1; WebAuthn L3 §7.2 step 6
        page = bank.page()
        await page.sign_up()
        for handle in (None, "", b64u(b"somebody else")):
            begun = (await page.send("POST", "/account/sign-in", page=False)).json()
            response = page.authenticator.get(begun["requestOptions"])
            response["response"] = {**response["response"], "userHandle": handle}
            path = f"/account/sign-in/{begun['challengeId']}"
            answer = await page.send("POST", path, {"response": response}, page=False)
            assert answer.json()["code"] == "signature_verification_failed"
            assert "set-cookie" not in answer.headers
        assert (await page.sign_in()).status_code == 200


class TestSession:
    async def test_signing_out_ends_it_at_once(self, bank: Bank, grace: Page) -> None:  # SESSION-1
        cookie = grace.http.cookies["__Host-deputize"]
        assert (await grace.send("POST", "/account/sign-out", page=False)).status_code == 204
        grace.http.cookies.set("__Host-deputize", cookie, domain="bank.example", path="/")
        assert (await grace.configure())["user"] is None
        assert (await grace.call("get_balance")).json()["code"] == "login_required"

    async def test_expires_after_its_time(self, bank: Bank, grace: Page) -> None:
        bank.clock.forward(bank.deputize.policy.session_lifetime - 1)
        assert (await grace.configure())["user"] is not None
        bank.clock.forward(1)  # TOKEN-5
        assert (await grace.configure())["user"] is None

    async def test_a_forged_cookie_is_nobody(self, bank: Bank) -> None:
        page = bank.page()
        page.http.cookies.set("__Host-deputize", "WzEsImFhYWEiXQ.c2lnbmF0dXJl")
        assert (await page.configure())["user"] is None

    @pytest.mark.parametrize(
        "headers",
        [
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"origin": "https://bank.example.evil.example"},
            {"sec-fetch-site": "cross-site"},
            {"deputize-csrf": "forged"},
            {"deputize-csrf": ""},
        ],
    )
    async def test_another_site_changes_nothing(
        self, bank: Bank, grace: Page, headers: dict[str, str]
    ) -> None:
        # SESSION-2
        grant = grace.tokens["grant_id"]
        answer = await grace.send("DELETE", f"/grants/{grant}", headers=headers, page=False)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site_request")
        assert (await grace.call("get_balance")).status_code == 200

    async def test_the_csrf_token_is_the_users_own(self, bank: Bank, grace: Page) -> None:
        other = bank.page()
        await other.sign_up("Mallory")
        headers = {"deputize-csrf": other.csrf}
        answer = await grace.send(
            "DELETE", f"/grants/{grace.tokens['grant_id']}", headers=headers, page=False
        )
        assert answer.json()["code"] == "cross_site_request"


class TestFurtherCredentials:
    async def test_need_an_existing_one_and_are_useless_until_then(
        self, bank: Bank, grace: Page
    ) -> None:  # CRED-3
        new = SoftAuthenticator(ORIGIN, transports=("usb",))
        added = (await add_passkey(grace, new)).json()
        assert added["state"] == "pending"
        owned, grace.authenticator = grace.authenticator, new
        assert (await grace.sign_in()).json()["code"] == "unknown_credential"
        grace.authenticator = owned
        path = f"/credentials/{added['credential_id']}/approval"
        answer = await grace.send("POST", path, grace.evidence(added), page=False)
        assert answer.json() == {"credential_id": added["credential_id"], "state": "active"}
        grace.authenticator = new
        assert (await grace.sign_in()).status_code == 200

    async def test_are_removed_but_not_the_last(self, bank: Bank, grace: Page) -> None:
        only = next(iter(grace.authenticator.keys))
        answer = await grace.send("DELETE", f"/credentials/{only}", page=False)
        assert answer.json()["code"] == "call_state"
        added = (await add_passkey(grace, SoftAuthenticator(ORIGIN))).json()
        await grace.send(
            "POST", f"/credentials/{added['credential_id']}/approval", grace.evidence(added), page=False
        )
        assert (await grace.send("DELETE", f"/credentials/{only}", page=False)).status_code == 204
        assert (await grace.sign_in()).json()["code"] == "unknown_credential"


class TestRecovery:
    async def issue(self, bank: Bank, user: str) -> str:
        secret = secrets.token_bytes(32)
        now = int(bank.clock())
        refusal = await bank.deputize.store.transact(
            lambda tx: credentials.issue_recovery(tx, UserId(user), digest(secret), now)
        )
        assert refusal is None
        return b64u(secret)

    async def recover(self, bank: Bank, secret: str, page: Page | None = None) -> httpx2.Response:
        page = page or bank.page()
        begun = await page.send("POST", "/credentials", {"recovery": secret}, page=False)
        if begun.status_code != 200:
            return begun
        response = page.authenticator.create(begun.json()["creationOptions"])
        path = f"/credentials/{begun.json()['challengeId']}"
        answer = await page.send("POST", path, {"response": response}, page=False)
        assert answer.status_code != 200 or (await page.configure())["user"] is not None
        assert answer.status_code != 200 or (await page.sign_in()).status_code == 200
        return answer

    async def test_signs_in_here_and_nowhere_else(self, bank: Bank, grace: Page) -> None:  # CRED-5
        """Whoever has what was lost has a session, too."""
        eve, new = bank.page(), bank.page()
        await eve.sign_up("Eve")
        secret = await self.issue(bank, str(grace.tokens["sub"]))
        answer = await self.recover(bank, secret, new)
        told = answer.json()
        assert told == {"credential_id": told["credential_id"], "state": "active", "recovered": True}
        assert (await new.configure())["user"]["id"] == grace.tokens["sub"]
        assert (await grace.configure())["user"] is None
        assert (await eve.configure())["user"]["name"] == "Eve"
        page = (await new.http.get(f"{ISSUER}/account")).text
        assert "You are back in" in page
        user_id = UserId(grace.tokens["sub"])
        lost, _ = [
            each.credential_id for each in bank.deputize.store.look(lambda tx: tx.credentials(user_id))
        ]
        assert (await new.send("DELETE", f"/credentials/{lost}", page=False)).status_code == 204

    async def test_takes_the_place_of_who_was_signed_in_here(self, bank: Bank, grace: Page) -> None:
        eve = bank.page()
        await eve.sign_up("Eve")
        copied = dict(eve.http.cookies)
        secret = await self.issue(bank, str(grace.tokens["sub"]))
        eve.authenticator = SoftAuthenticator(ORIGIN)
        assert (await self.recover(bank, secret, eve)).status_code == 200
        assert (await eve.configure())["user"]["id"] == grace.tokens["sub"]
        old = httpx2.AsyncClient(transport=eve.http._transport, cookies=copied)
        assert (await old.get(f"{ISSUER}/tools")).json()["user"] is None

    @pytest.mark.parametrize("secret", ["", "x", "AAAA", "!" * 43])
    async def test_guesses_do_nothing(self, bank: Bank, secret: str) -> None:
        assert (await self.recover(bank, secret)).json()["code"] == "enrollment_not_allowed"


class TestTheSitesOwnLogin:
    @pytest.fixture
    async def site(self, tmp_path: Path, policy: Policy) -> object:
        signed_in_at = int(Clock()())

        def current_user(request: object) -> SiteUser | None:
            login = request.headers.get("x-login")  # type: ignore[attr-defined]  # a Starlette request
            return SiteUser(login, NAMES.get(login, login.title()), signed_in_at) if login else None

        async with opened(policy, tmp_path / "var", current_user=current_user) as bank:
            page = bank.page()
            page.http.headers["x-login"] = "ada"
            await page.configure()
            yield page, bank.clock

    async def test_enrolls_a_first_passkey_after_a_recent_sign_in(
        self, site: tuple[Page, Clock]
    ) -> None:  # CRED-2
        page, _ = site
        assert (await add_passkey(page, page.authenticator)).json()["state"] == "active"
        assert (await page.deputize("account:read")).status_code == 200
        assert (await page.call("get_balance")).status_code == 200

    async def test_ends_no_session_that_is_the_sites(self, site: tuple[Page, Clock]) -> None:  # SESSION-1
        page, _ = site
        answer = await page.send("POST", "/account/sign-out")
        assert (answer.status_code, answer.json()["detail"]) == (
            404,
            "Users sign up and in at the site itself.",
        )
        assert (await page.configure())["user"] is not None

    async def test_refuses_a_first_passkey_after_an_old_sign_in(
        self, site: tuple[Page, Clock]
    ) -> None:  # CRED-2
        page, clock = site
        for seconds in (300, -600):  # and, by a clock that went back, after one that is to come (CLOCK-1)
            clock.forward(seconds)
            await page.configure()
            answer = await page.send("POST", "/credentials", page=False)
            assert answer.json()["code"] == "enrollment_not_allowed"

    async def test_has_no_sign_up_of_ours(self, site: tuple[Page, Clock]) -> None:
        page, _ = site
        for path in ("/account/sign-up", "/account/sign-in"):
            answer = await page.send("POST", path, {"name": "A"} if path.endswith("up") else {}, page=False)
            assert answer.status_code == 404


def _with_id(
    authenticator: SoftAuthenticator, options: dict[str, Any], credential_id: bytes
) -> dict[str, Any]:
    """Answer creation options with a credential id of one's own choosing."""
    import os
    from unittest.mock import patch

    with patch.object(os, "urandom", lambda n: credential_id):
        return authenticator.create(options)


async def test_the_csrf_token_of_an_ended_session_is_none_of_the_next(
    bank: Bank, grace: Page
) -> None:  # SESSION-2
    old = grace.csrf
    await grace.sign_in()
    headers = {"deputize-csrf": old}
    answer = await grace.send("DELETE", f"/grants/{grace.tokens['grant_id']}", headers=headers, page=False)
    assert answer.json()["code"] == "cross_site_request"
    assert (await grace.send("DELETE", f"/grants/{grace.tokens['grant_id']}", page=False)).status_code == 204
