"""What an app without a key may do over MCP, and how little (PROTOCOL §16)."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from mcp.client.client import Client as McpClient
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from tests.web.agents import ERRAND, HELPER, LOCAL, seen
from tests.web.apps import App, Home, home
from tests.web.mcp.conftest import (
    ANNOTATION,
    CHAIN,
    EVIDENCE,
    LEGACY,
    LIST,
    MODERN,
    TRANSFER,
    Deputy,
    LiveBank,
    refused,
    serving,
)
from tests.web.mcp.conftest import POLICY as OFFERED
from tests.web.mcp.test_callers import call, code

from deputize.protocol.canonical import Json
from deputize.testing.page import Page

pytestmark = pytest.mark.anyio

BEGIN = {"jsonrpc": "2.0", "id": 1, "method": "approval/enroll/begin"}
SCOPES = "account:read payments:write"
POLICY = OFFERED.replace("[tools.confide]", f'[tools.confide]\nendpoint = "POST {LOCAL}/api/confide"')


@pytest.fixture(scope="module")
def there() -> Iterator[Home]:
    with home() as there:
        yield there


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, there: Home) -> Iterator[LiveBank]:
    """Serve a bank that takes apps without keys."""
    folder, policy = tmp_path_factory.mktemp("bank"), f"{POLICY}[mcp]\nbearer = true\n"
    with serving(folder, HELPER, ERRAND, policy=policy, apps_at=there.origin) as served:
        yield served


@pytest.fixture
async def ada(live: LiveBank) -> Page:
    return await live.user()


@pytest.fixture
async def app(live: LiveBank, ada: Page, there: Home) -> App:
    return await App(live, there.publish()).deputized(ada, SCOPES)


async def connect(live: LiveBank, page: Page, app: App, mode: str = LEGACY) -> Deputy:
    """Connect with the official client, which knows of the token and nothing else."""
    headers = {"authorization": f"Bearer {app.tokens['access_token']}"}
    http = await live.stack.enter_async_context(httpx2.AsyncClient(headers=headers))
    transport = streamable_http_client(live.url, http_client=http)
    client = await live.stack.enter_async_context(McpClient(transport, mode=mode, cache=None))
    agent: Any = app  # as far as these tests look at it
    return Deputy(live, page, agent, client)


@pytest.fixture
async def deputy(live: LiveBank, ada: Page, app: App) -> Deputy:
    return await connect(live, ada, app)


class TestSchemes:
    """BEARER-1: each kind of token under its own scheme."""

    async def test_a_token_without_a_key_is_a_bearer_token_only(self, live: LiveBank, app: App) -> None:
        assert (await app.send(LIST)).status_code == 200
        assert (await app.send(LIST, "bearer")).status_code == 200  # RFC 9110 §11.1: in any case
        token = app.tokens["access_token"]
        for scheme in ("DPoP", "Basic", "Token"):
            assert code(await app.send(LIST, scheme)) == (401, "invalid_token")
        proof = live.agent(HELPER).proof("/mcp", token)
        answer = await live.post(LIST, authorization=f"DPoP {token}", dpop=proof)
        assert code(answer) == (401, "invalid_token")

    async def test_a_token_with_a_key_is_none(self, live: LiveBank, ada: Page, app: App) -> None:
        """No downgrade of a bound one (RFC 9449 §7.1), also when it was seen as what it is before."""
        helper = await live.agent(HELPER).deputized(ada, SCOPES)
        for _ in range(2):
            assert (await live.post(LIST, helper)).status_code == 200
            assert code(await app.send(LIST, token=helper.tokens["access_token"])) == (401, "invalid_token")
        page_token = (await ada.deputize("account:read")).json()["access_token"]
        assert code(await app.send(LIST, token=page_token)) == (401, "invalid_token")

    async def test_it_is_good_nowhere_else(self, live: LiveBank, ada: Page, app: App) -> None:
        token = app.tokens["access_token"]
        helper = live.agent(HELPER)
        for _ in range(2):  # also when it was seen before
            assert (await app.send(LIST)).status_code == 200
            for scheme in ("Bearer", "DPoP"):
                body: dict[str, Json] = {"tool": "get_balance", "arguments": {}, "definition_s256": "x" * 43}
                for proof in (ada.proof("POST", "/calls", token), helper.proof("/calls", token)):
                    headers = {"authorization": f"{scheme} {token}", "dpop": proof}
                    answer = await ada.send("POST", "/calls", body, headers)
                    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")

    async def test_it_is_no_evidence(self, live: LiveBank, ada: Page, app: App) -> None:
        helper = await live.agent(HELPER).deputized(ada, SCOPES)
        helper.tokens, own = app.tokens, helper.tokens
        evidence = helper.evidence("get_balance")
        helper.tokens = own
        message = call("get_balance", **{EVIDENCE: evidence})
        assert code(await live.post(message, helper)) == (401, "invalid_token")
        assert code(await app.send(message)) == (401, "invalid_token")

    async def test_the_401_says_what_is_taken(self, live: LiveBank) -> None:
        answer = await live.post(LIST)
        url = f"{live.origin}/.well-known/oauth-protected-resource/deputize/mcp"
        scope = " ".join((await live.client().get(url)).json()["scopes_supported"])
        assert scope
        assert answer.headers["www-authenticate"] == (
            f'Bearer scope="{scope}", resource_metadata="{url}", '
            f'DPoP algs="ES256", scope="{scope}", resource_metadata="{url}"'
        )

    async def test_two_tokens_are_none(self, live: LiveBank, app: App) -> None:
        token = f"Bearer {app.tokens['access_token']}"
        async with httpx2.AsyncClient(timeout=30) as http:
            headers = [("authorization", token), ("authorization", token)]
            assert code(await http.post(live.url, json=LIST, headers=headers)) == (401, "invalid_token")


class TestApproval:
    """BEARER-4: every call asks."""

    @pytest.mark.parametrize("mode", [LEGACY, MODERN])
    async def test_every_tool_says_so_but_public_ones(
        self, live: LiveBank, ada: Page, app: App, mode: str
    ) -> None:
        tools = (await (await connect(live, ada, app, mode)).client.list_tools()).tools
        told = {tool.name: ((tool.meta or {}).get(ANNOTATION) or {}).get("required") for tool in tools}
        assert told == {**dict.fromkeys(told, "verified"), "search_help": None}
        assert {"get_balance", "note", "confide"} <= told.keys()
        classes = {
            tool.name: (tool.meta or {}).get(ANNOTATION, {}).get("authenticatorClass") for tool in tools
        }
        assert (classes["get_balance"], classes["close_account"]) == ("platform", "cross-platform")

    @pytest.mark.parametrize(
        ("tool", "arguments"),
        [
            ("get_balance", {}),
            ("note", {"text": "a"}),
            ("pay_bill", {"amount": 1}),
            ("transfer_money", TRANSFER),
        ],
    )
    async def test_nothing_runs_without_an_approval(
        self, live: LiveBank, deputy: Deputy, tool: str, arguments: Any
    ) -> None:
        """Whatever the policy says: never, always, or when."""
        async with refused("missing_evidence"):
            await deputy.call(tool, arguments)
        assert (live.ledger.done, live.ledger.calls) == ([], [])
        assert (live.last()["kind"], live.last()["via"]) == ("call.pending", "mcp")
        result = await deputy.approved(tool, arguments)
        assert not result.is_error
        assert result.meta is not None
        chain = result.meta[CHAIN]
        assert chain["agent"] == {"client_id": deputy.agent.client_id, "assurance": "opaque"}
        assert (chain["approval"]["method"], chain["state"]) == ("webauthn", "succeeded")
        entry = live.entries()[chain["entries"][0]]
        assert (entry["via"], entry["assurance"], entry["unproven"]) == ("mcp", "opaque", True)

    async def test_the_user_reads_afterward_who_it_was(
        self, live: LiveBank, ada: Page, deputy: Deputy
    ) -> None:
        """And is not told that it was the agent in the browser, nor that anything was proved."""
        await deputy.approved("note", {"text": "a"})
        text = seen((await ada.http.get(f"{live.issuer}/account")).text)
        assert "Asked by <strong>An app that does not prove who it is</strong> · " in text
        assert "The agent in your browser" not in text

    async def test_an_approval_is_for_one_call_of_these_arguments(
        self, live: LiveBank, deputy: Deputy
    ) -> None:
        evidence = deputy.evidence(await deputy.challenge("note", {"text": "a"}))
        async with refused("argument_hash_mismatch"):
            await deputy.call("note", {"text": "b"}, evidence)
        assert not (await deputy.call("note", {"text": "a"}, evidence)).is_error
        async with refused("challenge_consumed"):
            await deputy.call("note", {"text": "a"}, evidence)

    async def test_a_tool_without_words_is_shown_with_its_arguments(self, deputy: Deputy) -> None:
        """APPR-2."""
        envelope = await deputy.challenge("note", {"text": "to\u202e Bob", "n": 1})
        headline, *rows, asker = envelope["displayText"].split("\n")
        assert headline == "Use “note”?"
        assert rows == ["\u2068“text”\u2069: \u2068“to\ufffd Bob”\u2069", "\u2068“n”\u2069: \u20681\u2069"]
        assert asker.startswith("Asked by: An app that does not prove who it is · says it is ")
        headline, asker = (await deputy.challenge("get_balance", {}))["displayText"].split("\n")
        assert headline == "Use “get_balance”?"
        with pytest.raises(MCPError) as caught:  # never cut
            await deputy.challenge("note", {"text": "x" * 4000})
        assert caught.value.data["code"] == "invalid_arguments"

    async def test_public_tools_run_as_they_are(self, live: LiveBank, deputy: Deputy) -> None:
        entries = len(live.entries())
        assert not (await deputy.call("search_help", {})).is_error
        assert len(live.entries()) == entries
        async with refused("tool_not_approved_required"):
            await deputy.challenge("search_help", {})

    async def test_an_endpoint_of_the_site_is_behind_the_same_gate(
        self, live: LiveBank, deputy: Deputy
    ) -> None:
        async with refused("missing_evidence"):
            await deputy.call("order_card", {"name": "Ada"})
        assert not (await deputy.approved("order_card", {"name": "Ada"})).is_error
        assert live.ledger.done == [("order_card", {"name": "Ada"})]

    async def test_another_agents_evidence_changes_nothing_of_that(
        self, live: LiveBank, ada: Page, deputy: Deputy
    ) -> None:
        """MCP-3: what the list says holds for all that comes this way; the grant that decides is the other one's."""
        errand = await live.agent(ERRAND).deputized(ada, "payments:write")
        async with refused("missing_evidence"):
            await deputy.call("note", {"text": "a"}, **{EVIDENCE: errand.evidence("note", {"text": "a"})})
        said = {"toolName": "note", "arguments": {"text": "a"}}
        meta = {EVIDENCE: errand.evidence("note", {"text": "a"})}
        envelope = await deputy.send("approval/challenge/create", {**said, "_meta": meta})
        meta = {EVIDENCE: errand.evidence("note", {"text": "a"})}
        result = await deputy.call("note", {"text": "a"}, deputy.evidence(envelope), **meta)
        assert result.meta is not None
        assert result.meta[CHAIN]["agent"] == {"client_id": ERRAND, "assurance": "registered"}

    async def test_whoever_has_the_token_brings_no_passkey(
        self, live: LiveBank, deputy: Deputy, app: App
    ) -> None:
        """A thief could wait for the window, and from then on approve by himself."""
        await deputy.open_window()
        answer = await app.send(BEGIN)
        assert answer.json()["error"]["data"]["code"] == "enrollment_not_allowed"
        async with refused("no_pending_enrollment"):
            await deputy.send("approval/enroll/finish", {"response": {}})
        user = live.deputize.store.look(lambda tx: tx.user(app.tokens["sub"]))
        assert user is not None
        assert user.enrolls_until > live.clock.now  # the window is still the user's


class TestRights:
    """BEARER-2: no better known than an opaque agent, and no more allowed than one, nor than with a key."""

    async def test_what_is_closed_to_opaque_agents_is_closed_to_it(
        self, live: LiveBank, deputy: Deputy
    ) -> None:
        """AGENT-3: leaving the key out gains nothing."""
        with pytest.raises(MCPError) as caught:
            await deputy.challenge("confide", {})
        assert caught.value.data["code"] == "agent_not_allowed"
        assert caught.value.data["assurance"] == "opaque"
        result = await deputy.call("confide", {})
        assert result.structured_content is not None
        assert result.structured_content["code"] == "agent_not_allowed"

    async def test_a_missing_scope_is_a_step_up(self, live: LiveBank, ada: Page, there: Home) -> None:
        """MCP-7; RFC 6750 §3.1."""
        app = await App(live, there.publish()).deputized(ada, "account:read")
        answer = await app.send(call("note", {"text": "a"}))
        assert code(answer) == (403, "insufficient_scope")
        told = answer.headers["www-authenticate"]
        assert told.startswith(
            'Bearer error="insufficient_scope", scope="account:read payments:write", resource_'
        )
        await app.deputized(ada, SCOPES)
        deputy = await connect(live, ada, app)
        assert not (await deputy.approved("note", {"text": "a"})).is_error

    async def test_it_needs_no_session_and_takes_none(
        self, live: LiveBank, ada: Page, deputy: Deputy
    ) -> None:
        """It says itself whose it is; CALL-2 is for agents that live in a browser."""
        assert not (await deputy.approved("get_balance", {})).is_error
        assert live.ledger.calls[-1].user.name == "Ada Lovelace"

    @pytest.mark.parametrize("message", [LIST, call("get_balance"), call("search_help")])
    async def test_revocation_bites_at_the_next_message(self, live: LiveBank, app: App, message: Any) -> None:
        """GRANT-5."""
        await live.revoke(app.tokens["grant_id"])
        answer = await app.send(message)
        assert code(answer) == (401, "grant_revoked")
        assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')

    async def test_an_expired_token_is_401(self, live: LiveBank, app: App) -> None:
        live.clock.forward(300)
        assert code(await app.send(LIST)) == (401, "invalid_token")
        await app.refresh()
        assert (await app.send(LIST)).status_code == 200

    async def test_other_sites_do_not_send_it(self, live: LiveBank, app: App) -> None:
        """MCP-1."""
        token = f"Bearer {app.tokens['access_token']}"
        answer = await live.post(LIST, authorization=token, origin="https://evil.example")
        assert code(answer) == (403, "cross_site_request")
