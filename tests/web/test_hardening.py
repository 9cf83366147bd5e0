"""What holds for every answer: headers, redirects, errors, metadata, operations (PROTOCOL §2, §8)."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from tests.bank import ISSUER, ORIGIN, POLICY, Bank, mounted, opened

from deputize import settings
from deputize.app import build
from deputize.log.log import Log
from deputize.protocol.policy import Policy
from deputize.testing.page import Page
from deputize.web.hardening import LocalhostRedirect

pytestmark = pytest.mark.anyio


class TestHeaders:
    @pytest.mark.parametrize("alone", [False, True])
    @pytest.mark.parametrize(
        "path",
        [
            *("/account", "/tools", "/nothing", "/healthz", "/jwks.json", ""),
            *(f"{ORIGIN}/.well-known/oauth-authorization-server/deputize{end}" for end in ("", "/")),
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "PUT"])
    async def test_are_on_every_answer(
        self, bank: Bank, path: str, method: str, alone: bool, tmp_path: Path
    ) -> None:
        app = build(settings.loads(POLICY.encode()), tmp_path / "alone") if alone else mounted(bank.deputize)
        transport = httpx2.ASGITransport(app)
        url = path if path.startswith(ORIGIN) else ISSUER + path
        async with httpx2.AsyncClient(transport=transport) as http:
            answer = await http.request(method, url)
        headers = answer.headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "require-trusted-types-for 'script'" in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["strict-transport-security"].startswith("max-age=")
        assert headers["origin-agent-cluster"] == "?1"

    async def test_the_account_page_has_nothing_inline(self, bank: Bank, grace: Page) -> None:
        for client in (bank.client(), grace.http):
            page = (await client.get(f"{ISSUER}/account")).text
            assert "<style" not in page
            assert " style=" not in page
            assert "onclick" not in page

    async def test_names_are_escaped(self, bank: Bank) -> None:
        page = bank.page()
        await page.sign_up("<img src=x>")
        assert "<img" not in (await page.http.get(f"{ISSUER}/account")).text


class TestLocalhost:
    """SESSION-3."""

    OPENED: ClassVar = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}  # as browsers open a page

    @pytest.fixture
    def site(self) -> httpx2.AsyncClient:
        app = Starlette(
            routes=[Route("/a", lambda r: PlainTextResponse("a"), methods=["GET", "HEAD", "POST"])]
        )
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(LocalhostRedirect(app)))

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    @pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
    async def test_pages_are_opened_by_name(self, site: httpx2.AsyncClient, host: str, method: str) -> None:
        answer = await site.request(method, f"http://{host}:8000/a?b=c", headers=self.OPENED)
        assert (answer.status_code, answer.headers["location"]) == (307, "http://localhost:8000/a?b=c")
        assert (await site.get("http://localhost:8000/a", headers=self.OPENED)).text == "a"

    @pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
    async def test_what_needs_no_cookie_is_answered_where_it_is(
        self, site: httpx2.AsyncClient, bank: Bank, host: str
    ) -> None:
        assert (await site.get(f"http://{host}:8000/a")).text == "a"
        assert (await site.post(f"http://{host}:8000/a", headers=self.OPENED)).text == "a"
        here = bank.client()
        expected = {"GET /healthz": 200, "GET /jwks.json": 200, "POST /mcp": 415, "POST /token": 400}
        for request, status in expected.items():
            method, path = request.split()
            answer = await here.request(method, f"http://{host}:8000/deputize{path}")
            assert answer.status_code == status, request

    async def test_a_proxy_may_call_the_authority_by_its_number(self, bank: Bank) -> None:
        headers = {**self.OPENED, "host": "127.0.0.1:8000"}
        assert (await bank.client().get(f"{ISSUER}/account", headers=headers)).status_code == 200

    @pytest.mark.parametrize("host", ["127.0.0.1.example", "127.0.0.1:1@evil.example", "[::1]@evil.example"])
    async def test_no_other_host_is_led_anywhere(self, bank: Bank, host: str) -> None:
        answer = await bank.client().get(f"{ISSUER}/account", headers={**self.OPENED, "host": host})
        assert answer.status_code == 200


class TestErrors:
    @pytest.mark.parametrize(
        ("method", "path", "status", "code"),
        [("GET", "/nothing", 404, "not_found"), ("PUT", "/calls", 405, "method_not_allowed")],
    )
    async def test_refusals_are_problems(
        self, bank: Bank, method: str, path: str, status: int, code: str
    ) -> None:  # ERR-1
        answer = await bank.client().request(method, ISSUER + path)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"
        assert {"type", "title", "status", "detail", "code"} <= set(answer.json())

    async def test_the_unforeseen_tells_nothing_but_is_noted(
        self, bank: Bank, grace: Page, monkeypatch: pytest.MonkeyPatch
    ) -> None:  # ERR-3
        async def fail(_fn: object) -> None:
            raise RuntimeError("the secret is 42")

        monkeypatch.setattr(bank.deputize.store, "transact", fail)
        answer = await grace.call("get_balance")
        assert (answer.status_code, answer.json()["code"]) == (500, "server_error")
        assert "42" not in answer.text
        counted = (await bank.client().get(f"{ISSUER}/metrics")).text
        assert 'deputize_refusals_total{code="server_error"} 1.0' in counted

    async def test_no_secret_reaches_the_log(self, tmp_path: Path, policy: Policy) -> None:  # ERR-3
        file = tmp_path / "log"
        with file.open("wb") as stream:
            async with opened(policy, tmp_path / "var", Log(stream)) as bank:
                page = bank.page()
                await page.sign_up()
                await page.deputize("account:read payments:write")
                call = (await page.call("get_balance")).json()
                await page.refresh()
                bad = {"authorization": f"DPoP {page.tokens['access_token']}x", "dpop": "x"}
                await page.send("POST", "/calls", {"tool": "a", "arguments": {}, "definition_s256": "x"}, bad)
        text = file.read_text()
        assert call["call_id"] in text
        secrets = [
            call["call_token"],
            *(str(page.tokens[n]) for n in ("access_token", "refresh_token")),
            page.csrf,
        ]
        for secret in secrets:
            assert secret not in text
        logging.shutdown()


class TestOperations:
    async def test_health_and_metrics_are_told(self, bank: Bank, grace: Page) -> None:
        await grace.call("get_balance")
        await grace.call("steal")
        assert (await grace.http.get(f"{ISSUER}/healthz")).text == "ok\n"
        assert (await grace.http.get(f"{ISSUER}/readyz")).text == "ready\n"
        metrics = (await grace.http.get(f"{ISSUER}/metrics")).text
        assert 'deputize_calls_total{code="",state="approved"} 1.0' in metrics
        assert 'deputize_calls_total{code="unknown_tool",state="denied"} 1.0' in metrics

    async def test_a_checkpoint_is_signed_and_kept(self, bank: Bank, grace: Page) -> None:  # LOG-3
        note = (await grace.http.get(f"{ISSUER}/log/checkpoint")).text
        origin, size, *_ = note.splitlines()
        assert origin == "bank.example/deputize"
        assert int(size) == len(bank.entries())
        assert bank.deputize.store.look(lambda tx: tx.checkpoints()) == [note]

    async def test_metadata_is_at_the_root(self, bank: Bank) -> None:
        client = bank.client()
        server = (await client.get(f"{ORIGIN}/.well-known/oauth-authorization-server/deputize")).json()
        assert server["issuer"] == ISSUER
        assert server["token_endpoint"] == f"{ISSUER}/token"
        resource = (await client.get(f"{ORIGIN}/.well-known/oauth-protected-resource/deputize")).json()
        assert resource["dpop_bound_access_tokens_required"] is True
        keys = (await client.get(server["jwks_uri"])).json()["keys"]
        assert keys[0]["kty"] == "EC"
        assert "d" not in keys[0]


class TestStandAlone:
    """An authority that nobody mounts answers for its whole host."""

    @pytest.fixture(params=["", "/deputize"])
    async def client(
        self, request: pytest.FixtureRequest, tmp_path: Path
    ) -> AsyncIterator[httpx2.AsyncClient]:
        issuer = f"{ORIGIN}{request.param}"
        text = POLICY.replace(f'origin = "{ORIGIN}"', f'origin = "{ORIGIN}"\nissuer = "{issuer}"')
        transport = httpx2.ASGITransport(build(settings.loads(text.encode()), tmp_path / "var"))
        async with httpx2.AsyncClient(transport=transport, base_url=issuer) as client:
            yield client

    async def test_leads_people_to_their_account(self, client: httpx2.AsyncClient) -> None:
        issuer = str(client.base_url).rstrip("/")
        for url in (ORIGIN + "/", issuer):
            led = await client.get(url)
            assert (led.status_code, led.headers["location"]) == (303, f"{issuer}/account")
        assert "Sign in" in (await client.get(f"{issuer}/account")).text

    @pytest.mark.parametrize(
        "path", ["/nothing", "/.well-known/nothing", "/.well-known/openid-configuration"]
    )
    async def test_has_problems_everywhere(self, client: httpx2.AsyncClient, path: str) -> None:  # ERR-1
        answer = await client.get(ORIGIN + path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert answer.headers["content-type"] == "application/problem+json"
