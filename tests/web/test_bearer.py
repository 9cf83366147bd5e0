"""Delegations without a key, from the address to the refresh token (PROTOCOL §16)."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from tests.bank import POLICY, Bank, opened
from tests.web.agents import HELPER, LOCAL, Client, error, new_key, seen, with_agents
from tests.web.apps import CALLBACK, LOOPBACK, READ, App, Home, home, taken_back

from deputize import settings
from deputize.agent import AgentKey
from deputize.crypto import jwt
from deputize.fetching.clients import Clients
from deputize.service import grants
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
KEY = new_key()
BOTH = "account:read payments:write"


def policy(origin: str, more: str = "[mcp]\nbearer = true\n") -> Any:
    text = with_agents(POLICY, {HELPER: AgentKey(KEY)}, origin) + more
    return settings.loads(text.encode())


@pytest.fixture
def there() -> Iterator[Home]:
    with home() as there:
        yield there


@pytest.fixture
async def bank(tmp_path: Path, there: Home) -> AsyncIterator[Bank]:
    """Run a bank that takes apps of this home without keys."""
    async with opened(policy(there.origin), tmp_path / "var") as bank:
        bank.keys = {HELPER: KEY}
        yield bank


@pytest.fixture
async def ada(bank: Bank) -> Page:
    page = bank.page()
    assert (await page.sign_up("Ada Lovelace")).status_code == 200
    return page


@pytest.fixture
def app(bank: Bank, there: Home) -> App:
    return App(bank, there.publish())


class TestAsking:
    """BEARER-3: a request in the address itself."""

    async def test_it_becomes_a_request_as_if_it_had_been_pushed(
        self, bank: Bank, ada: Page, app: App
    ) -> None:
        where, query = taken_back(await app.arrives(ada))
        assert where == f"{bank.issuer}/authorize"
        assert set(query) == {"client_id", "request_uri"}
        said = await app.asks(ada)
        assert {**said, "code": ""} == {"code": "", "state": "st&=ate", "iss": bank.issuer}  # RFC 9207

    async def test_before_anybody_is_signed_in_nothing_is_fetched_stored_or_told(
        self, bank: Bank, there: Home, app: App
    ) -> None:
        stranger, return_to = bank.page(), ""
        for uri in (LOOPBACK, "https://evil.example"):
            where, query = taken_back(await app.arrives(stranger, redirect_uri=uri))
            assert where == f"{bank.issuer}/account"
            return_to = query["return_to"]
            assert return_to.startswith("/deputize/authorize?response_type=code&")
            assert (there.fetched, bank.entries()) == ([], [])
        await stranger.sign_up()
        answer = await stranger.http.get(bank.origin + return_to)  # as the account page goes on
        assert answer.status_code == 400
        assert "redirect_uri" in answer.text

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"response_type": None}, "unsupported_response_type"),
            ({"response_type": "token"}, "unsupported_response_type"),
            ({"response_mode": "fragment"}, "unsupported_response_type"),
            ({"request": "x"}, "invalid_request"),
            ({"code_challenge": None}, "invalid_request"),
            ({"code_challenge": "x" * 42}, "invalid_request"),
            ({"code_challenge_method": None}, "invalid_request"),
            ({"code_challenge_method": "plain"}, "invalid_request"),
            ({"dpop_jkt": "x" * 43}, "invalid_request"),
            ({"scope": ""}, "invalid_scope"),
            ({"scope": "no:such"}, "invalid_scope"),
            (
                {"scope": "account:read account:admin"},
                "invalid_scope",
            ),  # opaque agents may, but not of this origin
            ({"scope": "vault:open"}, "invalid_scope"),
            ({"resource": None}, "invalid_target"),
            ({"resource": f"{LOCAL}/deputize"}, "invalid_target"),
            ({"resource": f"{LOCAL}/deputize/mcp/"}, "invalid_target"),
            ({"resource": "https://evil.example/mcp"}, "invalid_target"),
            ({"resource": [f"{LOCAL}/deputize/mcp", f"{LOCAL}/deputize"]}, "invalid_target"),
            ({"authorization_details": "[{}]"}, "invalid_authorization_details"),
        ],
        ids=str,
    )
    async def test_what_is_wrong_is_told_where_the_answer_goes(
        self, bank: Bank, ada: Page, app: App, changed: dict[str, Any], code: str
    ) -> None:
        before = len(bank.entries())
        where, said = taken_back(await app.arrives(ada, **changed))
        described = said.pop("error_description")
        assert (where, said) == (LOOPBACK, {"error": code, "state": "st&=ate", "iss": bank.issuer})
        assert re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]{10,}", described)  # RFC 6749 §4.1.2.1
        assert len(bank.entries()) == before

    async def test_who_does_not_say_for_what_asks_for_what_does_not_write(
        self, bank: Bank, ada: Page, app: App
    ) -> None:  # OAUTH-16
        await app.deputized(ada, None)
        assert app.tokens["scope"] == "account:read"

    @pytest.mark.parametrize(
        "changed",
        [
            {"client_id": None},
            {"client_id": "agt_x"},
            {"client_id": "https://evil.example/app.json"},
            {"redirect_uri": None},
            {"redirect_uri": "https://evil.example/callback"},
            {"redirect_uri": "https://app.example/callback/"},
            {"redirect_uri": "https://app.example/callback?x=y"},
            {"redirect_uri": "https://app.example.evil.example/callback"},
            {"redirect_uri": "http://127.0.0.1:4711/callback/../evil"},
            {"redirect_uri": "http://127.0.0.1:4711@evil.example/callback"},
            {"redirect_uri": "http://localhost:4711/callback"},
            {"redirect_uri": "//evil.example"},
            {"redirect_uri": "javascript:alert(1)"},
            {"redirect_uri": [LOOPBACK, CALLBACK]},
            {"state": ["a", "b"]},
        ],
        ids=str,
    )
    async def test_nobody_is_sent_where_no_document_says(
        self, ada: Page, app: App, changed: dict[str, Any]
    ) -> None:
        """An open redirect is a gift to whoever wants to look like this site (RFC 9700 §4.11)."""
        answer = await app.arrives(ada, **changed)
        assert answer.status_code == 400
        assert "This link does not work" in answer.text
        assert "location" not in answer.headers

    @pytest.mark.parametrize(
        "change",
        [
            {"grant_types": ["refresh_token"]},
            {"client_secret": "x"},
            {"client_id": "https://other.example/app.json"},
            {"redirect_uris": [CALLBACK]},
        ],
        ids=str,
    )
    async def test_documents_that_do_not_fit_are_refused(
        self, ada: Page, app: App, there: Home, change: Any
    ) -> None:
        there.publish(**change)
        assert (await app.arrives(ada)).status_code == 400

    async def test_codes_do_not_go_to_schemes_that_any_app_may_claim(
        self, ada: Page, app: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Which only the document of a host with a name can register, and none is fetched by a test."""
        registered, find = "com.example.app:/callback", Clients.find

        async def found(*asked: Any, **others: Any) -> Any:
            client = await find(*asked, **others)
            uris = (*client.document.redirect_uris, registered)
            return replace(client, document=replace(client.document, redirect_uris=uris))

        monkeypatch.setattr(Clients, "find", found)
        answer = await app.arrives(ada, redirect_uri=registered)
        assert answer.status_code == 400
        assert "codes go to https and to this computer only" in answer.text
        assert (await app.arrives(ada)).status_code == 303

    @pytest.mark.parametrize("uri", [CALLBACK, "http://127.0.0.1:1/callback", "http://localhost:9/cb"])
    async def test_answers_go_where_the_document_says(self, ada: Page, app: App, uri: str) -> None:
        app.redirect_uri = uri
        await app.deputized(ada)

    @pytest.mark.parametrize("kind", ["iframe", "empty", "image", "script"])
    async def test_a_page_of_somebody_else_asks_nothing_behind_its_readers_back(
        self, bank: Bank, ada: Page, app: App, there: Home, kind: str
    ) -> None:
        """A site that uses its own login may have cookies that go with any request."""
        answer = await ada.http.get(app.url(), headers={"sec-fetch-dest": kind})
        assert (answer.status_code, there.fetched) == (400, [])
        seen = await ada.http.get(app.url(), headers={"sec-fetch-dest": "document"})
        assert seen.status_code == 303

    async def test_a_no_goes_there_too(self, bank: Bank, ada: Page, app: App) -> None:
        url = (await app.arrives(ada)).headers["location"]
        answer = await ada.authorize(url, approve=False)
        told = {"error": "access_denied", "error_description": "The user does not want this."}
        where = f"{LOOPBACK}?" + urlencode({**told, "state": "st&=ate", "iss": bank.issuer})
        assert answer.json()["redirect_to"] == where

    async def test_without_a_state_none_is_sent(self, ada: Page, app: App) -> None:
        assert set(await app.asks(ada, state=None)) == {"code", "iss"}

    async def test_an_agent_that_is_revoked_asks_in_vain(self, bank: Bank, ada: Page, app: App) -> None:
        await app.deputized(ada)
        await bank.deputize.store.transact(
            lambda tx: grants.revoke_agent(tx, app.client_id, int(bank.clock()))
        )
        _, said = taken_back(await app.arrives(ada))
        assert said["error"] == "unauthorized_client"
        assert error(await app.refresh()) == "invalid_client"

    async def test_a_request_that_is_not_answered_runs_out(self, bank: Bank, ada: Page, app: App) -> None:
        url = (await app.arrives(ada)).headers["location"]
        bank.clock.forward(90)
        assert (await ada.http.get(url)).status_code == 400


class TestConsent:
    """BEARER-6: in plain words."""

    async def shown(self, app: App, page: Page, **changed: Any) -> str:
        return seen((await page.http.get((await app.arrives(page, **changed)).headers["location"])).text)

    async def test_the_page_says_what_this_is(self, ada: Page, app: App) -> None:
        text = await self.shown(app, ada)
        for part in (
            "Let an app that does not prove who it is act for you?",
            "“Any App”",
            f"Its id: {app.client_id}",
            "It does not prove what it says: any app can say this",
            "Each call asks you",
            "you go on to an app on this computer (http://127.0.0.1:4711)",
            "See your accounts",
        ):
            assert part in text
        assert "has proved" not in text

    async def test_it_says_where_the_answer_goes(self, ada: Page, app: App) -> None:
        text = await self.shown(app, ada, redirect_uri=CALLBACK)
        assert "you go on to https://app.example." in text

    async def test_an_agent_with_a_key_that_leaves_it_out_is_not_shown_as_one_who_proved_it(
        self, ada: Page, app: App, there: Home
    ) -> None:
        """BEARER-2."""
        there.publish(
            token_endpoint_auth_method="private_key_jwt", jwks={"keys": [AgentKey(KEY).public_jwk()]}
        )
        text = await self.shown(app, ada)
        assert "does not prove who it is" in text
        assert "has proved" not in text

    async def test_it_is_signed_and_recorded(self, bank: Bank, ada: Page, app: App) -> None:
        await app.deputized(ada)
        assert (bank.last()["kind"], bank.last()["unproven"]) == ("grant.active", True)
        grant = bank.deputize.store.look(lambda tx: tx.grant(app.tokens["grant_id"]))
        assert grant is not None
        assert grant.shown["unproven"] is True
        assert grant.shown["agent"] == {
            "client_id": app.client_id,
            "assurance": "opaque",
            "name": "Any App",
        }

    async def test_the_account_page_tells_it_apart(self, bank: Bank, ada: Page, app: App) -> None:
        await app.deputized(ada)
        text = seen((await ada.http.get(f"{bank.issuer}/account")).text)
        assert "An app that does not prove who it is" in text
        assert f"Its id: {app.client_id}" in text
        assert "browser profile" not in text


class TestCollecting:
    """BEARER-1, BEARER-5: at `/token`."""

    async def test_a_bearer_token_without_a_key_is_issued(self, bank: Bank, ada: Page, app: App) -> None:
        await app.deputized(ada)
        assert (app.tokens["token_type"], app.tokens["scope"]) == ("Bearer", READ)
        claims = jwt.parse(app.tokens["access_token"]).claims
        assert "cnf" not in claims
        assert (claims["iss"], claims["aud"]) == (bank.issuer, f"{bank.issuer}/mcp")
        assert claims["act"] == {"sub": app.client_id, "assurance": "opaque"}
        assert int(str(claims["exp"])) - int(str(claims["iat"])) == 300
        assert (await app.send(LIST)).status_code == 200

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"code_verifier": "x" * 43}, "invalid_grant"),
            ({"code_verifier": None}, "invalid_request"),
            ({"redirect_uri": CALLBACK}, "invalid_grant"),
            ({"redirect_uri": None}, "invalid_request"),
            ({"code": "x"}, "invalid_grant"),
            ({"client_id": None}, "invalid_client"),
            ({"client_id": "https://evil.example/app.json"}, "invalid_client"),
            ({"client_assertion": "a.b.c"}, "invalid_client"),
            ({"resource": f"{LOCAL}/deputize"}, "invalid_target"),
            ({"resource": "https://evil.example"}, "invalid_target"),
        ],
        ids=str,
    )
    async def test_everything_has_to_be_as_it_was_asked(
        self, ada: Page, app: App, changed: dict[str, Any], code: str
    ) -> None:
        said = await app.asks(ada)
        assert error(await app.collect(said["code"], **changed)) == code
        assert (await app.collect(said["code"], resource=None)).status_code == 200  # nothing was burnt

    async def test_a_code_is_its_clients(self, ada: Page, app: App, there: Home, bank: Bank) -> None:
        said = await app.asks(ada)
        thief = App(bank, there.publish("thief"), verifier=app.verifier)
        assert error(await thief.collect(said["code"])) == "invalid_grant"

    async def test_a_code_is_good_once_and_not_for_long(self, bank: Bank, ada: Page, app: App) -> None:
        """OAUTH-5: also in a race."""
        said = await app.asks(ada)
        answers = await asyncio.gather(*(app.collect(said["code"]) for _ in range(6)))
        won = [answer.json() for answer in answers if answer.status_code == 200]
        assert len(won) == 1
        app.tokens = won[0]
        assert error(await app.refresh()) == "invalid_grant"
        assert (await app.send(LIST)).status_code == 401
        said = await app.asks(ada)
        bank.clock.forward(60)
        assert error(await app.collect(said["code"])) == "invalid_grant"

    async def test_a_client_with_a_key_proves_it(self, bank: Bank, ada: Page, app: App, there: Home) -> None:
        """BEARER-5, BEARER-2: it is no better known for that, since whoever has its token can use it."""
        there.publish(
            token_endpoint_auth_method="private_key_jwt", jwks={"keys": [AgentKey(KEY).public_jwk()]}
        )
        keyed = Client(bank, app.client_id, KEY)
        other = Client(bank, app.client_id)
        said = await app.asks(ada)
        assert error(await app.collect(said["code"])) == "invalid_client"
        assert error(await app.collect(said["code"], **keyed_form(other))) == "invalid_client"
        form = keyed_form(keyed)
        assert (await app.collect(said["code"], **form)).status_code == 200
        assert jwt.parse(app.tokens["access_token"]).claims["act"] == {
            "sub": app.client_id,
            "assurance": "opaque",
        }
        assert error(await app.refresh(**form)) == "invalid_client"  # an assertion is good once

    async def test_both_lives_of_one_agent_do_not_mix(
        self, bank: Bank, ada: Page, app: App, there: Home
    ) -> None:
        """BEARER-2: with its key it is what it was, and without stays what it is."""
        there.publish(
            token_endpoint_auth_method="private_key_jwt",
            jwks={"keys": [AgentKey(KEY).public_jwk()]},
        )
        keyed = await Client(bank, app.client_id, KEY, redirect_uri=CALLBACK).deputized(ada, BOTH)
        said = await app.asks(ada)
        assert (await keyed.call(ada, "confide")).status_code == 200  # closed to opaque agents
        assert (await app.collect(said["code"], **keyed_form(keyed))).status_code == 200
        assert (await keyed.call(ada, "confide")).status_code == 200
        await keyed.refresh()
        assert jwt.parse(keyed.tokens["access_token"]).claims["act"]["assurance"] == "origin"  # type: ignore[index,call-overload]  # as issued
        await app.refresh(**keyed_form(keyed))
        assert jwt.parse(app.tokens["access_token"]).claims["act"]["assurance"] == "opaque"  # type: ignore[index,call-overload]  # as issued
        assert (await app.send(LIST)).status_code == 200

    async def test_a_document_that_changed_means_asking_again(
        self, bank: Bank, ada: Page, app: App, there: Home
    ) -> None:
        """OAUTH-6."""
        said = await app.asks(ada)
        there.publish(client_name="Bank Support")
        bank.clock.forward(6)
        assert error(await app.collect(said["code"])) == "invalid_client"
        there.publish()
        bank.clock.forward(6)
        assert error(await app.collect(said["code"])) == "invalid_grant"

    async def test_limits_can_be_asked_for(self, ada: Page, app: App) -> None:
        """CONS-1."""
        details = [{"type": "webmcp_tool", "tool": "get_balance", "max_calls": 2}]
        await app.deputized(ada, authorization_details=json.dumps(details))
        assert app.tokens["authorization_details"] == details

    async def test_other_flows_need_a_key(self, ada: Page, app: App) -> None:
        await app.deputized(ada)
        exchange = {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": app.tokens["access_token"],
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "requested_actor": HELPER,
            "dpop_jkt": "x" * 43,
        }
        device = {"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": "x"}
        for path, form in (
            ("/token", exchange),
            ("/token", device),
            ("/par", {}),
            ("/device_authorization", {"scope": READ}),
            ("/introspect", {"token": app.tokens["access_token"]}),
        ):
            assert error(await app.post(path, form)) == "invalid_client"


async def test_an_agent_that_the_policy_registers_has_nothing_to_gain(bank: Bank, ada: Page) -> None:
    """BEARER-2: it may have what agents of its origin may, and the policy names no such origin."""
    known = App(bank, HELPER, "https://helper.example/callback")
    _, said = taken_back(await known.arrives(ada))
    assert said["error"] == "invalid_scope"


class TestKey:
    """BEARER-7: who has a key, though nobody vouches for it, gets what is bound to it."""

    @pytest.fixture
    async def bound(self, ada: Page, app: App) -> Client:
        return await self.bind(ada, app)

    async def bind(self, page: Page, app: App) -> Client:
        """Let an app get in that knows DPoP, and has no other way to say who it is."""
        bound = Client(app.bank, app.client_id, redirect_uri=app.redirect_uri)
        said = await app.asks(page, BOTH)
        answer = await self.collect(bound, app, said["code"], resource=app.mcp)
        assert answer.status_code == 200, answer.text
        app.tokens = bound.tokens
        return bound

    async def collect(self, bound: Client, app: App, code: str, **changed: Any) -> Any:
        form: dict[str, Any] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": app.redirect_uri,
        }
        form |= {"code_verifier": app.verifier, "client_assertion_type": None, **changed}
        answer = await bound.post("/token", form, assertion=None)
        bound.tokens = answer.json() if answer.status_code == 200 else bound.tokens
        return answer

    async def renew(self, bound: Client, **changed: Any) -> Any:
        form: dict[str, Any] = {"grant_type": "refresh_token", "refresh_token": bound.tokens["refresh_token"]}
        answer = await bound.post(
            "/token", {**form, "client_assertion_type": None}, assertion=None, **changed
        )
        bound.tokens = answer.json() if answer.status_code == 200 else bound.tokens
        return answer

    async def test_the_token_is_bound_and_for_mcp_only(self, bank: Bank, app: App, bound: Client) -> None:
        assert bound.tokens["token_type"] == "DPoP"
        claims = jwt.parse(bound.tokens["access_token"]).claims
        assert (claims["cnf"], claims["aud"]) == ({"jkt": bound.key.thumbprint}, f"{bank.issuer}/mcp")
        assert claims["act"] == {"sub": app.client_id, "assurance": "opaque"}
        assert (await over_mcp(bound)).status_code == 200
        assert (await over_mcp(bound, private=new_key())).status_code == 401
        assert (await app.send(LIST)).status_code == 401  # it is no bearer token
        assert (await app.send(LIST, "DPoP")).status_code == 401
        page = bank.page(bank.pages[0])
        assert error(await bound.call(page, "get_balance")) == "invalid_token"

    async def test_renewal_needs_the_key(self, bank: Bank, app: App, bound: Client) -> None:
        assert error(await app.refresh()) == "invalid_grant"
        assert error(await self.renew(bound, by=new_key())) == "invalid_grant"
        old = bound.tokens
        assert (await self.renew(bound)).json()["token_type"] == "DPoP"
        bound.tokens = old
        bank.clock.forward(59)
        assert (await self.renew(bound)).status_code == 200  # TOKEN-4: an answer that was lost

    async def test_a_document_may_want_nothing_else(
        self, bank: Bank, ada: Page, app: App, there: Home
    ) -> None:
        """RFC 9449 §5.2."""
        there.publish(dpop_bound_access_tokens=True)
        said = await app.asks(ada)
        assert error(await app.collect(said["code"])) == "invalid_dpop_proof"
        bound = Client(bank, app.client_id)
        assert error(await self.collect(bound, app, said["code"], resource=bank.issuer)) == "invalid_target"
        answer = await self.collect(bound, app, said["code"])
        assert (answer.status_code, answer.json()["token_type"]) == (200, "DPoP")

    async def test_turned_off_it_is_over_too(self, tmp_path: Path, there: Home) -> None:
        """BEARER-5."""
        async with opened(policy(there.origin), tmp_path / "var") as bank:
            page = bank.page()
            await page.sign_up()
            app = App(bank, there.publish())
            bound = await self.bind(page, app)
        async with opened(policy(there.origin, ""), tmp_path / "var") as bank:
            bound.bank, bound.http = bank, bank.client()
            assert (await over_mcp(bound)).status_code == 401
            assert error(await self.renew(bound)) == "invalid_client"

    async def test_turned_off_it_is_over_also_for_those_who_can_prove_who_they_are(
        self, tmp_path: Path, there: Home
    ) -> None:
        """BEARER-5: they have another way."""
        there.publish(
            token_endpoint_auth_method="private_key_jwt", jwks={"keys": [AgentKey(KEY).public_jwk()]}
        )
        async with opened(policy(there.origin), tmp_path / "var") as bank:
            page = bank.page()
            await page.sign_up()
            app = App(bank, f"{there.origin}/app.json")
            keyed = Client(bank, app.client_id, KEY, redirect_uri=app.redirect_uri)
            said = await app.asks(page)
            assert (await keyed.collect(said["code"], code_verifier=app.verifier)).status_code == 200
            said = await app.asks(page)
        async with opened(policy(there.origin, ""), tmp_path / "var") as bank:
            keyed.bank, keyed.http = bank, bank.client()
            assert error(await keyed.refresh()) == "invalid_grant"
            assert error(await keyed.collect(said["code"], code_verifier=app.verifier)) == "invalid_grant"

    async def test_who_once_proved_who_it_is_goes_on_doing_so(
        self, bank: Bank, ada: Page, app: App, there: Home
    ) -> None:
        """OAUTH-1: a document that says now that it proves nothing does not open what it had before."""
        keys = {"keys": [AgentKey(KEY).public_jwk()]}
        there.publish(token_endpoint_auth_method="private_key_jwt", jwks=keys)
        keyed = await Client(bank, app.client_id, KEY, redirect_uri=CALLBACK).deputized(ada)
        there.publish()
        bank.clock.forward(90)  # what is older than a minute is fetched again
        assert error(await self.renew(keyed)) == "invalid_grant"
        there.publish(token_endpoint_auth_method="private_key_jwt", jwks=keys)
        bank.clock.forward(90)
        assert (await keyed.refresh()).status_code == 200

    async def test_a_code_that_was_asked_for_with_a_key_is_not_collected_without(
        self, bank: Bank, ada: Page, app: App, there: Home
    ) -> None:
        """OAUTH-6: how an agent proves itself is a part of what the user was shown."""
        there.publish(
            token_endpoint_auth_method="private_key_jwt", jwks={"keys": [AgentKey(KEY).public_jwk()]}
        )
        keyed = Client(bank, app.client_id, KEY, redirect_uri=CALLBACK)
        said, app.redirect_uri = await keyed.asks(ada), CALLBACK
        app.verifier = keyed.verifier
        there.publish()
        bank.clock.forward(6)
        assert error(await self.collect(keyed, app, said["code"])) == "invalid_client"


class TestRenewal:
    """BEARER-5: a refresh token is good once."""

    async def test_a_refresh_token_rotates(self, bank: Bank, ada: Page, app: App) -> None:
        await app.deputized(ada)
        for _ in range(3):
            old = app.tokens
            bank.clock.forward(300)
            assert (await app.send(LIST)).status_code == 401
            assert (await app.refresh()).json()["token_type"] == "Bearer"
            assert app.tokens["refresh_token"] != old["refresh_token"]
            assert (await app.send(LIST)).status_code == 200

    async def test_a_refresh_token_is_its_clients(self, bank: Bank, ada: Page, app: App, there: Home) -> None:
        await app.deputized(ada)
        token = app.tokens["refresh_token"]
        thief = App(bank, there.publish("thief"), tokens=app.tokens)
        assert error(await thief.refresh()) == "invalid_grant"
        assert error(await app.refresh(client_id=None)) == "invalid_client"
        for resource in (f"{LOCAL}/deputize", "https://evil.example"):
            assert error(await app.refresh(resource=resource)) == "invalid_target"
        assert error(await app.refresh(scope=BOTH)) == "invalid_scope"
        assert (await app.refresh(refresh_token=token, resource=None)).status_code == 200

    async def test_a_bound_one_stays_bound(self, bank: Bank, ada: Page) -> None:
        """No downgrade: leaving the proof out gets nobody a bearer token."""
        helper = await bank.agent(HELPER).deputized(ada)
        form = {"grant_type": "refresh_token", "refresh_token": helper.tokens["refresh_token"]}
        assert error(await helper.post("/token", form, proof=None)) == "invalid_dpop_proof"
        said = await helper.asks(ada)
        assert error(await helper.collect(said["code"], client_assertion=None)) == "invalid_client"
        form = {"grant_type": "authorization_code", "code": said["code"], "redirect_uri": helper.redirect_uri}
        unproved = await helper.post("/token", {**form, "code_verifier": helper.verifier}, proof=None)
        assert error(unproved) == "invalid_dpop_proof"
        assert (await helper.collect(said["code"])).json()["token_type"] == "DPoP"

    async def test_nor_does_one_of_an_agent_whose_document_leaves_that_open(
        self, bank: Bank, ada: Page, app: App, there: Home
    ) -> None:
        there.publish(
            token_endpoint_auth_method="private_key_jwt", jwks={"keys": [AgentKey(KEY).public_jwk()]}
        )
        keyed = await Client(bank, app.client_id, KEY, redirect_uri=CALLBACK).deputized(ada)
        said, app.redirect_uri, app.verifier = await keyed.asks(ada), CALLBACK, keyed.verifier
        assert error(await app.collect(said["code"], **keyed_form(keyed))) == "invalid_grant"
        app.tokens = keyed.tokens
        assert error(await app.refresh(**keyed_form(keyed))) == "invalid_grant"
        assert (await keyed.collect(said["code"])).json()["token_type"] == "DPoP"

    async def test_an_app_may_give_it_back(self, bank: Bank, ada: Page, app: App, there: Home) -> None:
        """OAUTH-9."""
        for name in ("access_token", "refresh_token"):
            await app.deputized(ada)
            other = App(bank, there.publish("other"))
            await other.post("/revoke", {"token": app.tokens[name]})
            assert (await app.send(LIST)).status_code == 200
            assert (await app.post("/revoke", {"token": app.tokens[name]})).status_code == 200
            assert (await app.send(LIST)).status_code == 401

    async def test_introspection_knows_nothing_of_it(
        self, bank: Bank, ada: Page, app: App, there: Home
    ) -> None:
        """BEARER-1: there is no other resource that could have been given one."""
        there.publish(
            token_endpoint_auth_method="private_key_jwt", jwks={"keys": [AgentKey(KEY).public_jwk()]}
        )
        keyed = Client(bank, app.client_id, KEY)
        await app.collect((await app.asks(ada))["code"], **keyed_form(keyed))
        assert (await app.send(LIST)).status_code == 200
        answer = await keyed.introspect(app.tokens["access_token"])
        assert answer.json() == {"active": False}


class TestTheSetting:
    """BEARER-1, BEARER-5: only while the owner says so."""

    async def test_turned_off_everything_is_over(self, tmp_path: Path, there: Home) -> None:
        async with opened(policy(there.origin), tmp_path / "var") as bank:
            page = bank.page()
            await page.sign_up()
            app = await App(bank, there.publish()).deputized(page)
            waiting = await App(bank, app.client_id).asks(page)  # which ends the first
            open_page = (await app.arrives(page)).headers["location"]
            app = await App(bank, app.client_id).deputized(page)
        async with opened(policy(there.origin, ""), tmp_path / "var") as bank:
            app.bank, there.fetched[:] = bank, []
            answer = await app.send(LIST)
            assert answer.status_code == 401
            assert "Bearer" not in answer.headers["www-authenticate"]
            assert error(await app.refresh()) == "invalid_client"
            assert error(await app.collect(waiting["code"])) == "invalid_client"
            again = bank.page()
            again.authenticator = page.authenticator
            await again.sign_in()
            assert (await again.http.get(open_page)).status_code == 400
            refused = await app.arrives(again)
            assert refused.status_code == 400
            assert "this site takes no such apps" in refused.text

    async def test_an_origin_that_may_have_agents_no_more(self, tmp_path: Path, there: Home) -> None:
        async with opened(policy(there.origin), tmp_path / "var") as bank:
            page = bank.page()
            await page.sign_up()
            app = await App(bank, there.publish()).deputized(page)
        async with opened(policy("https://none.example"), tmp_path / "var") as bank:
            app.bank = bank
            assert error(await app.refresh()) == "invalid_client"

    @pytest.mark.parametrize("on", [True, False])
    async def test_the_metadata_are_true(self, tmp_path: Path, there: Home, on: bool) -> None:
        more = "[mcp]\nbearer = true\n" if on else ""
        async with opened(policy(there.origin, more), tmp_path / "var") as bank:
            http = bank.page().http
            root = f"{bank.origin}/.well-known"
            server = (await http.get(f"{root}/oauth-authorization-server/deputize")).json()
            assert server["require_pushed_authorization_requests"] is not on
            methods = ["private_key_jwt", "none"] if on else ["private_key_jwt"]
            assert server["token_endpoint_auth_methods_supported"] == methods
            assert server["revocation_endpoint_auth_methods_supported"] == methods
            assert server["introspection_endpoint_auth_methods_supported"] == ["private_key_jwt"]
            assert server["client_id_metadata_document_supported"] is True
            mcp = (await http.get(f"{root}/oauth-protected-resource/deputize/mcp")).json()
            assert mcp["dpop_bound_access_tokens_required"] is not on
            assert mcp["bearer_methods_supported"] == (["header"] if on else [])
            everything = ["account:admin", "account:read", "payments:write", "vault:open"]
            assert mcp["scopes_supported"] == (["account:read", "payments:write"] if on else everything)
            own = (await http.get(f"{root}/oauth-protected-resource/deputize")).json()
            assert own["dpop_bound_access_tokens_required"] is True
            assert own["bearer_methods_supported"] == []

    async def test_what_the_metadata_say_may_be_asked_for_may_be(
        self, bank: Bank, ada: Page, app: App
    ) -> None:
        url = f"{bank.origin}/.well-known/oauth-protected-resource/deputize/mcp"
        scopes = (await ada.http.get(url)).json()["scopes_supported"]
        await app.deputized(ada, " ".join(scopes))
        assert app.tokens["scope"] == " ".join(scopes)


async def test_a_user_cannot_be_brought_to_agree_by_an_address(bank: Bank, ada: Page, app: App) -> None:
    """BEARER-3: whatever the address says, the page asks (SESSION-2, GRANT-2)."""
    url = (await app.arrives(ada, prompt="none", approve="true")).headers["location"]
    text = (await ada.http.get(url)).text
    (request_id,) = [part.partition('"')[0] for part in text.split('data-request="')[1:]]
    path = f"/authorize/{quote(request_id)}"
    for headers in ({"origin": "https://evil.example"}, {"deputize-csrf": "x"}):
        assert (
            error(await ada.send("POST", f"{path}/challenge", {}, headers, page=False))
            == "cross_site_request"
        )
    other = bank.page()
    await other.sign_up("Mallory")
    assert error(await other.send("POST", f"{path}/challenge", page=False)) == "grant_unknown"


def keyed_form(client: Client) -> dict[str, Any]:
    """Return what authenticates a client with a key, without a proof."""
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    return {"client_assertion_type": kind, "client_assertion": client.assertion()}


async def over_mcp(client: Client, private: Any = None) -> Any:
    """Send one message with a proof."""
    token = client.tokens["access_token"]
    headers = {"authorization": f"DPoP {token}", "dpop": client.proof("/mcp", token, private)}
    return await client.http.post(
        f"{client.bank.issuer}/mcp", json=LIST, headers={**headers, "accept": "application/json"}
    )
