"""OAuth for attested agents, from the pushed request to the delegation (PROTOCOL §11; AGENT-4)."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest
from tests.bank import POLICY, Bank, opened
from tests.codes import Codes
from tests.fetching.strangers import Server, answer, serving
from tests.web.agents import (
    ALL,
    CALLBACK,
    DEVICE_CODE,
    EXCHANGE,
    HELPER,
    LOCAL,
    Client,
    error,
    new_key,
    seen,
    with_agents,
)

from deputize import settings
from deputize.agent import AgentKey
from deputize.crypto import client_assertion, jwt
from deputize.service import grants
from deputize.service.methods import Methods
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

ISSUER = f"{LOCAL}/deputize"
AUTHENTICATED = ["/par", "/token", "/device_authorization", "/introspect", "/revoke"]
PROVEN = ["/par", "/token", "/device_authorization"]
FORMS: dict[str, dict[str, str]] = {
    "/par": {},
    "/token": {"grant_type": DEVICE_CODE, "device_code": "x"},
    "/device_authorization": {"scope": ALL},
    "/introspect": {"token": "x"},
    "/revoke": {"token": "x"},
}


def path_of(page: httpx2.Response) -> str:
    """Return where the consent page sends its answer."""
    return "/authorize/" + page.text.partition('data-request="')[2].partition('"')[0]


async def post(client: Client, path: str, **more: Any) -> httpx2.Response:
    """Send a request that would be good, but for what the test makes of it."""
    if path == "/par":
        form = {
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": ALL,
            "code_challenge_method": "S256",
        }
        return await client.post(path, {**form, "code_challenge": "x" * 43}, **more)
    return await client.post(path, FORMS[path], **more)


class TestClients:
    """Who is at the door (OAUTH-1)."""

    @pytest.mark.parametrize("path", AUTHENTICATED)
    async def test_nobody_without_an_assertion(self, helper: Client, path: str) -> None:
        answer = await post(helper, path, assertion=None)
        assert (answer.status_code, error(answer)) == (400, "invalid_client")

    @pytest.mark.parametrize("path", AUTHENTICATED)
    @pytest.mark.parametrize(
        ("sent", "scheme"),
        [
            ("Basic aGVscGVyOnNlY3JldA==", "Basic"),
            ("basic x", "Basic"),
            ("Bearer x", "Bearer"),
            ("DPoP x", "DPoP"),
            ("aSecretOnItsOwn", "Basic"),
            ("Digest x", "Basic"),
            ("", "Basic"),
        ],
    )
    async def test_a_header_does_not_authenticate(
        self, helper: Client, path: str, sent: str, scheme: str
    ) -> None:  # RFC 6749 §5.2
        helper.http.headers["authorization"] = sent
        answer = await post(helper, path, assertion=None)
        assert (answer.status_code, error(answer)) == (401, "invalid_client")
        assert answer.headers["www-authenticate"] == f'{scheme} realm="deputize", error="invalid_client"'
        assert "scheme" not in answer.json()
        twice = await post(helper, path)  # RFC 6749 §2.3
        assert (twice.status_code, error(twice)) == (400, "invalid_request")

    @pytest.mark.parametrize("path", AUTHENTICATED)
    @pytest.mark.parametrize(
        "claims",
        [
            {"aud": f"{ISSUER}/token"},
            {"aud": [ISSUER]},
            {"aud": "https://other.example"},
            {"aud": None},
            {"exp": 1_800_000_000 - 30},
            {"exp": 1_800_000_061},
            {"exp": None},
            {"jti": None},
            {"iss": "https://errand.example/agent.json"},
            {"sub": "https://errand.example/agent.json"},
        ],
        ids=str,
    )
    async def test_assertions_that_are_not_for_this_are_refused(
        self, helper: Client, path: str, claims: dict[str, Any]
    ) -> None:
        answer = await post(helper, path, assertion=helper.assertion(**claims))
        assert error(answer) == "invalid_client"

    @pytest.mark.parametrize("path", AUTHENTICATED)
    async def test_an_assertion_is_good_once(self, helper: Client, path: str) -> None:
        await helper.par()  # so that there is a nonce
        assertion = helper.assertion()
        assert error(await post(helper, path, assertion=assertion)) != "invalid_client"
        assert error(await post(helper, path, assertion=assertion)) == "invalid_client"
        assert error(await post(helper, "/introspect", assertion=assertion)) == "invalid_client"

    @pytest.mark.parametrize("path", AUTHENTICATED)
    async def test_a_key_speaks_for_its_own_client_only(
        self, helper: Client, errand: Client, path: str
    ) -> None:
        helper.private = errand.private
        assert error(await post(helper, path)) == "invalid_client"
        assert error(await post(helper, path, assertion=errand.assertion())) == "invalid_client"

    @pytest.mark.parametrize("path", AUTHENTICATED)
    async def test_the_type_of_the_assertion_is_said(self, helper: Client, path: str) -> None:
        form = {
            **FORMS[path],
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer",
        }
        assert error(await helper.post(path, form)) == "invalid_client"

    @pytest.mark.parametrize(
        "client_id",
        [
            "https://stranger.example/agent.json",
            "agt_x",
            "http://localhost:1/agent.json",
            "https://agent.example",
            "",
        ],
    )
    async def test_nobody_whom_the_policy_does_not_name(self, local: Bank, client_id: str) -> None:  # AGENT-4
        assert error(await Client(local, client_id).par()) == "invalid_client"

    async def test_nobody_whom_the_owner_has_revoked(self, local: Bank, ada: Page, helper: Client) -> None:
        await helper.deputized(ada)
        await local.deputize.store.transact(lambda tx: grants.revoke_agent(tx, HELPER, helper.now))
        for path in AUTHENTICATED:
            assert error(await post(helper, path)) == "invalid_client"
        assert error(await helper.refresh()) == "invalid_client"
        assert error(await helper.call(ada, "get_balance")) == "unknown_agent"

    @pytest.mark.parametrize("path", AUTHENTICATED)
    @pytest.mark.parametrize(
        "content_type", ["application/json", "multipart/form-data", "", "application/x-www-form-urlencoded"]
    )
    async def test_a_form_and_nothing_else(self, helper: Client, path: str, content_type: str) -> None:
        twice = "a=1&a=2" if "urlencoded" in content_type else "{}"
        answer = await helper.http.post(
            ISSUER + path, content=twice, headers={"content-type": content_type, "dpop": helper.proof(path)}
        )
        assert (answer.status_code, error(answer)) == (400, "invalid_request")

    async def test_a_parameter_without_a_value_is_not_there(self, helper: Client) -> None:  # RFC 6749 §3.2
        blank = {"response_mode": "", "dpop_jkt": "", "state": "", "resource": ""}
        assert (await helper.par(**blank)).status_code == 201
        assert error(await helper.par(code_challenge="")) == "invalid_request"

    async def test_media_types_have_no_case(self, helper: Client) -> None:  # RFC 9110 §8.3.1
        form = {"content-type": "Application/X-WWW-Form-URLEncoded; charset=UTF-8"}
        answer = await helper.http.post(f"{ISSUER}/introspect", content=b"token=x", headers=form)
        assert error(answer) == "invalid_client"


class TestProofs:
    """The key that a delegation will be bound to (OAUTH-2)."""

    @pytest.mark.parametrize("path", PROVEN)
    async def test_a_proof_is_needed(self, helper: Client, path: str) -> None:
        assert error(await post(helper, path, proof=None)) == "invalid_dpop_proof"

    @pytest.mark.parametrize("path", PROVEN)
    @pytest.mark.parametrize("claims", [{}, {"nonce": ""}, {"nonce": "x"}], ids=str)
    async def test_a_nonce_is_needed_and_given(
        self, helper: Client, path: str, claims: dict[str, str]
    ) -> None:
        answer = await post(helper, path, proof=helper.proof(path, **claims))
        assert (answer.status_code, error(answer)) == (400, "use_dpop_nonce")
        again = await post(helper, path, proof=helper.proof(path, nonce=answer.headers["dpop-nonce"]))
        assert error(again) != "use_dpop_nonce"

    async def test_a_nonce_is_good_for_300_seconds(self, local: Bank, helper: Client) -> None:
        await helper.par()
        local.clock.forward(299)
        good = await post(helper, "/par", proof=helper.proof("/par", nonce=helper.nonce))
        local.clock.forward(1)
        stale = await post(helper, "/par", proof=helper.proof("/par", nonce=helper.nonce))
        assert (good.status_code, error(stale)) == (201, "use_dpop_nonce")

    async def test_a_nonce_of_another_server_or_purpose_is_none(self, local: Bank, helper: Client) -> None:
        forged = local.deputize.authority.sealer.seal("refresh", True)
        assert error(await post(helper, "/par", proof=helper.proof("/par", nonce=forged))) == "use_dpop_nonce"

    @pytest.mark.parametrize("path", PROVEN)
    async def test_a_proof_is_good_once_and_for_one_place(self, helper: Client, path: str) -> None:
        await helper.par()
        proof = helper.proof(path, nonce=helper.nonce)
        assert error(await post(helper, path, proof=proof)) != "invalid_dpop_proof"
        assert error(await post(helper, path, proof=proof)) == "invalid_dpop_proof"  # PROOF-2
        elsewhere = helper.proof("/introspect", nonce=helper.nonce)
        assert error(await post(helper, path, proof=elsewhere)) == "invalid_dpop_proof"


class TestPushing:
    """What may be asked for (OAUTH-3)."""

    async def test_is_answered_with_a_uri_of_90_seconds(self, helper: Client) -> None:
        pushed = await helper.par()
        assert (pushed.status_code, pushed.json()["expires_in"]) == (201, 90)
        assert pushed.json()["request_uri"].startswith("urn:ietf:params:oauth:request_uri:")
        assert "no-store" in pushed.headers["cache-control"]

    @pytest.mark.parametrize(
        ("changed", "code"),
        [
            ({"response_type": "token"}, "unsupported_response_type"),
            ({"response_type": None}, "unsupported_response_type"),
            ({"response_mode": "fragment"}, "unsupported_response_type"),
            ({"redirect_uri": "https://helper.example/callback/"}, "invalid_request"),
            ({"redirect_uri": "https://helper.example/elsewhere"}, "invalid_request"),
            ({"redirect_uri": "https://evil.example/callback"}, "invalid_request"),
            ({"redirect_uri": CALLBACK + "?x=1"}, "invalid_request"),
            ({"redirect_uri": "http://localhost:5000/callback"}, "invalid_request"),
            ({"redirect_uri": None}, "invalid_request"),
            ({"code_challenge": None}, "invalid_request"),
            ({"code_challenge": "short"}, "invalid_request"),
            ({"code_challenge_method": "plain"}, "invalid_request"),
            ({"code_challenge_method": None}, "invalid_request"),
            ({"dpop_jkt": "0" * 43}, "invalid_dpop_proof"),
            ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
            ({"request": "e30.e30."}, "invalid_request"),
            ({"scope": "account:delete"}, "invalid_scope"),
            ({"scope": "account:read  payments:write"}, "invalid_scope"),
            ({"scope": "account:admin"}, "invalid_scope"),  # above the ceiling of this agent
            ({"scope": ""}, "invalid_scope"),
            ({"resource": "https://evil.example"}, "invalid_target"),
        ],
        ids=str,
    )
    async def test_refuses_what_the_policy_or_the_document_does_not_allow(
        self, helper: Client, changed: dict[str, Any], code: str
    ) -> None:
        refused = await helper.par(**changed)
        assert (refused.status_code, error(refused)) == (400, code)

    async def test_who_does_not_say_for_what_asks_for_the_policys_default(
        self, ada: Page, helper: Client
    ) -> None:  # OAUTH-16; RFC 6749 §3.3
        assert (await helper.par(scope=None)).status_code == 201
        await helper.collect((await helper.asks(ada, None))["code"])
        assert helper.tokens["scope"] == "account:read"  # what does not write
        assert (await helper.post("/device_authorization", {})).status_code == 200

    @pytest.mark.parametrize("port", ["", ":1", ":65535"])
    async def test_any_port_of_a_loopback_redirect_will_do(self, helper: Client, port: str) -> None:
        assert (await helper.par(redirect_uri=f"http://127.0.0.1{port}/callback")).status_code == 201

    async def test_takes_the_thumbprint_of_the_proofs_key(self, helper: Client) -> None:
        assert (await helper.par(dpop_jkt=helper.key.thumbprint)).status_code == 201

    async def test_takes_the_thumbprint_instead_of_a_proof(
        self, ada: Page, helper: Client
    ) -> None:  # OAUTH-2
        there = await helper.page_url(proof=None, dpop_jkt=helper.key.thumbprint)
        agreed = (await ada.authorize(there)).json()
        code = dict(parse_qsl(urlsplit(agreed["redirect_to"]).query))["code"]
        refused = await helper.collect(code, by=new_key())
        assert error(refused) == "invalid_grant"
        assert (await helper.collect(code)).status_code == 200

    async def test_refuses_to_bind_to_what_is_no_key(self, helper: Client) -> None:  # OAUTH-2
        for thumbprint, code in (
            (None, "invalid_dpop_proof"),
            ("x", "invalid_request"),
            ("", "invalid_dpop_proof"),  # as if it were not there
        ):
            assert error(await helper.par(proof=None, dpop_jkt=thumbprint)) == code

    @pytest.mark.parametrize(
        "details",
        [
            '[{"type": "webmcp_tool", "tool": "note", "max_call": 1}]',
            '[{"type": "payment", "tool": "note"}]',
            '[{"type": "webmcp_tool", "tool": "nothing_here", "max_calls": 1}]',
            '[{"type": "webmcp_tool", "tool": "note", "max_calls": 0}]',
            '[{"type": "webmcp_tool", "tool": "note", "max_calls": 1, "max_calls": 2}]',
            '{"type": "webmcp_tool", "tool": "note"}',
            "[" + ",".join(['{"type": "webmcp_tool", "tool": "note"}'] * 17) + "]",
            "no json",
            "",
        ],
    )
    async def test_refuses_limits_that_it_does_not_know(self, helper: Client, details: str) -> None:  # CONS-1
        for path in ("/par", "/device_authorization"):
            form = {"authorization_details": details}
            refused = await (
                helper.par(**form) if path == "/par" else helper.post(path, {"scope": ALL, **form})
            )
            assert (refused.status_code, error(refused)) == (400, "invalid_authorization_details")


class TestTargets:
    """Where what is asked for shall be good (OAUTH-11)."""

    @pytest.mark.parametrize(
        "resource", [ISSUER, f"{ISSUER}/mcp", [ISSUER, f"{ISSUER}/mcp"], [ISSUER, ISSUER], ""]
    )
    async def test_this_authority_is_the_target(
        self, ada: Page, helper: Client, errand: Client, resource: Any
    ) -> None:
        agreed = (await ada.authorize(await helper.page_url(resource=resource))).json()
        code = dict(parse_qsl(urlsplit(agreed["redirect_to"]).query))["code"]
        assert (await helper.collect(code, resource=resource)).status_code == 200
        assert (await helper.refresh(resource=resource)).status_code == 200
        handed = await helper.hand_on(errand, resource=resource, audience=resource)
        assert handed.status_code == 200
        taken = await errand.take_over(handed.json()["access_token"], resource=resource, audience=resource)
        assert taken.status_code == 200
        asked = await helper.post("/device_authorization", {"scope": ALL, "resource": resource})
        assert asked.status_code == 200
        assert jwt.parse(helper.tokens["access_token"]).claims["aud"] == ISSUER  # TOKEN-2

    @pytest.mark.parametrize(
        "resource",
        [
            "https://evil.example",
            LOCAL,
            f"{ISSUER}/",
            f"{ISSUER}/calls",
            f"{ISSUER}#x",
            f"{ISSUER}?x",
            f"{ISSUER}/mcp/",
            f"{ISSUER} {ISSUER}/mcp",
            ISSUER.upper(),
            "/deputize/mcp",
            "mcp",
            [ISSUER, "https://evil.example"],
            ["https://evil.example", ISSUER],
        ],
        ids=str,
    )
    async def test_any_other_target_is_refused(
        self, ada: Page, helper: Client, errand: Client, resource: Any
    ) -> None:
        assert error(await helper.par(resource=resource)) == "invalid_target"
        said = await helper.asks(ada)
        for refused in (
            await helper.post("/device_authorization", {"scope": ALL, "resource": resource}),
            await helper.post("/token", {**FORMS["/token"], "resource": resource}),
            await helper.collect(said["code"], resource=resource),
        ):
            assert (refused.status_code, error(refused)) == (400, "invalid_target")
        assert (await helper.collect(said["code"])).status_code == 200  # nothing of it was used up
        handoff = (await helper.hand_on(errand)).json()["access_token"]
        for name in ("resource", "audience"):
            assert error(await helper.hand_on(errand, **{name: resource})) == "invalid_target"
            assert error(await errand.take_over(handoff, **{name: resource})) == "invalid_target"
        assert error(await helper.refresh(resource=resource)) == "invalid_target"
        await ada.deputize("account:read")
        assert error(await ada.refresh(resource=resource)) == "invalid_target"

    async def test_audience_is_a_word_of_token_exchange_only(self, ada: Page, helper: Client) -> None:
        await helper.deputized(ada)  # elsewhere it is unknown, and ignored (RFC 6749 §3.2)
        assert (await helper.refresh(audience="https://other.example")).status_code == 200

    async def test_nothing_else_may_be_repeated(self, helper: Client) -> None:  # RFC 6749 §3.2
        for name in ("scope", "client_id", "unknown"):
            twice: dict[str, Any] = {name: ["account:read", "account:read"]}
            refused = await helper.par(**twice)
            assert (refused.status_code, error(refused)) == (400, "invalid_request")


class TestPage:
    """Where the user decides (OAUTH-4)."""

    async def test_shows_who_asks_for_what(self, ada: Page, helper: Client) -> None:
        limits = [
            {"type": "webmcp_tool", "tool": "note", "max_calls": 2, "sum": {"/amount": 500}},
            {
                "type": "webmcp_tool",
                "tool": "transfer_money",
                "schema": {"properties": {"amount": {"maximum": 250}, "name": {"const": "<אדה>"}}},
            },
        ]
        page = await ada.http.get(await helper.page_url(ALL, limits))
        assert page.status_code == 200
        for text in (
            "<h1>Let an agent registered by Bank act for you?</h1>",
            "It has proved that it has the key which Bank registered.",
            f"Its id: {HELPER}",
            "See your accounts",
            "Send money",
            ">note</h3>",
            ">At most twice<",
            ">“amount”: at most 500 in all<",
            ">Make a transfer (transfer_money)</h3>",
            ">Amount in EUR: at most 250<",
            ">name: only “&lt;אדה&gt;”<",
            "The limits exactly as you sign them",
            "For 1 hour",
            "you go on to https://helper.example",
            "Ada Lovelace",
        ):
            assert text in seen(page.text)
        assert "only <bdi>“&lt;אדה&gt;”</bdi>" in page.text
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert page.headers["x-frame-options"] == "DENY"

    async def test_who_has_no_passkey_is_led_to_where_one_is_added(
        self, local: Bank, ada: Page, helper: Client
    ) -> None:
        (known,) = local.deputize.store.look(lambda tx: tx.credentials(tx.users()[0].user_id))
        await local.deputize.store.transact(
            lambda tx: tx.remove_credential(known.credential_id, known.user_id)
        )
        url = await helper.page_url()
        page = await ada.http.get(url)
        assert "nothing here yet that can allow this" in page.text
        back = urlencode({"return_to": url.removeprefix("http://localhost:8000")}).replace("&", "&amp;")
        assert f'<a href="{ISSUER}/account?{back}">Add a passkey</a>' in page.text
        assert "Allow with passkey" not in page.text
        assert (await ada.authorize(url, approve=False)).status_code == 200  # a no needs none

    async def test_who_has_no_passkey_but_another_method_is_asked_by_it(
        self, local: Bank, ada: Page, helper: Client
    ) -> None:  # APPR-9
        (known,) = local.deputize.store.look(lambda tx: tx.credentials(tx.users()[0].user_id))
        await local.deputize.store.transact(
            lambda tx: tx.remove_credential(known.credential_id, known.user_id)
        )
        local.deputize.authority.methods = Methods((*local.deputize.authority.methods, Codes()))
        page = await ada.http.get(await helper.page_url())
        assert 'id="allow" class="primary">Allow</button>' in page.text
        assert "passkey" not in page.text
        account = (await ada.http.get(f"{ISSUER}/account")).text
        assert "You have no passkey here yet." in account
        assert "cannot approve anything" not in account

    async def test_what_is_signed_has_the_limits_as_asked_for_and_what_they_come_to(
        self, local: Bank, ada: Page, helper: Client
    ) -> None:  # GRANT-1, GRANT-2
        limits = [{"type": "webmcp_tool", "tool": "transfer_money", "schema": {"required": ["name"]}}]
        await helper.deputized(ada, ALL, limits)
        grant = local.deputize.store.look(lambda tx: tx.grant(helper.tokens["grant_id"]))
        assert grant is not None
        must = {"is": "arguments", "place": [{"is": "member", "title": "name"}], "says": [{"is": "required"}]}
        said = {"limits": [must], "title": "Make a transfer", "tool": "transfer_money"}
        assert grant.shown["constraints"] == [said]
        assert grant.shown["authorization_details"] == limits
        assert grant.shown["agent"] == {"client_id": HELPER, "assurance": "registered", "name": "Helper"}

    async def test_the_text_beside_the_passkey_names_agent_and_limits(
        self, ada: Page, helper: Client
    ) -> None:
        page = await ada.http.get(
            await helper.page_url(ALL, [{"type": "webmcp_tool", "tool": "note", "max_calls": 1}])
        )
        path = path_of(page)
        minted = (await ada.send("POST", f"{path}/challenge", page=False)).json()
        assert minted["displayText"].split("\n")[1:10] == [
            "\u2068Helper\u2069 · registered by \u2068Bank\u2069",
            "It has proved that it has the key which \u2068Bank\u2069 registered.",
            f"Its id: \u2068{HELPER}\u2069",
            "At \u2068Bank\u2069 it may",
            "\u2068See your accounts\u2069 (\u2068account:read\u2069)",
            "\u2068Send money\u2069 (\u2068payments:write\u2069)",
            "Only within these limits",
            "\u2068note\u2069",
            "At most once",
        ]

    async def test_ends_in_a_redirect_with_code_state_and_issuer(self, ada: Page, helper: Client) -> None:
        answer = await ada.authorize(await helper.page_url())
        target = answer.json()["redirect_to"]
        said = dict(parse_qsl(urlsplit(target).query))
        assert target.startswith(CALLBACK + "?")
        assert (set(said), said["state"], said["iss"]) == ({"code", "state", "iss"}, "st", ISSUER)

    async def test_a_no_is_told_to_the_agent(self, local: Bank, ada: Page, helper: Client) -> None:
        url = await helper.page_url()
        answer = await ada.authorize(url, approve=False)
        said = dict(parse_qsl(urlsplit(answer.json()["redirect_to"]).query))
        described = said.pop("error_description")
        assert (said, described) == (
            {"error": "access_denied", "state": "st", "iss": ISSUER},
            "The user does not want this.",
        )
        assert local.last()["kind"] == "grant.declined"
        assert (await ada.authorize(url)).status_code == 400

    async def test_another_client_id_than_the_one_that_pushed(self, ada: Page, helper: Client) -> None:
        url = (await helper.page_url()).replace("helper.example", "errand.example")
        refused = await ada.authorize(url)
        assert (refused.status_code, "names another agent" in refused.text) == (400, True)

    @pytest.mark.parametrize(
        "request_uri", ["", "x", "urn:ietf:params:oauth:request_uri:x", "https://evil.example"]
    )
    async def test_a_request_that_nobody_pushed(self, ada: Page, request_uri: str) -> None:
        url = f"{ISSUER}/authorize?client_id={HELPER}&request_uri={request_uri}"
        assert (await ada.authorize(url)).status_code == 400

    async def test_a_request_uri_has_one_spelling(self, ada: Page, helper: Client) -> None:
        for spelled in ("", "urn:ietf:params:oauth:request-uri:"):
            url = (await helper.page_url()).replace("urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3A", spelled)
            assert (await ada.authorize(url)).status_code == 400

    async def test_parameters_count_only_as_they_were_pushed(self, ada: Page, helper: Client) -> None:
        more = "&redirect_uri=https://evil.example&scope=account:admin&state=evil"
        answer = await ada.authorize(await helper.page_url() + more)
        assert answer.json()["redirect_to"].startswith(CALLBACK + "?")
        assert "evil" not in answer.json()["redirect_to"]

    @pytest.mark.parametrize(("waited", "status"), [(89, 200), (90, 400)])
    async def test_the_browser_has_90_seconds_to_come(
        self, local: Bank, ada: Page, helper: Client, waited: int, status: int
    ) -> None:
        url = await helper.page_url()
        local.clock.forward(waited)
        assert (await ada.authorize(url)).status_code == status

    async def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(
        self, local: Bank, helper: Client
    ) -> None:
        url = await helper.page_url()
        answer = await local.page().http.get(url)
        assert answer.status_code == 303
        target = urlsplit(answer.headers["location"])
        assert target.path == "/deputize/account"
        assert dict(parse_qsl(target.query)) == {"return_to": url.removeprefix(LOCAL)}

    @pytest.mark.parametrize("step", ["challenge", "approval", "denial"])
    @pytest.mark.parametrize(
        "headers",
        [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"deputize-csrf": "x"}],
    )
    async def test_takes_nothing_from_another_site(
        self, ada: Page, helper: Client, step: str, headers: dict[str, str]
    ) -> None:  # SESSION-2
        page = await ada.http.get(await helper.page_url())
        path = f"{path_of(page)}/{step}"
        evidence: Any = {"method": "webauthn", "challengeId": "x", "response": {}}
        body = evidence if step == "approval" else {}
        refused = await ada.send("POST", path, body, headers, page=False)
        assert error(refused) == "cross_site_request"


class TestCodes:
    """What the redirect is worth (OAUTH-5)."""

    async def test_brings_a_delegation_of_the_agent(self, ada: Page, helper: Client) -> None:
        await helper.deputized(ada)
        claims = jwt.parse(helper.tokens["access_token"]).claims
        assert claims["act"] == {"sub": HELPER, "assurance": "registered"}
        assert claims["cnf"] == {"jkt": helper.key.thumbprint}
        assert (helper.tokens["token_type"], helper.tokens["scope"]) == ("DPoP", ALL)
        assert (await helper.call(ada, "get_balance")).status_code == 200

    async def test_the_limits_are_in_answer_and_token(self, ada: Page, helper: Client) -> None:  # RFC 9396 §7
        limits = [{"type": "webmcp_tool", "tool": "note", "max_calls": 1}]
        await helper.deputized(ada, ALL, limits)
        assert helper.tokens["authorization_details"] == limits
        assert jwt.parse(helper.tokens["access_token"]).claims["authorization_details"] == limits
        await helper.refresh()
        assert helper.tokens["authorization_details"] == limits

    async def test_collect_nothing_by_the_parameter_that_is_wrong(self, ada: Page, helper: Client) -> None:
        said = await helper.asks(ada)
        cases: list[tuple[dict[str, Any], str]] = [
            ({"redirect_uri": "http://127.0.0.1/callback"}, "invalid_grant"),
            ({"redirect_uri": None}, "invalid_request"),
            ({"code_verifier": "v" * 43}, "invalid_grant"),
            ({"code_verifier": None}, "invalid_request"),
            ({"code": "c" * 43}, "invalid_grant"),
            ({"code": None}, "invalid_request"),
            ({"authorization_details": "[]"}, "invalid_authorization_details"),
        ]
        for changed, code in cases:
            assert error(await helper.collect(**{"code": said["code"], **changed})) == code, changed
        assert error(await helper.collect(said["code"], by=new_key())) == "invalid_grant"
        assert (await helper.collect(said["code"])).status_code == 200  # nothing of it was used up

    async def test_replayed_by_eight_at_once_nobody_has_anything(
        self, local: Bank, ada: Page, helper: Client
    ) -> None:
        said = await helper.asks(ada)
        answers = await asyncio.gather(*(helper.collect(said["code"]) for _ in range(8)))
        won = [answer for answer in answers if answer.status_code == 200]
        assert len(won) == 1
        assert {error(answer) for answer in answers} == {None, "invalid_grant"}
        helper.tokens = won[0].json()
        assert error(await helper.call(ada, "get_balance")) == "grant_revoked"
        assert error(await helper.refresh()) == "invalid_grant"
        assert local.entries()[-2]["kind"] == "grant.revoked"

    async def test_scopes_beyond_the_grant_are_not_to_be_had_on_the_way(
        self, ada: Page, helper: Client
    ) -> None:
        said = await helper.asks(ada, "account:read")
        assert (await helper.collect(said["code"], scope=ALL)).json()["scope"] == "account:read"
        for scope in (ALL, "payments:write", "account:admin", "a  b"):
            assert error(await helper.refresh(scope=scope)) == "invalid_scope"
        assert (await helper.refresh(scope="account:read")).json()["scope"] == "account:read"
        assert error(await helper.refresh(authorization_details="[]")) == "invalid_authorization_details"


class TestRenewal:
    """What keeps a delegation alive (GRANT-6, TOKEN-4, OAUTH-1)."""

    async def test_needs_the_client(self, ada: Page, helper: Client, errand: Client) -> None:
        await helper.deputized(ada)
        form = {"grant_type": "refresh_token", "refresh_token": helper.tokens["refresh_token"]}
        assert error(await helper.post("/token", form, assertion=None)) == "invalid_client"
        assert error(await errand.post("/token", form, by=helper.private)) == "invalid_grant"
        assert (await helper.refresh()).status_code == 200

    async def test_needs_the_key(self, ada: Page, helper: Client) -> None:
        await helper.deputized(ada)
        assert error(await helper.refresh(by=new_key())) == "invalid_grant"
        assert (await helper.refresh()).status_code == 200

    async def test_a_page_cannot_renew_for_an_agent(self, ada: Page, helper: Client) -> None:
        await helper.deputized(ada)
        assert error(await ada.refresh(helper.tokens["refresh_token"])) == "invalid_client"

    @pytest.mark.parametrize("grant_type", ["password", "client_credentials", "", None, "implicit"])
    async def test_other_grant_types_are_unsupported(self, helper: Client, grant_type: str | None) -> None:
        assert error(await helper.post("/token", {"grant_type": grant_type})) == "unsupported_grant_type"


class TestAtOrigin:
    """Agents that are known by nothing but their own origin (AGENT-4, OAUTH-6, OAUTH-10)."""

    @pytest.fixture
    async def home(self) -> AsyncIterator["Home"]:
        here = Home()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(answer(json.dumps(here.document).encode(), "200 OK", "Cache-Control: max-age=3600"))
            await writer.drain()

        async with serving(serve) as here.server:
            here.publish()
            yield here

    @pytest.fixture
    async def bank(self, tmp_path: Path, home: "Home") -> AsyncIterator[Bank]:
        text = with_agents(POLICY, {}, f"http://localhost:{home.server.port}")
        async with opened(settings.loads(text.encode()), tmp_path / "var") as bank:
            yield bank

    @pytest.fixture
    async def user(self, bank: Bank) -> Page:
        page = bank.page()
        await page.sign_up("Ada Lovelace")
        return page

    async def test_agents_prove_that_they_are_of_their_origin(
        self, bank: Bank, user: Page, home: "Home"
    ) -> None:
        agent = home.agent(bank)
        page = await user.http.get(await agent.page_url())
        origin = f"http://localhost:{home.server.port}"
        assert f"<h1>Let {origin} act for you?</h1>" in seen(page.text)
        assert f'{origin}</strong> · <span class="claim">calls itself “' in seen(page.text)
        assert (
            "proved that it belongs there. Nobody has checked the name, and Bank does not vouch for it"
            in seen(page.text)
        )
        await agent.deputized(user)
        claims = jwt.parse(agent.tokens["access_token"]).claims
        assert claims["act"] == {"sub": home.server.url, "assurance": "origin"}
        assert (await agent.call(user, "get_balance")).status_code == 200

    async def test_say_which_grants_and_scopes_they_want(self, bank: Bank, user: Page, home: "Home") -> None:
        home.publish(grant_types=["authorization_code"], scope="account:read")
        agent = home.agent(bank)
        assert (
            error(await agent.post("/device_authorization", {"scope": "account:read"}))
            == "unauthorized_client"
        )
        assert error(await agent.par()) == "invalid_scope"
        assert (await agent.par("account:read")).status_code == 201

    async def test_without_the_code_grant_there_is_no_pushing(self, bank: Bank, home: "Home") -> None:
        home.publish(grant_types=[DEVICE_CODE, EXCHANGE], redirect_uris=[])
        assert error(await home.agent(bank).par()) == "unauthorized_client"

    @pytest.mark.parametrize(
        "said", [{"grant_types": ["authorization_code"]}, {"grant_types": []}, {"grant_types": None}]
    )
    async def test_who_does_not_say_so_gets_no_refresh_token(
        self, bank: Bank, user: Page, home: "Home", said: dict[str, Any]
    ) -> None:  # OAUTH-13; None: it says nothing (RFC 7591 §2)
        home.publish(**said)
        agent = home.agent(bank)
        await agent.deputized(user)
        assert "refresh_token" not in agent.tokens
        assert (await agent.call(user, "get_balance")).status_code == 200
        assert error(await agent.hand_on(agent)) == "unauthorized_client"
        device = await agent.post("/device_authorization", {"scope": "account:read"})
        assert error(device) == "unauthorized_client"

    async def test_who_does_not_say_so_any_more_does_not_renew(
        self, bank: Bank, user: Page, home: "Home"
    ) -> None:  # OAUTH-13
        agent = home.agent(bank)
        await agent.deputized(user)
        home.publish(grant_types=["authorization_code"])
        bank.clock.forward(6)
        assert error(await agent.collect("x")) == "invalid_grant"  # here the document is fetched again
        assert error(await agent.refresh()) == "unauthorized_client"
        assert error(await agent.hand_on(agent)) == "unauthorized_client"

    async def test_a_device_and_a_child_get_what_they_say(
        self, bank: Bank, user: Page, home: "Home"
    ) -> None:  # OAUTH-13
        home.publish(grant_types=[DEVICE_CODE, EXCHANGE], redirect_uris=[])
        agent = home.agent(bank)
        asked = (await agent.post("/device_authorization", {"scope": "account:read"})).json()
        assert (await user.authorize(asked["verification_uri_complete"])).status_code == 200
        form = {"grant_type": DEVICE_CODE, "device_code": asked["device_code"]}
        agent.tokens = (await agent.post("/token", form)).json()
        assert "refresh_token" not in agent.tokens
        child = Client(
            bank, home.server.url.rpartition("/")[0] + "/child.json", home.private
        )  # CHAIN-5: another
        home.publish(client_id=child.client_id, grant_types=[EXCHANGE], redirect_uris=[])
        handed = (await agent.hand_on(child)).json()
        taken = (await child.take_over(handed["access_token"])).json()
        assert (taken["scope"], "refresh_token" in taken) == ("account:read", False)

    @pytest.mark.parametrize(
        "change",
        [
            {"client_name": "Bank Support"},
            {"redirect_uris": ["https://helper.example/callback", "https://evil.example/callback"]},
            {"scope": ALL},
            {"client_uri": "/"},
            {"grant_types": ["authorization_code"]},
        ],
        ids=str,
    )
    async def test_a_document_that_changed_means_asking_again(
        self, bank: Bank, user: Page, home: "Home", change: dict[str, Any]
    ) -> None:  # OAUTH-6
        agent = home.agent(bank)
        said = await agent.asks(user)
        if change == {"client_uri": "/"}:
            change = {"client_uri": f"http://localhost:{home.server.port}/about"}
        home.publish(**change)
        bank.clock.forward(6)  # what is older than 5 s is fetched again
        assert error(await agent.collect(said["code"])) == "invalid_client"
        home.publish()
        bank.clock.forward(6)
        assert error(await agent.collect(said["code"])) == "invalid_grant"
        assert bank.last()["kind"] == "grant.revoked"

    async def test_a_key_that_left_the_document_opens_nothing(
        self, bank: Bank, user: Page, home: "Home"
    ) -> None:  # OAUTH-6
        agent = home.agent(bank)
        said = await agent.asks(user)
        home.private = new_key()
        home.publish()
        bank.clock.forward(6)
        assert error(await agent.collect(said["code"])) == "invalid_client"

    async def test_what_does_not_matter_may_change(self, bank: Bank, user: Page, home: "Home") -> None:
        agent = home.agent(bank)
        said = await agent.asks(user)
        home.publish(logo_uri="https://helper.example/new.png")
        bank.clock.forward(6)
        assert (await agent.collect(said["code"])).status_code == 200

    async def test_nobody_who_is_away_collects(self, bank: Bank, user: Page, home: "Home") -> None:
        agent = home.agent(bank)
        said = await agent.asks(user)
        home.document = None
        bank.clock.forward(6)
        assert error(await agent.collect(said["code"])) in ("invalid_client", "invalid_client_metadata")

    async def test_nobody_who_proves_nothing(self, bank: Bank, home: "Home") -> None:
        home.publish(token_endpoint_auth_method="none")
        assert error(await home.agent(bank).par()) == "invalid_client"


class Home:
    """An agent's own origin, on this machine, and what it publishes there."""

    def __init__(self) -> None:
        self.server = Server()
        self.private = new_key()
        self.document: Any = None

    def publish(self, **change: Any) -> None:
        said = {
            "client_id": self.server.url,
            "client_name": "Example Agent",
            "redirect_uris": [CALLBACK],
            "grant_types": ["authorization_code", "refresh_token", DEVICE_CODE, EXCHANGE],
            "token_endpoint_auth_method": "private_key_jwt",
            "jwks": {"keys": [AgentKey(self.private).public_jwk()]},
            **change,
        }
        self.document = {name: value for name, value in said.items() if value is not None}

    def agent(self, bank: Bank) -> Client:
        return Client(bank, self.server.url, self.private)


async def test_metadata_says_what_there_is(local: Bank) -> None:  # OAUTH-1 to OAUTH-4
    said = (await local.client().get("/.well-known/oauth-authorization-server/deputize")).json()
    assert said["issuer"] == ISSUER
    assert said["require_pushed_authorization_requests"] is True
    assert said["authorization_response_iss_parameter_supported"] is True
    assert said["client_id_metadata_document_supported"] is True
    for name in ("token", "introspection", "revocation"):  # RFC 8414 §2: required beside private_key_jwt
        assert said[f"{name}_endpoint_auth_methods_supported"] == ["private_key_jwt"]
        assert said[f"{name}_endpoint_auth_signing_alg_values_supported"] == ["ES256"]


async def test_every_clock_that_is_wrong_is_told(local: Bank, helper: Client) -> None:  # SHIM-3, for agents
    await helper.par()
    late = helper.assertion(iat=helper.now - 3600, exp=helper.now - 3540)
    answer = await post(helper, "/par", assertion=late)
    assert (error(answer), answer.json()["now"]) == ("invalid_client", helper.now)
    assert client_assertion.LIFETIME == 60
